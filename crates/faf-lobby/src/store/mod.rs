//! The database: plain operations over SQLite, a file a family of queries.
//!
//! Every operation is one transaction, carried out on a thread of its own kind: one thread writes, as SQLite wants it,
//! and a few read at the same time. Nobody else waits for a slow query. Nothing of SQLite shows outside of this folder.
//!
//! What is written about games outlives a crash of the machine once it is answered; anything else a crash may take back
//! for the last moment, but never in parts.

mod accounts;
mod avatars;
mod backup;
mod coop;
#[cfg(test)]
mod fields;
mod game_data;
mod game_end;
mod game_list;
mod game_record;
mod games;
mod health;
mod joins;
mod launched_game;
mod maps;
mod mod_vault;
mod notes;
mod orders;
mod own_key;
mod owner;
mod permissions;
mod profile;
mod ratings;
mod schema;
mod seed;
mod social;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

pub(crate) use accounts::is_valid_login;
pub use accounts::{AccountError, ListedAccount, Role, StoredAccount};
pub(crate) use backup::{BackupError, back_up};
pub use game_list::{GameFilter, ListedGame};
pub use game_record::{GameRecord, PlayerRecord, RecordedRating};
pub use games::GameStored;
pub(crate) use health::{Examiner, Files};
pub use launched_game::LaunchedGame;
pub use mod_vault::Like;
pub(crate) use orders::{Action, Order};
pub(crate) use owner::{Owner, OwnerError, PRIVATE, owner};
pub(crate) use schema::look_at;
pub use seed::{Planted, SeedError, SeedFile};

/// Threads that read.
const READERS: usize = 3;

/// How long to wait for another process, such as `faf-lobby user`, to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection keeps of the database file, in KiB. The operating system keeps it anyhow, for all of them together.
const PAGE_CACHE: i64 = 256;

/// Prepared statements a connection keeps.
const STATEMENTS: usize = 64;

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened, or is none.
    #[error("{path}: {problem}")]
    Open {
        /// Its file.
        path: String,
        /// What is wrong, and what to do about it.
        problem: String,
    },
    /// A query failed.
    #[error("database query failed: {0}")]
    Query(#[from] rusqlite::Error),
    /// The threads that would carry out the query have ended, or have failed with it.
    #[error("the database has been closed")]
    Closed,
}

/// Whether what was to be written contradicts what is stored, or can never be: to try again would not help.
fn is_contradiction(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};

    match error {
        rusqlite::Error::ToSqlConversionFailure(_) => true,
        other => matches!(other.sqlite_error_code(), Some(ConstraintViolation | TooBig | TypeMismatch)),
    }
}

/// How the file is opened. Its name is always one: without the flag for URIs, `file:x` is none.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_CREATE)
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// As above, for threads that only read.
const READ_ONLY: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle on the database; copies are the same handle. The threads end when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Store {
    write: Sender<Job>,
    read: Sender<Job>,
    /// Failed queries by extended result code of SQLite, zero where it was not SQLite that failed.
    failures: Arc<Mutex<BTreeMap<i32, u64>>>,
}

impl Store {
    /// Opens the database, makes it if it does not exist, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the file cannot be opened, is no database of this server, or was made by a newer one.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open_error = |problem: String| StoreError::Open { path: path.display().to_string(), problem };
        make_private(path).map_err(|error| open_error(explain_io(&error)))?;
        let mut writer = connect(path, FLAGS).map_err(|error| open_error(explain(&error)))?;
        schema::migrate(&mut writer).map_err(&open_error)?;

        let (write, jobs) = channel();
        spawn("store-writer", writer, Arc::new(Mutex::new(jobs)))
            .map_err(|error| open_error(error.to_string()))?;
        let (read, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..READERS {
            let reader = connect(path, READ_ONLY).map_err(|error| open_error(explain(&error)))?;
            spawn("store-reader", reader, Arc::clone(&jobs))
                .map_err(|error| open_error(error.to_string()))?;
        }
        Ok(Self { write, read, failures: Arc::default() })
    }

    /// How many queries have failed so far, by extended result code of SQLite; zero stands for other failures.
    #[must_use]
    pub fn failures(&self) -> BTreeMap<i32, u64> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// [`StoreError`] if it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.read(|connection| connection.query_row("SELECT 1", (), |_| Ok(()))).await
    }

    /// Moves everything into the database's one file, so that it can be copied without those beside it; answers whether
    /// that was possible, which it is not while another process uses the database.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn settle(&self) -> Result<bool, StoreError> {
        let checkpoint = |connection: &mut Connection| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0))
        };
        let is_busy: bool = self.hand_over(&self.write, checkpoint).await?;
        Ok(!is_busy)
    }

    /// Waits until everything is written that was asked for before this.
    ///
    /// # Errors
    /// [`StoreError::Closed`] if the thread that writes has ended.
    pub async fn finish_writing(&self) -> Result<(), StoreError> {
        self.hand_over(&self.write, |_| Ok(())).await
    }

    /// Carries out queries that change nothing.
    fn read<T: Send + 'static, Q>(&self, queries: Q) -> impl Answered<T> + use<T, Q>
    where
        Q: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.hand_over(&self.read, |connection| transact(connection, TransactionBehavior::Deferred, queries))
    }

    /// Carries out queries that belong together: all of them, or none.
    ///
    /// They are carried out behind all others that were asked for before, whether anybody waits for the answer or not.
    fn write<T: Send + 'static, Q>(&self, queries: Q) -> impl Answered<T> + use<T, Q>
    where
        Q: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.hand_over(&self.write, |connection| {
            transact(connection, TransactionBehavior::Immediate, queries)
        })
    }

    /// As [`write`](Self::write), and what was written is on the disk when it is answered, with all that was before it.
    fn write_durably<T: Send + 'static, Q>(&self, queries: Q) -> impl Answered<T> + use<T, Q>
    where
        Q: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.hand_over(&self.write, |connection| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            let result = transact(connection, TransactionBehavior::Immediate, queries);
            // If it stays as it is, writing is only slower.
            let _ = connection.pragma_update(None, "synchronous", "NORMAL");
            result
        })
    }

    /// Has a thread do something. It is in the queue when this returns; the future only waits for it.
    fn hand_over<T: Send + 'static, W>(&self, jobs: &Sender<Job>, work: W) -> impl Answered<T> + use<T, W>
    where
        W: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &mut Connection| {
            // Whoever asked may have stopped waiting.
            let _ = answer.send(work(connection));
        };
        // Unbounded, but never long: a connection has one question open, and keeps its place until it is answered; and so
        // has a game.
        let handed_over = jobs.send(Box::new(job)).map_err(|_| StoreError::Closed);
        let failures = Arc::clone(&self.failures);
        async move {
            handed_over?;
            let result = answered.await.map_err(|_| StoreError::Closed)?;
            if let Err(error) = &result {
                let code = error.sqlite_error().map_or(0, |error| error.extended_code);
                *failures.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
            }
            result.map_err(StoreError::Query)
        }
    }
}

