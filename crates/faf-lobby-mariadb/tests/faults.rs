//! Faults of the database, with real processes: nothing acknowledged is lost, nothing is rated
//! twice, nobody waits for long, and everything goes on by itself when the fault is over.

#![allow(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{Fixture, SEED, block_on, plant, put};
use faf_lobby_core::{GamePublications, GameWrite, Publication};
use faf_lobby_mariadb::{MariaDb, Options, Owner, Ownership, Share};
use faf_lobby_store::{Accounts, Games, Joins, Orders, Outbox, Profiles, Reason, StoreError, Upkeep};
use faf_protocol::{GameId, PlayerId};
use faf_testkit::season::{Played, Season};
use faf_testkit::services::mariadb::MariaServer;
use faf_testkit::services::proxy::Proxy;
use tokio::task::JoinSet;

/// Environment variable with the number of times that the database is killed.
const KILLS: &str = "DATABASE_KILLS";

/// Pause before a failed write is repeated, as in the lobby but shorter.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// Repeats a write until it is acknowledged; returns the number of failures.
async fn insist(store: &MariaDb, game: GameId, write: GameWrite, publications: GamePublications) -> u32 {
    let mut failures = 0;
    loop {
        match store.store_game(game, write.clone(), publications.clone()).await {
            Ok(_) => return failures,
            Err(StoreError::Unavailable { .. }) => failures += 1,
            Err(error) => panic!("game {game}: {error}"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Returns publications with these numbers.
fn publications(numbers: std::ops::Range<u32>) -> GamePublications {
    let publication = |number| {
        let update = format!(r#"{{"Event":{{"playerId":1,"eventId":"e","count":{}}}}}"#, number + 1);
        serde_json::from_str::<Publication>(&update).unwrap()
    };
    GamePublications { first: numbers.start, list: numbers.map(publication).collect() }
}

/// Plays a game through, whatever happens to the database; returns the number of failures.
async fn play(store: &MariaDb, game: &Played, id: GameId) -> u32 {
    insist(store, id, game.launch(), GamePublications::default()).await
        + insist(store, id, game.save(), publications(0..2)).await
        + insist(store, id, game.end(), publications(2..3)).await
}

/// Checks that games that were played through are stored once, with everything that follows from
/// them. The games of each number are played one after the other.
async fn assert_stored_once(store: &MariaDb, games: usize) {
    let facts = store.facts().await.unwrap();
    assert_eq!(facts.games.len(), games);
    assert!(
        facts.games.iter().all(|game| game.ended_at.is_some() && !game.is_live && game.decisions.is_some())
    );
    assert_eq!((facts.players.len(), facts.journal.len()), (2 * games, 2 * games));
    let rated: Vec<_> =
        facts.ratings.iter().map(|rating| (rating.player_id.0, rating.total_games as usize)).collect();
    assert_eq!(rated, [(1, games), (2, games)]);
    assert_eq!(facts.map_versions_played, [(7, games as u32)].into());
    // Each rating begins where the one before ended.
    for player in [1, 2] {
        let changes: Vec<_> = facts.journal.iter().filter(|change| change.player_id.0 == player).collect();
        assert!(changes.windows(2).all(|pair| pair[0].after == pair[1].before));
    }
    let waiting = store.waiting_messages(u32::MAX).await.unwrap().messages;
    assert_eq!(waiting.len(), 6 * games, "two events, results, two ratings, and one more event");
}

/// A server of its own, so that its faults do not disturb other tests.
fn own_server(arguments: &[&str]) -> (Fixture, Arc<MariaServer>) {
    let server = Arc::new(MariaServer::start(arguments));
    (Fixture::on(&server, 146), server)
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn killed_database_loses_and_repeats_nothing() {
    let kills: u32 = std::env::var(KILLS).map_or(5, |text| text.parse().unwrap());
    let (mut fixture, server) = own_server(&[]);
    fixture.options.query_timeout = Duration::from_secs(2);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        let owner = Owner::take(&fixture.options, Share::Alone, Duration::ZERO, |_| {}).await.unwrap();
        store.write_only_as(&owner);
        let game = Season::default().play(1);
        let (is_over, played) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let killer = std::thread::spawn({
            let (is_over, played) = (Arc::clone(&is_over), Arc::clone(&played));
            move || {
                for number in 0..kills {
                    // In the middle of a game, after a few that were not disturbed.
                    let enough = played.load(Ordering::SeqCst) + 1 + number % 3;
                    while played.load(Ordering::SeqCst) < enough {
                        std::thread::yield_now();
                    }
                    server.kill();
                    server.restart();
                }
                is_over.store(true, Ordering::SeqCst);
            }
        });
        let (mut games, mut failures) = (0, 0);
        while !is_over.load(Ordering::SeqCst) {
            games += 1;
            failures += play(&store, &game, GameId(games)).await;
            played.store(games, Ordering::SeqCst);
        }
        killer.join().unwrap();
        println!("{kills} kills, {games} games, {failures} failed writes");
        assert!(failures > 0);
        assert_eq!(*owner.ownership().borrow(), Ownership::Held);
        assert_stored_once(&store, games as usize).await;
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn database_that_is_restarted_in_order_loses_and_repeats_nothing() {
    let (fixture, server) = own_server(&[]);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        server.shut_down();
        let failed = put(&store, game.id, game.save()).await.unwrap_err();
        assert_eq!(failed.reason(), Reason::Io, "{failed}");
        server.restart();
        insist(&store, game.id, game.save(), publications(0..2)).await;
        // Connections of before are not used any more.
        server.shut_down();
        server.restart();
        insist(&store, game.id, game.end(), publications(2..3)).await;
        assert_stored_once(&store, 1).await;
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn database_that_does_not_respond_blocks_nobody_for_long() {
    let (mut fixture, server) = own_server(&[]);
    fixture.options.query_timeout = Duration::from_secs(1);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        server.freeze();
        let began = Instant::now();
        let mut waiting = JoinSet::new();
        for _ in 0..50 {
            let store = store.clone();
            waiting.spawn(async move { store.profile(PlayerId(1)).await.map(drop) });
        }
        for _ in 0..10 {
            let (store, game) = (store.clone(), game.clone());
            waiting.spawn(async move { put(&store, game.id, game.end()).await.map(drop) });
        }
        while let Some(done) = waiting.join_next().await {
            let reason = done.unwrap().unwrap_err().reason();
            assert!(matches!(reason, Reason::Timeout | Reason::Busy), "{reason}");
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(4), "{took:?}");
        assert!(store.is_unavailable());
        // A new connection is accepted by the operating system, and gets no reply either.
        assert!(matches!(MariaDb::open(&fixture.options), Err(StoreError::Open { .. })));
        server.thaw();
        insist(&store, game.id, game.end(), GamePublications::default()).await;
        while store.profile(PlayerId(1)).await.is_err() {}
        assert_eq!(store.facts().await.unwrap().journal.len(), 2);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn connection_may_be_cut_at_every_statement() {
    let fixture = Fixture::new(146);
    let proxy = Proxy::start(fixture.options.port);
    let options = Options { port: proxy.port(), ..fixture.options.clone() };
    block_on(async {
        let store = MariaDb::open(&options).unwrap();
        plant(&store, SEED).await;
        let game = Season::default().play(1);
        let mut games = 0;
        // Until no statement of a game is left that could be cut.
        for statement in 0.. {
            games += 1;
            proxy.cut_after(statement);
            let failures = play(&store, &game, GameId(games)).await;
            let has_cut = proxy.has_cut();
            assert!(has_cut || failures == 0);
            if !has_cut {
                break;
            }
        }
        println!("{games} games");
        assert!(games > 30, "a game takes more statements than {games}");
        assert_stored_once(&store, games as usize).await;
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn read_only_database_is_read() {
    let (fixture, server) = own_server(&[]);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        server.sql("", "SET GLOBAL read_only = 1");
        for _ in 0..3 {
            let failed = put(&store, game.id, game.end()).await.unwrap_err();
            assert_eq!(failed.reason(), Reason::ReadOnly, "{failed}");
            assert!(failed.to_string().contains("name the primary server"), "{failed}");
        }
        assert_eq!(store.beat().await.unwrap_err().reason(), Reason::ReadOnly);
        // Transactions that only read do not show that it is over.
        store.profile(PlayerId(1)).await.unwrap();
        store.orders().await.unwrap();
        assert!(store.is_unavailable());
        let refused = faf_lobby_mariadb::inspect(&fixture.options).unwrap_err();
        assert!(refused.contains("it is read-only"), "{refused}");
        server.sql("", "SET GLOBAL read_only = 0");
        put(&store, game.id, game.end()).await.unwrap();
        assert!(!store.is_unavailable());
        assert_eq!(store.facts().await.unwrap().journal.len(), 2);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn too_many_connections_are_waited_for() {
    // The smallest number that the database accepts.
    let (fixture, _server) = own_server(&["--max-connections=10"]);
    block_on(async {
        let store = fixture.open();
        // Connections that never log in count, too.
        let others: Vec<_> =
            (0..20).map(|_| TcpStream::connect(("127.0.0.1", fixture.options.port)).unwrap()).collect();
        let failed = loop {
            // The threads connect when they are used for the first time.
            match store.count_accounts().await {
                Ok(_) => assert!(store.failures().counts().is_empty(), "a thread got a connection before"),
                Err(error) => break error,
            }
        };
        assert_eq!(failed.reason(), Reason::Connections, "{failed}");
        assert!(failed.to_string().contains("raise max_connections"), "{failed}");
        // The connection that exists is not affected.
        plant(&store, SEED).await;
        drop(others);
        while store.count_accounts().await.is_err() {}
    });
}

/// Waits until a transaction waits for a lock.
async fn someone_waits(fixture: &Fixture) {
    let waiting = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'";
    while fixture.database.rows(waiting) == ["Innodb_row_lock_current_waits 0"] {
        tokio::task::yield_now().await;
    }
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn locks_of_other_programs_are_waited_for_within_bounds() {
    let (mut fixture, _server) = own_server(&[]);
    fixture.options.query_timeout = Duration::from_secs(3);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        let mut other = fixture.database.other_program();
        other.run("BEGIN; SELECT * FROM game_stats WHERE id = 1 FOR UPDATE");
        let began = Instant::now();
        let failed = put(&store, game.id, game.end()).await.unwrap_err();
        assert_eq!(failed.reason(), Reason::Busy, "{failed}");
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        // Operations without such a lock go on meanwhile.
        let ending = tokio::spawn({
            let (store, game) = (store.clone(), game.clone());
            async move { put(&store, game.id, game.end()).await }
        });
        someone_waits(&fixture).await;
        store.profile(PlayerId(1)).await.unwrap();
        store.record_host(PlayerId(1), GameId(5)).await.unwrap();
        other.run("COMMIT");
        assert_eq!(ending.await.unwrap().unwrap().len(), 2);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn deadlock_with_another_program_is_resolved() {
    let (fixture, _server) = own_server(&[]);
    block_on(async {
        let store = fixture.open();
        plant(&store, SEED).await;
        fixture.database.sql(
            "INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation) VALUES (1, 1, 1500, 100)",
        );
        let game = Season::default().play(1);
        put(&store, game.id, game.launch()).await.unwrap();
        let mut other = fixture.database.other_program();
        // A large transaction, so that the database ends the other one.
        other.run(
            "CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, text TEXT);
             BEGIN; INSERT INTO filler (text) SELECT version FROM flyway_schema_history;
             SELECT * FROM leaderboard_rating WHERE login_id = 1 FOR UPDATE",
        );
        let ending = tokio::spawn({
            let (store, game) = (store.clone(), game.clone());
            async move { put(&store, game.id, game.end()).await }
        });
        someone_waits(&fixture).await;
        other.run("SELECT * FROM faf_lobby_live_game WHERE id = 1 FOR UPDATE; COMMIT");
        assert_eq!(ending.await.unwrap().unwrap().len(), 2);
        let facts = store.facts().await.unwrap();
        assert_eq!((facts.journal.len(), facts.ratings[0].total_games), (2, 1));
        let deadlocks = fixture.database.rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'");
        assert_eq!(deadlocks, ["Innodb_deadlocks 1"]);
    });
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn full_database_is_used_again_when_there_is_room() {
    let fixture = Fixture::new(146);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        // The statement fails as it does when there is no room for the row. A database whose files
        // really cannot grow may end itself.
        fixture.database.sql(
            "CREATE TRIGGER full BEFORE INSERT ON leaderboard_rating_journal FOR EACH ROW
             SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'",
        );
        let failed = store.store_game(game.id, game.end(), GamePublications::default()).await.unwrap_err();
        assert_eq!(failed.reason(), Reason::Full, "{failed}");
        assert!(failed.to_string().contains("make room on the disk"), "{failed}");
        store.profile(PlayerId(1)).await.unwrap();
        let facts = store.facts().await.unwrap();
        assert!(facts.journal.is_empty() && facts.outbox.is_empty());
        assert_eq!(facts.game(game.id).unwrap().ended_at, None);
        fixture.database.sql("DROP TRIGGER full");
        insist(&store, game.id, game.end(), GamePublications::default()).await;
        assert_eq!(store.facts().await.unwrap().journal.len(), 2);
    });
}
