//! The stream between gateways and cores.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::Timestamp;

use crate::lobby::BEGINNING;

/// A message that is stored in the stream.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The time of the stream's clock.
    pub(super) utc: Timestamp,
    pub(super) payload: Arc<[u8]>,
}

/// The stream. Sequence numbers begin with 1.
#[derive(Debug, Default)]
pub(super) struct Stream {
    entries: Vec<Entry>,
    ids: HashSet<String>,
    /// End of the time in which it cannot be reached.
    pub(super) away_until: Duration,
    /// Error of its clock, in microseconds.
    pub(super) clock_error: i64,
}

impl Stream {
    /// Stores a message at this time, and returns its sequence number; `None` if it takes the
    /// message for a repetition.
    pub(super) fn store(
        &mut self,
        now: Duration,
        id: &str,
        payload: &Arc<[u8]>,
        recognises: bool,
    ) -> Option<u64> {
        if !self.ids.insert(id.to_owned()) && recognises {
            return None;
        }
        let utc = Timestamp(BEGINNING.0 + now.as_micros() as i64 + self.clock_error);
        self.entries.push(Entry { utc, payload: Arc::clone(payload) });
        Some(self.last())
    }

    /// Sequence number of the last message.
    pub(super) fn last(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Returns the message with this sequence number.
    pub(super) fn entry(&self, sequence: u64) -> Entry {
        self.entries[sequence as usize - 1].clone()
    }
}
