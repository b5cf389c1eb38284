//! The lines of a recording.
//!
//! ```text
//! {"faf_lobby_recording":2,"server":"0.1.0","recorded_at":"..","first":1,"at":{..},"world":{..}}
//! {"n":1,"at":{..},"event":{"Connected":{..}},"effects":2,"hash":"0123456789abcdef"}
//! {"n":2,"at":{..},"event":null,"effects":0,"hash":"fedcba9876543210"}
//! {"end":"the server has ended"}
//! ```

use std::fmt::Write as _;
use std::io::Write as _;

use faf_lobby_core::{Effect, Event, Moment};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the format that is written, and the only one that is read.
pub(super) const FORMAT: u32 = 2;

/// The first bytes of every recording.
pub(super) const MAGIC: &[u8] = br#"{"faf_lobby_recording":"#;

/// Number of digits of a hash in a line. The next hash depends on the whole one.
const HASH_DIGITS: usize = 16;

/// Size, in bytes, up to which the buffer for the text of an input's effects is kept for the
/// next input.
const KEPT: usize = 1024 * 1024;

/// Length of what is kept of a message that is too long, in bytes of its event as JSON.
const BEGINNING: usize = 4 * 1024;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header<W> {
    /// Version of the format. It comes first, and distinguishes a recording from any other file.
    pub(crate) faf_lobby_recording: u32,
    /// Version of the server.
    pub(crate) server: String,
    /// Time of day of this state of the world.
    pub(crate) recorded_at: String,
    /// Number of the first input after it. The first input of a server has number 1.
    pub(crate) first: u64,
    /// The same time, as the core receives it.
    pub(crate) at: Moment,
    /// The world without its secrets.
    pub(crate) world: W,
}

/// A line after the first.
#[derive(Debug)]
pub(super) enum Line {
    Input(Box<Input>),
    /// End of the recording, with the reason.
    End(String),
}

/// An input of the core.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) number: u64,
    pub(super) now: Moment,
    /// The event; `None` if only time has passed.
    pub(super) event: Option<Event>,
    /// Beginning of a message that was too long to be kept; the event itself is then missing.
    pub(super) cut: Option<String>,
    /// Outcome; `None` if the lobby failed on this input.
    pub(super) outcome: Option<Outcome>,
}

/// Outcome of an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Number of effects.
    pub(super) effects: usize,
    /// Hash of these effects and all before.
    pub(super) hash: String,
}

/// Any line, as it is read. Events keep the spelling of their JSON, so they cannot be read from a
/// value that serde has already parsed. Therefore this is one flat object instead of an enum.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyLine {
    n: Option<u64>,
    at: Option<Moment>,
    event: Option<Event>,
    cut: Option<String>,
    effects: Option<usize>,
    hash: Option<String>,
    end: Option<String>,
}

impl Line {
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let line: AnyLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let outcome = match (line.effects, line.hash) {
            (Some(effects), Some(hash)) => Some(Outcome { effects, hash }),
            (None, None) => None,
            _ => return Err("only one of `effects` and `hash` is present".to_owned()),
        };
        match (line.n, line.at, line.end) {
            (Some(number), Some(now), None) => {
                Ok(Self::Input(Box::new(Input { number, now, event: line.event, cut: line.cut, outcome })))
            }
            (None, None, Some(reason)) => Ok(Self::End(reason)),
            _ => Err("it is neither an input nor an end".to_owned()),
        }
    }
}

