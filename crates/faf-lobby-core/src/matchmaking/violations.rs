//! Violations: players whose matches fail because of them must wait before they search again
//! (matchmaking.md section 10).
//!
//! | violations at (seconds) | result with the default settings |
//! |---|---|
//! | 0 | 1 counts, no time-out |
//! | 0, 60 | 2 count, timed out until 660 |
//! | 0, 60, 661 | 3 count, until 2461 |
//! | 0, 60, 661, 2500 | 4 count, until 4300 |
//! | 0, 3599 | 2 count, until 4199 |
//! | 0, 10, 3700 | 1 counts, no time-out |

use std::collections::BTreeMap;
use std::time::Duration;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::texts;

/// Rules of violations; read at each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViolationSettings {
    /// Whether violations count; default true. If not, none is recorded, and nobody is timed out
    /// (`LADDER_VIOLATIONS_ENABLED`).
    pub enabled: bool,
    /// Number of violations at which a player is timed out for the first time; default 2
    /// (`LADDER_VIOLATIONS_BAN_THRESHOLD`).
    pub ban_threshold: u32,
    /// Duration of the first time-out; default 10 minutes (`LADDER_VIOLATIONS_FIRST_BAN_DURATION`).
    pub first_ban_duration: Duration,
    /// Duration of each further time-out; default 30 minutes (`LADDER_VIOLATIONS_BAN_DURATION`).
    pub ban_duration: Duration,
    /// Time after the latest violation at which all of a player are forgotten; default one hour
    /// (`LADDER_VIOLATIONS_RESET_TIME`).
    pub reset_time: Duration,
}

impl Default for ViolationSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            ban_threshold: 2,
            first_ban_duration: Duration::from_secs(600),
            ban_duration: Duration::from_secs(1800),
            reset_time: Duration::from_secs(3600),
        }
    }
}

/// The violations of a player: their number, and the time of the latest. Both are in
/// `search_violation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Number of violations, from 1.
    pub count: u32,
    /// Time of the latest.
    pub time: Timestamp,
}

impl Violation {
    /// Returns the duration of the time-out that begins with this violation; `None` if there are
    /// too few for one.
    #[must_use]
    pub fn ban(&self, settings: &ViolationSettings) -> Option<Duration> {
        match self.count {
            count if count < settings.ban_threshold => None,
            count if count == settings.ban_threshold => Some(settings.first_ban_duration),
            _ => Some(settings.ban_duration),
        }
    }

    /// Returns the text of the notice for the player (section 10.2).
    #[must_use]
    pub fn notice(&self, settings: &ViolationSettings) -> String {
        texts::violation(self.count, self.ban(settings))
    }

    /// Returns whether the violation no longer counts. One that lies further ahead than the reset
    /// time was recorded before the clock was set back, and does not count either.
    fn is_expired(&self, now: Timestamp, settings: &ViolationSettings) -> bool {
        now.since(self.time) >= settings.reset_time || self.time.since(now) > settings.reset_time
    }
}

/// A player who may not search, as `search_timeout` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedOut {
    /// The player.
    pub player: PlayerId,
    /// End of the time-out.
    pub expires_at: Timestamp,
}

/// The violations of all players. There is an element for each player with violations, until they
/// have expired and the caller [removes](Self::remove_expired) them: whenever it receives the
/// queues, every ten minutes.
///
/// All times are of the calendar, so that it can be saved and used after a restart of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Violations(BTreeMap<PlayerId, Violation>);

impl Violations {
    /// Records that a match has failed because of this player. Returns all that still counts
    /// against the player; `None` if violations do not count.
    pub fn record(
        &mut self,
        player: PlayerId,
        now: Timestamp,
        settings: &ViolationSettings,
    ) -> Option<Violation> {
        if !settings.enabled {
            return None;
        }
        let count = self.get(player, now, settings).map_or(0, |violation| violation.count);
        let violation = Violation { count: count.saturating_add(1), time: now };
        self.0.insert(player, violation);
        Some(violation)
    }

    /// Returns the violations of a player that still count.
    #[must_use]
    pub fn get(&self, player: PlayerId, now: Timestamp, settings: &ViolationSettings) -> Option<&Violation> {
        self.0.get(&player).filter(|violation| settings.enabled && !violation.is_expired(now, settings))
    }

    /// Returns those of these players who are timed out, in the order given (section 10.3).
    #[must_use]
    pub fn timed_out(
        &self,
        players: impl IntoIterator<Item = PlayerId>,
        now: Timestamp,
        settings: &ViolationSettings,
    ) -> Vec<TimedOut> {
        let timed_out = |player| {
            let violation = self.get(player, now, settings)?;
            let expires_at = violation.time.after(violation.ban(settings)?);
            (expires_at > now).then_some(TimedOut { player, expires_at })
        };
        players.into_iter().filter_map(timed_out).collect()
    }

    /// Forgets the violations that no longer count.
    pub fn remove_expired(&mut self, now: Timestamp, settings: &ViolationSettings) {
        self.0.retain(|_, violation| !violation.is_expired(now, settings));
    }

