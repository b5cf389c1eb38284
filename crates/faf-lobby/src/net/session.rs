//! One connection: reads its messages for the lobby, one after the other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use faf_connection::running_time::timeout;
use faf_connection::{Disconnected, Error, LargeMessages, Reader, Writer};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::websocket::CloseCode;
use faf_protocol::{ClientMessage, CommandError, DecodeError, FieldError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::time::Instant;

use crate::lobby::event_loop::Input;
use crate::net::slot::{ConnectionSlot, Word};
use crate::ops::metrics::Metrics;

/// How long a peer may take to read what is left and to end its side, after that the connection is cut.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the close frame of a WebSocket client says when the server ends.
pub(crate) const SHUTTING_DOWN: &str = "the server is shutting down";

/// Ends a connection that has come too late to be let in.
pub(crate) fn close_late(writer: &Writer, slot: &ConnectionSlot) {
    writer.set_ending(CloseCode::GoingAway, SHUTTING_DOWN);
    writer.start_close();
    slot.tell(Word::Ready);
}

/// A connection the lobby has been told of.
pub(crate) struct Session {
    conn: ConnId,
    reader: Reader,
    slot: Arc<ConnectionSlot>,
    context: Arc<SessionContext>,
    /// As far as the session has noticed.
    login: Login,
    /// The last message is dealt with, and the next one may not be read yet.
    is_dealt_with: bool,
    /// What the lobby was told last of a message that is not complete, if anything. Apart, as hardly anybody has one.
    reported: Option<Box<ReportedActivity>>,
}

/// A sign of life that the lobby was told of.
struct ReportedActivity {
    /// How many bytes had come.
    arrived: u64,
    at: Instant,
}

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct SessionContext {
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) metrics: Arc<Metrics>,
    /// What holds when somebody has logged in.
    pub(crate) player_limits: PlayerLimits,
    /// How often the lobby is told, at most, that somebody sends a message that is not complete; never without idle_timeout.
    pub(crate) activity_interval: Option<Duration>,
}

/// What a session does.
enum Phase {
    Reading,
    /// The lobby has much to do, and takes the message later.
    Submitting(Pin<Box<dyn Future<Output = Result<(), SendError<Input>>> + Send>>),
    /// The message is being dealt with.
    Waiting,
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
enum Login {
    /// It has not tried.
    Missing,
    Tried,
    Accepted,
}

impl Session {
    pub(crate) fn new(
        conn: ConnId,
        reader: Reader,
        slot: Arc<ConnectionSlot>,
        context: Arc<SessionContext>,
    ) -> Self {
        Self { conn, reader, slot, context, login: Login::Missing, is_dealt_with: false, reported: None }
    }

    /// Reads until the connection ends, and tells the lobby.
    ///
    /// Most sessions wait here most of the time, so what the future holds is kept small: what is waited for is polled, and
    /// what is rare has memory of its own.
    pub(crate) async fn run(&mut self) {
        let mut phase = Phase::Reading;
        if let Some(error) = poll_fn(|cx| self.poll_run(&mut phase, cx)).await {
            tracing::debug!(conn = self.conn.0, %error, "a connection has ended");
            match &error {
                Error::Malformed(error) => self.set_ending(error),
                Error::Late(late) => {
                    self.reader.writer().set_ending(CloseCode::Policy, &late.to_string());
                }
                _ => {}
            }
            if let Some(reason) = reason(&error)
                && self.slot.ends()
            {
                self.context.metrics.count_ended(reason);
            }
        }
        // A lobby that has closed the connection does not mind, and one that has stopped does not need to know.
        let gone = Input::Event(Event::Disconnected { conn: self.conn });
        let _ = Box::pin(self.context.inbox.send(gone)).await;
        Box::pin(self.end()).await;
    }

