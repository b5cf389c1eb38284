//! The examples, with a real server and with each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/client.rs"]
#[expect(dead_code, reason = "`main` is not called")]
mod client;
#[path = "../examples/host_a_game.rs"]
#[expect(dead_code, reason = "`main` is not called")]
mod host_a_game;
#[path = "../examples/server.rs"]
#[expect(dead_code, reason = "`main` is not called")]
mod server;
mod support;

use faf_client::faf_protocol::WireFormat;
use tokio::net::TcpListener;

#[tokio::test]
async fn the_client_prints_who_is_online() {
    let lobby = support::Lobby::start().await;
    for format in WireFormat::ALL {
        let mut out = Vec::new();
        client::run(&lobby.url(format).to_string(), "Ada", "secret", &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("logged in as Ada, with the id "), "{format}: {out}");
        assert!(out.contains("\nAda from "), "{format}: {out}");
    }
    let wrong = lobby.url(WireFormat::SimpleJson).to_string();
    let error = client::run(&wrong, "Ada", "guess", &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().starts_with("the login was refused: "), "{error}");
}

#[tokio::test]
async fn a_hosted_game_is_reported() {
    let lobby = support::Lobby::start().await;
    for format in WireFormat::ALL {
        let mut out = Vec::new();
        host_a_game::run(&lobby.url(format).to_string(), "Ada", "secret", &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("the game process hosts on scmp_007\ngame "), "{format}: {out}");
        assert!(out.ends_with(" is open: all welcome\n"), "{format}: {out}");
    }
}

#[tokio::test]
async fn the_server_accepts_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let mut out = Vec::new();
    tokio::select! {
        ended = server::serve(listener) => panic!("{ended:?}"),
        done = client::run(&url, "Ada", "secret", &mut out) => done.unwrap(),
    }
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out, "logged in as Ada, with the id 1\nAda from DE is online\n");
}
