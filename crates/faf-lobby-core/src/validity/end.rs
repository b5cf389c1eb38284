use std::time::Duration;

use crate::game_options::GameKind;

use super::{Check, Validity};

/// Maximum number of `Desync` messages, summed over all players, with which a game still counts
/// (game-results.md section 5). Each player contributes at most this many: every process notices
/// that the simulations have drifted apart, so one that reports it alone is wrong, or its player
/// wants a defeat not to count.
pub const DESYNCS_MAX: u32 = 20;

/// Minimum duration of a custom game that counts, per player, unless the game enforces its rating
/// (game-results.md section 4).
pub const SHORT_PER_PLAYER: Duration = Duration::from_secs(60);

/// Facts about a game that has ended, as the rules need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndFacts<'a> {
    /// Number of `Desync` messages of all players, at most [`DESYNCS_MAX`] of each.
    pub desyncs: u32,
    /// Whether any report was accepted.
    pub has_reports: bool,
    /// A player whose own process neither sent `Launching` nor reported anything, if there is one.
    pub absent: Option<&'a str>,
    /// Whether the game sent `EnforceRating`.
    pub enforces_rating: bool,
    /// Whether the game was short; see [`is_short`].
    pub is_short: bool,
    /// Whether the outcomes of the teams are known; see
    /// [`resolve_teams`](crate::results::resolve_teams).
    pub is_resolved: bool,
}

/// The verdict on a game that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndChecks {
    /// Final validity of the game. If it differs from that of the launch, the row of the game must
    /// be updated.
    pub validity: Validity,
    /// Handling of the results.
    pub results: Results,
    /// Rules that were checked, in order, with all that hit. The first one that hit decided, unless
    /// the game already did not count.
    pub checks: Vec<Check>,
}

/// The handling of the results of a game that has ended (game-results.md section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Results {
    /// Nothing is done: no scores are stored, no teams resolved, nothing is published or rated.
    Dropped,
    /// Scores are stored, teams resolved and results published, but not rated.
    Published,
    /// Scores are stored, teams resolved, results published and handed to the rating.
    Rated,
}

/// Returns whether a game was too short to count (game-results.md section 4).
#[must_use]
pub fn is_short(lasted: Duration, players: usize) -> bool {
    // Saturates: no game has this many players, and if one had, this many minutes would be
    // long enough.
    let players = u32::try_from(players).unwrap_or(u32::MAX);
    lasted < SHORT_PER_PLAYER.saturating_mul(players)
}

/// Checks whether a game still counts after it has been played, and what happens to its results
/// (game-results.md section 4).
///
/// `current` is the validity since the launch. A reason found at the launch stays, as it says more
/// than those found here (R1). The caller may resolve the teams beforehand, which has no effects;
/// if the results are [dropped](Results::Dropped), `is_resolved` does not matter.
#[must_use]
pub fn check_at_end(current: Validity, kind: GameKind, facts: EndFacts<'_>) -> EndChecks {
    let mut end = End { initial: Validity::initial(kind), validity: current, checks: Vec::new() };
    // Results are dropped if the simulations drifted apart, in co-op games, and without reports.
    let desyncs = facts.desyncs;
    let has_drifted_apart = end.check(
        Validity::TooManyDesyncs,
        desyncs > DESYNCS_MAX,
        format!("{desyncs} Desync messages, at most {DESYNCS_MAX} are allowed"),
    );
    if has_drifted_apart || kind == GameKind::Coop {
        return end.finish(Results::Dropped);
    }
    let what = if facts.has_reports { "results were reported" } else { "no results were reported" };
    if end.check(Validity::UnknownResult, !facts.has_reports, what.to_owned()) {
        return end.finish(Results::Dropped);
    }
    // A host can launch a game, and report a victory, while the opponent still looks at the lobby.
    let what = match facts.absent {
        Some(player) => format!("the game of {player} neither said Launching nor reported anything"),
        None => "the games of all players have begun".to_owned(),
    };
    end.check(Validity::UnknownResult, facts.absent.is_some(), what);
    // The remaining rules stop the rating, but the results are still published.
    let seconds = SHORT_PER_PLAYER.as_secs();
    let what = match (facts.is_short, facts.enforces_rating) {
        (true, false) => format!("shorter than {seconds} s a player, and no EnforceRating came"),
        (true, true) => format!("shorter than {seconds} s a player, but EnforceRating came"),
        (false, _) => format!("not shorter than {seconds} s a player"),
    };
    end.check(Validity::TooShort, facts.is_short && !facts.enforces_rating, what);
    let what = if facts.is_resolved { "teams are resolved" } else { "teams are unresolved" };
    end.check(Validity::UnknownResult, !facts.is_resolved, what.to_owned());
    let is_rated = end.validity == Validity::Valid;
    end.finish(if is_rated { Results::Rated } else { Results::Published })
}

