//! Live games: their launch, and whatever changes before they are over.
//!
//! There is one write at a time for each game, and the lobby tries again what was not answered. It may have been carried
//! out all the same; so every write can be carried out twice and leaves what it would have left once. Only for a killing
//! of a team mate there may be a second row, as there is for every player who reports it.

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{Game, GameLaunched, GameWrite, LivePlayer};
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Transaction};
use serde::Serialize;

use super::{Answered, Store, game_end, is_contradiction, notes};

/// What came of storing something about a game.
#[derive(Debug, Clone, PartialEq)]
pub enum GameStored {
    /// It is on the disk. These ratings have changed by it.
    Durable(Vec<RatingChange>),
    /// It contradicts what is stored, for this reason; nothing of it was stored, nor ever can be.
    Refused(String),
}

impl GameStored {
    /// It is on the disk and has changed no rating.
    pub(super) fn without_ratings() -> Self {
        Self::Durable(Vec::new())
    }
}

impl Store {
    /// Stores something about a game, so that it outlives a crash of the machine: all of it, or nothing.
    ///
    /// What is asked for first is stored first, whether anybody waits for the answer or not.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) if the database cannot be used; it may be stored or not.
    pub(crate) fn store_game(&self, game: GameId, write: GameWrite) -> impl Answered<GameStored> + use<> {
        self.write_durably(move |t| {
            let stored = t.execute_batch("SAVEPOINT game").and_then(|()| match &write {
                GameWrite::Launch(launched) => launch(t, game, launched),
                GameWrite::Save(saved) => save(t, game, saved),
                GameWrite::Note(note) => notes::add(t, game, note),
                GameWrite::End(end) => game_end::end(t, game, end),
            });
            match stored {
                Err(error) if is_contradiction(&error) => {
                    t.execute_batch("ROLLBACK TO game")?;
                    Ok(GameStored::Refused(error.to_string()))
                }
                other => other,
            }
        })
    }
}

/// Writes the rows of a game that was launched, and keeps the game itself until it is over.
fn launch(t: &Transaction<'_>, id: GameId, launched: &GameLaunched) -> rusqlite::Result<GameStored> {
    let state = json(&launched.game)?;
    // Nothing else is written about the game before the launch is answered, so this can only be the launch itself.
    if live_state(t, id)?.is_some_and(|stored| stored == state) {
        return Ok(GameStored::without_ratings());
    }
    t.prepare_cached(
        "INSERT INTO game_stats (id, startTime, gameType, gameMod, host, mapId, gameName, validity)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        id.0,
        launched.launched_at.0.div_euclid(1_000_000),
        launched.victory.as_str(),
        launched.featured_mod,
        launched.host.0,
        launched.map_version,
        &launched.title,
        launched.validity.number(),
    ))?;
    for player in &launched.players {
        add_player(t, id, player)?;
    }
    // The original counts a mod once, however many of its versions are active.
    t.prepare_cached(
        "INSERT INTO mod_stats (mod_id, times_played)
         SELECT DISTINCT mod_id, 1 FROM mod_version WHERE uid IN (SELECT value FROM json_each(?1))
         ON CONFLICT (mod_id) DO UPDATE SET times_played = times_played + 1",
    )?
    .execute([json(&launched.mods)?])?;
    t.prepare_cached("INSERT INTO live_game (game_id, state) VALUES (?1, ?2)")?.execute((id.0, state))?;
    Ok(GameStored::without_ratings())
}

/// Writes the row of a player, unless the host has not said where the player stands.
fn add_player(t: &Transaction<'_>, id: GameId, player: &LivePlayer) -> rusqlite::Result<()> {
    let is_set = |value: Option<i64>| value.filter(|value| *value >= 0);
    let (Some(team), Some(place)) = (is_set(player.team), is_set(player.start_spot)) else { return Ok(()) };
    // The columns of the original hold no more.
    let (signed, unsigned) = (i64::from(i8::MIN)..=i64::from(i8::MAX), 0..=i64::from(u8::MAX));
    let within =
        |value: i64, range: &std::ops::RangeInclusive<i64>| value.clamp(*range.start(), *range.end());
    t.prepare_cached(
        "INSERT INTO game_player_stats (gameId, playerId, faction, color, team, place, mean, deviation, score)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
    )?
    .execute((
        id.0,
        player.id.0,
        within(player.faction, &unsigned),
        within(player.color, &signed),
        within(team, &signed),
        within(place, &unsigned),
        player.rating.mean,
        player.rating.deviation,
    ))?;
    Ok(())
}

