//! The work of the leader beside the world: it executes orders of operators, delivers the messages
//! of the outbox, and receives those of other services.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Settings;
use crate::lobby::input::Input;
use crate::ops::metrics::Metrics;
use crate::ops::orders;
use crate::publish::{Broker, BrokerState, Publisher, Relay, Signal};
use crate::store::Store;

/// Everything needed to begin the work of a leader.
#[derive(Debug)]
pub(crate) struct Duties {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<Metrics>,
    /// Raised when there are messages for other services.
    pub(crate) outbox: Arc<Signal>,
    /// The inbox of the core's loop.
    pub(crate) inbox: mpsc::Sender<Input>,
    /// The state of the connection to the broker, if there is one.
    pub(crate) broker: tokio::sync::watch::Sender<Option<BrokerState>>,
}

/// The work of a leader, until this is [ended](Self::end).
#[derive(Debug)]
pub(super) struct Leadership {
    orders: JoinHandle<()>,
    relay: Relay,
    broker: Option<Broker>,
}

impl Duties {
    /// Begins the work. Reports of the publisher go to the broker from now on.
    pub(super) fn begin(&self, publisher: &mut Publisher) -> Leadership {
        let broker = Broker::start(&self.settings, self.inbox.clone(), &self.metrics);
        publisher.report_to(broker.as_ref());
        self.broker.send_replace(broker.as_ref().map(Broker::state));
        let relay = Relay::start(
            self.store.clone(),
            publisher.clone(),
            broker.as_ref(),
            Arc::clone(&self.metrics),
            Arc::clone(&self.outbox),
        );
        let orders = tokio::spawn(orders::run(self.store.clone(), self.inbox.clone()));
        Leadership { orders, relay, broker }
    }

    /// Ends the work at once: the next leader does what is left, and may repeat the last of it.
    pub(super) fn end(&self, leadership: Leadership, publisher: &mut Publisher) {
        let Leadership { orders, relay, broker } = leadership;
        orders.abort();
        relay.abort();
        publisher.report_to(None);
        self.broker.send_replace(None);
        if let Some(broker) = broker {
            tokio::spawn(broker.close(std::time::Duration::ZERO));
        }
    }
}
