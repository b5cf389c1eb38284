//! The tap on a disk whose failures the test chooses.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use clap::Parser;
use faf_protocol::{Message, WireFormat};
use faf_sessions::recording::{Ending, Entry, Reader, RecordedConn, Side};
use faf_sessions::rotation::Folder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::disk::{Bounds, Disk};
use super::recorder::Recorder;
use super::{Keep, Scrubber};
use crate::carrier::{Carrier, Observer, Opened, Queue, Route, watch};

/// Longer than anything takes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A folder in memory. Copies are the same one.
#[derive(Clone, Default)]
struct Memory(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    is_full: bool,
    hangs: bool,
    failures: u32,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.1.notify_all();
    }

    /// Returns all entries but those with the time of day, and how the recording ends.
    fn read(&self) -> (Vec<Entry>, Option<Ending>) {
        let folder = tempfile::TempDir::new().unwrap();
        for (name, bytes) in &self.state().files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut reader = Reader::open(folder.path()).unwrap();
        let entries = reader.by_ref().map(|recorded| recorded.unwrap().entry);
        let entries = entries.filter(|entry| !matches!(entry, Entry::Clock { .. })).collect();
        (entries, reader.ending().cloned())
    }
}

impl Folder for Memory {
    fn create(&mut self, name: &str) -> io::Result<Box<dyn Write + Send>> {
        let mut state = self.state();
        if state.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(name.to_owned(), Vec::new());
        Ok(Box::new(File { memory: self.clone(), name: name.to_owned() }))
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.state().files.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn path(&self) -> &Path {
        Path::new("memory")
    }
}

struct File {
    memory: Memory,
    name: String,
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.memory.0.1.wait_while(self.memory.state(), |state| state.hangs).unwrap();
        let is_full = state.is_full;
        // As on a real disk, a part may still fit.
        let length = if is_full { bytes.len() / 2 } else { bytes.len() };
        state.files.entry(self.name.clone()).or_default().extend_from_slice(&bytes[..length]);
        if is_full {
            state.failures += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn recorder(memory: &Memory, bounds: Bounds) -> Recorder {
    let disk = Disk::new(Box::new(memory.clone()), bounds, "test".to_owned(), SystemTime::now());
    Recorder::new(disk, Scrubber::new(&[1; 32], Keep::default()))
}

const LARGE: Bounds = Bounds { size: u64::MAX, files: 100 };

fn open(recorder: &mut Recorder, at: u64, conn: u64) -> Entry {
    let (conn, format) = (RecordedConn(conn), WireFormat::SimpleJson);
    let opened = Opened { format, client: "192.0.2.1:5".parse().unwrap() };
    recorder.opened(Duration::from_secs(at), conn, opened);
    Entry::Opened { conn, format, address: None }
}

fn say(recorder: &mut Recorder, at: u64, conn: u64, text: &str) -> Entry {
    let (conn, message): (_, Message) = (RecordedConn(conn), text.parse().unwrap());
    recorder.message(Duration::from_secs(at), conn, Side::Client, message.clone());
    Entry::FromClient { conn, message }
}

/// The next file continues where the last one has ended, and the oldest ones are removed.
#[test]
fn files_follow_each_other() {
    let memory = Memory::default();
    let mut recorder = recorder(&memory, Bounds { size: 1_000, files: 100 });
    let mut expected = vec![open(&mut recorder, 0, 1)];
    for at in 1..50 {
        expected.push(say(
            &mut recorder,
            at,
            1,
            &format!(r#"{{"command":"number {at}","x":{}}}"#, at * 7_919),
        ));
        recorder.tick(Duration::from_secs(at));
    }
    recorder.finish(Duration::from_secs(50));
    let files = memory.state().files.len();
    assert!(files > 3, "{files}");
    assert_eq!(memory.read(), (expected, Some(Ending::Finished)));
}

#[test]
fn the_oldest_files_are_removed() {
    let memory = Memory::default();
    memory.set(|state| {
        state.files.insert("tap-20200101T000000Z-0001.jsonl.zst".to_owned(), Vec::new());
        state.files.insert("notes.txt".to_owned(), Vec::new());
    });
    let mut recorder = recorder(&memory, Bounds { size: 300, files: 3 });
    open(&mut recorder, 0, 1);
    for at in 1..50 {
        say(&mut recorder, at, 1, &format!(r#"{{"command":"number {at}","x":{}}}"#, at * 7_919));
        recorder.tick(Duration::from_secs(at));
    }
    recorder.finish(Duration::from_secs(50));
    let mut names: Vec<String> = memory.state().files.keys().cloned().collect();
    assert_eq!((names.len(), names.remove(0)), (4, "notes.txt".to_owned()));
    // The connection was opened in a file that is gone.
    memory.set(|state| drop(state.files.remove("notes.txt")));
    let conn = RecordedConn(1);
    let opened = Entry::Opened { conn, format: WireFormat::SimpleJson, address: None };
    assert_eq!(memory.read(), (vec![opened, Entry::Incomplete { conn }], Some(Ending::Finished)));
}

/// Connections of that time are incomplete; those that come after it are not.
#[test]
fn a_full_disk() {
    let memory = Memory::default();
    let mut recorder = recorder(&memory, LARGE);
    let mut expected = vec![open(&mut recorder, 0, 1)];
    expected.push(say(&mut recorder, 1, 1, r#"{"command":"before"}"#));
    recorder.tick(Duration::from_secs(2));
    memory.set(|state| state.is_full = true);
    say(&mut recorder, 3, 1, r#"{"command":"lost"}"#);
    open(&mut recorder, 3, 2);
    for at in 4..200 {
        recorder.tick(Duration::from_secs(at));
        say(&mut recorder, at, 2, r#"{"command":"lost"}"#);
    }
    // It is tried after 1, 2, 4, 8, 16, 32, 60 and 60 seconds, and a failed attempt leaves no file.
    let (failures, files) = {
        let state = memory.state();
        (state.failures, state.files.len())
    };
    assert_eq!((failures, files), (9, 1));
    memory.set(|state| state.is_full = false);
    recorder.tick(Duration::from_secs(300));
    say(&mut recorder, 301, 1, r#"{"command":"nothing more is recorded of it"}"#);
    let (first, second) = (RecordedConn(1), RecordedConn(2));
    expected.push(Entry::Incomplete { conn: first });
    expected.push(Entry::Opened { conn: second, format: WireFormat::SimpleJson, address: None });
    expected.push(Entry::Incomplete { conn: second });
    expected.push(open(&mut recorder, 302, 3));
    expected.push(say(&mut recorder, 303, 3, r#"{"command":"after"}"#));
    recorder.closed(Duration::from_secs(304), first, Side::Client);
    expected.push(Entry::Closed { conn: first, by: Side::Client });
    recorder.finish(Duration::from_secs(305));
    assert_eq!(memory.read(), (expected, Some(Ending::Finished)));
}

/// A folder that cannot be written at the beginning.
#[test]
fn a_disk_that_is_full_from_the_beginning() {
    let memory = Memory::default();
    memory.set(|state| state.is_full = true);
    let mut recorder = recorder(&memory, LARGE);
    open(&mut recorder, 0, 1);
    memory.set(|state| state.is_full = false);
    recorder.tick(Duration::from_secs(2));
    recorder.finish(Duration::from_secs(3));
    let conn = RecordedConn(1);
    let opened = Entry::Opened { conn, format: WireFormat::SimpleJson, address: None };
    assert_eq!(memory.read(), (vec![opened, Entry::Incomplete { conn }], Some(Ending::Finished)));
}

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    route: Route,
}

async fn in_time<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, event).await.expect("it did not happen in time")
}

/// While the disk hangs, players are served; the recording of those that say more than fits is
/// dropped and marked.
#[tokio::test]
async fn a_disk_that_hangs_never_slows_a_player() {
    const LIMIT: usize = 1_000_000;

    let memory = Memory::default();
    let recorder = recorder(&memory, LARGE);
    memory.set(|state| state.hangs = true);
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("tcp://{}", server.local_addr().unwrap());
    let route = Arguments::parse_from(["", "--listen", "tcp://127.0.0.1:0", "--to", &to]).route;
    let queue = Queue::new(LIMIT);
    let watcher = watch(queue.clone(), Box::new(recorder)).unwrap();
    let carrier = Carrier::listen(route, queue.clone()).await.unwrap();
    let place = ("127.0.0.1", carrier.clients.url.port());
    let accepting = Arc::clone(&carrier);
    let accepting = tokio::spawn(async move { accepting.accept().await });

    let line = format!("{{\"command\":\"x\",\"text\":\"{}\"}}\n", "long ".repeat(1_000));
    for _ in 0..3 {
        let (client, accepted) =
            in_time(async { tokio::join!(TcpStream::connect(place), server.accept()) }).await;
        let (mut client, mut server) = (client.unwrap(), accepted.unwrap().0);
        let bytes = line.repeat(400);
        let (sent, received) = in_time(async {
            let mut received = vec![0; bytes.len()];
            let sent = client.write_all(bytes.as_bytes());
            let read = server.read_exact(&mut received);
            let (sent, read) = tokio::join!(sent, read);
            read.unwrap();
            (sent, received)
        })
        .await;
        sent.unwrap();
        assert!(received == bytes.as_bytes());
    }
    accepting.abort();
    memory.set(|state| state.hangs = false);
    queue.close();
    in_time(tokio::task::spawn_blocking(move || watcher.join().unwrap())).await.unwrap();

    let (entries, ending) = memory.read();
    assert_eq!(ending, Some(Ending::Finished));
    let is_incomplete = |entry: &&Entry| matches!(entry, Entry::Incomplete { .. });
    let incomplete = entries.iter().filter(is_incomplete).count();
    let opened = entries.iter().filter(|entry| matches!(entry, Entry::Opened { .. })).count();
    // The last ones may have found no room at all.
    assert!((1..=3).contains(&incomplete) && opened >= incomplete, "{incomplete} of {opened}");
    let recorded = entries.iter().filter(|entry| matches!(entry, Entry::FromClient { .. })).count();
    assert!(recorded > 0 && recorded * line.len() < LIMIT + 1_000_000, "{recorded}");
}
