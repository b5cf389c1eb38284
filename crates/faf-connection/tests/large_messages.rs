//! The memory that connections share for large messages, over streams in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use faf_connection::running_time::simulate_stop;
use faf_connection::{
    Error, FREE, LargeMessages, Late, PATIENCE, Reader, Settings, Share, WINDOW, Writer, open,
};
use faf_protocol::{Limits, Message, WireFormat, websocket};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

const SECOND: Duration = Duration::from_secs(1);

/// The largest message, in bytes.
const LARGEST: usize = 200_000;

/// How fast large messages must come, in bytes a second.
const RATE: usize = 500;

/// What a stream in memory holds that has not been read.
const ROOM: usize = 1024;

/// What stands in front of a long WebSocket message of a client.
const FRAME_HEADER: usize = 14;

/// A connection that shares an allowance, and its peer.
fn connection(format: WireFormat, large_messages: &Arc<LargeMessages>) -> (Reader, Writer, DuplexStream) {
    let (here, there) = duplex(ROOM);
    let large_messages = Some(Share { of: Arc::clone(large_messages), address: None });
    let limits = Limits { message: LARGEST, ..Limits::default() };
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
async fn whoever_waits_for_memory_is_not_read_from_and_others_go_on() {
    for format in WireFormat::ALL {
        // For one message of each size.
        let all = LargeMessages::new(0, LARGEST, RATE);
        let (mut first, _writer, peer) = connection(format, &all);
        let large = message_of(format, 140_000);
        send(peer, frame(format, &large));
        assert_eq!(first.read().await.unwrap(), large);
        // It is dealt with, and holds what it has taken.
        let taken = all.taken();
        assert!((140_000..=LARGEST + 50).contains(&taken), "{format}: {taken}");
        let (mut second, _writer, peer) = connection(format, &all);
        let sent = send(peer, frame(format, &message_of(format, 150_000)));
        let second = tokio::spawn(async move { second.read().await.map(|_| second) });
        settle().await;
        // It has got as far as there is memory for it.
        let (received, part) = (sent.load(Ordering::Relaxed), 128 * 1024);
        // The header of a frame is not kept.
        let most = part + ROOM + if format == WireFormat::WebSocket { FRAME_HEADER } else { 0 };
        assert!((part..=most).contains(&received), "{format}: {received}");
        assert!(!second.is_finished(), "{format}");
        // Smaller ones have memory of their own, and those that are smaller still need none.
        for bytes in [25_000, 5_000] {
            let (mut third, _writer, peer) = connection(format, &all);
            let smaller = message_of(format, bytes);
            send(peer, frame(format, &smaller));
            assert_eq!(third.read().await.unwrap(), smaller);
        }
        first.release_memory();
        let mut second = second.await.unwrap().unwrap();
        assert!(all.taken() > 0);
        second.release_memory();
        assert_eq!(all.taken(), 0, "{format}");
    }
}

/// It takes memory as it comes, whatever it says it becomes.
#[tokio::test(start_paused = true)]
async fn whoever_announces_much_and_sends_little_keeps_little() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(1024 * 1024, LARGEST, RATE);
        let mut begun = Vec::new();
        for _ in 0..5 {
            let (mut reader, writer, peer) = connection(format, &all);
            let part = frame(format, &message_of(format, 190_000)).slice(..20_000);
            send(peer, part);
            begun.push((writer, tokio::spawn(async move { reader.read().await.map(drop) })));
        }
        settle().await;
        assert_eq!(all.taken(), 5 * 32 * 1024, "{format}");
        for (_, reading) in begun {
            assert!(matches!(reading.await.unwrap(), Err(Error::Late(Late))), "{format}");
        }
        assert_eq!(all.taken(), 0);
    }
}

