//! State of the connection, for `/health` and the log.

use std::time::Instant;

/// State of the connection to NATS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is a connection.
    Connected {
        /// Host and port of the server.
        server: String,
        /// Time at which it was opened.
        since: Instant,
    },
    /// There is no connection; another one is being opened.
    Disconnected {
        /// Time at which the last one ended.
        since: Instant,
        /// Reason for the end, or for the failure of the last attempt since then.
        reason: String,
    },
}

impl State {
    /// Returns whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// Returns the problem, in words that complete the sentence "NATS ...".
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Connected { .. } => None,
            Self::Disconnected { reason, .. } => Some(format!("is away: {reason}")),
        }
    }
}
