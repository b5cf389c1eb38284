//! `faf-wire tap`, between clients and a server made for the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use faf_protocol::websocket::Role;
use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat};
use faf_sessions::recording::{Ending, Entry, Reader, Recorded, RecordedConn, Side};
use hyper::Uri;
use support::peer::{Peer, Server, client, connect, reserved_address, upgraded, url};
use support::tool::Tool;
use support::{delicate_messages, in_time, message};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running tap.
struct Tap {
    tool: Tool,
    folder: TempDir,
    place: Uri,
}

impl Tap {
    async fn start(format: WireFormat, to: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let listen = url(format, "127.0.0.1:0".parse().unwrap());
        let record = folder.path().to_str().unwrap().to_owned();
        let folder_of = |record| ["tap", "--listen", &listen, "--to", to, "--record", record];
        let all = match arguments {
            ["--record", other] => folder_of(*other).to_vec(),
            more => [&folder_of(&record)[..], more].concat(),
        };
        let mut tool = Tool::start(&all);
        let announced = tool.line().await;
        let (from, shown_to) = announced.strip_prefix("tap from ").unwrap().split_once(" to ").unwrap();
        assert_eq!(shown_to.trim_end_matches('/'), to.trim_end_matches('/'));
        Self { tool, folder, place: from.parse().unwrap() }
    }

    /// Ends the tap; returns the entries of its recording, but not those with the time of day.
    async fn end(self) -> Vec<Entry> {
        self.tool.interrupt().await;
        self.tool.end().await.assert_clean();
        let (entries, ending) = read(self.folder.path());
        assert_eq!(ending, Ending::Finished);
        entries
    }
}

fn read(folder: &Path) -> (Vec<Entry>, Ending) {
    let mut reader = Reader::open(folder).unwrap();
    let entries = reader.by_ref().map(|entry| {
        let Recorded { entry, .. } = entry.unwrap();
        entry
    });
    let entries = entries.filter(|entry| !matches!(entry, Entry::Clock { .. })).collect();
    (entries, reader.ending().unwrap().clone())
}

/// Returns both ends of a connection through the tap, without any format.
async fn bare(tap: &Tap, server: &Server) -> (TcpStream, TcpStream) {
    tokio::join!(connect(&tap.place), server.accept_stream())
}

