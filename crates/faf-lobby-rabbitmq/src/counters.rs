//! Counters for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// The routing keys that have counters of their own: those of ops.md sections 11.2 and 11.3. The
/// last one stands for all others.
pub const KEYS: [&str; 10] = [
    "success.gameResults.create",
    "success.rating.update",
    "request.achievement.update",
    "request.event.update",
    "broadcast.playerInfo.update",
    "broadcast.gameInfo.update",
    "broadcast.matchmakerInfo.update",
    "request.client.notify",
    "success.player_avatar.update",
    "other",
];

/// Counters since the start of the server.
#[derive(Debug, Default)]
pub struct Counters {
    keys: [AtomicKeyCounts; KEYS.len()],
    connects: AtomicU64,
}

/// Counters of one routing key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// Messages sent to the broker, including repetitions.
    pub published: u64,
    /// Messages that the broker confirmed.
    pub confirmed: u64,
    /// Messages that the broker refused; they are published again.
    pub refused: u64,
    /// Reports that were dropped because the broker was away or too slow, and incoming messages
    /// that could not be used.
    pub dropped: u64,
    /// Incoming messages that were passed on to the lobby.
    pub consumed: u64,
}

#[derive(Debug, Default)]
struct AtomicKeyCounts {
    published: AtomicU64,
    confirmed: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    consumed: AtomicU64,
}

/// An event that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Published,
    Confirmed,
    Refused,
    Dropped,
    Consumed,
}

impl Counters {
    /// Returns the counters of each routing key, in the order of [`KEYS`].
    pub fn by_key(&self) -> impl Iterator<Item = (&'static str, KeyCounts)> {
        KEYS.into_iter().zip(&self.keys).map(|(key, counts)| {
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let counts = KeyCounts {
                published: read(&counts.published),
                confirmed: read(&counts.confirmed),
                refused: read(&counts.refused),
                dropped: read(&counts.dropped),
                consumed: read(&counts.consumed),
            };
            (key, counts)
        })
    }

    /// Number of connections that were opened completely.
    #[must_use]
    pub fn connects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, key: &str, what: Counted) {
        self.add(key, what, 1);
    }

    pub(crate) fn add(&self, key: &str, what: Counted, number: u64) {
        let index = KEYS.iter().position(|known| *known == key).unwrap_or(KEYS.len() - 1);
        let counts = &self.keys[index];
        let counter = match what {
            Counted::Published => &counts.published,
            Counted::Confirmed => &counts.confirmed,
            Counted::Refused => &counts.refused,
            Counted::Dropped => &counts.dropped,
            Counted::Consumed => &counts.consumed,
        };
        counter.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn count_connect(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_share_a_counter() {
        let counters = Counters::default();
        counters.count("success.rating.update", Counted::Confirmed);
        counters.count("x", Counted::Published);
        counters.count("y", Counted::Published);
        let of = |name| counters.by_key().find(|(key, _)| *key == name).unwrap().1;
        assert_eq!(of("success.rating.update"), KeyCounts { confirmed: 1, ..KeyCounts::default() });
        assert_eq!(of("other"), KeyCounts { published: 2, ..KeyCounts::default() });
    }
}
