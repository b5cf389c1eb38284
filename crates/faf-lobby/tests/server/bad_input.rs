//! Invalid input: it costs its sender the connection, and affects no other client.

use std::time::Duration;

use bytes::Bytes;
use faf_protocol::WireFormat;
use faf_testkit::golden;
use faf_testkit::golden::wire::{bytes, vectors};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{Client, TestServer, frame, soon};

/// A server with a bystander in each format, who must not be affected.
struct Watched {
    server: TestServer,
    bystanders: Vec<Client>,
}

impl Watched {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut faf_lobby::config::Settings)) -> Self {
        let server = TestServer::start_with(change).await;
        let mut bystanders = Vec::new();
        for format in WireFormat::ALL {
            bystanders.push(server.log_in(format, &format!("by-{format}")).await);
        }
        Self { server, bystanders }
    }

    async fn check(&mut self) {
        for bystander in &mut self.bystanders {
            bystander.check_is_served().await;
        }
        assert_eq!(self.server.get("/health").await.0, 200);
    }
}

#[tokio::test]
async fn every_recorded_frame_is_survived() {
    let mut watched = Watched::start().await;
    let of = |protocol: &str| match protocol {
        "qdatastream" => WireFormat::QDataStream,
        _ => WireFormat::SimpleJson,
    };
    let mut count = 0;
    for protocol in ["qdatastream", "simplejson"] {
        for vector in vectors(protocol, "read_stream") {
            let stream: Vec<u8> = vector.input["chunks"].as_array().unwrap().iter().flat_map(bytes).collect();
            watched.server.send_raw(of(&vector.protocol), &stream).await;
            count += 1;
        }
    }
    for vector in vectors("qdatastream", "decode_message") {
        let block = bytes(&vector.input["bytes"]);
        let length = u32::try_from(block.len()).unwrap().to_be_bytes();
        watched.server.send_raw(WireFormat::QDataStream, &[&length[..], &block].concat()).await;
        count += 1;
    }
    for vector in vectors("simplejson", "decode_message") {
        let mut line = bytes(&vector.input["bytes"]);
        line.push(b'\n');
        watched.server.send_raw(WireFormat::SimpleJson, &line).await;
        count += 1;
    }
    assert!(!golden::is_own() || count == 652, "vectors are missing: there are {count}");
    watched.check().await;
}

#[tokio::test]
async fn random_bytes_are_survived() {
    let mut watched = Watched::start().await;
    let mut state = 1_u64;
    let mut random = || {
        // Knuth's multiplicative generator: the same bytes every time.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    for round in 0..300 {
        let noise: Vec<u8> = (0..round * 3).map(|_| random()).collect();
        watched.server.send_raw(WireFormat::ALL[round % 3], &noise).await;
    }
    watched.check().await;
}

#[tokio::test]
async fn length_of_four_gigabytes_ends_the_connection() {
    let mut watched = Watched::start().await;
    let mut client = watched.server.connect(WireFormat::QDataStream).await;
    client.writer.send_raw(Bytes::from_static(b"\xff\xff\xff\xff\0\0\0\x02\0a"), 1).await.unwrap();
    client.wait_for_end().await;
    watched.server.wait_for_metric("server_connections_ended_total{reason=\"malformed message\"} 1").await;
    watched.check().await;
}

#[tokio::test]
async fn ten_thousand_nested_arrays_end_the_connection() {
    let mut watched = Watched::start().await;
    for format in WireFormat::ALL {
        let mut client = watched.server.connect(format).await;
        let text = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        client.writer.send_raw(frame(format, &text), 1).await.unwrap();
        client.wait_for_end().await;
    }
    watched.server.wait_for_metric("server_connections_ended_total{reason=\"malformed message\"} 3").await;
    watched.check().await;
}

#[tokio::test]
async fn line_without_end_ends_the_connection() {
    let mut watched = Watched::start_with(|settings| settings.message_limit = 65_536).await;
    let stream = TcpStream::connect(watched.server.address(WireFormat::SimpleJson)).await.unwrap();
    let mut stream = stream;
    soon("the server gives up", async {
        // The server closes at the limit; further data is answered with a reset.
        while stream.write_all(&[b'a'; 10_000]).await.is_ok() {}
    })
    .await;
    watched.server.wait_for_metric("server_connections_ended_total{reason=\"malformed message\"} 1").await;
    watched.check().await;
}

#[tokio::test]
async fn silence_after_one_byte_times_out() {
    let watched = TestServer::start_with(|settings| {
        settings.login_timeout = 0.1;
        settings.handshake_timeout = 0.1;
    })
    .await;
    for format in WireFormat::ALL {
        let mut stream = TcpStream::connect(watched.address(format)).await.unwrap();
        let first = if format == WireFormat::WebSocket { b"G" } else { b"{" };
        stream.write_all(first).await.unwrap();
        let mut answer = Vec::new();
        soon("the server gives up", tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer))
            .await
            .unwrap();
    }
    watched.wait_for_metric("server_connections_refused_total{reason=\"timeout\"} 1").await;
    watched.wait_for_metric("server_connections_ended_total{reason=\"closed here\"} 2").await;
}

