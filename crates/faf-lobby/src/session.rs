//! One connection: reads its messages for the lobby, one after the other.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use faf_connection::{Disconnected, Error, Reader, Writer};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, CommandError, DecodeError, FieldError};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};

use crate::lobby::Input;
use crate::metrics::Metrics;

/// How long a peer may take to read what is left and to end its side, after that the connection is cut.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A place among the connections that are allowed. The session holds it, the lobby, and every question that is open for
/// the connection, so that whoever comes and goes quickly cannot leave more work behind than connections are allowed.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Tells the session that it may read again, or that the connection is being closed.
    pub(crate) signal: Notify,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    pub(crate) fn new(place: OwnedSemaphorePermit) -> Arc<Self> {
        Arc::new(Self { signal: Notify::new(), _place: place })
    }
}

/// Ends a connection that has come too late to be let in.
pub(crate) fn turn_away(writer: &Writer, seat: &Seat) {
    writer.start_close();
    seat.signal.notify_one();
}

/// A connection the lobby has been told of.
pub(crate) struct Session {
    pub(crate) conn: ConnId,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) seat: Arc<Seat>,
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) metrics: Arc<Metrics>,
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
                () = self.seat.signal.notified() => return None,
            };
            let read_at = Instant::now();
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
            room.send(Input::Received(self.conn, message, read_at));
            self.seat.signal.notified().await;
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
