//! TCP sockets: their options, and listening.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// Connections that may wait to be accepted: 4,096.
///
/// After a restart all clients reconnect at once. The operating system of a peer beyond the queue
/// tries again only after seconds, doubling the time with each attempt. The kernel may shorten the
/// queue (`net.core.somaxconn`).
pub const BACKLOG: i32 = 4096;

/// Bytes of a peer that the operating system keeps until they are read: 64 KiB, which Linux doubles
/// for its own use.
///
/// By default it keeps up to 32 MiB of each peer, so a thousand peers that are read slowly, because
/// they send too much, could fill the memory of the machine. On a line with a delay of 100 ms a
/// peer can still send 640 KiB a second.
pub const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Pause after a failure to accept: an immediate attempt would fail again.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Least time between two reports of failures; see [`now_and_then`].
pub const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Time after which a silent peer is probed.
pub const KEEP_ALIVE_TIME: Duration = Duration::from_secs(60);

/// Time between two probes of a peer that does not respond. After [`KEEP_ALIVE_RETRIES`] probes the
/// connection is lost.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Number of probes of a silent peer.
pub const KEEP_ALIVE_RETRIES: u32 = 4;

/// A connection is lost when sent bytes are not acknowledged for this time: 90 s.
///
/// Keep-alive does not probe while bytes are in flight, and by default the operating system
/// retransmits for a quarter of an hour. With this limit, a peer whose power fails is disconnected
/// within two and a half minutes: a ping is sent every 45 s, and where there is none, the peer is
/// probed after [`KEEP_ALIVE_TIME`]. A line that fails recovers sooner than that, or not at all.
pub const UNACKNOWLEDGED_TIME: Duration = Duration::from_secs(90);

/// Listens on an address. Port 0 picks a free port. `[::]` accepts IPv4 connections, too.
///
/// # Errors
/// Those of the operating system, such as an address that is in use.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server must not wait until the operating system forgets the old connections.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Accepted sockets inherit it. Afterwards it would be too late for the window of TCP.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Waits for the next connection. After a failure, such as too many open files, calls `report` and
/// tries again after [`ACCEPT_PAUSE`].
///
/// A connection that was lost before it could be accepted is skipped.
pub async fn accept(listener: &TcpListener, mut report: impl FnMut(io::Error)) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                report(error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Wraps `report` so that it is called at most once in [`REPORT_INTERVAL`]: while no file can be
/// opened, accepting fails ten times a second.
pub fn now_and_then(mut report: impl FnMut(io::Error)) -> impl FnMut(io::Error) {
    let mut reported: Option<Instant> = None;
    move |error| {
        if reported.is_none_or(|reported| reported.elapsed() >= REPORT_INTERVAL) {
            reported = Some(Instant::now());
            report(error);
        }
    }
}

/// Most unsent bytes in a socket (`TCP_NOTSENT_LOWAT`): 128 KiB. By default the operating system
/// takes megabytes for each slow peer, and is ready for more only after a third of them have
/// been sent.
pub const UNSENT_BYTES: u32 = 128 * 1024;

/// The same for a peer that other players send more than it reads: 16 KiB, so that its own answers
/// do not wait long. On a line of 1 Mbit/s, 128 KiB take a second.
pub(crate) const UNSENT_WHEN_SHORT_BYTES: u32 = 16 * 1024;

/// Sets the options of every connection: no delay for small messages, and time limits for peers
/// that vanish silently.
///
/// # Errors
/// Those of the operating system.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let socket = SockRef::from(stream);
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
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

    /// The system may keep a little more than it is asked for, Linux twice as much; its own limit
    /// is far higher.
    #[tokio::test]
    async fn the_system_keeps_little_of_what_a_peer_sends() {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = accept(&listener, |error| panic!("{error}")).await;
        let kept = SockRef::from(&stream).recv_buffer_size().unwrap();
        assert!((RECEIVE_BUFFER_BYTES..=4 * RECEIVE_BUFFER_BYTES).contains(&kept), "{kept}");
        drop(peer);
    }

    /// Default time between two pings to a logged-in peer.
    const PING_INTERVAL: Duration = Duration::from_secs(45);

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn vanished_peer_is_disconnected_within_two_and_a_half_minutes() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        let socket = SockRef::from(&stream);
        let (unacknowledged, limit) = (socket.tcp_user_timeout().unwrap().unwrap(), Duration::from_secs(150));
        assert!(PING_INTERVAL + unacknowledged <= limit);
        let probing = socket.tcp_keepalive_retries().unwrap() * socket.tcp_keepalive_interval().unwrap();
        assert!(socket.keepalive().unwrap() && socket.tcp_keepalive_time().unwrap() + probing <= limit);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn flooded_peer_has_few_unsent_bytes() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        let copy = SockRef::from(&stream).try_clone().unwrap();
        let (_reader, writer) =
            crate::open_tcp(stream, crate::Settings::new(faf_protocol::WireFormat::SimpleJson));
        assert_eq!(copy.tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
        writer.keep_unsent_short();
        assert_eq!(copy.tcp_notsent_lowat().unwrap(), UNSENT_WHEN_SHORT_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_failures_are_reported_now_and_then() {
        let mut reported = 0;
        let mut report = now_and_then(|_| reported += 1);
        for _ in 0..201 {
            report(io::ErrorKind::OutOfMemory.into());
            advance(ACCEPT_PAUSE).await;
        }
        drop(report);
        assert_eq!(reported, 3);
    }
}
