//! A client against a minimal server, in every wire format.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_client::faf_connection::upgrade::{self, Endpoint};
use faf_client::faf_connection::{Reader, Settings, Writer, open_tcp, proxy, tcp};
use faf_client::faf_protocol::server_message::{AuthenticationFailed, Notice, NoticeStyle};
use faf_client::faf_protocol::{ClientMessage, Message, ServerMessage, WireFormat};
use faf_client::{Client, ConnectError, Connector, Credentials, LoginError, Url};
use tokio::net::{TcpListener, TcpStream};

/// Returns a listener, and the URL of its server.
async fn listen(format: WireFormat) -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::new(format, listener.local_addr().unwrap());
    (listener, url)
}

/// Returns the server's side of the next connection.
async fn accept(listener: &TcpListener, format: WireFormat) -> (Reader, Writer) {
    let (stream, _) = listener.accept().await.unwrap();
    serve(stream, format).await
}

async fn serve(stream: TcpStream, format: WireFormat) -> (Reader, Writer) {
    tcp::prepare(&stream).unwrap();
    if !format.has_upgrade() {
        return open_tcp(stream, Settings::new(format));
    }
    let endpoint = Endpoint { path: "/".to_owned(), origins: Vec::new(), forwarded_header: None };
    let upgraded = upgrade::accept(stream, &endpoint).await.unwrap();
    open_tcp(upgraded.stream, Settings { received: upgraded.received, ..Settings::new(format) })
}

const WELCOME: &str = r#"{"command":"welcome","me":{"id":7,"login":"Ada","country":"DE","ratings":{},
    "global_rating":[1500.0,500.0],"ladder_rating":[1500.0,500.0],"number_of_games":0},
    "current_time":"2026-01-01T00:00:00+00:00","id":7,"login":"Ada"}"#;

#[tokio::test]
async fn a_client_logs_in_reads_writes_and_replies_to_pings() {
    for format in WireFormat::ALL {
        let (listener, url) = listen(format).await;
        let server = tokio::spawn(async move {
            let (mut reader, writer) = accept(&listener, format).await;
            let mut received = Vec::new();
            for _ in 0..2 {
                received.push(ClientMessage::read(reader.read().await.unwrap()).unwrap());
            }
            writer.write(&ServerMessage::Ping).unwrap();
            for message in [WELCOME, r#"{"command":"session","session":"no number"}"#] {
                writer.write(&message.parse::<Message>().unwrap()).unwrap();
            }
            for _ in 0..2 {
                received.push(ClientMessage::read(reader.read().await.unwrap()).unwrap());
            }
            writer.close().await;
            while reader.read().await.is_ok() {}
            received
        });
        let mut client = Client::connect(&url).await.unwrap();
        let welcome = client.login(&Credentials::password("Ada", "secret")).await.unwrap();
        assert_eq!((welcome.id.0, welcome.login.as_str()), (7, "Ada"));
        // A message that does not fit the vocabulary does not end a client.
        assert!(matches!(client.read().await.unwrap(), ServerMessage::Other(_)));
        client.send(&ClientMessage::IceServers).await.unwrap();
        client.read().await.unwrap_err();
        drop(client);
        let received = server.await.unwrap();
        assert!(matches!(&received[0], ClientMessage::AskSession(_)), "{format}: {received:?}");
        assert!(
            matches!(&received[1], ClientMessage::Hello(hello) if hello.login == "Ada"),
            "{format}: {received:?}"
        );
        assert_eq!(received[2..], [ClientMessage::Pong, ClientMessage::IceServers], "{format}");
    }
}

#[tokio::test]
async fn a_refusal_says_why() {
    let (listener, url) = listen(WireFormat::SimpleJson).await;
    let server = tokio::spawn(async move {
        let failed = AuthenticationFailed { text: "wrong password".to_owned() };
        for notice in [None, Some(Notice::new(NoticeStyle::Error, "banned"))] {
            let (_reader, writer) = accept(&listener, WireFormat::SimpleJson).await;
            if let Some(notice) = notice {
                writer.write(&ServerMessage::Notice(notice)).unwrap();
            }
            writer.write(&ServerMessage::AuthenticationFailed(failed.clone())).unwrap();
            writer.close().await;
        }
        // A full server may only send a notice and close the connection.
        let (_reader, writer) = accept(&listener, WireFormat::SimpleJson).await;
        writer.write(&ServerMessage::Notice(Notice::new(NoticeStyle::Error, "full"))).unwrap();
        writer.close().await;
    });
    for expected in ["wrong password", "banned", "full"] {
        let mut client = Client::connect(&url).await.unwrap();
        match client.login(&Credentials::token("t")).await.unwrap_err() {
            LoginError::Refused(why) => assert_eq!(why, expected),
            other => panic!("{other}"),
        }
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_connector_announces_the_client_it_connects_for() {
    let (listener, url) = listen(WireFormat::SimpleJson).await;
    let client = "192.0.2.1:1234".parse().unwrap();
    let connector = Connector { proxied: Some(client), ..Connector::default() };
    let connected = tokio::spawn(async move { connector.connect(&url).await.unwrap() });
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(proxy::read_header(&mut stream).await.unwrap(), Some(client));
    drop(connected.await.unwrap());
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let (listener, url) = listen(WireFormat::WebSocket).await;
    let connector = Connector { timeout: Duration::from_millis(10), ..Connector::default() };
    assert!(matches!(connector.connect(&url).await, Err(ConnectError::Timeout(_))));
    drop(listener);
    let Err(ConnectError::Io(_)) = Client::connect(&url).await else { panic!("nothing listens there") };
}
