//! Process exit codes.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::store::{AccountError, OwnerError, StoreError};

/// Everything went well.
pub const SUCCESS: u8 = 0;
/// A failure without a code of its own.
pub const FAILURE: u8 = 1;
/// The command line cannot be understood.
pub const USAGE: u8 = 2;
/// The configuration is wrong.
pub const CONFIGURATION: u8 = 3;
/// The database cannot be used.
pub const DATABASE: u8 = 4;
/// The server cannot listen on an address.
pub const LISTEN: u8 = 5;
/// A replay has other effects than those recorded, or a judged recording has other messages.
pub const DIFFERENT: u8 = 6;
/// Another server uses the database.
pub const DATABASE_IN_USE: u8 = 7;

/// The stream or the snapshots of a cluster cannot be used.
pub const CLUSTER: u8 = 8;
/// The state of a core differs from that of the leader of its cluster.
pub const DIVERGED: u8 = 9;

/// The codes, as `--help` shows them.
pub const HELP: &str = "Exit codes: 0 success, 1 other failures, 2 wrong usage, 3 wrong configuration, \
                        4 unusable database, 5 cannot listen on an address, 6 a replay or a \
                        judged lobby differs from the recording, 7 another server uses the database, 8 the stream \
                        of a cluster cannot be used, 9 a core differs from the leader of its cluster.";

/// A failure with the exit code of the process.
#[derive(Debug)]
pub struct Failure {
    /// Exit code, one of the constants of this module.
    pub code: u8,
    /// The cause, and advice for the operator.
    pub error: anyhow::Error,
}

impl Failure {
    /// Creates a failure with this exit code.
    pub fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(FAILURE, error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(FAILURE, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(DATABASE, error)
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            other => Self::new(FAILURE, other),
        }
    }
}

impl From<OwnerError> for Failure {
    fn from(error: OwnerError) -> Self {
        let code = match error {
            OwnerError::Taken { .. } => DATABASE_IN_USE,
            OwnerError::Lock { .. } | OwnerError::Unavailable { .. } => DATABASE,
        };
        Self::new(code, error)
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.code)
    }
}
