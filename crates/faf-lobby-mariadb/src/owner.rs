//! Ownership of the database by one lobby server at a time.
//!
//! Two servers on one database would assign the same numbers to their games, and would each mistake
//! the other's live games for those of a crashed server. Therefore a server holds a lock of the
//! database (`GET_LOCK`) with a connection of its own, from before it reads its initial state until
//! everything is written. The lock ends with that connection, however the server ends.
//!
//! If the connection is lost, for example because the database restarts, a thread takes the lock
//! again as soon as it can. Until then no write about a game takes place: each of them asks the
//! database, in its own transaction, whether this server still has the lock. If another server was
//! faster, this one has lost the database for good, and must end.
//!
//! The cores of a cluster share the database: only the one that leads writes, and a write that two
//! of them make one after the other has the effect of one. Locks of the database cannot be shared,
//! so each core has one of several locks of its own, and no server has the database alone while one
//! of those is taken.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use faf_lobby_store::Reason;
use tokio::sync::{mpsc, watch};

use crate::connect::connect_only;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::session::Session;

/// Time between two checks of the lock.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two attempts to get the lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Time for which another owner is waited for without a word: it may be about to end.
const GRACE: Duration = Duration::from_secs(1);

/// Longest name of a lock.
const NAME_LIMIT: usize = 64;

/// Number of cores that can use a database at the same time.
const CORES: usize = 16;

/// Whether a server has the database for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// It has.
    Alone,
    /// It shares the database with up to 15 other cores of a cluster.
    WithCores,
}

/// Whether a server owns the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It does.
    Held,
    /// The connection with the lock was lost; the server takes the lock again as soon as it can.
    Uncertain,
    /// Another server has taken the database. This never changes again.
    Lost,
}

/// The right to serve a database, until this value is dropped.
#[derive(Debug)]
pub struct Owner {
    lock: Arc<Lock>,
    /// Dropped in order to end the thread.
    _end: Sender<()>,
}

/// Reason why a server does not get the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// Another server has it.
    #[error(
        "{database} is in use by another lobby server ({holder}); stop that server, name another database, or wait \
         for it with --wait-for-database"
    )]
    Taken {
        /// Address of the database.
        database: String,
        /// Connection of the other server.
        holder: String,
    },
    /// The database cannot be used.
    #[error("{database}: {problem}")]
    Unavailable {
        /// Address of the database.
        database: String,
        /// Description of the problem, and what an operator can do about it.
        problem: String,
    },
}

/// Progress of the thread until the lock is taken.
enum Report {
    Waiting(String),
    Taken,
    Failed(OwnerError),
}

impl Owner {
    /// Takes the database, or waits up to `limit` for its owner to release it. `waiting` is called
    /// once with a description of the owner if the wait exceeds a moment.
    ///
    /// # Errors
    /// [`OwnerError`] if the database is not released in time, or cannot be used.
    pub async fn take(
        options: &Options,
        share: Share,
        limit: Duration,
        waiting: impl FnOnce(&str),
    ) -> std::result::Result<Self, OwnerError> {
        let lock = Arc::new(Lock::new(&options.database, share));
        let (report, mut reports) = mpsc::unbounded_channel();
        let (end, ended) = channel();
        let (options_of_thread, lock_of_thread) = (options.clone(), Arc::clone(&lock));
        let spawned = thread::Builder::new().name("store-owner".to_owned()).spawn(move || {
            let (options, lock) = (options_of_thread, lock_of_thread);
            match lock.take(&options, limit, &report) {
                Ok(session) => {
                    let _ = report.send(Report::Taken);
                    drop(report);
                    lock.keep(&options, session, || {
                        ended.recv_timeout(CHECK_INTERVAL) == Err(RecvTimeoutError::Timeout)
                    });
                }
                Err(error) => drop(report.send(Report::Failed(error))),
            }
        });
        let unavailable =
            |problem: String| OwnerError::Unavailable { database: options.to_string(), problem };
        spawned.map_err(|error| unavailable(error.to_string()))?;
        let mut waiting = Some(waiting);
        loop {
            match reports.recv().await {
                Some(Report::Waiting(holder)) => {
                    if let Some(waiting) = waiting.take() {
                        waiting(&holder);
                    }
                }
                Some(Report::Taken) => return Ok(Self { lock, _end: end }),
                Some(Report::Failed(error)) => return Err(error),
                None => return Err(unavailable("the thread that takes it has ended".to_owned())),
            }
        }
    }

