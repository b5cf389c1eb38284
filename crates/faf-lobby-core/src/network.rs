//! What counts as one address, and as one network, where somebody's connections and attempts are
//! counted.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The address itself; of IPv6 the network of 64 bits, which is what a household gets: whoever has
/// one of its addresses has 2^64 of them.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    Network::new(address, 64).address
}

/// A network, by its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The networks an address counts for, and how many times as much as a single address each may
    /// do.
    ///
    /// Of IPv6 a provider gives a household a network of 64 or 56 bits, and tunnels and companies
    /// get one of 48: that is 65,536 of
    /// 64. Whoever has one of those has not more than a few addresses' worth of everything.
    pub fn counted(address: IpAddr) -> impl Iterator<Item = (Self, usize)> {
        let scales: &[(u8, usize)] = match address.to_canonical() {
            IpAddr::V6(_) => &[(64, 1), (56, 4), (48, 16)],
            IpAddr::V4(_) => &[(32, 1)],
        };
        scales.iter().map(move |(bits, times)| (Self::new(address, *bits), *times))
    }

    /// The widest network that somebody may have all of: of IPv6 one of 48 bits, of IPv4 one of 24.
    ///
    /// As many have less, nobody is turned away because of it alone. It says who goes first when
    /// there are too many.
    #[must_use]
    pub fn widest(address: IpAddr) -> Self {
        Self::new(address, if address.to_canonical().is_ipv6() { 48 } else { 24 })
    }

    /// Its first address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The network of so many bits that an address belongs to; at most as many as it has.
    fn new(address: IpAddr, bits: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let rest = u32::from(128_u8.saturating_sub(bits));
                let first = address.to_bits().checked_shr(rest).unwrap_or(0);
                Self { address: IpAddr::V6(first.checked_shl(rest).unwrap_or(0).into()), bits: bits.min(128) }
            }
            IpAddr::V4(address) => {
                let rest = u32::from(32_u8.saturating_sub(bits));
                let first = address.to_bits().checked_shr(rest).unwrap_or(0);
                Self { address: IpAddr::V4(first.checked_shl(rest).unwrap_or(0).into()), bits: bits.min(32) }
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(address, bits)| Some((address.parse().ok()?, bits.parse().ok()?)));
        parts.map(|(address, bits)| Self::new(address, bits)).ok_or_else(|| format!("`{text}` is no network"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_one_network() {
        let of = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(of("1.2.3.4"), "1.2.3.4");
        assert_eq!(of("::ffff:1.2.3.4"), "1.2.3.4");
        assert_eq!(of("2001:db8::1:2:3:4"), "2001:db8::");
        assert_eq!(of("2001:db8::1:2:3:4"), of("2001:db8::5"));
        assert_ne!(of("2001:db8::1:2:3:4"), of("2001:db8:0:1::"));
    }

    #[test]
    fn wider_networks_hold_the_narrow_ones() {
        let counted = |address: &str| -> Vec<String> {
            let networks = Network::counted(address.parse().unwrap());
            networks.map(|(network, times)| format!("{network} {times}")).collect()
        };
        assert_eq!(counted("::ffff:1.2.3.4"), ["1.2.3.4/32 1"]);
        assert_eq!(
            counted("2001:db8:1:ffff::1"),
            ["2001:db8:1:ffff::/64 1", "2001:db8:1:ff00::/56 4", "2001:db8:1::/48 16"]
        );
        let widest = |address: &str| Network::widest(address.parse().unwrap()).to_string();
        assert_eq!(widest("::ffff:1.2.3.4"), "1.2.3.0/24");
        assert_eq!(widest("2001:db8:1:ffff::1"), "2001:db8:1::/48");
    }

    #[test]
    fn networks_are_written_and_read() {
        let widest = Network::widest("2001:db8:1:ffff::1".parse().unwrap());
        assert_eq!(Network::try_from(widest.to_string()), Ok(widest));
        for wrong in ["1.2.3.4", "/8", "1.2.3.4/", "1.2.3/8"] {
            assert!(Network::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
