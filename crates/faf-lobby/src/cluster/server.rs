//! [`GatewayServer`]: a gateway as a whole: assembly, start, and shutdown in order.

use std::sync::Arc;

use faf_connection::running_time::RunningTime;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::bus::Bus;
use super::gateway::{Gateway, GatewayFailure, GatewayHandle};
use crate::config::{Settings, seconds};
use crate::delivery::Dispatcher;
use crate::exit_code::Failure;
use crate::lobby::input::INBOX_INPUTS;
use crate::net::country::Countries;
use crate::net::fd_budget::FdBudget;
use crate::net::listener::Acceptor;
use crate::net::session::CLOSE_TIMEOUT;
use crate::net::sockets::Sockets;
use crate::ops::http::gateway::GatewayInterface;
use crate::ops::http::{HttpTasks, Phase};
use crate::ops::metrics::{GatewayFigures, Metrics};
use crate::server::{Listening, Pulse, Reconfigure, Service, Shutdown};

/// A running gateway of a cluster: the connections of clients, without the world.
#[derive(Debug)]
pub(crate) struct GatewayServer {
    listening: Vec<Listening>,
    handle: GatewayHandle,
    gateway: JoinHandle<Result<(), GatewayFailure>>,
    acceptor: Arc<Acceptor>,
    http: HttpTasks,
    listeners: JoinSet<()>,
    background: JoinSet<()>,
}

impl GatewayServer {
    /// Starts a gateway. When this returns, it is a part of the cluster, and clients can log in.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::LISTEN`](crate::exit_code::LISTEN), or if the bus ends.
    pub(crate) async fn start(settings: Settings, bus: Bus) -> Result<Self, Failure> {
        let mut sockets = Sockets::default();
        let mut http = HttpTasks::start(&settings, &mut sockets).await;
        sockets.listen_for_clients(&settings).await?;
        sockets.listen_for_requests(&settings, &[Service::Http, Service::Metrics]).await?;
        http.insist_on_probes(&settings, &mut sockets).await?;
        let countries = Arc::new(Countries::new(&settings));
        countries.read_file().await;
        let large_messages = settings.large_messages();
        let mut metrics = Metrics::new();
        metrics.observe_large_messages(Arc::clone(&large_messages));
        let figures = GatewayFigures::new();
        metrics.observe_gateway(Arc::clone(&figures));
        let metrics = Arc::new(metrics);
        let fd_budget = FdBudget::for_connections(settings.connection_limit);
        metrics.set_connection_limit(fd_budget.connections);
        let dispatcher = Dispatcher::start(settings.slow_consumers(), Arc::clone(&metrics));
        let (gateway, handle) = Gateway::new(
            &name(),
            bus,
            dispatcher,
            Arc::clone(&metrics),
            Arc::clone(&figures),
            seconds(settings.shutdown_grace_period),
        )
        .map_err(failure)?;
        let (inbox, inputs) = mpsc::channel(INBOX_INPUTS);
        let acceptor = Acceptor::new(
            &settings,
            fd_budget,
            large_messages,
            inbox,
            RunningTime::begin(),
            Arc::clone(&metrics),
            Arc::clone(&countries),
        );
        let acceptor = Arc::new(acceptor.while_ready(handle.is_ready()));
        let gateway = tokio::spawn(gateway.run(inputs));
        let (mut background, mut listeners) = (JoinSet::new(), JoinSet::new());
        background.spawn(countries.keep_fresh());
        for listener in sockets.clients {
            listeners.spawn(listener.run(Arc::clone(&acceptor)));
        }
        let interface = GatewayInterface {
            metrics,
            figures,
            pulse: Pulse::from(handle.clone()),
            phase: http.phase(),
            connection_limit: fd_budget.http,
        };
        for (service, socket) in sockets.http {
            http.spawn(interface.clone().serve(service, socket));
        }
        let mut is_ready = handle.is_ready();
        let listening = sockets.listening;
        let server = Self { listening, handle, gateway, acceptor, http, listeners, background };
        if is_ready.wait_for(|is_ready| *is_ready).await.is_err() {
            server.wait().await?;
            return Err(Failure::from(anyhow::anyhow!("the gateway has ended before it joined the cluster")));
        }
        server.http.set_phase(Phase::Ready);
        Ok(server)
    }

    /// The addresses on which the gateway listens.
    pub(crate) fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// Returns a handle that shuts the gateway down.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.handle.clone().into()
    }

    /// Returns a handle that changes the settings of the gateway.
    pub(crate) fn reconfigure(&self) -> Reconfigure {
        self.handle.clone().into()
    }

    /// Returns a handle that tells whether the gateway is alive.
    pub(crate) fn pulse(&self) -> Pulse {
        self.handle.clone().into()
    }

    /// Waits until the gateway has shut down.
    ///
    /// # Errors
    /// [`Failure`] if the connection to the cluster has ended for good, or the loop has panicked,
    /// which would be a bug.
    pub(crate) async fn wait(self) -> Result<(), Failure> {
        let Self { handle, gateway, acceptor, http, mut listeners, mut background, .. } = self;
        handle.draining().await;
        // Other gateways serve new clients.
        http.set_phase(Phase::Stopping);
        listeners.shutdown().await;
        let ended = gateway.await;
        background.shutdown().await;
        // Every session ends within its own time limit. This one is a safeguard.
        let _ = timeout(CLOSE_TIMEOUT * 2, acceptor.wait_until_empty()).await;
        http.stop().await;
        match ended {
            Ok(ended) => ended.map_err(failure),
            Err(error) => Err(Failure::from(anyhow::anyhow!("the gateway has failed: {error}"))),
        }
    }
}

fn failure(failure: GatewayFailure) -> Failure {
    Failure::from(anyhow::Error::new(failure))
}

/// Returns the name of this gateway for people: that of the machine, and the number of the process.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "gateway",
        host => host,
    };
    format!("{host}-{}", std::process::id())
}
