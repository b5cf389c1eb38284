//! Logins with a password that failed or are under way, by address, so that passwords cannot be guessed over many connections
//! (session.md section 4).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::Network;

/// Failures are counted over this time from the first one on.
const WINDOW: Duration = Duration::from_secs(600);

/// Addresses and networks that are remembered. If more fail within the window, it begins anew for all of them.
const ADDRESSES: usize = 30_000;

/// Who has failed how often of late.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct FailedLogins(BTreeMap<Network, Failures>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Failures {
    since: Duration,
    count: u32,
}

impl FailedLogins {
    /// Counts an attempt; it has failed unless it is taken back.
    pub(crate) fn add(&mut self, address: IpAddr, now: Duration) {
        if self.0.len() >= ADDRESSES {
            self.0.retain(|_, failures| failures.is_recent(now));
        }
        if self.0.len() >= ADDRESSES {
            self.0.clear();
        }
        for (network, _) in Network::counted(address) {
            let failures = self.0.entry(network).or_insert(Failures { since: now, count: 0 });
            if !failures.is_recent(now) {
                *failures = Failures { since: now, count: 0 };
            }
            failures.count += 1;
        }
    }

    /// Takes an attempt back that did not fail.
    pub(crate) fn take_back(&mut self, address: IpAddr) {
        for (network, _) in Network::counted(address) {
            if let Some(failures) = self.0.get_mut(&network) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }

    /// How many failures there were within the window; if a wider network has had more than its [times](Network::counted) as many,
    /// its part of those.
    pub(crate) fn count(&self, address: IpAddr, now: Duration) -> u32 {
        let count = |network| self.0.get(&network).filter(|of| of.is_recent(now)).map_or(0, |of| of.count);
        let parts = Network::counted(address)
            .map(|(network, times)| count(network) / u32::try_from(times).unwrap_or(u32::MAX));
        parts.max().unwrap_or(0)
    }
}

impl Failures {
    fn is_recent(&self, now: Duration) -> bool {
        now < self.since + WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_by_network_and_are_forgotten() {
        let mut failed = FailedLogins::default();
        let address = |text: &str| text.parse().unwrap();
        let second = Duration::from_secs(1);
        failed.add(address("1.1.1.1"), second);
        failed.add(address("1.1.1.1"), 2 * second);
        failed.add(address("1.1.1.1"), 2 * second);
        failed.take_back(address("1.1.1.1"));
        failed.take_back(address("3.3.3.3"));
        failed.add(address("2001:db8::1"), second);
        assert_eq!(failed.count(address("1.1.1.1"), 3 * second), 2);
        assert_eq!(failed.count(address("1.1.1.2"), 3 * second), 0);
        assert_eq!(failed.count(address("2001:db8::abcd:1"), 3 * second), 1);
        assert_eq!(failed.count(address("2001:db8:0:1::1"), 3 * second), 0);
        assert_eq!(failed.count(address("1.1.1.1"), WINDOW + second), 0);
        failed.add(address("1.1.1.1"), WINDOW + second);
        assert_eq!(failed.count(address("1.1.1.1"), WINDOW + second), 1);
    }

    #[test]
    fn whoever_has_many_networks_has_not_as_many_attempts() {
        let mut failed = FailedLogins::default();
        let of = |number: u16| IpAddr::from([0x2001, 0xdb8, 7, number, 0, 0, 0, 1]);
        for number in 0..64 {
            failed.add(of(number), Duration::ZERO);
        }
        // All are of one network of 56 bits, which may do as much as four addresses.
        assert_eq!(failed.count(of(64), Duration::ZERO), 16);
        assert_eq!(failed.count(of(0x100), Duration::ZERO), 4);
        failed.take_back(of(64));
        assert_eq!(failed.count(of(64), Duration::ZERO), 15);
        assert_eq!(failed.count(IpAddr::from([0x2001, 0xdb8, 8, 0, 0, 0, 0, 1]), Duration::ZERO), 0);
    }

    #[test]
    fn not_all_addresses_of_the_world_are_remembered() {
        let mut failed = FailedLogins::default();
        for number in 0..100_000_u32 {
            failed.add(IpAddr::V4(number.into()), Duration::ZERO);
        }
        assert!(failed.0.len() <= ADDRESSES);
    }
}
