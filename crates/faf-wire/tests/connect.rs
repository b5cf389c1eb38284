//! `faf-wire connect`, against a server made for the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use faf_connection::upgrade::{self, Endpoint};
use faf_protocol::websocket::CLOSE_FRAME;
use faf_protocol::{JsonRef, Message, WireFormat};
use support::peer::{Peer, Server, assert_only_close_frame, reserved_address, upgraded, url};
use support::tool::{Ended, Tool};
use support::{delicate_messages, in_time, line, message};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// SHA-256 of `password`.
const DIGEST: &str = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";

/// Starts the tool and connects it to a server, with further arguments and environment variables.
async fn connected(format: WireFormat, arguments: &[&str], variables: &[(&str, &str)]) -> (Tool, Peer) {
    let server = Server::listen(format);
    let tool = Tool::start_with(&[&["connect", &server.url()], arguments].concat(), variables);
    (tool, server.accept().await)
}

/// Ends the server's side cleanly, and the tool with it.
async fn close(tool: Tool, server: Peer) -> Ended {
    in_time(server.writer.close()).await;
    tool.end().await
}

#[tokio::test]
async fn messages_go_both_ways_in_every_format() {
    for format in WireFormat::ALL {
        let (mut tool, mut server) = connected(format, &[], &[]).await;
        for one in delicate_messages() {
            tool.write(format!("{one}\n")).await;
            assert_eq!(server.read().await, one, "{format}");
            server.send(&one).await;
            assert_eq!(tool.line().await, line(&one), "{format}");
            if one == Message::PING {
                assert_eq!(server.read().await, Message::PONG, "{format}");
            }
        }
        close(tool, server).await.assert_clean();
    }
}

