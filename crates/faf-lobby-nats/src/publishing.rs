//! Messages that are not kept.

use std::pin::pin;
use std::sync::PoisonError;
use std::task::Poll;

use bytes::Bytes;

use crate::connection::Connection;
use crate::link::{Busy, poll_once};
use crate::names::Subject;

/// Reason why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection.
    #[error("NATS {0}")]
    Away(String),
    /// Too many bytes or messages wait to be sent.
    #[error("too much waits to be sent to NATS")]
    Busy,
    /// The message is larger than the server allows.
    #[error("the message has {bytes} bytes, and NATS allows {limit}")]
    TooLarge {
        /// Size of the message.
        bytes: usize,
        /// Largest size.
        limit: usize,
    },
}

impl Connection {
    /// Queues a message to those who subscribe to a subject now; nobody else gets it. Messages of
    /// one connection arrive in the order of the calls, over all subjects. The queue is bounded:
    /// see [`Limits::queue_bytes`](crate::Limits::queue_bytes). Messages that are queued when the
    /// connection ends are lost; subscriptions notice that.
    ///
    /// # Errors
    /// If it was not queued.
    pub fn publish(&self, subject: &Subject, payload: Bytes) -> Result<(), PublishError> {
        let shared = self.shared();
        let bytes = payload.len();
        // One publisher after the other, or the stamps would not tell the order.
        let mut stamps = shared.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let link = shared.link().ok_or_else(|| PublishError::Away(shared.away()))?;
        let limit = link.client.max_payload();
        if bytes > limit {
            return Err(PublishError::TooLarge { bytes, limit });
        }
        let payload = link.reserve(payload).map_err(|Busy| PublishError::Busy)?;
        let stamp = stamps.next(subject);
        let name = shared.names.subject(subject);
        let mut sending = pin!(link.client.publish_with_reply(name, stamp.write(), payload));
        match poll_once(&mut sending) {
            Poll::Ready(Ok(())) => {
                stamps.sent(subject, stamp);
                shared.counters.count_out(bytes);
                Ok(())
            }
            Poll::Ready(Err(_)) => Err(PublishError::Away(shared.away())),
            Poll::Pending => Err(PublishError::Busy),
        }
    }
}
