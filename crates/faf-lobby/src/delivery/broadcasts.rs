//! Broadcasts: messages for all players who are logged in, kept until all of them have
//! been visited.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use faf_protocol::Encoding;

use super::frames::Frames;

/// Largest total size, in bytes, of frames that are joined to one piece, which all receivers share.
/// Copying larger ones once more gains nothing.
const JOIN_LIMIT_BYTES: usize = 256 * 1024;

/// Broadcasts in their order. Each has a number, and every connection has the number of its
/// next one.
#[derive(Debug, Default)]
pub(crate) struct Broadcasts {
    first: u64,
    waiting: VecDeque<Arc<Frames>>,
    joined: Joined,
}

/// A cache of the frames of one range as pieces to be written, in the encodings used so far.
/// Connections are visited one after the other, and nearly all of them miss the same range.
#[derive(Debug, Default)]
struct Joined {
    range: (u64, u64),
    pieces: [Option<Vec<Bytes>>; Encoding::ALL.len()],
    turn: Option<Arc<[Arc<Frames>]>>,
}

/// Broadcasts that are too large to be offered at once, and are offered in chunks. Clients that
/// miss the same range share them.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    broadcasts: Arc<[Arc<Frames>]>,
    next: usize,
}

impl Turn {
    pub(super) fn take_first(&mut self) -> Option<Arc<Frames>> {
        let first = self.broadcasts.get(self.next).cloned();
        self.next += 1;
        first
    }

    pub(super) fn rest(&self) -> impl Iterator<Item = &Arc<Frames>> {
        self.broadcasts.iter().skip(self.next)
    }
}

impl Broadcasts {
    /// Returns the number of the next broadcast.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn push(&mut self, frames: Arc<Frames>) {
        self.waiting.push_back(frames);
    }

    /// Returns all broadcasts from this number on.
    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = &Arc<Frames>> {
        let skipped = number.saturating_sub(self.first).try_into().unwrap_or(usize::MAX);
        self.waiting.iter().skip(skipped)
    }

    fn expect_range_from(&mut self, number: u64) {
        let range = (number, self.end());
        if self.joined.range != range {
            self.joined = Joined { range, ..Joined::default() };
        }
    }

    /// Returns all broadcasts from this number on, to be offered in chunks.
    pub(super) fn turn_since(&mut self, number: u64) -> Turn {
        self.expect_range_from(number);
        if self.joined.turn.is_none() {
            self.joined.turn = Some(self.since(number).cloned().collect());
        }
        Turn { broadcasts: self.joined.turn.clone().unwrap_or_default(), next: 0 }
    }

    /// Returns all broadcasts from this number on, in one piece if they are small.
    pub(crate) fn pieces_since(&mut self, number: u64, encoding: Encoding) -> &[Bytes] {
        self.expect_range_from(number);
        if self.joined.pieces[encoding as usize].is_none() {
            let frames: Vec<Bytes> =
                self.since(number).filter_map(|frames| frames.get(encoding)).cloned().collect();
            self.joined.pieces[encoding as usize] = Some(join(frames));
        }
        self.joined.pieces[encoding as usize].as_deref().unwrap_or_default()
    }

    /// Removes all broadcasts before this number, which all connections have.
    pub(crate) fn forget_before(&mut self, number: u64) {
        while self.first < number && self.waiting.pop_front().is_some() {
            self.first += 1;
        }
        if self.waiting.is_empty() {
            self.joined = Joined::default();
        }
    }
}

fn join(frames: Vec<Bytes>) -> Vec<Bytes> {
    let size: usize = frames.iter().map(Bytes::len).sum();
    if frames.len() < 2 || size > JOIN_LIMIT_BYTES {
        return frames;
    }
    vec![frames.concat().into()]
}
