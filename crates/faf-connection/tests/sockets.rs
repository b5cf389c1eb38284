//! Behaviour that only real sockets show.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use faf_connection::{Disconnected, Error, Reader, Settings, Writer, open_tcp, tcp};
use faf_protocol::{Message, WireFormat};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::timeout;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (accepted.unwrap().0, client.unwrap())
}

async fn connection() -> (Reader, Writer, TcpStream) {
    let (here, there) = pair().await;
    let (reader, writer) = open_tcp(here, Settings::new(WireFormat::SimpleJson));
    (reader, writer, there)
}

async fn soon(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("this takes too long: {what}"));
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn sockets_get_their_options() {
    let (stream, _peer) = pair().await;
    tcp::prepare(&stream).unwrap();
    assert!(stream.nodelay().unwrap());
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), tcp::KEEP_ALIVE_TIME);
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), tcp::KEEP_ALIVE_INTERVAL);
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), tcp::KEEP_ALIVE_RETRIES);
}

/// A task has a cooperative budget, which many writes in a row exceed. They must not spawn tasks
/// for that.
#[tokio::test]
async fn writing_to_many_peers_in_a_row_spawns_no_task() {
    let mut peers = Vec::new();
    for _ in 0..300 {
        peers.push(connection().await);
    }
    let before = tasks();
    for (_, writer, _) in &peers {
        writer.try_write(&[Bytes::from_static(b"{}\n")], 1).unwrap();
    }
    assert_eq!(tasks(), before);
}

#[tokio::test]
async fn peer_that_does_not_read_leaves_no_task() {
    for _ in 0..20 {
        let (reader, writer, peer) = connection().await;
        writer.write_raw(vec![b' '; 16 * 1024 * 1024].into(), 1).unwrap();
        yield_now().await;
        writer.abort();
        drop((reader, writer, peer));
    }
    soon("the tasks end", || tasks() == 0).await;
}

#[tokio::test]
async fn a_reset_is_a_loss() {
    let (mut reader, _writer, peer) = connection().await;
    // A socket that does not linger is reset when it is dropped.
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let error = reader.read().await.unwrap_err();
    let Error::Disconnected(Disconnected::Lost(cause)) = error else { panic!("{error:?}") };
    assert_eq!(cause.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn there_is_room_again_when_the_peer_reads() {
    let (_reader, writer, peer) = connection().await;
    let (mut theirs, _their_writer) = open_tcp(peer, Settings::new(WireFormat::SimpleJson));
    let message = Message::PONG;
    let line = WireFormat::SimpleJson.encode(&message).unwrap();
    let count = 16 * 1024 * 1024 / line.len();
    writer.write_raw(line.repeat(count).into(), count as u64).unwrap();
    let waits = timeout(Duration::from_millis(10), writer.wait_for_room(1000)).await;
    assert!(waits.is_err(), "16 MiB do not fit into a socket");
    let reading = async {
        for _ in 0..count {
            assert_eq!(theirs.read().await.unwrap(), message);
        }
    };
    tokio::join!(reading, writer.wait_for_room(1000));
}
