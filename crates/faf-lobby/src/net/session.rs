//! The session of one connection: it reads one message after the other and submits each to
//! the lobby.

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

use crate::lobby::input::{Input, Received};
use crate::net::read_gate::{Gate, Hold};
use crate::net::slot::ConnectionSlot;
use crate::ops::metrics::Metrics;

/// How long a closing connection waits for the peer to read the rest and to close its side. After
/// that the connection is aborted.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Closes a connection whose [`Input::Connect`] cannot be handled, because this server stops or is
/// out of touch with its cluster.
pub(crate) fn close_late(writer: &Writer, slot: &ConnectionSlot, reason: &str) {
    writer.set_ending(CloseCode::GoingAway, reason);
    writer.start_close();
    slot.end();
}

/// Reads one connection.
pub(crate) struct Session {
    conn: ConnId,
    reader: Reader,
    slot: Arc<ConnectionSlot>,
    context: Arc<SessionContext>,
    /// State of the login, as far as the session has noticed it.
    login: Login,
    /// Whether the reader still holds the memory of the last message, which was submitted.
    has_submitted: bool,
    /// Last report to the lobby of an incomplete message. Boxed, because hardly any connection
    /// has one.
    reported: Option<Box<ReportedActivity>>,
}

/// Activity on a connection that was reported to the lobby.
struct ReportedActivity {
    /// Number of bytes that had arrived.
    arrived: u64,
    at: Instant,
}

/// Dependencies and limits that all sessions share.
#[derive(Debug)]
pub(crate) struct SessionContext {
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) metrics: Arc<Metrics>,
    /// Limits that apply after the login.
    pub(crate) player_limits: PlayerLimits,
    /// Least time between two reports to the lobby that a message is arriving. `None`
    /// without `idle_timeout`.
    pub(crate) activity_interval: Option<Duration>,
}

/// A message that waits for room in the inbox of the lobby.
type Submission = Pin<Box<dyn Future<Output = Result<(), SendError<Input>>> + Send>>;

/// Limits for a player; clients that have not logged in may send less.
#[derive(Debug)]
pub(crate) struct PlayerLimits {
    /// Largest message, in bytes.
    pub(crate) message: usize,
    /// Memory for large messages, which all players share.
    pub(crate) large_messages: Arc<LargeMessages>,
}

