//! How long a search in a queue usually takes until it is matched.
//!
//! The median of those who were matched would be too short a time in a queue in which many give up,
//! or are still waiting. So each search counts for as long as it was seen to wait (Kaplan and
//! Meier, 1958):
//!
//! | waits in seconds, `+` if not matched by then | estimate |
//! |---|---|
//! | 10, 20, 30 | 20 |
//! | 10, 20+, 30+ | none: fewer than half were matched |
//! | 10, 15+, 30, 40 | 30 |

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Number of searches that are remembered after their end.
const REMEMBERED_MAX: usize = 50;

/// Age up to which the end of a search counts.
const AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// The searches of a queue that have ended lately. Begins empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WaitingTimes {
    ended: VecDeque<Ended>,
}

/// A search that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Ended {
    at: Duration,
    waited: Duration,
    is_matched: bool,
}

impl WaitingTimes {
    /// Records the end of a search. Only the last 50 count.
    pub fn record(&mut self, now: Duration, waited: Duration, is_matched: bool) {
        if self.ended.len() >= REMEMBERED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(Ended { at: now, waited, is_matched });
    }

    /// Returns the time after which half of all searches are matched, from those that ended within
    /// the last hour, and from how long others have waited until now. `None` if fewer than half
    /// were, or if nothing is known.
    #[must_use]
    pub fn estimate(&self, now: Duration, waiting: impl IntoIterator<Item = Duration>) -> Option<Duration> {
        let recent = self.ended.iter().filter(|ended| ended.at + AGE_MAX > now);
        let mut waits: Vec<(Duration, bool)> =
            recent.map(|ended| (ended.waited, !ended.is_matched)).collect();
        waits.extend(waiting.into_iter().map(|waited| (waited, true)));
        // Of equal waits, those that led to a match come first: the others have waited longer.
        waits.sort_unstable();
        let (mut left, mut share) = (waits.len(), 1.0);
        for (waited, has_left) in waits {
            if !has_left {
                share *= (left - 1) as f64 / left as f64;
            }
            left -= 1;
            if share <= 0.5 {
                return Some(waited);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The table at the head of this file.
    #[test]
    fn half_of_all_searches_are_matched_within_the_estimate() {
        for (waits, expected) in [
            (&[(10, true), (20, true), (30, true)][..], Some(20)),
            (&[(10, true), (20, false), (30, false)], None),
            (&[(10, true), (15, false), (30, true), (40, true)], Some(30)),
            (&[(20, false), (20, true)], Some(20)),
            (&[], None),
        ] {
            let mut times = WaitingTimes::default();
            for (waited, is_matched) in waits {
                times.record(Duration::ZERO, Duration::from_secs(*waited), *is_matched);
            }
            let estimate = times.estimate(Duration::ZERO, []);
            assert_eq!(estimate.map(|estimate| estimate.as_secs()), expected, "{waits:?}");
        }
    }

    #[test]
    fn only_the_last_hour_counts_and_those_who_wait_now() {
        let mut times = WaitingTimes::default();
        times.record(Duration::ZERO, Duration::from_secs(10), true);
        let waiting = |count| vec![Duration::from_secs(30); count];
        assert!(times.estimate(AGE_MAX - Duration::from_secs(1), waiting(1)).is_some());
        assert!(times.estimate(AGE_MAX - Duration::from_secs(1), waiting(2)).is_none());
        assert!(times.estimate(AGE_MAX, waiting(0)).is_none());
    }

    proptest! {
        #[test]
        fn estimates_are_waits_that_were_seen(waits in prop::collection::vec((0_u64..1000, any::<bool>()), 0..80)) {
            let mut times = WaitingTimes::default();
            for (waited, is_matched) in &waits {
                times.record(Duration::ZERO, Duration::from_secs(*waited), *is_matched);
            }
            prop_assert!(times.ended.len() <= REMEMBERED_MAX);
            if let Some(estimate) = times.estimate(Duration::ZERO, []) {
                prop_assert!(waits.contains(&(estimate.as_secs(), true)));
            }
        }
    }
}
