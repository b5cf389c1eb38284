//! One connection, from its beginning to its end.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Subscriber, jetstream};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::settings::Limits;

/// Most payloads that wait to be sent.
pub(crate) const QUEUE_MESSAGES: usize = 32_768;

/// Time between two looks at the state of the library.
const LOOK: Duration = Duration::from_secs(1);

/// Subject that the JetStream of the own account replies to.
pub(crate) const JETSTREAM: &str = "$JS.API.INFO";

/// An open connection, as its users share it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Number of the connection, counted from 1.
    pub(crate) number: u64,
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    /// Host and port of the server.
    pub(crate) server: String,
    /// Set when the connection has ended.
    pub(crate) over: watch::Sender<bool>,
    queue: Arc<Queue>,
}

/// Payloads that wait to be sent.
#[derive(Debug)]
struct Queue {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    most_bytes: usize,
}

/// A payload that counts as waiting until the library has written and dropped it.
struct Queued {
    payload: Bytes,
    queue: Arc<Queue>,
}

/// There is no place for more payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl Link {
    pub(crate) fn new(
        number: u64,
        client: Client,
        server: String,
        over: watch::Sender<bool>,
        limits: &Limits,
    ) -> Self {
        let jetstream = jetstream::ContextBuilder::new().timeout(limits.respond).build(client.clone());
        let queue = Queue {
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            most_bytes: limits.queue_bytes,
        };
        Self { number, client, jetstream, server, over, queue: Arc::new(queue) }
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&self) {
        let mut over = self.over.subscribe();
        // The library reports the end in a queue that drops reports when it is full.
        while timeout(LOOK, over.wait_for(|over| *over)).await.is_err() {
            if self.client.connection_state() != State::Connected {
                self.over.send_replace(true);
            }
        }
    }

    /// Reserves a place for a payload, until the library has written it.
    pub(crate) fn reserve(&self, payload: Bytes) -> Result<Bytes, Busy> {
        let queue = &self.queue;
        let bytes = payload.len();
        // Whatever the bound, one payload may always wait.
        let fits =
            |waiting: usize| (waiting == 0 || waiting + bytes <= queue.most_bytes).then_some(waiting + bytes);
        let most = |waiting: usize| (waiting < QUEUE_MESSAGES).then_some(waiting + 1);
        queue.messages.fetch_update(Ordering::Relaxed, Ordering::Relaxed, most).map_err(|_| Busy)?;
        if queue.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            queue.messages.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        Ok(Bytes::from_owner(Queued { payload, queue: Arc::clone(queue) }))
    }

    /// Subscribes, and returns when the server knows about it.
    pub(crate) async fn subscribe(&self, subjects: &[String]) -> Result<Vec<Subscriber>, String> {
        let mut subscribers = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let subscriber = self.client.subscribe(subject.clone()).await;
            subscribers.push(subscriber.map_err(|error| error.to_string())?);
        }
        self.round_trip().await?;
        Ok(subscribers)
    }

    /// Waits until the server has received everything that was sent so far.
    pub(crate) async fn round_trip(&self) -> Result<(), String> {
        self.client.request(JETSTREAM, Bytes::new()).await.map(drop).map_err(|error| error.to_string())
    }
}

impl AsRef<[u8]> for Queued {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.queue.messages.fetch_sub(1, Ordering::Relaxed);
        self.queue.bytes.fetch_sub(self.payload.len(), Ordering::Relaxed);
    }
}

/// Polls a future once, regardless of the budget of the current task.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(tokio::task::unconstrained(future)).poll(&mut Context::from_waker(Waker::noop()))
}
