//! A server, connections to it, and what they read.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use faf_lobby_nats::{
    AppendError, Connection, Entry, Limits, Log, LogOptions, LogState, Name, ReadError, Reader, Settings,
    State,
};
use faf_testkit::services::nats::NatsServer;
use tokio::time::timeout;

/// Time limit for anything that a test waits for.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Returns settings for a cluster that no other test uses.
pub(crate) fn settings(server: &NatsServer) -> Settings {
    static CLUSTERS: AtomicUsize = AtomicUsize::new(0);
    let number = CLUSTERS.fetch_add(1, Ordering::SeqCst);
    Settings {
        url: server.url(),
        certificate_authority: server.certificate_authority(),
        cluster: format!("test-{number}"),
        client_name: format!("test {number}"),
        ..Settings::default()
    }
}

/// Short pauses and time limits, so that tests of failures are quick.
pub(crate) fn limits() -> Limits {
    Limits {
        open: Duration::from_secs(5),
        respond: Duration::from_secs(5),
        check: Duration::from_millis(500),
        longest_pause: Duration::from_millis(200),
        ..Limits::default()
    }
}

pub(crate) async fn connect(settings: &Settings) -> Connection {
    Connection::open(settings.clone(), limits()).await.unwrap()
}

/// A stream of a cluster of its own, and its state.
pub(crate) async fn new_log(server: &NatsServer) -> (Connection, Log, LogState) {
    let connection = connect(&settings(server)).await;
    let (log, state) = Log::open_or_create(&connection, LogOptions::default()).await.unwrap();
    (connection, log, state)
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Appends entries of a lane that are numbered from `first`, all at the same time, until each is
/// stored: what a gateway does.
pub(crate) async fn append_all(log: &Log, lane: &str, numbers: std::ops::Range<u64>) {
    let lane = name(lane);
    let mut next = numbers.start;
    let all = async {
        while next < numbers.end {
            let window = next..numbers.end.min(next + 1000);
            let pending: Vec<_> = window
                .map(|number| log.append(&lane, &format!("{lane}-{number}"), Bytes::from(number.to_string())))
                .collect();
            for pending in pending {
                match pending.await {
                    Ok(_) => next += 1,
                    Err(AppendError::Away(_) | AppendError::Busy) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            tokio::task::yield_now().await;
        }
    };
    in_time(all).await;
}

/// Reads a number of entries.
pub(crate) async fn read(reader: &mut Reader, number: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.len() < number {
        entries.push(next(reader).await.unwrap());
    }
    entries
}

pub(crate) async fn next(reader: &mut Reader) -> Result<Entry, ReadError> {
    in_time(reader.next()).await
}

pub(crate) async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, waiting).await.expect("it happens in time")
}

/// Checks that entries have the sequence numbers from `first`, and each lane the numbers from 0.
pub(crate) fn assert_complete(entries: &[Entry], first: u64) {
    let mut lanes = std::collections::HashMap::new();
    for (entry, sequence) in entries.iter().zip(first..) {
        assert_eq!(entry.sequence, sequence);
        let number: u64 = std::str::from_utf8(&entry.payload).unwrap().parse().unwrap();
        let next = lanes.entry(entry.lane.clone()).or_insert(0);
        assert_eq!(number, *next, "lane {} at {sequence}", entry.lane);
        *next += 1;
    }
}

pub(crate) async fn wait_for(connection: &Connection, condition: impl FnMut(&State) -> bool) -> State {
    let mut state = connection.state();
    in_time(state.wait_for(condition)).await.unwrap().clone()
}

/// The API of JetStream, for what this crate does not do.
pub(crate) async fn jetstream(server: &NatsServer) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap())
}
