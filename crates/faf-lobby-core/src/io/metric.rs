//! Metrics that the lobby counts for the operator.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::state::{ClientProgram, CommandClass, Limit};

/// An event that is counted for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// A connection was made.
    Connection,
    /// A connection now counts as one of another client program.
    ClientProgram {
        /// The program it counted as; `None` for a new connection.
        before: Option<Arc<ClientProgram>>,
        /// The program it counts as; `None` for a connection that has ended.
        after: Option<Arc<ClientProgram>>,
    },
    /// A client has sent its version for the first time.
    Version(String),
    /// A login was accepted.
    LoginAccepted(LoginMethod),
    /// A login was not accepted: wrong password or token.
    LoginFailed(LoginMethod),
    /// A command was refused because the connection is not logged in. Commands that the lobby does
    /// not know count as `other`.
    NotLoggedIn(&'static str),
    /// A login was refused without a check because too many others were being checked.
    Busy,
    /// A login must wait until others are finished.
    LoginWaits,
    /// A connection is read more slowly because of a message of this class.
    Paced(CommandClass),
    /// A player met a limit: an action was refused, or a game is not rated.
    Limited(Limit),
    /// A message was sent to every client that is logged in.
    Broadcast,
    /// A message from one player's game to another's was too long to be passed on.
    RelayTooLong,
    /// A write about a game failed, and will be tried again.
    GameNotStored,
    /// A game was submitted for rating on this leaderboard.
    RatedGame(String),
}

/// The kind of credentials of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LoginMethod {
    Password,
    Token,
}