    /// Returns whether this server owns the database, now and with every change.
    #[must_use]
    pub fn ownership(&self) -> watch::Receiver<Ownership> {
        self.lock.state.subscribe()
    }

    pub(crate) fn lock(&self) -> Arc<Lock> {
        Arc::clone(&self.lock)
    }
}

/// Returns the connection of the server that owns a database; `None` if there is none, or if that
/// cannot be determined.
#[must_use]
pub fn owner(options: &Options) -> Option<String> {
    let mut session = connect_only(options).ok()?;
    let lock = Lock::new(&options.database, Share::Alone);
    lock.is_taken(&mut session).then(|| lock.holder(&mut session))
}

/// The lock with which a server owns a database.
pub(crate) struct Lock {
    /// Names of which this server needs one.
    names: Vec<String>,
    /// Names that nobody may have meanwhile.
    excluded: Vec<String>,
    /// Which of `names` it has, or had last.
    name: Mutex<String>,
    /// Another lock, which only this server can have: both belong to the same connection as long as
    /// it owns the database. A number of the connection would not do, because a database that
    /// restarts assigns the same numbers again.
    mark: String,
    state: watch::Sender<Ownership>,
    /// The server that has taken the database.
    taker: Mutex<String>,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name(), *self.state.borrow())
    }
}

impl Lock {
    fn new(database: &str, share: Share) -> Self {
        // Names of locks are shared by all databases of a server, and ignore case.
        let bounded = |name: String| name.chars().take(NAME_LIMIT).collect::<String>();
        let alone = vec![bounded(format!("faf_lobby.{database}"))];
        let cores = (1..=CORES).map(|core| bounded(format!("faf_lobby_core_{core}.{database}"))).collect();
        let (names, excluded): (Vec<String>, Vec<String>) = match share {
            Share::Alone => (alone, cores),
            Share::WithCores => (cores, alone),
        };
        let name = Mutex::new(names[0].clone());
        let random = || RandomState::new().build_hasher().finish();
        let mark = format!("faf_lobby:{:016x}{:016x}", random(), random());
        let state = watch::Sender::new(Ownership::Held);
        Self { names, excluded, name, mark, state, taker: Mutex::default() }
    }

    /// Fails unless this server owns the database, as far as it knows.
    pub(crate) fn check(&self) -> Result<()> {
        let problem = match *self.state.borrow() {
            Ownership::Held => return Ok(()),
            Ownership::Uncertain => {
                "the connection with which this server owns the database was lost, and it is not owned again yet".to_owned()
            }
            Ownership::Lost => self.lost(),
        };
        Err(Error::Unavailable(Reason::Owner, problem))
    }

    /// Fails unless the database confirms that this server owns it.
    pub(crate) fn confirm(&self, s: &mut Session) -> Result<()> {
        match self.is_held(s)? {
            true => Ok(()),
            false => {
                let problem = "the database does not confirm that this server owns it";
                Err(Error::Unavailable(Reason::Owner, problem.to_owned()))
            }
        }
    }

    fn lost(&self) -> String {
        let taker = self.taker.lock().unwrap_or_else(PoisonError::into_inner);
        format!(
            "another lobby server ({taker}) has taken the database, so this one writes nothing any more: stop one of \
             the two, and restart this one if it is to stay"
        )
    }

    /// Waits for the lock, and returns the connection that has it.
    fn take(
        &self,
        options: &Options,
        limit: Duration,
        report: &mpsc::UnboundedSender<Report>,
    ) -> std::result::Result<Session, OwnerError> {
        let unavailable = |error: Error| OwnerError::Unavailable {
            database: options.to_string(),
            problem: error.explain(),
        };
        let mut session = connect_only(options).map_err(unavailable)?;
        let began = Instant::now();
        let mut is_reported = false;
        while !self.get(&mut session).map_err(unavailable)? {
            if began.elapsed() >= limit.max(GRACE) {
                let holder = self.holder(&mut session);
                return Err(OwnerError::Taken { database: options.to_string(), holder });
            }
            if began.elapsed() >= GRACE && !is_reported {
                is_reported = true;
                // If nobody receives it, the server has given up.
                if report.send(Report::Waiting(self.holder(&mut session))).is_err() {
                    let problem = "the wait was cancelled".to_owned();
                    return Err(OwnerError::Unavailable { database: options.to_string(), problem });
                }
            }
            if report.is_closed() {
                let problem = "the wait was cancelled".to_owned();
                return Err(OwnerError::Unavailable { database: options.to_string(), problem });
            }
            thread::sleep(RETRY_INTERVAL);
        }
        Ok(session)
    }