#[tokio::test]
async fn peer_that_never_reads_is_disconnected() {
    let mut watched = Watched::start_with(|settings| settings.stall_timeout = 2.0).await;
    let mut deaf = Vec::new();
    for format in WireFormat::ALL {
        deaf.push(watched.server.log_in(format, &format!("deaf-{format}")).await);
    }
    watched.server.make_administrator("by-websocket").await;
    let text = "x".repeat(100_000);
    let broadcast = format!(r#"{{"command":"admin","action":"broadcast","message":"{text}"}}"#);
    // Broadcasts fill the sockets of clients that do not read, and then their writes stall.
    let mut ended = String::new();
    while !ended.contains("server_connections_ended_total{reason=\"stalled\"} 3\n") {
        watched.bystanders[2].send(&broadcast).await;
        for bystander in &mut watched.bystanders {
            bystander.receive_containing(&text).await;
        }
        ended = watched.server.get("/metrics").await.1;
    }
    watched.check().await;
}

#[tokio::test]
async fn peer_that_never_reads_replies_is_not_read() {
    let mut watched = Watched::start().await;
    let visitor = watched.server.connect(WireFormat::SimpleJson).await;
    let question: faf_protocol::Message = r#"{"command":"ask_session"}"#.parse().unwrap();
    // The server stops reading from it, so its own sending stalls: only the sockets hold data for
    // it.
    while let Ok(sent) = timeout(Duration::from_secs(1), visitor.writer.send(&question)).await {
        sent.unwrap();
    }
    watched.check().await;
}

/// A client that leaves before its password is checked leaves the work of the check, but the
/// connection limit bounds that work.
#[tokio::test]
async fn abandoned_logins_are_bounded() {
    let mut watched = Watched::start_with(|settings| settings.connection_limit = 10).await;
    let hello =
        b"{\"command\":\"hello\",\"login\":\"by-websocket\",\"password\":\"wrong\",\"unique_id\":\"\"}\n";
    for _ in 0..100 {
        let mut stream = TcpStream::connect(watched.server.address(WireFormat::SimpleJson)).await.unwrap();
        // The server may have rejected the connection already.
        let _ = stream.write_all(hello).await;
    }
    let refused = watched.server.get("/metrics").await.1;
    let refused = refused.lines().find_map(|line| {
        line.strip_prefix("server_connections_refused_total{reason=\"connection limit\"} ")?
            .parse::<u32>()
            .ok()
    });
    assert!(refused.is_some_and(|refused| refused > 0), "{refused:?}");
    watched.check().await;
}

#[tokio::test]
async fn port_scanner_is_survived() {
    let mut watched = Watched::start().await;
    let hellos: [&[u8]; 5] = [
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-scan\r\n",
        b"\x00\x0e\x38\xb8\xf7\x6c\xd3\x48\xab\x12",
    ];
    for format in WireFormat::ALL {
        for hello in hellos {
            watched.server.send_raw(format, hello).await;
        }
        drop(TcpStream::connect(watched.server.address(format)).await.unwrap());
    }
    watched.check().await;
}

#[tokio::test]
async fn connections_above_the_limit_are_refused() {
    let mut watched = Watched::start_with(|settings| settings.connection_limit = 4).await;
    let mut last = watched.server.log_in(WireFormat::SimpleJson, "Last").await;
    let words = watched.server.send_raw(WireFormat::SimpleJson, b"").await;
    assert!(String::from_utf8(words).unwrap().contains("The server is full"));
    watched.server.wait_for_metric("server_connections_refused_total{reason=\"connection limit\"} 1").await;
    last.check_is_served().await;
    drop(last);
    watched.server.wait_for_metric("server_user_online 3").await;
    // The session ends shortly after the player, and then a place is free.
    soon("a free place", async {
        let ping = b"{\"command\":\"ping\"}\n";
        while watched.server.send_raw(WireFormat::SimpleJson, ping).await != b"{\"command\":\"pong\"}\n" {}
    })
    .await;
    watched.check().await;
}

#[tokio::test]
async fn senseless_messages_of_players_are_survived() {
    let mut watched = Watched::start().await;
    for (nonsense, answer) in [
        (r#"{"command":"avatar","action":"nonsense"}"#, Some("invalid")),
        (r#"{"command":["hello"]}"#, None),
        (r#"{"no":"command"}"#, None),
        (r#"{"command":"social_add","friend":"many"}"#, None),
    ] {
        let mut client = watched.server.log_in(WireFormat::WebSocket, "Odd").await;
        client.send(nonsense).await;
        if let Some(answer) = answer {
            client.receive_command(answer).await;
        }
        client.wait_for_end().await;
    }
    // An unknown command gets a notice, and the connection stays open.
    for format in WireFormat::ALL {
        let mut client = watched.server.log_in(format, "Odd").await;
        client.send(r#"{"command":"unready_party"}"#).await;
        client.receive_containing("does not know the command").await;
        client.check_is_served().await;
    }
    watched.check().await;
}
