//! The HTTP interface: health, metrics and lists of players for operators (ops.md sections 5 to 7),
//! and a status page for people.

#[cfg(feature = "nats")]
pub(crate) mod core;
#[cfg(feature = "nats")]
pub(crate) mod gateway;
mod overview;
mod places;
mod status_page;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use faf_connection::running_time::timeout;
use faf_connection::tcp;
use faf_lobby_core::{GameState, World};
use faf_protocol::ServerMessage;
use hyper::body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::auth::pages::{LoginPages, PeerAddress};
use crate::config::Settings;
use crate::exit_code::Failure;
use crate::lobby::input::Input;
use crate::net::session::CLOSE_TIMEOUT;
use crate::net::sockets::Sockets;
use crate::ops::health::Findings;
use crate::ops::metrics::Metrics;
use crate::publish::{BrokerState, Signal};
use crate::server;

#[cfg(feature = "nats")]
use self::core::CoreInterface;
pub(crate) use overview::OverviewCache;
use places::{Places, ResponseGuard};
pub(crate) use status_page::hash_of;

/// Time limit for replies of the lobby and the database; after it, they count as unhealthy.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// The format of [`Metrics::text`].
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// State shared by the request handlers.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) inbox: mpsc::Sender<Input>,
    pub(crate) metrics: Arc<Metrics>,
    /// Whether all messages for other services were delivered.
    pub(crate) outbox: Arc<Signal>,
    /// Problems of the database.
    pub(crate) health: watch::Receiver<Findings>,
    /// State of the connection to the broker, while there is one.
    pub(crate) broker: watch::Receiver<Option<BrokerState>>,
    pub(crate) started: Instant,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) board: Arc<OverviewCache>,
    /// See [`CONNECTIONS`].
    pub(crate) connection_limit: usize,
    /// Pages for the login in a browser, if they are on.
    pub(crate) login_pages: Option<Arc<LoginPages>>,
    /// The part in a cluster, if the server is a core of one.
    #[cfg(feature = "nats")]
    pub(crate) core: Option<CoreInterface>,
}

/// Phase of the server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The database is being opened, or the server waits for it.
    Starting,
    /// Clients can log in.
    Ready,
    /// The last connections are being closed.
    Stopping,
    /// Only this interface is left.
    Stopped,
}

#[derive(Debug, Serialize)]
struct Status {
    version: &'static str,
    uptime_seconds: u64,
    players: usize,
    connections: usize,
    games: GameCounts,
    /// Whether no command is in progress, and no change or message is still to be sent.
    is_settled: bool,
}

/// Number of games by state.
#[derive(Debug, Default, Serialize)]
struct GameCounts {
    initializing: usize,
    lobby: usize,
    live: usize,
    /// Ended, but not stored yet, or with players still in them.
    ended: usize,
}

impl GameCounts {
    fn of(world: &World) -> Self {
        let mut counts = Self::default();
        for game in world.games() {
            *match game.state() {
                GameState::Initializing => &mut counts.initializing,
                GameState::Lobby => &mut counts.lobby,
                GameState::Live => &mut counts.live,
                GameState::Ended => &mut counts.ended,
            } += 1;
        }
        counts
    }
}

/// Limit of simultaneous connections; for a further one, the address that has
/// [most](Places::take) gives one up. Operators and their tools need a few, and half of them can
/// be [streams to pages](status_page::STREAMS).
pub(crate) const CONNECTIONS: usize = 64;

/// Lifetime of a connection. It then ends after the response in progress, or after
/// [`REQUEST_TIMEOUT`]: a client that does not read its response cannot hold a place forever.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);

/// Time limit for sending a request, on a new connection or a kept one.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The tasks that serve requests, and the phase of the server that they show.
#[derive(Debug)]
pub(crate) struct HttpTasks {
    phase: watch::Sender<Phase>,
    tasks: JoinSet<()>,
    has_probes: bool,
}

impl HttpTasks {
    /// Starts to reply to probes, which a server does while it waits for a database or a cluster.
    /// If it waits for another server, that one may still have the address; then
    /// [`insist_on_probes`](Self::insist_on_probes) tries again.
    pub(crate) async fn start(settings: &Settings, sockets: &mut Sockets) -> Self {
        let (phase, _) = watch::channel(Phase::Starting);
        let mut http = Self { phase, tasks: JoinSet::new(), has_probes: false };
        http.has_probes = sockets.listen_for_probes(settings).await.is_ok();
        http.serve_probes(sockets);
        http
    }

    /// Replies to probes from now on at the latest.
    ///
    /// # Errors
    /// [`Failure`] with the problem of an address.
    pub(crate) async fn insist_on_probes(
        &mut self,
        settings: &Settings,
        sockets: &mut Sockets,
    ) -> Result<(), Failure> {
        if !self.has_probes {
            sockets.listen_for_probes(settings).await?;
        }
        self.serve_probes(sockets);
        Ok(())
    }

