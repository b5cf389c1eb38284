//! How a game is rated: a database reads [`RatingInputs`], [`rate`] computes, and the database
//! writes the changes, all in one transaction. What counts is what is stored, so that one game
//! after the other counts, whatever the lobby believes of its players.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::RatedGame;
use faf_lobby_core::ratings::{Leaderboards, RatingChange, START_RATING, rate_game};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Rating;

/// What the rating of a game depends on, as it is stored before the game.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RatingInputs {
    /// All leaderboards.
    pub leaderboards: Leaderboards,
    /// All ratings of those who took part, by technical name of the leaderboard.
    pub ratings: BTreeMap<(PlayerId, String), Rating>,
    /// Those who took part and are among the stored players of the game.
    pub players: BTreeSet<PlayerId>,
}

/// The changes of ratings that follow.
///
/// # Errors
/// Why nothing changes: the game cannot be rated, or one of its players is not among the stored
/// ones (ratings.md R2).
pub fn rate(inputs: &RatingInputs, rated: &RatedGame) -> Result<Vec<RatingChange>, String> {
    let stored = |player, name: &str| inputs.ratings.get(&(player, name.to_owned())).copied();
    let changes = rate_game(&inputs.leaderboards, START_RATING, &rated.leaderboard, &rated.teams, &stored)
        .map_err(|reason| reason.to_string())?;
    match participants(rated).find(|player| !inputs.players.contains(player)) {
        Some(missing) => Err(format!("player {missing} has no row in game_player_stats")),
        None => Ok(changes),
    }
}

/// Those who took part, team by team.
pub fn participants(rated: &RatedGame) -> impl Iterator<Item = PlayerId> {
    rated.teams.iter().flat_map(|team| &team.players).copied()
}