    /// Returns the number of players with violations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no player has a violation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns the text of the notice for a party of which some members are timed out: their names, and
/// the longest of the times that they have to wait (section 10.3).
#[must_use]
pub fn timed_out_notice<'a>(
    timed_out: &[TimedOut],
    now: Timestamp,
    login: impl Fn(PlayerId) -> &'a str,
) -> String {
    let names: Vec<&str> = timed_out.iter().map(|timed_out| login(timed_out.player)).collect();
    let remaining = timed_out.iter().map(|timed_out| timed_out.expires_at.since(now)).max();
    texts::timed_out(&names, remaining.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ADA: PlayerId = PlayerId(1);
    const BOB: PlayerId = PlayerId(2);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(2_000_000_000 + seconds)
    }

    /// The table at the head of this file.
    #[test]
    fn violations_add_up_until_they_expire() {
        let settings = ViolationSettings::default();
        for (times, count, until) in [
            (&[0][..], 1, None),
            (&[0, 60], 2, Some(660)),
            (&[0, 60, 661], 3, Some(2461)),
            (&[0, 60, 661, 2500], 4, Some(4300)),
            (&[0, 3599], 2, Some(4199)),
            (&[0, 3600], 1, None),
            (&[0, 10, 3700], 1, None),
        ] {
            let mut violations = Violations::default();
            let last = times.iter().map(|time| violations.record(ADA, at(*time), &settings)).last().flatten();
            assert_eq!(last.unwrap().count, count, "{times:?}");
            let now = at(*times.last().unwrap());
            let timed_out = violations.timed_out([BOB, ADA], now, &settings);
            let expected = until.map(|until| TimedOut { player: ADA, expires_at: at(until) });
            assert_eq!(timed_out, expected.into_iter().collect::<Vec<_>>(), "{times:?}");
            if let Some(until) = until {
                assert!(violations.timed_out([ADA], at(until), &settings).is_empty());
            }
        }
    }

    #[test]
    fn the_settings_apply_at_each_use() {
        let mut violations = Violations::default();
        let settings = ViolationSettings::default();
        let off = ViolationSettings { enabled: false, ..settings };
        assert_eq!(violations.record(ADA, at(0), &off), None);
        assert!(violations.is_empty());
        for time in [0, 10, 20] {
            violations.record(ADA, at(time), &settings);
        }
        assert_eq!(violations.timed_out([ADA], at(30), &settings).len(), 1);
        assert!(violations.timed_out([ADA], at(30), &off).is_empty());
        let generous = ViolationSettings { ban_threshold: 4, ..settings };
        assert!(violations.timed_out([ADA], at(30), &generous).is_empty());
        let last = ViolationSettings { ban_threshold: 3, ..settings };
        assert_eq!(violations.timed_out([ADA], at(30), &last)[0].expires_at, at(620));
        let short = ViolationSettings { reset_time: Duration::from_secs(5), ..settings };
        assert!(violations.timed_out([ADA], at(30), &short).is_empty());
        violations.remove_expired(at(30), &short);
        assert_eq!(violations.len(), 0);
    }

    #[test]
    fn players_learn_how_long_they_must_wait() {
        let settings = ViolationSettings::default();
        let notice = |count| Violation { count, time: at(0) }.notice(&settings);
        assert!(notice(1).contains("1 match") && !notice(1).contains("minutes"), "{}", notice(1));
        assert!(notice(2).contains("2 matches") && notice(2).contains("10 minutes"), "{}", notice(2));
        assert!(notice(7).contains("7 matches") && notice(7).contains("30 minutes"), "{}", notice(7));

        let timed_out = [(ADA, 599), (BOB, 30)].map(|(player, end)| TimedOut { player, expires_at: at(end) });
        let login = |player| if player == ADA { "Ada" } else { "Bob" };
        let text = |timed_out: &[TimedOut], now| timed_out_notice(timed_out, at(now), login);
        assert_eq!(text(&timed_out[..1], 0), "Player Ada is timed out for 9 minutes");
        assert_eq!(text(&timed_out, 0), "Players Ada, Bob are timed out for 9 minutes");
        assert_eq!(text(&timed_out[1..], 0), "Player Bob is timed out for 30 seconds");
        assert_eq!(text(&timed_out[1..], 29), "Player Bob is timed out for 1 second");
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let settings = ViolationSettings::default();
        let mut violations = Violations::default();
        violations.record(ADA, at(100_000), &settings);
        violations.record(ADA, at(100_000), &settings);
        assert!(violations.timed_out([ADA], at(0), &settings).is_empty());
        assert_eq!(violations.timed_out([ADA], at(99_999), &settings).len(), 1);
        violations.remove_expired(at(0), &settings);
        assert!(violations.is_empty());
    }

    proptest! {
        #[test]
        fn nobody_is_timed_out_for_longer_than_the_ban_lasts(
            steps in prop::collection::vec((1_u32..4, 0_i64..4000), 1..30),
            ban_threshold in 0_u32..5, first in 0_u64..4000, further in 0_u64..4000, reset in 0_u64..4000,
        ) {
            let settings = ViolationSettings {
                enabled: true,
                ban_threshold,
                first_ban_duration: Duration::from_secs(first),
                ban_duration: Duration::from_secs(further),
                reset_time: Duration::from_secs(reset),
            };
            let (mut violations, mut now) = (Violations::default(), 0);
            for (player, later) in steps {
                now += later;
                let before = violations.get(PlayerId(player), at(now), &settings).map_or(0, |one| one.count);
                let violation = violations.record(PlayerId(player), at(now), &settings).unwrap();
                prop_assert_eq!(violation, Violation { count: before + 1, time: at(now) });
                for timed_out in violations.timed_out((1..4).map(PlayerId), at(now), &settings) {
                    prop_assert!(timed_out.expires_at > at(now));
                    prop_assert!(timed_out.expires_at.since(at(now)) <= Duration::from_secs(first.max(further)));
                }
                // Cleaning changes nothing that anybody sees, and neither does a restart.
                let mut cleaned = violations.clone();
                cleaned.remove_expired(at(now), &settings);
                for player in (1..4).map(PlayerId) {
                    prop_assert_eq!(cleaned.get(player, at(now), &settings), violations.get(player, at(now), &settings));
                }
                let saved = serde_json::to_string(&violations).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Violations>(&saved).unwrap(), &violations);
            }
        }
    }
}
