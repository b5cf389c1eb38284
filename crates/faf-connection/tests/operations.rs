//! The operations of a connection, over streams in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use faf_connection::{Disconnected, Error, OutboxFull, Reader, SentMessages, Settings, Writer, open};
use faf_protocol::websocket::{self, CloseCode, Control, Role};

use faf_protocol::{DecodeError, Encode, EncodeError, Heartbeat, Limits, Message, WireFormat};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream, DuplexStream, duplex};
use tokio::time::Instant;

/// A connection whose peer is a bare stream that holds `room` unread bytes.
fn connection(format: WireFormat, room: usize) -> (Reader, Writer, DuplexStream) {
    let (here, there) = duplex(room);
    let (reader, writer) = open(here, Settings::new(format));
    (reader, writer, there)
}

fn message(text: &str) -> Message {
    text.parse().unwrap()
}

/// Polls once, without letting other tasks run.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn is_closed_here(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Disconnected(Disconnected::Here)))
}

#[tokio::test]
async fn messages_go_both_ways_in_every_format() {
    for format in WireFormat::ALL {
        let (here, there) = duplex(100_000);
        let (mut server_reader, server) = open(here, Settings::new(format));
        let (mut client_reader, client) =
            open(there, Settings { role: Role::Client, ..Settings::new(format) });
        let (one, two) = (message(r#"{"a":"é"}"#), message(r#"{"b":[1.50]}"#));
        client.send(&one).await.unwrap();
        client.write_many([&two, &Message::PING]).unwrap();
        server.send_many([&two, &one]).await.unwrap();
        assert_eq!(server_reader.read().await.unwrap(), one);
        assert_eq!(server_reader.read().await.unwrap(), two);
        assert_eq!(server_reader.read().await.unwrap(), Message::PING);
        assert_eq!(client_reader.read().await.unwrap(), two);
        assert_eq!(client_reader.read().await.unwrap(), one);
        client.close().await;
        assert!(matches!(server_reader.read().await, Err(Error::Disconnected(_))));
        drop(server_reader);
        assert!(matches!(client_reader.read().await, Err(Error::Disconnected(Disconnected::Here))));
    }
}

#[tokio::test]
async fn sending_waits_for_the_stream_and_writing_never_does() {
    let (_reader, writer, mut peer) = connection(WireFormat::SimpleJson, 10);
    let long = Message::new(&"x".repeat(100));
    let mut sending = pin!(writer.send(&long));
    assert!(poll_once(sending.as_mut()).is_pending());
    writer.write(&Message::PING).unwrap();
    let mut draining = pin!(writer.drain());
    assert!(poll_once(draining.as_mut()).is_pending());

    let expected = format!("{long}\n{}\n", Message::PING);
    let mut received = vec![0; expected.len()];
    let (read, sent, drained) = tokio::join!(peer.read_exact(&mut received), sending, draining);
    read.unwrap();
    sent.unwrap();
    drained.unwrap();
    assert_eq!(String::from_utf8(received).unwrap(), expected);
}

#[tokio::test]
async fn streams_with_a_buffer_of_their_own_are_flushed_to_the_end() {
    let (here, mut there) = duplex(16);
    // The stream takes everything at once, like TLS, and passes it on only when it is flushed.
    let (_reader, writer) = open(BufStream::new(here), Settings::new(WireFormat::SimpleJson));
    let long = message(&format!(r#"{{"text":"{}"}}"#, "x".repeat(1000)));
    let mut sending = pin!(writer.send(&long));
    assert!(poll_once(sending.as_mut()).is_pending());
    let mut received = vec![0; WireFormat::SimpleJson.encode(&long).unwrap().len()];
    let (sent, read) = tokio::join!(sending, there.read_exact(&mut received));
    sent.unwrap();
    read.unwrap();
    assert_eq!(received, WireFormat::SimpleJson.encode(&long).unwrap());
}

#[tokio::test]
async fn bytes_are_sent_in_the_order_of_the_calls() {
    let (_reader, writer, mut peer) = connection(WireFormat::SimpleJson, 7);
    let mut expected = String::new();
    let mut sending = Vec::new();
    for number in 0..200 {
        let message = Message::new(&number.to_string());
        expected += &format!("{message}\n");
        match number % 4 {
            0 => writer.write(&message).unwrap(),
            1 => writer.write_raw(Bytes::from(format!("{message}\n")), 1).unwrap(),
            2 => writer.write_many([&message]).unwrap(),
            _ => {
                let writer = writer.clone();
                let mut send = Box::pin(async move { writer.send(&message).await });
                assert!(poll_once(send.as_mut()).is_pending());
                sending.push(send);
            }
        }
    }
    let mut received = vec![0; expected.len()];
    peer.read_exact(&mut received).await.unwrap();
    assert_eq!(String::from_utf8(received).unwrap(), expected);
    for send in sending {
        send.await.unwrap();
    }
}

#[tokio::test]
async fn drain_callers_take_turns() {
    let (_reader, writer, mut peer) = connection(WireFormat::SimpleJson, 1);
    writer.write(&Message::PING).unwrap();
    let mut first = pin!(writer.drain());
    let mut second = pin!(writer.drain());
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    let mut received = [0; 19];
    peer.read_exact(&mut received).await.unwrap();
    // All bytes are written, but the second caller waits until the first one has noticed that.
    assert!(poll_once(second.as_mut()).is_pending());
    first.await.unwrap();
    second.await.unwrap();
}

#[tokio::test]
async fn closing_flushes_what_was_written_before() {
    let (mut reader, writer, mut peer) = connection(WireFormat::SimpleJson, 64);
    let large = Message::new(&"x".repeat(4 * 1024 * 1024));
    writer.write(&large).unwrap();
    let mut closing = pin!(writer.close());
    assert!(poll_once(closing.as_mut()).is_pending());
    assert!(!writer.is_connected());
    assert!(is_closed_here(&writer.write(&Message::PING)));
    assert!(is_closed_here(&writer.write_many([&Message::PING])));
    assert!(is_closed_here(&writer.write_raw(Bytes::from_static(b"x"), 1)));
    assert!(is_closed_here(&writer.send(&Message::PING).await));
    assert!(is_closed_here(&writer.send_raw(Bytes::from_static(b"x"), 1).await));
    assert!(is_closed_here(&writer.drain().await));
    let mut received = String::new();
    let (read, ()) = tokio::join!(peer.read_to_string(&mut received), closing);
    read.unwrap();
    assert_eq!(received, format!("{large}\n"));
    // Further messages of the peer are dropped, but its end is not.
    peer.write_all(b"{\"command\":\"late\"}\nnonsense\n").await.unwrap();
    drop(peer);
    assert!(matches!(reader.read().await, Err(Error::Disconnected(Disconnected::Here))));
    writer.close().await;
}

#[tokio::test]
async fn aborting_drops_waiting_bytes_and_wakes_all_tasks() {
    let (mut reader, writer, mut peer) = connection(WireFormat::SimpleJson, 64);
    let large = Message::new(&"x".repeat(1000));
    let mut sending = pin!(writer.send(&large));
    let mut turn = pin!(writer.drain());
    let mut reading = Box::pin(reader.read());
    assert!(poll_once(sending.as_mut()).is_pending());
    assert!(poll_once(turn.as_mut()).is_pending());
    assert!(poll_once(reading.as_mut()).is_pending());
    writer.abort();
    writer.close().await;
    assert!(is_closed_here(&sending.await));
    assert!(is_closed_here(&turn.await));
    assert!(matches!(reading.await, Err(Error::Disconnected(Disconnected::Here))));
    drop(reader);
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.unwrap();
    assert_eq!(received.len(), 64);
}

#[tokio::test]
async fn empty_pieces_can_be_sent() {
    let (_reader, writer, mut peer) = connection(WireFormat::SimpleJson, 64);
    writer.send_raw(Bytes::new(), 0).await.unwrap();
    let pieces = ["", "a", "", "", "b", ""].map(|piece| Bytes::from_static(piece.as_bytes()));
    assert!(writer.try_write(&pieces, 1).unwrap());
    let mut received = [0; 2];
    peer.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"ab");
}

#[tokio::test]
async fn failed_write_ends_the_connection() {
    let (mut reader, writer, peer) = connection(WireFormat::SimpleJson, 64);
    drop(peer);
    assert!(matches!(writer.send(&Message::PING).await, Err(Error::Disconnected(Disconnected::Lost(_)))));
    assert!(!writer.is_connected());
    assert!(matches!(reader.read().await, Err(Error::Disconnected(_))));
    writer.close().await;
}

/// A message that JSON cannot express.
struct Unencodable;

impl Encode for Unencodable {
    fn heartbeat(&self) -> Option<Heartbeat> {
        None
    }

    fn is_only_heartbeat(&self) -> bool {
        false
    }

    fn write_json(&self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError::NotRepresentable("a test".to_owned()))
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_encoded_queues_nothing() {
    for format in WireFormat::ALL {
        let (here, _peer) = duplex(10_000);
        let settings = Settings::new(format);
        let sent = Arc::clone(&settings.sent);
        let (_reader, writer) = open(here, settings);
        let messages: [&dyn Encode; 2] = [&Message::PING, &Unencodable];
        for refused in [
            writer.write(&Unencodable),
            writer.write_many(messages),
            writer.send(&Unencodable).await,
            writer.send_many(messages).await,
        ] {
            assert!(matches!(refused, Err(Error::Encode(EncodeError::NotRepresentable(_)))), "{refused:?}");
        }
        assert_eq!((writer.waiting(), sent.count(format)), (0, 0), "{format}");
        assert!(writer.is_connected());
        // The connection is checked before the message is encoded.
        writer.abort();
        assert!(is_closed_here(&writer.write(&Unencodable)));
        assert!(is_closed_here(&writer.write_many(messages)));
        assert!(is_closed_here(&writer.send(&Unencodable).await));
        assert!(is_closed_here(&writer.send_many(messages).await));
    }
}

#[tokio::test]
async fn outbox_has_a_limit_and_refuses_whole_messages() {
    let (here, mut peer) = duplex(10);
    let settings = Settings { outbox_limit: 1000, ..Settings::new(WireFormat::SimpleJson) };
    let sent = Arc::clone(&settings.sent);
    let (_reader, writer) = open(here, settings);
    let part = message(&format!(r#"{{"x":"{}"}}"#, "x".repeat(289)));
    let mut taken = 0;
    let error = loop {
        match writer.write(&part) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::OutboxFull(OutboxFull { limit: 1000, .. })), "{error:?}");
    assert_eq!(taken, 3);
    assert_eq!(sent.count(WireFormat::SimpleJson), 3);
    assert!(writer.is_connected());
    let mut received = vec![0; 3 * (part.as_str().len() + 1)];
    peer.read_exact(&mut received).await.unwrap();
    assert_eq!(String::from_utf8(received).unwrap(), format!("{part}\n").repeat(3));
    writer.drain().await.unwrap();
    writer.write(&part).unwrap();
}

#[tokio::test]
async fn every_message_counts_once() {
    let sent = Arc::new(SentMessages::default());
    for format in WireFormat::ALL {
        let (here, _peer) = duplex(10_000);
        let (_reader, writer) = open(here, Settings { sent: Arc::clone(&sent), ..Settings::new(format) });
        writer.write(&Message::PING).unwrap();
        writer.send(&Message::PING).await.unwrap();
        writer.write_many([&Message::PING, &Message::PONG]).unwrap();
        writer.send_many([&Message::PING, &Message::PONG, &Message::PING]).await.unwrap();
        writer.write_many::<Message>([]).unwrap();
        writer.write_raw(Bytes::from_static(b"two frames"), 2).unwrap();
        writer.abort();
        writer.write(&Message::PING).unwrap_err();
        assert_eq!(sent.count(format), 9);
    }
}

#[tokio::test]
async fn lost_incomplete_and_malformed_are_distinguished() {
    async fn outcome(format: WireFormat, bytes: &[u8]) -> Error {
        let (mut reader, _writer, mut peer) = connection(format, 10_000);
        peer.write_all(bytes).await.unwrap();
        drop(peer);
        reader.read().await.unwrap_err()
    }
    let half_frame = &websocket::encode_masked(&Message::PING, [1; 4]).unwrap()[..9];
    for (format, half, broken) in [
        (WireFormat::QDataStream, &b"\0\0\0\x0C\0\0\0\x08\0P"[..], &b"\0\0\0\x04\0\0\0\0"[..]),
        (WireFormat::SimpleJson, b"{\"command\":\"pi", b"nonsense\n"),
        (WireFormat::WebSocket, half_frame, b"\x81\x02{}"),
    ] {
        assert!(matches!(outcome(format, b"").await, Error::Disconnected(Disconnected::ByPeer)), "{format}");
        assert!(matches!(outcome(format, half).await, Error::Incomplete(_)), "{format}");
        let malformed = outcome(format, broken).await;
        assert!(
            matches!(malformed, Error::Malformed(DecodeError::Malformed { .. })),
            "{format}: {malformed:?}"
        );
    }
}

#[tokio::test]
async fn last_line_without_end_is_still_a_message() {
    let (mut reader, _writer, mut peer) = connection(WireFormat::SimpleJson, 100);
    peer.write_all(b"{\"command\":\"ping\"}").await.unwrap();
    drop(peer);
    assert_eq!(reader.read().await.unwrap(), Message::PING);
    assert!(matches!(reader.read().await, Err(Error::Disconnected(Disconnected::ByPeer))));
    assert!(matches!(reader.read().await, Err(Error::Disconnected(Disconnected::ByPeer))));
}

#[tokio::test]
async fn message_that_was_too_large_can_be_read_under_a_higher_limit() {
    for format in WireFormat::ALL {
        let (here, mut peer) = duplex(10_000);
        let limits = Limits { message: 200, ..Limits::default() };
        let (mut reader, _writer) = open(here, Settings { limits, ..Settings::new(format) });
        let large = message(&format!(r#"{{"large":"{}"}}"#, "x".repeat(1000)));
        for message in [&Message::PING, &large, &large, &Message::PONG] {
            let frame = match format {
                WireFormat::WebSocket => websocket::encode_masked(message, [7; 4]).unwrap(),
                other => other.encode(message).unwrap(),
            };
            peer.write_all(&frame).await.unwrap();
        }
        assert_eq!(reader.read().await.unwrap(), Message::PING);
        for _ in 0..2 {
            let refused = reader.read().await;
            assert!(
                matches!(refused, Err(Error::Malformed(DecodeError::TooLarge { limit: 200, .. }))),
                "{format}: {refused:?}"
            );
        }
        reader.set_message_limit(10_000);
        assert_eq!(reader.read().await.unwrap(), large);
        assert_eq!(reader.read().await.unwrap(), large);
        reader.set_message_limit(200);
        assert_eq!(reader.read().await.unwrap(), Message::PONG);
    }
}

#[tokio::test]
async fn reading_can_be_cancelled() {
    let (mut reader, _writer, mut peer) = connection(WireFormat::SimpleJson, 100);
    for part in ["{\"comm", "and\":\"pi", "ng\"}", "\n"] {
        assert!(poll_once(pin!(reader.read())).is_pending());
        peer.write_all(part.as_bytes()).await.unwrap();
    }
    assert_eq!(reader.read().await.unwrap(), Message::PING);
}

#[tokio::test]
async fn websocket_pings_are_answered_between_messages() {
    let (mut reader, writer, mut peer) = connection(WireFormat::WebSocket, 1000);
    peer.write_all(&Control::Ping(Bytes::from_static(b"are you there")).encode(Some([5; 4]))).await.unwrap();
    peer.write_all(&websocket::encode_masked(&Message::PING, [6; 4]).unwrap()).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Message::PING);
    let expected = Control::Pong(Bytes::from_static(b"are you there")).encode(None);
    let mut received = vec![0; expected.len()];
    peer.read_exact(&mut received).await.unwrap();
    assert_eq!(received, expected);
    writer.close().await;
}

/// Nothing is lost, but a peer that sends many inputs without messages is read slowly, even if they
/// arrive at once.
#[tokio::test(start_paused = true)]
async fn empty_inputs_are_read_slowly() {
    const PAUSE: Duration = Duration::from_millis(100);
    let mask = Some([5; 4]);
    let ping = Control::Ping(Bytes::new()).encode(mask);
    let pong = Control::Pong(Bytes::new()).encode(mask);
    let last = websocket::encode_masked(&Message::PING, [6; 4]).unwrap();
    // The first fragment of a message, many empty ones, and the last.
    let (first, empty) = (b"\x01\x80\x01\x02\x03\x04", b"\x00\x80\x01\x02\x03\x04");
    let end = [&[0x80], &last[1..]].concat();
    for (talk, pauses) in [
        ([&ping.repeat(3000)[..], &last].concat(), 29),
        ([&pong.repeat(3000)[..], &last].concat(), 29),
        ([&first[..], &empty.repeat(600_000), &end].concat(), 2),
    ] {
        let (mut reader, _writer, mut peer) = connection(WireFormat::WebSocket, 4_000_000);
        let began = Instant::now();
        peer.write_all(&talk).await.unwrap();
        assert_eq!(reader.read().await.unwrap(), Message::PING);
        let passed = began.elapsed();
        assert!(passed >= pauses * PAUSE && passed < (pauses + 2) * PAUSE, "{passed:?}");
    }
}

#[tokio::test]
async fn reading_a_large_message_lets_other_tasks_run() {
    let (mut reader, _writer, mut peer) = connection(WireFormat::SimpleJson, 2_000_000);
    let message = message(&format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000_000)));
    peer.write_all(&WireFormat::SimpleJson.encode(&message).unwrap()).await.unwrap();
    let mut turns = 0;
    let read = poll_fn(|cx| {
        turns += 1;
        reader.poll_read(cx)
    });
    assert_eq!(read.await.unwrap(), message);
    assert!((60..70).contains(&turns), "{turns}");
}

/// A ping counts once, even if it arrives alone.
#[tokio::test(start_paused = true)]
async fn pings_below_the_limit_are_answered_at_once() {
    let (mut reader, _writer, mut peer) = connection(WireFormat::WebSocket, 1000);
    let began = Instant::now();
    let pings = async {
        for _ in 0..90 {
            peer.write_all(&Control::Ping(Bytes::new()).encode(Some([5; 4]))).await.unwrap();
            peer.read_exact(&mut [0; 2]).await.unwrap();
        }
        peer.write_all(&websocket::encode_masked(&Message::PING, [6; 4]).unwrap()).await.unwrap();
    };
    let (read, ()) = tokio::join!(reader.read(), pings);
    assert_eq!(read.unwrap(), Message::PING);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn websocket_close_frames_are_exchanged() {
    // The peer begins.
    let (mut reader, writer, mut peer) = connection(WireFormat::WebSocket, 1000);
    peer.write_all(&Control::Close { code: Some(1001), reason: "away".to_owned() }.encode(Some([5; 4])))
        .await
        .unwrap();
    assert!(matches!(reader.read().await, Err(Error::Disconnected(Disconnected::ByPeer))));
    writer.close().await;
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.unwrap();
    // The answer has the peer's code.
    assert_eq!(received, b"\x88\x02\x03\xE9");

    // This side begins.
    let (mut reader, writer, mut peer) = connection(WireFormat::WebSocket, 1000);
    writer.write(&Message::PONG).unwrap();
    writer.close().await;
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, [b"\x81\x13{\"command\":\"pong\"}\n", &websocket::CLOSE_FRAME[..]].concat());
    peer.write_all(&Control::Close { code: Some(1000), reason: String::new() }.encode(Some([5; 4])))
        .await
        .unwrap();
    assert!(matches!(reader.read().await, Err(Error::Disconnected(Disconnected::Here))));
}

#[tokio::test]
async fn close_frame_has_code_and_reason() {
    // Only the first reason has an effect, and it is cut between two characters.
    let (_reader, writer, mut peer) = connection(WireFormat::WebSocket, 1000);
    writer.set_ending(CloseCode::GoingAway, &"é".repeat(100));
    writer.set_ending(CloseCode::Policy, "another");
    writer.close().await;
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, Control::close(CloseCode::GoingAway, &"é".repeat(61)).encode(None));

    for (bytes, code) in [
        (&b"\x81\x02{}"[..], CloseCode::ProtocolError),
        (b"\xC1\x80\0\0\0\0", CloseCode::ProtocolError),
        (b"\x88\x82\0\0\0\0\x03\xEE", CloseCode::ProtocolError),
        (b"\x81\x82\0\0\0\0\xFFx", CloseCode::InvalidData),
        (b"\x81\x81\0\0\0\0x", CloseCode::InvalidData),
        (b"\x81\x81\0\0\0\x001", CloseCode::Unsupported),
    ] {
        let (mut reader, writer, mut peer) = connection(WireFormat::WebSocket, 1000);
        peer.write_all(bytes).await.unwrap();
        let error = reader.read().await.unwrap_err();
        // Further input is read and dropped, so that the peer can read the reason.
        peer.write_all(b"\x81\x82\0\0\0\0{}").await.unwrap();
        writer.close().await;
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, Control::close(code, &error.to_string()).encode(None), "{bytes:?}");
        drop(peer);
        assert!(matches!(reader.read().await, Err(Error::Disconnected(_))));
    }
}

#[tokio::test]
async fn peer_that_sends_binary_messages_receives_binary_messages() {
    let (mut reader, writer, mut peer) = connection(WireFormat::WebSocket, 1000);
    let mut first_byte = async |frame: &[u8]| {
        peer.write_all(frame).await.unwrap();
        let Ok(_) = reader.read().await else { panic!("a message") };
        writer.send(&Message::PONG).await.unwrap();
        let mut received = [0; 21];
        peer.read_exact(&mut received).await.unwrap();
        received[0]
    };
    assert_eq!(first_byte(b"\x81\x82\0\0\0\0{}").await, 0x81);
    assert_eq!(first_byte(b"\x82\x82\0\0\0\0{}").await, 0x82);
    assert_eq!(first_byte(b"\x81\x82\0\0\0\0{}").await, 0x82);
}

#[tokio::test]
async fn peer_that_keeps_sending_after_the_close_is_aborted() {
    for format in WireFormat::ALL {
        let (mut reader, writer, mut peer) = connection(format, 64 * 1024);
        writer.close().await;
        let flood = tokio::spawn(async move {
            let message = match format {
                WireFormat::WebSocket => websocket::encode_masked(&Message::PING, [6; 4]).unwrap(),
                _ => format.encode(&Message::PING).unwrap(),
            };
            let messages = message.repeat(64 * 1024 / message.len());
            let mut sent = 0;
            while sent < 32 * 1024 * 1024 && peer.write_all(&messages).await.is_ok() {
                sent += messages.len();
            }
            sent
        });
        assert!(reader.read().await.is_err());
        drop(reader);
        let sent = flood.await.unwrap();
        assert!(
            sent > 10 * 1024 * 1024,
            "{format}: a peer inside a message must be able to read the last one"
        );
        assert!(sent < 17 * 1024 * 1024, "{format}: {sent} bytes were read");
    }
}

#[tokio::test]
async fn peer_that_does_not_read_pongs_is_not_read() {
    let (here, mut peer) = duplex(64);
    let (mut reader, writer) = open(here, Settings::new(WireFormat::WebSocket));
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let flood = tokio::spawn(async move {
        let ping = Control::Ping(Bytes::from(vec![0; 125])).encode(Some([0; 4]));
        while peer.write_all(&ping).await.is_ok() {
            counter.fetch_add(ping.len(), Ordering::Relaxed);
        }
    });
    let mut reading = pin!(reader.read());
    for _ in 0..100_000 {
        assert!(poll_once(reading.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    assert!(sent.load(Ordering::Relaxed) < 100_000, "{sent:?} bytes of pings were read");
    flood.abort();
    assert!(matches!(reading.await, Err(Error::Disconnected(Disconnected::Lost(_)))));
    assert!(!writer.is_connected());
}

#[tokio::test]
async fn peer_that_reads_a_long_message_slowly_is_still_read_and_its_pings_are_answered() {
    let (here, mut peer) = duplex(1000);
    let (mut reader, writer) = open(here, Settings::new(WireFormat::WebSocket));
    let long = Bytes::from(vec![b'x'; 2 * 1024 * 1024]);
    assert!(!writer.try_write(std::slice::from_ref(&long), 1).unwrap());
    let ping = Control::Ping(Bytes::from_static(b"?")).encode(Some([0; 4]));
    for _ in 0..10 {
        peer.write_all(&ping).await.unwrap();
    }
    peer.write_all(&websocket::encode_masked(&Message::PING, [0; 4]).unwrap()).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Message::PING);
    let mut received = vec![0; long.len()];
    peer.read_exact(&mut received).await.unwrap();
    assert!(received == long);
    let mut pongs = [0; 30];
    peer.read_exact(&mut pongs).await.unwrap();
    assert_eq!(pongs[..], *b"\x8a\x01?".repeat(10));
    assert_eq!(writer.taken(), (long.len() - 1000 + 30) as u64);
}
