//! Writes entries.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{Error as JetStreamError, ErrorCode};
use async_nats::{HeaderMap, HeaderValue, Message, Request, RequestError, RequestErrorKind, header};
use bytes::Bytes;

use crate::connection::during;
use crate::link::{Busy, JETSTREAM, Link, poll_once};
use crate::log::Log;
use crate::names::Name;

/// Longest id of an entry, in bytes.
const ID_LIMIT: usize = 128;

/// Headers of an entry except for its id, in bytes.
const HEADERS: usize = 64;

/// Reason why an entry is not known to be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// There is no connection, it ended, or no acknowledgement came in time. The entry **may be
    /// stored**, unless there was no connection from the beginning: append it again with the same
    /// id to be sure that it is.
    #[error("NATS {0}")]
    Away(String),
    /// Too many bytes or entries wait to be sent. The entry is not stored.
    #[error("too much waits to be sent to NATS")]
    Busy,
    /// The stream, or the disk of NATS, is full. The entry is not stored.
    #[error("the stream of NATS is full: {0}; make place, or raise its bound")]
    Full(String),
    /// NATS does not take this entry, and will not take it again. It is not stored.
    #[error("NATS refuses the entry: {0}")]
    Refused(String),
    /// There is no stream. The entry is not stored.
    #[error("NATS has no stream {0} any more")]
    NoStream(String),
    /// NATS has switched JetStream off, as it does when it cannot write to its disk. The entry is
    /// therefore not stored.
    #[error("NATS has switched JetStream off: see its log, and whether its disk is full")]
    NoJetStream,
}

/// An entry in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Sequence number of the entry.
    pub sequence: u64,
    /// The entry was already there: less than two minutes before, another one with its id was
    /// appended, and stored.
    pub is_repeat: bool,
}

/// Resolves when an entry is stored, or is not. Dropping it only means not to wait.
#[must_use = "an entry may be refused"]
pub struct Pending(Waiting);

enum Waiting {
    Begun(Pin<Box<dyn Future<Output = Result<Stored, AppendError>> + Send>>),
    /// It is done, and the outcome is still to be returned.
    Done(Option<Result<Stored, AppendError>>),
}

/// Appends entries in one lane, in order: when one of them fails, no later one is sent until
/// [`resume`](Self::resume).
#[derive(Debug)]
pub struct Writer {
    log: Log,
    lane: Name,
    session: Option<Arc<Session>>,
}

/// The entries that are appended over one connection, up to the first that fails.
#[derive(Debug)]
struct Session {
    link: Arc<Link>,
    has_failed: AtomicBool,
}

impl Writer {
    /// Queues an entry to be appended. Entries arrive at the server in the order of the calls. `id`
    /// has 1 to 128 visible characters of ASCII; for two minutes, another entry with the same id is
    /// not stored. The queue is bounded: see [`Limits::queue_bytes`](crate::Limits::queue_bytes).
    ///
    /// Once an entry has failed, all later ones fail. Those that were already under way may be
    /// stored. To go on, [`resume`](Self::resume), and append all entries again that are not known
    /// to be stored, in the same order and with the same ids. No entry is stored twice.
    ///
    /// Entries are then in order if NATS has lost only the last ones, as with a single server whose
    /// connection ends. A full stream may refuse an entry and take a smaller one after it, and a
    /// change of the leader among several servers may lose one in the middle: where the order
    /// matters nevertheless, entries must carry numbers that their readers check.
    pub fn append(&mut self, id: &str, payload: Bytes) -> Pending {
        let shared = self.log.connection.shared();
        if self.session.is_none() {
            self.session = shared.link().map(Session::new);
        }
        let Some(session) = &self.session else {
            return Pending::failed(AppendError::Away(shared.away()));
        };
        if session.has_failed.load(Ordering::Relaxed) || session.link.is_over() {
            return Pending::failed(AppendError::Away("has not stored an earlier entry".to_owned()));
        }
        self.log.begin(&session.link, Some(session), &self.lane, id, payload)
    }

    /// Waits until there is a connection, and lets entries be appended again; they must begin with
    /// the first one that is not known to be stored.
    ///
    /// # Errors
    /// If the connection was closed by this process.
    pub async fn resume(&mut self) -> Result<(), AppendError> {
        let shared = self.log.connection.shared();
        let link = shared.next_link(0).await.ok_or_else(|| AppendError::Away(shared.away()))?;
        self.session = Some(Session::new(link));
        Ok(())
    }
}

impl Session {
    fn new(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self { link, has_failed: AtomicBool::new(false) })
    }
}

impl Log {
    /// Returns a writer of a lane. Two of them do not keep an order between them.
    #[must_use]
    pub fn writer(&self, lane: Name) -> Writer {
        Writer { log: self.clone(), lane, session: None }
    }

