//! The address and wire format of a server, and the many loopback addresses of its clients.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use faf_client::Url;
use faf_protocol::WireFormat;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// Endpoint of a server for one wire format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    /// First address of the URL's host.
    pub(crate) address: SocketAddr,
}

impl Endpoint {
    pub(crate) fn format(&self) -> WireFormat {
        self.url.format()
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|error| format!("`{text}`: {error}"))?;
        if url.is_encrypted() {
            return Err(format!("`{text}`: TLS is not spoken"));
        }
        let addresses = (url.host(), url.port()).to_socket_addrs();
        let address = addresses.map_err(|error| format!("`{}`: {error}", url.host()))?.next();
        let address = address.ok_or_else(|| format!("`{}` has no address", url.host()))?;
        Ok(Self { url, address })
    }
}

/// Returns the loopback address from which the connection with this number comes.
///
/// A port is free again a minute after its connection. With few connections per address and 16
/// million addresses, no port is needed earlier.
pub(crate) fn source(number: u64, per_address: u32) -> Ipv4Addr {
    let address = number / u64::from(per_address.max(1)) % 0x00FE_0000;
    // 127.0.0.1 is left to others.
    Ipv4Addr::from_bits(0x7F01_0000 + address as u32)
}

/// Size of a packet on the internet, in bytes.
const PACKET: u32 = 1448;

/// Starts to connect without waiting; the event loop reports when the socket is ready. A connection
/// to loopback comes from the [`source`] address; packets may be small, as on the internet.
pub(crate) fn connect(
    registry: &Registry,
    token: Token,
    to: SocketAddr,
    source: Ipv4Addr,
    small_packets: bool,
) -> io::Result<mio::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if small_packets {
        // With the large packets of loopback, the server's kernel would use megabytes for this
        // connection.
        socket.set_tcp_mss(PACKET)?;
    }
    if let IpAddr::V4(ip) = to.ip()
        && ip.is_loopback()
    {
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    match socket.connect(&to.into()) {
        Err(error) if !is_in_progress(&error) => return Err(error),
        _ => {}
    }
    let mut stream = mio::net::TcpStream::from_std(socket.into());
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
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
    fn an_endpoint_has_a_format_and_an_address() {
        let endpoint: Endpoint = "ws://127.0.0.1:8003/lobby".parse().unwrap();
        assert_eq!((endpoint.format(), endpoint.url.path()), (WireFormat::WebSocket, "/lobby"));
        assert_eq!(endpoint.address, SocketAddr::from(([127, 0, 0, 1], 8003)));
        let endpoint: Endpoint = "tcp://127.0.0.1".parse().unwrap();
        assert_eq!(endpoint.address, SocketAddr::from(([127, 0, 0, 1], 8002)));
        for wrong in ["http://127.0.0.1:1", "127.0.0.1:1", "wss://127.0.0.1"] {
            assert!(wrong.parse::<Endpoint>().unwrap_err().contains(wrong), "{wrong}");
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
