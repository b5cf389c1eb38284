//! What operators are shown of every game that was launched.

use faf_lobby_core::Timestamp;
use faf_lobby_core::validity::Validity;
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Row, Transaction};

/// A game that was launched.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchedGame {
    /// Its number.
    pub id: GameId,
    /// Its title.
    pub title: String,
    /// Name of the account that has made it.
    pub host: String,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Folder name of the map; none for maps that are not in the vault.
    pub map: Option<String>,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// When it ended, if that is known.
    pub ended_at: Option<Timestamp>,
    /// Whether it counts; none if the number in the database has no meaning.
    pub validity: Option<Validity>,
    /// It is being played, or was when the server ended.
    pub is_live: bool,
}

/// Selects games for [`read`]. Conditions may follow; `g` is the table of games.
pub(super) const SELECT: &str =
    "SELECT g.id, gameName, h.login, f.gamemod, folder_name, startTime, endTime, validity,
            EXISTS (SELECT 1 FROM live_game WHERE game_id = g.id) AS is_live
     FROM game_stats g JOIN login h ON h.id = g.host JOIN game_featuredMods f ON f.id = g.gameMod
     LEFT JOIN map_version m ON m.id = g.mapId";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<LaunchedGame> {
    let validity: i64 = row.get(7)?;
    Ok(LaunchedGame {
        id: GameId(row.get(0)?),
        title: row.get(1)?,
        host: row.get(2)?,
        featured_mod: row.get(3)?,
        map: row.get(4)?,
        launched_at: Timestamp::from_seconds(row.get(5)?),
        ended_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_seconds),
        validity: validity.try_into().ok().and_then(Validity::from_number),
        is_live: row.get(8)?,
    })
}

/// The game with this number, if it was launched.
pub(super) fn launched_game(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Option<LaunchedGame>> {
    t.prepare(&format!("{SELECT} WHERE g.id = ?1"))?.query_row([id.0], read).optional()
}
