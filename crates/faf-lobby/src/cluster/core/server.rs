//! [`CoreServer`]: a core as a whole: assembly, start, and shutdown in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use faf_lobby_cluster::{CoreName, CoreSettings};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::{CoreLoop, CoreOptions, CoreParts, Duties};
use crate::auth::failed_logins::FailedLogins;
use crate::auth::pages::LoginPages;
use crate::auth::tokens::Tokens;
use crate::cluster::backend::Backend;
use crate::config::{Settings, seconds};
use crate::exit_code::Failure;
use crate::lobby::host::Host;
use crate::lobby::input::{INBOX_INPUTS, Input};
use crate::lobby::requests::RequestExecutor;
use crate::net::fd_budget::FdBudget;
use crate::net::session::CLOSE_TIMEOUT;
use crate::net::sockets::Sockets;
use crate::ops::activity::ActivityLog;
use crate::ops::health::Health;
use crate::ops::http::core::CoreInterface;
use crate::ops::http::{HttpTasks, Interface, OverviewCache, Phase};
use crate::ops::metrics::{CoreFigures, Metrics};
use crate::publish::{Publisher, Signal};
use crate::server::{Listening, Pulse, Reconfigure, Service, Shutdown, finish_writing};
use crate::store::{Owner, Share, Store};

/// Number of questions about the status that wait for the loop.
const STATUS_QUESTIONS: usize = 16;

/// A running core of a cluster: the world, without the connections of clients.
#[derive(Debug)]
pub(crate) struct CoreServer {
    listening: Vec<Listening>,
    store: Store,
    /// Ownership of the database, kept until everything is written.
    owner: Owner,
    inbox: mpsc::Sender<Input>,
    core: JoinHandle<Result<(), Failure>>,
    http: HttpTasks,
    background: JoinSet<()>,
}

impl CoreServer {
    /// Starts a core. When this returns, it has a world, and follows. `takes_over`: it asks the
    /// leader to hand over as soon as it is ready.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::DATABASE`](crate::exit_code::DATABASE),
    /// [`exit_code::DATABASE_IN_USE`](crate::exit_code::DATABASE_IN_USE),
    /// [`exit_code::LISTEN`](crate::exit_code::LISTEN) or
    /// [`exit_code::CLUSTER`](crate::exit_code::CLUSTER).
    pub(crate) async fn start(
        settings: Settings,
        backend: Arc<dyn Backend>,
        takes_over: bool,
    ) -> Result<Self, Failure> {
        let mut sockets = Sockets::default();
        let mut http = HttpTasks::start(&settings, &mut sockets).await;
        let database = settings.database();
        let owner = database.take(Share::WithCores, seconds(settings.wait_for_database), |reason| {
            tracing::info!(reason, "waiting for the database");
        });
        let owner = owner.await?;
        let store = Store::open(&database)?;
        store.write_only_as(&owner);
        let services = [Service::Http, Service::Control, Service::Metrics];
        sockets.listen_for_requests(&settings, &services).await?;
        http.insist_on_probes(&settings, &mut sockets).await?;

        let mut metrics = Metrics::new();
        metrics.observe_database_failures(store.failures());
        #[cfg(feature = "mariadb")]
        if let Some(timings) = store.timings() {
            metrics.observe_database_timings(timings);
        }
        let health = Health::new();
        metrics.observe_health(health.findings());
        let figures = Arc::<CoreFigures>::default();
        metrics.observe_core(Arc::clone(&figures));
        let metrics = Arc::new(metrics);
        let activity = Arc::<ActivityLog>::default();
        let outbox = Arc::<Signal>::default();
        let tokens = Arc::new(Tokens::new(&settings));
        let requests = RequestExecutor::new(&settings, &store, Arc::clone(&tokens), Arc::clone(&outbox));
        let publisher = Publisher::new(None, Arc::clone(&metrics));
        let host = Host::new(&settings, &metrics, &activity, publisher);
        let (inbox, inputs) = mpsc::channel(INBOX_INPUTS);
        let (asks, status) = mpsc::channel(STATUS_QUESTIONS);
        let (broker, broker_state) = watch::channel(None);
        let failed_logins = FailedLogins::new(settings.log_addresses, Arc::clone(&metrics));
        let random = |error| anyhow::anyhow!("the system provides no random numbers: {error}");
        // Clients connect to gateways, whose addresses a core does not know.
        let login_pages =
            LoginPages::new(&settings, requests.clone(), failed_logins, None).map_err(random)?;

        let mut background = JoinSet::new();
        background.spawn(tokens.keep_fresh());
        if let Some(pages) = &login_pages {
            background.spawn(Arc::clone(pages).prepare());
        }
        let findings = health.findings();
        background.spawn(health.watch(store.clone(), database));
        let connection_limit = FdBudget::for_connections(settings.connection_limit).http;
        let interface = Interface {
            inbox: inbox.clone(),
            metrics: Arc::clone(&metrics),
            outbox: Arc::clone(&outbox),
            health: findings,
            broker: broker_state,
            started: Instant::now(),
            phase: http.phase(),
            board: Arc::new(OverviewCache::new(activity, connection_limit)),
            connection_limit,
            login_pages,
            core: Some(CoreInterface { figures: Arc::clone(&figures), status: asks }),
        };
        for (service, socket) in sockets.http {
            http.spawn(interface.clone().serve(service, socket));
        }
        let options = CoreOptions {
            name: name().map_err(random)?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            world: settings.lobby(),
            times: CoreSettings::default(),
            snapshot_every: settings.snapshot_messages,
            evidence: match settings.recording.as_os_str().is_empty() {
                true => PathBuf::from("."),
                false => settings.recording.clone(),
            },
            takes_over,
        };
        let duties = Duties { store: store.clone(), settings, metrics, outbox, inbox: inbox.clone(), broker };
        let parts = CoreParts {
            options,
            backend,
            store: store.clone(),
            requests,
            host,
            duties,
            figures,
            phase: http.phase_sender(),
            inbox: inputs,
            status,
        };
        let core = CoreLoop::start(parts).await?;
        let core = tokio::spawn(core.run());
        Ok(Self { listening: sockets.listening, store, owner, inbox, core, http, background })
    }

