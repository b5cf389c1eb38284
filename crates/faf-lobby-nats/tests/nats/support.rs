//! A server, connections to it, and what they read.

use std::collections::VecDeque;
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
        check: Duration::from_secs(1),
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

/// Appends entries of a lane that are numbered, up to 1,000 at the same time, until each is stored:
/// what a gateway does.
pub(crate) async fn append_all(log: &Log, lane: &str, numbers: std::ops::Range<u64>) {
    let mut writer = log.writer(name(lane));
    let (mut first, mut next) = (numbers.start, numbers.start);
    let mut under_way = VecDeque::new();
    let all = async {
        while first < numbers.end {
            while next < numbers.end && under_way.len() < 1000 {
                under_way.push_back(writer.append(&format!("{lane}-{next}"), Bytes::from(next.to_string())));
                next += 1;
            }
            match under_way.pop_front().expect("there are some").await {
                Ok(_) => first += 1,
                Err(AppendError::Away(_) | AppendError::Busy) => {
                    under_way.clear();
                    next = first;
                    writer.resume().await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
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
        let next = lanes.entry(entry.lane.clone().unwrap()).or_insert(0);
        assert_eq!(number, *next, "lane {:?} at {sequence}", entry.lane);
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
