//! The server as a whole: assembly, start, and shutdown in order.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use faf_connection::running_time::RunningTime;
use faf_lobby_core::{Event, InitialState, World};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::auth::failed_logins::FailedLogins;
use crate::auth::pages::LoginPages;
use crate::auth::tokens::Tokens;
#[cfg(feature = "nats")]
use crate::cluster::gateway::GatewayHandle;
use crate::config::{Settings, seconds};
use crate::exit_code::{self, Failure};
use crate::lobby::event_loop::{Lobby, Services};
use crate::lobby::host::Host;
use crate::lobby::input::{INBOX_INPUTS, Input};
use crate::lobby::requests::RequestExecutor;
use crate::net::country::Countries;
use crate::net::fd_budget::FdBudget;
use crate::net::listener::Acceptor;
use crate::net::session::CLOSE_TIMEOUT;
use crate::net::sockets::Sockets;
pub use crate::net::sockets::{Listening, Service};
use crate::ops::activity::ActivityLog;
use crate::ops::health::Health;
use crate::ops::http::{HttpTasks, Interface, OverviewCache, Phase};
use crate::ops::metrics::Metrics;
use crate::ops::orders;
use crate::ops::recorder::{Bounds, Recorder};
use crate::publish::{Broker, Publisher, Relay, Signal};
use crate::store::{Message, Owner, Share, Store};

/// A running server.
#[derive(Debug)]
pub struct Server {
    listening: Vec<Listening>,
    store: Store,
    /// Ownership of the database, kept until everything is written.
    owner: Owner,
    inbox: mpsc::Sender<Input>,
    lobby: JoinHandle<()>,
    acceptor: Arc<Acceptor>,
    publisher: Publisher,
    relay: Relay,
    broker: Option<Broker>,
    http: HttpTasks,
    /// Tasks that run until the server ends.
    background: JoinSet<()>,
}

impl Server {
    /// Starts a server. When this returns, clients can log in.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::DATABASE`], [`exit_code::DATABASE_IN_USE`]
    /// or [`exit_code::LISTEN`].
    pub async fn start(settings: Settings) -> Result<Self, Failure> {
        let mut sockets = Sockets::default();
        let mut http = HttpTasks::start(&settings, &mut sockets).await;
        let database = settings.database();
        let owner = database.take(Share::Alone, seconds(settings.wait_for_database), |reason| {
            tracing::info!(reason, "waiting for the database");
        });
        let owner = owner.await?;
        let store = Store::open(&database)?;
        store.write_only_as(&owner);
        store.forget_orders().await?;
        let seed = getrandom::u64().unwrap_or_default();
        let initial = InitialState { seed, ..store.beginning().await? };
        if !initial.games.is_empty() {
            tracing::info!(games = initial.games.len(), "waiting for the players of games that were live");
        }
        sockets.listen_for_clients(&settings).await?;
        let services = [Service::Http, Service::Control, Service::Metrics];
        sockets.listen_for_requests(&settings, &services).await?;
        http.insist_on_probes(&settings, &mut sockets).await?;
        let tokens = Arc::new(Tokens::new(&settings));
        let countries = Arc::new(Countries::new(&settings));
        // The countries are in a local file, so the start waits for them. The keys may be on
        // another host, so it does not wait for those.
        countries.read_file().await;
        let large_messages = settings.large_messages();
        let mut metrics = Metrics::new();
        metrics.observe_database_failures(store.failures());
        #[cfg(feature = "mariadb")]
        if let Some(timings) = store.timings() {
            metrics.observe_database_timings(timings);
        }
        metrics.show_build(initial.last_game);
        metrics.observe_large_messages(Arc::clone(&large_messages));
        let recorder = recorder(&settings);
        metrics.observe_recording(recorder.interruptions());
        let health = Health::new();
        metrics.observe_health(health.findings());
        let (inbox, inputs) = mpsc::channel(INBOX_INPUTS);
        let broker = Broker::start(&settings, inbox.clone(), &metrics);
        let metrics = Arc::new(metrics);
        metrics.expect_games(&initial.data);
        let outbox = Arc::<Signal>::default();
        let requests = RequestExecutor::new(&settings, &store, Arc::clone(&tokens), Arc::clone(&outbox));
        let activity = Arc::new(ActivityLog::default());
        let publisher = Publisher::new(broker.as_ref(), Arc::clone(&metrics));
        let failed_logins = || FailedLogins::new(settings.log_addresses, Arc::clone(&metrics));
        let websocket = sockets.direct_websocket(&settings);
        let login_pages = LoginPages::new(&settings, requests.clone(), failed_logins(), websocket)
            .map_err(|error| anyhow::anyhow!("the system provides no random numbers: {error}"))?;
        let services = Services {
            requests,
            host: Host::new(&settings, &metrics, &activity, publisher.clone()),
            recorder,
        };
        let slow_consumers = settings.slow_consumers();
        let time = RunningTime::begin();
        let lobby = Lobby::new(settings.lobby(), initial, time, services, inbox.clone(), slow_consumers);
        let fd_budget = FdBudget::for_connections(settings.connection_limit);
        metrics.set_connection_limit(fd_budget.connections);
        let acceptor = Acceptor::new(
            &settings,
            fd_budget,
            large_messages,
            inbox.clone(),
            time,
            Arc::clone(&metrics),
            Arc::clone(&countries),
        );
        let acceptor = Arc::new(acceptor);

        let relay = Relay::start(
            store.clone(),
            publisher.clone(),
            broker.as_ref(),
            Arc::clone(&metrics),
            Arc::clone(&outbox),
        );
        let mut background = JoinSet::new();
        background.spawn(countries.keep_fresh());
        background.spawn(tokens.keep_fresh());
        if let Some(pages) = &login_pages {
            background.spawn(Arc::clone(pages).prepare());
        }
        background.spawn(orders::run(store.clone(), inbox.clone()));
        let findings = health.findings();
        background.spawn(health.watch(store.clone(), database));
        let lobby = tokio::spawn(lobby.run(inputs));
        for listener in sockets.clients {
            background.spawn(listener.run(Arc::clone(&acceptor)));
        }
        http.set_phase(Phase::Ready);
        let interface = Interface {
            inbox: inbox.clone(),
            metrics,
            outbox,
            health: findings,
            broker: watch::channel(broker.as_ref().map(Broker::state)).1,
            started: Instant::now(),
            phase: http.phase(),
            board: Arc::new(OverviewCache::new(activity, fd_budget.http)),
            connection_limit: fd_budget.http,
            login_pages,
            #[cfg(feature = "nats")]
            core: None,
        };
        for (service, socket) in sockets.http {
            http.spawn(interface.clone().serve(service, socket));
        }
        Ok(Self {
            listening: sockets.listening,
            store,
            owner,
            inbox,
            lobby,
            acceptor,
            publisher,
            relay,
            broker,
            http,
            background,
        })
    }

