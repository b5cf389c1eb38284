//! Peers that misuse connections rather than messages. An honest player is served all the time.

use std::time::Duration;

use faf_protocol::{Message, WireFormat};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::support::{Client, HonestPlayer, TestServer, frame, soon};

const PING: &str = r#"{"command":"ping"}"#;

async fn connect(server: &TestServer, format: WireFormat) -> TcpStream {
    TcpStream::connect(server.address(format)).await.unwrap()
}

/// Returns the start of a message that does not end before the login times out.
fn endless(format: WireFormat) -> &'static [u8] {
    match format {
        WireFormat::QDataStream => b"\0\0\xEA\x60\0\0\xEA\x5C\0{\0\"",
        WireFormat::SimpleJson => b"{\"command\":\"",
        WireFormat::WebSocket => b"GET / HTTP/1.1\r\nHost: ",
    }
}

#[tokio::test]
async fn slow_senders_time_out() {
    let server = TestServer::start_with(|settings| {
        settings.login_timeout = 1.0;
        settings.handshake_timeout = 1.0;
    })
    .await;
    let honest = HonestPlayer::log_in(&server, WireFormat::WebSocket).await;
    let mut slow = JoinSet::new();
    for format in WireFormat::ALL {
        for _ in 0..10 {
            let mut stream = connect(&server, format).await;
            slow.spawn(async move {
                let mut tick = interval(Duration::from_millis(20));
                for byte in endless(format).iter().chain(std::iter::repeat(&b'a')) {
                    tick.tick().await;
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            });
        }
    }
    // The upgrade is complete, and an endless frame follows.
    for _ in 0..10 {
        let client = server.connect(WireFormat::WebSocket).await;
        slow.spawn(async move {
            // Moves the whole client: without its reader, the connection would end.
            let client = client;
            let frame = frame(WireFormat::WebSocket, &format!(r#"{{"x":"{}"}}"#, "x".repeat(60_000)));
            let mut tick = interval(Duration::from_millis(20));
            for at in 0..frame.len() {
                tick.tick().await;
                if client.writer.send_raw(frame.slice(at..=at), 0).await.is_err() {
                    return;
                }
            }
        });
    }
    server.wait_for_metric(r#"server_connections_refused_total{reason="timeout"} 10"#).await;
    server.wait_for_metric(r#"server_connections_ended_total{reason="closed here"} 30"#).await;
    // The senders notice the end soon after.
    soon("the end of all", slow.join_all()).await;
    server.wait_for_metric("server_connections_unauthenticated 0").await;
    honest.was_served().await;
}

#[tokio::test]
async fn half_open_and_reset_connections_are_cleaned_up() {
    let server = TestServer::start_with(|settings| {
        settings.login_timeout = 2.0;
        settings.unauthenticated_limit_per_address = 1000;
    })
    .await;
    let honest = HonestPlayer::log_in(&server, WireFormat::SimpleJson).await;
    let mut open = Vec::new();
    for format in WireFormat::ALL {
        for number in 0..60 {
            let mut stream = connect(&server, format).await;
            stream.write_all(&endless(format)[..number % 8]).await.unwrap();
            match number % 3 {
                // Shuts down its sending side, and never reads the server's.
                0 => {
                    stream.shutdown().await.unwrap();
                    open.push(stream);
                }
                // Stays open and silent.
                1 => open.push(stream),
                // Is reset.
                _ => stream.set_zero_linger().unwrap(),
            }
        }
    }
    server.wait_for_metric("server_connections_unauthenticated 0").await;
    honest.was_served().await;
}

#[tokio::test]
async fn thousands_of_short_connections_are_survived() {
    let server = TestServer::start().await;
    let honest = HonestPlayer::log_in(&server, WireFormat::WebSocket).await;
    let mut comers = JoinSet::new();
    for comer in 0..30_usize {
        let addresses = WireFormat::ALL.map(|format| (format, server.address(format)));
        comers.spawn(async move {
            for turn in 0..100 {
                let (format, address) = addresses[(comer + turn) % 3];
                let mut stream = TcpStream::connect(address).await.unwrap();
                if turn % 2 == 0 {
                    // The server may have rejected the connection already.
                    let _ = stream.write_all(&frame(format, PING)).await;
                }
            }
        });
    }
    comers.join_all().await;
    server.wait_for_metric("server_connections_unauthenticated 0").await;
    server.log_in(WireFormat::SimpleJson, "Ada").await;
    honest.was_served().await;
}

#[tokio::test]
async fn garbage_before_or_after_messages_ends_the_connection() {
    let server = TestServer::start().await;
    let honest = HonestPlayer::log_in(&server, WireFormat::QDataStream).await;
    let garbage: [(WireFormat, &[&[u8]]); 3] = [
        (
            WireFormat::QDataStream,
            &[b"\0\0\0\x08\0\0\0\x04\xD8\0\0a", b"\0\0\0\0", b"\xFF\xFF\xFF\xFF", b"\0\0\0\x05\0\0\0\x09x"],
        ),
        (
            WireFormat::SimpleJson,
            &[b"\n", b"nonsense\n", b"{\"command\":\"ping\"}}\n", b"{\"a\":\"\xFF\"}\n"],
        ),
        (
            WireFormat::WebSocket,
            &[b"\x81\x02{}", b"\xF1\x80\0\0\0\0", b"\x80\x80\0\0\0\0", b"\x81\xFE\0\x01\0\0\0\0x"],
        ),
    ];
    for (format, kinds) in garbage {
        let ping = frame(format, PING);
        for kind in kinds {
            let mut client = server.connect(format).await;
            let bytes = [&ping.repeat(100), *kind, &ping.repeat(100)].concat();
            client.writer.write_raw(bytes.into(), 200).unwrap();
            // Messages before the garbage are answered; those after it are lost with the
            // connection.
            let mut pongs = 0;
            soon("the end of a connection", async {
                while let Ok(message) = client.reader.read().await {
                    assert_eq!(message, Message::PONG);
                    pongs += 1;
                }
            })
            .await;
            assert_eq!(pongs, 100, "{format}: {kind:?}");
        }
    }
    server.wait_for_metric(r#"server_connections_ended_total{reason="malformed message"} 12"#).await;
    honest.was_served().await;
}

#[tokio::test]
async fn client_that_reads_byte_by_byte_gets_everything() {
    let server = TestServer::start().await;
    let honest = HonestPlayer::log_in(&server, WireFormat::WebSocket).await;
    for format in WireFormat::ALL {
        let (near, far) = tokio::io::duplex(1);
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        let stream = socket.connect(server.address(format)).await.unwrap();
        // All received data passes through a pipe that holds one byte.
        let carrying = tokio::spawn(async move {
            let (mut from_server, mut to_server) = stream.into_split();
            let (mut from_client, mut to_client) = tokio::io::split(far);
            let down = async {
                let mut byte = [0];
                while from_server.read_exact(&mut byte).await.is_ok() {
                    to_client.write_all(&byte).await?;
                }
                Ok::<(), std::io::Error>(())
            };
            let _ = tokio::join!(down, tokio::io::copy(&mut from_client, &mut to_server));
        });
        let mut client = Client::over(near, format, "/", &[]).await.unwrap();
        client.log_in("Slow").await;
        for _ in 0..20 {
            client.check_is_served().await;
        }
        client.writer.abort();
        carrying.abort();
    }
    honest.was_served().await;
}
