//! The memory that connections share for large messages, over streams in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use faf_connection::{Error, FREE, LargeMessages, Late, Reader, Settings, Writer, open};
use faf_protocol::{Limits, Message, WireFormat, websocket};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

const SECOND: Duration = Duration::from_secs(1);

/// What a stream in memory holds that has not been read.
const ROOM: usize = 1024;

/// A connection that shares an allowance, and its peer.
fn connection(format: WireFormat, large_messages: &Arc<LargeMessages>) -> (Reader, Writer, DuplexStream) {
    let (here, there) = duplex(ROOM);
    let large_messages = Some(Arc::clone(large_messages));
    let limits = Limits { message: 200_000, ..Limits::default() };
    let (reader, writer) = open(here, Settings { large_messages, limits, ..Settings::new(format) });
    (reader, writer, there)
}

fn message(bytes: usize) -> Message {
    Message::new(&"x".repeat(bytes))
}

/// A message that takes about so many bytes in this format.
fn message_of(format: WireFormat, bytes: usize) -> Message {
    message(if format == WireFormat::QDataStream { bytes / 2 } else { bytes })
}

fn frame(format: WireFormat, message: &Message) -> Bytes {
    match format {
        WireFormat::WebSocket => websocket::encode_masked(message, [1, 2, 3, 4]).unwrap(),
        other => other.encode(message).unwrap(),
    }
}

/// Sends bytes as fast as they are read, and counts what has been taken.
fn send(mut peer: DuplexStream, bytes: Bytes) -> Arc<AtomicUsize> {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        for part in bytes.chunks(100) {
            peer.write_all(part).await.unwrap();
            counter.fetch_add(part.len(), Ordering::Relaxed);
        }
        // The end is not what is tested.
        std::future::pending::<()>().await;
    });
    sent
}