    /// The addresses on which the core listens for requests over HTTP.
    pub(crate) fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// Returns a handle that ends the core: the first time it hands over if it leads, the second
    /// time it ends at once.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.inbox.clone().into()
    }

    /// Returns a handle that changes the settings of the lobby, which count while this core leads.
    pub(crate) fn reconfigure(&self) -> Reconfigure {
        self.inbox.clone().into()
    }

    /// Returns a handle that tells whether the core is alive.
    pub(crate) fn pulse(&self) -> Pulse {
        self.inbox.clone().into()
    }

    /// Waits until the core has ended.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::CLUSTER`](crate::exit_code::CLUSTER) if the stream has failed,
    /// with [`exit_code::DIVERGED`](crate::exit_code::DIVERGED) if its world differs from the
    /// leader's, with [`exit_code::DATABASE_IN_USE`](crate::exit_code::DATABASE_IN_USE) if a server
    /// outside the cluster has taken the database.
    pub(crate) async fn wait(self) -> Result<(), Failure> {
        let Self { store, owner, core, http, mut background, .. } = self;
        let ended = tokio::select! {
            ended = core => ended,
            () = owner.lost() => {
                let problem = "a lobby server outside the cluster has taken the database: stop one of the two";
                return Err(Failure::new(crate::exit_code::DATABASE_IN_USE, anyhow::anyhow!(problem)));
            }
        };
        http.set_phase(Phase::Stopping);
        background.shutdown().await;
        http.stop().await;
        finish_writing(&store).await;
        // It does not succeed while other cores use the database.
        let _ = timeout(CLOSE_TIMEOUT, store.checkpoint()).await;
        drop(owner);
        match ended {
            Ok(ended) => ended,
            Err(error) => Err(Failure::from(anyhow::anyhow!("the core has failed: {error}"))),
        }
    }
}

/// Returns the name of this core: that of the machine, and a random number.
fn name() -> Result<CoreName, getrandom::Error> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "core",
        host => host,
    };
    Ok(CoreName(format!("{host}-{:08x}", getrandom::u32()?)))
}
