//! Logins with a password that failed or are under way, by address, so that passwords cannot be guessed over many connections
//! (session.md section 4).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::network;
use crate::remembered::Remembered;

/// Failures are counted over this time from the first one on.
const WINDOW: Duration = Duration::from_secs(600);

/// Addresses that are remembered. If more fail within the window, the oldest windows are dropped.
const ADDRESSES: usize = 10_000;

/// Who has failed how often of late.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct FailedLogins(Remembered<IpAddr, u32, ADDRESSES>);

impl FailedLogins {
    /// Counts an attempt; it has failed unless it is taken back.
    pub(crate) fn add(&mut self, address: IpAddr, now: Duration) {
        let address = network(address);
        let (until, count) =
            self.0.get(address, now).map_or((now + WINDOW, 0), |(until, count)| (until, *count));
        self.0.put(address, count + 1, until, now);
    }

    /// Takes an attempt back that did not fail.
    pub(crate) fn take_back(&mut self, address: IpAddr, now: Duration) {
        let address = network(address);
        if let Some((until, count)) = self.0.get(address, now) {
            let count = count.saturating_sub(1);
            self.0.put(address, count, until, now);
        }
    }

    /// How many failures there were within the window.
    pub(crate) fn count(&self, address: IpAddr, now: Duration) -> u32 {
        self.0.get(network(address), now).map_or(0, |(_, count)| *count)
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
        failed.take_back(address("1.1.1.1"), 2 * second);
        failed.take_back(address("3.3.3.3"), 2 * second);
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
    fn whoever_has_very_many_addresses_does_not_make_others_forgotten() {
        let mut failed = FailedLogins::default();
        let mallory = IpAddr::from([6, 6, 6, 6]);
        let second = Duration::from_secs(1);
        for number in 0..100_000_u32 {
            failed.add(IpAddr::V4(number.into()), second);
        }
        failed.add(mallory, second * 2);
        for number in 0..(ADDRESSES as u32 - 1) {
            failed.add(IpAddr::V4(number.into()), second);
        }
        assert_eq!((failed.0.len(), failed.count(mallory, second * 2)), (ADDRESSES, 1));
    }
}
