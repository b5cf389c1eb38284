//! Runs a recording through the core again and compares the effects.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use faf_lobby_core::{Effect, Event, Moment, World};
use serde::Deserialize;

use super::format::{Chain, FORMAT, Header, Input, Line, MAGIC};

/// A recording that is being replayed, input by input.
#[derive(Debug)]
pub(crate) struct Replay<R = BufReader<File>> {
    source: R,
    /// The first line without the world, which is [`world`](Self::world) now.
    header: Header<()>,
    world: World,
    chain: Chain,
    /// Number of the next input.
    next: u64,
    /// Number of the line that was read last.
    line: u64,
    ending: Option<Ending>,
    /// The first input whose message is incomplete in the recording.
    cut: Option<u64>,
}

/// An input that was replayed.
#[derive(Debug)]
pub(crate) struct Played {
    /// Number of the input.
    pub(crate) number: u64,
    /// Time at which the core received it.
    pub(crate) now: Moment,
    /// The event; `None` if only time has passed.
    pub(crate) event: Option<Event>,
    /// Effects of the replay.
    pub(crate) effects: Vec<Effect>,
    /// Comparison with the recorded effects.
    pub(crate) verdict: Verdict,
}

/// Comparison of a replayed input with the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The effects are the same, byte for byte.
    Same,
    /// Unknown: this message, or an earlier one of the recording, was too long to be kept.
    Unknown,
    /// The effects differ, or those of an earlier input did.
    Different,
    /// The lobby fails on this input, as it did when it was recorded.
    FailsInBoth,
    /// The lobby fails on this input, but did not when it was recorded.
    FailsInReplay,
    /// The lobby failed on this input when it was recorded, but does not fail now.
    FailedWhenRecorded,
}

impl Verdict {
    /// Returns whether a replay ends here: later events prove nothing.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::Same | Self::Unknown)
    }
}

/// End of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an end marker, which has the reason.
    Marked(String),
    /// After a complete line but without an end marker: the server was killed.
    Unmarked,
    /// Within this line: the server was killed while it wrote it.
    Cut(u64),
}

/// Reason why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The file is not a recording.
    #[error("this is not a recording: it does not begin with {}", String::from_utf8_lossy(MAGIC))]
    NoRecording,
    /// The file ends within its first line.
    #[error("it is empty: the server was killed before the first line was complete")]
    Empty,
    /// The recording has another version of the format.
    #[error(
        "the recording has format {found}, and only format {FORMAT} is known: use the server that made it"
    )]
    OtherFormat {
        /// Version in the recording.
        found: u32,
    },
    /// A line is invalid.
    #[error("line {line} is damaged: {problem}")]
    Damaged {
        /// Number of the line, from 1.
        line: u64,
        /// Description of the damage.
        problem: String,
    },
    /// The first line is intact, but this server keeps other data in its world.
    #[error(
        "the world of line 1 was recorded by faf-lobby {server} and cannot be read by this one: {problem}"
    )]
    OtherWorld {
        /// Version of the server that recorded it.
        server: String,
        /// Description of the difference.
        problem: String,
    },
}

impl Replay {
    /// Opens a recording.
    ///
    /// # Errors
    /// A [`ReplayError`] if the file or its first line is invalid.
    pub(crate) fn open(path: &Path) -> Result<Self, ReplayError> {
        Self::read(BufReader::new(File::open(path)?))
    }
}

