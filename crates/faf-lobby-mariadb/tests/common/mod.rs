//! Databases for tests.

#![allow(dead_code, reason = "no test file needs all of it")]

use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite};
use faf_lobby_mariadb::{MariaDb, Options};
use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{Games, StoreError, Upkeep};
use faf_protocol::{GameId, Secret};
use faf_testkit::season::{Played, Season};
use faf_testkit::services::mariadb::{Database, MariaServer, PASSWORD, USER};

/// A new database, and how to connect to it.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) options: Options,
}

impl Fixture {
    /// Creates a database with a version of FAF's schema on the shared server.
    pub(crate) fn new(version: u32) -> Self {
        Self::on(&MariaServer::shared(), version)
    }

    /// Creates a database on a server.
    pub(crate) fn on(server: &Arc<MariaServer>, version: u32) -> Self {
        let database = server.database(version);
        let options = Options {
            port: server.port(),
            user: USER.to_owned(),
            password: Some(Secret::new(PASSWORD)),
            database: database.name.clone(),
            connections: 3,
            query_timeout: Duration::from_secs(10),
            ..Options::default()
        };
        Self { database, options }
    }

    pub(crate) fn open(&self) -> MariaDb {
        MariaDb::open(&self.options).unwrap()
    }

    /// Opens the database, and launches a game of two players in it.
    pub(crate) async fn open_with_game(&self) -> (MariaDb, Played) {
        let store = self.open();
        plant(&store, SEED).await;
        let game = Season::default().play(1);
        put(&store, game.id, game.launch()).await.unwrap();
        (store, game)
    }
}

/// Runs a test.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

/// Two players and a map, for games of a season.
pub(crate) const SEED: &str = r#"{
    "users": [{"id": 1, "login": "Ada", "password": "x"}, {"id": 2, "login": "Bob", "password": "x"}],
    "maps": [{"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/SCMP_007.zip", "version": 1,
              "ranked": true, "max_players": 2, "width": 1, "height": 1}]}"#;

/// Plants a seed.
pub(crate) async fn plant(store: &MariaDb, seed: &str) {
    store.plant(SeedFile::parse(seed).unwrap()).await.unwrap();
}

/// Stores something about a game, without publications.
pub(crate) async fn put(
    store: &MariaDb,
    game: GameId,
    write: GameWrite,
) -> Result<Vec<RatingChange>, StoreError> {
    store.store_game(game, write, GamePublications::default()).await
}
