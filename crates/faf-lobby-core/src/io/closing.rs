//! The reasons that clients are given in a close frame.

use serde::{Deserialize, Serialize};

use crate::io::{ConnId, LogLine};

/// Reason in the close frame of WebSocket clients when the server shuts down.
pub const SHUTTING_DOWN: &str = "the server is shutting down";

/// Why the lobby closes a connection, for the close frame of a WebSocket client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Whether the server ends, rather than that the client did something.
    pub is_shutdown: bool,
    /// Text for the client.
    pub reason: String,
}

impl Closing {
    /// Returns the reason of a server that shuts down.
    #[must_use]
    pub fn shutdown() -> Self {
        Self { is_shutdown: true, reason: SHUTTING_DOWN.to_owned() }
    }
}

/// Finds the reason of each [`Effect::Close`](crate::Effect::Close) in the log line before it: the
/// lobby logs the reason before it closes a connection.
#[derive(Debug, Default)]
pub struct ClosingReasons {
    logged: Option<(ConnId, Closing)>,
}

impl ClosingReasons {
    /// Takes note of a log line.
    pub fn note(&mut self, line: &LogLine) {
        match line {
            LogLine::Refused { conn, reason } => {
                let closing = Closing { is_shutdown: false, reason: reason.clone() };
                self.logged = Some((*conn, closing));
            }
            LogLine::SentAway { conn } => self.logged = Some((*conn, Closing::shutdown())),
            _ => {}
        }
    }

    /// Returns the reason for which a connection is closed now, by a lobby that
    /// [has stopped](crate::World::has_stopped) or has not.
    pub fn of(&mut self, conn: ConnId, has_stopped: bool) -> Closing {
        match self.logged.take_if(|(other, _)| *other == conn) {
            Some((_, closing)) => closing,
            None if has_stopped => Closing::shutdown(),
            None => Closing { is_shutdown: false, reason: "disconnected by the lobby".to_owned() },
        }
    }
}
