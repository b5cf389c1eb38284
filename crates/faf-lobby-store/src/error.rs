//! What can go wrong with a database, without a word of its driver.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use faf_lobby_core::escaped;

use crate::login::LOGIN_LIMIT;

/// An operation was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be used now; the same operation may succeed later. After a write, it is
    /// unknown whether the write was carried out.
    #[error("the database cannot be used: {problem}")]
    Unavailable {
        /// The kind of problem.
        reason: Reason,
        /// What is wrong, and what an operator can do about it.
        problem: String,
    },
    /// The operation contradicts what is stored, for this reason. Nothing of it was stored, and
    /// trying again does not help.
    #[error("this contradicts what is stored: {0}")]
    Contradiction(String),
    /// The database cannot be opened, or is none of this server.
    #[error("{place}: {problem}")]
    Open {
        /// Its file or address.
        place: String,
        /// What is wrong, and what an operator can do about it.
        problem: String,
    },
    /// The database was closed, or the operation has crashed.
    #[error("the database has been closed")]
    Closed,
}

impl StoreError {
    /// What is wrong, and what an operator can do about it.
    #[must_use]
    pub fn problem(&self) -> String {
        match self {
            Self::Unavailable { problem, .. } => problem.clone(),
            other => other.to_string(),
        }
    }

    /// The kind of problem.
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

/// The kind of a problem with a database, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Somebody else is writing.
    Busy,
    /// The database was closed.
    Closed,
    /// The operation contradicts what is stored.
    Contradiction,
    /// What is stored is damaged, or is no database.
    Damaged,
    /// There is no room.
    Full,
    /// The disk or the connection to the database fails.
    Io,
    /// Something else.
    Other,
    /// The database may only be read.
    ReadOnly,
}

impl Reason {
    /// The name that metrics have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Closed => "closed",
            Self::Contradiction => "contradiction",
            Self::Damaged => "damaged",
            Self::Full => "full",
            Self::Io => "io",
            Self::Other => "other",
            Self::ReadOnly => "read_only",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Operations that have failed so far, by reason.
#[derive(Debug, Default)]
pub struct Failures(Mutex<BTreeMap<Reason, u64>>);

impl Failures {
    /// Counts one.
    pub fn count(&self, reason: Reason) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// How many there were.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Reason, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why an account cannot be made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// There is no account of this name.
    #[error("there is no account `{}`", escaped(.0))]
    Unknown(String),
    /// There is one already; names that differ only in case or accents are the same.
    #[error("there is an account `{}` already", escaped(.0))]
    Exists(String),
    /// The name cannot be one.
    #[error(
        "`{}` cannot be a name: 1 to {LOGIN_LIMIT} characters, without white space and characters nobody can see",
        escaped(.0)
    )]
    Name(String),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a seed was not planted; the database is as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// There are accounts in the database already.
    #[error("the database has accounts already; a seed needs a new one")]
    NotEmpty,
    /// A record does not fit.
    #[error("{record}: {problem}")]
    Record {
        /// The kind and name of the record.
        record: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
