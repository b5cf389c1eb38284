//! Properties of WebSocket connections, byte by byte.

use faf_connection::upgrade;
use faf_lobby::passwords::digest;
use faf_protocol::WireFormat;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{Client, TestServer, frame, soon};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// A client that sends and receives frames.
struct RawClient {
    stream: TcpStream,
    received: Vec<u8>,
}

impl RawClient {
    async fn connect(server: &TestServer) -> Self {
        let stream = TcpStream::connect(server.address(WireFormat::WebSocket)).await.unwrap();
        let url = "ws://test/".parse().unwrap();
        let upgraded = soon("an upgrade", upgrade::connect(stream, &url, &[])).await.unwrap();
        Self { stream: upgraded.stream, received: upgraded.received.to_vec() }
    }

    async fn log_in(server: &TestServer, name: &str, opcode: u8) -> Self {
        let mut client = Self::connect(server).await;
        client.send(opcode, r#"{"command":"ask_session","user_agent":"downlords-faf-client"}"#).await;
        let password = digest("secret");
        let hello =
            format!(r#"{{"command":"hello","login":"{name}","password":"{password}","unique_id":"m"}}"#);
        client.send(opcode, &hello).await;
        client.receive_containing("game_info").await;
        client
    }

    /// Sends a frame; a mask of zeros changes nothing.
    async fn send(&mut self, opcode: u8, text: &str) {
        let mut bytes = frame(WireFormat::WebSocket, text).to_vec();
        bytes[0] = opcode;
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Returns the first byte and the payload of the next frame; `None` at the end of the stream.
    async fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let header = match self.received.get(1)? & 0x7F {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            if self.received.len() >= header {
                let length = match header {
                    2 => usize::from(self.received[1]),
                    _ => self.received[2..header]
                        .iter()
                        .fold(0, |length, byte| length << 8 | usize::from(*byte)),
                };
                if self.received.len() >= header + length {
                    let rest = self.received.split_off(header + length);
                    let frame = std::mem::replace(&mut self.received, rest);
                    return Some((frame[0], frame[header..].to_vec()));
                }
            }
            self.read_more().await?;
        }
    }

    async fn receive(&mut self) -> Option<(u8, String)> {
        while self.received.len() < 2 {
            self.read_more().await?;
        }
        let (first, payload) = self.next_frame().await?;
        Some((first, String::from_utf8(payload).unwrap()))
    }

    async fn read_more(&mut self) -> Option<()> {
        let received = soon("bytes", self.stream.read_buf(&mut self.received)).await.unwrap();
        (received > 0).then_some(())
    }

    /// Returns the opcode of the next frame that contains this text.
    async fn receive_containing(&mut self, text: &str) -> u8 {
        loop {
            let (first, payload) =
                self.receive().await.unwrap_or_else(|| panic!("the end instead of {text}"));
            if payload.contains(text) {
                return first;
            }
        }
    }

    /// Returns the last message before the close frame, and the code and the reason of that frame.
    /// The stream must end after it.
    async fn receive_close(mut self) -> (String, u16, String) {
        let mut last = String::new();
        loop {
            while self.received.len() < 2 {
                self.read_more().await.expect("a close frame");
            }
            let (first, payload) = self.next_frame().await.expect("a close frame");
            if first == CLOSE {
                let (code, reason) = payload.split_first_chunk().unwrap();
                assert!(self.read_more().await.is_none());
                return (last, u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap());
            }
            last = String::from_utf8(payload).unwrap();
        }
    }
}

#[tokio::test]
async fn replies_have_the_opcode_of_the_client() {
    let server = TestServer::start().await;
    let mut text = RawClient::log_in(&server, "Ada", TEXT).await;
    let mut binary = RawClient::log_in(&server, "Bob", BINARY).await;
    for (client, kind) in [(&mut text, TEXT), (&mut binary, BINARY)] {
        client.send(kind, r#"{"command":"ping"}"#).await;
        assert_eq!(client.receive_containing("pong").await, kind);
    }
    // Broadcasts have this opcode as well.
    let _cem = server.log_in(WireFormat::SimpleJson, "Cem").await;
    assert_eq!(
        (text.receive_containing("Cem").await, binary.receive_containing("Cem").await),
        (TEXT, BINARY)
    );
}

#[tokio::test]
async fn messages_may_be_cut_anywhere() {
    let server = TestServer::start().await;
    let mut client = RawClient::log_in(&server, "Ada", BINARY).await;
    // Lines end in other places than the WebSocket messages.
    let first = "{\"command\":\"ping\"}\n\n{ \"command\" : \"ask_session\", \"user_agent\":\"é\"}";
    let second = "{\"command\":\"ping\"}\n";
    for size in [1, 2, 7, 100] {
        for text in [first, second] {
            for piece in text.as_bytes().chunks(size) {
                let bytes = [&[BINARY, 0x80 | piece.len() as u8, 0, 0, 0, 0], piece].concat();
                client.stream.write_all(&bytes).await.unwrap();
            }
        }
        for command in ["pong", "session", "pong"] {
            client.receive_containing(command).await;
        }
    }
}

#[tokio::test]
async fn close_frame_has_the_reason_before_the_login() {
    let server = TestServer::start_with(|settings| settings.login_message_limit = 4096).await;
    for (opcode, text, code) in [
        (TEXT, "garbage", 1007),
        (TEXT, "[]", 1003),
        (0xC1, "{}", 1002),
        (TEXT, &*"x".repeat(5000), 1009),
        (TEXT, r#"{"command":"game_join","uid":1}"#, 1008),
        (TEXT, r#"{"command":"no_such"}"#, 1008),
    ] {
        let mut client = RawClient::connect(&server).await;
        client.send(opcode, text).await;
        let (_, found, reason) = client.receive_close().await;
        assert_eq!(found, code, "{text:.40}: {reason}");
        assert!(!reason.is_empty() && reason.len() <= 123, "{reason}");
    }
    // A close frame of the client is answered with the same code.
    let mut client = RawClient::connect(&server).await;
    client.stream.write_all(b"\x88\x82\0\0\0\0\x0F\xA1").await.unwrap();
    assert_eq!(client.receive_close().await, (String::new(), 4001, String::new()));
}

#[tokio::test]
async fn close_frame_has_the_reason_of_a_player() {
    let server = TestServer::start_with(|settings| settings.message_limit = 65_536).await;
    let mut admin = server.log_in(WireFormat::SimpleJson, "Root").await;
    server.make_administrator("Root").await;
    for (opcode, text, code) in [
        (TEXT, "{\"command\":\"ping\"}}\n", 1007),
        (TEXT, "5", 1003),
        (0xC1, "{}", 1002),
        (TEXT, &*"x".repeat(70_000), 1009),
    ] {
        let mut client = RawClient::log_in(&server, "Bob", TEXT).await;
        client.send(opcode, text).await;
        let (last, found, reason) = client.receive_close().await;
        assert_eq!(found, code, "{text:.40}: {reason}");
        assert!(last.starts_with(r#"{"command":"invalid""#) && last.contains(&reason), "{last}: {reason}");
    }
    // The player signs in elsewhere.
    let first = RawClient::log_in(&server, "Eve", TEXT).await;
    let _second = RawClient::log_in(&server, "Eve", BINARY).await;
    assert_eq!(first.receive_close().await.1, 1008);
    // An administrator disconnects the player.
    let kicked = RawClient::log_in(&server, "Dan", TEXT).await;
    let dan = admin.receive_containing("Dan").await;
    let players: serde_json::Value = dan.get("players").unwrap().parse().unwrap();
    admin
        .send(&format!(r#"{{"command":"admin","action":"closelobby","user_id":{}}}"#, players[0]["id"]))
        .await;
    assert_eq!(kicked.receive_close().await.1, 1008);
    // The server shuts down.
    let last = RawClient::log_in(&server, "Fay", BINARY).await;
    server.request_shutdown().await;
    server.request_shutdown().await;
    let (_, code, reason) = last.receive_close().await;
    assert_eq!((code, &*reason), (1001, "the server is shutting down"));

    // The same for idle players who are disconnected while others play on.
    let server = TestServer::start_with(|settings| settings.shutdown_kick_idle_players = true).await;
    let idle = RawClient::log_in(&server, "Gus", TEXT).await;
    server.request_shutdown().await;
    assert_eq!(idle.receive_close().await.1, 1001);
}

#[tokio::test]
async fn decoding_errors_are_explained_to_players_only() {
    let server = TestServer::start().await;
    for format in WireFormat::ALL {
        let mut client = server.log_in(format, "Ada").await;
        client.writer.send_raw(frame(format, r#"{"command":"ping",}"#), 1).await.unwrap();
        let invalid = client.receive_command("invalid").await;
        assert!(invalid.as_str().contains("malformed message: unexpected character at byte"), "{invalid}");
        client.wait_for_end().await;
        let mut visitor = server.connect(format).await;
        visitor.writer.send_raw(frame(format, r#"{"command":"ping",}"#), 1).await.unwrap();
        assert!(soon("the end", visitor.reader.read()).await.is_err());
    }
    server.wait_for_metric("server_connections_ended_total{reason=\"malformed message\"} 6").await;
}

#[tokio::test]
async fn web_pages_connect_only_if_their_origin_is_listed() {
    let allowed = |settings: &mut faf_lobby::config::Settings| {
        settings.websocket_origins = vec!["https://example.org".to_owned()];
    };
    for (server, is_listed) in
        [(TestServer::start().await, false), (TestServer::start_with(allowed).await, true)]
    {
        let stream = TcpStream::connect(server.address(WireFormat::WebSocket)).await.unwrap();
        let origin = ("origin".parse().unwrap(), "https://example.org".parse().unwrap());
        assert_eq!(Client::over(stream, WireFormat::WebSocket, "/", &[origin]).await.is_ok(), is_listed);
    }
}
