//! The memory that connections share for large messages, over streams in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use faf_connection::running_time::simulate_stop;
use faf_connection::{
    Error, LATE_WINDOWS, LargeMessages, Late, RATE_WINDOW, Reader, Settings, Share, UNSHARED_MESSAGE_BYTES,
    Writer, open,
};
use faf_protocol::{Limits, Message, WireFormat, websocket};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

const SECOND: Duration = Duration::from_secs(1);

/// The largest message, in bytes.
const LARGEST: usize = 200_000;

/// Least rate of large messages, in bytes a second.
const RATE: usize = 500;

/// Unread bytes that a stream in memory holds.
const STREAM_BYTES: usize = 1024;

/// Size of the header of a client's long WebSocket message.
const FRAME_HEADER_BYTES: usize = 14;

/// A connection that shares memory for large messages, and its peer.
fn connection(format: WireFormat, large_messages: &Arc<LargeMessages>) -> (Reader, Writer, DuplexStream) {
    let (here, there) = duplex(STREAM_BYTES);
    let large_messages = Some(Share { of: Arc::clone(large_messages), address: None });
    let limits = Limits { message: LARGEST, ..Limits::default() };
    let (reader, writer) = open(here, Settings { large_messages, limits, ..Settings::new(format) });
    (reader, writer, there)
}

fn message(bytes: usize) -> Message {
    Message::new(&"x".repeat(bytes))
}

/// A message that takes about this number of bytes in this format.
fn message_of(format: WireFormat, bytes: usize) -> Message {
    message(if format == WireFormat::QDataStream { bytes / 2 } else { bytes })
}

fn frame(format: WireFormat, message: &Message) -> Bytes {
    match format {
        WireFormat::WebSocket => websocket::encode_masked(message, [1, 2, 3, 4]).unwrap(),
        other => other.encode(message).unwrap(),
    }
}

/// Sends bytes as fast as they are read, and counts the bytes taken.
fn send(mut peer: DuplexStream, bytes: Bytes) -> Arc<AtomicUsize> {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        for part in bytes.chunks(100) {
            peer.write_all(part).await.unwrap();
            counter.fetch_add(part.len(), Ordering::Relaxed);
        }
        // Keeps the connection open.
        std::future::pending::<()>().await;
    });
    sent
}

/// Lets all tasks run until they wait. The paused time advances for that.
async fn run_tasks() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn connection_that_waits_for_memory_is_not_read_and_others_go_on() {
    for format in WireFormat::ALL {
        // Memory for one message of each size.
        let all = LargeMessages::new(0, LARGEST, RATE);
        let (mut first, _writer, peer) = connection(format, &all);
        let large = message_of(format, 140_000);
        send(peer, frame(format, &large));
        assert_eq!(first.read().await.unwrap(), large);
        // While the message is processed, it holds its memory.
        let taken = all.taken();
        assert!((140_000..=LARGEST + 50).contains(&taken), "{format}: {taken}");
        let (mut second, _writer, peer) = connection(format, &all);
        let sent = send(peer, frame(format, &message_of(format, 150_000)));
        let second = tokio::spawn(async move { second.read().await.map(|_| second) });
        run_tasks().await;
        // The second one was received as far as there is memory for it.
        let (received, block) = (sent.load(Ordering::Relaxed), 128 * 1024);
        // The header of a frame does not count.
        let most =
            block + STREAM_BYTES + if format == WireFormat::WebSocket { FRAME_HEADER_BYTES } else { 0 };
        assert!((block..=most).contains(&received), "{format}: {received}");
        assert!(!second.is_finished(), "{format}");
        // Smaller messages have memory of their own, and still smaller ones need none.
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

/// A message takes memory as it arrives, and not by its announced size.
#[tokio::test(start_paused = true)]
async fn connection_that_announces_much_and_sends_little_takes_little() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(1024 * 1024, LARGEST, RATE);
        let mut begun = Vec::new();
        for _ in 0..5 {
            let (mut reader, writer, peer) = connection(format, &all);
            let part = frame(format, &message_of(format, 190_000)).slice(..20_000);
            send(peer, part);
            begun.push((writer, tokio::spawn(async move { reader.read().await.map(drop) })));
        }
        run_tasks().await;
        assert_eq!(all.taken(), 5 * 32 * 1024, "{format}");
        for (_, reading) in begun {
            assert!(matches!(reading.await.unwrap(), Err(Error::Late(Late))), "{format}");
        }
        assert_eq!(all.taken(), 0);
    }
}

/// When this side closes the connection, an unfinished message is discarded and its memory is
/// released at once.
#[tokio::test(start_paused = true)]
async fn discarded_message_releases_its_memory_and_is_not_late() {
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
        assert!(read_for(RATE_WINDOW * (LATE_WINDOWS + 1)).await.is_err(), "{format}");
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
                kept <= ALL + 60 * (UNSHARED_MESSAGE_BYTES + STREAM_BYTES),
                "{kept} bytes have been received and are not messages yet"
            );
            if kept == 0 {
                return all.taken();
            }
        }
    });
    readers.join_all().await;
    assert_eq!(watched.await.unwrap(), 0);
}

