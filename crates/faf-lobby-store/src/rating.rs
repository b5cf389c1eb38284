//! Rating of a game: a database reads [`RatingInputs`], [`rate`] computes the changes, and the
//! database writes them, all in one transaction. Only the stored ratings count, not those the lobby
//! holds in memory, so that games are rated one after the other.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::RatedGame;
use faf_lobby_core::ratings::{Leaderboards, RatingChange, START_RATING, rate_game};
use faf_lobby_core::results::Outcome;
use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;

/// Stored data on which the rating of a game depends, as it is before the game.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RatingInputs {
    /// All leaderboards.
    pub leaderboards: Leaderboards,
    /// All ratings of the participants, by player and technical name of the leaderboard.
    pub ratings: BTreeMap<(PlayerId, String), Rating>,
    /// Participants that are among the stored players of the game.
    pub players: BTreeSet<PlayerId>,
}

/// Returns the rating changes of the game.
///
/// # Errors
/// The reason why nothing changes: the game cannot be rated, or one of its players is not among the
/// stored ones (ratings.md R2).
pub fn rate(inputs: &RatingInputs, rated: &RatedGame) -> Result<Vec<RatingChange>, String> {
    let stored = |player, name: &str| inputs.ratings.get(&(player, name.to_owned())).copied();
    let changes = rate_game(&inputs.leaderboards, START_RATING, &rated.leaderboard, &rated.teams, &stored)
        .map_err(|reason| reason.to_string())?;
    match participants(rated).find(|player| !inputs.players.contains(player)) {
        Some(missing) => Err(format!("player {missing} has no row in game_player_stats")),
        None => Ok(changes),
    }
}

/// Returns the outcome of a rated game for a player: [`Outcome::Unknown`] for one who is in none of
/// its teams.
#[must_use]
pub fn outcome(rated: &RatedGame, player: PlayerId) -> Outcome {
    let team = rated.teams.iter().find(|team| team.players.contains(&player));
    team.map_or(Outcome::Unknown, |team| team.outcome)
}

/// Returns the participants, team by team.
pub fn participants(rated: &RatedGame) -> impl Iterator<Item = PlayerId> {
    rated.teams.iter().flat_map(|team| &team.players).copied()
}
