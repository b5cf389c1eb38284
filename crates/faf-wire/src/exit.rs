//! With what the process ends.

use std::fmt;
use std::io;

use faf_protocol::DecodeError;

/// The numbers as they stand in `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 clean end between messages, 1 other failures, 2 wrong usage, 3 stream \
                               ended inside a message, 4 malformed message, 5 message too large or too deep.";

const FAILURE: u8 = 1;
const INCOMPLETE: u8 = 3;
const MALFORMED: u8 = 4;
const LIMIT: u8 = 5;

/// A failure with the number the process ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// A failure to decode a stream of which `consumed` bytes had become messages.
    pub(crate) fn decoding(error: &DecodeError, consumed: u64) -> Self {
        let (code, inside) = match *error {
            DecodeError::Incomplete { got, .. } => (INCOMPLETE, got),
            DecodeError::Malformed { offset, .. } => (MALFORMED, offset),
            DecodeError::NotAnObject { .. } => (MALFORMED, 0),
            DecodeError::TooLarge { .. } => (LIMIT, 0),
            DecodeError::TooDeep { offset, .. } => (LIMIT, offset),
        };
        let offset = consumed + inside as u64;
        Self { code, error: anyhow::anyhow!("offset {offset}: {error}") }
    }

    /// Whether nobody reads the output any more, which is no failure.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: FAILURE, error }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { code: FAILURE, error: error.into() }
    }
}
