//! Addresses of clients, as proxies write them into headers of HTTP.

use std::net::{IpAddr, SocketAddr};

/// The address of a client, as its proxy states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// From there.
    From(IpAddr),
    /// It does not know, or does not tell.
    Unknown,
    /// Something else.
    NotUnderstood,
}

/// Reads the first element of a header such as `X-Real-IP`, `X-Forwarded-For` or `Forwarded` (RFC
/// 7239).
///
/// An address may stand in brackets and have a port or a zone, which are dropped. An IPv4 address
/// that is written as one of IPv6 is one of IPv4.
///
/// ```
/// use faf_connection::forwarded::{Forwarded, read};
///
/// for text in ["2001:db8::7", "[2001:db8::7]:443, 10.0.0.1", "for=\"[2001:db8::7]\";proto=https"] {
///     assert_eq!(read(text), Forwarded::From("2001:db8::7".parse().unwrap()));
/// }
/// assert_eq!(read("unknown"), Forwarded::Unknown);
/// ```
#[must_use]
pub fn read(header: &str) -> Forwarded {
    let Some(element) = header.split(',').map(str::trim).find(|element| !element.is_empty()) else {
        return Forwarded::Unknown;
    };
    let parameters = || element.split(';').filter_map(|parameter| parameter.split_once('='));
    let node = match parameters().find(|(name, _)| name.trim().eq_ignore_ascii_case("for")) {
        Some((_, node)) => node,
        // Another proxy's parameters without the one that counts.
        None if parameters().next().is_some() => return Forwarded::Unknown,
        None => element,
    };
    let node = node.trim().trim_matches('"');
    match address(node) {
        Some(address) => Forwarded::From(address.to_canonical()),
        None if node.eq_ignore_ascii_case("unknown") || node.starts_with('_') => Forwarded::Unknown,
        None => Forwarded::NotUnderstood,
    }
}

fn address(node: &str) -> Option<IpAddr> {
    let without_zone = |text: &str| text.split('%').next().and_then(|text| text.parse().ok());
    if let Some((inside, behind)) = node.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        let is_address = behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
        return is_address.then(|| without_zone(inside)).flatten();
    }
    without_zone(node).or_else(|| node.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_in_many_forms() {
        let forms = |address: &str, forms: &[&str]| {
            for form in forms {
                assert_eq!(read(form), Forwarded::From(address.parse().unwrap()), "{form}");
            }
        };
        forms(
            "203.0.113.7",
            &[
                "203.0.113.7",
                " 203.0.113.7 ",
                "203.0.113.7:5678",
                "[203.0.113.7]:5678",
                "\"203.0.113.7:5678\"",
                "203.0.113.7, 10.0.0.1, 10.0.0.2",
                ",203.0.113.7:5678,10.0.0.1",
                "::ffff:203.0.113.7",
                "[::ffff:203.0.113.7]:5678",
                "::ffff:cb00:7107",
                "for=203.0.113.7",
                "proto=https; For=\"203.0.113.7:5678\";by=10.0.0.1, for=10.0.0.2",
            ],
        );
        forms(
            "2001:db8::7",
            &[
                "2001:db8::7",
                "[2001:db8::7]",
                "[2001:db8::7]:443",
                "[2001:db8::7%eth0]:443",
                "2001:db8::7%eth0",
                "2001:DB8:0::7",
                "for=\"[2001:db8::7]:443\"",
                "for=\"[2001:db8::7]\"",
            ],
        );
    }

    #[test]
    fn what_is_no_address_is_told_from_what_says_nothing() {
        for nothing in
            ["unknown", "Unknown, 10.0.0.1", "_hidden", "for=unknown", "for=_x;by=1", "", " ,", "by=1.2.3.4"]
        {
            assert_eq!(read(nothing), Forwarded::Unknown, "{nothing}");
        }
        for odd in [
            "here",
            "1.2.3",
            "1.2.3.4.5",
            "[::1",
            "[::1]443",
            "[::1]:x",
            "1.2.3.4:",
            "1.2.3.4:99999",
            "::1]",
            "for=",
        ] {
            assert_eq!(read(odd), Forwarded::NotUnderstood, "{odd}");
        }
    }
}