    fn serve_probes(&mut self, sockets: &mut Sockets) {
        for socket in sockets.probes.drain(..) {
            self.tasks.spawn(serve_probes(socket, self.phase.subscribe()));
        }
    }

    /// Serves requests in another task.
    pub(crate) fn spawn(&mut self, serving: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(serving);
    }

    /// Returns where the phase of the server can be set, too.
    #[cfg(feature = "nats")]
    pub(crate) fn phase_sender(&self) -> watch::Sender<Phase> {
        self.phase.clone()
    }

    /// Returns the phase of the server, which changes over time.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Serves requests until now, and those in progress for a little longer.
    pub(crate) async fn stop(mut self) {
        self.set_phase(Phase::Stopped);
        let _ = timeout(CLOSE_TIMEOUT, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

/// Serves `/ready` alone until the server has stopped: 503 while it starts, too.
async fn serve_probes(socket: TcpListener, phase: watch::Receiver<Phase>) {
    let router = Router::new().route("/ready", get(probe)).layer(map_response(status_page::restrict));
    serve(router.with_state(phase.clone()), socket, phase, CONNECTIONS).await;
}

async fn probe(State(phase): State<watch::Receiver<Phase>>) -> Response {
    is_ready(*phase.borrow())
}

/// Serves requests until the server has stopped, over at most this number of connections.
async fn serve(router: Router, socket: TcpListener, mut phase: watch::Receiver<Phase>, limit: usize) {
    // One permit per file: a connection that has to make room has closed before its successor
    // is served.
    let files = Arc::new(Semaphore::new(limit));
    let places = Places::new(limit);
    let mut connections = JoinSet::new();
    let mut tell =
        tcp::now_and_then(|error| tracing::error!(%error, "an HTTP connection cannot be accepted"));
    loop {
        let (stream, peer) = tokio::select! {
            accepted = tcp::accept(&socket, &mut tell) => accepted,
            Some(_) = connections.join_next() => continue,
            _ = phase.wait_for(|phase| *phase == Phase::Stopped) => return,
        };
        // The peer may have disconnected already.
        if tcp::prepare(&stream).is_err() {
            continue;
        }
        let place = Arc::new(places.take(peer.ip()));
        let Ok(file) = Arc::clone(&files).acquire_owned().await else { return };
        let router = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let _file = file;
            let inside = Arc::clone(&place);
            let service = service_fn(move |mut request: hyper::Request<_>| {
                request.extensions_mut().insert(PeerAddress(peer.ip()));
                let (guard, response) = (inside.begin_response(), router.call(request));
                async move {
                    response.await.map(|response| response.map(|body| ResponseBody { body, _guard: guard }))
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = pin!(connection);
            let serving = async {
                // The peer may disconnect before the response, or send nothing at all; neither
                // is an error here.
                if timeout(CONNECTION_LIFE, connection.as_mut()).await.is_none() {
                    connection.as_mut().graceful_shutdown();
                    let _ = timeout(REQUEST_TIMEOUT, connection).await;
                }
            };
            tokio::select! {
                () = serving => {}
                () = place.evicted() => {}
            }
        });
    }
}

impl Interface {
    /// Serves requests to a listener of this service until the server has stopped.
    pub(crate) async fn serve(self, service: server::Service, socket: TcpListener) {
        let (phase, limit) = (self.phase.clone(), self.connection_limit);
        serve(self.router(service), socket, phase, limit).await;
    }

    fn router(self, service: server::Service) -> Router {
        let router = match service {
            // FAF's server has a port for each of these (ops.md sections 5 to 7).
            server::Service::Control => {
                Router::new().route("/players", get(players)).route("/games", get(games))
            }
            server::Service::Metrics => Router::new().route("/health", get(health)).fallback(metrics),
            _ => {
                let login_pages = self.login_pages.clone().map_or_else(Router::new, LoginPages::router);
                login_pages
                    .route("/", get(status_page::page))
                    .route("/overview", get(overview::overview))
                    .route("/events", get(status_page::events))
                    .route("/ready", get(ready))
                    .route("/health", get(health))
                    .route("/metrics", get(metrics))
                    .route("/status", get(status))
                    .route("/players", get(players))
                    .route("/games", get(games))
            }
        };
        #[cfg(feature = "nats")]
        let router = match (&self.core, service) {
            (Some(_), server::Service::Http) => router.route("/cluster", get(core::cluster)),
            _ => router,
        };
        router.layer(map_response(status_page::restrict)).with_state(self)
    }

    /// Returns a view of the lobby, if it replies in time.
    async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Result<T, StatusCode> {
        let (reply, seen) = oneshot::channel();
        let look = move |world: &World| {
            // The client may have disconnected.
            let _ = reply.send(look(world));
        };
        let inspection = async {
            self.inbox.send(Input::Inspect(Box::new(look))).await.ok()?;
            seen.await.ok()
        };
        timeout(REPLY_TIMEOUT, inspection).await.flatten().ok_or(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// Body of a response, which counts as in progress while this exists.
struct ResponseBody {
    body: axum::body::Body,
    _guard: ResponseGuard,
}

impl hyper::body::Body for ResponseBody {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn ready(State(interface): State<Interface>) -> Response {
    is_ready(*interface.phase.borrow())
}

/// Returns whether clients can log in. This stays true while the server waits for running games to
/// end, as it also serves as a liveness probe.
fn is_ready(phase: Phase) -> Response {
    let status = match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Stopping | Phase::Stopped => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(CONTENT_TYPE, "text/plain")], "").into_response()
}

/// Returns whether the lobby replies and the database has no problem: see `health.rs`. The state of
/// the broker is shown, but does not count.
async fn health(State(interface): State<Interface>) -> (StatusCode, Json<Value>) {
    let lobby = interface.inspect(|_| ()).await.is_ok();
    let findings = interface.health.borrow().clone();
    let database = findings.problem();
    let is_well = lobby && database.is_none();
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let lobby = if lobby { "ok" } else { "no answer" };
    let mut parts = json!({"lobby": lobby, "database": database.unwrap_or("ok")});
    // A server without its broker goes on: a supervisor that restarts it would gain nothing, and
    // end the connections of all players.
    if let Some(broker) = &*interface.broker.borrow() {
        parts["broker"] = broker.problem().unwrap_or_else(|| "ok".to_owned()).into();
    }
    #[cfg(feature = "nats")]
    if let Some(core) = &interface.core {
        parts["core"] = core.health();
    }
    (status, Json(parts))
}

async fn metrics(State(interface): State<Interface>) -> Response {
    let metrics = Arc::clone(&interface.metrics);
    // If the lobby does not reply, the other metrics are still shown.
    let look = move |world: &World| {
        metrics.count_games(world.games());
        metrics.show_queues(world.queues());
    };
    let _ = interface.inspect(look).await;
    encoded(&interface.metrics)
}

fn encoded(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn status(State(interface): State<Interface>) -> Result<Json<Status>, StatusCode> {
    let uptime_seconds = interface.started.elapsed().as_secs();
    let outbox = Arc::clone(&interface.outbox);
    let look = move |world: &World| Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds,
        players: world.player_count(),
        connections: world.connection_count(),
        games: GameCounts::of(world),
        is_settled: world.is_settled() && outbox.is_handled(),
    };
    interface.inspect(look).await.map(Json)
}

/// Returns everyone who is online, as clients see them.
async fn players(State(interface): State<Interface>) -> Result<Response, StatusCode> {
    let players = interface.inspect(World::players).await?;
    let players: Vec<_> = players.iter().map(AsRef::as_ref).collect();
    Ok(Json(players).into_response())
}

/// Returns all games that have not been reported as ended, as a client sees them that may see all.
async fn games(State(interface): State<Interface>) -> Result<Json<Vec<ServerMessage>>, StatusCode> {
    let games = interface.inspect(World::game_infos).await?;
    Ok(Json(games.into_iter().map(ServerMessage::GameInfo).collect()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::ops::health::Health;

    /// Returns the status of a response.
    async fn ask(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response.split(' ').nth(1).unwrap().to_owned()
    }

    #[tokio::test]
    async fn endpoints_report_a_server_that_is_stopping_or_does_not_reply() {
        // The lobby has ended.
        let (inbox, _) = mpsc::channel(1);
        let (phase, receiver) = watch::channel(Phase::Ready);
        let metrics = Arc::new(Metrics::new());
        let health = Health::new().findings();
        let board = Arc::new(OverviewCache::new(Arc::default(), CONNECTIONS));
        let (started, connection_limit) = (Instant::now(), CONNECTIONS);
        let interface = Interface {
            inbox,
            metrics,
            outbox: Arc::default(),
            health,
            broker: watch::channel(None).1,
            started,
            phase: receiver,
            board,
            connection_limit,
            login_pages: None,
            #[cfg(feature = "nats")]
            core: None,
        };
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let serving = tokio::spawn(interface.serve(server::Service::Http, socket));
        assert_eq!(ask(address, "/ready").await, "200");
        assert_eq!(ask(address, "/health").await, "503");
        assert_eq!(ask(address, "/status").await, "503");
        assert_eq!(ask(address, "/overview").await, "503");
        assert_eq!(ask(address, "/events").await, "503");
        // The page is there all the same, and shows that nothing replies.
        assert_eq!(ask(address, "/").await, "200");
        phase.send_replace(Phase::Stopping);
        assert_eq!(ask(address, "/ready").await, "503");
        phase.send_replace(Phase::Stopped);
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
