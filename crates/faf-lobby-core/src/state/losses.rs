//! [`Losses`]: how many players have lost their connection lately.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time for which a loss counts.
const WINDOW: Duration = Duration::from_secs(60);

/// Number of losses within the window up to which nothing is unusual, whatever share of the players
/// they are.
const USUAL: u32 = 10;

/// The players who have lost their connection within the last minute, by second.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Losses(VecDeque<(u64, u32)>);

impl Losses {
    /// Counts a player whose connection was lost.
    pub(crate) fn record(&mut self, now: Duration) {
        self.forget_old(now);
        match self.0.back_mut() {
            Some((second, count)) if *second == now.as_secs() => *count += 1,
            _ => self.0.push_back((now.as_secs(), 1)),
        }
    }

    /// Returns whether more players are lost than one of them can be the cause of: more than a
    /// share of those who were online, and more than a few.
    pub(crate) fn are_common(&mut self, now: Duration, online: usize, share: f64) -> bool {
        self.forget_old(now);
        let lost: u32 = self.0.iter().map(|(_, count)| count).sum();
        lost > USUAL && f64::from(lost) > share * (online as f64 + f64::from(lost))
    }

    fn forget_old(&mut self, now: Duration) {
        while self.0.front().is_some_and(|(second, _)| second + WINDOW.as_secs() <= now.as_secs()) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_common_above_a_share_within_a_minute() {
        let second = Duration::from_secs(1);
        let mut losses = Losses::default();
        for _ in 0..10 {
            losses.record(second);
        }
        assert!(!losses.are_common(second, 0, 0.1), "a few are usual");
        losses.record(second * 2);
        assert!(losses.are_common(second * 60, 98, 0.1));
        assert!(!losses.are_common(second * 60, 99, 0.1));
        assert!(!losses.are_common(second * 61, 0, 0.1), "ten of them are a minute ago");
    }
}
