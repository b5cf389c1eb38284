//! Effects: everything that the lobby asks the shell to do.

use faf_protocol::{PlayerId, ServerMessage, SessionNumber};

use serde::{Deserialize, Serialize};

use crate::io::{ConnId, Count, LogLine, Publication, QueueEvent, Request};
use crate::snapshots::SnapshotId;

/// An effect. The shell performs effects in the order in which it polls them.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a message.
    Send {
        /// The receivers.
        to: Audience,
        /// The message.
        message: ServerMessage,
    },
    /// Send a part of the snapshot of players or games to a client that logs in.
    SendSnapshot {
        /// The connection.
        conn: ConnId,
        /// Id of the content, which may be sent again; `None` for a list made for this
        /// client alone.
        id: Option<SnapshotId>,
        /// The message.
        message: ServerMessage,
    },
    /// Pass a message of one player's game on to another's. It must cost the receiver nothing but
    /// its bytes: if the receiver is too slow, the sender is read more slowly, and the excess
    /// is dropped.
    Relay {
        /// The sender's connection.
        from: ConnId,
        /// The receiver's connection; it may be the same.
        to: ConnId,
        /// The message, as the receiver gets it.
        message: ServerMessage,
    },
    /// Do not read the next message of a connection, for this reason. The lobby releases a reason
    /// before it holds the connection for it again.
    Hold {
        /// The connection.
        conn: ConnId,
        /// The reason.
        reason: HoldReason,
    },
    /// This is no longer a reason not to read a connection.
    Release {
        /// The connection.
        conn: ConnId,
        /// The reason that no longer applies.
        reason: HoldReason,
    },
    /// The oldest unfinished message of this connection is handled.
    Done {
        /// The connection.
        conn: ConnId,
    },
    /// This connection belongs to [`Audience::LoggedIn`] from now on.
    LoggedIn {
        /// The connection.
        conn: ConnId,
    },
    /// End a connection after everything that was sent to it. The lobby expects no more events of
    /// it and sends nothing more to it.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Carry out a request, and return [`Event::Replied`](crate::Event::Replied) exactly once.
    Request {
        /// The connection that waits for the reply, if one does. It may have ended when the
        /// reply comes.
        conn: Option<ConnId>,
        /// The request.
        request: Request,
    },
    /// Report a login from a machine to the policy service. The lobby does not wait for the result.
    ReportLogin {
        /// The player.
        player: PlayerId,
        /// Description of the machine, as the client sent it.
        unique_id: String,
        /// The session number of the connection.
        session: SessionNumber,
    },
    /// Publish to other services something that may be lost, because the next report contains it
    /// again. Publications that must not be lost go with the request `StoreGame`.
    Publish(Publication),
    /// Take note of what has happened in a queue or in a match.
    Queue(QueueEvent),
    /// Count an event in the metrics.
    Count(Count),
    /// Write a line into the log.
    Log(LogLine),
    /// The lobby is finished: the server may end when all connections have.
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
    /// Every connection that is logged in, except these.
    LoggedInExcept(Vec<ConnId>),
}
