//! Opening a database: what is refused, and what works without the tables of the server.

#![allow(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

mod common;

use common::{Fixture, SEED, block_on, plant, put};
use faf_lobby_core::{GamePublications, GameWrite, Publication};
use faf_lobby_mariadb::{MariaDb, Options, inspect};
use faf_lobby_store::{
    Accounts, Action, Bans, Games, History, Orders, Outbox, Profiles, Queues, Reason, Startup, StoreError,
    Upkeep,
};
use faf_protocol::{GameId, PlayerId, Secret};
use faf_testkit::season::Season;

fn refusal(options: &Options) -> String {
    let error = MariaDb::open(options).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    assert_eq!(inspect(options).unwrap_err(), error.to_string());
    let text = error.to_string();
    assert!(text.starts_with("mysql://") && !text.contains("p@ss"), "{text}");
    text
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn databases_that_cannot_be_used_are_refused_with_advice() {
    let fixture = Fixture::new(133);
    let (database, options) = (&fixture.database, &fixture.options);
    let wrong = |change: &dyn Fn(&mut Options)| {
        let mut options = options.clone();
        change(&mut options);
        refusal(&options)
    };
    let away = wrong(&|options| options.port = 1);
    assert!(away.contains("is the database running"), "{away}");
    let password = wrong(&|options| options.password = Some(Secret::new("wrong")));
    assert!(password.contains("check user and password"), "{password}");
    let unknown = wrong(&|options| options.database = "test_nowhere".to_owned());
    assert!(unknown.contains("check the name of the database"), "{unknown}");
    let history = wrong(&|options| options.history_table = "no_history".to_owned());
    assert!(history.contains("no table no_history"), "{history}");

    database.sql("UPDATE flyway_schema_history SET success = 0 WHERE version = '133'");
    let old = refusal(options);
    assert!(old.contains("has version 132") && old.contains("migrate the database first"), "{old}");
    database.sql("DELETE FROM flyway_schema_history");
    assert!(refusal(options).contains("names no version"));
    let unchecked = Options { history_table: String::new(), ..options.clone() };
    MariaDb::open(&unchecked).unwrap();
    database.sql("ALTER TABLE coop_leaderboard RENAME COLUMN secondary TO other");
    let other = refusal(&unchecked);
    assert!(other.contains("column coop_leaderboard.secondary is missing"), "{other}");
    database.sql("DROP TABLE teamkills");
    assert!(refusal(&unchecked).contains("is missing"));
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn newer_schema_and_rows_of_repeatable_scripts_are_accepted() {
    let fixture = Fixture::new(146);
    // Compared as numbers; scripts without a version do not count.
    fixture.database.sql(
        "UPDATE flyway_schema_history SET version = '99' WHERE version = '107';
         INSERT INTO flyway_schema_history VALUES (900, '1000', 'x', 'SQL', 'x', 1, 'x', NOW(), 1, 1)",
    );
    fixture.open();
    let warning = inspect(&fixture.options).unwrap().unwrap();
    assert!(warning.contains("version 1000") && warning.contains("tested up to 146"), "{warning}");
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn schema_is_read_again_after_a_migration() {
    let fixture = Fixture::new(146);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        // As if the database was migrated while the server runs, in the other direction.
        fixture.database.sql("DROP TABLE game_desync; ALTER TABLE login DROP FOREIGN KEY fk_login_avatar, DROP COLUMN avatar_id");
        // Each thread that has a connection finds out by itself.
        while let Err(failed) = store.profile(PlayerId(1)).await {
            assert_eq!(failed.reason(), Reason::Other, "{failed}");
        }
        let note = || GameWrite::Note(faf_lobby_core::Note::Desync { player: PlayerId(1), game_time: 5 });
        assert!(put(&store, game.id, note()).await.is_err());
        put(&store, game.id, note()).await.unwrap();
        assert_eq!(fixture.database.rows("SELECT * FROM faf_lobby_desync"), ["1 1 1 5"]);
    });
}

/// Returns options for an account that may not create tables.
fn poor(fixture: &Fixture) -> Options {
    let Options { database, .. } = &fixture.options;
    fixture.database.server.sql(
        "",
        &format!(
            "CREATE USER poor_{database} IDENTIFIED BY 'x';
             GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.* TO poor_{database}"
        ),
    );
    Options { user: format!("poor_{database}"), password: Some(Secret::new("x")), ..fixture.options.clone() }
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn server_runs_without_its_tables() {
    let fixture = Fixture::new(146);
    let options = poor(&fixture);
    let warning = inspect(&options).unwrap().unwrap();
    assert!(
        warning.contains("the account may not create them") && warning.contains("grant it CREATE"),
        "{warning}"
    );
    block_on(async {
        let store = MariaDb::open(&options).unwrap();
        assert!(store.missing().unwrap().contains("grant the account CREATE"), "{:?}", store.missing());
        plant(&store, SEED).await;
        let game = Season::default().play(1);
        let event: Publication =
            serde_json::from_str(r#"{"Event":{"playerId":1,"eventId":"e","count":1}}"#).unwrap();
        let published = GamePublications { first: 0, list: vec![event] };
        for _ in 0..2 {
            put(&store, game.id, game.launch()).await.unwrap();
        }
        store.store_game(game.id, game.save(), published).await.unwrap();
        let first = put(&store, game.id, game.end()).await.unwrap();
        let again = put(&store, game.id, game.end()).await.unwrap();
        assert_eq!((first.len(), again.len()), (2, 2));
        assert!(matches!(put(&store, game.id, game.save()).await, Err(StoreError::Contradiction(_))));
        let facts = store.facts().await.unwrap();
        assert_eq!((facts.journal.len(), facts.games.len(), facts.games[0].ended_at.is_some()), (2, 1, true));
        assert!(facts.ratings.iter().all(|rating| rating.total_games == 1));
        assert!(store.beginning().await.unwrap().games.is_empty());
        assert_eq!(store.saved_queues().await.unwrap(), Default::default());
        store.save_queues(Box::default()).await.unwrap();
        assert!(store.game_record(game.id).await.unwrap().unwrap().decisions.is_none());

        // Messages wait in memory.
        let waiting = store.waiting_messages(10).await.unwrap();
        let keys: Vec<_> = waiting.messages.iter().map(|(_, message)| message.routing_key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "request.event.update",
                "success.gameResults.create",
                "success.rating.update",
                "success.rating.update"
            ]
        );
        let numbers = waiting.messages.iter().map(|(number, _)| *number).collect();
        store.messages_delivered(numbers).await.unwrap();
        assert_eq!(store.waiting_messages(10).await.unwrap().count, 0);

        store.ban("Ada", "rude".to_owned(), None).await.unwrap();
        let orders = store.orders().await.unwrap();
        let [order] = &orders[..] else { panic!("{orders:?}") };
        assert!(matches!(&order.action, Action::Ban(Some(ban)) if ban.reason == "rude"));
        assert_eq!(store.orders().await.unwrap(), orders);
        store.order_carried_out(order.id, true).await.unwrap();
        assert!(store.orders().await.unwrap().is_empty());
        assert!(store.kick("Ada", String::new()).await.is_err());
        assert!(store.own_key().await.unwrap().is_none() && store.own_key_or(vec![1]).await.is_err());
        store.beat().await.unwrap();
        assert_eq!(store.count_accounts().await.unwrap(), 2);
        assert_eq!(put(&store, GameId(9), game.save()).await.unwrap_err().reason(), Reason::Contradiction);
    });
    // Another account may create them.
    fixture.open();
    assert!(MariaDb::open(&options).unwrap().missing().is_none());
    assert_eq!(inspect(&options), Ok(None));
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn inspection_changes_nothing_and_finds_missing_privileges() {
    let fixture = Fixture::new(146);
    assert_eq!(inspect(&fixture.options), Ok(None));
    assert_eq!(fixture.database.rows("SHOW TABLES LIKE 'faf_lobby_%'"), [""; 0]);
    let options = poor(&fixture);
    let Options { database, .. } = &options;
    fixture.database.server.sql("", &format!("REVOKE UPDATE ON {database}.* FROM poor_{database}"));
    let problem = inspect(&options).unwrap_err();
    assert!(problem.contains("grant the account SELECT, INSERT, UPDATE, DELETE"), "{problem}");
}
