//! The upgrade to WebSocket, against an independent implementation and against invalid requests.

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
    Endpoint {
        path: "/lobby".to_owned(),
        origins: vec!["https://example.org".to_owned()],
        forwarded_header: Some("x-real-ip".parse().unwrap()),
    }
}

/// Returns the head of the response to `request`, and the outcome of the upgrade.
async fn respond(request: &str) -> (String, Result<Upgraded<tokio::io::DuplexStream>, UpgradeError>) {
    let (mut client, server) = duplex(10_000);
    client.write_all(request.as_bytes()).await.unwrap();
    if !request.contains("\r\n\r\n") {
        client.shutdown().await.unwrap();
    }
    let endpoint = endpoint();
    let outcome = upgrade::accept(server, &endpoint).await;
    let mut received = vec![0; 10_000];
    let length = client.read(&mut received).await.unwrap();
    (String::from_utf8_lossy(&received[..length]).into_owned(), outcome)
}

/// Returns the status line of the response to `request`, and the outcome of the upgrade.
async fn respond_status(request: &str) -> (String, Result<Upgraded<tokio::io::DuplexStream>, UpgradeError>) {
    let (text, outcome) = respond(request).await;
    (text.lines().next().unwrap_or_default().to_owned(), outcome)
}

const UPGRADE: &str = "Host: lobby\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn the_path_upgrades_with_any_query() {
    for path in ["/lobby", "/lobby?verify=1767225600-abc%3D"] {
        let request =
            format!("GET {path} HTTP/1.1\r\n{UPGRADE}X-Real-IP: 203.0.113.7 , 10.0.0.1\r\n\r\n\u{1}early");
        let (status, outcome) = respond_status(&request).await;
        assert_eq!(status, "HTTP/1.1 101 Switching Protocols");
        let upgraded = outcome.unwrap();
        assert_eq!(upgraded.forwarded_for.as_deref(), Some("203.0.113.7 , 10.0.0.1"));
        assert_eq!(upgraded.received, &b"\x01early"[..]);
    }
}

#[tokio::test]
async fn everything_else_is_refused_with_a_status() {
    let status = |request: String| async move {
        let (status, outcome) = respond_status(&request).await;
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
    let (_, outcome) = respond_status("GET /lob").await;
    assert!(matches!(outcome, Err(UpgradeError::Http(_))), "{outcome:?}");
}

/// A request for an upgrade, with some of its lines replaced by others.
fn request(replaced: &[(&str, &str)]) -> String {
    let lines = UPGRADE.split_inclusive("\r\n").map(|line| {
        let other = replaced.iter().find(|(name, _)| line.starts_with(&format!("{name}:")));
        other.map_or(line, |(_, other)| other)
    });
    format!("GET /lobby HTTP/1.1\r\n{}\r\n", lines.collect::<String>())
}

#[tokio::test]
async fn headers_may_be_lists_on_several_lines() {
    for replaced in [
        [("Connection", "Connection: keep-alive\r\nConnection: Upgrade\r\n")],
        [("Connection", "Connection: keep-alive , uPGRADE\r\n")],
        [("Upgrade", "Upgrade: foo, WebSocket\r\n")],
        [("Upgrade", "Upgrade: foo\r\nUpgrade: websocket\r\n")],
    ] {
        let (status, outcome) = respond_status(&request(&replaced)).await;
        assert_eq!(status, "HTTP/1.1 101 Switching Protocols", "{replaced:?}");
        assert!(outcome.is_ok());
    }
}

#[tokio::test]
async fn host_and_key_must_occur_exactly_once() {
    const KEY: &str = "Sec-WebSocket-Key";
    let key = |value: &str| format!("{KEY}: {value}\r\n");
    let two_keys = key("dGhlIHNhbXBsZSBub25jZQ==").repeat(2);
    for (name, other) in [
        ("Host", ""),
        ("Host", "Host: a\r\nHost: a\r\n"),
        (KEY, ""),
        (KEY, &*two_keys),
        (KEY, &*key("")),
        (KEY, &*key("dGhlIHNhbXBsZSBub25jZQ=")),
        (KEY, &*key("dGhlIHNhbXBsZSBub25jZSE=")),
        (KEY, &*key("dGhlIHNhbXBsZSBub25j!!==")),
        ("Connection", "Connection: keep-alive\r\n"),
        ("Upgrade", "Upgrade: websockets\r\n"),
    ] {
        let (status, outcome) = respond_status(&request(&[(name, other)])).await;
        assert_eq!(status, "HTTP/1.1 400 Bad Request", "{name}: {other}");
        assert!(outcome.is_err());
    }
}

#[tokio::test]
async fn response_to_a_wrong_version_names_the_right_one() {
    const VERSION: &str = "Sec-WebSocket-Version";
    for other in
        ["", "Sec-WebSocket-Version: 8\r\n", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n"]
    {
        let (head, outcome) = respond(&request(&[(VERSION, other)])).await;
        assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{head}");
        assert!(head.to_ascii_lowercase().contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
        assert!(outcome.is_err());
    }
}

#[tokio::test]
async fn web_pages_connect_only_from_allowed_origins() {
    let upgrade = async |origin: &str| {
        let (status, _) = respond_status(&request(&[("Host", &format!("Host: lobby\r\n{origin}"))])).await;
        status.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(upgrade("").await, "101");
    assert_eq!(upgrade("Origin: https://example.org\r\n").await, "101");
    assert_eq!(upgrade("Origin: HTTPS://Example.org\r\n").await, "101");
    for origin in ["https://example.org.evil", "http://example.org", "null", ""] {
        assert_eq!(upgrade(&format!("Origin: {origin}\r\n")).await, "403", "{origin}");
    }
    assert_eq!(upgrade("Origin: https://example.org\r\nOrigin: https://evil\r\n").await, "403");
}

#[tokio::test]
async fn independent_client_can_connect() {
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
    // The reader answers the ping while the connection closes.
    let reading = tokio::spawn(async move { reader.read().await });
    writer.close().await;
    assert!(reading.await.unwrap().is_err());
    let received = tokio::task::spawn_blocking(|| client.join().unwrap()).await.unwrap();
    // The client has sent a binary message, so it receives binary messages.
    let texts: Vec<_> =
        received.iter().filter(|frame| frame.is_binary()).map(|f| f.to_text().unwrap()).collect();
    assert_eq!(texts, ["{\"command\":\"pong\"}\n".to_owned(), format!("{long}\n")]);
}

#[tokio::test]
async fn connecting_to_an_independent_server_works() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (stream, _): (StdTcpStream, _) = listener.accept().unwrap();
        let mut server = tungstenite::accept(stream).unwrap();
        // Directly after the upgrade, so that both may be received together.
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
async fn refusal_by_the_server_is_reported() {
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
