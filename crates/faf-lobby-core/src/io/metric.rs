//! Metrics that the lobby counts for the operator.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::state::client_programs::ClientProgram;
use crate::state::limits::Limit;
use crate::state::pacing::CommandClass;

/// Something that is counted for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// A connection was made.
    Connection,
    /// A connection now counts as one of another client program.
    ClientProgram {
        /// The program it counted as; none for a new connection.
        before: Option<Arc<ClientProgram>>,
        /// The program it counts as; none for a connection that has ended.
        after: Option<Arc<ClientProgram>>,
    },
    /// A client has told its version for the first time.
    Version(String),
    /// A login was accepted.
    LoginAccepted(LoginMethod),
    /// A login was not accepted: wrong password or token.
    LoginFailed(LoginMethod),
    /// A command was refused because the connection is not logged in. Commands the lobby does not
    /// know count as `other`.
    NotLoggedIn(&'static str),
    /// A login was not looked at because too many others were being.
    Busy,
    /// A login has to wait until others are done.
    LoginWaits,
    /// A connection is read more slowly because of this message.
    Paced(CommandClass),
    /// A player met a limit: an action was refused, or a game is not rated.
    Limited(Limit),
    /// A message was sent to everybody.
    Broadcast,
    /// A message from one player's game to another's was too long to be passed on.
    RelayTooLong,
    /// Something about a game could not be stored, and will be tried again.
    GameNotStored,
    /// A game was handed to the rating of this leaderboard.
    RatedGame(String),
}

/// How somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LoginMethod {
    Password,
    Token,
}
