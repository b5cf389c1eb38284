//! The batches of a leader on their way into the stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::bus::BusCommand;

/// Pause before a batch is appended again that the stream has not stored.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Batches that the stream has not confirmed, in order. The core bounds their number.
#[derive(Debug, Default)]
pub(super) struct Appends {
    last_number: u64,
    waiting: VecDeque<Waiting>,
    /// Time at which those that were not stored are appended again.
    retry: Option<Duration>,
    /// Whether the stream was full at the last attempt.
    is_full: bool,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    id: String,
    payload: Arc<[u8]>,
    has_failed: bool,
}

impl Waiting {
    fn command(&self) -> BusCommand {
        BusCommand::Append {
            number: Some(self.number),
            id: self.id.clone(),
            payload: Arc::clone(&self.payload),
        }
    }
}

impl Appends {
    /// Adds a batch, and returns the command that appends it.
    pub(super) fn add(&mut self, id: String, payload: Vec<u8>) -> BusCommand {
        self.last_number += 1;
        let waiting = Waiting { number: self.last_number, id, payload: payload.into(), has_failed: false };
        let command = waiting.command();
        self.waiting.push_back(waiting);
        command
    }

    /// The stream has stored a batch.
    pub(super) fn stored(&mut self, number: u64) {
        self.waiting.retain(|waiting| waiting.number != number);
        if std::mem::take(&mut self.is_full) {
            tracing::info!("the stream has room again");
        }
    }

    /// The stream has not stored a batch, as far as is known.
    pub(super) fn not_stored(&mut self, now: Duration, number: u64, is_full: bool) {
        let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.number == number) else { return };
        waiting.has_failed = true;
        self.retry.get_or_insert(now + RETRY_PAUSE);
        if is_full && !std::mem::replace(&mut self.is_full, true) {
            tracing::error!("the stream is full: raise stream_bytes, or see why no snapshot is written");
        }
    }

    /// Time at which [`again`](Self::again) has something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        self.retry
    }

    /// Returns the commands that append again what was not stored, in order, if that is due.
    pub(super) fn again(&mut self, now: Duration) -> Vec<BusCommand> {
        if self.retry.is_none_or(|retry| now < retry) {
            return Vec::new();
        }
        self.retry = None;
        let failed = self.waiting.iter_mut().filter(|waiting| waiting.has_failed);
        failed
            .map(|waiting| {
                waiting.has_failed = false;
                waiting.command()
            })
            .collect()
    }

    /// Number of batches that the stream has not confirmed.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets all batches: the core does not lead any more, or in a new epoch.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.retry = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_appended_until_they_are_stored_in_their_order() {
        let mut appends = Appends::default();
        let number = |command: &BusCommand| match command {
            BusCommand::Append { number: Some(number), .. } => *number,
            other => panic!("{other:?}"),
        };
        let numbers: Vec<_> =
            ["a", "b", "c"].map(|id| number(&appends.add(id.to_owned(), Vec::new()))).into();
        assert_eq!(numbers, [1, 2, 3]);
        let second = Duration::from_secs(1);
        appends.not_stored(second, 3, false);
        appends.not_stored(second, 1, false);
        appends.stored(2);
        assert_eq!(appends.again(second), []);
        assert_eq!(appends.due(), Some(second + RETRY_PAUSE));
        let again: Vec<_> = appends.again(second * 2).iter().map(number).collect();
        assert_eq!(again, [1, 3]);
        assert_eq!((appends.again(second * 3), appends.due()), (Vec::new(), None));
        appends.not_stored(second * 3, 1, true);
        appends.clear();
        assert_eq!(appends.again(second * 9), []);
    }
}
