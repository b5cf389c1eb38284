//! Properties of FAF's tables and of MariaDB that other databases do not have.

#![allow(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

mod common;

use std::time::Duration;

use common::{Fixture, SEED, block_on, plant, put};
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::{Decision, GameWrite, Note, Timestamp};
use faf_lobby_store::facts::Facts;
use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{
    AccountError, Accounts, Action, Bans, History, Joins, ModVault, Orders, Outbox, Profiles, Reason,
    Startup, StoreError, Upkeep,
};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use faf_testkit::season::Season;

const ADA: PlayerId = PlayerId(1);

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn ratings_are_read_with_six_digits() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        fixture.database.sql(
            "INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation, total_games)
             VALUES (1, 1, 1514.08754, 72.6030473, 3)",
        );
        let profile = store.profile(ADA).await.unwrap();
        assert_eq!(profile.ratings[0].1.rating, Rating { mean: 1514.09, deviation: 72.6031 });
        let game = Season::default().play(1);
        put(&store, game.id, game.launch()).await.unwrap();
        let changes = put(&store, game.id, game.end()).await.unwrap();
        assert_eq!(changes[0].before, Rating { mean: 1514.09, deviation: 72.6031 });
        assert!(changes[0].was_stored && !changes[1].was_stored);
        // The database computes this column.
        let row =
            "SELECT ABS(rating - (mean - 3 * deviation)) < 0.01 FROM leaderboard_rating WHERE login_id = 1";
        assert_eq!(fixture.database.rows(row), ["1"]);
        assert_eq!(fixture.database.rows("SELECT filename FROM map_version"), ["maps/SCMP_007.zip"]);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn vetoes_are_read() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        let queue = r#""queues": [{"id": 4, "technical_name": "q", "featured_mod": "faf", "leaderboard": "global",
            "team_size": 1, "enabled": true, "pools": [{"pool": 3, "veto_tokens_per_player": 3,
            "max_tokens_per_map": 2, "minimum_maps_after_veto": 1.1}]}],
            "map_pools": [{"id": 3, "name": "Pool", "maps": [{"version_id": 7, "weight": 1}]}]}"#;
        plant(&store, &format!("{}, {queue}", SEED.strip_suffix('}').unwrap())).await;
        let vetoes = store.game_data().await.unwrap().queues[0].brackets[0].vetoes;
        let planted =
            VetoSettings { veto_tokens_per_player: 3, max_tokens_per_map: 2, minimum_maps_after_veto: 1.1 };
        assert_eq!(vetoes, planted);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn names_are_compared_by_the_collation() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        let id = store.create_account("Ünïcödé", "hash".to_owned()).await.unwrap();
        for same in ["unicode", "ÜNÏCÖDÉ", " UNICODE  ", "Ünïcödé"] {
            let found = store.account_by_login(same).await.unwrap().unwrap();
            assert_eq!((found.id, found.login.as_str()), (id, "Ünïcödé"), "{same}");
            let created = store.create_account(same.trim(), "x".to_owned()).await;
            assert!(matches!(created, Err(AccountError::Exists(_))), "{created:?}");
        }
        assert_eq!(store.account_by_login("unicod").await.unwrap(), None);
        // Every account needs an address of its own.
        store.create_account("Other", "hash".to_owned()).await.unwrap();
        let addresses = fixture.database.rows("SELECT email FROM login");
        assert!(addresses.iter().all(|address| address.ends_with("@faf-lobby.invalid")), "{addresses:?}");
        let long = "x".repeat(78);
        for refused in [
            store.create_account("Third", long.clone()).await.unwrap_err(),
            store.set_password("Other", long).await.unwrap_err(),
        ] {
            assert!(refused.to_string().contains("login.password holds 77"), "{refused}");
        }
        store.set_password("Other", "x".repeat(77)).await.unwrap();
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn long_values_are_cut_and_extreme_ones_clamped() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        store.record_login(ADA, None, Some("ü".repeat(51))).await.unwrap();
        let login = store.facts().await.unwrap().logins.remove(0);
        assert_eq!((login.user_agent, login.ip), (Some("ü".repeat(50)), None));
        store.ban("Ada", "x".repeat(300), Some(i64::MAX)).await.unwrap();
        let ban = store.find_ban(ADA).await.unwrap().unwrap();
        assert_eq!((ban.reason.len(), ban.expires_at), (255, Timestamp::from_seconds(253_402_300_799)));
        assert_eq!(fixture.database.rows("SELECT player_id, author_id FROM ban"), ["1 1"]);

        let mut season = Season::default();
        let mut game = season.play(1);
        game.launched.launched_at = Timestamp(-5);
        game.end.ended_at = Timestamp::from_seconds(5_000_000_000);
        game.end.results[0].score = i8::MAX;
        game.end.results[1].score = i8::MIN;
        put(&store, game.id, game.launch()).await.unwrap();
        let teamkill = Note::Teamkill { teamkiller: ADA, victim: PlayerId(2), game_time: u32::MAX };
        put(&store, game.id, GameWrite::Note(teamkill)).await.unwrap();
        put(&store, game.id, game.end()).await.unwrap();
        let facts = store.facts().await.unwrap();
        assert_eq!((facts.games[0].launched_at, facts.games[0].ended_at), (1, Some(2_147_483_647)));
        let scores: Vec<_> = facts.players.iter().map(|player| player.score).collect();
        assert_eq!(scores, [Some(127), Some(-128)]);
        // Counters do not overflow.
        fixture.database.sql(
            "INSERT INTO `mod` (id, display_name, author) VALUES (1, 'One', 'A');
             INSERT INTO mod_version (id, mod_id, uid, type, description, version, filename)
             VALUES (1, 1, 'one-a', 'SIM', '', 1, 'a');
             INSERT INTO mod_stats (mod_id, likers, downloads, times_played) VALUES (1, '[]', 8388607, 8388607)",
        );
        assert!(store.count_download("one-a".to_owned()).await.unwrap());
        let next = season.play(1);
        put(&store, next.id, next.launch()).await.unwrap();
        let counters = fixture.database.rows("SELECT downloads, times_played FROM mod_stats");
        assert_eq!(counters, ["8388607 8388607"]);
        // A number that no account can have.
        assert!(store.record_host(PlayerId(16_777_216), GameId(5)).await.is_err());
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn dates_of_zeros_count_as_none() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        fixture.database.sql(
            "SET sql_mode = '';
             UPDATE login SET last_login = '0000-00-00 00:00:00' WHERE id = 1;
             INSERT INTO ban (player_id, author_id, reason, level, expires_at, revoke_time)
             VALUES (1, 1, 'for ever', 'GLOBAL', '0000-00-00', '0000-00-00'),
                    (2, 2, 'until 2001', 'GLOBAL', '2001-01-01', '0000-00-00'),
                    (2, 2, 'revoked', 'GLOBAL', NULL, '2000-01-01')",
        );
        let accounts = store.list_accounts().await.unwrap();
        assert_eq!((accounts[0].last_login, accounts[1].last_login), (None, None));
        assert_eq!(accounts[0].ban.as_ref().unwrap().reason, "for ever");
        assert_eq!(accounts[1].ban, None);
        let ban = store.find_ban(ADA).await.unwrap().unwrap();
        assert_eq!(ban.expires_at, Timestamp::from_seconds(32_503_593_600));
        assert_eq!(store.find_ban(PlayerId(2)).await.unwrap().unwrap().reason, "until 2001");
        let account = store.account_by_login("Bob").await.unwrap().unwrap();
        assert_eq!(account.ban.unwrap().expires_at, Timestamp::from_seconds(978_307_200));
        let game = Season::default().play(1);
        put(&store, game.id, game.launch()).await.unwrap();
        fixture.database.sql("SET sql_mode = ''; UPDATE game_stats SET endTime = '0000-00-00 00:00:00'");
        assert_eq!(store.game_record(game.id).await.unwrap().unwrap().game.ended_at, None);
        let joined = "SET sql_mode = ''; INSERT INTO game_join_log (player_id, game_id, create_time) VALUES (1, 77, 0)";
        fixture.database.sql(joined);
        assert_eq!(store.beginning().await.unwrap().last_game, GameId(77));
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn bans_of_other_services_become_orders_once() {
    let mut fixture = Fixture::new(146);
    fixture.options.ban_changes_interval = Duration::ZERO;
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        let orders = || async { store.orders().await.unwrap() };
        assert_eq!(orders().await, []);
        fixture.database.sql(
            "INSERT INTO ban (player_id, author_id, reason, level) VALUES (1, 2, 'rude', 'GLOBAL'), (2, 1, 'x', 'CHAT')",
        );
        let first = orders().await;
        let [order] = &first[..] else { panic!("{first:?}") };
        assert!(
            matches!(&order.action, Action::Ban(Some(ban)) if ban.reason == "rude" && order.player == ADA)
        );
        assert_eq!(orders().await, first);
        store.order_carried_out(order.id, false).await.unwrap();
        assert_eq!(orders().await, []);
        // A ban that is changed later.
        fixture.database.sql("UPDATE ban SET revoke_time = NOW() WHERE player_id = 1");
        let changed = orders().await;
        assert!(matches!(&changed[..], [order] if order.player == ADA), "{changed:?}");
        // The server's own bans come with their orders.
        store.order_carried_out(changed[0].id, false).await.unwrap();
        let banned = store.ban("Bob", "y".to_owned(), None).await.unwrap();
        assert_eq!(orders().await.iter().map(|order| order.id).collect::<Vec<_>>(), [banned]);
        store.order_carried_out(banned, true).await.unwrap();
        store.unban("Bob").await.unwrap();
        assert_eq!(orders().await.len(), 1);
        store.forget_orders().await.unwrap();
        assert_eq!(orders().await, []);
        // Bans from before the start are known to all who log in.
        fixture
            .database
            .sql("INSERT INTO ban (player_id, author_id, reason, level) VALUES (1, 2, 'old', 'GLOBAL')");
        assert_eq!(fixture.open().orders().await.unwrap(), []);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn new_bans_are_found_by_number_between_two_looks_for_changes() {
    let mut fixture = Fixture::new(146);
    fixture.options.ban_changes_interval = Duration::from_secs(3600);
    let ban = |id: u32, player: u32| {
        fixture.database.sql(&format!(
            "INSERT INTO ban (id, player_id, author_id, reason, level) VALUES ({id}, {player}, 2, 'x', 'GLOBAL')"
        ));
    };
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        ban(10, 1);
        store.forget_orders().await.unwrap();
        let players = || async {
            let orders = store.orders().await.unwrap();
            for order in &orders {
                store.order_carried_out(order.id, false).await.unwrap();
            }
            orders.into_iter().map(|order| order.player.0).collect::<Vec<_>>()
        };
        ban(11, 2);
        assert_eq!(players().await, [2]);
        // A change of an old ban is not looked for, but one of a new ban is found.
        fixture.database.sql("UPDATE ban SET revoke_time = NOW()");
        assert_eq!(players().await, [2]);
        ban(12, 1);
        assert_eq!(players().await, [1]);
        assert_eq!(players().await, [0; 0]);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn rows_that_do_not_convert_are_skipped() {
    let fixture = Fixture::new(146);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        fixture.database.sql(
            "INSERT INTO game_featuredMods (id, gamemod, description, name) VALUES (9, NULL, '', 'nameless');
             INSERT INTO `mod` (id, display_name, author) VALUES (1, 'One', 'A'), (2, 'Two', 'B');
             INSERT INTO mod_version (id, mod_id, uid, type, description, version, filename)
             VALUES (1, 1, 'one', 'SIM', '', 1, 'a'), (2, 2, 'two', 'SIM', '', -2, 'b');
             INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation, total_games) VALUES
               (1, 1, 1000, 100, -1), (1, 2, 1000, 100, 1);
             INSERT INTO faf_lobby_live_game VALUES (70, '{\"from\": \"the future\"}')",
        );
        let beginning = store.beginning().await.unwrap();
        assert_eq!(beginning.games, [game.launched.game]);
        let names: Vec<_> = beginning.data.featured_mods.keys().map(String::as_str).collect();
        assert_eq!(names, ["coop", "faf"]);
        let mods = store.liked_mods(9).await.unwrap();
        assert_eq!(mods.iter().map(|shown| shown.uid.as_str()).collect::<Vec<_>>(), ["one"]);
        let ratings = store.profile(ADA).await.unwrap().ratings;
        assert!(matches!(&ratings[..], [(name, _)] if name == "ladder_1v1"), "{ratings:?}");
        assert_eq!(fixture.database.rows("SELECT id FROM faf_lobby_live_game"), ["1", "70"]);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn launches_on_one_map_do_not_disturb_each_other() {
    let fixture = Fixture::new(146);
    block_on(async {
        plant(&fixture.open(), SEED).await;
        let game = Season::default().play(1);
        // One writes the games of a server one after the other, so there must be several.
        let stores: Vec<_> = (0..8).map(|_| fixture.open()).collect();
        let launches: Vec<_> = (0..160)
            .map(|number| put_soon(&stores[number % 8], GameId(number as u32 + 1), game.launch()))
            .collect();
        for launch in launches {
            launch.await.unwrap();
        }
        for store in &stores {
            assert!(store.failures().counts().is_empty(), "{:?}", store.failures().counts());
        }
        assert_eq!(fixture.database.rows("SELECT times_played FROM map_version"), ["160"]);
        assert_eq!(fixture.database.rows("SELECT times_played FROM map"), ["160"]);
    });
}

/// Queues a write, and returns its result.
fn put_soon(
    store: &faf_lobby_mariadb::MariaDb,
    game: GameId,
    write: GameWrite,
) -> impl Future<Output = Result<Vec<faf_lobby_core::ratings::RatingChange>, StoreError>> + use<> {
    faf_lobby_store::Games::store_game(store, game, write, Default::default())
}

/// Makes the next statements of a kind fail with an error of the database. The counter lies in a
/// table without transactions, so that it survives a rollback.
fn fail_next(fixture: &Fixture, event: &str, failures: u32, error: u16) {
    fixture.database.sql(&format!(
        "CREATE TABLE IF NOT EXISTS failing (failures INT) ENGINE=MyISAM;
         DELETE FROM failing; INSERT INTO failing VALUES ({failures});
         DROP TRIGGER IF EXISTS fails;
         DELIMITER //
         CREATE TRIGGER fails {event} FOR EACH ROW BEGIN
           IF (SELECT failures FROM failing) > 0 THEN
             UPDATE failing SET failures = failures - 1;
             SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = {error}, MESSAGE_TEXT = 'made up';
           END IF;
         END //"
    ));
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn transactions_are_repeated_after_deadlocks_and_lock_timeouts() {
    let fixture = Fixture::new(146);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        let mut season = Season::default();
        for error in [1213, 1205, 1020] {
            let game = season.play(1);
            fail_next(&fixture, "BEFORE INSERT ON game_player_stats", 3, error);
            put(&store, game.id, game.launch()).await.unwrap();
            fail_next(&fixture, "BEFORE INSERT ON leaderboard_rating_journal", 3, error);
            assert_eq!(put(&store, game.id, game.end()).await.unwrap().len(), 2);
        }
        let facts = store.facts().await.unwrap();
        assert_eq!((facts.games.len(), facts.players.len(), facts.journal.len()), (3, 6, 6));
        assert!(facts.ratings.iter().all(|rating| rating.total_games == 3));
        assert!(store.failures().counts().is_empty());
        // Not for ever.
        let game = season.play(1);
        fail_next(&fixture, "BEFORE INSERT ON game_player_stats", 1000, 1213);
        let failed = put(&store, game.id, game.launch()).await.unwrap_err();
        assert_eq!(failed.reason(), Reason::Deadlock, "{failed}");
        fail_next(&fixture, "BEFORE INSERT ON game_player_stats", 0, 1213);
        put(&store, game.id, game.launch()).await.unwrap();
        fail_next(&fixture, "BEFORE UPDATE ON login", 2, 1205);
        store.record_login(ADA, None, None).await.unwrap();
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn contradicting_rating_keeps_the_results() {
    let fixture = Fixture::new(146);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        fixture.database.sql(
            "DELIMITER //
             CREATE TRIGGER closed BEFORE INSERT ON leaderboard_rating_journal FOR EACH ROW BEGIN
               IF (SELECT COUNT(*) FROM leaderboard_rating_journal) = 1 THEN
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'closed';
               END IF;
             END //",
        );
        assert!(put(&store, game.id, game.end()).await.unwrap().is_empty());
        let facts: Facts = store.facts().await.unwrap();
        let results: Vec<_> = facts.players.iter().map(|player| player.result.as_deref()).collect();
        assert_eq!(results, [Some("VICTORY"), Some("DEFEAT")]);
        assert!(facts.ratings.is_empty() && facts.journal.is_empty());
        let decisions = facts.games[0].decisions.as_ref().unwrap();
        assert!(
            matches!(decisions.last(), Some(Decision::RatingFailed { reason }) if reason.contains("closed")),
            "{decisions:?}"
        );
        let keys: Vec<_> = facts.outbox.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["success.gameResults.create"], "no rating is published");
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn game_end_is_atomic_and_can_be_retried() {
    let fixture = Fixture::new(146);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        let before = store.facts().await.unwrap();
        for (table, error) in
            [("faf_lobby_outbox", 1114), ("faf_lobby_explanation", 1290), ("faf_lobby_outbox", 1644)]
        {
            fail_next(&fixture, &format!("BEFORE INSERT ON {table}"), 1, error);
            let failed = put(&store, game.id, game.end()).await.unwrap_err();
            let reason = match error {
                1114 => Reason::Full,
                1290 => Reason::ReadOnly,
                _ => Reason::Contradiction,
            };
            assert_eq!(failed.reason(), reason, "{failed}");
            assert_eq!(store.facts().await.unwrap(), before);
        }
        assert_eq!(put(&store, game.id, game.end()).await.unwrap().len(), 2);
        assert_eq!(store.waiting_messages(10).await.unwrap().count, 3);
        let counts = store.failures().counts();
        assert_eq!(counts, [(Reason::Full, 1), (Reason::ReadOnly, 1)].into(), "contradictions are replies");
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn seed_fits_into_a_database_with_reference_rows() {
    let fixture = Fixture::new(146);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden");
    fixture.database.sql(&std::fs::read_to_string(folder.join("faf-schema/reference-data.sql")).unwrap());
    block_on(async {
        let store = fixture.open();
        plant(&store, &std::fs::read_to_string(folder.join("seed-data.json")).unwrap()).await;
        let data = store.game_data().await.unwrap();
        assert!(data.featured_mods.contains_key("nomads") && data.leaderboards.get("tmm_3v3").is_some());
        assert!(data.queues.iter().any(|queue| queue.name == "ladder1v1"));
        // Addresses of avatars come from the database.
        fixture.database.avatar_prefix("https://content.faforever.com/faf/avatars/");
        let seed =
            r#"{"avatars": [{"id": 90, "url": "https://elsewhere.example.org/x.png", "tooltip": null}]}"#;
        let other = Fixture::new(146);
        other.database.avatar_prefix("https://content.faforever.com/faf/avatars/");
        let refused = other.open().plant(SeedFile::parse(seed).unwrap()).await.unwrap_err().to_string();
        assert!(
            refused.contains("addresses of avatars begin with https://content.faforever.com"),
            "{refused}"
        );
    });
}
