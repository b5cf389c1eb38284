//! One connection: reads its messages for the lobby, one after the other.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use faf_connection::{Disconnected, Error, Reader, Writer};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, CommandError, DecodeError, FieldError};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::lobby::Input;
use crate::metrics::Metrics;

/// How long a peer may take to read what is left and to end its side, after that the connection is cut.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection the lobby has been told of.
pub(crate) struct Session {
    pub(crate) conn: ConnId,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    /// The lobby is ready for the next message, or has begun to close the connection.
    pub(crate) signal: Arc<Notify>,
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) metrics: Arc<Metrics>,
    /// A place among the connections that are allowed; free again when the session has ended.
    pub(crate) _place: OwnedSemaphorePermit,
}

impl Session {
    /// Reads until the connection ends, and tells the lobby.
    ///
    /// Most sessions wait here most of the time, so what the future holds is kept small.
    pub(crate) async fn run(&mut self) {
        if let Some(error) = self.pass_on_messages().await {
            tracing::debug!(conn = self.conn.0, %error, "a connection has ended");
            if let Some(reason) = reason(&error) {
                self.metrics.count_ended(reason);
            }
        }
        // A lobby that has closed the connection does not mind, and one that has stopped does not need to know.
        if let Ok(room) = self.inbox.reserve().await {
            room.send(Input::Event(Event::Disconnected { conn: self.conn }));
        }
        Box::pin(self.end()).await;
    }

    /// Answers why the connection has ended, or nothing if it was ended on this side.
    async fn pass_on_messages(&mut self) -> Option<Error> {
        loop {
            let read = tokio::select! {
                read = self.reader.read() => read,
                // No message is being dealt with, so it can only be the end.
                () = self.signal.notified() => return None,
            };
            let message = match read {
                Ok(message) => ClientMessage::read(message),
                // Nothing more can be read, but it was JSON: the client is told like of any other wrong message.
                Err(Error::Malformed(error @ DecodeError::NotAnObject { .. })) => Err(CommandError {
                    command: None,
                    error: FieldError { field: None, reason: error.to_string() },
                }),
                Err(error) => return Some(error),
            };
            let room = self.inbox.reserve().await.ok()?;
            room.send(Input::Event(Event::Received { conn: self.conn, message }));
            self.signal.notified().await;
            if !self.writer.is_connected() {
                return None;
            }
        }
    }

    /// Sends what waits and the end behind it, and reads on until the peer has ended its side, too.
    async fn end(&mut self) {
        let goodbye = async {
            self.writer.close().await;
            while self.reader.read().await.is_ok() {}
        };
        if timeout(CLOSE_TIMEOUT, pin!(goodbye)).await.is_err() {
            self.writer.abort();
        }
    }
}

/// What an end is counted as; nothing for what is counted where it was decided.
fn reason(error: &Error) -> Option<&'static str> {
    match error {
        Error::Disconnected(Disconnected::ByPeer) => Some("closed by the client"),
        Error::Disconnected(Disconnected::Lost(_)) => Some("lost"),
        Error::Disconnected(Disconnected::Here) => None,
        Error::Incomplete(_) => Some("ended inside a message"),
        Error::Malformed(_) => Some("malformed message"),
        Error::OutboxFull(_) => Some("too slow"),
        Error::Encode(_) => None,
    }
}
