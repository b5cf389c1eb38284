//! TCP sockets: their options, and listening.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// Connections that may wait to be accepted: 4,096.
///
/// After a restart everybody returns at once. With a short queue, connections beyond it are tried
/// again by the peer's operating system only after seconds, doubling each time. The kernel may cut
/// it (`net.core.somaxconn`).
pub const BACKLOG: i32 = 4096;

/// The pause after a failure to accept: trying again at once would fail again.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long nothing is said of further failures; see [`now_and_then`].
pub const TELL_PAUSE: Duration = Duration::from_secs(10);

/// A silent peer is asked for a sign of life after this time.
pub const KEEP_ALIVE_TIME: Duration = Duration::from_secs(60);

/// A peer that gives none is asked again after this time; after [`KEEP_ALIVE_RETRIES`] the
/// connection is lost.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How often a silent peer is asked.
pub const KEEP_ALIVE_RETRIES: u32 = 4;

/// A connection is lost when nothing that was sent is acknowledged for so long: 90 s.
///
/// Keep-alive does not ask while something is on its way, and left to itself the operating system
/// tries for a quarter of an hour. So a peer whose power fails is gone within two and a half
/// minutes: there is a ping every 45 s, and where there is none, it is asked after
/// [`KEEP_ALIVE_TIME`]. A bad line comes back sooner than that, or not at all.
pub const UNACKNOWLEDGED_TIME: Duration = Duration::from_secs(90);

/// Listens on an address. Port 0 picks a free one. An IPv6 address of all interfaces takes IPv4
/// connections, too.
///
/// # Errors
/// Those of the operating system, such as an address that is in use.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server must not wait until the connections of the last one are forgotten.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Waits for the next connection; failures, such as too many open files, are told and waited out.
///
/// A connection that was lost before it could be accepted is passed over.
pub async fn accept(listener: &TcpListener, mut tell: impl FnMut(io::Error)) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tell(error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Passes failures on, but after each of them none for [`TELL_PAUSE`]: while no file can be opened,
/// to accept fails ten times a second.
pub fn now_and_then(mut tell: impl FnMut(io::Error)) -> impl FnMut(io::Error) {
    let mut told: Option<Instant> = None;
    move |error| {
        if told.is_none_or(|told| told.elapsed() >= TELL_PAUSE) {
            told = Some(Instant::now());
            tell(error);
        }
    }
}

/// Bytes that the operating system takes before they can be sent: 128 KiB. Left to itself it takes
/// megabytes for each connection to a slow peer, and says that it takes more only when a third of
/// them are gone.
pub const UNSENT: u32 = 128 * 1024;

/// The same for a peer that gets more than it takes of what others say to it: 16 KiB, so that what
/// is meant for itself does not wait for long. On a line of 1 Mbit/s, 128 KiB would be a second.
pub(crate) const UNSENT_WHEN_SHORT: u32 = 16 * 1024;

/// Sets the options every connection has: no delay for small messages, and limits for peers that
/// vanish without a word.
///
/// # Errors
/// Those of the operating system.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let socket = SockRef::from(stream);
        socket.set_tcp_notsent_lowat(UNSENT)?;
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIME))?;
    }
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE_TIME)
        .with_interval(KEEP_ALIVE_INTERVAL)
        .with_retries(KEEP_ALIVE_RETRIES);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// The time between two pings that logged-in peers get by default.
    const PINGS: Duration = Duration::from_secs(45);

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn a_peer_that_vanishes_is_gone_within_two_and_a_half_minutes() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        let socket = SockRef::from(&stream);
        let (unacknowledged, limit) = (socket.tcp_user_timeout().unwrap().unwrap(), Duration::from_secs(150));
        assert!(PINGS + unacknowledged <= limit);
        let asked = socket.tcp_keepalive_retries().unwrap() * socket.tcp_keepalive_interval().unwrap();
        assert!(socket.keepalive().unwrap() && socket.tcp_keepalive_time().unwrap() + asked <= limit);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn little_is_unsent_for_a_peer_that_others_flood() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        let copy = SockRef::from(&stream).try_clone().unwrap();
        let (_reader, writer) =
            crate::open_tcp(stream, crate::Settings::new(faf_protocol::WireFormat::SimpleJson));
        assert_eq!(copy.tcp_notsent_lowat().unwrap(), UNSENT);
        writer.keep_unsent_short();
        assert_eq!(copy.tcp_notsent_lowat().unwrap(), UNSENT_WHEN_SHORT);
    }

    #[tokio::test(start_paused = true)]
    async fn not_every_failure_is_told() {
        let mut told = 0;
        let mut tell = now_and_then(|_| told += 1);
        for _ in 0..201 {
            tell(io::ErrorKind::OutOfMemory.into());
            advance(ACCEPT_PAUSE).await;
        }
        drop(tell);
        assert_eq!(told, 3);
    }
}
