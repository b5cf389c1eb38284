//! The thread that writes recordings.

use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::Duration;

use faf_lobby_core::{Moment, World};
use faf_sessions::rotation::{Folder, remove_oldest};

use super::Bounds;
use super::files::{self, NAMES};
use super::format::{self, Chain, FORMAT, Header};
use super::queue::{Batch, BatchedInput, Job, Jobs, State};

/// Pause of the thread after a failure of the disk; after each further one twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Bytes that are written at once while more is waiting.
const PIECE: usize = 256 * 1024;

/// State of the thread.
pub(super) struct Writer {
    folder: Box<dyn Folder>,
    bounds: Bounds,
    jobs: Jobs,
    /// The file that is being written.
    file: Option<File>,
    /// Number of the last file.
    number: u32,
    /// Pause after the first failure.
    first_pause: Duration,
    /// Current pause, if the last attempt has failed.
    pause: Option<Duration>,
}

/// A file that is being written.
struct File {
    name: String,
    file: Box<dyn Write + Send>,
    /// Data that is not written yet.
    buffer: Vec<u8>,
    chain: Chain,
    /// Number of the next input.
    next: u64,
    /// Size in bytes, including the buffer.
    size: u64,
    /// Size in bytes at which a new file is requested.
    full_at: u64,
    /// Whether the lobby has failed on the last input.
    lobby_failed: bool,
}

impl Writer {
    pub(super) fn new(folder: Box<dyn Folder>, bounds: Bounds, first_pause: Duration, jobs: Jobs) -> Self {
        Self { folder, bounds, jobs, file: None, number: 0, first_pause, pause: None }
    }

    /// Writes until the lobby has ended.
    pub(super) fn run(mut self) {
        while let Some(job) = self.next() {
            let done = match job {
                Job::Begin { world, now, first } => self.begin(&world, now, first),
                Job::Inputs(batch) => {
                    let done = self.add(&batch);
                    self.jobs.release(batch.weight());
                    done
                }
                Job::Lost(reason) => self.end(&reason),
            };
            self.check(done);
        }
        let done = match &self.file {
            Some(File { lobby_failed: true, next, .. }) => {
                let reason = format!("the lobby has failed on event {}", next - 1);
                self.end(&reason)
            }
            _ => self.end("the server has ended"),
        };
        self.check(done);
    }

    /// Returns the next job. It writes the buffer before it waits, so that a process that is killed
    /// loses almost nothing.
    fn next(&mut self) -> Option<Job> {
        match self.jobs.try_next() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        let written = self.file.as_mut().map_or(Ok(()), File::write);
        self.check(written);
        match self.jobs.next(self.pause.filter(|_| self.file.is_none())) {
            // The next world is the next attempt.
            Err(RecvTimeoutError::Timeout) => {
                self.jobs.set(State::WantsWorld);
                self.jobs.next(None).ok()
            }
            job => job.ok(),
        }
    }

    /// Begins a new file.
    fn begin(&mut self, world: &World, now: Moment, first: u64) -> io::Result<()> {
        self.end("it goes on in the next file")?;
        let (name, file) = self.create(now)?;
        let header = Header {
            faf_lobby_recording: FORMAT,
            server: env!("CARGO_PKG_VERSION").to_owned(),
            recorded_at: now.utc.to_string(),
            first,
            at: now,
            world,
        };
        let mut buffer = serde_json::to_vec(&header)?;
        buffer.push(b'\n');
        let size = buffer.len() as u64;
        let mut file = File {
            name,
            file,
            buffer,
            chain: Chain::default(),
            next: first,
            size,
            full_at: self.bounds.size.max(2 * size),
            lobby_failed: false,
        };
        if let Err(error) = file.write() {
            // On a full disk, every attempt would leave another file.
            let _ = self.folder.remove(&file.name);
            return Err(error);
        }
        if let Err(error) = remove_oldest(&mut *self.folder, NAMES, &file.name, self.bounds.files) {
            tracing::warn!(%error, folder = %self.folder.path().display(), "old recordings cannot be removed");
        }
        self.jobs.set(State::Recording);
        if self.pause.take().is_some() {
            tracing::info!(file = file.name, "the recording goes on");
        }
        self.file = Some(file);
        Ok(())
    }

    /// Creates a file with a new name.
    fn create(&mut self, now: Moment) -> io::Result<(String, Box<dyn Write + Send>)> {
        loop {
            self.number = self.number.saturating_add(1);
            let name = files::name(now.utc, self.number);
            match self.folder.create(&name) {
                // A server that ran within the same second has created it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.number < u32::MAX => {}
                created => return Ok((name, created?)),
            }
        }
    }

    fn add(&mut self, batch: &Batch) -> io::Result<()> {
        // After a failure, there is no file until the next world arrives.
        let Some(file) = &mut self.file else { return Ok(()) };
        if batch.inputs.first().is_some_and(|first| first.number != file.next) {
            // Inputs dropped while the writer was failing belong to the file requested earlier.
            let reason = format!("event {} and some after it are missing", file.next);
            self.jobs.set(State::WantsWorld);
            return self.end(&reason);
        }
        let (mut text, mut effects) = (0, 0);
        for taken in &batch.inputs {
            let outcome = file.chain.add(&batch.effects[effects..taken.effects]);
            file.add(&batch.text[text..taken.text], taken, &outcome);
            (text, effects) = (taken.text, taken.effects);
            if file.buffer.len() >= PIECE {
                file.write()?;
            }
        }
        if file.size >= file.full_at {
            file.full_at = u64::MAX;
            self.jobs.set(State::WantsWorld);
        }
        Ok(())
    }

    /// Ends the file, if there is one.
    fn end(&mut self, reason: &str) -> io::Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        format::write_end(&mut file.buffer, reason);
        file.write()
    }

    /// After a failure, nothing is written until the pause is over. The log reports the first
    /// failure and the recovery.
    fn check(&mut self, done: io::Result<()>) {
        let Err(error) = done else { return };
        self.file = None;
        self.jobs.set(State::Failed);
        let folder = self.folder.path().display();
        if self.pause.is_none() {
            tracing::error!(%error, %folder, "the recording is interrupted; the server goes on without it");
        }
        self.pause = Some(self.pause.map_or(self.first_pause, |pause| (pause * 2).min(LONGEST_PAUSE)));
    }
}

impl File {
    fn add(&mut self, line: &[u8], taken: &BatchedInput, outcome: &format::Outcome) {
        let before = self.buffer.len();
        self.buffer.extend_from_slice(line);
        format::write_outcome(&mut self.buffer, taken.is_finished.then_some(outcome));
        self.size += (self.buffer.len() - before) as u64;
        self.next = taken.number + 1;
        self.lobby_failed = !taken.is_finished;
    }

    /// Writes the buffer.
    fn write(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_all(&self.buffer)?;
            self.buffer.clear();
            self.buffer.shrink_to(2 * PIECE);
        }
        Ok(())
    }
}
