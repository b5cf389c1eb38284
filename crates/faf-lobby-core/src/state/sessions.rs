//! [`Session`]: the lobby's side of one connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::{ClientMessage, CommandError, Country, PlayerId, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::state::{ClientProgram, CommandClass, Pacing};

/// State of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) number: SessionNumber,
    pub(crate) address: Option<IpAddr>,
    pub(crate) country: Country,
    pub(crate) program: Arc<ClientProgram>,
    /// Whether the version of the client was counted, which happens once.
    pub(crate) version_counted: bool,
    /// The player who has logged in.
    pub(crate) player: Option<PlayerId>,
    /// Time at which the connection is closed if no player has logged in.
    pub(crate) login_deadline: Duration,
    pub(crate) failed_logins: u32,
    /// Whether the client asked for the connectivity test, which shows that it is too old
    /// for games.
    pub(crate) is_outdated: bool,
    pub(crate) last_heard: Duration,
    /// Whether a command waits for the reply to its request; the next message waits for
    /// the command.
    pub(crate) is_busy: bool,
    /// The next message, if it was read while a command waits for a reply. Nothing more is read
    /// until it is handled.
    pub(crate) waiting: Option<Box<WaitingMessage>>,
    /// The reasons why the connection is not read now; empty while it is read.
    pub(crate) holds: Holds,
    /// The spending that paces the connection; `pacing.rs` says whose it is.
    pub(crate) pacing: Pacing,
    /// Whether the connection was too fast once, and the player was notified.
    pub(crate) was_paced: bool,
    /// Time of the last notice that a message to another player's game was too long.
    #[serde(default)]
    pub(crate) relay_refusal_told: Option<Duration>,
}

/// A message that waits to be handled, with what it costs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WaitingMessage {
    pub(crate) message: Result<ClientMessage, CommandError>,
    pub(crate) class: CommandClass,
    pub(crate) bytes: usize,
}

/// The reasons not to read a connection, as last sent to the shell.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Holds {
    pub(crate) busy: bool,
    pub(crate) over_rate: bool,
}

impl Holds {
    pub(crate) fn is_empty(self) -> bool {
        !self.busy && !self.over_rate
    }
}

impl Session {
    pub(crate) fn new(
        number: SessionNumber,
        address: Option<IpAddr>,
        country: Country,
        program: Arc<ClientProgram>,
        unpaid: Option<Pacing>,
        now: Duration,
        login_timeout: Duration,
    ) -> Self {
        Self {
            number,
            address,
            country,
            program,
            version_counted: false,
            player: None,
            login_deadline: now + login_timeout,
            failed_logins: 0,
            is_outdated: false,
            last_heard: now,
            is_busy: false,
            waiting: None,
            holds: Holds::default(),
            pacing: unpaid.unwrap_or_default(),
            // Another client at the address may have spent it, so this client is not blamed.
            was_paced: unpaid.is_some(),
            relay_refusal_told: None,
        }
    }
}