/// State of a client's login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Login {
    /// The client has not tried to log in.
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
        Self { conn, reader, slot, context, login: Login::Missing, has_submitted: false, reported: None }
    }

    /// Reads until the connection ends, and reports the end to the lobby.
    ///
    /// Most sessions wait here most of the time, so the future is kept small: the session polls by
    /// hand and boxes rare futures.
    pub(crate) async fn run(&mut self) {
        let mut submission = None;
        if let Some(error) = poll_fn(|cx| self.poll_end(&mut submission, cx)).await {
            tracing::debug!(conn = self.conn.0, %error, "a connection has ended");
            match &error {
                Error::Malformed(error) => self.set_ending(error),
                Error::Late(late) => {
                    self.reader.writer().set_ending(CloseCode::Policy, &late.to_string());
                }
                _ => {}
            }
            if let Some(reason) = reason(&error)
                && self.slot.note_end()
            {
                self.context.metrics.count_ended(reason);
            }
        }
        // A lobby that has closed the connection ignores this, and one that has stopped does not
        // need it.
        let disconnected = Input::Event(Event::Disconnected { conn: self.conn });
        let _ = Box::pin(self.context.inbox.send(disconnected)).await;
        Box::pin(self.close()).await;
    }

    /// Reads and submits messages until the connection ends. Returns the reason, or `None` if the
    /// server ended it.
    fn poll_end(&mut self, submission: &mut Option<Submission>, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        loop {
            // The inbox was full. The session does nothing else before the message is in it.
            if let Some(submitting) = submission {
                if ready!(submitting.as_mut().poll(cx)).is_err() {
                    return Poll::Ready(None);
                }
                *submission = None;
            }
            match self.slot.poll_gate(cx) {
                Gate::Ended => return Poll::Ready(None),
                Gate::Held { is_handled: false } => return Poll::Pending,
                Gate::Held { is_handled: true } => {
                    // The lobby has handled this message, so its memory is released although the
                    // next one must wait. Bytes that came with it may be the beginning of a large
                    // message, which must go on arriving at the least rate.
                    self.reader.release_memory();
                    if !self.reader.writer().is_connected() {
                        return Poll::Ready(self.loss());
                    }
                    return self.reader.poll_late(cx).map(|late| Some(late.into()));
                }
                Gate::Open => {}
            }
            if std::mem::take(&mut self.has_submitted) {
                self.reader.release_memory();
                if !self.reader.writer().is_connected() {
                    return Poll::Ready(self.loss());
                }
            }
            match ready!(self.poll_message(cx)) {
                Ok(message) => *submission = self.submit(message),
                Err(error) => return Poll::Ready(Some(error)),
            }
        }
    }

    /// Reads the next message and parses its command.
    ///
    /// While a login is being checked, the session already reads what the client has sent after it.
    /// Players may send larger messages than others: if the message is too large for the limit
    /// before the login, the session waits until it knows which limit applies. After a rejected
    /// login, it waits until the time limit for logging in ends the connection.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Error>> {
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
            return Poll::Ready(match read {
                Ok(message) => Ok(ClientMessage::read(message)),
                Err(Error::Malformed(DecodeError::TooLarge { .. })) if self.login == Login::Tried => {
                    ready!(self.slot.poll_login(cx));
                    continue;
                }
                // Nothing more can be read. The client receives the reason if it is a player or has
                // sent JSON at least; any other may speak another protocol, and would not
                // understand it.
                Err(Error::Malformed(error))
                    if self.login == Login::Accepted || matches!(error, DecodeError::NotAnObject { .. }) =>
                {
                    Ok(Err(self.refuse(&error)))
                }
                Err(error) => Err(error),
            });
        }
    }

    /// Reports to the lobby from time to time that an incomplete message is arriving, or would
    /// arrive if there were memory for it: a client that sends one message for minutes is not idle.
    fn report_activity(&mut self) {
        let Some(interval) = self.context.activity_interval.filter(|_| self.login == Login::Accepted) else {
            return;
        };
        let (arrived, waits) = (self.reader.arrived(), self.reader.waits_for_memory());
        let is_due = self.reported.as_ref().is_none_or(|reported| {
            (arrived != reported.arrived || waits) && reported.at.elapsed() >= interval
        });
        // If the inbox is full, the next bytes try again.
        let heard = Input::Event(Event::Heard { conn: self.conn });
        if is_due && self.reader.is_inside_message() && self.context.inbox.try_send(heard).is_ok() {
            self.reported = Some(Box::new(ReportedActivity { arrived, at: Instant::now() }));
        }
    }

    /// Returns the error to submit in place of a message that cannot be decoded. The lobby sends it
    /// to the client and ends the connection.
    fn refuse(&self, error: &DecodeError) -> CommandError {
        self.set_ending(error);
        if self.slot.note_end() {
            self.context.metrics.count_ended(MALFORMED);
        }
        CommandError { command: None, error: FieldError { field: None, reason: error.to_string() } }
    }

    fn set_ending(&self, error: &DecodeError) {
        self.reader.writer().set_ending(CloseCode::of(error), &error.to_string());
    }

    fn loss(&self) -> Option<Error> {
        self.reader.writer().loss().map(Error::from)
    }

    /// Submits a message to the lobby. Returns the future to wait for if the inbox is full.
    fn submit(&mut self, message: Received) -> Option<Submission> {
        if self.login != Login::Accepted
            && matches!(message, Ok(ClientMessage::Hello(_) | ClientMessage::Auth(_)))
        {
            self.login = Login::Tried;
            self.slot.login_started();
        }
        // Must come before the send: the lobby releases the hold when it has handled the message.
        self.slot.hold(Hold::InFlight);
        self.has_submitted = true;
        let input = Input::Received(self.conn, message, Instant::now());
        match self.context.inbox.try_send(input) {
            Ok(()) => None,
            Err(TrySendError::Full(input) | TrySendError::Closed(input)) => {
                let inbox = self.context.inbox.clone();
                Some(Box::pin(async move { inbox.send(input).await }))
            }
        }
    }

    /// Sends the queued bytes and the close, and reads on until the peer has closed its side, too.
    async fn close(&mut self) {
        let closing = async {
            self.reader.writer().close().await;
            while self.reader.read().await.is_ok() {}
        };
        if timeout(CLOSE_TIMEOUT, pin!(closing)).await.is_none() {
            self.reader.writer().abort();
        }
    }
}

/// Metric label of connections that end after bytes that cannot be decoded.
const MALFORMED: &str = "malformed message";

/// Returns the metric label of an end, or `None` if the end is counted where it was decided.
fn reason(error: &Error) -> Option<&'static str> {
    match error {
        Error::Disconnected(Disconnected::ByPeer) => Some("closed by the client"),
        Error::Disconnected(Disconnected::Lost(_)) => Some("lost"),
        Error::Disconnected(Disconnected::Here) => None,
        Error::Incomplete(_) => Some("ended inside a message"),
        Error::Malformed(_) => Some(MALFORMED),
        Error::Late(_) => Some("large message too slow"),
        // Errors of sending do not end a session.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are thousands of sessions, nearly all of them waiting. Each takes 384 bytes, with what
    /// tokio adds.
    #[test]
    fn waiting_session_is_small() {
        fn size_of_future<F>(_: impl FnOnce(Session) -> F) -> usize {
            size_of::<F>()
        }
        let size = size_of_future(|mut session| async move { session.run().await });
        assert!(size <= 280, "{size} bytes, {} of them its reader's", size_of::<Reader>());
    }
}
