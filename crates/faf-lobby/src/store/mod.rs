//! The database of a server: the operations of `faf-lobby-store`, carried out by the backend that
//! the server has.
//!
//! Nothing of a database's driver shows outside of this folder.

pub(crate) mod embedded;
pub(crate) mod sqlite;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite, Reply, Request};
use faf_lobby_store::memory::{Memory, SharedMemory};
use faf_lobby_store::seed::Planted;
use faf_lobby_store::{Failures, Games};
use faf_protocol::GameId;

pub use faf_lobby_store::facts;
pub use faf_lobby_store::seed::SeedFile;
pub use faf_lobby_store::{
    AccountError, GameFilter, GameRecord, LaunchedGame, ListedAccount, ListedGame, Message, PlayerRecord,
    Role, SeedError, StoreError, StoredAccount,
};
pub(crate) use faf_lobby_store::{Action, Order, is_valid_login};
pub use sqlite::Sqlite;

use crate::auth::passwords;
use crate::clock::utc_now;

/// Largest seed file that is read, in bytes; a larger one is refused.
const SEED_LIMIT: u64 = 256 * 1024 * 1024;

/// A handle on the database; copies are the same handle.
#[derive(Debug, Clone)]
pub enum Store {
    /// SQLite, in a file.
    Sqlite(Sqlite),
    /// In memory; nothing outlives the process.
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
            /// If the operation is not carried out.
            pub async fn $operation(&self, $($argument: $type),*) -> $result {
                use faf_lobby_store::$family;
                match self {
                    Self::Sqlite(store) => store.$operation($($argument),*).await,
                    Self::Memory(store) => store.$operation($($argument),*).await,
                }
            }
        )* )* }
    };
}

faf_lobby_store::operations!(choose);

impl Store {
    /// Opens an SQLite database, makes it if it does not exist, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the file cannot be opened, is no database of this server, or was
    /// made by a newer one.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Sqlite::open(path).map(Self::Sqlite)
    }

    /// Makes a database in memory.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::Memory(SharedMemory::new(Memory::new(utc_now)))
    }

    /// Carries out a request of the lobby: see [`faf_lobby_store::perform`].
    pub(crate) async fn perform(&self, request: Request, failed: fn(&StoreError)) -> Result<Reply, Request> {
        match self {
            Self::Sqlite(store) => faf_lobby_store::perform(store, request, failed).await,
            Self::Memory(store) => faf_lobby_store::perform(store, request, failed).await,
        }
    }

    /// Stores something about a game: see [`Games::store_game`].
    pub(crate) fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> impl Future<Output = Result<Vec<RatingChange>, StoreError>> + Send + use<> {
        let (sqlite, memory) = match self {
            Self::Sqlite(store) => (Some(store.store_game(game, write, publications)), None),
            Self::Memory(store) => (None, Some(store.store_game(game, write, publications))),
        };
        async move {
            match (sqlite, memory) {
                (Some(stored), _) => stored.await,
                (_, Some(stored)) => stored.await,
                (None, None) => Err(StoreError::Closed),
            }
        }
    }

    /// Hashes the passwords of a seed, and plants it: all of it, or nothing. Needs a database
    /// without accounts.
    ///
    /// Users with the same password share its hash, so that thousands of them take no longer than
    /// one.
    ///
    /// # Errors
    /// [`SeedError`].
    pub async fn seed(&self, mut file: SeedFile) -> Result<Planted, SeedError> {
        let mut hashes: BTreeMap<String, String> = BTreeMap::new();
        for user in &mut file.users {
            let digest = match (&user.password_sha256_hex, &user.password) {
                (Some(digest), _) => digest.clone(),
                (None, Some(password)) => passwords::digest(password),
                // Only tokens log in.
                (None, None) => continue,
            };
            user.hash = match hashes.get(&digest) {
                Some(hash) => hash.clone(),
                None => {
                    let hash = passwords::hash(&digest).map_err(|problem| SeedError::Record {
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

    /// Operations that have failed so far, by reason.
    pub(crate) fn failures(&self) -> Arc<Failures> {
        match self {
            Self::Sqlite(store) => store.failures(),
            Self::Memory(_) => Arc::default(),
        }
    }

    /// Leaves everything in the one file of an embedded database, so that it can be copied without
    /// those beside it; returns whether that was possible, which it is not while another process
    /// uses the database.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn checkpoint(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(store) => store.checkpoint().await,
            Self::Memory(_) => Ok(true),
        }
    }
}

/// Reads a seed file.
///
/// # Errors
/// What is wrong with it; for wrong content with line and column.
pub fn read_seed(path: &Path) -> Result<SeedFile, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.len() > SEED_LIMIT {
        return Err(format!("{} bytes are more than the {SEED_LIMIT} a seed may have", metadata.len()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    SeedFile::parse(&text)
}
