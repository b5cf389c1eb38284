//! One connection: reads its messages for the lobby, one after the other.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use faf_connection::{Disconnected, Error, LargeMessages, Reader, Writer};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, CommandError, DecodeError, FieldError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout};

use crate::lobby::Input;
use crate::metrics::Metrics;
use crate::seat::{Seat, Word};

/// How long a peer may take to read what is left and to end its side, after that the connection is cut.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Ends a connection that has come too late to be let in.
pub(crate) fn turn_away(writer: &Writer, seat: &Seat) {
    writer.start_close();
    seat.tell(Word::Ready);
}

/// A connection the lobby has been told of.
pub(crate) struct Session {
    pub(crate) conn: ConnId,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) seat: Arc<Seat>,
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) metrics: Arc<Metrics>,
    /// What holds when somebody has logged in.
    pub(crate) player_limits: Arc<PlayerLimits>,
    /// As far as the session has noticed.
    pub(crate) login: Login,
    /// The last message is dealt with, and the client has not taken the answer.
    pub(crate) is_dealt_with: bool,
}

/// A message, if it is one.
type Received = Result<ClientMessage, CommandError>;

/// How much a player may send; strangers have less of each.
#[derive(Debug)]
pub(crate) struct PlayerLimits {
    /// Largest message, in bytes.
    pub(crate) message: usize,
    /// Memory for large messages, which all players share.
    pub(crate) large_messages: Arc<LargeMessages>,
}

/// How far a client has come that wants to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// It has not said anything.
    Silent,
    /// It has said something else.
    Missing,
    Tried,
    Accepted,
}

impl Session {
    /// Reads until the connection ends, and tells the lobby.
    ///
    /// Most sessions wait here most of the time, so what the future holds is kept small: what is waited for is polled, and
    /// what is rare has memory of its own.
    pub(crate) async fn run(&mut self) {
        if let Some(error) = self.pass_on_messages().await {
            tracing::debug!(conn = self.conn.0, %error, "a connection has ended");
            if let Some(reason) = reason(&error) {
                self.metrics.count_ended(reason);
            }
        }
        // A lobby that has closed the connection does not mind, and one that has stopped does not need to know.
        let gone = Input::Event(Event::Disconnected { conn: self.conn });
        let _ = Box::pin(self.inbox.send(gone)).await;
        Box::pin(self.end()).await;
    }

    /// Answers why the connection has ended, or nothing if it was ended on this side.
    async fn pass_on_messages(&mut self) -> Option<Error> {
        loop {
            let passed_on = match poll_fn(|cx| self.poll_message(cx)).await? {
                Ok(message) => self.pass_on(message),
                Err(error) => return Some(error),
            };
            match passed_on {
                Ok(()) => {}
                Err(TrySendError::Full(input)) => Box::pin(self.inbox.send(*input)).await.ok()?,
                Err(TrySendError::Closed(_)) => return None,
            }
            if let Err(error) = poll_fn(|cx| self.poll_ready(cx)).await {
                return Some(error);
            }
            if !self.writer.is_connected() {
                return None;
            }
        }
    }

    /// The next message, as far as it can be understood; nothing if the connection is closed on this side.
    ///
    /// Players may send larger ones than strangers. What a client has sent right behind its login is read while the login is
    /// being looked at. If it is too large for a stranger, whether it is too large is known when the login is; no more is read
    /// until then. A login that is refused leaves the connection to the time limit for logging in.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Received, Error>>> {
        // No message is being dealt with, so it can only be the end.
        if self.seat.poll_word(cx).is_ready() {
            return Poll::Ready(None);
        }
        loop {
            if self.login != Login::Accepted && self.seat.is_logged_in() {
                self.login = Login::Accepted;
                self.reader.set_message_limit(self.player_limits.message);
                self.reader.set_large_messages(Arc::clone(&self.player_limits.large_messages));
            }
            return Poll::Ready(Some(match ready!(self.reader.poll_read(cx)) {
                Ok(message) => Ok(ClientMessage::read(message)),
                Err(Error::Malformed(DecodeError::TooLarge { .. })) if self.login == Login::Tried => {
                    ready!(self.seat.poll_login(cx));
                    continue;
                }
                // Nothing more can be read, but it was JSON: the client is told like of any other wrong message.
                Err(Error::Malformed(error @ DecodeError::NotAnObject { .. })) => Ok(Err(CommandError {
                    command: None,
                    error: FieldError { field: None, reason: error.to_string() },
                })),
                Err(error) => Err(error),
            }));
        }
    }

    fn pass_on(&mut self, message: Received) -> Result<(), TrySendError<Box<Input>>> {
        if matches!(self.login, Login::Silent | Login::Missing) {
            self.note_first_words(&message);
        }
        let input = Input::Received(self.conn, message, Instant::now());
        self.inbox.try_send(input).map_err(|error| match error {
            TrySendError::Full(input) => TrySendError::Full(Box::new(input)),
            TrySendError::Closed(input) => TrySendError::Closed(Box::new(input)),
        })
    }

    /// Waits until the next message may be read, or the connection is closed.
    ///
    /// Memory for a large message is given back when that is dealt with. What has come with it may need it still; whoever does
    /// not take its answers then has as long as for sending it.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match self.seat.poll_word(cx) {
                Poll::Ready(Word::Ready) => {
                    self.reader.give_back();
                    self.is_dealt_with = false;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Word::DealtWith) => {
                    self.reader.give_back();
                    self.is_dealt_with = true;
                }
                Poll::Pending if self.is_dealt_with => {
                    return self.reader.poll_late(cx).map(|late| Err(late.into()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Notes what a stranger has said.
    fn note_first_words(&mut self, message: &Received) {
        if self.login == Login::Silent {
            self.seat.has_spoken();
        }
        self.login = match message {
            Ok(ClientMessage::Hello(_) | ClientMessage::Auth(_)) => Login::Tried,
            _ => Login::Missing,
        };
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
        Error::Late(_) => Some("large message too slow"),
        Error::Encode(_) => None,
    }
}