impl<R: BufRead> Replay<R> {
    /// Reads the first line of a recording.
    ///
    /// # Errors
    /// As for [`Replay::open`].
    pub(crate) fn read(mut source: R) -> Result<Self, ReplayError> {
        // First the beginning: another file may have no lines.
        let mut magic = Vec::with_capacity(MAGIC.len());
        source.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic)?;
        if magic.is_empty() || (magic.len() < MAGIC.len() && MAGIC.starts_with(&magic)) {
            return Err(ReplayError::Empty);
        }
        if magic != MAGIC {
            return Err(ReplayError::NoRecording);
        }
        let mut line = magic;
        source.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(ReplayError::Empty);
        }
        let damaged = |error: serde_json::Error| ReplayError::Damaged { line: 1, problem: error.to_string() };
        let Marks { faf_lobby_recording: found } = serde_json::from_slice(&line).map_err(damaged)?;
        if found != FORMAT {
            return Err(ReplayError::OtherFormat { found });
        }
        // In two steps, so that the version can be reported if the world has changed.
        let header: Header<&serde_json::value::RawValue> = serde_json::from_slice(&line).map_err(damaged)?;
        let world = serde_json::from_str(header.world.get()).map_err(|error| ReplayError::OtherWorld {
            server: header.server.clone(),
            problem: error.to_string(),
        })?;
        let Header { faf_lobby_recording, server, recorded_at, first, at, world: _ } = header;
        let header = Header { faf_lobby_recording, server, recorded_at, first, at, world: () };
        Ok(Self {
            source,
            header,
            world,
            chain: Chain::default(),
            next: first,
            line: 1,
            ending: None,
            cut: None,
        })
    }

    /// Replays the next input. Returns `None` at the end, and [`ending`](Self::ending) is
    /// then known.
    ///
    /// # Errors
    /// [`ReplayError::Read`] and [`ReplayError::Damaged`].
    pub(crate) fn step(&mut self) -> Result<Option<Played>, ReplayError> {
        if self.ending.is_some() {
            return Ok(None);
        }
        let mut line = Vec::new();
        self.source.read_until(b'\n', &mut line)?;
        self.line += 1;
        if line.last() != Some(&b'\n') {
            self.ending = Some(if line.is_empty() { Ending::Unmarked } else { Ending::Cut(self.line) });
            return Ok(None);
        }
        match Line::read(&line).map_err(|problem| self.damaged(problem))? {
            Line::End(reason) => {
                self.ending = Some(Ending::Marked(reason));
                Ok(None)
            }
            Line::Input(input) if input.number != self.next => {
                Err(self.damaged(format!("event {} should come here, not event {}", self.next, input.number)))
            }
            Line::Input(input) => {
                self.next += 1;
                Ok(Some(self.play(*input)))
            }
        }
    }

    fn play(&mut self, input: Input) -> Played {
        let Input { number, now, event, cut, outcome } = input;
        if cut.is_some() {
            self.cut.get_or_insert(number);
        }
        let mut effects = Vec::new();
        let world = &mut self.world;
        let copy = event.clone();
        // A world that has failed gets no further input: the caller stops there.
        let played = catch_unwind(AssertUnwindSafe(|| {
            match copy {
                Some(event) => world.handle(now, event),
                None => world.handle_timeout(now),
            }
            while let Some(effect) = world.poll_effect() {
                effects.push(effect);
            }
        }));
        let verdict = match (played, outcome) {
            (Ok(()), _) if self.cut.is_some() => Verdict::Unknown,
            (Ok(()), Some(recorded)) if self.chain.add(&effects) == recorded => Verdict::Same,
            (Ok(()), Some(_)) => Verdict::Different,
            (Ok(()), None) => Verdict::FailedWhenRecorded,
            (Err(_), Some(_)) => Verdict::FailsInReplay,
            (Err(_), None) => Verdict::FailsInBoth,
        };
        Played { number, now, event, effects, verdict }
    }

    /// Returns the first line, without the world.
    pub(crate) fn header(&self) -> &Header<()> {
        &self.header
    }

    /// Returns the world after the inputs replayed so far.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Returns the input from which on the effects cannot be compared, since its message was too
    /// long to be kept.
    pub(crate) fn cut(&self) -> Option<u64> {
        self.cut
    }

    /// Returns the ending, once it is known.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    fn damaged(&self, problem: String) -> ReplayError {
        ReplayError::Damaged { line: self.line, problem }
    }
}

/// The members that must be known before the rest can be read.
#[derive(Deserialize)]
struct Marks {
    faf_lobby_recording: u32,
}
