//! Limits of clients that are not logged in: message size and time.

use faf_lobby::passwords::digest;
use faf_protocol::WireFormat;
use faf_protocol::limits::LOGIN_MESSAGE_LIMIT;

use super::support::{TestServer, frame};

/// Returns a ping of this many bytes as a line.
fn long_ping(bytes: usize) -> String {
    let text = r#"{"command":"ping","x":""}"#;
    text.replace(r#""""#, &format!(r#""{}""#, "x".repeat(bytes - text.len())))
}

fn hello(name: &str) -> String {
    let password = digest("secret");
    format!(r#"{{"command":"hello","login":"{name}","password":"{password}","unique_id":"machine"}}"#)
}

#[tokio::test]
async fn messages_before_the_login_are_small() {
    let server = TestServer::start().await;
    for (number, format) in (1..).zip(WireFormat::ALL) {
        let width = if format == WireFormat::QDataStream { 2 } else { 1 };
        let mut client = server.connect(format).await;
        let allowed = frame(format, &long_ping(LOGIN_MESSAGE_LIMIT / width - 10));
        client.writer.send_raw(allowed, 1).await.unwrap();
        client.receive_command("pong").await;
        // The server may close the connection while the client still sends.
        let _ = client.writer.send_raw(frame(format, &long_ping(LOGIN_MESSAGE_LIMIT + 1)), 1).await;
        client.wait_for_end().await;
        let line = format!("server_connections_ended_total{{reason=\"malformed message\"}} {number}");
        server.wait_for_metric(&line).await;
        // A player may send larger messages.
        let mut client = server.log_in(format, "Ada").await;
        client.writer.send_raw(frame(format, &long_ping(1_000_000)), 1).await.unwrap();
        client.receive_command("pong").await;
    }
}

#[tokio::test]
async fn message_right_after_the_login_has_the_limit_of_a_player() {
    let server = TestServer::start().await;
    for format in WireFormat::ALL {
        let mut client = server.connect(format).await;
        let both = [frame(format, &hello("Ada")), frame(format, &long_ping(500_000))].concat();
        // While the login is checked, more data arrives than an unauthenticated client may send.
        client.writer.write_raw(both.into(), 2).unwrap();
        client.receive_command("welcome").await;
        client.receive_command("pong").await;
    }
}

#[tokio::test]
async fn failed_login_keeps_the_small_limit() {
    let server = TestServer::start_with(|settings| settings.login_timeout = 5.0).await;
    drop(server.log_in(WireFormat::SimpleJson, "Ada").await);
    for format in WireFormat::ALL {
        let mut client = server.connect(format).await;
        let wrong = hello("Ada").replace(&digest("secret"), "wrong");
        let both = [frame(format, &wrong), frame(format, &long_ping(500_000))].concat();
        client.writer.write_raw(both.into(), 2).unwrap();
        client.receive_command("authentication_failed").await;
        client.wait_for_end().await;
    }
}
