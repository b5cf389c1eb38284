//! The connections of this machine, as Linux lists them in `/proc/net/tcp`.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

/// State of a connection that both sides want.
const ESTABLISHED: &str = "01";

/// The far ends of all connections that are established and whose near end has one of these ports; nothing where there is
/// no such table.
///
/// A client that reads nothing does not hear that the server has ended the connection; this table knows.
pub(crate) fn established(ports: &[u16]) -> Option<HashSet<SocketAddrV4>> {
    Some(far_ends(&fs::read_to_string("/proc/net/tcp").ok()?, ports))
}

fn far_ends(table: &str, ports: &[u16]) -> HashSet<SocketAddrV4> {
    let far_end = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (near, far, state) = (address(words.next()?)?, address(words.next()?)?, words.next()?);
        (state == ESTABLISHED && ports.contains(&near.port())).then_some(far)
    };
    table.lines().skip(1).filter_map(far_end).collect()
}

/// An address as it lies in memory, and a port, both in hexadecimal digits.
fn address(word: &str) -> Option<SocketAddrV4> {
    let (address, port) = word.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    Some(SocketAddrV4::new(Ipv4Addr::from(address), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_in_it_until_it_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, SocketAddr::V4(address)) = listener.accept().unwrap() else { panic!() };
        assert_eq!(IpAddr::V4(*address.ip()), near.local_addr().unwrap().ip());
        assert!(established(&[port]).unwrap().contains(&address));
        drop(far);
        assert!(!established(&[port]).unwrap().contains(&address));
    }
}
