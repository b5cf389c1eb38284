//! One connection: reads its messages for the lobby, one after the other.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faf_connection::{Disconnected, Error, LargeMessages, Reader, Writer};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, CommandError, DecodeError, FieldError, Message};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};

use crate::lobby::Input;
use crate::metrics::Metrics;
use crate::newcomers::Newcomer;

/// How long a peer may take to read what is left and to end its side, after that the connection is cut.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that may wait for a peer while its next message is read. One that does not read the answers to its questions can
/// ask no more of them.
const UNREAD_LIMIT: usize = 64 * 1024;

/// A place among the connections that are allowed. The session holds it, the lobby, and every question that is open for
/// the connection, so that whoever comes and goes quickly cannot leave more work behind than connections are allowed.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Tells the session that it may read again, or that the connection is being closed.
    pub(crate) signal: Notify,
    /// Its place among those on which nobody has logged in; none when somebody has. Apart, as most seats have none.
    newcomer: Mutex<Option<Box<Newcomer>>>,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    pub(crate) fn new(place: OwnedSemaphorePermit, newcomer: Newcomer) -> Arc<Self> {
        let newcomer = Mutex::new(Some(Box::new(newcomer)));
        Arc::new(Self { signal: Notify::new(), newcomer, _place: place })
    }

    /// A first message has come.
    fn has_spoken(&self) {
        if let Some(newcomer) = &*self.newcomer() {
            newcomer.has_spoken();
        }
    }

    /// Somebody has logged in, and the connection may do from now on what only players may.
    pub(crate) fn log_in(&self) {
        if let Some(newcomer) = self.newcomer().take() {
            newcomer.signal.notify_one();
        }
    }

    /// Told when somebody logs in; none if somebody has.
    fn login(&self) -> Option<Arc<Notify>> {
        self.newcomer().as_ref().map(|newcomer| Arc::clone(&newcomer.signal))
    }

    /// Waits for the login that is being looked at; fails if the connection is closed instead.
    ///
    /// What a client has sent right behind its login is read meanwhile. If it is too large for a stranger, whether it is too
    /// large is known when the login is; no more is read until then. A login that is refused leaves the connection to the
    /// time limit for logging in.
    async fn wait_for_login(&self) -> bool {
        let Some(login) = self.login() else { return true };
        tokio::select! {
            () = login.notified() => true,
            () = self.signal.notified() => false,
        }
    }

    fn newcomer(&self) -> MutexGuard<'_, Option<Box<Newcomer>>> {
        self.newcomer.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
}

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
            if let Err(late) = self.reader.wait_for_room(UNREAD_LIMIT).await {
                return Some(late);
            }
            self.notice_login();
            let read = tokio::select! {
                read = self.reader.read() => read,
                // No message is being dealt with, so it can only be the end.
                () = self.seat.signal.notified() => return None,
            };
            if self.login == Login::Tried && is_too_large(&read) {
                match Box::pin(self.seat.wait_for_login()).await {
                    true => continue,
                    false => return None,
                }
            }
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
            if matches!(self.login, Login::Silent | Login::Missing) {
                self.note_first_words(&message);
            }
            let room = self.inbox.reserve().await.ok()?;
            room.send(Input::Received(self.conn, message, read_at));
            self.seat.signal.notified().await;
            if !self.writer.is_connected() {
                return None;
            }
            self.reader.give_back();
        }
    }

    /// From a login on, what holds for players.
    fn notice_login(&mut self) {
        if self.login != Login::Accepted && self.seat.login().is_none() {
            self.login = Login::Accepted;
            self.reader.set_message_limit(self.player_limits.message);
            self.reader.set_large_messages(Arc::clone(&self.player_limits.large_messages));
        }
    }

    /// Notes what a stranger has said.
    fn note_first_words(&mut self, message: &Result<ClientMessage, CommandError>) {
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

fn is_too_large(read: &Result<Message, Error>) -> bool {
    matches!(read, Err(Error::Malformed(DecodeError::TooLarge { .. })))
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