    /// Checks the lock again and again, and takes it again if its connection was lost, until
    /// `goes_on` returns false after a pause.
    fn keep(&self, options: &Options, session: Session, goes_on: impl Fn() -> bool) {
        let mut session = Some(session);
        while goes_on() {
            let held = session.as_mut().is_some_and(|session| self.confirm(session).is_ok());
            if held {
                continue;
            }
            if self.state.send_replace(Ownership::Uncertain) != Ownership::Uncertain {
                tracing::warn!("the connection with which this server owns the database was lost");
            }
            session = None;
            let Ok(mut fresh) = connect_only(options) else { continue };
            match self.get(&mut fresh) {
                Ok(true) => {
                    session = Some(fresh);
                    self.state.send_replace(Ownership::Held);
                    tracing::info!("this server owns the database again");
                }
                Ok(false) if self.is_taken(&mut fresh) => {
                    *self.taker.lock().unwrap_or_else(PoisonError::into_inner) = self.holder(&mut fresh);
                    self.state.send_replace(Ownership::Lost);
                    tracing::error!(problem = self.lost(), "this server has lost its database");
                    return;
                }
                // The database has not noticed yet that the previous connection of this server is
                // gone, or the new one failed.
                _ => {}
            }
        }
    }

    fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tries to get the lock for this connection.
    fn get(&self, session: &mut Session) -> Result<bool> {
        for name in &self.names {
            let got: Option<bool> = session.one("SELECT GET_LOCK(?, 0)", (name,), |row| row.get(0))?;
            if got != Some(true) {
                continue;
            }
            // A server that looks for locks of the other kind after taking its own finds all.
            if used(session, &self.excluded)?.is_some() {
                let release = "SELECT RELEASE_LOCK(?)";
                let _: Option<bool> = session.one(release, (name,), |row| row.get(0))?;
                return Ok(false);
            }
            let marked: Option<bool> =
                session.one("SELECT GET_LOCK(?, 0)", (&self.mark,), |row| row.get(0))?;
            name.clone_into(&mut self.name.lock().unwrap_or_else(PoisonError::into_inner));
            return Ok(marked == Some(true));
        }
        Ok(false)
    }

    /// Returns whether a connection of this server has the lock.
    fn is_held(&self, session: &mut Session) -> Result<bool> {
        let query = "SELECT COALESCE(IS_USED_LOCK(?) = IS_USED_LOCK(?), FALSE)";
        session.one(query, (&self.name(), &self.mark), |row| row.get(0))
    }

    /// Returns whether other servers make it impossible to have the lock.
    fn is_taken(&self, session: &mut Session) -> bool {
        let is_excluded = used(session, &self.excluded).is_ok_and(|used| used.is_some());
        if is_excluded {
            return true;
        }
        let query = "SELECT IS_USED_LOCK(?) IS NOT NULL AND NOT IS_USED_LOCK(?) <=> IS_USED_LOCK(?)";
        self.names
            .iter()
            .all(|name| session.one(query, (name, name, &self.mark), |row| row.get(0)).unwrap_or(false))
    }

    /// Describes the connection that has the lock, or one of those that are in the way.
    fn holder(&self, session: &mut Session) -> String {
        let all: Vec<String> = self.names.iter().chain(&self.excluded).cloned().collect();
        let found = used(session, &all).ok().flatten().and_then(|name| {
            let query =
                "SELECT ID, USER, HOST FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK(?)";
            let found = session.first(query, (&name,), |row| {
                Ok(format!(
                    "connection {} of {}@{}",
                    row.get::<u64>(0)?,
                    row.get::<String>(1)?,
                    row.get::<String>(2)?
                ))
            });
            found.ok().flatten()
        });
        // Without the privilege PROCESS, connections of other accounts are not shown.
        found.unwrap_or_else(|| "a connection of another account".to_owned())
    }
}

/// Returns the first of these locks that any connection has.
fn used(session: &mut Session, names: &[String]) -> Result<Option<String>> {
    for name in names {
        if session.one("SELECT IS_USED_LOCK(?) IS NOT NULL", (name,), |row| row.get(0))? {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}
