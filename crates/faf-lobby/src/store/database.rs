//! Which database a server uses, and what differs between one in a file and FAF's MariaDB apart
//! from the operations: the owner, inspections and copies.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use faf_lobby_store::StoreError;
use faf_protocol::Secret;
#[cfg(feature = "mariadb")]
use tokio::time::{Instant, sleep};

use super::Store;
use super::sqlite::{self, BackupError};
use crate::config::MariaDbAddress;

/// Time between two attempts to take a database server that cannot be used.
#[cfg(feature = "mariadb")]
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The database of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// An SQLite database in this file.
    File(PathBuf),
    /// FAF's MariaDB.
    MariaDb(MariaDbOptions),
}

/// How to reach and use FAF's MariaDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariaDbOptions {
    /// Address of the server, account, and name of the database.
    pub address: MariaDbAddress,
    /// Password of the account; none if it is empty.
    pub password: Secret,
    /// Table with the version of the schema; empty to use the schema as it is.
    pub history_table: String,
    /// Number of connections for reading.
    pub connections: usize,
    /// Time limit for a query.
    pub timeout: Duration,
}

impl From<&Path> for Database {
    fn from(file: &Path) -> Self {
        Self::File(file.to_owned())
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::MariaDb(options) => options.address.fmt(f),
        }
    }
}

/// Whether a server has a database for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// It has.
    Alone,
    /// It is a core of a cluster, and shares the database with the other cores. Only the one that
    /// leads writes.
    #[cfg(feature = "nats")]
    WithCores,
}

/// Reason why a server does not get the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnerError {
    /// Another process has it.
    #[error(
        "{database} is in use by {holder}; stop that process, name another database, or wait for it with \
         --wait-for-database"
    )]
    Taken {
        /// Path of the database.
        database: String,
        /// Process that holds the database, as written in the lock file.
        holder: String,
    },
    /// The database cannot be used.
    #[error("{database}: {problem}")]
    Unavailable {
        /// Address of the database.
        database: String,
        /// Description of the problem, and what to do about it.
        problem: String,
    },
    /// The file beside the database cannot be locked.
    #[error("{path} cannot be locked: {error}; its folder must be writable and on a file system with locks")]
    Lock {
        /// Path of the lock file.
        path: String,
        /// Error of the operating system.
        error: io::Error,
    },
}

/// The right to serve a database, until this value is dropped.
#[derive(Debug)]
pub(crate) enum Owner {
    /// For a database in a file.
    File { _lock: sqlite::Owner },
    /// For FAF's MariaDB.
    #[cfg(feature = "mariadb")]
    MariaDb(faf_lobby_mariadb::Owner),
}

