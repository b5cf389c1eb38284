//! Where to connect to, in which wire format, and from which of the many loopback addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use faf_protocol::WireFormat;
use socket2::{Domain, Protocol, Socket, Type};

/// Where a server listens for one wire format: `tcp://`, `qdatastream://` or `ws://`, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) format: WireFormat,
    pub(crate) address: SocketAddr,
    /// Host and port as given, for the header of the upgrade.
    pub(crate) host: String,
    /// Path of the upgrade.
    pub(crate) path: String,
}

/// The scheme in URLs.
pub(crate) fn scheme(format: WireFormat) -> &'static str {
    match format {
        WireFormat::SimpleJson => "tcp",
        WireFormat::QDataStream => "qdatastream",
        WireFormat::WebSocket => "ws",
    }
}

impl Url {
    pub(crate) fn new(format: WireFormat, address: SocketAddr) -> Self {
        Self { format, address, host: address.to_string(), path: "/".to_owned() }
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let known = "known are tcp://HOST:PORT, qdatastream://HOST:PORT and ws://HOST:PORT/PATH";
        let (name, rest) = url.split_once("://").ok_or_else(|| format!("`{url}` is no URL; {known}"))?;
        let format = WireFormat::ALL.into_iter().find(|format| scheme(*format) == name);
        let format = format.ok_or_else(|| format!("unknown scheme `{name}`; {known}"))?;
        let (host, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let mut addresses = host.to_socket_addrs().map_err(|error| format!("`{host}`: {error}; {known}"))?;
        let address = addresses.next().ok_or_else(|| format!("`{host}` has no address"))?;
        Ok(Self { format, address, host: host.to_owned(), path: path.to_owned() })
    }
}

/// The loopback address that the connection of this number comes from.
///
/// A port is free again a minute after its connection. With some connections an address and 16 million addresses, none
/// is needed before.
pub(crate) fn source(number: u64, per_address: u32) -> Ipv4Addr {
    let address = number / u64::from(per_address.max(1)) % 0x00FE_0000;
    // 127.0.0.1 stays for others.
    Ipv4Addr::from_bits(0x7F01_0000 + address as u32)
}

/// Bytes in a packet on the internet.
const PACKET: u32 = 1448;

/// Begins to connect without waiting for it, from the loopback address of this number if `to` is one. Packets are small, if
/// told so, as they are on the internet.
pub(crate) fn connect(
    to: SocketAddr,
    number: u64,
    per_address: u32,
    small_packets: bool,
) -> io::Result<mio::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if small_packets {
        // With packets as large as loopback has them, the server's kernel would take megabytes for this connection.
        socket.set_tcp_mss(PACKET)?;
    }
    if let IpAddr::V4(ip) = to.ip()
        && ip.is_loopback()
    {
        socket.bind(&SocketAddr::from((source(number, per_address), 0)).into())?;
    }
    match socket.connect(&to.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        _ => Ok(mio::net::TcpStream::from_std(socket.into())),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    /// `EINPROGRESS`, for which the standard library has no stable name.
    const IN_PROGRESS: i32 = 115;

    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(IN_PROGRESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_format_and_an_address() {
        let url: Url = "ws://127.0.0.1:8003/lobby".parse().unwrap();
        assert_eq!((url.format, url.path.as_str()), (WireFormat::WebSocket, "/lobby"));
        assert_eq!(url.address, SocketAddr::from(([127, 0, 0, 1], 8003)));
        let url: Url = "qdatastream://127.0.0.1:8001".parse().unwrap();
        assert_eq!((url.format, url.path.as_str()), (WireFormat::QDataStream, "/"));
        for wrong in ["http://127.0.0.1:1", "127.0.0.1:1", "tcp://127.0.0.1"] {
            assert!(wrong.parse::<Url>().unwrap_err().contains("known are tcp://"), "{wrong}");
        }
    }

    #[test]
    fn many_connections_have_many_sources() {
        assert_eq!(source(0, 16), source(15, 16));
        assert_ne!(source(15, 16), source(16, 16));
        assert_eq!(source(0, 16), Ipv4Addr::new(127, 1, 0, 0));
        assert!(source(u64::MAX, 1).is_loopback());
    }
}
