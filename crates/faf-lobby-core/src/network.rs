//! Addresses and networks by which connections and attempts are counted.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Returns the address itself or, for IPv6, its /64 network, which a household gets: a client with
/// one of its addresses has all 2^64.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    Network::new(address, 64).address
}

/// A network, given by the first bits of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Returns the networks that an address counts for, each with the multiple of a single
    /// address's limit that it has.
    ///
    /// For IPv6 a provider gives a household a /64 or a /56, and tunnels and companies get a /48,
    /// which contains 65,536 networks of 64 bits. The owner of such a network gets no more than
    /// the limits of a few addresses.
    pub fn counted(address: IpAddr) -> impl Iterator<Item = (Self, usize)> {
        let scales: &[(u8, usize)] = match address.to_canonical() {
            IpAddr::V6(_) => &[(64, 1), (56, 4), (48, 16)],
            IpAddr::V4(_) => &[(32, 1)],
        };
        scales.iter().map(move |(bits, times)| (Self::new(address, *bits), *times))
    }

    /// Returns the widest network that one owner may have entirely: a /48 for IPv6, a /24 for IPv4.
    ///
    /// Many owners have less, so nobody is rejected because of it alone. It decides who is
    /// disconnected first when there are too many connections.
    #[must_use]
    pub fn widest(address: IpAddr) -> Self {
        Self::new(address, if address.to_canonical().is_ipv6() { 48 } else { 24 })
    }

    /// Returns the first address of the network.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Returns the network of this many bits that contains an address; the number is capped at the
    /// length of the address.
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
        parts
            .map(|(address, bits)| Self::new(address, bits))
            .ok_or_else(|| format!("`{text}` is not a network"))
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
    fn wider_networks_contain_the_narrow_ones() {
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
    fn networks_survive_conversion_to_text() {
        let widest = Network::widest("2001:db8:1:ffff::1".parse().unwrap());
        assert_eq!(Network::try_from(widest.to_string()), Ok(widest));
        for wrong in ["1.2.3.4", "/8", "1.2.3.4/", "1.2.3/8"] {
            assert!(Network::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
