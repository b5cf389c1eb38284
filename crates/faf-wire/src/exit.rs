//! Process exit codes.

use std::fmt;
use std::io::{self, Write};

use faf_protocol::DecodeError;

/// The exit codes as `--help` lists them.
pub(crate) const HELP: &str = "Exit codes: 0 clean end between messages, 1 other failures, 2 wrong usage, 3 stream \
                               ended inside a message, 4 malformed message, 5 message too large or too deep, 6 the \
                               login was refused, 7 a line was not sent, 8 no server of this format there.";

pub(crate) const FAILURE: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const INCOMPLETE: u8 = 3;
pub(crate) const MALFORMED: u8 = 4;
pub(crate) const LIMIT: u8 = 5;
pub(crate) const REFUSED: u8 = 6;
pub(crate) const UNSENT: u8 = 7;
pub(crate) const WRONG_PLACE: u8 = 8;
pub(crate) const UNEXPLAINED: u8 = 9;

/// A failure with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// The reader of the output has closed it, which is not a failure.
    pub(crate) is_closed_pipe: bool,
    error: anyhow::Error,
}

impl Failure {
    /// Creates a failure with one of the codes above.
    pub(crate) fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { code, is_closed_pipe: false, error: error.into() }
    }

    /// Creates a failure to decode a stream of which `consumed` bytes had become messages.
    pub(crate) fn decoding(error: &DecodeError, consumed: u64) -> Self {
        let (code, inside) = match *error {
            DecodeError::Incomplete { got, .. } => (INCOMPLETE, got),
            DecodeError::Malformed { offset, .. } => (MALFORMED, offset),
            DecodeError::NotAnObject { .. } => (MALFORMED, 0),
            DecodeError::TooLarge { .. } => (LIMIT, 0),
            DecodeError::TooDeep { offset, .. } => (LIMIT, offset),
            _ => (FAILURE, 0),
        };
        let offset = consumed + inside as u64;
        Self::new(code, anyhow::anyhow!("offset {offset}: {error}"))
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

/// For standard input and output. Network errors are [`anyhow::Error`]s with their context.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let is_closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Self { is_closed_pipe, ..Self::new(FAILURE, error) }
    }
}

/// Prints a line on standard error.
pub(crate) fn complain(text: impl fmt::Display) {
    let mut line = String::new();
    for character in text.to_string().chars() {
        match character {
            // An error can quote a peer, which must not begin a line or control the terminal.
            ' '..='~' => line.push(character),
            other => line.extend(other.escape_default()),
        }
    }
    // If standard error is closed, the line cannot be reported.
    let _ = writeln!(io::stderr(), "faf-wire: {line}");
}
