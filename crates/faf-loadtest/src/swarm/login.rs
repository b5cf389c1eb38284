//! A login from the first message to the last list that follows it.

use std::time::Instant;

use faf_protocol::{ServerMessage, WireFormat};
use memchr::memmem::Finder;

use crate::swarm::counter::Counter;
use crate::swarm::marker::on_the_wire;

/// Search patterns in one wire format.
#[derive(Debug)]
pub(crate) struct Needles {
    welcome: Finder<'static>,
    /// The list of games is the last of what a login brings.
    games: Finder<'static>,
    refused: Finder<'static>,
    /// A `ping` of the server.
    pub(crate) ping: Finder<'static>,
}

impl Needles {
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

/// How far a login has come with some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    None,
    /// All lists are there.
    Done,
    Refused,
}

/// A login under way.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) began: Instant,
    step: Step,
    /// The end of what has come, in which something may have begun.
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Welcome,
    Games,
    /// Inside of the last list.
    LastList,
}

impl Login {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, step: Step::Welcome, tail: Vec::new() }
    }

    pub(crate) fn is_welcome(&self) -> bool {
        self.step != Step::Welcome
    }

    /// Takes what was received; adds the number of messages that end in it.
    pub(crate) fn hear(
        &mut self,
        needles: &Needles,
        counter: &mut Counter,
        bytes: &[u8],
        messages: &mut u64,
    ) -> Progress {
        let mut progress = Progress::None;
        let mut at = 0;
        if self.step == Step::Welcome {
            match self.find(&needles.welcome, bytes) {
                Some(end) => {
                    (self.step, at) = (Step::Games, end);
                    self.tail.clear();
                }
                None if self.find(&needles.refused, bytes).is_some() => progress = Progress::Refused,
                None => {}
            }
        }
        if self.step == Step::Games
            && let Some(end) = self.find(&needles.games, &bytes[at..])
        {
            self.step = Step::LastList;
            *messages += counter.count(&bytes[..at + end]);
            let behind = counter.count(&bytes[at + end..]);
            *messages += behind;
            return if behind > 0 { Progress::Done } else { progress };
        }
        let ended = counter.count(bytes);
        *messages += ended;
        if self.step == Step::LastList {
            return if ended > 0 { Progress::Done } else { Progress::None };
        }
        self.keep_tail(&bytes[at..]);
        progress
    }

    /// Where the first of these ends that ends in the bytes.
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
        /// More than any needle has.
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
            let (bytes, needles) = (login(format), Needles::new(format));
            for size in 1..bytes.len() {
                let (mut login, mut counter) = (Login::new(Instant::now()), Counter::new(format));
                let (mut messages, mut seen) = (0, Vec::new());
                for (index, chunk) in bytes.chunks(size).enumerate() {
                    let progress = login.hear(&needles, &mut counter, chunk, &mut messages);
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
            let (needles, mut counter) = (Needles::new(format), Counter::new(format));
            let bytes = format.encode(&message).unwrap();
            let progress = Login::new(Instant::now()).hear(&needles, &mut counter, &bytes, &mut 0);
            assert_eq!(progress, Progress::Refused);
        }
    }
}
