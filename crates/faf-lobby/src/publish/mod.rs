//! Publications, messages for other services: results, ratings and achievements by way of the
//! outbox, reports of players and games directly.
//!
//! ```text
//!   write about a game                                   report
//!         |  one transaction                               |
//!         v                                                v
//!   database: outbox  --->  relay, in order,  --->  Publisher: log, subscribers
//!                           at least once   \              |
//!                                            +-> broker <--+
//! ```
//!
//! Without a broker, the log and subscribers within the process are the only receivers. With one,
//! a message is removed from the outbox when the broker has confirmed it, and subscribers get it
//! then.

mod broker;
mod relay;

use std::sync::Arc;

use faf_lobby_core::Publication;
use tokio::sync::broadcast;

use crate::ops::metrics::Metrics;
use crate::store::Message;

pub(crate) use broker::{Broker, BrokerState, problem_of_exchange};
pub(crate) use relay::{Relay, Signal};

use broker::Reporter;

/// Messages kept for a slow subscriber; a game of 16 players with statistics makes about a hundred.
/// A subscriber that falls further behind misses the oldest.
pub(crate) const SUBSCRIBER_BACKLOG: usize = 1024;

/// Delivers messages; copies deliver to the same receivers.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    subscribers: broadcast::Sender<Message>,
    /// Publishes reports at the broker, if there is one.
    reporter: Option<Reporter>,
    metrics: Arc<Metrics>,
}

impl Publisher {
    pub(crate) fn new(broker: Option<&Broker>, metrics: Arc<Metrics>) -> Self {
        let reporter = broker.map(Broker::reporter);
        Self { subscribers: broadcast::channel(SUBSCRIBER_BACKLOG).0, reporter, metrics }
    }

    /// Publishes reports at this broker from now on, or at none.
    #[cfg(feature = "nats")]
    pub(crate) fn report_to(&mut self, broker: Option<&Broker>) {
        self.reporter = broker.map(Broker::reporter);
    }

    /// Subscribes to all messages from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Message> {
        self.subscribers.subscribe()
    }

    /// Delivers a report without the outbox. It may be lost, because the next report repeats
    /// its content.
    pub(crate) fn report(&self, publication: &Publication) {
        let routing_key = publication.routing_key();
        self.metrics.count_publication(routing_key);
        if let Some(reporter) = &self.reporter {
            reporter.report(publication);
        }
        // Reports come every second and can be long, so the body is serialized only for a receiver.
        let is_logged = tracing::enabled!(tracing::Level::TRACE);
        if !is_logged && self.subscribers.receiver_count() == 0 {
            return;
        }
        match Message::new(publication) {
            Ok(message) => {
                tracing::trace!(routing_key, body = message.body, "published");
                // Fails only without subscribers.
                let _ = self.subscribers.send(message);
            }
            Err(error) => tracing::error!(routing_key, %error, "cannot serialize a publication"),
        }
    }

    /// Delivers a message of the outbox.
    fn deliver(&self, message: Message) {
        let Message { exchange, routing_key, body, .. } = &message;
        self.metrics.count_publication(routing_key);
        tracing::debug!(exchange, routing_key, body, "published");
        // Fails only without subscribers.
        let _ = self.subscribers.send(message);
    }
}
