//! The time until the next round of a queue, called its next *pop* (matchmaking.md section 2).
//!
//! ```text
//!   of the last 5 rounds:   Σp players who were in the queue, Σw waits that were planned
//!
//!   next = desired matches · 2 · team size · Σw / Σp      between minimum and maximum
//!        = maximum if Σp = 0                               at least 1 second in any case
//! ```
//!
//! | team size | players at the round, planned wait | next, without minimum |
//! |---|---|---|
//! | 1 | 5, 45 | 45 |
//! | 1 | 12, 45; 14, 18.75; 9, 15 | 18.75; 12.259615; 11.25 |
//! | 2 | 8, 45; 12, 56.25; 20, 50 | 56.25; 50.625; 37.8125 |
//! | 1 | 1, 45; 2, 90 | 90; 90 |

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MatchmakingSettings;

/// Shortest time between two rounds, whatever the settings (M6).
const WAIT_MIN: Duration = Duration::from_secs(1);

/// The last rounds of a queue, from which the wait for the next one is computed. Begins empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PopTimer {
    pops: VecDeque<Pop>,
}

/// A round as the timer remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Pop {
    players: u32,
    planned: Duration,
}

impl PopTimer {
    /// Returns the time from the creation of a queue to its first round: half of
    /// `queue_pop_time_max`.
    #[must_use]
    pub fn first_wait(settings: &MatchmakingSettings) -> Duration {
        duration(settings.queue_pop_time_max / 2.0)
    }

    /// Takes in a round that is due now, and returns the time until the next one.
    ///
    /// `players` is the number of players in the queue, not of searches. `planned` is the wait
    /// that was planned when the wait for this round began: the previous result, or what the round
    /// before left of it. A duration cannot be negative, so that a round that took longer than the
    /// wait counts as zero and the timer cannot run away (M6).
    pub fn pop(
        &mut self,
        players: u32,
        planned: Duration,
        team_size: u32,
        settings: &MatchmakingSettings,
    ) -> Duration {
        self.pops.push_back(Pop { players, planned });
        while self.pops.len() > settings.queue_pop_time_moving_avg_size.max(1) {
            self.pops.pop_front();
        }
        let wait = match self.wanted(team_size, settings) {
            Some(wait) => wait.max(duration(settings.queue_pop_time_min)),
            // An empty queue waits for the longest time, whatever the minimum.
            None => duration(settings.queue_pop_time_max),
        };
        wait.max(WAIT_MIN)
    }

    /// Returns the time until the next round without a minimum, as of the last call of
    /// [`pop`](Self::pop); `None` if nobody was in the queue.
    #[must_use]
    pub fn wanted(&self, team_size: u32, settings: &MatchmakingSettings) -> Option<Duration> {
        let players = self.pops.iter().map(|pop| f64::from(pop.players)).sum::<f64>();
        let planned = self.pops.iter().map(|pop| pop.planned.as_secs_f64()).sum::<f64>();
        let desired = settings.queue_pop_desired_matches * 2.0 * f64::from(team_size);
        let wait = (desired * planned / players).min(settings.queue_pop_time_max);
        (players > 0.0).then(|| duration(wait))
    }
}

/// Converts seconds; the longest duration stands for more, zero for less than nothing.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Team size, and of each round the players, the planned wait and the next wait.
    type Run<'a> = (u32, &'a [(u32, f64, f64)]);

    #[test]
    fn the_table_of_the_specification() {
        let settings = MatchmakingSettings { queue_pop_time_min: 0.0, ..MatchmakingSettings::default() };
        let runs: [Run; 5] = [
            (1, &[(5, 45.0, 45.0)]),
            (1, &[(12, 45.0, 18.75), (14, 18.75, 12.259_615), (9, 15.0, 11.25)]),
            (2, &[(8, 45.0, 56.25), (12, 56.25, 50.625), (20, 50.0, 37.8125)]),
            (4, &[(16, 45.0, 56.25), (40, 56.25, 36.160_714), (8, 45.0, 45.703_125)]),
            (1, &[(1, 45.0, 90.0), (2, 90.0, 90.0)]),
        ];
        for (team_size, pops) in runs {
            let mut timer = PopTimer::default();
            for &(players, planned, expected) in pops {
                let next = timer.pop(players, Duration::from_secs_f64(planned), team_size, &settings);
                assert!((next.as_secs_f64() - expected).abs() < 1e-6, "{next:?} is not {expected}");
            }
        }
    }

    #[test]
    fn the_first_round_comes_after_half_of_the_maximum() {
        assert_eq!(PopTimer::first_wait(&MatchmakingSettings::default()), Duration::from_secs(45));
    }

    #[test]
    fn a_busy_queue_waits_for_the_minimum() {
        let mut timer = PopTimer::default();
        let next = timer.pop(1000, Duration::from_secs(45), 1, &MatchmakingSettings::default());
        assert_eq!(next, Duration::from_secs(15));
    }

    proptest! {
        #[test]
        fn the_wait_is_within_its_bounds(
            pops in prop::collection::vec((0..u32::MAX, 0..u64::MAX), 1..20), team_size: u32,
        ) {
            let mut timer = PopTimer::default();
            for (players, planned) in pops {
                let planned = Duration::from_secs(planned);
                let wait = timer.pop(players, planned, team_size, &MatchmakingSettings::default());
                prop_assert!((15..=90).contains(&wait.as_secs()), "{wait:?}");
            }
        }

        #[test]
        fn settings_beyond_reason_do_no_harm(numbers in prop::array::uniform3(prop::num::f64::ANY), size: usize) {
            let [queue_pop_time_max, queue_pop_time_min, queue_pop_desired_matches] = numbers;
            let settings = MatchmakingSettings {
                queue_pop_time_max,
                queue_pop_time_min,
                queue_pop_desired_matches,
                queue_pop_time_moving_avg_size: size,
                ..MatchmakingSettings::default()
            };
            let first = PopTimer::first_wait(&settings);
            for players in [0, 3] {
                prop_assert!(PopTimer::default().pop(players, first, 2, &settings) >= WAIT_MIN);
            }
        }
    }
}
