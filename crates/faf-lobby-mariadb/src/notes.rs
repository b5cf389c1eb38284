//! In-game events that are only stored.

use faf_lobby_core::Note;
use faf_lobby_store::{MISSION_PLAYERS_LIMIT, TEAMKILL_TIME_LIMIT};
use faf_protocol::GameId;

use crate::error::Result;
use crate::session::Session;

pub(crate) fn add(s: &mut Session, game: GameId, note: &Note) -> Result<()> {
    match note {
        Note::Desync { player, game_time } => {
            let insert = match s.schema() {
                schema if schema.has_desyncs => {
                    "INSERT INTO game_desync (game_id, player_id, game_time) VALUES (?, ?, ?)"
                }
                schema if schema.has_own_tables() => {
                    "INSERT INTO faf_lobby_desync (game_id, player_id, game_time) VALUES (?, ?, ?)"
                }
                _ => return Ok(()),
            };
            unless_duplicate(s.execute(insert, (game.0, player.0, game_time)))
        }
        Note::Teamkill { teamkiller, victim, game_time } => {
            let insert = "INSERT INTO teamkills (teamkiller, victim, game_id, gametime) VALUES (?, ?, ?, ?)";
            let game_time = game_time.min(&TEAMKILL_TIME_LIMIT);
            s.execute(insert, (teamkiller.0, victim.0, game.0, game_time)).map(drop)
        }
        Note::MissionComplete { map, secondary, time, player_count } => {
            let query = "SELECT id FROM coop_map WHERE filename = ? ORDER BY id LIMIT 1";
            let mission: Option<u32> = s.first(query, (format!("maps/{map}.zip"),), |row| row.get(0))?;
            // Missions that are not in the list have no leaderboard.
            let Some(mission) = mission else { return Ok(()) };
            let insert = "INSERT INTO coop_leaderboard (mission, gameuid, secondary, time, player_count)
                          VALUES (?, ?, ?, ?, ?)";
            let player_count = player_count.min(&MISSION_PLAYERS_LIMIT);
            unless_duplicate(s.execute(insert, (mission, game.0, secondary, time, player_count)))
        }
    }
}

/// Accepts that the row is stored already. `INSERT IGNORE` would also hide that the game or the
/// player is missing.
fn unless_duplicate(inserted: Result<u64>) -> Result<()> {
    match inserted {
        Err(error) if error.is_duplicate() => Ok(()),
        other => other.map(drop),
    }
}