#[tokio::test]
async fn logging_in_sends_what_clients_send() {
    let with_password = ["--user", "Ada", "--password", "password", "--unique-id", "machine"];
    let with_token = ["--token", "secret", "--unique-id", "machine"];
    let hello = format!(r#"{{"command":"hello","login":"Ada","password":"{DIGEST}","unique_id":"machine"}}"#);
    let auth = r#"{"command":"auth","token":"secret","unique_id":"machine"}"#;
    let variables = [("FAF_WIRE_PASSWORD", "password"), ("FAF_WIRE_TOKEN", "secret")];
    for (arguments, variables, login) in [
        (&with_password[..], &[][..], hello.as_str()),
        (&with_token, &[], auth),
        // The environment fills gaps; its other variables do not matter.
        (&["--user", "Ada", "--unique-id", "machine"], &variables, &hello),
        (&with_password, &[("FAF_WIRE_PASSWORD", "other")], &hello),
        (&["--unique-id", "machine"], &variables, auth),
    ] {
        let (tool, mut server) = connected(WireFormat::SimpleJson, arguments, variables).await;
        let ask_session = server.read().await;
        assert_eq!(ask_session.command().as_deref(), Some("ask_session"));
        assert_eq!(ask_session.get("user_agent").and_then(JsonRef::as_str).as_deref(), Some("faf-wire"));
        let login: serde_json::Value = login.parse().unwrap();
        assert_eq!(
            server.read().await.as_str().parse::<serde_json::Value>().unwrap(),
            login,
            "{arguments:?}"
        );
        server.send(&Message::new("welcome")).await;
        let ended = close(tool, server).await;
        ended.assert_clean();
        assert_eq!(ended.output, b"{\"command\":\"welcome\"}\n");
    }
}

#[tokio::test]
async fn without_credentials_only_what_is_piped_in_is_sent() {
    let (mut tool, mut server) = connected(WireFormat::QDataStream, &[], &[("FAF_WIRE_TOKEN", "")]).await;
    tool.write("{\"command\":\"first\"}\n").await;
    assert_eq!(server.read().await, Message::new("first"));
    close(tool, server).await.assert_clean();
}

#[tokio::test]
async fn an_invalid_line_is_reported_and_skipped() {
    let (mut tool, mut server) = connected(WireFormat::WebSocket, &[], &[]).await;
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    for (bad, reason) in [
        (&b"{\"command\": nonsense}"[..], "malformed message: unexpected character at byte 12"),
        (b"[]", "not an array"),
        (b"{\"a\":\"\xFF\"}", "invalid UTF-8 at byte 6"),
        (deep.as_bytes(), "nested deeper than 128 levels"),
    ] {
        tool.write([bad, b"\n\n \r\n{\"command\":\"good\"}\r\n"].concat()).await;
        let complaint = tool.error_line().await;
        assert!(complaint.starts_with("faf-wire: not sent: ") && complaint.contains(reason), "{complaint}");
        assert_eq!(server.read().await, Message::new("good"));
    }
    close(tool, server).await.assert_failed(7, "not everything was sent");
}

#[tokio::test]
async fn how_the_server_ends_shows_in_the_exit_code() {
    use WireFormat::{QDataStream, SimpleJson, WebSocket};

    for (format, bytes, code, reason) in [
        (QDataStream, &b""[..], 0, ""),
        (SimpleJson, b"", 0, ""),
        (WebSocket, CLOSE_FRAME, 0, ""),
        (
            QDataStream,
            b"\0\0\0\x0C\0\0",
            3,
            "offset 50: the stream ended inside a message, after 6 bytes of 16",
        ),
        (SimpleJson, b"{\"a\":", 3, "offset 24: the stream ended inside a message, after 5 bytes"),
        (WebSocket, b"\x81\x09{\"a\"", 3, "offset 27: the stream ended inside a message"),
        (QDataStream, b"\0\0\0\x06\0\0\0\x02\0x", 4, "offset 52: malformed message: unexpected character"),
        (SimpleJson, b"garbage\n", 4, "offset 19: malformed message: unexpected character"),
        (WebSocket, b"garbage\n", 4, "offset 21: malformed message: reserved bit"),
        (QDataStream, b"\xFF\xFF\xFF\xFF", 5, "4294967295 bytes, where 10485760 are allowed"),
        (WebSocket, b"\x81\x7F\0\0\0\x01\0\0\0\0", 5, "4294967296 bytes, where 10485760 are allowed"),
    ] {
        let (mut tool, server) = connected(format, &[], &[]).await;
        server.send(&Message::new("last")).await;
        server.send_bytes(bytes).await;
        assert_eq!(tool.line().await, r#"{"command":"last"}"#);
        drop(server);
        let ended = tool.end().await;
        ended.assert_failed(code, reason);
        assert_eq!(ended.errors.is_empty(), code == 0, "{}", ended.errors);
    }
}

#[tokio::test]
async fn a_failed_connection_is_reported_with_the_address() {
    let (_place, address) = reserved_address();
    for format in WireFormat::ALL {
        let url = url(format, address);
        let ended = Tool::run(&["connect", &url], b"").await;
        ended.assert_failed(8, &format!("faf-wire: cannot connect to {url}"));
        ended.assert_failed(8, "refused");
    }
}

#[tokio::test]
async fn a_refused_upgrade_is_reported_without_the_query() {
    let server = Server::listen(WireFormat::SimpleJson);
    let elsewhere = server.url().replace("tcp://", "ws://") + "/elsewhere";
    let tool = Tool::start(&["connect", &format!("{elsewhere}?verify=secret")]);
    let endpoint = Endpoint { path: "/".to_owned(), origins: Vec::new(), forwarded_header: None };
    let answer = upgrade::accept(server.accept_stream().await, &endpoint);
    assert!(in_time(answer).await.is_err());
    let ended = tool.end().await;
    ended.assert_failed(8, &format!("cannot connect to {elsewhere}: no upgrade to WebSocket: 404"));
    assert!(!ended.errors.contains("secret"), "{}", ended.errors);
}

#[tokio::test]
async fn the_end_of_the_input_ends_it_only_with_linger() {
    for arguments in [&[][..], &["--linger", "3600"]] {
        let (mut tool, server) = connected(WireFormat::SimpleJson, arguments, &[]).await;
        tool.end_input();
        // There is no sign that the tool has noticed the end; later messages are printed in
        // any case.
        for _ in 0..3 {
            server.send(&Message::new("late")).await;
            assert_eq!(tool.line().await, r#"{"command":"late"}"#);
        }
        close(tool, server).await.assert_clean();
    }
    for format in WireFormat::ALL {
        let (mut tool, mut server) = connected(format, &["--linger", "0"], &[]).await;
        let messages = delicate_messages();
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        // The last line may lack its end.
        tool.write(lines.trim_end()).await;
        tool.end_input();
        for one in messages {
            assert_eq!(server.read().await, one, "{format}");
        }
        server.assert_ended().await;
        drop(server);
        tool.end().await.assert_clean();
    }
}

#[tokio::test]
async fn a_websocket_ends_with_a_close_frame() {
    let server = Server::listen(WireFormat::WebSocket);
    let mut tool = Tool::start(&["connect", &server.url(), "--linger", "0"]);
    tool.end_input();
    assert_only_close_frame(server.accept_stream().await).await;
    tool.end().await.assert_clean();
}

#[tokio::test]
async fn closed_output_is_not_a_failure() {
    let (mut tool, server) = connected(WireFormat::SimpleJson, &[], &[]).await;
    tool.close_output();
    server.send(&Message::PONG).await;
    tool.end().await.assert_clean();
}

#[cfg(unix)]
#[tokio::test]
async fn an_interruption_ends_it_cleanly() {
    let (mut tool, mut server) = connected(WireFormat::WebSocket, &[], &[]).await;
    server.send(&Message::PONG).await;
    tool.line().await;
    tool.interrupt().await;
    server.assert_ended().await;
    drop(server);
    tool.end().await.assert_clean();
}

/// Returns a certificate for this name, as PEM in a file, and a server's end of TLS with it.
fn certificate(name: &str) -> (tempfile::NamedTempFile, TlsAcceptor) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (file, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn an_encrypted_connection_needs_a_trusted_certificate() {
    let (trusted, acceptor) = certificate("127.0.0.1");
    let (other, _) = certificate("127.0.0.1");
    let listener = Server::listen(WireFormat::WebSocket);
    let url = listener.url().replace("ws://", "wss://");
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();

    let mut tool = Tool::start(&["connect", &url, "--ca", &path(&trusted)]);
    let stream = in_time(acceptor.accept(listener.accept_stream().await)).await.unwrap();
    let mut server = upgraded(stream).await;
    tool.write("{\"command\":\"ping\"}\n").await;
    assert_eq!(server.read().await, Message::PING);
    server.send(&message(r#"{"text":"é"}"#)).await;
    assert_eq!(tool.line().await, r#"{"text":"\u00e9"}"#);
    close(tool, server).await.assert_clean();

    // The system's certificates, named by this variable, are other ones.
    let system = [("SSL_CERT_FILE", &*path(&other)), ("SSL_CERT_DIR", "")];
    for (arguments, variables) in [(&[][..], &system[..]), (&["--ca", &path(&other)], &[])] {
        let tool = Tool::start_with(&[&["connect", &url], arguments].concat(), variables);
        assert!(in_time(acceptor.accept(listener.accept_stream().await)).await.is_err());
        let ended = tool.end().await;
        ended.assert_failed(8, &format!("cannot connect to {url}/: invalid peer certificate"));
    }
}

#[tokio::test]
async fn an_encrypted_connection_is_with_the_host_of_the_url() {
    let (file, acceptor) = certificate("lobby.example.org");
    let listener = Server::listen(WireFormat::WebSocket);
    let url = listener.url().replace("ws://", "wss://");
    let tool = Tool::start(&["connect", &url, "--ca", file.path().to_str().unwrap()]);
    assert!(in_time(acceptor.accept(listener.accept_stream().await)).await.is_err());
    tool.end().await.assert_failed(8, "certificate not valid for name");
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_named() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let url = "wss://127.0.0.1:1";
    let ended = Tool::run(&["connect", url, "--ca", empty.path().to_str().unwrap()], b"").await;
    ended.assert_failed(1, "no certificates to trust; name some with --ca");
    let missing = format!("{}.missing", empty.path().display());
    Tool::run(&["connect", url, "--ca", &missing], b"").await.assert_failed(1, &missing);
}

#[tokio::test]
async fn wrong_usage_has_a_code_of_its_own() {
    for (arguments, reason) in [
        (&[][..], "<URL>"),
        (&["http://127.0.0.1"], "must begin with qdatastream://, tcp://, ws:// or wss://"),
        (&["tcp://127.0.0.1:99999"], "the port is not a number up to 65535"),
        (&["ws://Ada:secret@127.0.0.1"], "it must not have a user"),
        (&["tcp://127.0.0.1/path"], "only ws:// and wss:// can have a path"),
        (&["tcp://127.0.0.1?query"], "only ws:// and wss:// can have a path or a query"),
        (&["tcp://127.0.0.1", "--user", "Ada", "--token", "secret"], "cannot be used with"),
        (&["tcp://127.0.0.1", "--password", "secret"], "--user"),
        (&["tcp://127.0.0.1", "--linger", "soon"], "--linger"),
        (&["tcp://127.0.0.1", "--user", "Ada"], "a password is needed: --password or FAF_WIRE_PASSWORD"),
    ] {
        Tool::run(&[&["connect"], arguments].concat(), b"").await.assert_failed(2, reason);
    }
}

#[tokio::test]
async fn a_refused_login_has_a_code_of_its_own() {
    let login = ["--user", "Ada", "--password", "password"];
    for format in WireFormat::ALL {
        let (tool, server) = connected(format, &login, &[]).await;
        server.send(&message(r#"{"command":"authentication_failed","text":"no\n\u001b[31m"}"#)).await;
        tool.end().await.assert_failed(6, "the login was refused: no\\n\\u{1b}[31m");

        // Some servers only send a notice before they close the connection.
        let (tool, server) = connected(format, &login, &[]).await;
        server.send(&message(r#"{"command":"notice","style":"error","text":"banned"}"#)).await;
        close(tool, server).await.assert_failed(6, "did not accept the login");
    }
}

#[tokio::test]
async fn another_protocol_has_a_code_of_its_own() {
    let login = ["--user", "Ada", "--password", "password"];
    let (tool, server) = connected(WireFormat::SimpleJson, &login, &[]).await;
    close(tool, server).await.assert_failed(8, "without a message");
    let (tool, server) = connected(WireFormat::SimpleJson, &[], &[]).await;
    server.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    tool.end().await.assert_failed(8, "another format");
}

#[tokio::test]
async fn the_output_can_be_filtered() {
    let arguments = ["--only", "game_info,notice", "--pretty", "--time"];
    let (mut tool, server) = connected(WireFormat::SimpleJson, &arguments, &[]).await;
    server.send(&Message::new("player_info")).await;
    server.send(&Message::new("notice")).await;
    let first = tool.line().await;
    assert!(first.len() == "12:00:00.000 {".len() && first.ends_with(" {"), "{first}");
    assert_eq!(tool.line().await, "  \"command\": \"notice\"");
    assert_eq!(tool.line().await, "}");
    close(tool, server).await.assert_clean();
}
