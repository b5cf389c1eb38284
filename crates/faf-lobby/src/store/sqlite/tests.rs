//! Tests of behaviour that only SQLite has: files, threads, and rows written by other programs.

use std::path::Path;
use std::sync::mpsc::channel;

use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{Decision, GamePublications, GameWrite, Like};
use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{
    Accounts, Action, Backend, Joins, ModVault, Order, Orders, Profiles, Reason, Startup, StoreError, Upkeep,
};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use faf_testkit::season::{Played, Season};
use rusqlite::{Connection, Transaction};

use super::Sqlite;
use super::testing::{change, new_sqlite, rows};

mod conformance {
    use super::*;

    /// Runs a test of the suite that every database must pass.
    fn run(test: impl AsyncFnOnce(Sqlite)) {
        let (store, _folder) = new_sqlite();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test(store));
    }

    faf_testkit::conformance_tests!(super::run);
}

fn open_error(path: &Path) -> String {
    Sqlite::open(path).unwrap_err().to_string()
}

#[tokio::test]
async fn database_is_created_and_reopened() {
    let (store, folder) = new_sqlite();
    store.beat().await.unwrap();
    drop(store);
    Sqlite::open(&folder.path().join("test.sqlite")).unwrap().beat().await.unwrap();
}

#[test]
fn foreign_files_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text"), "this is no database, but long enough to be taken for one".repeat(20))
        .unwrap();
    assert!(open_error(&path("text")).contains("not an SQLite database, or it is damaged"));
    assert!(open_error(&path("no/folder")).contains("does the folder exist"));

    Connection::open(path("other")).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(open_error(&path("other")).contains("belongs to another program"));

    drop(Sqlite::open(&path("newer")).unwrap());
    Connection::open(path("newer")).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    assert!(open_error(&path("newer")).contains("newer version of faf-lobby"));
}

#[tokio::test]
async fn failed_transaction_is_rolled_back_and_counted() {
    let (store, _folder) = new_sqlite();
    let failed = store
        .write(|transaction| {
            transaction.execute("INSERT INTO map_pool (id, name) VALUES (1, 'x')", ())?;
            transaction.execute("INSERT INTO map_pool (id, name) VALUES (1, 'y')", ())
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Contradiction(_))));
    assert_eq!(rows(&store, "SELECT count(*) FROM map_pool").await, ["0"]);
    assert_eq!(store.failures().counts(), [(Reason::Contradiction, 1)].into());
    let failed = store.read(|t| t.query_row("SELECT * FROM nowhere", (), |_| Ok(()))).await.unwrap_err();
    assert_eq!(failed.reason(), Reason::Other);
    assert!(failed.problem().contains("nowhere"), "{failed}");
}

#[tokio::test]
async fn readers_are_not_blocked_by_a_writer() {
    let (store, _folder) = new_sqlite();
    let (release, wait) = channel::<()>();
    let slow = store.clone();
    let writing = tokio::spawn(async move {
        slow.write(move |t| {
            t.execute("INSERT INTO map_pool (id, name) VALUES (1, 'x')", ())?;
            wait.recv().unwrap();
            Ok(())
        })
        .await
    });
    store.count_accounts().await.unwrap();
    release.send(()).unwrap();
    writing.await.unwrap().unwrap();
}

/// Creates a database with Ada, Bob and the map `scmp_007`, and a launched game of theirs.
async fn launched() -> (Sqlite, tempfile::TempDir, Played) {
    let (store, folder) = new_sqlite();
    let seed = r#"{
        "users": [{"id": 1, "login": "Ada", "password": "x"}, {"id": 2, "login": "Bob", "password": "x"}],
        "maps": [{"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/SCMP_007.zip", "version": 1,
                  "ranked": true, "max_players": 2, "width": 1, "height": 1}]}"#;
    store.plant(SeedFile::parse(seed).unwrap()).await.unwrap();
    let game = Season::default().play(1);
    put(&store, game.id, game.launch()).await.unwrap();
    (store, folder, game)
}

async fn put(store: &impl Backend, game: GameId, write: GameWrite) -> Result<Vec<RatingChange>, StoreError> {
    store.store_game(game, write, GamePublications::default()).await
}