    /// The addresses on which the server listens.
    #[must_use]
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// The server's database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Subscribes to the messages for other services, in order, starting now. A receiver that
    /// falls more than 1,024 messages behind misses the oldest.
    #[must_use]
    pub fn publications(&self) -> broadcast::Receiver<Message> {
        self.publisher.subscribe()
    }

    /// Returns a handle that shuts the server down.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(Loop::Lobby(self.inbox.clone()))
    }

    /// Returns a handle that changes the server's settings.
    #[must_use]
    pub fn reconfigure(&self) -> Reconfigure {
        Reconfigure(Loop::Lobby(self.inbox.clone()))
    }

    /// Returns a handle that tells whether the lobby is alive.
    #[must_use]
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse(Loop::Lobby(self.inbox.clone()))
    }

    /// Waits until the server has shut down.
    ///
    /// # Errors
    /// [`Failure`] if the lobby has panicked, which would be a bug; with
    /// [`exit_code::DATABASE_IN_USE`] if another server has taken the database.
    pub async fn wait(self) -> Result<(), Failure> {
        let Self { mut background, acceptor, http, lobby, store, owner, relay, broker, .. } = self;
        let ended = tokio::select! {
            ended = lobby => ended,
            // Nothing can be stored any more, and the other server has the live games, to which
            // clients reconnect. So there is nothing to wait for.
            () = owner.lost() => {
                let problem = "another lobby server has taken the database: stop one of the two";
                return Err(Failure::new(exit_code::DATABASE_IN_USE, anyhow::anyhow!(problem)));
            }
        };
        http.set_phase(Phase::Stopping);
        background.shutdown().await;
        // Every session ends within its own time limit. This one is a safeguard.
        let _ = timeout(CLOSE_TIMEOUT * 2, acceptor.wait_until_empty()).await;
        // The HTTP interface responds until this phase.
        http.stop().await;
        finish_writing(&store).await;
        relay.finish(CLOSE_TIMEOUT).await;
        if let Some(broker) = broker {
            broker.close(CLOSE_TIMEOUT).await;
        }
        match timeout(CLOSE_TIMEOUT, store.checkpoint()).await {
            Ok(Ok(true)) => {}
            _ => {
                tracing::warn!("closed without a final WAL checkpoint; keep the -wal file with the database");
            }
        }
        drop(owner);
        ended.map_err(|error| Failure::from(anyhow::anyhow!("the lobby has failed: {error}")))
    }
}

