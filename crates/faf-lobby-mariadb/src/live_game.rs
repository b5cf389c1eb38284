//! The live game, stored until it is over, and the decisions that are kept afterwards.

use faf_lobby_core::{Decision, Game};
use faf_protocol::GameId;

use crate::error::{Error, Result};
use crate::session::Session;

/// Stores the current state of a live game.
pub(crate) fn save(s: &mut Session, id: GameId, game: &Game) -> Result<()> {
    let validity = game.validity().map(faf_lobby_core::validity::Validity::number);
    if s.schema().has_own_tables() {
        let update = "UPDATE faf_lobby_live_game SET state = ? WHERE id = ?";
        if s.execute(update, (serde_json::to_string(game)?, id.0))? == 0 {
            return Err(Error::not_live());
        }
        s.execute("UPDATE game_stats SET validity = COALESCE(?, validity) WHERE id = ?", (validity, id.0))?;
        return Ok(());
    }
    let update = "UPDATE game_stats SET validity = COALESCE(?, validity) WHERE id = ? AND endTime IS NULL";
    match s.execute(update, (validity, id.0))? {
        0 => Err(Error::not_live()),
        _ => Ok(()),
    }
}

/// Returns the stored state of a live game, and keeps it from being changed by others.
pub(crate) fn live_state(s: &mut Session, id: GameId) -> Result<Option<String>> {
    s.first("SELECT state FROM faf_lobby_live_game WHERE id = ? FOR UPDATE", (id.0,), |row| row.get(0))
}

/// Returns the decisions about the rating of a game that is over; `None` if they cannot be read.
pub(crate) fn decisions(s: &mut Session, id: GameId) -> Result<Option<Vec<Decision>>> {
    let query = "SELECT decisions FROM faf_lobby_explanation WHERE id = ?";
    let text: Option<String> = s.first(query, (id.0,), |row| row.get(0))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
