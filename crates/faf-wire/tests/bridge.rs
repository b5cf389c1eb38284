//! `faf-wire bridge`, between clients and a server made for the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use faf_connection::upgrade::{self, Upgraded};
use faf_connection::{Error, proxy};
use faf_protocol::websocket::CLOSE_FRAME;
use faf_protocol::{Message, WireFormat};
use hyper::Uri;
use support::peer::{
    FORWARDED_HEADER, Peer, Server, assert_only_close_frame, client, client_on, connect, reserved_address,
    url,
};
use support::tool::Tool;
use support::{delicate_messages, in_time, message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Returns all pairs of formats of the client's side and the server's.
fn pairs() -> impl Iterator<Item = (WireFormat, WireFormat)> {
    WireFormat::ALL.into_iter().flat_map(|near| WireFormat::ALL.map(|far| (near, far)))
}

/// Starts a bridge; returns its address.
async fn bridge(near: WireFormat, to: &str, arguments: &[&str]) -> (Tool, Uri) {
    let listen = url(near, "127.0.0.1:0".parse().unwrap());
    let mut tool = Tool::start(&[&["bridge", "--listen", &listen, "--to", to], arguments].concat());
    let announced = tool.line().await;
    let (from, shown_to) = announced.strip_prefix("bridge from ").unwrap().split_once(" to ").unwrap();
    assert_eq!(shown_to.trim_end_matches('/'), to);
    (tool, from.parse().unwrap())
}

/// Returns a bridge, a client of it, and the server's end of the client's connection.
async fn bridged(near: WireFormat, far: WireFormat) -> (Tool, Peer, Peer) {
    let server = Server::listen(far);
    let (tool, place) = bridge(near, &server.url(), &[]).await;
    let (client, server) = tokio::join!(client(&place), server.accept());
    (tool, client, server)
}

/// Returns a client's stream, with an address that is not the bridge's own.
async fn client_stream(place: &Uri) -> (TcpStream, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    // On Linux, all of 127.0.0.0/8 is loopback; elsewhere only this address is.
    let source = if cfg!(target_os = "linux") { "127.0.0.2:0" } else { "127.0.0.1:0" };
    socket.bind(source.parse().unwrap()).unwrap();
    let stream = in_time(socket.connect(place.authority().unwrap().as_str().parse().unwrap())).await.unwrap();
    let address = stream.local_addr().unwrap();
    (stream, address)
}

#[tokio::test]
async fn messages_go_both_ways_between_all_formats() {
    for (near, far) in pairs() {
        let (_tool, mut client, mut server) = bridged(near, far).await;
        for one in delicate_messages() {
            client.send(&one).await;
            assert_eq!(server.read().await, one, "{near} to {far}");
            server.send(&one).await;
            assert_eq!(client.read().await, one, "{far} to {near}");
        }
    }
}

#[tokio::test]
async fn either_side_ends_the_other_after_its_last_messages() {
    for (near, far) in pairs() {
        let (_tool, client, server) = bridged(near, far).await;
        send_and_close(client, server).await;
        let (_tool, client, server) = bridged(near, far).await;
        send_and_close(server, client).await;
    }
}

/// Sends some messages, ends the connection at once, and reads both on the other side.
async fn send_and_close(mut leaving: Peer, mut staying: Peer) {
    let messages = delicate_messages();
    leaving.writer.write_many(&messages).unwrap();
    let leave = async {
        in_time(leaving.writer.close()).await;
        leaving.wait_for_end().await;
    };
    let stay = async {
        for one in &messages {
            assert_eq!(staying.read().await, *one);
        }
        staying.assert_ended().await;
        drop(staying);
    };
    tokio::join!(leave, stay);
}

#[tokio::test]
async fn websockets_end_with_a_close_frame() {
    let server = Server::listen(WireFormat::WebSocket);
    let (_tool, place) = bridge(WireFormat::SimpleJson, &server.url(), &[]).await;
    drop(connect(&place).await);
    assert_only_close_frame(server.accept_stream().await).await;

    let (_reserved, address) = reserved_address();
    let (_tool, place) = bridge(WireFormat::WebSocket, &url(WireFormat::SimpleJson, address), &[]).await;
    let Upgraded { mut stream, received, .. } =
        in_time(upgrade::connect(connect(&place).await, &place, &[])).await.unwrap();
    let mut bytes = received.to_vec();
    in_time(stream.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes, CLOSE_FRAME);
}

#[tokio::test]
async fn the_proxy_header_announces_the_client() {
    for (near, far) in pairs() {
        let server = Server::listen(far);
        let (_tool, place) = bridge(near, &server.url(), &["--proxy-header"]).await;
        let (stream, address) = client_stream(&place).await;
        let serve = async {
            let mut stream = server.accept_stream().await;
            let announced = in_time(proxy::read_header(&mut stream)).await.unwrap();
            assert_eq!(announced, Some(address));
            server.welcome(stream).await
        };
        let (client, mut server) = tokio::join!(client_on(stream, &place), serve);
        client.send(&Message::PING).await;
        assert_eq!(server.read().await, Message::PING);
    }
}

#[tokio::test]
async fn the_forwarded_header_announces_the_client() {
    let server = Server::listen(WireFormat::WebSocket);
    for near in WireFormat::ALL {
        for (arguments, is_announced) in [(&["--forwarded-header", FORWARDED_HEADER][..], true), (&[], false)]
        {
            let (_tool, place) = bridge(near, &server.url(), arguments).await;
            let (stream, address) = client_stream(&place).await;
            let (_client, server) = tokio::join!(client_on(stream, &place), server.accept());
            assert_eq!(server.forwarded_for, is_announced.then(|| address.ip().to_string()));
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_side_that_does_not_read_stops_the_other() {
    for (near, far, is_client_the_sender) in [
        (WireFormat::SimpleJson, WireFormat::QDataStream, true),
        (WireFormat::QDataStream, WireFormat::WebSocket, false),
        (WireFormat::WebSocket, WireFormat::SimpleJson, false),
    ] {
        let (tool, client, server) = bridged(near, far).await;
        match is_client_the_sender {
            true => fill(&tool, client, server).await,
            false => fill(&tool, server, client).await,
        }
    }
}

#[cfg(target_os = "linux")]
async fn fill(tool: &Tool, sender: Peer, mut receiver: Peer) {
    let sent = block(&sender).await;
    assert!(tool.peak_memory() < 64 * 1024, "{} KiB", tool.peak_memory());
    close_after(&sender, &mut receiver, sent).await;
}

#[tokio::test]
async fn last_messages_arrive_even_where_nobody_reads_the_other_way() {
    let (_tool, mut client, server) = bridged(WireFormat::SimpleJson, WireFormat::SimpleJson).await;
    block(&client).await;
    let sent = block(&server).await;
    close_after(&server, &mut client, sent).await;
}

/// Ends the sender's side after the numbered messages that have been sent, none of which is lost.
async fn close_after(sender: &Peer, receiver: &mut Peer, sent: usize) {
    let read = async {
        for number in 0..sent {
            let received = receiver.read().await;
            assert_eq!(received.get("number").unwrap().parse::<usize>(), Ok(number));
        }
        receiver.assert_ended().await;
    };
    tokio::join!(in_time(sender.writer.close()), read);
}

/// Sends numbered messages until the connection takes no more; returns their number.
async fn block(sender: &Peer) -> usize {
    /// Time after which sending counts as blocked. A slow machine may exceed it earlier, which
    /// is harmless.
    const BLOCKED: Duration = Duration::from_millis(300);
    /// Far more than the buffers of the operating system hold, in messages of 64 KiB.
    const BOUND: usize = 1500;

    let numbered =
        |number: usize| message(&format!(r#"{{"number":{number},"text":"{}"}}"#, "x".repeat(64 * 1024)));
    let mut sent = 0;
    while sent < BOUND {
        let one = numbered(sent);
        sent += 1;
        if timeout(BLOCKED, sender.writer.send(&one)).await.is_err() {
            break;
        }
    }
    assert!(sent < BOUND, "it goes on and on");
    sent
}

#[tokio::test]
async fn malformed_input_closes_both_sides() {
    // Longer than any length that the formats read from it, and not valid in any of them.
    const GARBAGE: &[u8] = b"\xFF\xFF\xFF\xFF garbage \n";

    for (near, far) in pairs() {
        let (mut tool, mut client, mut server) = bridged(near, far).await;
        client.send_bytes(GARBAGE).await;
        server.assert_ended().await;
        drop(server);
        client.wait_for_end().await;
        assert_complaint(&mut tool, "from the client: ").await;

        let (mut tool, mut client, mut server) = bridged(near, far).await;
        server.send_bytes(GARBAGE).await;
        client.assert_ended().await;
        drop(client);
        server.wait_for_end().await;
        assert_complaint(&mut tool, "from the server: ").await;
    }
}

/// Checks the bridge's report about a client.
async fn assert_complaint(tool: &mut Tool, reason: &str) {
    let complaint = tool.error_line().await;
    assert!(complaint.starts_with("faf-wire: 127.0.0.1:") && complaint.contains(reason), "{complaint}");
}

#[tokio::test]
async fn an_end_inside_a_message_ends_the_other_side() {
    let (mut tool, client, mut server) = bridged(WireFormat::SimpleJson, WireFormat::QDataStream).await;
    client.send(&Message::PONG).await;
    client.send_bytes(b"{\"half\":").await;
    drop(client);
    assert_eq!(server.read().await, Message::PONG);
    server.assert_ended().await;
    assert_complaint(&mut tool, "from the client: the connection ended inside a message").await;
}

#[tokio::test]
async fn an_unreachable_server_affects_only_one_client() {
    for near in WireFormat::ALL {
        let (reserved, address) = reserved_address();
        let (mut tool, place) = bridge(near, &url(WireFormat::SimpleJson, address), &[]).await;
        let mut early = client(&place).await;
        early.assert_ended().await;
        drop(early);
        assert_complaint(&mut tool, &format!("cannot connect to tcp://{address}: ")).await;

        let server = Server::listen_at(reserved, WireFormat::SimpleJson);
        let (late, mut server) = tokio::join!(client(&place), server.accept());
        late.send(&Message::PING).await;
        assert_eq!(server.read().await, Message::PING);
    }
}

#[tokio::test]
async fn clients_do_not_disturb_each_other() {
    let server = Server::listen(WireFormat::QDataStream);
    let (mut tool, place) = bridge(WireFormat::SimpleJson, &server.url(), &[]).await;
    let (first, mut first_server) = tokio::join!(client(&place), server.accept());
    let (second, mut second_server) = tokio::join!(client(&place), server.accept());
    second.send_bytes(b"garbage\n").await;
    second_server.assert_ended().await;
    drop((second, second_server));
    assert_complaint(&mut tool, "from the client: ").await;
    first.send(&Message::PING).await;
    assert_eq!(first_server.read().await, Message::PING);
}

#[tokio::test]
async fn clients_beyond_the_limit_are_rejected() {
    let server = Server::listen(WireFormat::SimpleJson);
    let (mut tool, place) = bridge(WireFormat::SimpleJson, &server.url(), &["--connection-limit", "1"]).await;
    let (first, mut first_server) = tokio::join!(client(&place), server.accept());
    client(&place).await.assert_ended().await;
    assert!(tool.error_line().await.contains("--connection-limit"));

    first.send(&Message::PING).await;
    assert_eq!(first_server.read().await, Message::PING);
    drop(first);
    first_server.assert_ended().await;
    drop(first_server);
    // The place is free as soon as the bridge has noticed, which nobody is notified of.
    in_time(async {
        loop {
            let mut next = client(&place).await;
            tokio::select! {
                _ = server.accept() => break,
                ended = next.reader.read() => assert!(matches!(ended, Err(Error::Disconnected(_)))),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_path_of_the_url_is_upgraded() {
    let server = Server::listen(WireFormat::SimpleJson);
    let listen = "ws://127.0.0.1:0/lobby";
    let mut tool = Tool::start(&["bridge", "--listen", listen, "--to", &server.url()]);
    let announced = tool.line().await;
    let place: Uri = announced.split(' ').nth(2).unwrap().parse().unwrap();
    assert_eq!(place.path(), "/lobby");

    let mut other = connect(&place).await;
    other.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    in_time(other.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_complaint(&mut tool, "no upgrade to WebSocket: 404").await;

    let (client, mut server) = tokio::join!(client(&place), server.accept());
    client.send(&Message::PING).await;
    assert_eq!(server.read().await, Message::PING);
}

#[cfg(unix)]
#[tokio::test]
async fn an_interruption_ends_it_cleanly() {
    let (_place, address) = reserved_address();
    let (mut tool, place) = bridge(WireFormat::SimpleJson, &url(WireFormat::SimpleJson, address), &[]).await;
    // A bridge that has served a client handles signals as well.
    client(&place).await.assert_ended().await;
    assert_complaint(&mut tool, "cannot connect to").await;
    tool.interrupt().await;
    tool.end().await.assert_clean();
}

#[tokio::test]
async fn unusable_arguments_are_reported_at_once() {
    const TO: &str = "tcp://127.0.0.1:1";
    const LISTEN: &str = "tcp://127.0.0.1:0";

    let taken = Server::listen(WireFormat::SimpleJson).url();
    let occupant = Server::listen(WireFormat::SimpleJson);
    for (arguments, code, reason) in [
        (&["--listen", LISTEN][..], 2, "--to <URL>"),
        (&["--to", TO], 2, "--listen <URL>"),
        (&["--listen", "wss://127.0.0.1:0", "--to", TO], 2, "put a proxy in front"),
        (&["--listen", LISTEN, "--to", TO, "--forwarded-header", "X"], 2, "needs a WebSocket server"),
        (&["--listen", LISTEN, "--to", "ws://x", "--forwarded-header", "X Y"], 2, "invalid HTTP header name"),
        (&["--listen", &occupant.url(), "--to", TO], 1, "cannot listen on tcp://127.0.0.1:"),
        (&["--listen", LISTEN, "--to", "wss://x", "--ca", &taken], 1, &taken),
    ] {
        let ended = Tool::run(&[&["bridge"], arguments].concat(), b"").await;
        ended.assert_failed(code, reason);
        assert!(ended.output.is_empty());
    }
}

#[tokio::test]
async fn a_half_closed_side_still_receives_messages() {
    for (near, far) in pairs() {
        let (_tool, client, server) = bridged(near, far).await;
        reply_after_close(client, server).await;
        let (_tool, client, server) = bridged(near, far).await;
        reply_after_close(server, client).await;
    }
}

/// One side sends its last message and closes its direction; the other one reads both, and replies.
async fn reply_after_close(mut leaving: Peer, mut staying: Peer) {
    leaving.reader.listen_to_the_end();
    staying.reader.listen_to_the_end();
    leaving.send(&Message::PING).await;
    let ending = leaving.writer.clone();
    let leave = tokio::spawn(async move { in_time(ending.close()).await });
    assert_eq!(staying.read().await, Message::PING);
    // A WebSocket that has sent a close frame may receive nothing more; other connections may.
    if staying.writer.format() != WireFormat::WebSocket && leaving.writer.format() != WireFormat::WebSocket {
        staying.assert_ended().await;
        staying.send(&Message::PONG).await;
        assert_eq!(leaving.read().await, Message::PONG);
    }
    in_time(staying.writer.close()).await;
    leaving.wait_for_end().await;
    leave.await.unwrap();
}

#[tokio::test]
async fn a_reply_in_flight_arrives_after_the_request_side_closed() {
    // A WebSocket that has sent a close frame receives nothing more.
    for (near, far) in pairs().filter(|(near, _)| *near != WireFormat::WebSocket) {
        let (_tool, mut client, mut server) = bridged(near, far).await;
        client.reader.listen_to_the_end();
        client.send(&Message::PING).await;
        assert_eq!(server.read().await, Message::PING);
        server.writer.write(&Message::PONG).unwrap();
        let (_, reply) = tokio::join!(in_time(client.writer.close()), client.reader.read());
        assert_eq!(reply.unwrap(), Message::PONG, "{near} to {far}");
        in_time(server.writer.close()).await;
        client.wait_for_end().await;
    }
}

#[tokio::test]
async fn passed_messages_can_be_printed() {
    let server = Server::listen(WireFormat::QDataStream);
    let (mut tool, place) = bridge(WireFormat::SimpleJson, &server.url(), &["--print"]).await;
    let (client, mut server) = tokio::join!(client(&place), server.accept());
    client.send(&message(r#"{"command":"hello","password":"secret"}"#)).await;
    server.read().await;
    server.send(&Message::PING).await;
    let first = tool.line().await;
    assert!(first.ends_with(r#" >> {"command":"hello","password":"..."}"#), "{first}");
    assert!(tool.line().await.ends_with(r#" << {"command":"ping"}"#));
}
