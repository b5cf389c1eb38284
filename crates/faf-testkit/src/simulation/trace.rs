//! Trace of an evening: the last events as text, and a digest of all effects.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::time::Duration;

use faf_lobby_core::{Audience, Effect, Event};
use faf_protocol::Encode;

/// Number of lines that are kept.
const LINES_KEPT: usize = 40;

/// Maximum length of a line, in characters; the rest is cut off.
const LINE_LIMIT: usize = 300;

/// Trace of an evening.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Whether every effect is added to the digest.
    is_digested: bool,
    /// Whether all lines are kept.
    is_complete: bool,
    lines: VecDeque<(Duration, Line)>,
    digest: Digest,
}

/// A line of the trace. It is formatted only when it is read, because almost all lines are
/// dropped unread.
#[derive(Debug)]
enum Line {
    Event(Event),
    Effect(Effect),
    Note(String),
}

impl Trace {
    /// Creates an empty trace.
    pub(super) fn new(is_digested: bool, is_complete: bool) -> Self {
        Self { is_digested, is_complete, ..Self::default() }
    }

    /// Records an event of the lobby.
    pub(super) fn event(&mut self, now: Duration, event: &Event) {
        self.push(now, Line::Event(event.clone()));
    }

    /// Records an event of the environment.
    pub(super) fn note(&mut self, now: Duration, text: impl Into<String>) {
        self.push(now, Line::Note(text.into()));
    }

    /// Records an effect of the lobby.
    pub(super) fn effect(&mut self, now: Duration, effect: &Effect) {
        if self.is_digested {
            // Writing to a digest never fails.
            let _ = write!(self.digest, "{now:?} {effect:?}");
        }
        if self.is_complete {
            self.push(now, Line::Effect(effect.clone()));
        }
    }

    /// Returns the digest of all effects so far.
    #[must_use]
    pub(super) fn digest(&self) -> u64 {
        self.digest.0
    }

    /// Returns all recorded lines.
    #[must_use]
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|(at, line)| cut(format!("{:>9.3} {line}", at.as_secs_f64()))).collect()
    }

    fn push(&mut self, now: Duration, line: Line) {
        if !self.is_complete && self.lines.len() == LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back((now, line));
    }
}

fn cut(mut line: String) -> String {
    if let Some((end, _)) = line.char_indices().nth(LINE_LIMIT) {
        line.truncate(end);
        line.push('…');
    }
    line
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(text) => write!(f, "-- {text}"),
            Self::Event(Event::Connected { conn, .. }) => write!(f, "{} connects", conn.0),
            Self::Event(Event::Disconnected { conn }) => write!(f, "{} is lost", conn.0),
            Self::Event(Event::Received { conn, message: Ok(message) }) => {
                write!(f, "{} says {}", conn.0, json(message))
            }
            Self::Event(other) => write!(f, "{other:?}"),
            Self::Effect(Effect::Send { to, message }) => {
                match to {
                    Audience::One(conn) => write!(f, "   -> {}", conn.0)?,
                    other => write!(f, "   -> {other:?}")?,
                }
                write!(f, ": {}", json(message))
            }
            Self::Effect(Effect::SendSnapshot { conn, message, .. }) => {
                write!(f, "   -> {}: {}", conn.0, json(message))
            }
            Self::Effect(Effect::Relay { from, to, message }) => {
                write!(f, "   {} -> {}: {}", from.0, to.0, json(message))
            }
            Self::Effect(other) => write!(f, "   {other:?}"),
        }
    }
}

fn json(message: &impl Encode) -> String {
    let mut bytes = Vec::new();
    match message.write_json(&mut bytes) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// FNV-1a, 64 bits: not for secrets, but sensitive to every difference between two evenings.
#[derive(Debug)]
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