/// Sends the first 30,000 bytes of a message at once, and the others one by one, `rate` per second.
fn send_slowly(mut peer: DuplexStream, bytes: Bytes, rate: u32) {
    tokio::spawn(async move {
        peer.write_all(&bytes[..30_000]).await.unwrap();
        for byte in &bytes[30_000..] {
            tokio::time::sleep(SECOND / rate).await;
            // Fails if the connection was ended for being too slow.
            if peer.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    });
}

#[tokio::test(start_paused = true)]
async fn connection_that_keeps_the_least_rate_may_take_any_time() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(0, LARGEST, RATE);
        let (mut slow, _writer, peer) = connection(format, &all);
        let large = message_of(format, 150_000);
        send_slowly(peer, frame(format, &large), 1000);
        // Another connection waits for the memory all the time.
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
async fn slow_connection_is_ended_sooner_if_another_one_waits() {
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
                run_tasks().await;
                send(peer, frame(format, &message_of(format, 30_000)));
            }
            let next = tokio::spawn(async move { next.read().await });
            let late = slow.await.unwrap();
            assert!(matches!(late, Err(Error::Late(Late))), "{format}: {late:?}");
            let windows = if waits { 1..=2 } else { LATE_WINDOWS..=LATE_WINDOWS + 1 };
            let took = began.elapsed();
            assert!(
                (RATE_WINDOW * *windows.start()..RATE_WINDOW * *windows.end() + SECOND).contains(&took),
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

/// Messages larger than honest ones wait for each other, but must not hold memory that smaller
/// ones need.
#[tokio::test(start_paused = true)]
async fn connection_that_waits_for_a_large_block_gives_way_to_smaller_messages() {
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
    // The first has the only block of 2 MiB, and the second waits for it with one of 512 KiB.
    let (mut first, _writer, peer) = connection();
    send(peer, large.clone());
    first.read().await.unwrap();
    let (mut second, _writer, peer) = connection();
    send(peer, large);
    let second = tokio::spawn(async move { second.read().await.map(drop) });
    tokio::time::sleep(10 * RATE_WINDOW).await;
    assert!(!second.is_finished());
    let (mut third, _writer, peer) = connection();
    send(peer, frame(WireFormat::SimpleJson, &message(200_000)));
    assert_eq!(third.read().await.unwrap(), message(200_000));
    assert!(matches!(second.await.unwrap(), Err(Error::Late(Late))));
}

/// Bytes that arrive while the process does not run are read before a connection counts as late.
#[tokio::test(start_paused = true)]
async fn stop_of_the_process_makes_no_connection_late() {
    for format in WireFormat::ALL {
        let all = LargeMessages::new(0, LARGEST, RATE);
        let (mut reader, _writer, mut peer) = connection(format, &all);
        let large = message_of(format, 150_000);
        let bytes = frame(format, &large);
        let reading = tokio::spawn(async move { reader.read().await });
        peer.write_all(&bytes[..40_000]).await.unwrap();
        run_tasks().await;
        for part in bytes[40_000..].chunks(20_000) {
            simulate_stop(3600 * SECOND);
            tokio::time::advance(3600 * SECOND).await;
            run_tasks().await;
            peer.write_all(part).await.unwrap();
        }
        assert_eq!(reading.await.unwrap().unwrap(), large, "{format}");
    }
}

#[tokio::test(start_paused = true)]
async fn lines_of_one_websocket_message_are_read_as_they_arrive() {
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
async fn aborted_connection_waits_no_longer() {
    let all = LargeMessages::new(0, LARGEST, RATE);
    let (mut first, _writer, peer) = connection(WireFormat::SimpleJson, &all);
    send(peer, frame(WireFormat::SimpleJson, &message(20_000)));
    first.read().await.unwrap();
    let (mut second, writer, peer) = connection(WireFormat::SimpleJson, &all);
    send(peer, frame(WireFormat::SimpleJson, &message(20_000)));
    let second = tokio::spawn(async move { second.read().await });
    run_tasks().await;
    assert!(!second.is_finished());
    writer.abort();
    assert!(matches!(second.await.unwrap(), Err(Error::Disconnected(_))));
}

#[tokio::test(start_paused = true)]
async fn higher_limit_accepts_larger_messages() {
    let (unauthenticated, players) =
        (LargeMessages::new(50 * 1024, 30_000, RATE), LargeMessages::new(300 * 1024, LARGEST, RATE));
    for format in WireFormat::ALL {
        let (mut reader, _writer, peer) = connection(format, &unauthenticated);
        reader.set_message_limit(30_000);
        send(peer, frame(format, &message(80_000)));
        assert!(matches!(reader.read().await, Err(Error::Malformed(_))));
        reader.set_message_limit(200_000);
        reader.set_large_messages(Arc::clone(&players));
        assert_eq!(unauthenticated.taken(), 0);
        assert_eq!(reader.read().await.unwrap(), message(80_000));
        assert!(players.taken() > 80_000);
        drop(reader);
        assert_eq!(players.taken(), 0);
    }
}
