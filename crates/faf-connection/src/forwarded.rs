//! Addresses of clients in HTTP headers that proxies write.

use std::net::{IpAddr, SocketAddr};

/// The address of a client, as its proxy names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// Address of the client.
    From(IpAddr),
    /// The proxy does not know the address, or hides it.
    Unknown,
    /// The header is not valid.
    NotUnderstood,
}

/// Reads the first element of a header such as `X-Real-IP`, `X-Forwarded-For` or `Forwarded`
/// (RFC 7239).
///
/// An address may be in brackets and have a port or a zone, which are dropped. An IPv4-mapped IPv6
/// address is returned as an IPv4 address.
///
/// ```
/// use faf_connection::forwarded::{Forwarded, read};
///
/// for text in ["2001:db8::7", "[2001:db8::7]:443, 10.0.0.1", "for=\"[2001:db8::7]\";by=_x"] {
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
        // The parameters of the element do not include `for`.
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
    if let Some((inside, after)) = node.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        let is_address = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return is_address.then(|| without_zone(inside)).flatten();
    }
    without_zone(node).or_else(|| node.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_many_forms() {
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
    fn unknown_address_differs_from_an_invalid_one() {
        for unknown in
            ["unknown", "Unknown, 10.0.0.1", "_hidden", "for=unknown", "for=_x;by=1", "", " ,", "by=1.2.3.4"]
        {
            assert_eq!(read(unknown), Forwarded::Unknown, "{unknown}");
        }
        for invalid in [
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
            assert_eq!(read(invalid), Forwarded::NotUnderstood, "{invalid}");
        }
    }
}
