//! The progress of a login, from the first message to the last list.

use std::time::Instant;

use faf_protocol::{ServerMessage, WireFormat};
use memchr::memmem::Finder;

use crate::swarm::counter::Counter;
use crate::swarm::marker::on_the_wire;

/// Search patterns in one wire format.
#[derive(Debug)]
pub(crate) struct Patterns {
    welcome: Finder<'static>,
    /// Beginning of the list of games, which is the last message of a login.
    games: Finder<'static>,
    refused: Finder<'static>,
    /// A `ping` of the server.
    pub(crate) ping: Finder<'static>,
}

impl Patterns {
    pub(crate) fn new(format: WireFormat) -> Self {
        let finder = |text: &str| Finder::new(&on_the_wire(format, text)).into_owned();
        let ping = format.encode(&ServerMessage::Ping).expect("a ping can be expressed");
        Self {
            welcome: finder(r#""command":"welcome""#),
            games: finder(r#""games":["#),
            refused: finder(r#""command":"authentication_failed""#),
            ping: Finder::new(&ping).into_owned(),
        }
    }
}

/// Progress of a login after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    None,
    /// All lists have arrived.
    Done,
    Refused,
}

/// A login in progress.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) began: Instant,
    step: Step,
    /// The last received bytes, in which a pattern may have begun.
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Welcome,
    Games,
    /// Inside the last list.
    LastList,
}

impl Login {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, step: Step::Welcome, tail: Vec::new() }
    }

    pub(crate) fn is_welcome(&self) -> bool {
        self.step != Step::Welcome
    }

    /// Handles received bytes, and adds the number of messages that end in them.
    pub(crate) fn receive(
        &mut self,
        patterns: &Patterns,
        counter: &mut Counter,
        bytes: &[u8],
        messages: &mut u64,
    ) -> Progress {
        let mut progress = Progress::None;
        let mut at = 0;
        // The same bytes may hold several steps, so each begins at the end of the one before.
        if self.step == Step::Welcome {
            match self.find(&patterns.welcome, bytes) {
                Some(end) => {
                    (self.step, at) = (Step::Games, end);
                    self.tail.clear();
                }
                None if self.find(&patterns.refused, bytes).is_some() => progress = Progress::Refused,
                None => {}
            }
        }
        if self.step == Step::Games
            && let Some(end) = self.find(&patterns.games, &bytes[at..])
        {
            // The list of games is the last message of a login, and may be incomplete.
            self.step = Step::LastList;
            *messages += counter.count(&bytes[..at + end]);
            let rest = counter.count(&bytes[at + end..]);
            *messages += rest;
            return if rest > 0 { Progress::Done } else { progress };
        }
        let ended = counter.count(bytes);
        *messages += ended;
        if self.step == Step::LastList {
            return if ended > 0 { Progress::Done } else { Progress::None };
        }
        self.keep_tail(&bytes[at..]);
        progress
    }

    /// Returns the end of the first match that ends in these bytes.
    fn find(&self, needle: &Finder, bytes: &[u8]) -> Option<usize> {
        let overlap = needle.needle().len() - 1;
        let tail = &self.tail[self.tail.len().saturating_sub(overlap)..];
        if !tail.is_empty() {
            let joint = [tail, &bytes[..bytes.len().min(overlap)]].concat();
            if let Some(found) = needle.find(&joint) {
                return Some(found + needle.needle().len() - tail.len());
            }
        }
        needle.find(bytes).map(|found| found + needle.needle().len())
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        /// Length in bytes, longer than any pattern.
        const TAIL: usize = 96;

        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::Message;

    use super::*;

    fn login(format: WireFormat) -> Vec<u8> {
        let texts = [
            r#"{"command":"session","session":5}"#,
            r#"{"command":"welcome","me":{"login":"\"games\":["}}"#,
            r#"{"command":"player_info","players":[]}"#,
            r#"{"command":"game_info","title":"\"games\":["}"#,
            r#"{"command":"game_info","games":[{"title":"a long list"}]}"#,
        ];
        texts.iter().flat_map(|text| format.encode(&text.parse::<Message>().unwrap()).unwrap()).collect()
    }

    #[test]
    fn it_is_done_with_the_end_of_the_last_list() {
        for format in WireFormat::ALL {
            let (bytes, patterns) = (login(format), Patterns::new(format));
            for size in 1..bytes.len() {
                let (mut login, mut counter) = (Login::new(Instant::now()), Counter::new(format));
                let (mut messages, mut seen) = (0, Vec::new());
                for (index, chunk) in bytes.chunks(size).enumerate() {
                    let progress = login.receive(&patterns, &mut counter, chunk, &mut messages);
                    let is_last = (index + 1) * size >= bytes.len();
                    assert_eq!(progress == Progress::Done, is_last, "{format}, pieces of {size}");
                    seen.push(progress);
                }
                assert_eq!(messages, 5);
                assert!(login.is_welcome());
            }
        }
    }

    #[test]
    fn a_refusal_is_noticed() {
        for format in WireFormat::ALL {
            let message: Message = r#"{"command":"authentication_failed","text":"no"}"#.parse().unwrap();
            let (patterns, mut counter) = (Patterns::new(format), Counter::new(format));
            let bytes = format.encode(&message).unwrap();
            let progress = Login::new(Instant::now()).receive(&patterns, &mut counter, &bytes, &mut 0);
            assert_eq!(progress, Progress::Refused);
        }
    }
}
