//! Figures of the stream: the time from an append until a reader has the entry, and entries a
//! second with many of them under way. Starts a `nats-server` of its own.
//!
//! `cargo bench -p faf-lobby-nats --bench stream`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by people")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use faf_lobby_nats::{Connection, Limits, Log, LogOptions, Name, Reader, Settings, Subject};
use faf_testkit::services::nats::NatsServer;

const SINGLE: usize = 5000;

/// Entries, and how many of them are under way.
const MANY: u64 = 200_000;
const WINDOW: usize = 1000;

const SIZE: usize = 200;

fn main() {
    // Plain `cargo test` runs benchmarks, too, and must pass without a server.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let server = NatsServer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = Settings { url: server.url(), ..Settings::default() };
        let open = async || Connection::open(settings.clone(), Limits::default()).await.unwrap();
        let (writing, reading) = (open().await, open().await);
        let (log, state) = Log::open_or_create(&writing, LogOptions::default()).await.unwrap();
        let reader_log = Log::open(&reading).await.unwrap().0;
        let mut reader = reader_log.read_from(state.identity, 1);
        println!("{SIZE} bytes an entry, a connection for the writer and another one for the reader");
        single(&log, &mut reader).await;
        let backlog = many(&log, reader, SINGLE as u64).await;
        let begin = Instant::now();
        let mut again = reader_log.read_from(state.identity, 1);
        for _ in 0..backlog {
            again.next().await.unwrap();
        }
        println!("reading a backlog: {:.0} entries a second", backlog as f64 / begin.elapsed().as_secs_f64());
        messages(&writing, &reading).await;
    });
}

/// One append after the other.
async fn single(log: &Log, reader: &mut Reader) {
    let lane = Name::new("bench").unwrap();
    let (mut until_read, mut until_stored) = (Vec::new(), Vec::new());
    for number in 0..SINGLE {
        let begin = Instant::now();
        let pending = log.append(&lane, &format!("s{number}"), Bytes::from(vec![0; SIZE]));
        let (_, stored) = tokio::join!(
            async {
                reader.next().await.unwrap();
                until_read.push(begin.elapsed());
            },
            async { pending.await.map(|_| begin.elapsed()) }
        );
        until_stored.push(stored.unwrap());
    }
    print_percentiles("append until read", until_read);
    print_percentiles("append until acknowledged", until_stored);
}

/// Many appends under way. Returns the number of entries in the stream.
async fn many(log: &Log, mut reader: Reader, first: u64) -> u64 {
    let begin = Instant::now();
    let reading = tokio::spawn(async move {
        for _ in 0..MANY {
            reader.next().await.unwrap();
        }
        assert_eq!((reader.position(), reader.consumers()), (first + MANY + 1, 1));
    });
    let lane = Name::new("bench").unwrap();
    let mut under_way = VecDeque::new();
    for number in 0..MANY {
        if under_way.len() == WINDOW {
            let pending: faf_lobby_nats::Pending = under_way.pop_front().unwrap();
            pending.await.unwrap();
        }
        under_way.push_back(log.append(&lane, &format!("m{number}"), Bytes::from(vec![0; SIZE])));
    }
    for pending in under_way {
        pending.await.unwrap();
    }
    let stored = begin.elapsed();
    reading.await.unwrap();
    let rate = |time: Duration| MANY as f64 / time.as_secs_f64();
    println!(
        "{WINDOW} under way: {:.0} entries a second stored, {:.0} read",
        rate(stored),
        rate(begin.elapsed())
    );
    first + MANY
}

/// Messages that are not kept.
async fn messages(writing: &Connection, reading: &Connection) {
    let mut subscription = reading.subscribe(vec![Subject::All, Subject::Cores]).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        let begin = Instant::now();
        writing.publish(&Subject::All, Bytes::from(vec![0; SIZE])).unwrap();
        subscription.next().await.unwrap();
        times.push(begin.elapsed());
    }
    print_percentiles("message until received", times);
}

fn print_percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| times[(times.len() as f64 * part) as usize];
    println!("{what}: median {:.3?}, p99 {:.3?}", at(0.5), at(0.99));
}
