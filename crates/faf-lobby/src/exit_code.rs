//! With what the process ends.

use std::fmt;
use std::process::ExitCode;

/// Everything went well.
pub const SUCCESS: u8 = 0;
/// Something failed that has no number of its own.
pub const FAILURE: u8 = 1;
/// The command line cannot be understood.
pub const USAGE: u8 = 2;
/// The configuration is wrong.
pub const CONFIGURATION: u8 = 3;
/// The database cannot be used.
pub const DATABASE: u8 = 4;
/// An address cannot be listened on.
pub const LISTEN: u8 = 5;
/// A recording gives other effects than recorded.
pub const DIFFERENT: u8 = 6;

/// Another server has the database.
pub const DATABASE_IN_USE: u8 = 7;

/// The numbers as they stand in `--help`.
pub const HELP: &str = "Exit codes: 0 success, 1 other failures, 2 wrong usage, 3 wrong configuration, \
                        4 unusable database, 5 address cannot be listened on, 6 a replay differs from what was \
                        recorded, 7 another server has the database.";

/// A failure with the number the process ends with.
#[derive(Debug)]
pub struct Failure {
    /// The number.
    pub code: u8,
    /// What went wrong, and what to do about it.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure with this number.
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

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.code)
    }
}
