//! The end of a game: its results, its ratings, and the reasons for them.

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{Decision, GameEnd};
use faf_protocol::GameId;

use crate::error::{Error, Result};
use crate::launch::seconds;
use crate::live_game::{decisions, live_state};
use crate::session::Session;
use crate::{outbox, ratings};

/// Writes everything that follows from the end of a game, and deletes the live game.
///
/// A game that cannot be rated keeps its results; the reason is appended to its decisions. An end
/// that is stored already is acknowledged as it was the first time, and ratings do not
/// change again.
pub(crate) fn end(s: &mut Session, id: GameId, end: &GameEnd) -> Result<Vec<RatingChange>> {
    let has_own_tables = s.schema().has_own_tables();
    let is_live = match has_own_tables {
        true => live_state(s, id)?.is_some(),
        false => is_open(s, id)?,
    };
    if !is_live {
        return ended_before(s, id, end);
    }
    let update = "UPDATE game_stats SET validity = ?, endTime = FROM_UNIXTIME(?) WHERE id = ?";
    s.execute(update, (end.validity.number(), seconds(end.ended_at), id.0))?;
    for result in &end.results {
        s.execute(
            "UPDATE game_player_stats SET score = ?, scoreTime = NOW(), result = ?
             WHERE gameId = ? AND playerId = ?",
            (result.score, result.outcome.as_str(), id.0, result.player.0),
        )?;
    }
    let mut decisions = end.decisions.clone();
    let changes = match end.rated.as_ref().map(|rated| ratings::rate(s, id, rated)).transpose()? {
        None => Vec::new(),
        Some(Ok(changes)) => changes,
        Some(Err(reason)) => {
            tracing::error!(game = id.0, reason, "cannot rate a game that should be rated");
            decisions.push(Decision::RatingFailed { reason });
            Vec::new()
        }
    };
    if has_own_tables {
        let insert = "INSERT INTO faf_lobby_explanation (id, decisions) VALUES (?, ?)";
        s.execute(insert, (id.0, serde_json::to_string(&decisions)?))?;
        s.execute("DELETE FROM faf_lobby_live_game WHERE id = ?", (id.0,))?;
    }
    outbox::put(s, &end.publications(id, &changes))?;
    Ok(changes)
}

/// Returns whether a game has no end yet, and keeps its row from being changed by others.
fn is_open(s: &mut Session, id: GameId) -> Result<bool> {
    let query = "SELECT endTime IS NULL FROM game_stats WHERE id = ? FOR UPDATE";
    Ok(s.first(query, (id.0,), |row| row.get(0))?.unwrap_or(false))
}

/// Returns the result for a game that is not live: either this very end is stored already, or
/// another game has the number.
fn ended_before(s: &mut Session, id: GameId, end: &GameEnd) -> Result<Vec<RatingChange>> {
    let is_this = match s.schema().has_own_tables() {
        // The decisions include the times of launch and end in microseconds, which identify the
        // game.
        true => decisions(s, id)?.is_some_and(|stored| stored.starts_with(&end.decisions)),
        false => {
            let query = "SELECT 1 FROM game_stats WHERE id = ? AND endTime = FROM_UNIXTIME(?)";
            s.first(query, (id.0, seconds(end.ended_at)), |_| Ok(()))?.is_some()
        }
    };
    if !is_this {
        return Err(Error::not_live());
    }
    match &end.rated {
        Some(rated) => ratings::recorded(s, id, rated),
        None => Ok(Vec::new()),
    }
}
