//! The end of a game: its results, its ratings, and the reasons for them.

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{Decision, GameEnd};
use faf_protocol::GameId;
use rusqlite::Transaction;

use super::live_game::{decisions, json, live_state, not_live};
use super::{outbox, ratings};

/// Writes everything that follows from the end of a game, and deletes the live game.
///
/// A game that cannot be rated keeps its results; the reason is appended to its decisions. An end
/// that is stored already is acknowledged as it was the first time, and ratings do not
/// change again.
pub(super) fn end(t: &Transaction<'_>, id: GameId, end: &GameEnd) -> rusqlite::Result<Vec<RatingChange>> {
    if live_state(t, id)?.is_none() {
        return ended_before(t, id, end);
    }
    t.prepare_cached("UPDATE game_stats SET validity = ?2, endTime = ?3 WHERE id = ?1")?.execute((
        id.0,
        end.validity.number(),
        end.ended_at.0.div_euclid(1_000_000),
    ))?;
    let mut update = t.prepare_cached(
        "UPDATE game_player_stats SET score = ?3, scoreTime = unixepoch(), result = ?4
         WHERE gameId = ?1 AND playerId = ?2",
    )?;
    for result in &end.results {
        update.execute((id.0, result.player.0, result.score, result.outcome.as_str()))?;
    }
    let mut decisions = end.decisions.clone();
    let changes = match end.rated.as_ref().map(|rated| ratings::rate(t, id, rated)).transpose()? {
        None => Vec::new(),
        Some(Ok(changes)) => changes,
        Some(Err(reason)) => {
            tracing::error!(game = id.0, reason, "cannot rate a game that should be rated");
            decisions.push(Decision::RatingFailed { reason });
            Vec::new()
        }
    };
    t.prepare_cached("INSERT INTO game_explanation (game_id, decisions) VALUES (?1, ?2)")?
        .execute((id.0, json(&decisions)?))?;
    t.prepare_cached("DELETE FROM live_game WHERE game_id = ?1")?.execute([id.0])?;
    outbox::put(t, &end.publications(id, &changes))?;
    Ok(changes)
}

/// Returns the result for a game that is not live: either this very end is stored already, or
/// another game has the number.
fn ended_before(t: &Transaction<'_>, id: GameId, end: &GameEnd) -> rusqlite::Result<Vec<RatingChange>> {
    // The decisions include the times of launch and end in microseconds, which identify the game.
    let is_this = decisions(t, id)?.is_some_and(|stored| stored.starts_with(&end.decisions));
    if !is_this {
        return Err(not_live());
    }
    match &end.rated {
        Some(rated) => ratings::recorded(t, id, rated),
        None => Ok(Vec::new()),
    }
}
