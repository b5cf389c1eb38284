//! The changes that a game makes to the ratings of its players (ratings.md sections 4 to 6).

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;
use serde::{Deserialize, Serialize};

use crate::results::Outcome;

use super::true_skill::{self, GameResult};
use super::{GLOBAL, Leaderboards};

/// Limit, in rating points, up to which a matchmaker game can raise the displayed rating on
/// `global`. The adjustment should only tell new players from experienced ones in custom lobbies
/// (ratings.md section 6).
pub const RATING_ADJUSTMENT_MAX_RATING: f64 = 1400.0;

/// A team of a game that is to be rated: the players frozen at launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatedTeam {
    /// Outcome of the game for the whole team.
    pub outcome: Outcome,
    /// Players of the team.
    pub players: Vec<PlayerId>,
}

/// The change of one player's rating on one leaderboard. It counts as one game there, and also as a
/// win after [`Outcome::Victory`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatingChange {
    /// Player whose rating changes.
    pub player: PlayerId,
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// The rating before the game, stored or derived.
    pub before: Rating,
    /// The rating after the game.
    pub after: Rating,
    /// Outcome of the game for the player's team.
    pub outcome: Outcome,
    /// Whether the player has a row on this leaderboard. If not, the store inserts one that begins
    /// with `before`, 0 games and 0 wins (ratings.md section 5.1, R1).
    pub was_stored: bool,
}

/// The reason why a game cannot be rated. No rating changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRated {
    /// There is no leaderboard of this name.
    UnknownLeaderboard(String),
    /// The outcomes of the two teams are neither a victory and a defeat nor two draws.
    Outcomes([Outcome; 2]),
    /// A team has no players.
    EmptyTeam,
    /// A player occurs twice.
    PlayerTwice(PlayerId),
}

/// Returns the rating changes of one game: on its leaderboard those of all players in the order of
/// the teams, then on `global` those of the players who are adjusted there.
///
/// `start` is the rating of new players. `stored` returns the stored ratings before the game, by
/// player and technical name. A game on `global` itself adjusts nothing, nor does any game if
/// `global` does not exist.
///
/// # Errors
///
/// If the game cannot be rated: see [`NotRated`].
pub fn rate_game(
    leaderboards: &Leaderboards,
    start: Rating,
    leaderboard: &str,
    teams: &[RatedTeam; 2],
    stored: &dyn Fn(PlayerId, &str) -> Option<Rating>,
) -> Result<Vec<RatingChange>, NotRated> {
    if leaderboards.get(leaderboard).is_none() {
        return Err(NotRated::UnknownLeaderboard(leaderboard.to_owned()));
    }
    let result = result(teams)?;
    check_players(teams)?;

    let rating = |player, name: &str| leaderboards.rating(name, start, |name| stored(player, name));
    let base = teams.each_ref().map(|team| {
        team.players.iter().map(|&player| rating(player, leaderboard).rating).collect::<Vec<_>>()
    });
    let change = |team: &RatedTeam, player, name: &str, after| {
        let before = rating(player, name);
        RatingChange {
            player,
            leaderboard: name.to_owned(),
            before: before.rating,
            after,
            outcome: team.outcome,
            was_stored: before.is_stored,
        }
    };

    let mut changes = Vec::new();
    for (team, after) in teams.iter().zip(true_skill::rate(&base, result)) {
        let players = team.players.iter().zip(after);
        changes.extend(players.map(|(&player, after)| change(team, player, leaderboard, after)));
    }
    if leaderboard != GLOBAL && leaderboards.get(GLOBAL).is_some() {
        for (side, team) in teams.iter().enumerate() {
            for (seat, &player) in team.players.iter().enumerate() {
                let after = adjusted(&base, (side, seat), rating(player, GLOBAL).rating, result);
                changes.extend(after.map(|after| change(team, player, GLOBAL, after)));
            }
        }
    }
    Ok(changes)
}

fn result(teams: &[RatedTeam; 2]) -> Result<GameResult, NotRated> {
    let outcomes = teams.each_ref().map(|team| team.outcome);
    match outcomes {
        [Outcome::Victory, Outcome::Defeat] => Ok(GameResult::FirstWins),
        [Outcome::Defeat, Outcome::Victory] => Ok(GameResult::SecondWins),
        [Outcome::Draw, Outcome::Draw] => Ok(GameResult::Draw),
        _ => Err(NotRated::Outcomes(outcomes)),
    }
}

