//! The rate at which messages of other services are taken. Messages above it wait at the broker.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Messages per second, whatever they are.
const MESSAGES: f64 = 200.0;

/// Bytes per second of messages to single players.
const BYTES: f64 = 1024.0 * 1024.0;

/// Bytes per second of messages to all players. Each of them is sent every byte, and one who reads
/// less than 16 KiB per second counts as slow.
const BYTES_TO_ALL: f64 = 8.0 * 1024.0;

/// Time for which unused rate is saved up.
const BURST: Duration = Duration::from_secs(10);

/// Limits a rate: each message takes time from a budget.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The time up to which the budget is spent.
    spent: Instant,
}

impl Pace {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { spent: now.checked_sub(BURST).unwrap_or(now) }
    }

    /// Waits until a message of this size may be passed on.
    pub(crate) async fn wait(&mut self, bytes: usize, is_to_all: bool) {
        let rate = if is_to_all { BYTES_TO_ALL } else { BYTES };
        let cost = (bytes as f64 / rate).max(1.0 / MESSAGES);
        let now = Instant::now();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        self.spent = self.spent.max(earliest) + Duration::from_secs_f64(cost);
        sleep_until(self.spent).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn messages_in(time: Duration, bytes: usize, is_to_all: bool) -> usize {
        let mut pace = Pace::new();
        let begin = Instant::now();
        let mut count = 0;
        loop {
            pace.wait(bytes, is_to_all).await;
            if begin.elapsed() > time {
                return count;
            }
            count += 1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rate_is_bounded_after_a_burst() {
        let minute = Duration::from_secs(60);
        let close = |count: usize, expected: f64| (count as f64 - expected).abs() <= expected * 0.02 + 1.0;
        let small = messages_in(minute, 100, false).await;
        assert!(close(small, 70.0 * MESSAGES), "{small}");
        let large = messages_in(minute, 64 * 1024, false).await;
        assert!(close(large, 70.0 * 16.0), "{large}");
        let to_all = messages_in(minute, 64 * 1024, true).await;
        assert!(close(to_all, 70.0 / 8.0), "{to_all}");
    }
}
