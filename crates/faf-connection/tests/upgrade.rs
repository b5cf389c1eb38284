//! The upgrade to WebSocket, against an independent implementation and against strangers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpStream as StdTcpStream;

use faf_connection::upgrade::{self, Endpoint, UpgradeError, Upgraded};
use faf_connection::{Settings, open_tcp, tcp};
use faf_protocol::websocket::Role;
use faf_protocol::{Message, WireFormat};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tungstenite::Message as Frame;

fn endpoint() -> Endpoint {
    Endpoint { path: "/lobby".to_owned(), forwarded_header: Some("x-real-ip".parse().unwrap()) }
}

/// The status line a server answers `request` with, and what became of the connection.
async fn answer(request: &str) -> (String, Result<Upgraded<tokio::io::DuplexStream>, UpgradeError>) {
    let (mut client, server) = duplex(10_000);
    client.write_all(request.as_bytes()).await.unwrap();
    if !request.contains("\r\n\r\n") {
        client.shutdown().await.unwrap();
    }
    let endpoint = endpoint();
    let outcome = upgrade::accept(server, &endpoint).await;
    let mut received = vec![0; 10_000];
    let length = client.read(&mut received).await.unwrap();
    let text = String::from_utf8_lossy(&received[..length]);
    (text.lines().next().unwrap_or_default().to_owned(), outcome)
}

const UPGRADE: &str = "Host: lobby\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn the_path_upgrades_with_any_query() {
    for path in ["/lobby", "/lobby?verify=1767225600-abc%3D"] {
        let request =
            format!("GET {path} HTTP/1.1\r\n{UPGRADE}X-Real-IP: 203.0.113.7 , 10.0.0.1\r\n\r\n\u{1}early");
        let (status, outcome) = answer(&request).await;
        assert_eq!(status, "HTTP/1.1 101 Switching Protocols");
        let upgraded = outcome.unwrap();
        assert_eq!(upgraded.forwarded_for.as_deref(), Some("203.0.113.7 , 10.0.0.1"));
        assert_eq!(upgraded.received, &b"\x01early"[..]);
    }
}

#[tokio::test]
async fn everything_else_is_refused_with_a_status() {
    let status = |request: String| async move {
        let (status, outcome) = answer(&request).await;
        assert!(outcome.is_err());
        status
    };
    assert_eq!(status(format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n")).await, "HTTP/1.1 404 Not Found");
    assert_eq!(
        status("GET /lobby HTTP/1.1\r\nHost: lobby\r\n\r\n".to_owned()).await,
        "HTTP/1.1 400 Bad Request"
    );
    assert_eq!(
        status(format!("POST /lobby HTTP/1.1\r\n{UPGRADE}\r\n")).await,
        "HTTP/1.1 405 Method Not Allowed"
    );
    assert_eq!(status("\0\0\0\x0c nonsense\r\n\r\n".to_owned()).await, "HTTP/1.1 400 Bad Request");
    let huge = format!("GET /lobby HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9_000));
    assert_eq!(status(huge).await, "HTTP/1.1 400 Bad Request");
    let (_, outcome) = answer("GET /lob").await;
    assert!(matches!(outcome, Err(UpgradeError::Http(_))), "{outcome:?}");
}

#[tokio::test]
async fn an_independent_client_is_served() {
    let listener = tcp::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let (mut client, _) = tungstenite::connect(format!("ws://{address}/lobby?verify=x")).unwrap();
        client.send(Frame::text("{\"command\": \"hello\"}\n")).unwrap();
        client.send(Frame::binary(&b"{\"command\": \"binary\"}"[..])).unwrap();
        client.send(Frame::Ping("p".into())).unwrap();
        let mut received = Vec::new();
        loop {
            match client.read() {
                Ok(Frame::Close(_)) | Err(_) => return received,
                Ok(frame) => received.push(frame),
            }
        }
    });
    let (stream, _) = listener.accept().await.unwrap();
    let upgraded = upgrade::accept(stream, &endpoint()).await.unwrap();
    let settings = Settings { received: upgraded.received, ..Settings::new(WireFormat::WebSocket) };
    let (mut reader, writer) = open_tcp(upgraded.stream, settings);
    assert_eq!(reader.read().await.unwrap(), Message::new("hello"));
    assert_eq!(reader.read().await.unwrap(), Message::new("binary"));
    let long = Message::new(&"x".repeat(1_000_000));
    writer.send_many([&Message::PONG, &long]).await.unwrap();
    // The ping is read and answered on the way to the end.
    let reading = tokio::spawn(async move { reader.read().await });
    writer.close().await;
    assert!(reading.await.unwrap().is_err());
    let received = tokio::task::spawn_blocking(|| client.join().unwrap()).await.unwrap();
    let texts: Vec<_> =
        received.iter().filter(|frame| frame.is_text()).map(|f| f.to_text().unwrap()).collect();
    assert_eq!(texts, ["{\"command\":\"pong\"}\n".to_owned(), format!("{long}\n")]);
}

#[tokio::test]
async fn an_independent_server_is_understood() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (stream, _): (StdTcpStream, _) = listener.accept().unwrap();
        let mut server = tungstenite::accept(stream).unwrap();
        // Right behind the upgrade, so that it may be received together with it.
        server.send(Frame::text("{\"command\":\"welcome\"}\n")).unwrap();
        let received = server.read().unwrap();
        while server.read().is_ok() {}
        received
    });
    let url = format!("ws://{address}/lobby?verify=x").parse().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let headers = [("x-real-ip".parse().unwrap(), "203.0.113.7".parse().unwrap())];
    let upgraded = upgrade::connect(stream, &url, &headers).await.unwrap();
    let settings =
        Settings { received: upgraded.received, role: Role::Client, ..Settings::new(WireFormat::WebSocket) };
    let (mut reader, writer) = open_tcp(upgraded.stream, settings);
    assert_eq!(reader.read().await.unwrap(), Message::new("welcome"));
    writer.send(&Message::new("hello")).await.unwrap();
    writer.close().await;
    assert!(reader.read().await.is_err());
    let received = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    assert_eq!(received, Frame::text("{\"command\":\"hello\"}\n"));
}

#[tokio::test]
async fn a_server_that_refuses_is_reported() {
    let (client, mut server) = duplex(10_000);
    let answer = tokio::spawn(async move {
        let mut request = [0; 1000];
        let _ = server.read(&mut request).await.unwrap();
        server.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        let _ = server.read(&mut request).await;
    });
    let error = upgrade::connect(client, &"ws://lobby/".parse().unwrap(), &[]).await.unwrap_err();
    assert_eq!(error.to_string(), "no upgrade to WebSocket: 403 Forbidden");
    answer.await.unwrap();
}
