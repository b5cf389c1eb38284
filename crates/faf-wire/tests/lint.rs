//! `faf-wire lint`, between clients and a server made for the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use faf_protocol::WireFormat;
use hyper::Uri;
use support::message;
use support::peer::{Server, client, url};
use support::tool::Tool;

/// Lets a client make mistakes; returns the report.
async fn report(format: WireFormat, arguments: &[&str]) -> String {
    let server = Server::listen(format);
    let listen = url(format, "127.0.0.1:0".parse().unwrap());
    let to = server.url();
    let mut tool = Tool::start(&[&["lint", "--listen", &listen, "--to", &to], arguments].concat());
    let announced = tool.line().await;
    let place: Uri = announced.split(' ').nth(2).unwrap().parse().unwrap();
    let (mut client, mut server) = tokio::join!(client(&place), server.accept());
    for text in [
        r#"{"command":"ask_session","user_agent":"x","version":"1"}"#,
        r#"{"command":"of_tomorrow","password":"hunter2"}"#,
        r#"{"command":"game_join","uid":"first"}"#,
    ] {
        client.send(&message(text)).await;
        assert_eq!(server.read().await, message(text));
    }
    let unknown = message(r#"{"command":"news"}"#);
    server.send(&unknown).await;
    assert_eq!(client.read().await, unknown);
    // Everything that was passed on is in the queue, and the report waits for it.
    tool.interrupt().await;
    let ended = tool.end().await;
    ended.assert_clean();
    String::from_utf8(ended.output).unwrap()
}

#[tokio::test]
async fn what_leaves_the_contract_is_reported() {
    for format in WireFormat::ALL {
        let text = report(format, &[]).await;
        for line in [
            "1 connections, 3 messages of clients, 1 of the server: ",
            "1 x client `of_tomorrow`: unknown command:",
            "1 x client `game_join`: wrong type: `uid` must be an integer",
            "1 x client `game_join`: wrong time:",
            "1 x server `news`: unknown command:",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_program_gets_a_line_of_json() {
    let text = report(WireFormat::SimpleJson, &["--json"]).await;
    let json: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(json["messages"]["client"], 3);
    let problems = json["problems"].as_array().unwrap();
    let of_tomorrow = problems.iter().find(|problem| problem["command"] == "of_tomorrow").unwrap();
    assert_eq!((&of_tomorrow["count"], &of_tomorrow["from"]), (&1.into(), &"client".into()));
    assert_eq!(of_tomorrow["first"]["connection"], 1);
    assert!(!text.contains("hunter2"), "{text}");
}
