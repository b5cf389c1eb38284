//! The flight recorder keeps the core's inputs in a bounded log, from which `replay` reproduces
//! the same effects.
//!
//! ```text
//!   the lobby's loop                                          a separate thread
//!   begin ---> World ---> note, note, end ... flush  =======>  writer ---> lobby-...jsonl
//!   encodes the input,    keeps the effects          queue     hashes the effects,
//!   scrubbed                                        bounded    writes, begins new files
//! ```
//!
//! A recording is lines of JSON; `docs/src/guide/recordings.md` describes it for operators,
//! `format.rs` defines it. The first line has the whole world, so that every file can be
//! replayed without those before it. Every further line is one input of the core with the hash
//! of its effects.
//!
//! The loop encodes the input at once instead of copying it: that costs about the same, the world
//! can take the event itself, secrets are replaced before they leave the loop, and the queue knows
//! its bytes. Effects are copied, since most of them are a few words and their long parts are
//! shared. The thread makes their text, which takes milliseconds for a list of all players.
//!
//! The loop never waits for the thread. If more than [`QUEUE_LIMIT`] waits for the thread, or the
//! disk fails, the current file ends there, and a new one begins with a new copy of the world as
//! soon as possible.

mod files;
mod format;
mod queue;
pub(crate) mod replay;
mod scrub;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use faf_lobby_core::{Effect, Event, Moment, World};
use faf_sessions::rotation::{Directory, Folder};
use tokio::task::spawn_blocking;

pub use queue::QUEUE_LIMIT;

use queue::{Batch, Job, Queue};
use scrub::Scrubber;
use writer::Writer;

/// Time limit for writing the rest at shutdown: a disk that hangs must not delay it.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Size of a message, in bytes, that is always kept, whatever else is in the file. Only statistics
/// and mods exceed it.
const LONG: usize = 16 * 1024;

/// Longest message that is kept, in bytes, while the file has room for long ones: statistics of a
/// long game fit. Only the beginning is kept of longer messages, and of those that arrive when
/// there is no room.
const LONGEST: usize = 256 * 1024;

/// Divisor of the file size that gives the room for long messages: a few players who send nothing
/// else must not displace the messages of others.
const LONG_SHARE: u64 = 4;

/// Bounds of the recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Size of a file, in bytes, after which a new one begins. A file is larger if the world in its
    /// first line is larger than half of it, since otherwise it would hold little but worlds; and
    /// by the backlog at the time when it is full.
    pub size: u64,
    /// Number of files that are kept.
    pub files: usize,
}

/// Parameters that only tests change.
#[derive(Debug, Clone, Copy)]
struct Tuning {
    /// Bytes that may wait for the thread.
    queue_limit: usize,
    /// Pause of the thread after the first failure of the disk.
    first_pause: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { queue_limit: QUEUE_LIMIT, first_pause: writer::FIRST_PAUSE }
    }
}

/// The lobby's side of the recorder. Every method returns at once, and does nothing if recording
/// is off.
#[derive(Debug)]
pub struct Recorder(Option<Active>);

#[derive(Debug)]
struct Active {
    scrubber: Scrubber,
    queue: Queue,
    /// Inputs of this iteration of the loop.
    batch: Batch,
    /// Number of the next input, which also counts inputs that are not recorded.
    next: u64,
    /// Whether the input in progress is recorded.
    is_open: bool,
    /// Whether the thread has fallen behind. Nothing is recorded until it has caught up.
    is_behind: bool,
    /// Bytes that long messages may still take of this file, and of each.
    long_room: usize,
    long_share: usize,
    /// Receives a message when the thread has ended.
    ended: Option<Receiver<()>>,
}

impl Recorder {
    /// Creates a recorder that records nothing.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Records into a folder, which is created if it does not exist. The log reports problems with
    /// it, and the recorder tries again from time to time.
    #[must_use]
    pub fn start(folder: &Path, bounds: Bounds) -> Self {
        Self::start_with(Box::new(Directory::new(folder)), bounds, Tuning::default())
    }

    fn start_with(folder: Box<dyn Folder>, bounds: Bounds, tuning: Tuning) -> Self {
        let active = Active::start(folder, bounds, tuning);
        if let Err(error) = &active {
            tracing::error!(error, "nothing is recorded");
        }
        Self(active.ok())
    }

    /// Returns the number of times that the recording was interrupted, by a disk that fails or is
    /// too slow, which goes up over time. While the disk fails, each further attempt counts.
    #[must_use]
    pub fn interruptions(&self) -> Arc<AtomicU64> {
        self.0.as_ref().map(|active| active.queue.interruptions()).unwrap_or_default()
    }

    /// Receives the world before its first input.
    pub fn attach(&mut self, world: &World, now: Moment) {
        if let Some(active) = &mut self.0 {
            active.begin_file_if_wanted(world, now);
        }
    }