struct End {
    initial: Validity,
    validity: Validity,
    checks: Vec<Check>,
}

impl End {
    /// Records the check of a rule. Returns whether it hit.
    fn check(&mut self, validity: Validity, is_hit: bool, mut detail: String) -> bool {
        if is_hit && self.validity == self.initial {
            self.validity = validity;
        } else if is_hit {
            detail += &format!("; {} stays", self.validity);
        }
        self.checks.push(Check { validity, is_hit, detail });
        is_hit
    }

    fn finish(self, results: Results) -> EndChecks {
        EndChecks { validity: self.validity, results, checks: self.checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: EndFacts<'_> = EndFacts {
        desyncs: 0,
        has_reports: true,
        absent: None,
        enforces_rating: false,
        is_short: false,
        is_resolved: true,
    };

    fn custom(facts: EndFacts<'_>) -> (Validity, Results) {
        let end = check_at_end(Validity::Valid, GameKind::Custom, facts);
        (end.validity, end.results)
    }

    fn coop(facts: EndFacts<'_>) -> (Validity, Results) {
        let end = check_at_end(Validity::CoopNotRanked, GameKind::Coop, facts);
        (end.validity, end.results)
    }

    fn path(current: Validity, kind: GameKind, facts: EndFacts<'_>) -> Vec<(Validity, bool, String)> {
        let checks = check_at_end(current, kind, facts).checks;
        checks.into_iter().map(|check| (check.validity, check.is_hit, check.detail)).collect()
    }

    #[test]
    fn a_good_game_is_rated() {
        assert_eq!(custom(GOOD), (Validity::Valid, Results::Rated));
        assert_eq!(
            path(Validity::Valid, GameKind::Custom, GOOD),
            [
                (Validity::TooManyDesyncs, false, "0 Desync messages, at most 20 are allowed".to_owned()),
                (Validity::UnknownResult, false, "results were reported".to_owned()),
                (Validity::UnknownResult, false, "the games of all players have begun".to_owned()),
                (Validity::TooShort, false, "not shorter than 60 s a player".to_owned()),
                (Validity::UnknownResult, false, "teams are resolved".to_owned()),
            ]
        );
    }

    #[test]
    fn desyncs_drop_the_results() {
        assert_eq!(custom(EndFacts { desyncs: 20, ..GOOD }), (Validity::Valid, Results::Rated));
        let facts = EndFacts { desyncs: 21, has_reports: false, ..GOOD };
        assert_eq!(custom(facts), (Validity::TooManyDesyncs, Results::Dropped));
        assert_eq!(
            path(Validity::Valid, GameKind::Custom, facts),
            [(Validity::TooManyDesyncs, true, "21 Desync messages, at most 20 are allowed".to_owned())]
        );
    }

    #[test]
    fn co_op_has_no_results() {
        for has_reports in [true, false] {
            for is_short in [true, false] {
                let facts = EndFacts { has_reports, is_short, is_resolved: false, ..GOOD };
                assert_eq!(coop(facts), (Validity::CoopNotRanked, Results::Dropped));
                let path = path(Validity::CoopNotRanked, GameKind::Coop, facts);
                assert_eq!(path.len(), 1);
            }
        }
        assert_eq!(coop(EndFacts { desyncs: 21, ..GOOD }), (Validity::TooManyDesyncs, Results::Dropped));
    }

    #[test]
    fn without_reports_there_is_nothing_to_publish() {
        let facts = EndFacts { has_reports: false, is_short: true, is_resolved: false, ..GOOD };
        assert_eq!(custom(facts), (Validity::UnknownResult, Results::Dropped));
        let path = path(Validity::Valid, GameKind::Custom, facts);
        assert_eq!(path.len(), 2);
        assert_eq!(path[1].2, "no results were reported");
    }

    #[test]
    fn short_games_are_published_but_not_rated() {
        let facts = EndFacts { is_short: true, ..GOOD };
        assert_eq!(custom(facts), (Validity::TooShort, Results::Published));
        let detail = |facts| path(Validity::Valid, GameKind::Custom, facts)[3].2.clone();
        assert_eq!(detail(facts), "shorter than 60 s a player, and no EnforceRating came");
        let facts = EndFacts { enforces_rating: true, ..facts };
        assert_eq!(custom(facts), (Validity::Valid, Results::Rated));
        assert_eq!(detail(facts), "shorter than 60 s a player, but EnforceRating came");
    }

    #[test]
    fn unresolved_games_are_published_but_not_rated() {
        let facts = EndFacts { is_resolved: false, ..GOOD };
        assert_eq!(custom(facts), (Validity::UnknownResult, Results::Published));
        assert_eq!(path(Validity::Valid, GameKind::Custom, facts)[4].2, "teams are unresolved");
        let facts = EndFacts { is_short: true, ..facts };
        assert_eq!(custom(facts), (Validity::TooShort, Results::Published));
        assert_eq!(
            path(Validity::Valid, GameKind::Custom, facts)[4],
            (Validity::UnknownResult, true, "teams are unresolved; TOO_SHORT stays".to_owned())
        );
    }

    #[test]
    fn a_game_with_an_absent_player_is_not_rated() {
        let facts = EndFacts { absent: Some("Bob"), ..GOOD };
        assert_eq!(custom(facts), (Validity::UnknownResult, Results::Published));
        let detail = path(Validity::Valid, GameKind::Custom, facts)[2].2.clone();
        assert_eq!(detail, "the game of Bob neither said Launching nor reported anything");
    }

    #[test]
    fn a_reason_of_the_launch_stays() {
        for (facts, results) in [
            (GOOD, Results::Published),
            (EndFacts { is_short: true, ..GOOD }, Results::Published),
            (EndFacts { is_resolved: false, ..GOOD }, Results::Published),
            (EndFacts { has_reports: false, ..GOOD }, Results::Dropped),
            (EndFacts { desyncs: 21, ..GOOD }, Results::Dropped),
        ] {
            let end = check_at_end(Validity::BadMap, GameKind::Custom, facts);
            assert_eq!((end.validity, end.results), (Validity::BadMap, results), "{facts:?}");
            let end = check_at_end(Validity::WrongDifficulty, GameKind::Coop, facts);
            assert_eq!((end.validity, end.results), (Validity::WrongDifficulty, Results::Dropped));
        }
        let path = path(Validity::BadMap, GameKind::Custom, EndFacts { desyncs: 21, ..GOOD });
        assert_eq!(path[0].2, "21 Desync messages, at most 20 are allowed; BAD_MAP stays");
    }

    #[test]
    fn a_game_is_short_below_a_minute_per_player() {
        assert!(is_short(Duration::from_millis(119_999), 2));
        assert!(!is_short(Duration::from_secs(120), 2));
        assert!(is_short(Duration::from_secs(120), 3));
        assert!(!is_short(Duration::ZERO, 0));
        assert!(is_short(Duration::from_secs(1), usize::MAX));
    }

    proptest! {
        #[test]
        fn only_valid_games_are_rated(
            number in 0..26_u8,
            is_coop: bool,
            desyncs in 0..40_u32,
            (has_reports, enforces_rating, is_short, is_resolved, is_absent) in any::<(bool, bool, bool, bool, bool)>(),
        ) {
            let current = Validity::from_number(number).unwrap();
            let kind = if is_coop { GameKind::Coop } else { GameKind::Custom };
            let absent = is_absent.then_some("Bob");
            let facts = EndFacts { desyncs, has_reports, absent, enforces_rating, is_short, is_resolved };
            let end = check_at_end(current, kind, facts);
            if current != Validity::initial(kind) {
                prop_assert_eq!(end.validity, current);
            }
            if end.results == Results::Rated {
                prop_assert!(end.validity == Validity::Valid && !is_coop && is_resolved && !is_absent);
            }
            let has_hit = end.checks.iter().any(|check| check.is_hit);
            let stays = end.checks.iter().any(|check| check.detail.ends_with(" stays"));
            prop_assert_eq!(has_hit, end.validity != current || stays);
        }
    }
}
