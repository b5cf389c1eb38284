//! Warnings for operators in the log: one for each problem, however many clients it concerns.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use faf_testkit::serving::Serving;

const LISTEN: &str = "serve --qdatastream off --websocket 127.0.0.1:0 --http off --database a.sqlite";

struct Operator(tempfile::TempDir);

impl Operator {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn serve(&self, flags: &str) -> Serving {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
            command.env_remove(variable);
        }
        command.args(LISTEN.split(' ')).args(flags.split(' ')).current_dir(self.0.path());
        Serving::start(command.stdin(Stdio::null()).stderr(Stdio::piped()))
    }
}

/// Ends a server; the warnings in its log.
fn warnings(server: Serving) -> Vec<String> {
    server.signal("-TERM");
    server.signal("-TERM");
    let (log, _) = server.wait();
    log.lines().filter(|line| line.contains("WARN")).map(str::to_owned).collect()
}

/// Sends something on a connection of its own, and reads until this text or the end.
fn send(address: &str, bytes: &[u8], until: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    let mut received = Vec::new();
    let mut block = [0; 4096];
    while until.is_empty() || !String::from_utf8_lossy(&received).contains(until) {
        match stream.read(&mut block) {
            Ok(length @ 1..) => received.extend_from_slice(&block[..length]),
            _ => return assert!(until.is_empty(), "{until} is missing"),
        }
    }
}

fn upgrade(address: &str, header: &str) {
    let head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    // When this is answered, it is known where the client comes from. Masked with zeros.
    let ping = br#"{"command":"ping"}"#;
    let frame = [&[0x81, 0x80 | ping.len() as u8, 0, 0, 0, 0][..], ping].concat();
    let request = format!("{head}X-Real-IP: {header}\r\n\r\n");
    send(address, &[request.as_bytes(), &frame].concat(), "pong");
}

#[test]
fn proxy_headers_that_cannot_be_read_are_logged_once() {
    let operator = Operator::new();
    let server = operator.serve("--simple-json off --trusted-proxies 127.0.0.1 --forwarded-header X-Real-IP");
    for header in ["1.1.1.1:5678", "[2001:db8::1]:443", "unknown"] {
        upgrade(&server.address("ws://"), header);
    }
    for header in ["gibberish", "gibberish", "1.1.1.1.1"] {
        upgrade(&server.address("ws://"), header);
    }
    let warnings = warnings(server);
    let notices: Vec<_> = warnings.iter().filter(|line| line.contains("forwarded_header")).collect();
    assert_eq!(notices.len(), 1, "{warnings:?}");
    assert!(!notices[0].contains("gibberish"), "{notices:?}");
}

#[test]
fn proxy_headers_that_are_refused_are_logged_once() {
    for (trusted, text, told_of) in [
        ("127.0.0.1", "PROXY TCP4 here there 1 2\r\n", "a trusted proxy's header is refused"),
        ("10.0.0.1", "PROXY TCP4 1.1.1.1 10.0.0.1 1 2\r\n", "does not come from one of trusted_proxies"),
    ] {
        let operator = Operator::new();
        let mut server = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        server.args(LISTEN.split(' ')).args([
            "--trusted-proxies",
            trusted,
            "--simple-json",
            "127.0.0.1:0 proxy",
        ]);
        let server =
            Serving::start(server.current_dir(operator.0.path()).stdin(Stdio::null()).stderr(Stdio::piped()));
        for _ in 0..3 {
            send(&server.address("tcp://"), text.as_bytes(), "");
        }
        let warnings = warnings(server);
        assert_eq!(warnings.iter().filter(|line| line.contains(told_of)).count(), 1, "{warnings:?}");
    }
}

#[test]
fn keys_that_are_too_short_are_logged() {
    let operator = Operator::new();
    // 1,024 bits.
    let modulus = format!("{}w", "_".repeat(170));
    let keys = format!(r#"{{"keys": [{{"kty": "RSA", "kid": "old", "n": "{modulus}", "e": "AQAB"}}]}}"#);
    std::fs::write(operator.0.path().join("jwks.json"), keys).unwrap();
    let server = operator.serve("--simple-json 127.0.0.1:0 --jwks jwks.json");
    // Every login looks for keys again.
    for _ in 0..2 {
        let auth = "{\"command\":\"auth\",\"token\":\"x\",\"unique_id\":\"x\"}\n";
        send(&server.address("tcp://"), auth.as_bytes(), "authentication_failed");
    }
    let warnings = warnings(server);
    let notices = warnings.iter().filter(|line| line.contains("the key `old` of the JWKS has 1024 bits"));
    assert_eq!(notices.count(), 1, "{warnings:?}");
}