/// What comes of something that was handed to the database.
pub(crate) trait Answered<T>: Future<Output = Result<T, StoreError>> + Send {}

impl<T, F: Future<Output = Result<T, StoreError>> + Send> Answered<T> for F {}

fn transact<T>(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    queries: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(behavior)?;
    let result = queries(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

/// All rows but those that hold what they should not, such as a negative count: one of them must not hide all others.
fn sound<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> rusqlite::Result<Vec<T>> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};

    rows.filter_map(|row| match row {
        Err(error @ (FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..))) => {
            tracing::warn!(%error, "a row of the database is left out");
            None
        }
        other => Some(other),
    })
    .collect()
}

/// Makes the file if there is none, so that nobody else may read it; those that SQLite puts beside it get the same permissions.
fn make_private(path: &Path) -> io::Result<()> {
    // An existing file is not opened here: to close it would take the locks away that SQLite has on it in this process.
    match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

fn explain_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{error}; does the folder exist?"),
        io::ErrorKind::PermissionDenied => format!("{error}; the file and its folder must be writable"),
        _ => error.to_string(),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE)?;
    if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // Readers are not stopped by a writer, and a crash loses at most the last moment, never the database.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    Ok(connection)
}

fn spawn(name: &str, mut connection: Connection, jobs: Arc<Mutex<Receiver<Job>>>) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            match job {
                // Whoever asked hears that there is no answer; the next one may have more luck.
                Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| job(&mut connection)))),
                Err(_) => return,
            }
        }
    })?;
    Ok(())
}

/// What an operator can do about a database that does not open.
fn explain(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode;

    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            format!(
                "this is no SQLite database, or it is damaged ({error}); restore a backup, or name another file"
            )
        }
        Some(ErrorCode::CannotOpen) => format!("{error}; does the folder exist, and may it be written to?"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            format!("{error}; the file and its folder must be writable")
        }
        Some(ErrorCode::DatabaseBusy) => format!("{error}; another process is writing to it"),
        Some(ErrorCode::DiskFull) => format!("{error}; there is no room on the disk"),
        Some(ErrorCode::SystemIoFailure) => format!("{error}; the disk may be full or broken"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new database in a folder that is removed behind the test.
    pub(super) fn new_store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Store::open(&folder.path().join("test.sqlite")).unwrap(), folder)
    }

    fn open_error(path: &Path) -> String {
        Store::open(path).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_database_is_made_and_opened_again() {
        let (store, folder) = new_store();
        store.check().await.unwrap();
        drop(store);
        Store::open(&folder.path().join("test.sqlite")).unwrap().check().await.unwrap();
    }

    #[test]
    fn what_is_no_database_of_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("text"), "this is no database, but long enough to be taken for one".repeat(20))
            .unwrap();
        assert!(open_error(&path("text")).contains("no SQLite database, or it is damaged"));
        assert!(open_error(&path("no/folder")).contains("does the folder exist"));

        Connection::open(path("other")).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(open_error(&path("other")).contains("belongs to another program"));

        drop(Store::open(&path("newer")).unwrap());
        Connection::open(path("newer")).unwrap().pragma_update(None, "user_version", 1000).unwrap();
        assert!(open_error(&path("newer")).contains("newer version of faf-lobby"));
    }

    #[tokio::test]
    async fn a_failed_query_changes_nothing_and_is_counted() {
        let (store, _folder) = new_store();
        let failed = store
            .write(|transaction| {
                transaction.execute("INSERT INTO map_pool (id, name) VALUES (1, 'x')", ())?;
                transaction.execute("INSERT INTO map_pool (id, name) VALUES (1, 'y')", ())
            })
            .await;
        assert!(matches!(failed, Err(StoreError::Query(_))));
        let count: i64 =
            store.read(|t| t.query_row("SELECT count(*) FROM map_pool", (), |row| row.get(0))).await.unwrap();
        assert_eq!((count, store.failures()), (0, BTreeMap::from([(1555, 1)])));
    }

    #[tokio::test]
    async fn reading_goes_on_while_somebody_writes() {
        let (store, _folder) = new_store();
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
        store.check().await.unwrap();
        release.send(()).unwrap();
        writing.await.unwrap().unwrap();
    }
}