impl Owner {
    /// Waits until another server has taken the database from this one, which may happen if the
    /// database was away for both. This never happens to a database in a file.
    pub(crate) async fn lost(&self) {
        match self {
            Self::File { .. } => std::future::pending().await,
            #[cfg(feature = "mariadb")]
            Self::MariaDb(owner) => {
                let mut ownership = owner.ownership();
                let is_lost = |now: &faf_lobby_mariadb::Ownership| *now == faf_lobby_mariadb::Ownership::Lost;
                if ownership.wait_for(is_lost).await.is_err() {
                    // The thread that watches the ownership ends only after the loss.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Database {
    /// Returns whether the database may exist; a database server is not asked.
    pub(crate) fn may_exist(&self) -> bool {
        match self {
            Self::File(path) => path.exists(),
            Self::MariaDb(_) => true,
        }
    }

    /// Takes the database, or waits up to `limit` for its owner to release it. `waiting` is called
    /// once with the owner if the wait exceeds a moment.
    ///
    /// # Errors
    /// [`OwnerError`] if the database is not released in time, or cannot be locked.
    pub(crate) async fn take(
        &self,
        share: Share,
        limit: Duration,
        waiting: impl FnOnce(&str),
    ) -> Result<Owner, OwnerError> {
        match self {
            Self::File(path) => {
                let lock = sqlite::Owner::take(path, share, limit, waiting).await?;
                Ok(Owner::File { _lock: lock })
            }
            #[cfg(feature = "mariadb")]
            Self::MariaDb(options) => take_mariadb(&options.for_driver(), share, limit, waiting).await,
            #[cfg(not(feature = "mariadb"))]
            Self::MariaDb(_) => {
                Err(OwnerError::Unavailable { database: self.to_string(), problem: NO_MARIADB.to_owned() })
            }
        }
    }

    /// Returns the server that uses the database; `None` if there is none, or if nobody can tell.
    pub(crate) fn owner(&self) -> Option<String> {
        match self {
            Self::File(path) => sqlite::owner(path),
            #[cfg(feature = "mariadb")]
            Self::MariaDb(options) => faf_lobby_mariadb::owner(&options.for_driver()),
            #[cfg(not(feature = "mariadb"))]
            Self::MariaDb(_) => None,
        }
    }

    /// Inspects the database without changing it, and returns a warning for the operator if there
    /// is a reason for it.
    ///
    /// # Errors
    /// A description of the problem, and what to do about it.
    pub(crate) fn inspect(&self) -> Result<Option<String>, String> {
        match self {
            Self::File(path) => sqlite::inspect(path),
            #[cfg(feature = "mariadb")]
            Self::MariaDb(options) => faf_lobby_mariadb::inspect(&options.for_driver()),
            #[cfg(not(feature = "mariadb"))]
            Self::MariaDb(_) => Err(NO_MARIADB.to_owned()),
        }
    }

    /// Copies the database, as it is at one moment, into a new file, and returns its size in bytes.
    ///
    /// # Errors
    /// [`BackupError`]; in this case no copy exists.
    pub(crate) fn back_up(&self, copy: &Path) -> Result<u64, BackupError> {
        match self {
            Self::File(path) => sqlite::back_up(path, copy),
            Self::MariaDb(options) => Err(BackupError::Database {
                path: self.to_string(),
                problem: format!(
                    "this command copies files; for MariaDB: mariadb-dump --single-transaction {}",
                    options.address.name
                ),
            }),
        }
    }
}

#[cfg(feature = "mariadb")]
impl MariaDbOptions {
    fn for_driver(&self) -> faf_lobby_mariadb::Options {
        let MariaDbAddress { user, host, port, name } = self.address.clone();
        faf_lobby_mariadb::Options {
            host,
            port,
            user,
            password: (!self.password.reveal().is_empty()).then(|| self.password.clone()),
            database: name,
            history_table: self.history_table.clone(),
            connections: self.connections,
            query_timeout: self.timeout,
            ..faf_lobby_mariadb::Options::default()
        }
    }
}

/// Takes a MariaDB. One that cannot be used now, for instance because it starts together with this
/// server, is tried again until the limit.
#[cfg(feature = "mariadb")]
async fn take_mariadb(
    options: &faf_lobby_mariadb::Options,
    share: Share,
    limit: Duration,
    waiting: impl FnOnce(&str),
) -> Result<Owner, OwnerError> {
    let began = Instant::now();
    let mut waiting = Some(waiting);
    loop {
        let mut is_told = |holder: &str| {
            if let Some(waiting) = waiting.take() {
                waiting(holder);
            }
        };
        let rest = limit.saturating_sub(began.elapsed());
        let share = match share {
            Share::Alone => faf_lobby_mariadb::Share::Alone,
            #[cfg(feature = "nats")]
            Share::WithCores => faf_lobby_mariadb::Share::WithCores,
        };
        match faf_lobby_mariadb::Owner::take(options, share, rest, &mut is_told).await {
            Ok(owner) => return Ok(Owner::MariaDb(owner)),
            Err(faf_lobby_mariadb::OwnerError::Unavailable { problem, .. }) if began.elapsed() < limit => {
                is_told(&problem);
                sleep(RETRY_INTERVAL).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(feature = "mariadb")]
impl From<faf_lobby_mariadb::OwnerError> for OwnerError {
    fn from(error: faf_lobby_mariadb::OwnerError) -> Self {
        use faf_lobby_mariadb::OwnerError::{Taken, Unavailable};
        match error {
            Taken { database, holder } => Self::Taken { database, holder },
            Unavailable { database, problem } => Self::Unavailable { database, problem },
        }
    }
}

/// Why this build cannot use MariaDB, and what to do about it.
#[cfg(not(feature = "mariadb"))]
pub(super) const NO_MARIADB: &str = "this build of faf-lobby has no MariaDB; use a release, or build it with \
     `cargo build --release --features mariadb`";

impl Store {
    /// Makes writes depend on the ownership of the database, which another server may have taken
    /// while it was away.
    pub(crate) fn write_only_as(&self, owner: &Owner) {
        match (self, owner) {
            #[cfg(feature = "mariadb")]
            (Self::MariaDb(store), Owner::MariaDb(owner)) => store.write_only_as(owner),
            _ => {}
        }
    }

    /// Opens a database. A file is created if it does not exist, and its tables are migrated.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the database cannot be opened, is not one of this server, or was
    /// created by a newer version.
    pub fn open(database: &Database) -> Result<Self, StoreError> {
        match database {
            Database::File(path) => Self::open_file(path),
            #[cfg(feature = "mariadb")]
            Database::MariaDb(options) => {
                faf_lobby_mariadb::MariaDb::open(&options.for_driver()).map(Self::MariaDb)
            }
            #[cfg(not(feature = "mariadb"))]
            Database::MariaDb(_) => {
                Err(StoreError::Open { place: database.to_string(), problem: NO_MARIADB.to_owned() })
            }
        }
    }
}

#[cfg(all(test, feature = "mariadb"))]
mod tests {
    use faf_testkit::services::mariadb::{MariaServer, PASSWORD, USER};

    use super::*;
    use crate::config::DatabaseAddress;

    #[tokio::test]
    async fn a_database_that_is_away_is_waited_for() {
        // Port 1 is reserved, and nothing listens there.
        let address = DatabaseAddress::try_from("mysql://me@127.0.0.1:1/x".to_owned()).unwrap();
        let settings = crate::config::Settings { database: address, ..Default::default() };
        let database = settings.database();
        let (tell, told) = std::sync::mpsc::channel();
        let waiting = |problem: &str| tell.send(problem.to_owned()).unwrap();
        let refused = database.take(Share::Alone, Duration::ZERO, waiting).await.unwrap_err();
        assert!(refused.to_string().contains("127.0.0.1:1"), "{refused}");
        assert!(told.try_recv().is_err());
        // The limit passes during the first pause, and the second attempt is the last.
        let waiting = |problem: &str| tell.send(problem.to_owned()).unwrap();
        let refused = database.take(Share::Alone, Duration::from_millis(500), waiting).await.unwrap_err();
        assert!(matches!(refused, OwnerError::Unavailable { .. }), "{refused}");
        assert_eq!(told.try_iter().count(), 1);
    }

    #[tokio::test]
    #[ignore = "needs mariadbd; .ci/run runs it"]
    async fn commands_find_the_server_that_uses_a_mariadb() {
        let maria = MariaServer::shared();
        let address = format!("mysql://{USER}@127.0.0.1:{}/{}", maria.port(), maria.database(146).name);
        let settings = crate::config::Settings {
            database: DatabaseAddress::try_from(address).unwrap(),
            database_password: Secret::new(PASSWORD),
            ..Default::default()
        };
        let database = settings.database();
        assert_eq!(database.owner(), None);
        let _owner = database.take(Share::Alone, Duration::ZERO, |_| {}).await.unwrap();
        assert!(database.owner().is_some());
    }
}
