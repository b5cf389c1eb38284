//! What happens in a game and is only kept.

use faf_lobby_core::Note;
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Transaction};

use super::games::GameStored;

/// Latest time of a killing, in seconds; the column of the original holds no more.
const TEAMKILL_TIME_LIMIT: u32 = 16_777_215;

/// Most players of a mission; the column of the original holds no more.
const PLAYER_COUNT_LIMIT: u32 = i8::MAX as u32;

pub(super) fn add(t: &Transaction<'_>, game: GameId, note: &Note) -> rusqlite::Result<GameStored> {
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
                    player_count.min(&PLAYER_COUNT_LIMIT),
                ))?;
            }
        }
    }
    Ok(GameStored::without_ratings())
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::GameWrite;
    use faf_protocol::PlayerId;

    use super::super::testing::{Season, change, launch, new_store_for_games, refused, rows, stored};
    use super::*;

    #[tokio::test]
    async fn what_happens_is_kept() {
        let (store, _folder) = new_store_for_games().await;
        change(
            &store,
            "INSERT INTO coop_map (id, type, name, filename) VALUES (5, 0, 'M', 'maps/Mission.v0001.zip')",
        )
        .await;
        let game = Season::new().play(1);
        stored(&store, game.id, launch(&game)).await;
        let (ada, bob) = (PlayerId(1), PlayerId(2));
        let desync = |player, game_time| Note::Desync { player, game_time };
        let teamkill = |victim, game_time| Note::Teamkill { teamkiller: ada, victim, game_time };
        let complete = |map: &str, secondary| Note::MissionComplete {
            map: map.to_owned(),
            secondary,
            time: "01:02:03".to_owned(),
            player_count: 1000,
        };
        for note in [
            desync(ada, 5),
            desync(bob, 6),
            desync(ada, 7),
            teamkill(bob, 8),
            teamkill(bob, u32::MAX),
            complete("elsewhere", false),
            complete("mission.v0001", true),
            complete("mission.v0001", false),
        ] {
            assert!(stored(&store, game.id, GameWrite::Note(note)).await.is_empty());
        }
        assert_eq!(
            rows(&store, "SELECT game_id, player_id, game_time FROM game_desync").await,
            ["1 1 5", "1 2 6"]
        );
        let teamkills = "SELECT teamkiller, victim, game_id, gametime FROM teamkills";
        assert_eq!(rows(&store, teamkills).await, ["1 2 1 8", "1 2 1 16777215"]);
        let leaderboard = "SELECT mission, gameuid, secondary, time, player_count FROM coop_leaderboard";
        assert_eq!(rows(&store, leaderboard).await, ["5 1 1 01:02:03 127"]);

        let stranger = teamkill(PlayerId(99), 1);
        assert!(refused(&store, game.id, GameWrite::Note(stranger)).await.contains("constraint failed"));
    }
}