    /// Passes messages on. Answers why the connection has ended, or nothing if it was ended on this side.
    fn poll_run(&mut self, phase: &mut Phase, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        loop {
            *phase = match phase {
                Phase::Reading => match ready!(self.poll_message(cx)) {
                    Some(Ok(message)) => self.submit(message),
                    Some(Err(error)) => return Poll::Ready(Some(error)),
                    None => return Poll::Ready(None),
                },
                Phase::Submitting(submitting) => match ready!(submitting.as_mut().poll(cx)) {
                    Ok(()) => Phase::Waiting,
                    Err(_) => return Poll::Ready(None),
                },
                Phase::Waiting => match ready!(self.poll_ready(cx)) {
                    Ok(()) if self.reader.writer().is_connected() => Phase::Reading,
                    Ok(()) => return Poll::Ready(self.reader.writer().loss().map(Error::from)),
                    Err(error) => return Poll::Ready(Some(error)),
                },
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
        if self.slot.poll_word(cx).is_ready() {
            return Poll::Ready(None);
        }
        loop {
            if self.login != Login::Accepted && self.slot.is_logged_in() {
                self.login = Login::Accepted;
                self.reader.set_message_limit(self.context.player_limits.message);
                self.reader.set_large_messages(Arc::clone(&self.context.player_limits.large_messages));
            }
            let Poll::Ready(read) = self.reader.poll_read(cx) else {
                self.report_activity();
                return Poll::Pending;
            };
            return Poll::Ready(Some(match read {
                Ok(message) => Ok(ClientMessage::read(message)),
                Err(Error::Malformed(DecodeError::TooLarge { .. })) if self.login == Login::Tried => {
                    ready!(self.slot.poll_login(cx));
                    continue;
                }
                // Nothing more can be read, but a player is told like of any other wrong message, and so is a stranger who has
                // sent JSON. Other strangers may speak something else, and would not understand it.
                Err(Error::Malformed(error))
                    if self.login == Login::Accepted || matches!(error, DecodeError::NotAnObject { .. }) =>
                {
                    Ok(Err(self.refuse(&error)))
                }
                Err(error) => Err(error),
            }));
        }
    }

    /// Tells the lobby from time to time that bytes come of a message that is not complete, or would come if there were memory for
    /// them: whoever sends for minutes is not silent.
    fn report_activity(&mut self) {
        let Some(every) = self.context.activity_interval.filter(|_| self.login == Login::Accepted) else {
            return;
        };
        let (arrived, waits) = (self.reader.arrived(), self.reader.waits_for_memory());
        let is_new = self
            .reported
            .as_ref()
            .is_none_or(|reported| (arrived != reported.arrived || waits) && reported.at.elapsed() >= every);
        // A full inbox is tried again when more has come.
        let reported = Input::Event(Event::Heard { conn: self.conn });
        if is_new && self.reader.is_inside_message() && self.context.inbox.try_send(reported).is_ok() {
            self.reported = Some(Box::new(ReportedActivity { arrived, at: Instant::now() }));
        }
    }

    /// What is passed on for something that cannot be decoded. The lobby tells the client, and ends the connection.
    fn refuse(&self, error: &DecodeError) -> CommandError {
        self.set_ending(error);
        if self.slot.ends() {
            self.context.metrics.count_ended(MALFORMED);
        }
        CommandError { command: None, error: FieldError { field: None, reason: error.to_string() } }
    }

    fn set_ending(&self, error: &DecodeError) {
        self.reader.writer().set_ending(CloseCode::of(error), &error.to_string());
    }

    fn submit(&mut self, message: Received) -> Phase {
        if self.login != Login::Accepted
            && matches!(message, Ok(ClientMessage::Hello(_) | ClientMessage::Auth(_)))
        {
            self.login = Login::Tried;
            self.slot.login_started();
        }
        let input = Input::Received(self.conn, message, Instant::now());
        match self.context.inbox.try_send(input) {
            Ok(()) => Phase::Waiting,
            Err(TrySendError::Full(input) | TrySendError::Closed(input)) => {
                let inbox = self.context.inbox.clone();
                Phase::Submitting(Box::pin(async move { inbox.send(input).await }))
            }
        }
    }

    /// Waits until the next message may be read, or the connection is closed.
    ///
    /// Memory for a large message is given back when it is dealt with. What has come with it may need it still, and must be dealt
    /// with at the rate at which it must come.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match self.slot.poll_word(cx) {
                Poll::Ready(Word::Ready) => {
                    self.reader.give_back();
                    self.is_dealt_with = false;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Word::DealtWith) => {
                    self.reader.give_back();
                    self.is_dealt_with = true;
                }
                // Nothing more is told about a connection that is lost.
                Poll::Pending if self.is_dealt_with && !self.reader.writer().is_connected() => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending if self.is_dealt_with => {
                    return self.reader.poll_late(cx).map(|late| Err(late.into()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Sends what waits and the end behind it, and reads on until the peer has ended its side, too.
    async fn end(&mut self) {
        let closing = async {
            self.reader.writer().close().await;
            while self.reader.read().await.is_ok() {}
        };
        if timeout(CLOSE_TIMEOUT, pin!(closing)).await.is_none() {
            self.reader.writer().abort();
        }
    }
}

/// What the end of a connection is counted as whose client has sent something that cannot be decoded.
const MALFORMED: &str = "malformed message";

/// What an end is counted as; nothing for what is counted where it was decided.
fn reason(error: &Error) -> Option<&'static str> {
    match error {
        Error::Disconnected(Disconnected::ByPeer) => Some("closed by the client"),
        Error::Disconnected(Disconnected::Lost(_)) => Some("lost"),
        Error::Disconnected(Disconnected::Here) => None,
        Error::Incomplete(_) => Some("ended inside a message"),
        Error::Malformed(_) => Some(MALFORMED),
        Error::Late(_) => Some("large message too slow"),
        // These are about sending.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are thousands of them, and nearly all of them wait. With what tokio needs, it is 384 bytes.
    #[test]
    fn a_session_that_waits_is_small() {
        fn size_of_future<F>(_: impl FnOnce(Session) -> F) -> usize {
            size_of::<F>()
        }
        let size = size_of_future(|mut session| async move { session.run().await });
        assert!(size <= 280, "{size} bytes, {} of them its reader's", size_of::<Reader>());
    }
}
