//! Effects: everything that the lobby wants done.

use faf_protocol::{PlayerId, ServerMessage, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::io::conn::ConnId;
use crate::io::log::LogLine;
use crate::io::metric::Count;
use crate::io::publication::Publication;
use crate::io::request::Request;
use crate::snapshots::id::SnapshotId;

/// Something to be carried out, in the order it is polled.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a message.
    Send {
        /// The receivers.
        to: Audience,
        /// The message.
        message: ServerMessage,
    },
    /// Send a part of the list of players or games to a client that logs in.
    SendSnapshot {
        /// The connection.
        conn: ConnId,
        /// The content, which may be sent again; `None` for a list made for this client alone.
        id: Option<SnapshotId>,
        /// The message.
        message: ServerMessage,
    },
    /// Pass on what one player's game says to another's. It must cost the receiver nothing but its
    /// bytes: when more comes than the receiver takes, the sender is read more slowly, and what is
    /// too much all the same is dropped.
    Relay {
        /// The sender's connection.
        from: ConnId,
        /// The receiver's; it may be the same.
        to: ConnId,
        /// The message, as the receiver gets it.
        message: ServerMessage,
    },
    /// Do not read the next message of a connection, for this reason. The lobby holds a connection
    /// for one reason at most once before it releases it.
    Hold {
        /// The connection.
        conn: ConnId,
        /// Why the connection is not read.
        reason: HoldReason,
    },
    /// End a reason not to read a connection.
    Release {
        /// The connection.
        conn: ConnId,
        /// The reason that no longer applies.
        reason: HoldReason,
    },
    /// The message of this connection that was read first is handled.
    Done {
        /// The connection.
        conn: ConnId,
    },
    /// From now on this connection belongs to [`Audience::LoggedIn`].
    LoggedIn {
        /// The connection.
        conn: ConnId,
    },
    /// End a connection after everything that was sent to it. No event of it follows, and nothing
    /// more is sent to it.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Carry out a request, and return [`Event::Replied`](crate::Event::Replied) exactly once.
    Request {
        /// The connection that waits for the reply, if one does. It may be gone when the reply
        /// comes.
        conn: Option<ConnId>,
        /// The request.
        request: Request,
    },
    /// Tell the policy service that somebody has logged in from a machine. Nobody waits for what it
    /// says.
    ReportLogin {
        /// The player.
        player: PlayerId,
        /// The machine, as the client calls it.
        unique_id: String,
        /// The session number of the connection.
        session: SessionNumber,
    },
    /// Tell other services of something that may be lost, because the next report contains it
    /// again. Publications that must not be lost go with the request `StoreGame`.
    Publish(Publication),
    /// Count something.
    Count(Count),
    /// Write something into the log.
    Log(LogLine),
    /// All is done: the server may end when all connections have.
    Stop,
}

/// A reason of the lobby not to read a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HoldReason {
    /// A message waits until the command before it has its reply.
    Busy,
    /// The client sends faster than it may; see `state/pacing.rs`.
    OverRate,
}

/// The receivers of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One connection.
    One(ConnId),
    /// Several connections.
    Several(Vec<ConnId>),
    /// Every connection that is logged in.
    LoggedIn,
    /// Every connection that is logged in, but these.
    LoggedInExcept(Vec<ConnId>),
}
