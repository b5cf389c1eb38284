use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

/// Addresses to listen on; none to disable a listener.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "OneOrMore")]
pub struct Listen(Vec<ListenAddress>);

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// `host:port`; the host may be a name or `*` for all addresses, an IPv6 address is in
    /// brackets, port 0 picks a free one.
    pub address: String,
    /// Whether every connection begins with a PROXY header.
    pub proxy: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Listen {
    /// Returns the addresses; none for `off`.
    #[must_use]
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.0
    }

    /// Parses one address.
    ///
    /// # Errors
    /// A description, if it is not an address.
    pub fn one(text: &str) -> Result<Self, String> {
        match text.trim() {
            "off" => Ok(Self(Vec::new())),
            address => Ok(Self(vec![address.parse()?])),
        }
    }
}

impl ListenAddress {
    /// Returns whether both cannot be used at the same time. Different names of one host are
    /// not recognized.
    pub(super) fn clashes_with(&self, other: &Self) -> bool {
        let parts = |address: &str| -> Option<(String, u16)> {
            let (host, port) = address.rsplit_once(':')?;
            let host = if host == "localhost" { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
            Some((host.to_lowercase(), port.parse().ok()?))
        };
        let (Some((host, port)), Some((other, other_port))) = (parts(&self.address), parts(&other.address))
        else {
            return false;
        };
        let is_any = |host: &str| host == "*" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
        port != 0 && port == other_port && (host == other || is_any(&host) || is_any(&other))
    }

    /// Returns the port, if all addresses of the machine are meant.
    pub(crate) fn port_of_all(&self) -> Option<u16> {
        self.address.strip_prefix("*:")?.parse().ok()
    }

    /// Returns whether only this machine can connect. Names other than `localhost` count as public.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.address.rsplit_once(':').map_or("", |(host, _)| host).trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl TryFrom<OneOrMore> for Listen {
    type Error = String;

    fn try_from(value: OneOrMore) -> Result<Self, String> {
        match value {
            OneOrMore::One(text) => Self::one(&text),
            OneOrMore::More(texts) => {
                texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Self)
            }
        }
    }
}

impl std::str::FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let address = words.next().unwrap_or_default().to_owned();
        let proxy = match (words.next(), words.next()) {
            (None, _) => false,
            (Some("proxy"), None) => true,
            _ => return Err(format!("`{text}`: only the word `proxy` may follow an address")),
        };
        let port = address
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(_)) => Ok(Self { address, proxy }),
            _ => Err(format!("`{text}` is not an address such as 127.0.0.1:8001, and not \"off\"")),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised() {
        let is_loopback = |address: &str| address.parse::<ListenAddress>().unwrap().is_loopback();
        assert!(
            ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"].map(is_loopback)
                == [true; 5]
        );
        assert!(["0.0.0.0:1", "[::]:1", "*:1", "10.0.0.1:1", "example.org:1"].map(is_loopback) == [false; 5]);
    }

    #[test]
    fn all_addresses_clash_with_each() {
        let parsed = |address: &str| address.parse::<ListenAddress>().unwrap();
        let clash = |one: &str, other: &str| parsed(one).clashes_with(&parsed(other));
        assert!(clash("*:1", "127.0.0.1:1") && clash("[::1]:1", "*:1") && clash("*:1", "*:1"));
        assert!(!clash("*:1", "*:2") && !clash("*:0", "*:0"));
        assert_eq!((parsed("*:7").port_of_all(), parsed("[::]:7").port_of_all()), (Some(7), None));
    }

    #[test]
    fn addresses_and_off() {
        let address = |address: &str, proxy| ListenAddress { address: address.to_owned(), proxy };
        assert_eq!(Listen::one("off").unwrap().addresses(), []);
        assert_eq!(Listen::one("127.0.0.1:0").unwrap().addresses(), [address("127.0.0.1:0", false)]);
        assert_eq!(Listen::one("[::]:8001 proxy").unwrap().addresses(), [address("[::]:8001", true)]);
        assert_eq!(Listen::one("localhost:8001").unwrap().addresses(), [address("localhost:8001", false)]);
        for wrong in ["", ":8001", "8001", "localhost", "localhost:99999", "a:1 b", "a:1 proxy x"] {
            assert!(Listen::one(wrong).is_err(), "{wrong}");
        }
    }
}
