//! [`Losses`]: how many players have lost their connection lately.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

/// Time for which a loss counts.
const WINDOW: Duration = Duration::from_secs(60);

/// Number of players lost within the window up to which nothing is unusual, whatever share of all
/// they are.
const USUAL: usize = 10;

/// The players who have lost their connection within the last minute. Each counts once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Losses {
    /// In the order of their times, with entries that a later loss of the same player replaces.
    times: VecDeque<(Duration, PlayerId)>,
    /// Time of the latest loss of each player.
    players: BTreeMap<PlayerId, Duration>,
    /// Time of the last loss that was one of too many.
    last_common: Option<Duration>,
}

impl Losses {
    /// Records that a player has lost the connection while others were online. Losses are common if
    /// more players are lost than one of them can be the cause of: more than a few, and more than a
    /// share of all.
    pub(crate) fn record(&mut self, player: PlayerId, now: Duration, others: usize, share: f64) {
        while let Some((time, player)) = self.times.front().copied().filter(|(time, _)| *time + WINDOW <= now)
        {
            self.times.pop_front();
            if self.players.get(&player) == Some(&time) {
                self.players.remove(&player);
            }
        }
        self.times.push_back((now, player));
        self.players.insert(player, now);
        let lost = self.players.len();
        if lost > USUAL && lost as f64 > share * (others + lost) as f64 {
            self.last_common = Some(now);
        }
    }

    /// Returns whether losses were common at or after a time, or shortly before it.
    pub(crate) fn were_common_since(&self, time: Duration) -> bool {
        self.last_common.is_some_and(|common| common + WINDOW >= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Records one player after the other, from the first number to before the last.
    fn lose(losses: &mut Losses, numbers: std::ops::Range<u32>, now: Duration, others: usize) {
        numbers.for_each(|number| losses.record(PlayerId(number), now, others, 0.1));
    }

    #[test]
    fn losses_are_common_above_a_share_within_a_minute() {
        let mut losses = Losses::default();
        lose(&mut losses, 0..10, SECOND, 0);
        assert!(!losses.were_common_since(SECOND), "a few are usual");
        let mut large = losses.clone();
        lose(&mut large, 10..11, SECOND * 60, 99);
        assert!(!large.were_common_since(SECOND), "eleven of 110 are not more than a tenth");
        lose(&mut losses, 10..11, SECOND * 60, 98);
        assert!(losses.were_common_since(SECOND * 120) && !losses.were_common_since(SECOND * 121));
        let mut slow = Losses::default();
        lose(&mut slow, 0..10, SECOND, 0);
        lose(&mut slow, 10..11, SECOND * 61, 0);
        assert!(!slow.were_common_since(SECOND), "ten of them were a minute ago");
    }

    #[test]
    fn a_player_who_is_lost_again_and_again_counts_once() {
        let mut losses = Losses::default();
        for _ in 0..100 {
            losses.record(PlayerId(1), SECOND, 0, 0.1);
        }
        assert!(!losses.were_common_since(SECOND));
        // The latest loss counts, not the first.
        losses.record(PlayerId(1), SECOND * 50, 0, 0.1);
        lose(&mut losses, 2..12, SECOND * 70, 0);
        assert!(losses.were_common_since(SECOND));
    }
}