/// The loop of a running server.
#[derive(Debug, Clone)]
enum Loop {
    /// That of a lobby, or of a core of a cluster.
    Lobby(mpsc::Sender<Input>),
    #[cfg(feature = "nats")]
    Gateway(GatewayHandle),
}

/// Shuts a server down.
#[derive(Debug, Clone)]
pub struct Shutdown(Loop);

impl Shutdown {
    /// Asks the server to shut down: gracefully the first time, at once the second time.
    pub async fn request(&self) {
        match &self.0 {
            // Fails only if the server has stopped already.
            Loop::Lobby(inbox) => drop(inbox.send(Input::Event(Event::Shutdown)).await),
            #[cfg(feature = "nats")]
            Loop::Gateway(gateway) => gateway.shut_down(),
        }
    }
}

/// Changes the settings of a running server.
#[derive(Debug, Clone)]
pub struct Reconfigure(Loop);

impl Reconfigure {
    /// Applies the settings of the lobby (`Settings::lobby`); of those, a gateway needs only
    /// `shutdown_grace_period`. The others are ignored.
    pub async fn reconfigure(&self, settings: &Settings) {
        let settings = Box::new(settings.lobby());
        match &self.0 {
            // Fails only if the server has stopped already.
            Loop::Lobby(inbox) => drop(inbox.send(Input::Event(Event::Reconfigured { settings })).await),
            #[cfg(feature = "nats")]
            Loop::Gateway(gateway) => gateway.set_grace_period(settings.shutdown_grace_period),
        }
    }
}

/// Tells whether the lobby of a running server is alive.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Loop);

impl Pulse {
    /// Waits until the lobby has handled everything before this, and returns true; returns false if
    /// it has ended.
    pub(crate) async fn beats(&self) -> bool {
        #[allow(clippy::infallible_destructuring_match, reason = "with the feature `nats`, there are two")]
        let inbox = match &self.0 {
            Loop::Lobby(inbox) => inbox,
            #[cfg(feature = "nats")]
            Loop::Gateway(gateway) => return gateway.beats().await,
        };
        let (reply, beat) = oneshot::channel();
        let look = Box::new(move |_: &World| {
            // The caller may have given up.
            let _ = reply.send(());
        });
        inbox.send(Input::Inspect(look)).await.is_ok() && beat.await.is_ok()
    }
}

#[cfg(feature = "nats")]
impl From<mpsc::Sender<Input>> for Shutdown {
    fn from(core: mpsc::Sender<Input>) -> Self {
        Self(Loop::Lobby(core))
    }
}

#[cfg(feature = "nats")]
impl From<mpsc::Sender<Input>> for Reconfigure {
    fn from(core: mpsc::Sender<Input>) -> Self {
        Self(Loop::Lobby(core))
    }
}

#[cfg(feature = "nats")]
impl From<mpsc::Sender<Input>> for Pulse {
    fn from(core: mpsc::Sender<Input>) -> Self {
        Self(Loop::Lobby(core))
    }
}

#[cfg(feature = "nats")]
impl From<GatewayHandle> for Shutdown {
    fn from(gateway: GatewayHandle) -> Self {
        Self(Loop::Gateway(gateway))
    }
}

#[cfg(feature = "nats")]
impl From<GatewayHandle> for Reconfigure {
    fn from(gateway: GatewayHandle) -> Self {
        Self(Loop::Gateway(gateway))
    }
}

#[cfg(feature = "nats")]
impl From<GatewayHandle> for Pulse {
    fn from(gateway: GatewayHandle) -> Self {
        Self(Loop::Gateway(gateway))
    }
}

/// Returns the recorder, which is off without a folder for recordings.
fn recorder(settings: &Settings) -> Recorder {
    let bounds = Bounds { size: settings.recording_size, files: settings.recording_files };
    match settings.recording.as_os_str().is_empty() {
        true => Recorder::off(),
        false => Recorder::start(&settings.recording, bounds),
    }
}

/// Waits until all pending writes are in the database. There is no time limit: the writes may be
/// results of games. An operator who cannot wait can kill the process.
pub(crate) async fn finish_writing(store: &Store) {
    let mut finished = pin!(store.finish_writing());
    while timeout(CLOSE_TIMEOUT, &mut finished).await.is_err() {
        tracing::warn!("still writing to the database");
    }
}