    /// Begins an input: an event, or that time has passed. All effects of earlier inputs are noted.
    pub fn begin(&mut self, world: &World, now: Moment, event: Option<&Event>) {
        if let Some(active) = &mut self.0 {
            active.begin(world, now, event);
        }
    }

    /// Adds an effect of the input.
    pub fn note(&mut self, effect: &Effect) {
        if let Some(Active { is_open: true, batch, .. }) = &mut self.0 {
            batch.note(effect);
        }
    }

    /// Ends the input.
    pub fn end(&mut self) {
        if let Some(active) = &mut self.0 {
            active.end();
        }
    }

    /// Sends everything recorded to the thread, once per iteration: waking the thread is expensive.
    pub fn flush(&mut self) {
        if let Some(active) = &mut self.0 {
            active.flush();
        }
    }

    /// Returns whether the thread has handled everything.
    #[cfg(test)]
    fn is_settled(&self) -> bool {
        self.0.as_ref().is_none_or(|active| active.queue.is_settled())
    }

    /// Writes the rest. This takes at most some seconds.
    pub async fn finish(mut self) {
        if let Some(ended) = self.0.as_mut().and_then(Active::close) {
            // The thread has ended, or the time limit has passed.
            let _ = spawn_blocking(move || ended.recv_timeout(END_TIMEOUT)).await;
        }
    }
}

impl Active {
    fn start(folder: Box<dyn Folder>, bounds: Bounds, tuning: Tuning) -> Result<Self, String> {
        let scrubber =
            Scrubber::new().map_err(|error| format!("the system provides no random numbers: {error}"))?;
        let (queue, jobs) = queue::queue(tuning.queue_limit);
        let (end, ended) = std::sync::mpsc::channel();
        let writer = Writer::new(folder, bounds, tuning.first_pause, jobs);
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            writer.run();
            drop(end);
        });
        thread.map_err(|error| format!("its thread cannot be started: {error}"))?;
        // A share larger than the file would be no bound; less than one message would cut all
        // of them.
        let long_share = usize::try_from(bounds.size / LONG_SHARE).unwrap_or(usize::MAX);
        Ok(Self {
            long_room: long_share,
            long_share,
            scrubber,
            queue,
            batch: Batch::default(),
            next: 1,
            is_open: false,
            is_behind: false,
            ended: Some(ended),
        })
    }

    fn begin(&mut self, world: &World, now: Moment, event: Option<&Event>) {
        self.begin_file_if_wanted(world, now);
        let number = self.next;
        self.next += 1;
        if self.is_behind || self.queue.has_failed() {
            return;
        }
        let event = event.map(|event| self.scrubber.event(event));
        let room = if self.long_room >= LONGEST { LONGEST } else { LONG };
        match self.batch.begin(number, now, event.as_deref(), room) {
            Ok(bytes) => {
                self.is_open = true;
                if bytes > LONG {
                    self.long_room = self.long_room.saturating_sub(bytes);
                }
            }
            Err(error) => self.fall_behind(number, &format!("it cannot be written: {error}")),
        }
    }

    /// Sends the world to the thread if a file should begin with it.
    fn begin_file_if_wanted(&mut self, world: &World, now: Moment) {
        let can_begin = if self.is_behind { self.queue.has_caught_up() } else { self.queue.wants_world() };
        if can_begin {
            self.flush();
            let world = Box::new(self.scrubber.world(world));
            self.queue.send_world(Job::Begin { world, now, first: self.next });
            self.long_room = self.long_share;
            self.is_behind = false;
        }
    }

    fn end(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.batch.end(true);
        if !self.queue.has_room(self.batch.weight()) {
            let number = self.next - 1;
            self.batch.drop_last();
            self.fall_behind(number, "the disk is too slow");
        }
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.queue.send(std::mem::take(&mut self.batch));
        }
    }

    /// Records nothing from this input on.
    fn fall_behind(&mut self, number: u64, why: &str) {
        self.flush();
        self.is_behind = true;
        self.queue.send_lost(format!("event {number} and those after it are missing: {why}"));
        tracing::warn!(number, why, "the recording is interrupted; the server goes on without it");
    }

    /// Sends the rest and lets the thread end; returns the receiver that learns of its end.
    fn close(&mut self) -> Option<Receiver<()>> {
        if std::mem::take(&mut self.is_open) {
            // The input on which the lobby failed is the most important one.
            self.batch.end(false);
        }
        self.flush();
        self.queue.close();
        self.ended.take()
    }
}

/// A lobby that fails drops its recorder.
impl Drop for Active {
    fn drop(&mut self) {
        let ended = self.close();
        if let Some(ended) = ended.filter(|_| std::thread::panicking()) {
            // The process may end soon.
            let _ = ended.recv_timeout(END_TIMEOUT);
        }
    }
}
