//! [`Connection`]: the handle of the rest of the server, and the task that keeps a connection open.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::counters::Counters;
use crate::link::Link;
use crate::names::{Name, Names};
use crate::opening::{self, OpenError};
use crate::pauses::Pauses;
use crate::settings::{Limits, Settings};
use crate::stamps::Stamps;
use crate::state::State;

/// Time after which a connection counts as stable, and the next one is opened without a pause.
const STABLE: Duration = Duration::from_secs(5);

/// A connection to NATS, which is opened again after every failure, for ever. Copies share
/// everything; it ends with the last copy, and everything made from one holds a copy.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// Everything that the handle and the task share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) names: Names,
    pub(crate) counters: Arc<Counters>,
    /// Numbers of the messages that this process publishes.
    pub(crate) stamps: Mutex<Stamps>,
    /// The runtime of the connection, so that callers need none.
    pub(crate) runtime: Handle,
    state: watch::Sender<State>,
    /// The open connection.
    link: watch::Sender<Option<Arc<Link>>>,
    is_closed: watch::Sender<bool>,
}

impl Connection {
    /// Connects to the first server of the settings that can be used.
    ///
    /// # Errors
    /// If there is none: once it is open, it reconnects by itself.
    ///
    /// # Panics
    /// Outside of a runtime of tokio with time and network.
    pub async fn open(settings: Settings, limits: Limits) -> Result<Self, OpenError> {
        if let Some(problem) = settings.problem() {
            return Err(OpenError::Settings(problem));
        }
        let cluster = Name::new(&settings.cluster).map_err(|error| OpenError::Settings(error.to_string()))?;
        let link = Arc::new(opening::open(&settings, &limits, 1, 0).await?);
        let shared = Arc::new(Shared {
            settings,
            limits,
            names: Names::new(cluster),
            counters: Arc::default(),
            stamps: Mutex::default(),
            runtime: Handle::current(),
            state: watch::Sender::new(connected(&link)),
            link: watch::Sender::new(None),
            is_closed: watch::Sender::new(false),
        });
        shared.begin(&link);
        let task = tokio::spawn(keep_open(Arc::clone(&shared), link)).abort_handle();
        Ok(Self(Arc::new(Handles { shared, task })))
    }

    /// Returns the settings that it was opened with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared().settings
    }

    /// Returns the state of the connection, which changes over time.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared().state.subscribe()
    }

    /// Returns the counters for metrics.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared().counters)
    }

    /// Largest message of the server, in bytes with its headers; 1 MiB at most servers, and while
    /// there is no connection.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.shared().link.borrow().as_ref().map_or(1 << 20, |link| link.client.max_payload())
    }

    /// Waits until everything that was appended and published so far is written to the socket, or
    /// the connection has ended, or the time limit is over.
    pub async fn flush(&self, time_limit: Duration) {
        if let Some(link) = self.shared().link() {
            let _ = timeout(time_limit, during(&link, link.client.flush())).await;
        }
    }

    /// Flushes within a time limit, and closes the connection for all copies.
    pub async fn close(self, time_limit: Duration) {
        self.flush(time_limit).await;
        self.0.end();
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

impl Handles {
    fn end(&self) {
        self.task.abort();
        self.shared.is_closed.send_replace(true);
        if let Some(link) = self.shared.link.send_replace(None) {
            link.over.send_replace(true);
        }
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// Returns the open connection.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.link.borrow().as_ref().filter(|link| !link.is_over()).cloned()
    }

    /// Waits for an open connection other than the one with this number; `None` when all is closed.
    pub(crate) async fn next_link(&self, last: u64) -> Option<Arc<Link>> {
        let (mut link, mut closed) = (self.link.subscribe(), self.is_closed.subscribe());
        let another = |link: &Option<Arc<Link>>| {
            link.as_ref().is_some_and(|link| link.number != last && !link.is_over())
        };
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => None,
            found = link.wait_for(another) => found.ok().and_then(|link| link.clone()),
        }
    }

    /// Reason why there is no connection.
    pub(crate) fn away(&self) -> String {
        self.state.borrow().problem().unwrap_or_else(|| "is away: the connection has ended".to_owned())
    }

    fn begin(&self, link: &Arc<Link>) {
        tracing::info!(server = link.server, "connected to NATS");
        self.counters.follow(link.client.statistics());
        // The connection comes first: it is used by those who wait for the state.
        self.link.send_replace(Some(Arc::clone(link)));
        self.state.send_replace(connected(link));
    }
}

fn connected(link: &Link) -> State {
    State::Connected { server: link.server.clone(), since: Instant::now() }
}

/// Carries a request on as long as its connection lives; `None` if it ends first.
pub(crate) async fn during<T>(link: &Link, request: impl Future<Output = T>) -> Option<T> {
    let mut over = link.over.subscribe();
    tokio::select! {
        biased;
        done = request => Some(done),
        _ = over.wait_for(|over| *over) => None,
    }
}

/// Waits for the end of each connection, and opens the next one.
async fn keep_open(shared: Arc<Shared>, mut link: Arc<Link>) {
    let mut pauses = Pauses::new(&shared.limits);
    loop {
        let begin = Instant::now();
        link.ended().await;
        let (since, number) = (Instant::now(), link.number);
        shared.link.send_replace(None);
        let away = |reason: String| shared.state.send_replace(State::Disconnected { since, reason });
        away(format!("the connection to {} has ended", link.server));
        tracing::error!(server = link.server, "NATS is away; the server goes on and tries again");
        drop(link);
        if begin.elapsed() >= STABLE {
            pauses.reset();
        } else {
            // A server that ends each connection is not asked for the next one without end.
            sleep(pauses.next()).await;
        }
        link = reconnect(&shared, &mut pauses, number, away).await;
        shared.counters.count_reconnect();
        shared.begin(&link);
    }
}

async fn reconnect(
    shared: &Shared,
    pauses: &mut Pauses,
    last: u64,
    away: impl Fn(String) -> State,
) -> Arc<Link> {
    let mut logged = None;
    for attempt in 0.. {
        // The server that has just ended is tried last.
        let opening = opening::open(&shared.settings, &shared.limits, last + 1, attempt + 1);
        match opening.await {
            Ok(link) => return Arc::new(link),
            Err(error) => {
                let problem = error.to_string();
                if logged.as_ref() != Some(&problem) {
                    tracing::error!(problem, "NATS is still away");
                }
                away(problem.clone());
                logged = Some(problem);
            }
        }
        sleep(pauses.next()).await;
    }
    unreachable!("the loop has no end")
}
