//! Many connections without a login: they do not block other clients for long, and receive a reason
//! before they are closed.

use std::net::SocketAddr;

use faf_lobby::config::{Listen, Settings, TrustedProxy};
use faf_protocol::{Message, WireFormat};
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::support::{Client, TestServer, soon};

/// Connects from another address of this machine.
async fn connect_from(address: &str, server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(server).await.unwrap()
}

/// Returns everything the server sends before it closes the connection, reduced to ASCII.
async fn last_words(mut stream: TcpStream) -> String {
    let mut words = Vec::new();
    soon("the end of a connection", stream.read_to_end(&mut words)).await.unwrap();
    words.retain(|byte| (b' '..=b'~').contains(byte));
    String::from_utf8(words).unwrap()
}

/// Connects again and again until a client is accepted.
async fn connect_until_accepted(server: &TestServer, format: WireFormat) -> Client {
    soon("a place", async {
        loop {
            let stream = TcpStream::connect(server.address(format)).await.unwrap();
            let Ok(mut client) = Client::over(stream, format, "/", &[]).await else { continue };
            // Sending may fail if the connection was rejected already.
            let _ = client.writer.send(&Message::PING).await;
            if client.reader.read().await.is_ok_and(|answer| answer == Message::PONG) {
                return client;
            }
        }
    })
    .await
}

/// Raises the time limits, so that no connection times out on a slow machine.
fn raise_time_limits(settings: &mut Settings) {
    settings.handshake_timeout = 60.0;
    settings.login_timeout = 600.0;
}

async fn unauthenticated(server: &TestServer, count: usize) {
    server.wait_for_metric(&format!("server_connections_unauthenticated {count}")).await;
}

