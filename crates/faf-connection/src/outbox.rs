//! The bytes that wait to be written to a peer, and their bound.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::error::OutboxFull;

/// Most bytes that may wait for a peer by default: 1 MiB, some hundred usual messages.
///
/// A sender with more at once, such as a list of all players, sends it in parts or as one piece: an
/// empty outbox accepts a piece of any size.
pub const OUTBOX_LIMIT: usize = 1024 * 1024;

/// Overhead of a waiting message, in bytes. It counts, so that many tiny messages are bounded, too.
const ENTRY_COST: usize = size_of::<Bytes>();

/// Most bytes of control frames that may wait: 128 KiB, the answers to all pings that are read at
/// once. They do not count against the limit, so that a peer that reads a long message slowly still
/// gets its answers.
const CONTROL_LIMIT: usize = 128 * 1024;

/// A bounded queue of bytes.
#[derive(Debug)]
pub(crate) struct Outbox {
    entries: VecDeque<Bytes>,
    waiting: usize,
    limit: usize,
    /// Bytes of the control frames queued since the outbox was last empty.
    controls: usize,
    /// Bytes removed as written, since the beginning.
    taken: u64,
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), waiting: 0, limit, controls: 0, taken: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns the number of bytes written since the beginning.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Queues bytes. An empty outbox accepts any number, so that no single message is too large to
    /// be sent.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<(), OutboxFull> {
        let cost = bytes.len() + ENTRY_COST;
        if !self.is_empty() && self.waiting + cost > self.limit {
            return Err(OutboxFull { waiting: self.waiting, limit: self.limit });
        }
        self.push_last(bytes);
        Ok(())
    }

    /// Returns the number of bytes of control frames queued since the outbox was last empty.
    pub(crate) fn controls(&self) -> usize {
        self.controls
    }

    /// Queues a control frame, however many messages wait. Too many control frames are dropped.
    pub(crate) fn push_control(&mut self, bytes: Bytes) {
        let cost = bytes.len() + ENTRY_COST;
        if self.controls + cost <= CONTROL_LIMIT {
            self.controls += cost;
            self.push_last(bytes);
        }
    }

    /// Queues the rest of these pieces after the first `written` bytes, even beyond the limit.
    pub(crate) fn push_rest(&mut self, pieces: &[Bytes], mut written: usize) {
        for piece in pieces {
            match piece.len().checked_sub(written) {
                Some(_) => {
                    self.push_last(piece.slice(written..));
                    written = 0;
                }
                None => written -= piece.len(),
            }
        }
    }

    /// Queues the last bytes of a connection, even beyond the limit.
    pub(crate) fn push_last(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.waiting += bytes.len() + ENTRY_COST;
            self.entries.push_back(bytes);
        }
    }

    /// Fills `slices` from the front of the queue, for one vectored write. Returns the number of
    /// slices used.
    pub(crate) fn front<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let count = slices.len().min(self.entries.len());
        for (slice, entry) in slices.iter_mut().zip(&self.entries) {
            *slice = IoSlice::new(entry);
        }
        count
    }

    /// Removes the bytes that were written from the front.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.taken += written as u64;
        while let Some(first) = self.entries.front_mut() {
            if written < first.len() {
                first.advance(written);
                self.waiting -= written;
                return;
            }
            written -= first.len();
            self.waiting -= first.len() + ENTRY_COST;
            self.entries.pop_front();
        }
        // Most connections are idle most of the time, and allocating a few entries again is cheap.
        self.entries = VecDeque::new();
        self.controls = 0;
    }

    pub(crate) fn clear(&mut self) {
        self.entries = VecDeque::new();
        self.controls = 0;
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(outbox: &Outbox) -> Vec<u8> {
        outbox.entries.iter().flatten().copied().collect()
    }

    #[test]
    fn bytes_are_written_in_order() {
        let mut outbox = Outbox::new(1000);
        for part in ["one", "", "two", "three"] {
            outbox.push(Bytes::from_static(part.as_bytes())).unwrap();
        }
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(outbox.front(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"one"[..], &b"two"[..]));
        outbox.advance(4);
        assert_eq!(text(&outbox), b"wothree");
        outbox.advance(7);
        assert!(outbox.is_empty());
        assert_eq!(outbox.waiting, 0);
    }

    #[test]
    fn the_limit_counts_bytes_and_entries() {
        let mut outbox = Outbox::new(10 * ENTRY_COST);
        let mut taken = 0;
        while outbox.push(Bytes::from_static(b"x")).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 9);
        assert_eq!(outbox.waiting, 9 * (ENTRY_COST + 1));
        let full = outbox.push(Bytes::from_static(b"y")).unwrap_err();
        assert_eq!(full, OutboxFull { waiting: outbox.waiting, limit: 10 * ENTRY_COST });
        assert_eq!(text(&outbox), b"xxxxxxxxx");
    }

    #[test]
    fn empty_outbox_accepts_any_size() {
        let mut outbox = Outbox::new(10);
        outbox.push(Bytes::from(vec![0; 5000])).unwrap();
        assert!(outbox.push(Bytes::from_static(b"x")).is_err());
        outbox.push_last(Bytes::from_static(b"last"));
        outbox.advance(5000);
        assert_eq!(text(&outbox), b"last");
    }

    #[test]
    fn control_frames_have_a_bound_of_their_own() {
        let mut outbox = Outbox::new(10);
        outbox.push(Bytes::from(vec![0; 5000])).unwrap();
        for _ in 0..2 {
            (0..10_000).for_each(|_| outbox.push_control(Bytes::from_static(b"pong")));
            let controls = outbox.entries.len() - 1;
            assert_eq!(controls, CONTROL_LIMIT / (ENTRY_COST + 4));
            outbox.advance(5000 + 4 * controls);
            assert!(outbox.is_empty());
            outbox.push(Bytes::from(vec![0; 5000])).unwrap();
        }
        assert_eq!(outbox.taken(), 2 * (5000 + 4 * (CONTROL_LIMIT / (ENTRY_COST + 4)) as u64));
    }

    #[test]
    fn empty_outbox_holds_no_memory() {
        let mut outbox = Outbox::new(1_000_000);
        for _ in 0..1000 {
            outbox.push(Bytes::from_static(b"x")).unwrap();
        }
        outbox.advance(1000);
        assert_eq!(outbox.entries.capacity(), 0);
    }
}