/// Lets all tasks do what they can, for which paused time has to pass.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_allowance_is_not_read_from_and_small_messages_go_on() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(200 * 1024, 60 * SECOND);
        let (mut first, _writer, peer) = connection(format, &all);
        let large = message_of(format, 120_000);
        send(peer, frame(format, &large));
        assert_eq!(first.read().await.unwrap(), large);
        // It is dealt with, and holds what it has taken.
        let taken = all.taken();
        assert!(taken > 120_000, "{format}: {taken}");
        let (mut second, _writer, peer) = connection(format, &all);
        let sent = send(peer, frame(format, &message_of(format, 120_000)));
        let second = tokio::spawn(async move { second.read().await.map(|_| second) });
        settle().await;
        let received = sent.load(Ordering::Relaxed);
        assert!((FREE..=FREE + ROOM).contains(&received), "{format}: {received}");
        assert!(!second.is_finished(), "{format}");
        let (mut third, _writer, peer) = connection(format, &all);
        send(peer, frame(format, &message(5_000)));
        assert_eq!(third.read().await.unwrap(), message(5_000));
        first.give_back();
        let mut second = second.await.unwrap().unwrap();
        assert!(all.taken() > 0);
        second.give_back();
        assert_eq!(all.taken(), 0, "{format}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_large_messages_at_once_are_all_read() {
    const ALL: usize = 450 * 1024;
    let all = LargeMessages::new(ALL, 3600 * SECOND);
    let mut readers = tokio::task::JoinSet::new();
    let (mut sent, delivered) = (Vec::new(), Arc::new(AtomicUsize::new(0)));
    for number in 0..60 {
        let format = WireFormat::ALL[number % 3];
        let (mut reader, writer, peer) = connection(format, &all);
        let messages = [190_000, 100, 50_000].map(|bytes| message_of(format, bytes));
        let frames = messages.each_ref().map(|message| frame(format, message));
        sent.push(send(peer, frames.concat().into()));
        let delivered = Arc::clone(&delivered);
        readers.spawn(async move {
            let _writer = writer;
            for (expected, frame) in messages.into_iter().zip(frames) {
                assert_eq!(reader.read().await.unwrap(), expected);
                delivered.fetch_add(frame.len(), Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
    }
    let watched = tokio::spawn(async move {
        loop {
            tokio::task::yield_now().await;
            assert!(all.taken() <= ALL);
            let sent: usize = sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum();
            let kept = sent - delivered.load(Ordering::Relaxed);
            assert!(
                kept <= ALL + 60 * (FREE + ROOM),
                "{kept} bytes have been taken from peers and are no messages yet"
            );
            if kept == 0 {
                return all.taken();
            }
        }
    });
    readers.join_all().await;
    assert_eq!(watched.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_must_be_complete_in_time() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(200 * 1024, 60 * SECOND);
        let (mut slow, _writer, mut peer) = connection(format, &all);
        let bytes = frame(format, &message_of(format, 150_000));
        tokio::spawn(async move {
            for byte in bytes {
                peer.write_all(&[byte]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let began = tokio::time::Instant::now();
        let late = slow.read().await;
        assert!(matches!(late, Err(Error::Late(Late))), "{format}: {late:?}");
        // What is free may take as long as it takes.
        let free = Duration::from_millis(FREE as u64 - 1);
        assert!((60 * SECOND + free..61 * SECOND + free).contains(&began.elapsed()), "{:?}", began.elapsed());
        let (mut next, _writer, peer) = connection(format, &all);
        send(peer, frame(format, &message(80_000)));
        let next = tokio::spawn(async move { next.read().await });
        settle().await;
        drop(slow);
        assert_eq!(next.await.unwrap().unwrap(), message(80_000));
    }
}

#[tokio::test(start_paused = true)]
async fn lines_that_come_in_one_websocket_message_are_read_as_they_come() {
    let all = LargeMessages::new(300 * 1024, 60 * SECOND);
    let (mut reader, _writer, peer) = connection(WireFormat::WebSocket, &all);
    let lines = format!("{}\n", message(8_000)).repeat(20);
    let length = (lines.len() as u64).to_be_bytes();
    // A mask of zeros changes nothing.
    send(peer, [&[0x81, 0x80 | 127][..], &length, &[0; 4], lines.as_bytes()].concat().into());
    for _ in 0..20 {
        assert_eq!(reader.read().await.unwrap(), message(8_000));
        assert_eq!(all.taken(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_aborted_waits_no_longer() {
    let all = LargeMessages::new(200 * 1024, 60 * SECOND);
    let (mut first, _writer, peer) = connection(WireFormat::SimpleJson, &all);
    send(peer, frame(WireFormat::SimpleJson, &message(20_000)));
    first.read().await.unwrap();
    let (mut second, writer, peer) = connection(WireFormat::SimpleJson, &all);
    send(peer, frame(WireFormat::SimpleJson, &message(20_000)));
    let second = tokio::spawn(async move { second.read().await });
    settle().await;
    assert!(!second.is_finished());
    writer.abort();
    assert!(matches!(second.await.unwrap(), Err(Error::Disconnected(_))));
}

#[tokio::test(start_paused = true)]
async fn a_higher_limit_takes_more() {
    let (strangers, players) =
        (LargeMessages::new(50 * 1024, SECOND), LargeMessages::new(300 * 1024, SECOND));
    for format in WireFormat::ALL {
        let (mut reader, _writer, peer) = connection(format, &strangers);
        reader.set_message_limit(30_000);
        send(peer, frame(format, &message(80_000)));
        assert!(matches!(reader.read().await, Err(Error::Malformed(_))));
        reader.set_message_limit(200_000);
        reader.set_large_messages(Arc::clone(&players));
        assert_eq!(strangers.taken(), 0);
        assert_eq!(reader.read().await.unwrap(), message(80_000));
        assert!(players.taken() > 80_000);
        drop(reader);
        assert_eq!(players.taken(), 0);
    }
}