    /// Queues an entry to be appended, like [`Writer::append`], but after a failure later entries
    /// are still sent: the order is only kept while there is none.
    pub fn append(&self, lane: &Name, id: &str, payload: Bytes) -> Pending {
        let shared = self.connection.shared();
        match shared.link() {
            Some(link) => self.begin(&link, None, lane, id, payload),
            None => Pending::failed(AppendError::Away(shared.away())),
        }
    }

    fn begin(
        &self,
        link: &Arc<Link>,
        session: Option<&Arc<Session>>,
        lane: &Name,
        id: &str,
        payload: Bytes,
    ) -> Pending {
        let pending = self.try_begin(link, session, lane, id, payload);
        pending.unwrap_or_else(|error| {
            if let Some(session) = session {
                session.has_failed.store(true, Ordering::Relaxed);
            }
            Pending::failed(error)
        })
    }

    fn try_begin(
        &self,
        link: &Arc<Link>,
        session: Option<&Arc<Session>>,
        lane: &Name,
        id: &str,
        payload: Bytes,
    ) -> Result<Pending, AppendError> {
        let shared = self.connection.shared();
        if !(1..=ID_LIMIT).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AppendError::Refused(format!("its id must have 1 to {ID_LIMIT} visible characters")));
        }
        let (bytes, limit) = (payload.len(), link.client.max_payload());
        if bytes + HEADERS + ID_LIMIT > limit {
            return Err(AppendError::Refused(format!(
                "it has {bytes} bytes, and NATS allows {limit} with headers"
            )));
        }
        let payload = link.reserve(payload).map_err(|Busy| AppendError::Busy)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_ID, HeaderValue::from(id));
        let request = Request::new().headers(headers).payload(payload).timeout(Some(shared.limits.respond));
        let (subject, log, link) = (shared.names.lane(lane), self.clone(), Arc::clone(link));
        let session = session.cloned();
        let mut begun: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
            let sent = during(&link, link.client.send_request(subject, request)).await;
            let outcome = log.outcome(&link, sent).await;
            if let (Err(_), Some(session)) = (&outcome, session) {
                session.has_failed.store(true, Ordering::Relaxed);
            }
            outcome
        });
        shared.counters.count_out(bytes);
        // The first poll puts the request into the queue of the library, which has a place for it.
        let _runtime = shared.runtime.enter();
        Ok(Pending(match poll_once(&mut begun) {
            // The reply may come during the poll.
            Poll::Ready(outcome) => Waiting::Done(Some(outcome)),
            Poll::Pending => Waiting::Begun(begun),
        }))
    }

    async fn outcome(
        &self,
        link: &Arc<Link>,
        sent: Option<Result<Message, RequestError>>,
    ) -> Result<Stored, AppendError> {
        let ended =
            || AppendError::Away("is away: the connection ended before the acknowledgement".to_owned());
        match sent.ok_or_else(ended)? {
            Ok(message) => match serde_json::from_slice(&message.payload) {
                Ok(Response::Ok(PublishAck { sequence, duplicate, .. })) => {
                    Ok(Stored { sequence, is_repeat: duplicate })
                }
                Ok(Response::Err { error }) => Err(refusal(&error)),
                Err(error) => {
                    Err(AppendError::Refused(format!("the acknowledgement cannot be read: {error}")))
                }
            },
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => {
                    let jetstream = during(link, link.client.request(JETSTREAM, Bytes::new())).await;
                    match jetstream {
                        Some(Ok(_)) => AppendError::NoStream(self.name.clone()),
                        Some(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                            AppendError::NoJetStream
                        }
                        _ => ended(),
                    }
                }
                RequestErrorKind::TimedOut => {
                    let limit = self.connection.shared().limits.respond;
                    AppendError::Away(format!("has not acknowledged an entry within {limit:?}"))
                }
                RequestErrorKind::MaxPayloadExceeded => AppendError::Refused(error.to_string()),
                _ => ended(),
            }),
        }
    }
}

impl Pending {
    fn failed(error: AppendError) -> Self {
        Self(Waiting::Done(Some(Err(error))))
    }
}

impl Future for Pending {
    type Output = Result<Stored, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Waiting::Begun(begun) => begun.as_mut().poll(context),
            Waiting::Done(outcome) => Poll::Ready(outcome.take().expect("it is not polled after its end")),
        }
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Waiting::Begun(_) => "Pending(begun)",
            Waiting::Done(Some(Err(_))) => "Pending(failed)",
            Waiting::Done(_) => "Pending(done)",
        })
    }
}

/// Names the reason why JetStream refuses an entry.
fn refusal(error: &JetStreamError) -> AppendError {
    let text = error.to_string();
    let is_full = ["maximum bytes", "maximum messages", "no space", "resource limits"];
    match error.error_code() {
        ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => AppendError::Full(text),
        // All failures of the storage have this code.
        ErrorCode::STREAM_STORE_FAILED if is_full.iter().any(|words| text.contains(words)) => {
            AppendError::Full(text)
        }
        _ if error.code() == 503 => AppendError::Away(format!("is not ready: {text}")),
        _ => AppendError::Refused(text),
    }
}
