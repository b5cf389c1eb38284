//! A lobby with a recorder, without sockets and clocks; and a disk whose failures the test chooses.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use faf_lobby_core::{ConnId, Effect, Event, Moment, Reply, Request, Settings, Timestamp, World};
use faf_protocol::{ClientMessage, SessionNumber};
use faf_sessions::rotation::Folder;
use faf_testkit::store::FakeStore;

use super::super::replay::{Ending, Replay, Verdict};
use super::super::{Bounds, Recorder, Tuning};

/// Longer than anything takes.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) const NAMES: [&str; 3] = ["Ada", "Bob", "Cem"];

/// A disk in memory. Copies are the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Nothing can be written.
    pub(super) is_full: bool,
    /// Number of failed writes because of that.
    pub(super) failures: u32,
    /// Nothing can be created.
    pub(super) is_read_only: bool,
    /// Writers have to wait.
    pub(super) hangs: bool,
}

impl Disk {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.1.notify_all();
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    /// Returns all recordings, in their order.
    pub(super) fn recordings(&self) -> Vec<Vec<u8>> {
        let is_recording = |name: &String| name.ends_with(".jsonl");
        self.state()
            .files
            .iter()
            .filter(|(name, _)| is_recording(name))
            .map(|(_, file)| file.clone())
            .collect()
    }
}

impl Folder for Disk {
    fn create(&mut self, name: &str) -> io::Result<Box<dyn Write + Send>> {
        let mut state = self.state();
        if state.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        if state.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(name.to_owned(), Vec::new());
        Ok(Box::new(OpenFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(Self::names(self))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.state().files.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn path(&self) -> &Path {
        Path::new("memory")
    }
}

struct OpenFile {
    disk: Disk,
    name: String,
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.0.1.wait_while(self.disk.state(), |state| state.hangs).unwrap();
        if state.is_full {
            // As on a real one, a part may still fit.
            state.failures += 1;
            let some = &bytes[..bytes.len() / 2];
            state.files.entry(self.name.clone()).or_default().extend_from_slice(some);
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.files.entry(self.name.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A lobby with a store in memory that handles requests on demand.
pub(super) struct Rig {
    pub(super) world: World,
    pub(super) recorder: Recorder,
    pub(super) disk: Disk,
    pub(super) store: FakeStore,
    pub(super) requests: Vec<Request>,
    pub(super) holds_replies: bool,
    /// Every input waits for the thread, so that a new file begins at once when one is full.
    pub(super) is_in_step: bool,
    /// Every effect, with the number of its input.
    pub(super) effects: Vec<(u64, Effect)>,
    inputs: u64,
    now: Duration,
}

impl Rig {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self::with_queue(bounds, Tuning::default().queue_limit)
    }

    pub(super) fn with_queue(bounds: Bounds, queue_limit: usize) -> Self {
        let disk = Disk::default();
        let tuning = Tuning { queue_limit, first_pause: Duration::ZERO };
        let mut recorder = Recorder::start_with(Box::new(disk.clone()), bounds, tuning);
        let store = FakeStore::with_accounts(NAMES);
        let now = moment(Duration::ZERO);
        let world = World::new(Settings::default(), now, store.beginning());
        recorder.attach(&world, now);
        Self {
            world,
            recorder,
            disk,
            store,
            requests: Vec::new(),
            holds_replies: false,
            is_in_step: bounds.size < u64::MAX,
            effects: Vec::new(),
            inputs: 0,
            now: Duration::ZERO,
        }
    }

    /// Gives the world an event, or lets it know that time has passed.
    pub(super) fn tell(&mut self, event: Option<Event>) {
        let now = moment(self.now);
        self.inputs += 1;
        self.recorder.begin(&self.world, now, event.as_ref());
        match event {
            Some(event) => self.world.handle(now, event),
            None => self.world.handle_timeout(now),
        }
        while let Some(effect) = self.world.poll_effect() {
            self.recorder.note(&effect);
            if let Effect::Request { request, .. } = &effect {
                self.requests.push(request.clone());
            }
            self.effects.push((self.inputs, effect));
        }
        self.recorder.end();
        self.recorder.flush();
        while self.is_in_step && !self.recorder.is_settled() {
            std::thread::yield_now();
        }
        while !self.holds_replies && self.reply_next() {}
    }

    pub(super) fn reply_next(&mut self) -> bool {
        if self.requests.is_empty() {
            return false;
        }
        let request = self.requests.remove(0);
        let reply = self.store.perform(request);
        self.reply(reply);
        true
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        self.tell(Some(Event::Replied { reply }));
    }

    pub(super) fn connect(&mut self, conn: u64) -> ConnId {
        let (conn, address) = (ConnId(conn), Some([127, 0, 0, 1].into()));
        let session = SessionNumber(1000 + conn.0 as u32);
        self.tell(Some(Event::Connected { conn, address, country: "DE".parse().unwrap(), session }));
        conn
    }

    pub(super) fn send(&mut self, conn: ConnId, text: &str) {
        let message = ClientMessage::read(text.parse().unwrap());
        self.tell(Some(Event::Received { conn, message }));
    }

    pub(super) fn log_in(&mut self, conn: u64, name: &str) -> ConnId {
        let conn = self.connect(conn);
        self.send(
            conn,
            &format!(r#"{{"command":"hello","login":"{name}","password":"{name}-pw","unique_id":"m"}}"#),
        );
        conn
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.world.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.tell(None);
        }
        self.now = until;
    }

    /// Lets clients ping until the disk is as it should be.
    pub(super) fn ping_until(&mut self, conn: ConnId, what: &str, reached: impl Fn(&Disk) -> bool) {
        let begin = Instant::now();
        while !reached(&self.disk) {
            assert!(begin.elapsed() < TIMEOUT, "{what}: {:?}", self.disk.names());
            self.send(conn, r#"{"command":"ping"}"#);
            std::thread::yield_now();
        }
    }

    /// Ends the recording and returns the disk.
    pub(super) fn finish(self) -> Disk {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.recorder.finish());
        self.disk
    }
}

/// Milliseconds of the monotonic clock, and a time of day with microseconds.
pub(super) fn moment(elapsed: Duration) -> Moment {
    Moment { elapsed, utc: Timestamp(1_782_907_200_250_000 + elapsed.as_micros() as i64) }
}

/// Replays a recording, in which everything must be the same; returns the numbers of its first and
/// last input, and its end.
pub(super) fn replay(recording: &[u8]) -> (Replay<&[u8]>, u64, Ending) {
    let mut replay = Replay::read(recording).unwrap();
    let mut last = replay.header().first - 1;
    while let Some(played) = replay.step().unwrap() {
        assert_eq!(played.verdict, Verdict::Same, "{played:?}");
        last = played.number;
    }
    let ending = replay.ending().cloned().unwrap();
    (replay, last, ending)
}

pub(super) fn verdicts(recording: &[u8]) -> Vec<(u64, Verdict)> {
    let mut replay = Replay::read(recording).unwrap();
    let mut verdicts = Vec::new();
    while let Some(played) = replay.step().unwrap() {
        verdicts.push((played.number, played.verdict));
    }
    verdicts
}