/// Writes an input without its outcome, and without the end of the line. Of a message that needs
/// more than `room` bytes it writes only the beginning. Returns the number of bytes of its event.
pub(super) fn write_input(
    text: &mut Vec<u8>,
    number: u64,
    now: Moment,
    event: Option<&Event>,
    room: usize,
) -> Result<usize, serde_json::Error> {
    write!(text, r#"{{"n":{number},"at":"#).map_err(serde_json::Error::io)?;
    serde_json::to_writer(&mut *text, &now)?;
    text.extend_from_slice(br#","event":"#);
    let begin = text.len();
    let Some(message @ Event::Received { .. }) = event else {
        serde_json::to_writer(&mut *text, &event)?;
        return Ok(text.len() - begin);
    };
    let mut bounded = Bounded { text, room };
    match serde_json::to_writer(&mut bounded, message) {
        Err(error) if error.is_io() => {
            let kept = String::from_utf8_lossy(&text[begin..text.len().min(begin + BEGINNING)]).into_owned();
            text.truncate(begin);
            text.extend_from_slice(br#"null,"cut":"#);
            serde_json::to_writer(&mut *text, &kept)?;
        }
        written => written?,
    }
    Ok(text.len() - begin)
}

/// A writer for a limited number of bytes, which fails at the next: text that is too long is not
/// even written in memory.
struct Bounded<'a> {
    text: &'a mut Vec<u8>,
    room: usize,
}

impl std::io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.room);
        self.text.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        if taken < bytes.len() { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Ends the line of an input with its outcome.
pub(super) fn write_outcome(text: &mut Vec<u8>, outcome: Option<&Outcome>) {
    if let Some(Outcome { effects, hash }) = outcome {
        text.extend_from_slice(format!(r#","effects":{effects},"hash":"{hash}""#).as_bytes());
    }
    text.extend_from_slice(b"}\n");
}

pub(super) fn write_end(text: &mut Vec<u8>, reason: &str) {
    let reason = serde_json::Value::from(reason);
    text.extend_from_slice(format!("{{\"end\":{reason}}}\n").as_bytes());
}

/// Hashes effects: each hash is SHA-256 of the one before it, which is all zeros at the beginning
/// of a file, and the text of the effects, one line each.
///
/// The text of an effect is its `{:?}`, without the id of a snapshot. Every secret in it is the
/// word `[secret]`, so that effects of scrubbed inputs have the same text; no effect contains a
/// hash map, so that the text depends on nothing else.
#[derive(Debug, Default)]
pub(super) struct Chain {
    last: [u8; 32],
    text: String,
}

impl Chain {
    /// Adds the effects of one input.
    pub(super) fn add(&mut self, effects: &[Effect]) -> Outcome {
        let mut hash = Sha256::new();
        hash.update(self.last);
        for effect in effects {
            self.text.clear();
            match effect {
                // A replay may begin with a world that was read from a file, which numbers its
                // snapshots differently.
                Effect::SendSnapshot { conn, id, message } => {
                    let id = if id.is_some() { "Some(SnapshotId)" } else { "None" };
                    writeln!(self.text, "SendSnapshot {{ conn: {conn:?}, id: {id}, message: {message:?} }}")
                }
                other => writeln!(self.text, "{other:?}"),
            }
            .expect("a string accepts everything");
            hash.update(&self.text);
        }
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.last = hash.finalize().into();
        let first = self.last.first_chunk().copied().map_or(0, u64::from_be_bytes);
        Outcome { effects: effects.len(), hash: format!("{first:0HASH_DIGITS$x}") }
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::request::CheckPassword;
    use faf_lobby_core::{ConnId, RequestId, RequestKind, Ticket};
    use faf_protocol::Secret;

    use super::*;

    fn ask(login: &str, password: &str) -> Effect {
        let request = CheckPassword { login: login.to_owned(), password: Secret::new(password) };
        Effect::Request { conn: None, request: request.request(Ticket::new(RequestId(1))) }
    }

    #[test]
    fn a_hash_depends_on_everything_but_secrets() {
        let hash = |inputs: &[&[Effect]]| {
            let mut chain = Chain::default();
            inputs.iter().map(|effects| chain.add(effects).hash).collect::<Vec<_>>().pop().unwrap()
        };
        let done = || Effect::Done { conn: ConnId(1) };
        assert_eq!(hash(&[&[done()]]).len(), HASH_DIGITS);
        assert_eq!(hash(&[&[ask("Ada", "one")]]), hash(&[&[ask("Ada", "two")]]));
        assert_ne!(hash(&[&[ask("Ada", "one")]]), hash(&[&[ask("Bob", "one")]]));
        assert_ne!(hash(&[&[done()], &[]]), hash(&[&[], &[done()]]));
        assert_ne!(hash(&[&[done()], &[done()]]), hash(&[&[done()]]));
    }

    #[test]
    fn invalid_lines_are_refused() {
        for line in
            ["{}", r#"{"n":1}"#, r#"{"end":"x","n":1}"#, r#"{"end":5}"#, "[1]", "", r#"{"end":"x","y":1}"#]
        {
            assert!(Line::read(line.as_bytes()).is_err(), "{line}");
        }
        let mut text = Vec::new();
        write_end(&mut text, "so \"be\" it");
        assert!(matches!(Line::read(&text), Ok(Line::End(reason)) if reason == "so \"be\" it"));
    }
}
