//! Digests that take the place of secrets in recordings.

use std::iter::repeat_n;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ring::hmac;

/// Hexadecimal digits of the digest: 128 bits, so that two different secrets never get the same one
/// by chance.
const DIGITS: usize = 32;

/// Length from which on a secret keeps its length, in bytes, since a lobby server refuses those
/// that are too long, from 1000 bytes on. Not even the length of a shorter one is shown.
pub const LENGTH_SHOWS: usize = 512;

/// Replaces secrets by keyed digests: equal secrets get equal digests, so that the right password
/// of a game stays the right one. Nobody can try passwords on them if the key is random and is
/// stored nowhere else.
#[derive(Debug)]
pub struct Digests {
    key: hmac::Key,
}

impl Digests {
    /// Creates digests with a key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// Returns the replacement of a secret: `secret:` and 32 hexadecimal digits. An empty one stays
    /// empty, since it means that there is no secret. Beyond 512 bytes, dots make the replacement
    /// as long as the secret.
    #[must_use]
    pub fn replace(&self, secret: &str) -> String {
        if secret.is_empty() {
            return String::new();
        }
        let mut replacement = format!("secret:{:0DIGITS$x}", self.digest(secret));
        if secret.len() > LENGTH_SHOWS {
            replacement.extend(repeat_n('.', secret.len() - replacement.len()));
        }
        replacement
    }

    /// Returns the replacement of an address, of the same family: one of 240.0.0.0/4, which nobody
    /// has, or one of fd00::/8, which only private networks have. Addresses that name no single
    /// machine, such as 0.0.0.0, and loopback stay as they are.
    #[must_use]
    pub fn replace_address(&self, address: IpAddr) -> IpAddr {
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return address;
        }
        let digest = self.digest(&address.to_string());
        match address {
            IpAddr::V4(Ipv4Addr::BROADCAST) => address,
            IpAddr::V4(_) => Ipv4Addr::from_bits(0xF000_0000 | digest as u32 & 0x0FFF_FFFE).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(0xFD << 120 | digest >> 8).into(),
        }
    }

    fn digest(&self, secret: &str) -> u128 {
        let digest = hmac::sign(&self.key, secret.as_bytes());
        digest.as_ref().first_chunk().copied().map_or(0, u128::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_stay_equal_and_others_differ() {
        let (digests, other) = (Digests::new(&[1; 32]), Digests::new(&[2; 32]));
        assert_eq!(digests.replace("hunter2"), digests.replace("hunter2"));
        assert_ne!(digests.replace("hunter2"), digests.replace("hunter3"));
        assert_ne!(digests.replace("hunter2"), other.replace("hunter2"));
        assert_eq!(digests.replace(""), "");
        assert_eq!(digests.replace("x").len(), digests.replace(&"x".repeat(LENGTH_SHOWS)).len());
        for length in [LENGTH_SHOWS + 1, 1000, 1001, 16 * 1024 + 1] {
            assert_eq!(digests.replace(&"x".repeat(length)).len(), length);
        }
    }

    #[test]
    fn addresses_stay_addresses() {
        let digests = Digests::new(&[1; 32]);
        let replaced = |text: &str| digests.replace_address(text.parse().unwrap());
        assert_eq!(replaced("203.0.113.7"), replaced("203.0.113.7"));
        assert_ne!(replaced("203.0.113.7"), replaced("203.0.113.8"));
        assert!(replaced("203.0.113.7").to_string().starts_with("24"));
        assert!(replaced("2001:db8::1").to_string().starts_with("fd"));
        for kept in ["127.0.0.1", "0.0.0.0", "::1", "::", "255.255.255.255"] {
            assert_eq!(replaced(kept).to_string(), kept);
        }
    }
}
