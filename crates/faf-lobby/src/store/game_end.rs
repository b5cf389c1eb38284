//! The end of a game: results, ratings, and why.

use faf_lobby_core::{Decision, GameEnd};
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Transaction};

use super::games::{GameStored, json, live_state};
use super::ratings;

/// Writes everything that follows from the end of a game, and forgets the live game.
///
/// A game that cannot be rated keeps its results; why, is added to its explanation. An end that is stored already is
/// answered as it was the first time, and nobody is rated twice.
pub(super) fn end(t: &Transaction<'_>, id: GameId, end: &GameEnd) -> rusqlite::Result<GameStored> {
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
            tracing::error!(game = id.0, reason, "a game is not rated although it should be");
            decisions.push(Decision::RatingFailed { reason });
            Vec::new()
        }
    };
    t.prepare_cached("INSERT INTO game_explanation (game_id, decisions) VALUES (?1, ?2)")?
        .execute((id.0, json(&decisions)?))?;
    t.prepare_cached("DELETE FROM live_game WHERE game_id = ?1")?.execute([id.0])?;
    Ok(GameStored::Durable(changes))
}

/// Answers for a game that is not live: either this very end is stored, or another game has the number.
fn ended_before(t: &Transaction<'_>, id: GameId, end: &GameEnd) -> rusqlite::Result<GameStored> {
    // The decisions hold the moments of launch and end to the microsecond.
    let is_this = decisions(t, id)?.is_some_and(|stored| stored.starts_with(&end.decisions));
    if !is_this {
        return Ok(GameStored::Refused("it is not among the live games".to_owned()));
    }
    match &end.rated {
        Some(rated) => Ok(GameStored::Durable(ratings::recorded(t, id, rated)?)),
        None => Ok(GameStored::without_ratings()),
    }
}

/// Why a game that is over was rated or not; nothing if that cannot be read.
pub(super) fn decisions(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Option<Vec<Decision>>> {
    let mut select = t.prepare_cached("SELECT decisions FROM game_explanation WHERE game_id = ?1")?;
    let text: Option<String> = select.query_row([id.0], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
