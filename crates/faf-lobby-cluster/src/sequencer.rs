//! Batches of one sender: each is taken once, in order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most batches of one sender that are under way. A sender waits with further ones.
pub(crate) const WINDOW: u64 = 256;

/// Takes the batches of one sender in the order of their numbers, each once.
///
/// A batch that was not acknowledged in time is appended again, and so may be in the stream twice,
/// or after its successors. A batch that comes too early is kept until those before it have come.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Sequencer<T> {
    next: u64,
    early: BTreeMap<u64, T>,
}

impl<T> Default for Sequencer<T> {
    fn default() -> Self {
        Self { next: 1, early: BTreeMap::new() }
    }
}

impl<T> Sequencer<T> {
    /// Takes a batch. Returns whether it is new: neither a repetition nor further ahead than a
    /// sender ever is.
    pub(crate) fn take(&mut self, number: u64, batch: T) -> bool {
        let is_new = number >= self.next && number - self.next < WINDOW && !self.early.contains_key(&number);
        if is_new {
            self.early.insert(number, batch);
        }
        is_new
    }

    /// Returns the next batch in order, if it has come.
    pub(crate) fn next(&mut self) -> Option<T> {
        let batch = self.early.remove(&self.next)?;
        self.next += 1;
        Some(batch)
    }

    /// Number of the next batch.
    pub(crate) fn expected(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_batch_is_taken_once_and_in_order() {
        let mut sequencer = Sequencer::default();
        let mut taken = Vec::new();
        for number in [2, 1, 1, 2, 4, 4, 3, 0, WINDOW + 5] {
            sequencer.take(number, number);
            taken.extend(std::iter::from_fn(|| sequencer.next()));
        }
        assert_eq!(taken, [1, 2, 3, 4]);
        assert_eq!(sequencer.expected(), 5);
        assert!(!sequencer.take(4, 4), "it was taken");
        assert!(!sequencer.take(5 + WINDOW, 0), "a sender never is that far ahead");
        assert!(sequencer.take(4 + WINDOW, 0));
    }
}
