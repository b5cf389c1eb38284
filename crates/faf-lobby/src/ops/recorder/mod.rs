//! The flight recorder: keeps what the core is told in a bounded log, from which [`replay`] gets the same effects again.
//!
//! ```text
//!   the lobby's loop                                          a thread of its own
//!   begin ---> World ---> note, note, end ... flush  =======>  writer ---> lobby-20260701T120000Z-0001.jsonl
//!   encodes the input,    keeps the effects          queue     hashes the effects,
//!   scrubbed                                        bounded    writes, begins new files
//! ```
//!
//! A recording is lines of JSON; `docs/src/guide/recordings.md` describes it for operators, `format.rs` is its definition. The
//! first line has the whole world, so that every file can be replayed without those before it. Every further line is one
//! input of the core with the hash of the effects that came of it.
//!
//! The loop encodes the input on the spot instead of copying it: that costs about the same, the world can have the event
//! itself, secrets are replaced before they leave the loop, and the queue knows its bytes. Effects are copied, since most
//! of them are a few words and what is long in them is shared; their text, which for a list of all players takes
//! milliseconds, is made by the thread.
//!
//! The loop never waits for the thread. If more waits for the thread than [`QUEUE_LIMIT`], or the disk fails, the
//! current file ends there, and a new one begins with a new copy of the world as soon as it can.

mod files;
pub mod format;
mod queue;
pub mod replay;
mod scrub;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use faf_lobby_core::{Effect, Event, Moment, World};
use tokio::task::spawn_blocking;

pub use queue::QUEUE_LIMIT;

use files::{Directory, Folder};
use queue::{Batch, Job, Queue};
use scrub::Scrubber;
use writer::Writer;

/// How long the end of the server waits for the rest to be written. A disk that hangs must not hold it up.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A message is kept up to so many bytes, whatever else is in the file: far more than any but statistics and mods take.
const LONG: usize = 16 * 1024;

/// The longest message that is kept, as long as the file has room for long ones: statistics of a long game fit. Of what is
/// longer, and of what comes when there is no room, there is the beginning.
const LONGEST: usize = 256 * 1024;

/// The part of a file that long messages may take: a few players who send nothing else must not wash out what others did.
const LONG_SHARE: u64 = 4;

/// How large recordings get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a file, after which a new one is begun. A file is larger if the world in its first line is larger than half
    /// of it, since otherwise there would be little but worlds; and by what waits when it is full.
    pub size: u64,
    /// How many files are kept.
    pub files: usize,
}

/// What only tests need otherwise.
#[derive(Debug, Clone, Copy)]
struct Tuning {
    /// Bytes that may wait for the thread.
    queue_limit: usize,
    /// How long the thread waits after the first failure of the disk.
    first_pause: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { queue_limit: QUEUE_LIMIT, first_pause: writer::FIRST_PAUSE }
    }
}

/// The lobby's side of the recorder. Every method returns at once, and does nothing if nothing is recorded.
#[derive(Debug)]
pub struct Recorder(Option<Active>);

#[derive(Debug)]
struct Active {
    scrubber: Scrubber,
    queue: Queue,
    /// Inputs of this turn of the loop.
    batch: Batch,
    /// Number of the next input. Counts also what is not recorded.
    next: u64,
    /// The input that is being dealt with is recorded.
    is_open: bool,
    /// The thread does not keep up, and nothing is recorded until it has.
    is_behind: bool,
    /// Bytes that long messages may still take of this file, and of each.
    long_room: usize,
    long_share: usize,
    /// Says when the thread has ended.
    ended: Option<Receiver<()>>,
}

impl Recorder {
    /// Records nothing.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Records into a folder, which is made if it does not exist. Whatever is wrong with it goes into the log, and the
    /// recorder tries again from time to time.
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

    /// This is the world before it is told anything.
    pub fn attach(&mut self, world: &World, now: Moment) {
        if let Some(active) = &mut self.0 {
            active.begin_file_if_wanted(world, now);
        }
    }

    /// The core is about to be told of an event, or that time has passed. All effects of what was before are noted.
    pub fn begin(&mut self, world: &World, now: Moment, event: Option<&Event>) {
        if let Some(active) = &mut self.0 {
            active.begin(world, now, event);
        }
    }

    /// This has come of it.
    pub fn note(&mut self, effect: &Effect) {
        if let Some(Active { is_open: true, batch, .. }) = &mut self.0 {
            batch.note(effect);
        }
    }

    /// Nothing more has come of it.
    pub fn end(&mut self) {
        if let Some(active) = &mut self.0 {
            active.end();
        }
    }

    /// Hands everything that is recorded to the thread; once a turn, because waking it is dear.
    pub fn flush(&mut self) {
        if let Some(active) = &mut self.0 {
            active.flush();
        }
    }

    /// The thread has dealt with everything.
    #[cfg(test)]
    fn is_settled(&self) -> bool {
        self.0.as_ref().is_none_or(|active| active.queue.is_settled())
    }

    /// Writes what is left. Takes at most some seconds.
    pub async fn finish(mut self) {
        if let Some(ended) = self.0.as_mut().and_then(Active::close) {
            // It has ended, or has been given up.
            let _ = spawn_blocking(move || ended.recv_timeout(END_TIMEOUT)).await;
        }
    }
}

impl Active {
    fn start(folder: Box<dyn Folder>, bounds: Bounds, tuning: Tuning) -> Result<Self, String> {
        let scrubber = Scrubber::new().map_err(|error| format!("the system has no randomness: {error}"))?;
        let (queue, jobs) = queue::queue(tuning.queue_limit);
        let (end, ended) = std::sync::mpsc::channel();
        let writer = Writer::new(folder, bounds, tuning.first_pause, jobs);
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            writer.run();
            drop(end);
        });
        thread.map_err(|error| format!("there can be no thread for it: {error}"))?;
        // More than a file has would be no bound; less than one message would cut all of them.
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

    /// Hands over the world if a file is to begin with it.
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
        self.batch.end();
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
        self.queue.send_lost(format!("event {number} and those behind it are missing: {why}"));
        tracing::warn!(number, why, "the recording is interrupted; the server goes on without it");
    }

    /// Hands over what is left and lets the thread end; answers what says that it has.
    fn close(&mut self) -> Option<Receiver<()>> {
        if std::mem::take(&mut self.is_open) {
            // The input that was too much for the lobby is the one that matters most.
            self.batch.end_unfinished();
        }
        self.flush();
        self.queue.close();
        self.ended.take()
    }
}

/// A lobby that fails takes its recorder with it.
impl Drop for Active {
    fn drop(&mut self) {
        let ended = self.close();
        if let Some(ended) = ended.filter(|_| std::thread::panicking()) {
            // The process may end soon.
            let _ = ended.recv_timeout(END_TIMEOUT);
        }
    }
}