/// The rest of a message that came when the connection was closed here is discarded, and what it
/// has taken goes back at once.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_discarded_gives_its_memory_back_and_is_not_late() {
    for format in [WireFormat::QDataStream, WireFormat::SimpleJson] {
        let all = LargeMessages::new(1024 * 1024, LARGEST, RATE);
        let (mut reader, writer, peer) = connection(format, &all);
        send(peer, frame(format, &message_of(format, 190_000)).slice(..20_000));
        let mut read_for = async |time| tokio::time::timeout(time, reader.read()).await;
        assert!(read_for(SECOND).await.is_err(), "{format}");
        assert_eq!(all.taken(), 32 * 1024, "{format}");
        writer.start_close();
        assert!(read_for(SECOND).await.is_err(), "{format}");
        assert_eq!(all.taken(), 0, "{format}");
        assert!(read_for(WINDOW * (PATIENCE + 1)).await.is_err(), "{format}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_large_messages_at_once_are_all_read() {
    const ALL: usize = 450 * 1024;
    let all = LargeMessages::new(ALL, LARGEST, RATE);
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

/// Sends a message byte by byte, so many a second, the first 30,000 at once.
fn send_slowly(mut peer: DuplexStream, bytes: Bytes, rate: u32) {
    tokio::spawn(async move {
        peer.write_all(&bytes[..30_000]).await.unwrap();
        for byte in &bytes[30_000..] {
            tokio::time::sleep(SECOND / rate).await;
            // Whoever is too slow is cut off.
            if peer.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    });
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_sending_may_take_as_long_as_it_takes() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(0, LARGEST, RATE);
        let (mut slow, _writer, peer) = connection(format, &all);
        let large = message_of(format, 150_000);
        send_slowly(peer, frame(format, &large), 1000);
        // Somebody else waits for the memory all the time.
        let (mut next, _writer, peer) = connection(format, &all);
        let next_large = message_of(format, 160_000);
        send(peer, frame(format, &next_large));
        let next = tokio::spawn(async move { next.read().await });
        assert_eq!(slow.read().await.unwrap(), large, "{format}");
        drop(slow);
        assert_eq!(next.await.unwrap().unwrap(), next_large, "{format}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_too_slow_goes_sooner_if_somebody_waits() {
    for (format, waits) in WireFormat::ALL.into_iter().flat_map(|format| [(format, false), (format, true)]) {
        for rate in [1, 400] {
            let all = LargeMessages::new(0, LARGEST, RATE);
            let (mut slow, _writer, peer) = connection(format, &all);
            let large = frame(format, &message_of(format, 150_000));
            send_slowly(peer, large, rate);
            let began = tokio::time::Instant::now();
            let slow = tokio::spawn(async move { slow.read().await });
            let (mut next, _writer, peer) = connection(format, &all);
            if waits {
                settle().await;
                send(peer, frame(format, &message_of(format, 30_000)));
            }
            let next = tokio::spawn(async move { next.read().await });
            let late = slow.await.unwrap();
            assert!(matches!(late, Err(Error::Late(Late))), "{format}: {late:?}");
            let windows = if waits { 1..=2 } else { PATIENCE..=PATIENCE + 1 };
            let took = began.elapsed();
            assert!(
                (WINDOW * *windows.start()..WINDOW * *windows.end() + SECOND).contains(&took),
                "{format} {waits} {rate}: {took:?}"
            );
            match waits {
                true => drop(next.await.unwrap().unwrap()),
                false => next.abort(),
            }
            assert_eq!(all.taken(), 0);
        }
    }
}

/// Messages that are larger than anything useful wait for each other, but not with memory that
/// smaller ones need.
#[tokio::test(start_paused = true)]
async fn whoever_waits_for_much_gives_way_to_smaller_ones() {
    const MIB: usize = 1024 * 1024;
    let all = LargeMessages::new(0, 10 * MIB, RATE);
    let connection = || {
        let (here, there) = duplex(MIB);
        let large_messages = Some(Share { of: Arc::clone(&all), address: None });
        let (reader, writer) =
            open(here, Settings { large_messages, ..Settings::new(WireFormat::SimpleJson) });
        (reader, writer, there)
    };
    let large = frame(WireFormat::SimpleJson, &message(3 * MIB / 2));
    // The first has the only part for 2 MiB, and the second waits for it with one for 512 KiB.
    let (mut first, _writer, peer) = connection();
    send(peer, large.clone());
    first.read().await.unwrap();
    let (mut second, _writer, peer) = connection();
    send(peer, large);
    let second = tokio::spawn(async move { second.read().await.map(drop) });
    tokio::time::sleep(10 * WINDOW).await;
    assert!(!second.is_finished());
    let (mut third, _writer, peer) = connection();
    send(peer, frame(WireFormat::SimpleJson, &message(200_000)));
    assert_eq!(third.read().await.unwrap(), message(200_000));
    assert!(matches!(second.await.unwrap(), Err(Error::Late(Late))));
}

/// What came while the process did not run is read before anybody is late.
#[tokio::test(start_paused = true)]
async fn a_process_that_is_stopped_finds_nobody_late() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(0, LARGEST, RATE);
        let (mut reader, _writer, mut peer) = connection(format, &all);
        let large = message_of(format, 150_000);
        let bytes = frame(format, &large);
        let reading = tokio::spawn(async move { reader.read().await });
        peer.write_all(&bytes[..40_000]).await.unwrap();
        settle().await;
        for part in bytes[40_000..].chunks(20_000) {
            simulate_stop(3600 * SECOND);
            tokio::time::advance(3600 * SECOND).await;
            settle().await;
            peer.write_all(part).await.unwrap();
        }
        assert_eq!(reading.await.unwrap().unwrap(), large, "{format}");
    }
}

#[tokio::test(start_paused = true)]
async fn lines_that_come_in_one_websocket_message_are_read_as_they_come() {
    let all = LargeMessages::new(300 * 1024, LARGEST, RATE);
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
    let all = LargeMessages::new(0, LARGEST, RATE);
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
        (LargeMessages::new(50 * 1024, 30_000, RATE), LargeMessages::new(300 * 1024, LARGEST, RATE));
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
