//! The live game, stored until it is over, and the decisions that are kept afterwards.

use faf_lobby_core::{Decision, Game};
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Transaction};
use serde::Serialize;

/// Stores the current state of a live game.
pub(super) fn save(t: &Transaction<'_>, id: GameId, game: &Game) -> rusqlite::Result<()> {
    let mut update = t.prepare_cached("UPDATE live_game SET state = ?2 WHERE game_id = ?1")?;
    if update.execute((id.0, json(game)?))? == 0 {
        return Err(not_live());
    }
    t.prepare_cached("UPDATE game_stats SET validity = coalesce(?2, validity) WHERE id = ?1")?
        .execute((id.0, game.validity().map(faf_lobby_core::validity::Validity::number)))?;
    Ok(())
}

/// Returns the stored state of a live game.
pub(super) fn live_state(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Option<String>> {
    let mut select = t.prepare_cached("SELECT state FROM live_game WHERE game_id = ?1")?;
    select.query_row([id.0], |row| row.get(0)).optional()
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Returns the error of a write about a game that is not live.
pub(super) fn not_live() -> rusqlite::Error {
    refusal("the game is not live".to_owned())
}

/// Returns an error that counts as a contradiction of the stored data.
pub(super) fn refusal(reason: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(reason.into())
}

/// Returns the decisions about the rating of a game that is over; `None` if they cannot be read.
pub(super) fn decisions(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Option<Vec<Decision>>> {
    let mut select = t.prepare_cached("SELECT decisions FROM game_explanation WHERE game_id = ?1")?;
    let text: Option<String> = select.query_row([id.0], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