/// Keeps a live game as it is now.
fn save(t: &Transaction<'_>, id: GameId, game: &Game) -> rusqlite::Result<GameStored> {
    let mut update = t.prepare_cached("UPDATE live_game SET state = ?2 WHERE game_id = ?1")?;
    if update.execute((id.0, json(game)?))? == 0 {
        return Ok(GameStored::Refused("it is not among the live games".to_owned()));
    }
    t.prepare_cached("UPDATE game_stats SET validity = coalesce(?2, validity) WHERE id = ?1")?
        .execute((id.0, game.validity().map(faf_lobby_core::validity::Validity::number)))?;
    Ok(GameStored::without_ratings())
}

/// The live game, as it was stored.
pub(super) fn live_state(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Option<String>> {
    let mut select = t.prepare_cached("SELECT state FROM live_game WHERE game_id = ?1")?;
    select.query_row([id.0], |row| row.get(0)).optional()
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        Season, change, end, everything, launch, new_store_for_games, refused, rows, save, stored,
    };
    use super::*;
    use faf_protocol::PlayerId;

    #[tokio::test]
    async fn a_launch_writes_everything_that_belongs_to_it() {
        let (store, _folder) = new_store_for_games().await;
        let game = Season::new().play(1);
        assert!(stored(&store, game.id, launch(&game)).await.is_empty());
        assert_eq!(
            rows(&store, "SELECT id, startTime, endTime, gameType, gameMod, host, mapId, gameName, validity FROM game_stats")
                .await,
            ["1 1782907200 - DEMORALIZATION 0 1 7 Ada's game 0"]
        );
        let players =
            "SELECT gameId, playerId, AI, faction, color, team, place, mean, deviation, after_mean, score,
                              scoreTime, result FROM game_player_stats";
        assert_eq!(
            rows(&store, players).await,
            ["1 1 0 3 1 2 1 1500 500 - 0 - UNKNOWN", "1 2 0 3 2 3 2 1500 500 - 0 - UNKNOWN"]
        );
        assert_eq!(rows(&store, "SELECT mod_id, times_played FROM mod_stats").await, ["1 1", "2 6"]);
        assert_eq!(rows(&store, "SELECT times_played FROM map_version").await, ["1"]);
        assert_eq!(rows(&store, "SELECT times_played FROM map").await, ["1"]);
        assert_eq!(store.beginning().await.unwrap().games, [game.launched.game]);
    }

    #[tokio::test]
    async fn what_the_columns_do_not_hold_is_cut_and_observers_have_no_row() {
        let (store, _folder) = new_store_for_games().await;
        let mut game = Season::new().play(1);
        let [ada, bob] = &mut game.launched.players[..] else { panic!("two players") };
        (ada.faction, ada.color, ada.team, ada.start_spot) = (-1, i64::MAX, Some(1000), Some(1000));
        bob.team = None;
        let strangers = [(Some(2), None), (Some(-1), Some(1)), (Some(2), Some(-2))];
        let strangers = strangers.map(|(team, start_spot)| LivePlayer {
            id: PlayerId(99),
            team,
            start_spot,
            ..bob.clone()
        });
        game.launched.players.extend(strangers);
        stored(&store, game.id, launch(&game)).await;
        let players = "SELECT playerId, faction, color, team, place FROM game_player_stats";
        assert_eq!(rows(&store, players).await, ["1 0 127 127 255"]);
    }

    #[tokio::test]
    async fn what_is_stored_twice_is_as_if_stored_once() {
        let (store, _folder) = new_store_for_games().await;
        let game = Season::new().play(1);
        for write in [launch(&game), save(&game), end(&game)] {
            let first = stored(&store, game.id, write.clone()).await;
            let before = everything(&store).await;
            let mut second = stored(&store, game.id, write).await;
            // Nobody but the store wants to know whether there was a row before.
            second.iter_mut().zip(&first).for_each(|(second, first)| second.was_stored = first.was_stored);
            assert_eq!(second, first);
            assert_eq!(everything(&store).await, before);
        }
    }

    #[tokio::test]
    async fn a_launch_that_contradicts_leaves_nothing() {
        let (store, _folder) = new_store_for_games().await;
        let game = Season::new().play(1);
        let before = everything(&store).await;
        let changes: [fn(&mut GameLaunched); 5] = [
            |launched| launched.featured_mod = 77,
            |launched| launched.host = PlayerId(77),
            |launched| launched.map_version = Some(77),
            |launched| launched.title = "x".repeat(129),
            |launched| launched.players[1].id = PlayerId(77),
        ];
        for change in changes {
            let mut wrong = game.clone();
            change(&mut wrong.launched);
            assert!(refused(&store, game.id, launch(&wrong)).await.contains("constraint failed"));
            assert_eq!(everything(&store).await, before);
        }
        // Nor is anything kept that comes behind it.
        for write in [save(&game), end(&game)] {
            assert_eq!(refused(&store, game.id, write).await, "it is not among the live games");
        }
        assert_eq!(everything(&store).await, before);
    }

    #[tokio::test]
    async fn a_number_belongs_to_one_game() {
        let (store, _folder) = new_store_for_games().await;
        let mut season = Season::new();
        let (first, mut second) = (season.play(1), season.play(2));
        second.id = first.id;
        for (before, after) in [(vec![launch(&first)], 1), (vec![end(&first)], 0)] {
            for write in before {
                stored(&store, first.id, write).await;
            }
            let all = everything(&store).await;
            refused(&store, second.id, launch(&second)).await;
            if after == 0 {
                refused(&store, second.id, save(&second)).await;
                refused(&store, second.id, end(&second)).await;
            }
            assert_eq!(everything(&store).await, all);
        }
    }

    #[tokio::test]
    async fn a_save_keeps_what_has_changed() {
        let (store, _folder) = new_store_for_games().await;
        let game = Season::new().play(1);
        stored(&store, game.id, launch(&game)).await;
        change(&store, "UPDATE game_stats SET validity = 9").await;
        stored(&store, game.id, save(&game)).await;
        assert_ne!(game.saved, game.launched.game);
        assert_eq!(store.beginning().await.unwrap().games, [game.saved]);
        assert_eq!(rows(&store, "SELECT validity FROM game_stats").await, ["0"]);
    }

    #[tokio::test]
    async fn what_fails_for_another_reason_may_be_tried_again() {
        let (store, _folder) = new_store_for_games().await;
        let game = Season::new().play(1);
        change(&store, "ALTER TABLE live_game RENAME TO away").await;
        let before = rows(&store, "SELECT * FROM game_stats").await;
        assert!(store.store_game(game.id, launch(&game)).await.is_err());
        assert_eq!(rows(&store, "SELECT * FROM game_stats").await, before);
        change(&store, "ALTER TABLE away RENAME TO live_game").await;
        stored(&store, game.id, launch(&game)).await;
    }

    #[tokio::test]
    async fn what_is_handed_over_first_is_stored_first_and_outlives_the_machine() {
        let (store, _folder) = new_store_for_games().await;
        let mut season = Season::new();
        let (first, second) = (season.play(1), season.play(2));
        // Nobody has waited for any of them when the next is handed over.
        let writes = [
            (first.id, launch(&first)),
            (second.id, launch(&second)),
            (second.id, end(&second)),
            (first.id, end(&first)),
        ];
        let waiting = writes.map(|(game, write)| store.store_game(game, write));
        store.finish_writing().await.unwrap();
        let order = "SELECT gameId FROM leaderboard_rating_journal j JOIN game_player_stats p ON p.id = game_player_stats_id
                     ORDER BY j.id";
        assert_eq!(rows(&store, order).await, ["2", "2", "1", "1"]);
        for answered in waiting {
            assert!(matches!(answered.await.unwrap(), GameStored::Durable(_)));
        }

        let synchronous =
            |t: &Transaction<'_>| t.query_row("PRAGMA synchronous", (), |row| row.get::<_, i64>(0));
        let (full, normal) = (2, 1);
        assert_eq!(store.write_durably(synchronous).await.unwrap(), full);
        assert_eq!(store.write(synchronous).await.unwrap(), normal);
    }
}
