//! Figures of the database: logins per second, and the time from the results of a game to the
//! commit. Starts a `mariadbd` of its own, which writes to the disk as by default.
//!
//! `cargo bench -p faf-lobby-mariadb --bench figures`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints its figures, and fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use faf_lobby_core::{GamePublications, GameWrite, LivePlayer};
use faf_lobby_mariadb::{Family, MariaDb, Options};
use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{Accounts, Games, Profiles, Upkeep};
use faf_protocol::{GameId, PlayerId, Secret};
use faf_testkit::season::{Played, Season};
use faf_testkit::services::mariadb::{MariaServer, PASSWORD, USER};
use serde_json::json;
use tokio::task::JoinSet;

/// Number of accounts, each with friends and ratings.
const PLAYERS: u32 = 5000;

/// Number of logins at the same time.
const AT_ONCE: u32 = 64;

const LOGINS: u32 = 10_000;

const GAMES: u32 = 200;

/// Number of games that end at the same time.
const ENDING_AT_ONCE: u32 = 50;

/// Number of players in a large game.
const LARGE: usize = 8;

fn main() {
    // Plain `cargo test` runs benchmarks, too, and must pass without a database.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let server = Arc::new(MariaServer::start_durable());
    let database = server.database(146);
    let options = Options {
        port: server.port(),
        user: USER.to_owned(),
        password: Some(Secret::new(PASSWORD)),
        database: database.name,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let store = MariaDb::open(&options).unwrap();
        store.plant(seed()).await.unwrap();
        logins(&store).await;
        let game = Season::default().play(1);
        ends("two players", &store, &game, 1).await;
        ends("eight players", &store, &large(game), 100_000).await;
    });
}

fn seed() -> SeedFile {
    let users: Vec<_> = (1..=PLAYERS)
        .map(|id| {
            let friends: Vec<u32> = (1..=20).map(|distance| (id + distance) % PLAYERS + 1).collect();
            let rating = json!({"mean": 1000.5, "deviation": 80.25, "total_games": 9, "won_games": 4});
            json!({"id": id, "login": format!("p{id}"), "password": "x", "friends": friends,
                   "ratings": {"global": rating, "ladder_1v1": rating}})
        })
        .collect();
    let map = json!({"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/SCMP_007.zip",
                     "version": 1, "ranked": true, "max_players": 2, "width": 1, "height": 1});
    SeedFile::parse(&json!({"users": users, "maps": [map]}).to_string()).unwrap()
}

/// Measures logins: the account with its ban, the record of the login, and the profile.
async fn logins(store: &MariaDb) {
    let (next, began) = (Arc::new(AtomicU32::new(0)), Instant::now());
    let mut clients = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (store, next) = (store.clone(), Arc::clone(&next));
        clients.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < LOGINS {
                let id = PlayerId(next.load(Ordering::Relaxed) % PLAYERS + 1);
                store.account_by_id(id).await.unwrap().unwrap();
                store.record_login(id, Some([127, 0, 0, 1].into()), Some("bench".to_owned())).await.unwrap();
                assert_eq!(store.profile(id).await.unwrap().friends.len(), 20);
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("logins: {:.0} per second", f64::from(LOGINS) / seconds);
    let timings = store.timings();
    for family in [Family::Accounts, Family::Profiles] {
        let timings = timings.of(family);
        println!("  {}: {:?} each", family.name(), timings.total() / timings.count() as u32);
    }
}

/// Returns the game with more players, in two teams.
fn large(mut game: Played) -> Played {
    let ids = (1..=LARGE as u32).map(PlayerId);
    let first = game.launched.players[0].clone();
    let player = |id: PlayerId| LivePlayer { id, team: Some(2 + i64::from(id.0 % 2)), ..first.clone() };
    game.launched.players = ids.clone().map(player).collect();
    let result = game.end.results[0].clone();
    game.end.results = ids
        .clone()
        .map(|id| {
            let mut result = result.clone();
            result.player = id;
            result
        })
        .collect();
    let rated = game.end.rated.as_mut().unwrap();
    for (index, team) in rated.teams.iter_mut().enumerate() {
        team.players = ids.clone().filter(|id| id.0 as usize % 2 == index).collect();
    }
    game
}

/// Measures ends of games, one after the other, and many at the same time.
async fn ends(what: &str, store: &MariaDb, game: &Played, first: u32) {
    let put = |id: u32, write: GameWrite| store.store_game(GameId(id), write, GamePublications::default());
    for id in first..first + GAMES + ENDING_AT_ONCE {
        put(id, game.launch()).await.unwrap();
    }
    let mut times: Vec<Duration> = Vec::new();
    for id in first..first + GAMES {
        let began = Instant::now();
        assert!(!put(id, game.end()).await.unwrap().is_empty());
        times.push(began.elapsed());
    }
    times.sort();
    println!(
        "end of a game with {what}: median {:?}, 99 % {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
    let began = Instant::now();
    let waiting: Vec<_> =
        (first + GAMES..first + GAMES + ENDING_AT_ONCE).map(|id| put(id, game.end())).collect();
    for stored in waiting {
        stored.await.unwrap();
    }
    println!("{ENDING_AT_ONCE} such ends at once: {:?}", began.elapsed());
}