/// Waits until a reader finds this many entries. The tap writes them in its own time.
async fn wait_for_entries(folder: &Path, count: usize) {
    in_time(async {
        while read(folder).0.len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

const CONN: RecordedConn = RecordedConn(1);

#[tokio::test]
async fn messages_of_both_sides_are_recorded_in_order() {
    for format in WireFormat::ALL {
        let server = Server::listen(format);
        let tap = Tap::start(format, &server.url(), &[]).await;
        let (mut client, mut server) = tokio::join!(client(&tap.place), server.accept());
        let mut expected = vec![Entry::Opened { conn: CONN, format, address: None }];
        for message in delicate_messages() {
            client.send(&message).await;
            assert_eq!(server.read().await, message);
            server.send(&message).await;
            assert_eq!(client.read().await, message);
            expected.push(Entry::FromClient { conn: CONN, message: message.clone() });
            expected.push(Entry::FromServer { conn: CONN, message });
        }
        in_time(client.writer.close()).await;
        server.assert_ended().await;
        in_time(server.writer.close()).await;
        client.wait_for_end().await;
        expected.push(Entry::Closed { conn: CONN, by: Side::Client });
        wait_for_entries(tap.folder.path(), expected.len()).await;
        assert_eq!(tap.end().await, expected, "{format}");
    }
}

/// Bytes of all kinds that hostile or broken clients send.
fn hostile() -> Vec<Vec<u8>> {
    let ping = |format: WireFormat| format.encode(&Message::PING).unwrap().to_vec();
    let mut masked =
        Vec::from(WireFormat::WebSocket.encode_as(Role::Client, &Message::PING, || [1, 2, 3, 4]).unwrap());
    masked.extend_from_slice(b"\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0");
    let upgrade = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    vec![
        b"garbage \0\xFF\xFE without an end".to_vec(),
        b"{\"command\":\"ping\"}\n{\"command\":nonsense}\n{\"command\":\"ping\"}\n".to_vec(),
        b"{\"command\":\"hello\",\"password\":\"hun".to_vec(),
        b"[1,2]\n\n\n5\nnull\n".to_vec(),
        [b"{\"a\":".repeat(1_000), b"1\n".to_vec()].concat(),
        b"x".repeat(11 * 1024 * 1024),
        [b"{\"command\":\"ping\",\"x\":\"".to_vec(), b"y".repeat(10 * 1024 * 1024), b"\"}\n".to_vec()]
            .concat(),
        [ping(WireFormat::QDataStream), b"\xFF\xFF\xFF\xFF\0\0".to_vec()].concat(),
        ping(WireFormat::SimpleJson).repeat(10_000),
        ping(WireFormat::WebSocket),
        masked.clone(),
        upgrade.to_vec(),
        [upgrade.to_vec(), masked].concat(),
        b"GET /secret?token=hunter2 HTTP/1.0\r\n\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 8002\r\n{\"command\":\"ping\"}\n".to_vec(),
        b"PROXY nonsense\r\n".to_vec(),
        Vec::new(),
    ]
}

/// Every byte goes through as it is, in both directions at once, and so does the end.
#[tokio::test]
async fn every_hostile_input_passes_unchanged() {
    for format in WireFormat::ALL {
        let server = Server::listen(format);
        let tap = Tap::start(format, &server.url(), &[]).await;
        for (index, input) in hostile().into_iter().enumerate() {
            let answer = hostile().swap_remove(index / 2);
            let (near, far) = bare(&tap, &server).await;
            let sent = async |stream: TcpStream, bytes: &[u8]| {
                let (mut reader, mut writer) = stream.into_split();
                let mut received = Vec::new();
                let send = async {
                    writer.write_all(bytes).await?;
                    writer.shutdown().await
                };
                let (sent, read) =
                    in_time(async { tokio::join!(send, reader.read_to_end(&mut received)) }).await;
                sent.unwrap();
                read.unwrap();
                received
            };
            let (at_client, at_server) = tokio::join!(sent(near, &answer), sent(far, &input));
            // Each has received what the other has sent: the streams are crossed here.
            assert!(at_client == input, "{format} {index}");
            assert!(at_server == answer, "{format} {index}");
        }
        tap.end().await;
    }
}

#[tokio::test]
async fn a_half_closed_side_still_receives_bytes() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    for client_leaves in [true, false] {
        let (near, far) = bare(&tap, &server).await;
        let (mut leaving, mut staying) = if client_leaves { (near, far) } else { (far, near) };
        leaving.write_all(b"last").await.unwrap();
        leaving.shutdown().await.unwrap();
        let mut received = Vec::new();
        in_time(staying.read_to_end(&mut received)).await.unwrap();
        assert_eq!(received, b"last");
        staying.write_all(b"an answer").await.unwrap();
        drop(staying);
        received.clear();
        in_time(leaving.read_to_end(&mut received)).await.unwrap();
        assert_eq!(received, b"an answer");
    }
    drop(tap);
}

#[tokio::test]
async fn a_reset_is_passed_on_to_the_other_side() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    for client_resets in [true, false] {
        let (near, far) = bare(&tap, &server).await;
        let (mut resetting, mut other) = if client_resets { (near, far) } else { (far, near) };
        // By then the tap carries the connection.
        resetting.write_all(b"x").await.unwrap();
        in_time(other.read_exact(&mut [0; 1])).await.unwrap();
        resetting.set_zero_linger().unwrap();
        drop(resetting);
        let error = in_time(other.read(&mut [0; 10])).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    wait_for_entries(tap.folder.path(), 4).await;
    let closed = |conn, by| Entry::Closed { conn: RecordedConn(conn), by };
    let entries = tap.end().await;
    assert!(entries.contains(&closed(1, Side::Client)) && entries.contains(&closed(2, Side::Server)));
}

/// A client that does not read slows the server that sends to it, and nobody else.
#[tokio::test]
async fn a_side_that_does_not_read_is_waited_for() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    let (mut near, far) = bare(&tap, &server).await;
    let mut written = 0_usize;
    // Until neither the kernel nor the tap takes any more.
    while let Ok(result) = tokio::time::timeout(Duration::from_millis(300), far.writable()).await {
        result.unwrap();
        written += far.try_write(&[b'x'; 65_536]).unwrap_or(0);
        assert!(written < 100_000_000);
    }
    let (mut other_near, mut other_far) = bare(&tap, &server).await;
    other_near.write_all(b"ping").await.unwrap();
    in_time(other_far.read_exact(&mut [0; 4])).await.unwrap();
    drop(far);
    let mut received = Vec::new();
    in_time(near.read_to_end(&mut received)).await.unwrap();
    assert_eq!(received.len(), written);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_recorded_without_their_letters() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    let (mut near, mut far) = bare(&tap, &server).await;
    near.write_all(b"{\"command\":\"ping\"}\n{\"password\":hunter2}\n{\"command\":\"ping\"}\n")
        .await
        .unwrap();
    near.shutdown().await.unwrap();
    far.write_all(b"{\"command\":\"pong\"}\n").await.unwrap();
    in_time(far.read_to_end(&mut Vec::new())).await.unwrap();
    drop(far);
    in_time(near.read_to_end(&mut Vec::new())).await.unwrap();
    wait_for_entries(tap.folder.path(), 5).await;
    let mut entries = tap.end().await;
    // The two directions may be recorded in any order.
    entries.retain(|entry| *entry != Entry::FromServer { conn: CONN, message: Message::PONG });
    let Entry::BytesFromClient { bytes, .. } = &entries[2] else { panic!("{entries:?}") };
    assert!(bytes.starts_with(b"{\"xxxxxxxx\":xxxxxx0}\n"), "{bytes:?}");
    assert_eq!(entries[1], Entry::FromClient { conn: CONN, message: Message::PING });
    assert_eq!(entries[3], Entry::Closed { conn: CONN, by: Side::Client });
}

/// Nothing of what must stay secret is in any file, however it is sent.
#[tokio::test]
async fn no_secret_reaches_the_disk() {
    const SECRET: &str = "hunter2-hunter2-hunter2";

    for format in WireFormat::ALL {
        let server = Server::listen(format);
        let tap = Tap::start(format, &server.url(), &[]).await;
        let (mut client, mut server) = tokio::join!(client(&tap.place), server.accept());
        let mut count = 2;
        for text in [
            r#"{"command":"hello","login":"Ada","password":"S","unique_id":"S"}"#,
            r#"{"command":"auth","token":"S","unique_id":"S"}"#,
            r#"{"command":"game_host","visibility":"public","title":"t","password":"S"}"#,
            r#"{"command":"game_join","uid":5,"password":"S"}"#,
            r#"{"command":"of_tomorrow","password":["S"],"token":{"S":"S"}}"#,
            r#"{"command":"IceMsg","target":"game","args":[2,"{\"password\":\"S\"}"]}"#,
        ] {
            let message = message(&text.replace('S', SECRET));
            client.send(&message).await;
            assert_eq!(server.read().await, message);
            count += 1;
        }
        let password = message(&r#"{"command":"irc_password","password":"S"}"#.replace('S', SECRET));
        server.send(&password).await;
        assert_eq!(client.read().await, password);
        // In bytes that are no message.
        client
            .send_bytes(b"\x81\x80hunter2-hunter2-hunter2\n{\"password\":\"hunter2-hunter2-hunter2\n")
            .await;
        drop(client);
        server.wait_for_end().await;
        drop(server);
        wait_for_entries(tap.folder.path(), count + 2).await;
        let folder = tap.folder.path().to_owned();
        let mut digests = std::collections::BTreeSet::new();
        for file in std::fs::read_dir(&folder).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(7).any(|seven| seven == b"hunter2"));
        }
        for entry in tap.end().await {
            let text = format!("{entry:?}");
            assert!(!text.contains("hunter2"), "{text}");
            digests.extend(text.split("secret:").skip(1).map(|rest| rest[..32].to_owned()));
        }
        // Of the same secret, everywhere, and of the two that are not texts.
        assert_eq!(digests.len(), 3, "{digests:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn addresses_are_recorded_only_if_wanted() {
    let server = Server::listen(WireFormat::SimpleJson);
    for (arguments, expected) in
        [(&[][..], None), (&["--keep-addresses"], Some("127.0.0.1".parse().unwrap()))]
    {
        let tap = Tap::start(WireFormat::SimpleJson, &server.url(), arguments).await;
        let ends = bare(&tap, &server).await;
        wait_for_entries(tap.folder.path(), 1).await;
        let entries = tap.end().await;
        assert!(matches!(entries[0], Entry::Opened { address, .. } if address == expected), "{entries:?}");
        drop(ends);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;

    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    for file in std::fs::read_dir(tap.folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    tap.end().await;
}

/// A tap that is killed loses at most what it has received in the last second.
#[tokio::test]
async fn a_tap_that_is_killed_leaves_a_recording() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    let (client, mut server) = tokio::join!(client(&tap.place), server.accept());
    for _ in 0..50 {
        client.send(&Message::PING).await;
        server.read().await;
    }
    wait_for_entries(tap.folder.path(), 51).await;
    let folder = tap.folder;
    tap.tool.kill().await;
    let (entries, ending) = read(folder.path());
    assert_eq!(entries.len(), 51);
    assert!(matches!(ending, Ending::CutOff { .. }));
}

/// The reader follows while the tap records.
#[tokio::test]
async fn a_recording_can_be_followed() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    let mut reader = Reader::follow(tap.folder.path()).unwrap();
    let (client, mut server) = tokio::join!(client(&tap.place), server.accept());
    for number in 0..3 {
        let sent = message(&format!(r#"{{"command":"game_join","uid":{number}}}"#));
        client.send(&sent).await;
        assert_eq!(server.read().await, sent);
        let found = in_time(async {
            loop {
                match reader.next() {
                    Some(Ok(Recorded { entry: Entry::FromClient { message, .. }, .. })) => return message,
                    Some(entry) => drop(entry.unwrap()),
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        assert_eq!(found.await, sent);
    }
    tap.tool.interrupt().await;
    tap.tool.end().await.assert_clean();
    for entry in reader.by_ref() {
        entry.unwrap();
    }
    assert_eq!(reader.ending(), Some(&Ending::Finished));
}

/// A service manager ends programs this way.
#[cfg(unix)]
#[tokio::test]
async fn a_termination_ends_it_cleanly() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &[]).await;
    let _ends = bare(&tap, &server).await;
    tap.tool.terminate().await;
    tap.tool.end().await.assert_clean();
    assert_eq!(read(tap.folder.path()).1, Ending::Finished);
}

#[tokio::test]
async fn the_clients_address_can_be_announced() {
    let server = Server::listen(WireFormat::SimpleJson);
    let tap = Tap::start(WireFormat::SimpleJson, &server.url(), &["--proxy-header"]).await;
    let (near, mut far) = bare(&tap, &server).await;
    let announced = in_time(faf_connection::proxy::read_header(&mut far)).await.unwrap();
    assert_eq!(announced, Some(near.local_addr().unwrap()));
    drop((near, far));
    // A header that comes from a proxy before the tap is not part of the messages.
    let (mut near, mut far) = bare(&tap, &server).await;
    near.write_all(b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 8002\r\n{\"command\":\"ping\"}\n").await.unwrap();
    in_time(far.read_exact(&mut [0; 40])).await.unwrap();
    wait_for_entries(tap.folder.path(), 4).await;
    let entries = tap.end().await;
    assert!(
        entries.contains(&Entry::FromClient { conn: RecordedConn(2), message: Message::PING }),
        "{entries:?}"
    );
}

/// Over TLS, the server sees its own name, and everything else as the client has sent it.
#[tokio::test]
async fn a_server_can_be_reached_over_tls() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = TempDir::new().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, cert.pem()).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));

    let server = Server::listen(WireFormat::WebSocket);
    let to = server.url().replace("ws://127.0.0.1", "wss://localhost");
    let tap = Tap::start(WireFormat::WebSocket, &to, &["--ca", ca.to_str().unwrap()]).await;
    let accept = async {
        let stream = server.accept_stream().await;
        upgraded(in_time(acceptor.accept(stream)).await.unwrap()).await
    };
    let (mut client, mut server): (Peer, Peer) = tokio::join!(client(&tap.place), accept);
    for message in delicate_messages() {
        client.send(&message).await;
        assert_eq!(server.read().await, message);
        server.send(&message).await;
        assert_eq!(client.read().await, message);
    }
    in_time(client.writer.close()).await;
    server.assert_ended().await;
    drop(server);
    client.wait_for_end().await;
    let count = 2 + 2 * delicate_messages().len();
    wait_for_entries(tap.folder.path(), count).await;
    assert_eq!(tap.end().await.len(), count);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported() {
    let (_place, address) = reserved_address();
    let mut tap = Tap::start(WireFormat::SimpleJson, &url(WireFormat::SimpleJson, address), &[]).await;
    // The reset may come before or after the connection stands here.
    if let Ok(mut client) = in_time(TcpStream::connect(tap.place.authority().unwrap().as_str())).await {
        assert!(in_time(client.read(&mut [0; 1])).await.is_err());
    }
    let complaint = tap.tool.error_line().await;
    assert!(complaint.contains(&format!("cannot connect to tcp://{address}: ")), "{complaint}");
}

/// A folder that cannot be written is said once, and clients are served.
#[tokio::test]
async fn clients_are_served_without_a_recording() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let server = Server::listen(WireFormat::SimpleJson);
    let mut tap =
        Tap::start(WireFormat::SimpleJson, &server.url(), &["--record", file.to_str().unwrap()]).await;
    let complaint = tap.tool.error_line().await;
    assert!(complaint.contains("is interrupted") && complaint.contains("clients are served"), "{complaint}");
    let (client, mut server) = tokio::join!(client(&tap.place), server.accept());
    client.send(&Message::PING).await;
    assert_eq!(server.read().await, Message::PING);
}

#[tokio::test]
async fn unusable_arguments_are_reported_at_once() {
    const TO: &str = "tcp://127.0.0.1:1";
    const LISTEN: &str = "tcp://127.0.0.1:0";

    for (listen, to, code, reason) in [
        ("wss://127.0.0.1:0", TO, 2, "put a proxy in front"),
        ("ws://127.0.0.1:0", TO, 2, "both URLs need the same format, not websocket and simple-json"),
        ("ws://127.0.0.1:0/lobby", "ws://127.0.0.1:1/", 2, "both URLs need the same path"),
        (LISTEN, "nonsense", 2, "invalid value"),
    ] {
        let ended = Tool::run(&["tap", "--listen", listen, "--to", to, "--record", "/nowhere"], b"").await;
        ended.assert_failed(code, reason);
    }
    Tool::run(&["tap", "--listen", LISTEN, "--to", TO], b"").await.assert_failed(2, "--record <FOLDER>");
}

/// Over WebSocket, bytes that come before the server has agreed are not taken as messages.
#[tokio::test]
async fn an_upgrade_that_is_refused_gives_no_messages() {
    let server = Server::listen(WireFormat::WebSocket);
    let tap = Tap::start(WireFormat::WebSocket, &server.url(), &[]).await;
    let (mut near, mut far) = bare(&tap, &server).await;
    let frame = WireFormat::WebSocket.encode_as(Role::Client, &Message::PING, || [1, 2, 3, 4]).unwrap();
    let mut decoder = Decoder::new(WireFormat::WebSocket, Limits::default());
    let decoded = decoder.decode(&mut BytesMut::from(&frame[..]));
    assert_eq!(decoded, Ok(Some(Decoded::Message(Message::PING))));
    near.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    near.write_all(&frame).await.unwrap();
    let mut request = vec![0; 27 + frame.len()];
    in_time(far.read_exact(&mut request)).await.unwrap();
    far.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").await.unwrap();
    drop(far);
    let mut response = Vec::new();
    in_time(near.read_to_end(&mut response)).await.unwrap();
    assert_eq!(response, b"HTTP/1.1 404 Not Found\r\n\r\n");
    drop(near);
    wait_for_entries(tap.folder.path(), 2).await;
    assert_eq!(tap.end().await.len(), 2);
}
