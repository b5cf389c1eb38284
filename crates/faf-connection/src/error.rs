use std::io;

use faf_protocol::{DecodeError, EncodeError};

use crate::large_messages::Late;

/// The reason an operation on a connection failed.
///
/// It distinguishes a lost connection, a stream that ends inside a message, and a
/// malformed message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection has ended.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
    /// The stream ended inside a message.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The peer sent bytes that are not a message; nothing more can be read.
    #[error(transparent)]
    Malformed(DecodeError),
    /// The message to be sent cannot be encoded; nothing was sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The peer does not keep up; the message was not queued.
    #[error(transparent)]
    OutboxFull(#[from] OutboxFull),
    /// A large message came too slowly.
    #[error(transparent)]
    Late(#[from] Late),
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Incomplete { got, expected } => Self::Incomplete(Incomplete { got, expected }),
            other => Self::Malformed(other),
        }
    }
}

/// The connection has ended: the peer ended it between two messages, the network failed, or this
/// side closed or aborted it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The peer ended the connection cleanly.
    #[error("the peer has closed the connection")]
    ByPeer,
    /// This side closed or aborted the connection.
    #[error("the connection has been closed")]
    Here,
    /// The operating system reported a failure.
    #[error("the connection is lost: {0}")]
    Lost(#[from] io::Error),
}

/// The stream ended inside a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the connection ended inside a message, after {got} bytes")]
pub struct Incomplete {
    /// Bytes of the unfinished message that have arrived.
    pub got: usize,
    /// Bytes that were announced, where the format announces them.
    pub expected: Option<usize>,
}

/// The outbox is full: the message was not queued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} bytes wait for the peer already, where {limit} may wait")]
pub struct OutboxFull {
    /// Bytes that wait already.
    pub waiting: usize,
    /// Most bytes that may wait.
    pub limit: usize,
}
