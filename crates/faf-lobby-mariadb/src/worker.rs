//! Worker threads, each with a connection of its own: one carries out the writes about games in the
//! order in which they were queued, the others do everything else at the same time.
//!
//! No operation waits for long: it fails if its turn does not come within the time for a statement,
//! if the database does not reply within that time, and at once while new connections fail.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use faf_lobby_store::{Reason, StoreError};
use tokio::sync::oneshot;

use crate::error::Result;
use crate::open::MariaDb;
use crate::session::Session;
use crate::shared::Shared;
use crate::timings::Family;

/// Maximum number of operations that wait for a thread. Each connection and each game has at most
/// one operation in flight, so this is reached only while the database is slow; operations
/// beyond it fail.
const QUEUE_LIMIT: usize = 10_000;

/// Operations that take longer are logged.
const SLOW: Duration = Duration::from_secs(1);

/// Number of attempts of a transaction that ends in a deadlock or waits too long for a lock.
const ATTEMPTS: u32 = 8;

/// Longest pause before the second attempt; it doubles with each attempt, up to the limit.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const PAUSE_LIMIT: Duration = Duration::from_millis(200);

/// Time without use after which a connection is tested before it is used, because the database
/// may have restarted.
const IDLE: Duration = Duration::from_secs(1);

/// How an operation is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Queries that change nothing, each by itself.
    Read,
    /// Queries that change nothing and see the same state of the database.
    Snapshot,
    /// A single statement that changes something.
    Statement,
    /// A transaction: all of it takes effect, or nothing.
    Transaction,
}

impl Mode {
    fn is_write(self) -> bool {
        matches!(self, Self::Statement | Self::Transaction)
    }
}

pub(crate) type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// The result of an operation that was queued at the database.
pub(crate) trait Pending<T>: Future<Output = std::result::Result<T, StoreError>> + Send {}

impl<T, F: Future<Output = std::result::Result<T, StoreError>> + Send> Pending<T> for F {}

/// The queues of the threads.
#[derive(Debug, Clone)]
pub(crate) struct Queues {
    pub(crate) games: SyncSender<Job>,
    pub(crate) others: SyncSender<Job>,
}

/// Starts the threads; `first` is the connection of one of them.
pub(crate) fn start(shared: &Arc<Shared>, first: Session) -> io::Result<Queues> {
    let (games, jobs) = sync_channel(QUEUE_LIMIT);
    let worker =
        |number, session| Worker { number, shared: Arc::clone(shared), session, used: Instant::now() };
    spawn("store-games", worker(0, Some(first)), Arc::new(Mutex::new(jobs)))?;
    let (others, jobs) = sync_channel(QUEUE_LIMIT);
    let jobs = Arc::new(Mutex::new(jobs));
    for number in 1..=shared.options.connections() {
        spawn("store-worker", worker(number, None), Arc::clone(&jobs))?;
    }
    Ok(Queues { games, others })
}

/// Starts a thread that runs jobs until all senders are dropped.
fn spawn(name: &str, mut worker: Worker, jobs: Arc<Mutex<Receiver<Job>>>) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            // The caller of a job that panics receives the error that the database is closed. Its
            // transaction ends with the connection.
            if catch_unwind(AssertUnwindSafe(|| job(&mut worker))).is_err() {
                worker.session = None;
            }
        }
    })?;
    Ok(())
}

macro_rules! ways_to_run {
    ($( $(#[$doc:meta])* $name:ident: $queue:ident, $mode:ident; )*) => {
        impl MariaDb { $(
            $(#[$doc])*
            pub(crate) fn $name<T: Send + 'static, Q>(
                &self,
                family: Family,
                queries: Q,
            ) -> impl Pending<T> + use<T, Q>
            where
                Q: Fn(&mut Session) -> Result<T> + Send + 'static,
            {
                self.run(&self.queues.$queue, family, Mode::$mode, queries)
            }
        )* }
    };
}

ways_to_run! {
    /// Runs queries that change nothing.
    read: others, Read;

    /// Runs queries that change nothing and see the same state of the database.
    snapshot: others, Snapshot;

    /// Runs a single statement that changes something.
    statement: others, Statement;

    /// Runs queries in one transaction: all of them take effect, or none. They may run several
    /// times, because a transaction that ends in a deadlock is repeated.
    write: others, Transaction;

    /// Like [`write`](Self::write), but such transactions are carried out one after the other, in
    /// the order in which they were queued.
    write_in_order: games, Transaction;
}

impl MariaDb {
    /// Runs queries on a thread. They are queued when this function returns; the future only awaits
    /// the result.
    fn run<T: Send + 'static, Q>(
        &self,
        queue: &SyncSender<Job>,
        family: Family,
        mode: Mode,
        queries: Q,
    ) -> impl Pending<T> + use<T, Q>
    where
        Q: Fn(&mut Session) -> Result<T> + Send + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let incomplete = mode.is_write().then(|| self.shared.begin_write());
        let queued = Instant::now();
        let job: Job = Box::new(move |worker| {
            // The caller may have dropped the future.
            let _ = reply.send(worker.perform(family, mode, queued, &queries));
            drop(incomplete);
        });
        let handed_over = queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => self.shared.too_busy(),
            TrySendError::Disconnected(_) => StoreError::Closed,
        });
        async move {
            handed_over?;
            replied.await.map_err(|_| StoreError::Closed)?
        }
    }
}

