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

#[cfg(test)]
mod tests {
    use faf_protocol::PlayerId;

    use super::super::testing::{
        Played, Season, change, end, everything, expected, launch, new_store_for_games, refused, rows, stored,
    };
    use super::super::{Store, game_data};
    use super::*;

    async fn launched() -> (Store, tempfile::TempDir, Played) {
        let (store, folder) = new_store_for_games().await;
        let game = Season::new().play(1);
        stored(&store, game.id, launch(&game)).await;
        (store, folder, game)
    }

    async fn decisions_of(store: &Store, game: &Played) -> Vec<Decision> {
        let id = game.id;
        store.read(move |t| decisions(t, id)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn results_and_ratings_and_why() {
        let (store, _folder, game) = launched().await;
        let changes = stored(&store, game.id, end(&game)).await;
        let leaderboards = store.read(game_data::leaderboards).await.unwrap();
        let rated = game.end.rated.clone().unwrap();
        assert_eq!(changes, expected(&leaderboards, &rated, &|_, _| None));
        assert_eq!(changes.len(), 2);

        assert_eq!(
            rows(&store, "SELECT validity, endTime FROM game_stats").await,
            [format!("0 {}", game.end.ended_at.0 / 1_000_000)]
        );
        let players = "SELECT playerId, result, score, scoreTime IS NOT NULL FROM game_player_stats";
        assert_eq!(rows(&store, players).await, ["1 VICTORY 10 1", "2 DEFEAT -10 1"]);
        let columns = ["mean", "deviation", "after_mean", "after_deviation"];
        let all_ratings = [
            rows(&store, "SELECT mean, deviation, after_mean, after_deviation FROM game_player_stats").await,
            rows(
                &store,
                "SELECT rating_mean_before, rating_deviation_before, rating_mean_after, rating_deviation_after
                 FROM leaderboard_rating_journal WHERE leaderboard_id = 1",
            )
            .await,
        ];
        for found in all_ratings {
            for (row, change) in found.iter().zip(&changes) {
                let exact =
                    [change.before.mean, change.before.deviation, change.after.mean, change.after.deviation];
                assert_eq!(*row, exact.map(|number| number.to_string()).join(" "), "{columns:?}");
            }
            assert_eq!(found.len(), 2);
        }
        let ratings = "SELECT login_id, leaderboard_id, mean, deviation, total_games, won_games FROM leaderboard_rating";
        let exact = |index: usize, won: u32| {
            let after = changes[index].after;
            format!("{} 1 {} {} 1 {won}", index + 1, after.mean, after.deviation)
        };
        assert_eq!(rows(&store, ratings).await, [exact(0, 1), exact(1, 0)]);
        assert_eq!(decisions_of(&store, &game).await, game.end.decisions);
        assert!(store.beginning().await.unwrap().games.is_empty());
    }

    #[tokio::test]
    async fn what_the_database_has_counts_and_every_leaderboard_that_changes() {
        let (store, _folder, mut game) = launched().await;
        change(
            &store,
            "INSERT INTO leaderboard (id, technical_name, initializer_id) VALUES (3, 'tmm', 1);
             INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation, total_games, won_games)
             VALUES (1, 1, 900.125, 150.0625, 40, 20), (1, 3, 1500.1, 80.3, 7, 6);",
        )
        .await;
        let rated = game.end.rated.as_mut().unwrap();
        rated.leaderboard = "tmm".to_owned();
        let (rated, leaderboards) = (rated.clone(), store.read(game_data::leaderboards).await.unwrap());
        let changes = stored(&store, game.id, end(&game)).await;
        let in_database = |player: PlayerId, name: &str| {
            let (mean, deviation) = match (player.0, name) {
                (1, "global") => (900.125, 150.0625),
                (1, "tmm") => (1500.1, 80.3),
                _ => return None,
            };
            Some(faf_protocol::server_message::Rating { mean, deviation })
        };
        assert_eq!(changes, expected(&leaderboards, &rated, &in_database));
        let ratings = "SELECT login_id, leaderboard_id, total_games, won_games, mean FROM leaderboard_rating
                       ORDER BY login_id, leaderboard_id";
        let mean = |index: usize| changes[index].after.mean;
        // Both are adjusted on the global leaderboard, where Bob is new.
        assert_eq!(changes.len(), 4);
        assert_eq!(
            rows(&store, ratings).await,
            [
                format!("1 1 41 21 {}", mean(2)),
                format!("1 3 8 7 {}", mean(0)),
                format!("2 1 1 0 {}", mean(3)),
                format!("2 3 1 0 {}", mean(1))
            ]
        );
        assert_eq!(rows(&store, "SELECT count(*) FROM leaderboard_rating_journal").await, ["4"]);
        assert_eq!(rows(&store, "SELECT mean FROM game_player_stats WHERE playerId = 1").await, ["1500.1"]);
    }

    #[tokio::test]
    async fn all_of_it_or_nothing() {
        let (store, _folder, game) = launched().await;
        let before = everything(&store).await;
        // It is the last thing that is done.
        change(
            &store,
            "CREATE TRIGGER kept BEFORE DELETE ON live_game BEGIN SELECT raise(ABORT, 'never'); END;",
        )
        .await;
        assert_eq!(refused(&store, game.id, end(&game)).await, "never");
        assert_eq!(everything(&store).await, before);
        change(
            &store,
            "DROP TRIGGER kept;
             CREATE TRIGGER broken BEFORE DELETE ON live_game BEGIN INSERT INTO away VALUES (1); END;",
        )
        .await;
        assert!(store.store_game(game.id, end(&game)).await.is_err());
        assert_eq!(everything(&store).await, before);
        change(&store, "DROP TRIGGER broken").await;
        assert_eq!(stored(&store, game.id, end(&game)).await.len(), 2);
    }

    #[tokio::test]
    async fn who_cannot_be_rated_keeps_the_result() {
        let no_row = "DELETE FROM game_player_stats WHERE playerId = 2";
        let no_journal =
            "CREATE TRIGGER closed BEFORE INSERT ON leaderboard_rating_journal WHEN NEW.id IS NOT NULL
                          AND (SELECT count(*) FROM leaderboard_rating_journal) = 1
                          BEGIN SELECT raise(ABORT, 'closed'); END";
        let no_leaderboard = "DELETE FROM leaderboard WHERE id = 1";
        for (obstacle, reason, results) in [
            (no_row, "player 2 has no row in game_player_stats", vec!["1 VICTORY 1500 -"]),
            (no_journal, "closed", vec!["1 VICTORY 1500 -", "2 DEFEAT 1500 -"]),
            (
                no_leaderboard,
                "there is no leaderboard \"global\"",
                vec!["1 VICTORY 1500 -", "2 DEFEAT 1500 -"],
            ),
        ] {
            let (store, _folder, game) = launched().await;
            change(&store, obstacle).await;
            // The second time it is only answered.
            for _ in 0..2 {
                assert!(stored(&store, game.id, end(&game)).await.is_empty());
                let players = "SELECT playerId, result, mean, after_mean FROM game_player_stats";
                assert_eq!(rows(&store, players).await, results);
                assert!(rows(&store, "SELECT * FROM leaderboard_rating").await.is_empty());
                assert!(rows(&store, "SELECT * FROM leaderboard_rating_journal").await.is_empty());
                let failed = Decision::RatingFailed { reason: reason.to_owned() };
                assert_eq!(decisions_of(&store, &game).await.last(), Some(&failed));
            }
        }
    }

    #[tokio::test]
    async fn a_game_without_results_only_ends() {
        let (store, _folder, mut game) = launched().await;
        (game.end.results, game.end.rated) = (Vec::new(), None);
        game.end.validity = faf_lobby_core::validity::Validity::UnknownResult;
        for _ in 0..2 {
            assert!(stored(&store, game.id, end(&game)).await.is_empty());
            assert_eq!(rows(&store, "SELECT validity FROM game_stats WHERE endTime > 0").await, ["16"]);
            let players = "SELECT result, score, scoreTime FROM game_player_stats";
            assert_eq!(rows(&store, players).await, ["UNKNOWN 0 -", "UNKNOWN 0 -"]);
        }
    }
}
