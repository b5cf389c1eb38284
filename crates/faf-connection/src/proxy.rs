//! PROXY protocol: the header in which a proxy announces the address of its client (wire.md
//! section 11).
//!
//! The first bytes distinguish versions 1 (text) and 2 (binary). No byte after the header is read.

use std::io;
use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest header of version 1, line end included (PROXY protocol specification, section 2.1).
const V1_LIMIT: usize = 107;

/// Largest variable part of a version 2 header: 2 KiB. Real ones, with all options, are
/// far smaller.
const V2_LIMIT: usize = 2048;

/// Fixed part of a version 2 header: signature, version, family and length.
const V2_FIXED: usize = 16;

/// Bytes that must be read to distinguish the versions; every header is longer.
const SIGNATURE: usize = 12;

/// The reason a connection does not begin with a header that names an address.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The connection begins otherwise, or with an invalid header.
    #[error("no valid PROXY header: {0}")]
    Invalid(String),
    /// The header names no address of an internet family.
    #[error("PROXY header without an address")]
    NoAddress,
    /// The connection was lost inside the header.
    #[error("connection lost inside the PROXY header: {0}")]
    Io(#[from] io::Error),
}

/// Reads the header. Returns the address that it announces, or `None` if the connection is the
/// proxy's own (health checks).
///
/// There is no time limit: the caller must set one.
///
/// # Errors
/// [`ProxyError`]. The connection cannot be used after an error.
pub async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, ProxyError> {
    let mut header = vec![0; SIGNATURE];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        header.resize(V2_FIXED, 0);
        stream.read_exact(&mut header[SIGNATURE..]).await?;
        let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
        if length > V2_LIMIT {
            return Err(ProxyError::Invalid(format!("{length} bytes, where {V2_LIMIT} are allowed")));
        }
        header.resize(V2_FIXED + length, 0);
        stream.read_exact(&mut header[V2_FIXED..]).await?;
        version_2(&header)
    } else if header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        while header.len() < V1_LIMIT && !header.ends_with(b"\r\n") {
            header.push(stream.read_u8().await?);
        }
        version_1(&header)
    } else {
        Err(ProxyError::Invalid("the connection begins otherwise".to_owned()))
    }
}

fn version_1(header: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    let header = v1::Header::try_from(header).map_err(|error| ProxyError::Invalid(error.to_string()))?;
    match header.addresses {
        v1::Addresses::Tcp4(tcp) => Ok(Some((tcp.source_address, tcp.source_port).into())),
        v1::Addresses::Tcp6(tcp) => Ok(Some((tcp.source_address, tcp.source_port).into())),
        v1::Addresses::Unknown => Err(ProxyError::NoAddress),
    }
}

fn version_2(header: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    let header = v2::Header::try_from(header).map_err(|error| ProxyError::Invalid(error.to_string()))?;
    match (header.command, header.addresses) {
        (v2::Command::Local, _) => Ok(None),
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => Ok(Some((ip.source_address, ip.source_port).into())),
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => Ok(Some((ip.source_address, ip.source_port).into())),
        (v2::Command::Proxy, _) => Err(ProxyError::NoAddress),
    }
}

/// Returns a version 1 header that announces a connection from `source` to `destination`.
///
/// # Panics
/// Never: mixed families are announced as IPv6.
#[must_use]
pub fn header(source: SocketAddr, destination: SocketAddr) -> String {
    let family = if source.is_ipv4() && destination.is_ipv4() { "TCP4" } else { "TCP6" };
    let address = |address: SocketAddr| match (family, address.ip()) {
        ("TCP6", std::net::IpAddr::V4(ip)) => ip.to_ipv6_mapped().to_string(),
        (_, ip) => ip.to_string(),
    };
    format!(
        "PROXY {family} {} {} {} {}\r\n",
        address(source),
        address(destination),
        source.port(),
        destination.port()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Option<String>, String> {
        let mut stream = [bytes, b"rest"].concat();
        let mut rest = &stream.split_off(0)[..];
        let address = read_header(&mut rest).await;
        if address.is_ok() {
            assert_eq!(rest, b"rest");
        }
        address.map(|found| found.map(|address| address.to_string())).map_err(|error| error.to_string())
    }

    const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    #[tokio::test]
    async fn version_1_names_the_source() {
        assert_eq!(
            read(b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 8002\r\n").await,
            Ok(Some("203.0.113.7:5555".to_owned()))
        );
        assert_eq!(
            read(b"PROXY TCP6 2001:db8::7 2001:db8::1 5555 8002\r\n").await,
            Ok(Some("[2001:db8::7]:5555".to_owned()))
        );
        assert!(read(b"PROXY UNKNOWN\r\n").await.unwrap_err().contains("without an address"));
    }

    #[tokio::test]
    async fn version_2_names_the_source() {
        let ipv4 = [V2, b"\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\x15\xb3\x1f\x42"].concat();
        assert_eq!(read(&ipv4).await, Ok(Some("203.0.113.7:5555".to_owned())));
        let with_option =
            [V2, b"\x21\x11\x00\x10\xcb\x00\x71\x07\x0a\x00\x00\x01\x15\xb3\x1f\x42\x04\x00\x01x"].concat();
        assert_eq!(read(&with_option).await, Ok(Some("203.0.113.7:5555".to_owned())));
        let source = "2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let ipv6 = [V2, b"\x21\x21\x00\x24", &source, &[0; 16], b"\x15\xb3\x1f\x42"].concat();
        assert_eq!(read(&ipv6).await, Ok(Some("[2001:db8::7]:5555".to_owned())));
        assert_eq!(read(&[V2, b"\x20\x00\x00\x00"].concat()).await, Ok(None));
        assert!(read(&[V2, b"\x21\x00\x00\x00"].concat()).await.unwrap_err().contains("without an address"));
    }

    #[tokio::test]
    async fn everything_else_is_refused() {
        assert!(read(b"{\"command\":\"ping\"}\n").await.is_err());
        assert!(read(b"PROXY TCP4 here there 1 2\r\n").await.is_err());
        assert!(read(&[&b"PROXY TCP4 "[..], &[b'1'; 200]].concat()).await.is_err());
        assert!(read(&[V2, b"\x21\x11\xff\xff"].concat()).await.unwrap_err().contains("2048 are allowed"));
        assert!(matches!(read_header(&mut &b"PROXY"[..]).await, Err(ProxyError::Io(_))));
    }

    #[tokio::test]
    async fn written_headers_can_be_read() {
        for (source, destination) in
            [("1.2.3.4:5", "6.7.8.9:10"), ("[2001:db8::1]:5", "[::1]:10"), ("1.2.3.4:5", "[::1]:10")]
        {
            let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
            let found = read_header(&mut header(source, destination).as_bytes()).await.unwrap().unwrap();
            assert_eq!((found.ip().to_canonical(), found.port()), (source.ip(), source.port()));
        }
    }
}
