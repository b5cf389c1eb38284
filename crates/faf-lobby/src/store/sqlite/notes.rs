//! In-game events that are only stored.

use faf_lobby_core::Note;
use faf_lobby_store::{MISSION_PLAYERS_LIMIT, TEAMKILL_TIME_LIMIT};
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Transaction};

pub(super) fn add(t: &Transaction<'_>, game: GameId, note: &Note) -> rusqlite::Result<()> {
    match note {
        Note::Desync { player, game_time } => {
            t.prepare_cached(
                "INSERT INTO game_desync (game_id, player_id, game_time) VALUES (?1, ?2, ?3)
                 ON CONFLICT (game_id, player_id) DO NOTHING",
            )?
            .execute((game.0, player.0, game_time))?;
        }
        Note::Teamkill { teamkiller, victim, game_time } => {
            t.prepare_cached(
                "INSERT INTO teamkills (teamkiller, victim, game_id, gametime) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((teamkiller.0, victim.0, game.0, game_time.min(&TEAMKILL_TIME_LIMIT)))?;
        }
        Note::MissionComplete { map, secondary, time, player_count } => {
            let mut select =
                t.prepare_cached("SELECT id FROM coop_map WHERE filename = 'maps/' || ?1 || '.zip' LIMIT 1")?;
            let mission: Option<i64> = select.query_row([map], |row| row.get(0)).optional()?;
            // Missions that are not in the list have no leaderboard.
            if let Some(mission) = mission {
                t.prepare_cached(
                    "INSERT INTO coop_leaderboard (mission, gameuid, secondary, time, player_count)
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (gameuid) DO NOTHING",
                )?
                .execute((
                    mission,
                    game.0,
                    secondary,
                    time,
                    player_count.min(&MISSION_PLAYERS_LIMIT),
                ))?;
            }
        }
    }
    Ok(())
}
