//! Worker threads: one writes, because SQLite allows only one writer, and a few read at the same
//! time. A slow query delays no other caller.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use faf_lobby_store::{Reason, StoreError};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::Sqlite;
use super::open::explain;

pub(super) type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The result of an operation that was queued at the database.
pub(crate) trait Pending<T>: Future<Output = Result<T, StoreError>> + Send {}

impl<T, F: Future<Output = Result<T, StoreError>> + Send> Pending<T> for F {}

impl Sqlite {
    /// Runs queries that change nothing.
    pub(super) fn read<T: Send + 'static, Q>(&self, queries: Q) -> impl Pending<T> + use<T, Q>
    where
        Q: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.run(&self.read, |connection| transact(connection, TransactionBehavior::Deferred, queries))
    }

    /// Runs queries in one transaction: all of them take effect, or none.
    ///
    /// Writes run in the order in which they were queued, whether the caller awaits the result
    /// or not.
    pub(super) fn write<T: Send + 'static, Q>(&self, queries: Q) -> impl Pending<T> + use<T, Q>
    where
        Q: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.run_on_writer(|connection| transact(connection, TransactionBehavior::Immediate, queries))
    }

    /// Like [`write`](Self::write), but the result is returned only after this write and all
    /// earlier ones are on the disk.
    pub(super) fn write_durably<T: Send + 'static, Q>(&self, queries: Q) -> impl Pending<T> + use<T, Q>
    where
        Q: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.run_on_writer(|connection| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            let result = transact(connection, TransactionBehavior::Immediate, queries);
            // If this fails, writes are only slower.
            let _ = connection.pragma_update(None, "synchronous", "NORMAL");
            result
        })
    }

    /// Runs a closure on the writing thread.
    pub(super) fn run_on_writer<T: Send + 'static, W>(&self, work: W) -> impl Pending<T> + use<T, W>
    where
        W: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.run(&self.write, work)
    }

    /// Runs a closure on a worker thread. The job is queued when this function returns; the future
    /// only awaits the result.
    pub(super) fn run<T: Send + 'static, W>(&self, jobs: &Sender<Job>, work: W) -> impl Pending<T> + use<T, W>
    where
        W: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let job = move |connection: &mut Connection| {
            // The caller may have dropped the future.
            let _ = reply.send(work(connection));
        };
        // The queue is unbounded but short: each connection and each game has at most one request
        // in flight.
        let handed_over = jobs.send(Box::new(job)).map_err(|_| StoreError::Closed);
        let failures = Arc::clone(&self.failures);
        async move {
            handed_over?;
            let result = replied.await.map_err(|_| StoreError::Closed)?;
            result.map_err(|error| {
                let error = store_error(&error);
                failures.count(error.reason());
                error
            })
        }
    }
}

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

/// Starts a thread that runs jobs until all senders are dropped.
pub(super) fn spawn(
    name: &str,
    mut connection: Connection,
    jobs: Arc<Mutex<Receiver<Job>>>,
) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            match job {
                // The caller of a job that panics receives the error that the database is closed;
                // later jobs still run.
                Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| job(&mut connection)))),
                Err(_) => return,
            }
        }
    })?;
    Ok(())
}

/// Returns whether a write contradicts the stored data or can never be stored, so that a retry does
/// not help.
pub(super) fn is_contradiction(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};

    match error {
        rusqlite::Error::ToSqlConversionFailure(_) => true,
        other => matches!(other.sqlite_error_code(), Some(ConstraintViolation | TooBig | TypeMismatch)),
    }
}

/// Converts an error into the form that all databases share.
pub(super) fn store_error(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, PermissionDenied,
        ReadOnly, SystemIoFailure,
    };

    if is_contradiction(error) {
        return StoreError::Contradiction(error.to_string());
    }
    let reason = match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => Reason::Busy,
        Some(DatabaseCorrupt | NotADatabase) => Reason::Damaged,
        Some(DiskFull) => Reason::Full,
        Some(ReadOnly | PermissionDenied) => Reason::ReadOnly,
        Some(SystemIoFailure | CannotOpen) => Reason::Io,
        _ => Reason::Other,
    };
    StoreError::Unavailable { reason, problem: explain(error) }
}