fn check_players(teams: &[RatedTeam; 2]) -> Result<(), NotRated> {
    if teams.iter().any(|team| team.players.is_empty()) {
        return Err(NotRated::EmptyTeam);
    }
    let mut seen = BTreeSet::new();
    match teams.iter().flat_map(|team| &team.players).find(|player| !seen.insert(**player)) {
        Some(&player) => Err(NotRated::PlayerTwice(player)),
        None => Ok(()),
    }
}

/// Returns the player's new rating on `global`, with the others counting as on the game's
/// leaderboard; `None` if it does not change. It rises only if the player's displayed rating on the
/// game's leaderboard is not lower, and it never falls.
fn adjusted(
    base: &[Vec<Rating>; 2],
    (side, seat): (usize, usize),
    global: Rating,
    result: GameResult,
) -> Option<Rating> {
    if base[side][seat].displayed() < global.displayed() {
        return None;
    }
    let mut teams = base.clone();
    teams[side][seat] = global;
    let after = true_skill::rate(&teams, result)[side][seat];
    let rises = global.displayed() < after.displayed();
    (rises && after.displayed() <= RATING_ADJUSTMENT_MAX_RATING).then_some(after)
}

impl fmt::Display for NotRated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLeaderboard(name) => write!(f, "there is no leaderboard {name:?}"),
            Self::Outcomes([first, second]) => {
                write!(f, "the outcomes do not fit: {first:?} and {second:?}")
            }
            Self::EmptyTeam => f.write_str("a team has no players"),
            Self::PlayerTwice(player) => write!(f, "player {player} is named twice"),
        }
    }
}

impl Error for NotRated {}

#[cfg(test)]
mod tests {
    use super::super::{LADDER, Leaderboard, START_RATING};
    use super::*;
    use crate::results::Outcome::{Defeat, Draw, Unknown, Victory};

    const TMM: &str = "tmm_2v2";

    /// The player's ratings on the ladder and on `global`, the opponent's on the ladder, the
    /// outcome for the player, and the player's new rating on `global`.
    #[test]
    fn the_table_of_adjustments() {
        type Row = ((f64, f64), (f64, f64), (f64, f64), Outcome, Option<(f64, f64)>);
        let rows: [Row; 8] = [
            ((1500.0, 500.0), (1500.0, 500.0), (1500.0, 500.0), Victory, Some((1765.511882, 429.191878))),
            ((1500.0, 90.0), (900.0, 150.0), (1500.0, 90.0), Victory, Some((1023.894440, 139.910837))),
            ((1500.0, 90.0), (900.0, 150.0), (1500.0, 90.0), Defeat, None),
            ((1800.0, 80.0), (1640.0, 80.0), (1700.0, 80.0), Victory, None),
            ((1800.0, 80.0), (1600.0, 80.0), (1700.0, 80.0), Victory, Some((1619.381442, 79.148845))),
            ((1300.0, 100.0), (1300.0, 100.0), (1200.0, 100.0), Victory, Some((1319.251673, 98.219227))),
            ((1000.0, 100.0), (1500.0, 80.0), (1000.0, 100.0), Victory, None),
            ((1500.0, 90.0), (1000.0, 300.0), (1000.0, 90.0), Draw, Some((1000.0, 228.439057))),
        ];
        for (number, (base, global, opponent, outcome, expected)) in rows.into_iter().enumerate() {
            let against = match outcome {
                Victory => Defeat,
                Defeat => Victory,
                other => other,
            };
            let stored = |player, name: &str| match (player, name) {
                (PlayerId(1), GLOBAL) => Some(rating(global)),
                (PlayerId(1), _) => Some(rating(base)),
                // Too high to be adjusted.
                (_, GLOBAL) => Some(rating((3000.0, 50.0))),
                _ => Some(rating(opponent)),
            };
            let teams = [team(outcome, &[1]), team(against, &[2])];
            let changes = rate_game(&boards(), START_RATING, LADDER, &teams, &stored).unwrap();
            assert_eq!(changes.len(), 2 + usize::from(expected.is_some()), "row {number}");
            if let (Some(change), Some(expected)) = (changes.get(2), expected) {
                assert_eq!((change.player, &*change.leaderboard), (PlayerId(1), GLOBAL), "row {number}");
                assert!((change.after.mean - expected.0).abs() < 1e-5, "row {number}: {change:?}");
                assert!((change.after.deviation - expected.1).abs() < 1e-5, "row {number}: {change:?}");
            }
        }
    }

