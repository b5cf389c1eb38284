//! Errors of a database, independent of its driver.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use faf_lobby_core::escaped;

use crate::login::LOGIN_LIMIT;

/// The database did not carry out an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database is unavailable now; the same operation may succeed later. After a write, it is
    /// unknown whether the write took effect.
    #[error("the database cannot be used: {problem}")]
    Unavailable {
        /// The kind of problem.
        reason: Reason,
        /// Description of the problem, and what an operator can do about it.
        problem: String,
    },
    /// The operation contradicts the stored data, for this reason. Nothing of it was stored, and a
    /// retry does not help.
    #[error("this contradicts the stored data: {0}")]
    Contradiction(String),
    /// The database cannot be opened, or it does not belong to this server.
    #[error("{place}: {problem}")]
    Open {
        /// File or address of the database.
        place: String,
        /// Description of the problem, and what an operator can do about it.
        problem: String,
    },
    /// The database was closed, or the operation panicked.
    #[error("the database has been closed")]
    Closed,
}

impl StoreError {
    /// Returns a description of the problem, and what an operator can do about it.
    #[must_use]
    pub fn problem(&self) -> String {
        match self {
            Self::Unavailable { problem, .. } => problem.clone(),
            other => other.to_string(),
        }
    }

    /// Returns the kind of problem.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unavailable { reason, .. } => *reason,
            Self::Contradiction(_) => Reason::Contradiction,
            Self::Open { .. } => Reason::Io,
            Self::Closed => Reason::Closed,
        }
    }
}

/// Kind of a database problem, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The database's account may not do this.
    Access,
    /// Another process is writing, or too many operations are waiting.
    Busy,
    /// The database was closed.
    Closed,
    /// The database accepts no further connections.
    Connections,
    /// The operation contradicts the stored data.
    Contradiction,
    /// The stored data is damaged, or the file is not a database.
    Damaged,
    /// The operation and others waited for each other, even when it was repeated.
    Deadlock,
    /// The disk is full.
    Full,
    /// The disk or the connection to the database failed.
    Io,
    /// Any other problem.
    Other,
    /// The server does not own the database: another server may have taken it.
    Owner,
    /// The database is read-only.
    ReadOnly,
    /// The database did not reply in time.
    Timeout,
}

impl Reason {
    /// Returns the name of the reason in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Busy => "busy",
            Self::Closed => "closed",
            Self::Connections => "connections",
            Self::Contradiction => "contradiction",
            Self::Damaged => "damaged",
            Self::Deadlock => "deadlock",
            Self::Full => "full",
            Self::Io => "io",
            Self::Other => "other",
            Self::Owner => "owner",
            Self::ReadOnly => "read_only",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of failed operations so far, by reason.
#[derive(Debug, Default)]
pub struct Failures(Mutex<BTreeMap<Reason, u64>>);

impl Failures {
    /// Counts one failure.
    pub fn count(&self, reason: Reason) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// Returns the number of failures by reason.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Reason, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reason why an account cannot be created or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// There is no account with this name.
    #[error("there is no account `{}`", escaped(.0))]
    Unknown(String),
    /// An account with this name exists; names that differ only in case or accents are the same.
    #[error("account `{}` already exists", escaped(.0))]
    Exists(String),
    /// The name is not a valid account name.
    #[error(
        "`{}` cannot be a name: 1 to {LOGIN_LIMIT} characters, without white space and invisible characters",
        escaped(.0)
    )]
    Name(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reason why a seed was not planted; the database is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// The database already has accounts.
    #[error("the database has accounts already; a seed needs a new one")]
    NotEmpty,
    /// A record is invalid.
    #[error("{record}: {problem}")]
    Record {
        /// Kind and name of the record.
        record: String,
        /// Description of the problem.
        problem: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
