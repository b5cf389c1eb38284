//! Databases for tests.

use std::sync::Arc;
use std::time::Duration;

use faf_lobby_mariadb::{MariaDb, Options};
use faf_protocol::Secret;
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
}

/// Runs a test.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}