#[tokio::test]
async fn failed_write_can_be_retried() {
    let (store, _folder, game) = launched().await;
    let before = store.facts().await.unwrap();
    change(&store, "ALTER TABLE outbox RENAME TO away").await;
    let failed = put(&store, game.id, game.end()).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable { .. }), "{failed}");
    change(&store, "ALTER TABLE away RENAME TO outbox").await;
    assert_eq!(store.facts().await.unwrap(), before, "all of it or nothing");
    assert_eq!(put(&store, game.id, game.end()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn game_end_is_atomic() {
    let (store, _folder, game) = launched().await;
    let before = store.facts().await.unwrap();
    change(&store, "CREATE TRIGGER kept BEFORE DELETE ON live_game BEGIN SELECT raise(ABORT, 'never'); END;")
        .await;
    let refused = put(&store, game.id, game.end()).await.unwrap_err();
    assert_eq!(refused, StoreError::Contradiction("never".to_owned()));
    assert_eq!(store.facts().await.unwrap(), before);
    change(&store, "DROP TRIGGER kept").await;
    assert_eq!(put(&store, game.id, game.end()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn contradicting_rating_keeps_the_results() {
    let (store, _folder, game) = launched().await;
    change(
        &store,
        "CREATE TRIGGER closed BEFORE INSERT ON leaderboard_rating_journal WHEN NEW.id IS NOT NULL
           AND (SELECT count(*) FROM leaderboard_rating_journal) = 1
         BEGIN SELECT raise(ABORT, 'closed'); END",
    )
    .await;
    assert!(put(&store, game.id, game.end()).await.unwrap().is_empty());
    let facts = store.facts().await.unwrap();
    let results: Vec<_> = facts.players.iter().map(|player| player.result.as_deref()).collect();
    assert_eq!(results, [Some("VICTORY"), Some("DEFEAT")]);
    assert!(facts.ratings.is_empty() && facts.journal.is_empty());
    let failed = Decision::RatingFailed { reason: "closed".to_owned() };
    assert_eq!(facts.games[0].decisions.as_ref().unwrap().last(), Some(&failed));
    let keys: Vec<_> = facts.outbox.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["success.gameResults.create"], "no rating is published");
}

#[tokio::test]
async fn game_writes_are_synced_to_disk() {
    let (store, _folder) = new_sqlite();
    let synchronous = |t: &Transaction<'_>| t.query_row("PRAGMA synchronous", (), |row| row.get::<_, i64>(0));
    let (full, normal) = (2, 1);
    assert_eq!(store.write_durably(synchronous).await.unwrap(), full);
    assert_eq!(store.write(synchronous).await.unwrap(), normal);
}

#[tokio::test]
async fn unreadable_rows_are_skipped() {
    let (store, _folder, game) = launched().await;
    change(
        &store,
        "INSERT INTO game_featuredMods (id, gamemod, name) VALUES (-5, 'wrong', 'x');
         INSERT INTO mod (id, display_name, author) VALUES (1, 'One', 'A'), (2, 'Two', 'B');
         INSERT INTO mod_version (id, mod_id, uid, type, description, version, filename)
         VALUES (1, 1, 'one', 'SIM', '', 1, 'a'), (2, 2, 'two', 'SIM', '', 1, 'b');
         INSERT INTO mod_stats (mod_id, downloads) VALUES (2, -1);
         INSERT INTO game_stats (id, gameType, gameMod, host, gameName, validity)
         VALUES (70, 'SANDBOX', 0, 1, 'by another server', 0), (99999999999, 'SANDBOX', 0, 1, 'odd', 0);
         INSERT INTO live_game VALUES (70, '{\"from\": \"the future\"}');",
    )
    .await;
    let beginning = store.beginning().await.unwrap();
    assert_eq!(beginning.last_game, GameId(70));
    assert_eq!(beginning.games, [game.launched.game]);
    let names: Vec<_> = beginning.data.featured_mods.keys().map(String::as_str).collect();
    assert_eq!(names, ["coop", "faf"]);
    let mods = store.liked_mods(9).await.unwrap();
    assert_eq!(mods.iter().map(|shown| shown.uid.as_str()).collect::<Vec<_>>(), ["one"]);
    // A row with the state of another game is skipped, too; both rows are left to the operator.
    change(&store, "UPDATE live_game SET state = (SELECT state FROM live_game WHERE game_id = 1)").await;
    assert_eq!(store.beginning().await.unwrap().games.len(), 1);
    assert_eq!(rows(&store, "SELECT game_id FROM live_game").await, ["1", "70"]);
    store.record_host(PlayerId(1), GameId(71)).await.unwrap();
    assert_eq!(store.beginning().await.unwrap().last_game, GameId(71));
}

#[tokio::test]
async fn live_games_of_earlier_versions_are_readable() {
    let (store, _folder, _game) = launched().await;
    let old = include_str!("old_live_game.json");
    store.write(move |t| t.execute("UPDATE live_game SET state = ?1", [old])).await.unwrap();
    let games = store.beginning().await.unwrap().games;
    let [game] = &games[..] else { panic!("it cannot be read") };
    // Only the fields that came later are new.
    let mut expected: serde_json::Value = serde_json::from_str(old).unwrap();
    expected["live"]["published"] = 0.into();
    assert_eq!(serde_json::to_value(game).unwrap(), expected);
    // Still earlier versions had none of these.
    let fields = "json_remove(state, '$.unlisted_mod', '$.launching', '$.live.desyncs_by', '$.live.begun',
                              '$.live.overdue', '$.live.statistics_by')";
    store.write(move |t| t.execute(&format!("UPDATE live_game SET state = {fields}"), ())).await.unwrap();
    assert_eq!(store.beginning().await.unwrap().games.len(), 1);
}

#[tokio::test]
async fn first_like_creates_the_statistics_of_a_mod() {
    let (store, _folder) = new_sqlite();
    let ada = store.create_account("Ada", String::new()).await.unwrap();
    change(
        &store,
        "INSERT INTO mod (id, display_name, author) VALUES (1, 'One', 'A');
         INSERT INTO mod_version (id, mod_id, uid, type, description, version, filename)
         VALUES (1, 1, 'one', 'SIM', '', 1, 'a');",
    )
    .await;
    let liked = store.like_mod(ada, "one".to_owned()).await.unwrap();
    assert!(matches!(liked, Ok(Like::Counted(liked)) if liked.likes == 1.0));
    assert_eq!(rows(&store, "SELECT mod_id, likes, likers FROM mod_stats").await, ["1 1 [1]"]);
}

#[tokio::test]
async fn save_also_stores_the_validity() {
    let (store, _folder, game) = launched().await;
    change(&store, "UPDATE game_stats SET validity = 9").await;
    put(&store, game.id, game.save()).await.unwrap();
    assert_eq!(rows(&store, "SELECT validity FROM game_stats").await, ["0"]);
}

/// The conformance suite accepts the six digits of FAF's columns, and schemas without vetoes.
#[tokio::test]
async fn ratings_keep_all_digits_and_vetoes_are_stored() {
    let (store, _folder, game) = launched().await;
    change(
        &store,
        "INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation) VALUES (1, 1, 1514.08754, 72.6030473);
         INSERT INTO map_pool (id, name) VALUES (3, 'some');
         INSERT INTO matchmaker_queue (id, technical_name, featured_mod_id, leaderboard_id) VALUES (4, 'q', 0, 1);
         INSERT INTO matchmaker_queue_map_pool VALUES (5, 4, 3, NULL, NULL, 3, 2, 1.1)",
    )
    .await;
    let ratings = store.profile(PlayerId(1)).await.unwrap().ratings;
    assert_eq!(ratings[0].1.rating, Rating { mean: 1514.08754, deviation: 72.6030473 });
    let changes = put(&store, game.id, game.end()).await.unwrap();
    let stored = store.facts().await.unwrap().journal;
    assert!(stored.iter().zip(&changes).all(|(entry, change)| entry.after == change.after));
    let vetoes = store.game_data().await.unwrap().queues[0].brackets[0].vetoes;
    let expected =
        VetoSettings { veto_tokens_per_player: 3, max_tokens_per_map: 2, minimum_maps_after_veto: 1.1 };
    assert_eq!(vetoes, expected);
}

#[tokio::test]
async fn bans_by_other_programs_create_orders() {
    let (store, _folder) = new_sqlite();
    let ada = store.create_account("Ada", String::new()).await.unwrap();
    change(&store, "INSERT INTO ban (player_id, reason, level) VALUES (1, 'x', 'GLOBAL'), (1, 'y', 'CHAT')")
        .await;
    let orders = store.orders().await.unwrap();
    assert!(matches!(&orders[..], [Order { player, action: Action::Ban(Some(_)), .. }] if *player == ada));
}

#[tokio::test]
async fn unusable_rows_of_the_matchmaker_are_skipped() {
    let (store, _folder, _game) = launched().await;
    change(
        &store,
        "INSERT INTO map (id, display_name) VALUES (2, 'Odd');
         INSERT INTO map_version (id, map_id, version, folder_name) VALUES (8, 2, 1, '../odd');
         INSERT INTO map_pool (id, name) VALUES (1, 'some'), (2, 'unused'), (3, 'empty');
         INSERT INTO map_pool_map_version (id, map_pool_id, map_version_id, weight, map_params) VALUES
           (10, 1, 8, 1, NULL), (11, 1, 7, -1, NULL), (12, 1, 7, 2, NULL), (13, 1, NULL, 1, NULL), (14, 1, NULL, 1, '{'),
           (-15, 1, 7, 1, NULL), (16, 2, 7, 1, NULL);
         INSERT INTO matchmaker_queue (id, technical_name, featured_mod_id, leaderboard_id, team_size) VALUES
           (1, 'right', 0, 2, 4), (-1, 'negative', 0, 2, 1), (2, 'size', 0, 2, -1), (3, 'bare', 0, 2, 1);
         INSERT INTO matchmaker_queue_map_pool (id, matchmaker_queue_id, map_pool_id, veto_tokens_per_player) VALUES
           (20, 1, 1, 0), (21, 1, 1, -1), (22, -1, 1, 0), (23, 2, 1, 0), (19, 1, 3, 255);",
    )
    .await;
    let queues = store.game_data().await.unwrap().queues;
    let [queue] = &queues[..] else { panic!("{queues:?}") };
    let brackets: Vec<(i64, Vec<i64>)> = queue
        .brackets
        .iter()
        .map(|bracket| (bracket.id.0, bracket.pool.iter().map(|entry| entry.id.0).collect()))
        .collect();
    assert_eq!((queue.name.as_str(), brackets), ("right", vec![(19, vec![]), (20, vec![-15, 12])]));
    change(&store, "UPDATE matchmaker_queue SET enabled = 0").await;
    assert!(store.game_data().await.unwrap().queues.is_empty());
}