/// A thread's connection.
pub(crate) struct Worker {
    number: usize,
    shared: Arc<Shared>,
    session: Option<Session>,
    /// When the connection was used last.
    used: Instant,
}

impl Worker {
    fn perform<T>(
        &mut self,
        family: Family,
        mode: Mode,
        queued: Instant,
        queries: &impl Fn(&mut Session) -> Result<T>,
    ) -> std::result::Result<T, StoreError> {
        if queued.elapsed() > self.shared.options.query_timeout() {
            return Err(self.shared.too_busy());
        }
        let began = Instant::now();
        let result = self.attempt(family, mode, began, queries);
        let took = began.elapsed();
        self.used = Instant::now();
        self.shared.timings.record(family, took, result.is_err());
        if took > SLOW {
            let seconds = took.as_secs_f64();
            tracing::warn!(family = family.name(), seconds, "the database is slow");
        }
        match result {
            Ok(value) => {
                let has_written = self.session.as_mut().is_some_and(|s| std::mem::take(&mut s.has_written));
                self.shared.outage.succeeded(self.number, has_written);
                Ok(value)
            }
            Err(error) => {
                // With a new connection, the schema is read again.
                if error.breaks_connection() || error.is_of_schema() {
                    self.session = None;
                }
                let error = error.into_store();
                self.shared.failures.count(error.reason());
                self.shared.outage.failed(self.number, &error);
                Err(error)
            }
        }
    }

    fn attempt<T>(
        &mut self,
        family: Family,
        mode: Mode,
        began: Instant,
        queries: &impl Fn(&mut Session) -> Result<T>,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        if mode.is_write()
            && let Some(lock) = shared.owner.get()
        {
            lock.check()?;
        }
        let (mut number, mut has_reconnected) = (1, false);
        loop {
            let session = self.session()?;
            match transact(session, &shared, mode, queries) {
                // The database may have restarted since the connection was used last. Nothing was
                // changed with it.
                Err(error)
                    if error.breaks_connection()
                        && error.reason() == Reason::Io
                        && !has_reconnected
                        && (!mode.is_write() || mode == Mode::Transaction && !session.is_in_transaction) =>
                {
                    has_reconnected = true;
                    self.session = None;
                }
                Err(error) if error.is_transient() && number < ATTEMPTS => {
                    if began.elapsed() > shared.options.query_timeout() {
                        return Err(error);
                    }
                    let (family, reason) = (family.name(), error.reason().name());
                    tracing::debug!(family, reason, number, "a transaction is repeated");
                    thread::sleep(pause(number));
                    number += 1;
                }
                result => {
                    if self.session.as_ref().is_some_and(|session| session.is_in_transaction) {
                        self.session = None;
                    }
                    return result;
                }
            }
        }
    }

    /// Returns the connection, or a new one.
    fn session(&mut self) -> Result<&mut Session> {
        let is_fresh = self.used.elapsed() < IDLE;
        let usable = self.session.take().filter(|session| !session.is_in_transaction);
        let usable = usable.and_then(|mut session| (is_fresh || session.ping()).then_some(session));
        let session = match usable {
            Some(session) => session,
            None => self.shared.connect()?,
        };
        self.used = Instant::now();
        Ok(self.session.insert(session))
    }
}

fn transact<T>(
    session: &mut Session,
    shared: &Shared,
    mode: Mode,
    queries: &impl Fn(&mut Session) -> Result<T>,
) -> Result<T> {
    match mode {
        Mode::Read | Mode::Statement => return queries(session),
        Mode::Snapshot => {
            session.command("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
            session.command("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
        }
        Mode::Transaction => session.command("START TRANSACTION")?,
    }
    session.messages.clear();
    session.has_written = false;
    session.is_in_transaction = true;
    let result = queries(session).and_then(|value| session.command("COMMIT").map(|()| value));
    match &result {
        Ok(_) => {
            session.is_in_transaction = false;
            if !session.messages.is_empty() {
                let messages = std::mem::take(&mut session.messages);
                shared.messages.lock().unwrap_or_else(PoisonError::into_inner).add(messages);
            }
        }
        // The transaction ends with the connection.
        Err(error) if error.breaks_connection() => {}
        Err(_) => session.is_in_transaction = session.command("ROLLBACK").is_err(),
    }
    result
}

/// Returns a random pause after an attempt, so that two transactions do not collide again.
fn pause(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(PAUSE_LIMIT);
    let random = RandomState::new().build_hasher().finish();
    longest.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pauses_differ_and_are_bounded() {
        let pauses: BTreeSet<Duration> = (0..50).map(|attempt| pause(attempt % 20)).collect();
        assert!(pauses.len() > 25 && pauses.iter().all(|pause| *pause <= PAUSE_LIMIT), "{pauses:?}");
    }
}