    #[test]
    fn new_players_get_rows_on_both_boards() {
        let stored =
            |player, name: &str| (player == PlayerId(2) && name == GLOBAL).then_some(rating((1600.0, 90.0)));
        let teams = [team(Victory, &[1, 2]), team(Defeat, &[3, 4])];
        let changes = rate_game(&boards(), START_RATING, TMM, &teams, &stored).unwrap();
        let rows = changes.iter().map(|change| (change.player.0, &*change.leaderboard, change.was_stored));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [(1, TMM, false), (2, TMM, false), (3, TMM, false), (4, TMM, false), (1, GLOBAL, false)]
        );
        assert_eq!(changes[1].before, rating((1600.0, 240.0)));
        assert_eq!(changes[4].before, START_RATING);
        assert_eq!(changes[4].outcome, Victory);
    }

    #[test]
    fn without_the_global_board_nothing_is_adjusted() {
        let only_ladder =
            Leaderboards::new(vec![Leaderboard { id: 1, name: LADDER.to_owned(), initializer: None }]);
        let teams = [team(Victory, &[1]), team(Defeat, &[2])];
        let changes = rate_game(&only_ladder, START_RATING, LADDER, &teams, &|_, _| None).unwrap();
        assert!(changes.iter().all(|change| change.leaderboard == LADDER));
    }

    #[test]
    fn invalid_games_are_not_rated() {
        let rate = |leaderboard, first, second| {
            rate_game(&boards(), START_RATING, leaderboard, &[first, second], &|_, _| None).unwrap_err()
        };
        assert_eq!(
            rate("tmm_9v9", team(Victory, &[1]), team(Defeat, &[2])),
            NotRated::UnknownLeaderboard("tmm_9v9".to_owned())
        );
        let all = [Victory, Defeat, Draw, Unknown];
        let rateable = [[Victory, Defeat], [Defeat, Victory], [Draw, Draw]];
        for outcomes in all.map(|first| all.map(|second| [first, second])).as_flattened() {
            if !rateable.contains(outcomes) {
                let error = rate(GLOBAL, team(outcomes[0], &[1]), team(outcomes[1], &[2]));
                assert_eq!(error, NotRated::Outcomes(*outcomes));
            }
        }
        assert_eq!(rate(GLOBAL, team(Victory, &[1]), team(Defeat, &[])), NotRated::EmptyTeam);
        assert_eq!(
            rate(GLOBAL, team(Draw, &[1, 2]), team(Draw, &[3, 1])),
            NotRated::PlayerTwice(PlayerId(1))
        );
        assert_eq!(
            rate(GLOBAL, team(Draw, &[2, 2]), team(Draw, &[3])).to_string(),
            "player 2 is named twice"
        );
        assert_eq!(
            NotRated::Outcomes([Victory, Unknown]).to_string(),
            "the outcomes do not fit: Victory and Unknown"
        );
    }

    #[test]
    fn changes_survive_serialisation() {
        let teams = [team(Victory, &[1]), team(Defeat, &[2])];
        let changes = rate_game(&boards(), START_RATING, LADDER, &teams, &|_, _| None).unwrap();
        let json = serde_json::to_string(&(&teams, &changes)).unwrap();
        let read: ([RatedTeam; 2], Vec<RatingChange>) = serde_json::from_str(&json).unwrap();
        assert_eq!(read, (teams, changes));
        assert!(json.starts_with(r#"[[{"outcome":"VICTORY","players":[1]}"#), "{json}");
    }

    fn boards() -> Leaderboards {
        let board = |id, name: &str, initializer| Leaderboard { id, name: name.to_owned(), initializer };
        Leaderboards::new(vec![board(1, GLOBAL, None), board(2, LADDER, None), board(3, TMM, Some(1))])
    }

    fn team(outcome: Outcome, players: &[u32]) -> RatedTeam {
        RatedTeam { outcome, players: players.iter().copied().map(PlayerId).collect() }
    }

    fn rating((mean, deviation): (f64, f64)) -> Rating {
        Rating { mean, deviation }
    }
}
