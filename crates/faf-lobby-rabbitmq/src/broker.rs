//! [`Broker`]: the handle of the rest of the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connection::Link;
use crate::consumers::Inbox;
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::reports::Reports;
use crate::settings::{Settings, TimeLimits};
use crate::state::State;
use crate::supervisor::Supervisor;

/// A broker that is connected to as long as this exists, and again after every failure. Nothing
/// here waits for a broker that is away.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

/// A handle for reports; copies share everything.
#[derive(Debug, Clone)]
pub struct Reporter(Arc<Shared>);

/// Everything that the handle and the tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) limits: TimeLimits,
    pub(crate) counters: Arc<Counters>,
    pub(crate) state: watch::Sender<State>,
    /// The open connection.
    pub(crate) link: watch::Sender<Option<Arc<Link>>>,
    pub(crate) reports: Reports,
}

impl Broker {
    /// Begins to connect, in a task of its own. Messages of other services go to `inbox`.
    #[must_use]
    pub fn start(settings: Settings, limits: TimeLimits, inbox: impl Inbox) -> Self {
        let shared = Arc::new(Shared {
            settings,
            limits,
            counters: Arc::default(),
            state: watch::Sender::new(State::starting()),
            link: watch::Sender::new(None),
            reports: Reports::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let supervisor = Supervisor::new(Arc::clone(&shared), Arc::new(inbox));
        Self { shared, stop, running: tokio::spawn(supervisor.run(stopped)) }
    }

    /// Returns the state of the connection, which changes over time.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// Returns the counters for metrics.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Returns a new queue for messages that must not be lost. Two of them do not keep an order
    /// between them.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        Delivery::new(Arc::clone(&self.shared))
    }

    /// Returns a handle for reports.
    #[must_use]
    pub fn reporter(&self) -> Reporter {
        Reporter(Arc::clone(&self.shared))
    }

    /// Closes the connection, within a time limit.
    pub async fn close(self, time_limit: Duration) {
        // Fails only if the task has panicked.
        let _ = self.stop.send(());
        let mut running = self.running;
        if timeout(time_limit, &mut running).await.is_err() {
            running.abort();
        }
    }
}

impl Reporter {
    /// Publishes a report that may be lost. The body is made in another task, and only if it is
    /// published. A few reports with the same routing key wait for the broker; beyond that, and
    /// while the broker is away, the oldest are dropped and counted.
    pub fn report(&self, routing_key: &'static str, body: impl FnOnce() -> Option<String> + Send + 'static) {
        self.0.reports.push(&self.0, routing_key, Box::new(body));
    }
}