#[tokio::test]
async fn unauthenticated_connections_per_address_are_limited() {
    let server = TestServer::start_with(raise_time_limits).await;
    let mut bystander = server.log_in(WireFormat::WebSocket, "Bystander").await;
    let mut silent = Vec::new();
    for number in 0..64 {
        let format = WireFormat::ALL[number % 3];
        silent.push(connect_from("127.0.0.7", server.address(format)).await);
    }
    unauthenticated(&server, 64).await;
    for (format, expected) in [
        (WireFormat::QDataStream, r#""style":"error","text":"Too many connections from your address"#),
        (WireFormat::SimpleJson, r#""style":"error","text":"Too many connections from your address"#),
        (WireFormat::WebSocket, "HTTP/1.1 503 Service Unavailable"),
    ] {
        let mut refused = connect_from("127.0.0.7", server.address(format)).await;
        // The client receives the reason even if it has sent data already.
        refused.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let words = last_words(refused).await;
        assert!(words.contains(expected) && words.contains("try again in a minute"), "{format}: {words}");
    }
    let refused = r#"server_connections_refused_total{reason="unauthenticated limit per address"} 3"#;
    server.wait_for_metric(refused).await;
    // Clients from other addresses are not affected, however many they are.
    let mut household = Vec::new();
    for number in 0..16 {
        let format = WireFormat::ALL[number % 3];
        let stream = connect_from("127.0.0.8", server.address(format)).await;
        household.push(Client::over(stream, format, "/", &[]).await.unwrap());
    }
    for (number, member) in household.iter_mut().enumerate() {
        member.log_in(&format!("Member{number}")).await;
    }
    bystander.check_is_served().await;
    unauthenticated(&server, 64).await;
    // When some of them disconnect, new ones are accepted.
    silent.truncate(10);
    unauthenticated(&server, 10).await;
    let stream = connect_from("127.0.0.7", server.address(WireFormat::SimpleJson)).await;
    Client::over(stream, WireFormat::SimpleJson, "/", &[]).await.unwrap().log_in("Late").await;
}

#[tokio::test]
async fn silent_connections_make_room() {
    let server = TestServer::start_with(|settings| {
        raise_time_limits(settings);
        settings.unauthenticated_limit = 6;
    })
    .await;
    let mut bystander = server.log_in(WireFormat::SimpleJson, "Bystander").await;
    let mut silent = Vec::new();
    for (number, format) in (2..).zip(WireFormat::ALL.into_iter().cycle().take(6)) {
        let mut stream = connect_from(&format!("127.0.0.{number}"), server.address(format)).await;
        // Half a message does not count as a message.
        stream.write_all(if format == WireFormat::WebSocket { b"GE" } else { b"\0\0" }).await.unwrap();
        silent.push(stream);
    }
    unauthenticated(&server, 6).await;
    // Silent connections have some time to send, so new ones may be rejected until then.
    let mut players = Vec::new();
    for format in WireFormat::ALL {
        players.push(connect_until_accepted(&server, format).await);
    }
    for (number, player) in players.iter_mut().enumerate() {
        player.log_in(&format!("Player{number}")).await;
    }
    bystander.check_is_served().await;
    // For each new player, the oldest silent connection was closed.
    for (stream, format) in silent.drain(..3).zip(WireFormat::ALL) {
        let words = last_words(stream).await;
        let is_told = words.contains("Your client has connected without logging in");
        assert_eq!(is_told, format != WireFormat::WebSocket, "{format}: {words}");
    }
    server.wait_for_metric(r#"server_connections_ended_total{reason="made room"} 2"#).await;
    server.wait_for_metric(r#"server_connections_refused_total{reason="made room"} 1"#).await;
    unauthenticated(&server, 3).await;
}

/// Pings, session requests and failed logins do not count as a login: such connections make room
/// for others as well.
#[tokio::test]
async fn connections_without_login_make_room_despite_messages() {
    let server = TestServer::start_with(|settings| {
        raise_time_limits(settings);
        settings.unauthenticated_limit = 3;
        settings.unauthenticated_limit_per_address = 2;
    })
    .await;
    drop(server.log_in(WireFormat::SimpleJson, "Ada").await);
    let wrong = r#"{"command":"hello","login":"Ada","password":"wrong","unique_id":"machine"}"#;
    let questions = [
        (r#"{"command":"ping"}"#, "pong"),
        (r#"{"command":"ask_session","user_agent":"x","version":"1"}"#, "session"),
        (wrong, "authentication_failed"),
    ];
    let mut talkers = Vec::new();
    for (number, (question, answer)) in (1..).zip(questions) {
        let format = WireFormat::SimpleJson;
        let stream = connect_from(&format!("127.0.1.{number}"), server.address(format)).await;
        let mut talker = Client::over(stream, format, "/", &[]).await.unwrap();
        talker.send(question).await;
        talker.receive_command(answer).await;
        talkers.push(talker);
    }
    unauthenticated(&server, 3).await;
    // Their network exceeds the limit of an address, so the server does not wait for further
    // messages of them.
    for (number, format) in (4..).zip(WireFormat::ALL) {
        let mut next = server.connect(format).await;
        next.log_in(&format!("Next{}", format as u8)).await;
        let mut gone = talkers.remove(0);
        gone.receive_containing("without logging in").await;
        gone.wait_for_end().await;
        // Another client of the network connects.
        let address = format!("127.0.1.{number}");
        let stream = connect_from(&address, server.address(WireFormat::SimpleJson)).await;
        talkers.push(Client::over(stream, WireFormat::SimpleJson, "/", &[]).await.unwrap());
        unauthenticated(&server, 3).await;
    }
}

/// Behind a proxy, the announced address counts; connections of proxies that announce none count
/// only for the total.
#[tokio::test]
async fn behind_proxies_the_announced_address_counts() {
    let trust = |settings: &mut Settings| {
        raise_time_limits(settings);
        settings.unauthenticated_limit_per_address = 2;
        settings.forwarded_header = "X-Real-IP".to_owned();
        settings.simple_json = Listen::one("127.0.0.1:0 proxy").unwrap();
        settings.trusted_proxies = vec![TrustedProxy::try_from("127.0.0.1".to_owned()).unwrap()];
    };
    let server = TestServer::start_with(trust).await;
    let mut silent = Vec::new();
    let say_proxy = async |address: &str| {
        let mut stream = TcpStream::connect(server.address(WireFormat::SimpleJson)).await.unwrap();
        let header = format!("PROXY TCP4 {address} 10.0.0.1 5555 8002\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        stream
    };
    let upgrade = async |address: &'static str| {
        let stream = TcpStream::connect(server.address(WireFormat::WebSocket)).await.unwrap();
        let header = (HeaderName::from_static("x-real-ip"), HeaderValue::from_static(address));
        Client::over(stream, WireFormat::WebSocket, "/", &[header]).await.unwrap()
    };
    for _ in 0..2 {
        silent.push(say_proxy("1.1.1.1").await);
    }
    server.wait_for_metric("server_lobbyconnections_total 2").await;
    let words = last_words(say_proxy("1.1.1.1").await).await;
    assert!(words.contains("Too many connections from your address"), "{words}");
    let mut refused = upgrade("1.1.1.1").await;
    refused.receive_containing("Too many connections from your address").await;
    refused.wait_for_end().await;
    let others = [upgrade("1.1.1.2").await, upgrade("1.1.1.2").await, upgrade("unknown").await];
    for format in [WireFormat::QDataStream, WireFormat::WebSocket] {
        for _ in 0..5 {
            silent.push(TcpStream::connect(server.address(format)).await.unwrap());
        }
    }
    unauthenticated(&server, 15).await;
    drop((others, silent));
    unauthenticated(&server, 0).await;
    upgrade("1.1.1.1").await.log_in("Ada").await;
}

#[tokio::test]
async fn silent_connections_make_room_when_the_server_is_full() {
    let server = TestServer::start_with(|settings| {
        raise_time_limits(settings);
        settings.connection_limit = 3;
    })
    .await;
    let mut player = server.log_in(WireFormat::WebSocket, "Ada").await;
    let visitors =
        [server.connect(WireFormat::SimpleJson).await, server.connect(WireFormat::WebSocket).await];
    unauthenticated(&server, 2).await;
    let mut late = connect_until_accepted(&server, WireFormat::QDataStream).await;
    late.log_in("Bob").await;
    let [mut oldest, mut other] = visitors;
    oldest.receive_containing("without logging in").await;
    oldest.wait_for_end().await;
    other.log_in("Cem").await;
    let words = last_words(TcpStream::connect(server.address(WireFormat::SimpleJson)).await.unwrap()).await;
    assert!(words.contains("The server is full"), "{words}");
    player.check_is_served().await;
}
