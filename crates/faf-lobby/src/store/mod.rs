//! The database of a server: the operations of `faf-lobby-store`, forwarded to the configured
//! backend.
//!
//! Types of a database driver do not leave this folder.

mod database;
pub(crate) mod embedded;
pub(crate) mod sqlite;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite, Reply, Request};
use faf_lobby_store::memory::{Memory, SharedMemory};
use faf_lobby_store::seed::Planted;
use faf_lobby_store::{Beyond, Failures, Games};
use faf_protocol::GameId;

pub use database::{Database, MariaDbOptions};
pub(crate) use database::{Owner, OwnerError, Share};
pub use faf_lobby_store::facts;
pub use faf_lobby_store::seed::SeedFile;
pub use faf_lobby_store::{
    AccountError, GameFilter, GameRecord, LaunchedGame, ListedAccount, ListedGame, Message, PlayerRecord,
    Role, SeedError, StoreError, StoredAccount,
};
pub(crate) use faf_lobby_store::{Action, Order, is_valid_login};
pub use sqlite::{OtherProgram, Sqlite};

use crate::auth::passwords;
use crate::clock::utc_now;

/// Maximum size of a seed file, in bytes; a larger file is rejected.
const SEED_LIMIT: u64 = 256 * 1024 * 1024;

/// A handle to the database; clones refer to the same database.
#[derive(Debug, Clone)]
pub enum Store {
    /// An SQLite database in a file.
    Sqlite(Sqlite),
    /// FAF's MariaDB.
    #[cfg(feature = "mariadb")]
    MariaDb(faf_lobby_mariadb::MariaDb),
    /// An in-memory database, which is lost when the process ends.
    Memory(SharedMemory),
}

macro_rules! choose {
    ($(
        $(#[$about:meta])*
        $family:ident { $(
            $(#[$doc:meta])*
            $operation:ident($($argument:ident: $type:ty),*) -> $result:ty;
        )* }
    )*) => {
        impl Store { $( $(
            $(#[$doc])*
            ///
            /// # Errors
            /// Returns the error of the backend if it does not carry out the operation.
            pub async fn $operation(&self, $($argument: $type),*) -> $result {
                use faf_lobby_store::$family;
                match self {
                    Self::Sqlite(store) => store.$operation($($argument),*).await,
                    #[cfg(feature = "mariadb")]
                    Self::MariaDb(store) => store.$operation($($argument),*).await,
                    Self::Memory(store) => store.$operation($($argument),*).await,
                }
            }
        )* )* }
    };
}

faf_lobby_store::operations!(choose);

impl Store {
    /// Opens an SQLite database, creates it if it does not exist, and migrates its tables.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the file cannot be opened, is not a database of this server, or was
    /// created by a newer version.
    pub fn open_file(path: &Path) -> Result<Self, StoreError> {
        Sqlite::open(path).map(Self::Sqlite)
    }

    /// Creates an in-memory database.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::Memory(SharedMemory::new(Memory::new(utc_now)))
    }

    /// Carries out a request of the lobby: see [`faf_lobby_store::perform`].
    pub(crate) async fn perform(&self, request: Request, failed: fn(&StoreError)) -> Result<Reply, Beyond> {
        match self {
            Self::Sqlite(store) => faf_lobby_store::perform(store, request, failed).await,
            #[cfg(feature = "mariadb")]
            Self::MariaDb(store) => faf_lobby_store::perform(store, request, failed).await,
            Self::Memory(store) => faf_lobby_store::perform(store, request, failed).await,
        }
    }

    /// Stores something about a game: see [`Games::store_game`].
    pub(crate) fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<RatingChange>, StoreError>> + Send>> {
        match self {
            Self::Sqlite(store) => Box::pin(store.store_game(game, write, publications)),
            #[cfg(feature = "mariadb")]
            Self::MariaDb(store) => Box::pin(store.store_game(game, write, publications)),
            Self::Memory(store) => Box::pin(store.store_game(game, write, publications)),
        }
    }

    /// Returns what to store for a password, of which clients send this digest: a hash, or in FAF's
    /// database the digest itself, with which FAF's other services compare it. To hash it takes
    /// tens of milliseconds.
    ///
    /// # Errors
    /// A description, if the system provides no random numbers.
    pub(crate) fn stored_password(&self, digest: &str) -> Result<String, String> {
        if self.keeps_digests() { Ok(digest.to_owned()) } else { passwords::hash(digest) }
    }

    /// Returns whether the accounts of the database have the digests of passwords, not hashes.
    pub(crate) fn keeps_digests(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Memory(_) => false,
            #[cfg(feature = "mariadb")]
            Self::MariaDb(_) => true,
        }
    }

    /// Hashes the passwords of a seed, and plants the seed: all of it, or nothing. The database
    /// must have no accounts.
    ///
    /// Users with the same password share one hash, so that thousands of them take no longer
    /// than one.
    ///
    /// # Errors
    /// [`SeedError`] if the seed is invalid, or the database has accounts or fails.
    pub async fn seed(&self, mut file: SeedFile) -> Result<Planted, SeedError> {
        let mut hashes: BTreeMap<String, String> = BTreeMap::new();
        for user in &mut file.users {
            let digest = match (&user.password_sha256_hex, &user.password) {
                (Some(digest), _) => digest.clone(),
                (None, Some(password)) => passwords::digest(password),
                // This account logs in with tokens only.
                (None, None) => continue,
            };
            user.hash = match hashes.get(&digest) {
                Some(hash) => hash.clone(),
                None => {
                    let hash = self.stored_password(&digest).map_err(|problem| SeedError::Record {
                        record: format!("user {}", user.login),
                        problem,
                    })?;
                    hashes.insert(digest, hash.clone());
                    hash
                }
            };
        }
        self.plant(file).await
    }

    /// Returns the number and duration of MariaDB's operations so far; none for other databases.
    #[cfg(feature = "mariadb")]
    pub(crate) fn timings(&self) -> Option<Arc<faf_lobby_mariadb::Timings>> {
        match self {
            Self::MariaDb(store) => Some(store.timings()),
            Self::Sqlite(_) | Self::Memory(_) => None,
        }
    }

    /// Returns the number of failed operations so far, by reason.
    pub(crate) fn failures(&self) -> Arc<Failures> {
        match self {
            Self::Sqlite(store) => store.failures(),
            #[cfg(feature = "mariadb")]
            Self::MariaDb(store) => store.failures(),
            Self::Memory(_) => Arc::default(),
        }
    }

    /// Moves all data of an embedded database into its main file, so that this file can be copied
    /// alone. Returns whether that succeeded; it does not while another process uses the database.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn checkpoint(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(store) => store.checkpoint().await,
            #[cfg(feature = "mariadb")]
            Self::MariaDb(_) => Ok(true),
            Self::Memory(_) => Ok(true),
        }
    }
}

/// Reads a seed file.
///
/// # Errors
/// A description of the problem, with line and column for invalid content.
pub fn read_seed(path: &Path) -> Result<SeedFile, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.len() > SEED_LIMIT {
        return Err(format!("{} bytes exceed the limit of {SEED_LIMIT} bytes", metadata.len()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    SeedFile::parse(&text)
}
