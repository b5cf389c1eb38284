//! Password logins by address that have failed or are in progress, so that nobody can guess
//! passwords over many connections (session.md section 4).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::state::Remembered;

/// Time, from the first failure on, over which failures are counted.
const WINDOW: Duration = Duration::from_secs(600);

/// Maximum number of addresses and networks with a count. If more fail within the window, those
/// whose window ends first are dropped.
const ADDRESSES: usize = 30_000;

/// Recent failures by network. Times are those of a clock that never goes back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FailedLogins(Remembered<Network, u32, ADDRESSES>);

impl FailedLogins {
    /// Counts an attempt as failed. If it succeeds, [`take_back`](Self::take_back) must be called.
    pub fn add(&mut self, address: IpAddr, now: Duration) {
        for (network, _) in Network::counted(address) {
            let (until, count) =
                self.0.get(network, now).map_or((now + WINDOW, 0), |(until, count)| (until, *count));
            self.0.put(network, count + 1, until, now);
        }
    }

    /// Removes an attempt that did not fail.
    pub fn take_back(&mut self, address: IpAddr, now: Duration) {
        for (network, _) in Network::counted(address) {
            if let Some((until, count)) = self.0.get(network, now) {
                let count = count.saturating_sub(1);
                self.0.put(network, count, until, now);
            }
        }
    }

    /// Returns the number of failures of an address within the window. A wider network counts with
    /// the total of its failures divided by its [multiple](Network::counted), and the largest
    /// number is returned.
    #[must_use]
    pub fn count(&self, address: IpAddr, now: Duration) -> u32 {
        let count = |network| self.0.get(network, now).map_or(0, |(_, count)| *count);
        let parts = Network::counted(address)
            .map(|(network, times)| count(network) / u32::try_from(times).unwrap_or(u32::MAX));
        parts.max().unwrap_or(0)
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
    fn many_networks_do_not_give_as_many_attempts() {
        let mut failed = FailedLogins::default();
        let of = |number: u16| IpAddr::from([0x2001, 0xdb8, 7, number, 0, 0, 0, 1]);
        for number in 0..64 {
            failed.add(of(number), Duration::ZERO);
        }
        // All are in one /56 network, which may have as many failures as four addresses.
        assert_eq!(failed.count(of(64), Duration::ZERO), 16);
        assert_eq!(failed.count(of(0x100), Duration::ZERO), 4);
        failed.take_back(of(64), Duration::ZERO);
        assert_eq!(failed.count(of(64), Duration::ZERO), 15);
        assert_eq!(failed.count(IpAddr::from([0x2001, 0xdb8, 8, 0, 0, 0, 0, 1]), Duration::ZERO), 0);
    }

    #[test]
    fn very_many_addresses_do_not_displace_recent_failures() {
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
