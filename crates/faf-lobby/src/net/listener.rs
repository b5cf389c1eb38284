//! Listeners: from accepted sockets to sessions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use faf_connection::running_time::{RunningTime, timeout};
use faf_connection::{LargeMessages, Share, open_tcp, tcp};
use faf_lobby_core::{ConnId, Event, Network};
use faf_protocol::websocket::Role;
use faf_protocol::{Limits, SessionNumber, WireFormat};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::config::Settings;
use crate::lobby::input::Input;
use crate::net::country::Countries;
use crate::net::fd_budget::FdBudget;
use crate::net::handshake::{Handshaken, Handshakes};
use crate::net::rejection::{RejectReason, Rejections};
use crate::net::session::{PlayerLimits, Session, SessionContext};
use crate::net::slot::ConnectionSlot;
use crate::net::unauthenticated::{Unauthenticated, UnauthenticatedGuard};
use crate::ops::metrics::Metrics;

/// How long a new connection waits for the end of the one that is closed to make room for it.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a new connection waits for a server that is not ready: a gateway that has lost its
/// cluster has often found it again by then.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// Unauthenticated clients share a large-message budget of their own, one eighth of the players'.
/// Their messages are small: by default, a thousand of them fit.
const UNAUTHENTICATED_MEMORY_DIVISOR: usize = 8;

/// Most reports to the lobby, within `idle_timeout`, that a message is arriving.
const ACTIVITY_REPORTS_PER_TIMEOUT: u32 = 8;

/// Admits connections; all listeners share it.
#[derive(Debug)]
pub(crate) struct Acceptor {
    handshakes: Handshakes,
    /// One permit for each connection that may be open.
    permits: Arc<Semaphore>,
    connection_limit: usize,
    unauthenticated: Arc<Unauthenticated>,
    rejections: Rejections,
    next_conn: AtomicU64,
    countries: Arc<Countries>,
    sessions: Arc<SessionContext>,
    /// Limits for a client that has not logged in.
    limits: Limits,
    /// Memory for large messages before the login. It is separate from the players', so that a
    /// client that only connects cannot keep players waiting.
    large_messages: Arc<LargeMessages>,
    /// Whether clients are accepted.
    is_ready: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
}

/// One listener.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) format: WireFormat,
    /// Whether every connection begins with a PROXY header.
    pub(crate) proxy: bool,
}

impl Listener {
    /// Accepts connections forever.
    pub(crate) async fn run(self, acceptor: Arc<Acceptor>) {
        let mut log_error = tcp::now_and_then(
            |error| tracing::error!(%error, format = %self.format, "cannot accept a connection"),
        );
        loop {
            let (stream, peer) = tcp::accept(&self.socket, &mut log_error).await;
            acceptor.admit(stream, peer, self.format, self.proxy);
        }
    }
}

impl Acceptor {
    pub(crate) fn new(
        settings: &Settings,
        fd_budget: FdBudget,
        large_messages: Arc<LargeMessages>,
        inbox: mpsc::Sender<Input>,
        time: RunningTime,
        metrics: Arc<Metrics>,
        countries: Arc<Countries>,
    ) -> Self {
        let idle_timeout = settings.lobby().idle_timeout;
        let sessions = SessionContext {
            inbox,
            metrics: Arc::clone(&metrics),
            player_limits: PlayerLimits { message: settings.message_limit, large_messages },
            activity_interval: idle_timeout.map(|timeout| timeout / ACTIVITY_REPORTS_PER_TIMEOUT),
        };
        Self {
            handshakes: Handshakes::new(settings),
            permits: Arc::new(Semaphore::new(fd_budget.connections)),
            connection_limit: fd_budget.connections,
            unauthenticated: Unauthenticated::new(
                settings.unauthenticated_limit,
                settings.unauthenticated_limit_per_address,
                time,
                Arc::clone(&metrics),
            ),
            rejections: Rejections::new(fd_budget.rejections),
            next_conn: AtomicU64::new(1),
            countries,
            sessions: Arc::new(sessions),
            limits: Limits { message: settings.login_message_limit, ..settings.limits() },
            large_messages: LargeMessages::new(
                settings.large_message_memory / UNAUTHENTICATED_MEMORY_DIVISOR,
                settings.login_message_limit,
                settings.large_message_rate,
            ),
            is_ready: watch::channel(true).1,
            metrics,
        }
    }

    /// Accepts clients only while this is true.
    #[cfg(feature = "nats")]
    pub(crate) fn while_ready(self, is_ready: watch::Receiver<bool>) -> Self {
        Self { is_ready, ..self }
    }

    /// Waits until all connections have ended.
    pub(crate) async fn wait_until_empty(&self) {
        let all = u32::try_from(self.connection_limit).unwrap_or(u32::MAX);
        let _ = self.permits.acquire_many(all).await;
    }

    /// Admits or rejects a new connection.
    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, format: WireFormat, proxy: bool) {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        let guard = match self.unauthenticated.admit(self.counted(Some(peer.ip())), permit.is_some()) {
            Ok(guard) => guard,
            Err(why) => return self.reject(stream, peer, format, why),
        };
        if let Err(error) = tcp::prepare(&stream) {
            return self.note_refused(peer, format, "lost", &error.to_string());
        }
        let acceptor = Arc::clone(self);
        tokio::spawn(async move {
            let Some(permit) = acceptor.find_permit(permit).await else {
                return acceptor.reject(stream, peer, format, RejectReason::ConnectionLimit);
            };
            let is_ready = tokio::select! {
                is_ready = acceptor.wait_until_ready() => is_ready,
                () = guard.signal.notified() => return,
            };
            if !is_ready {
                return acceptor.reject(stream, peer, format, RejectReason::OutOfTouch);
            }
            let handshake = tokio::select! {
                handshake = acceptor.handshakes.perform(stream, peer, format, proxy) => handshake,
                // The connection was closed to make room for another one, which counted the end.
                () = guard.signal.notified() => return,
            };
            match handshake {
                Ok(handshaken) => acceptor.begin_session(handshaken, peer, format, permit, guard).await,
                Err(error) => acceptor.note_refused(peer, format, error.reason, &error.details),
            }
        });
    }

    /// Returns the permit, or waits for the one of a connection that is about to end.
    async fn find_permit(&self, permit: Option<OwnedSemaphorePermit>) -> Option<OwnedSemaphorePermit> {
        match permit {
            Some(permit) => Some(permit),
            None => timeout(PERMIT_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await?.ok(),
        }
    }

    /// Returns whether clients are accepted, or will be in a moment, for which it waits.
    async fn wait_until_ready(&self) -> bool {
        let mut is_ready = self.is_ready.clone();
        // Fails if nobody will ever change it.
        matches!(timeout(READY_TIMEOUT, is_ready.wait_for(|is_ready| *is_ready)).await, Some(Ok(_)))
    }

    /// Rejects a client that has just connected, and sends it the reason.
    fn reject(&self, stream: TcpStream, peer: SocketAddr, format: WireFormat, why: RejectReason) {
        self.note_refused(peer, format, why.reason(), "");
        self.rejections.reject(stream, format, why);
    }

    fn note_refused(&self, peer: SocketAddr, format: WireFormat, reason: &'static str, details: &str) {
        tracing::debug!(%peer, %format, details, "no connection: {reason}");
        self.metrics.count_refused(reason);
    }

    /// Returns the address if connections from it are counted together. Those from a trusted proxy
    /// are not, because they belong to many clients.
    fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        address.filter(|address| !self.handshakes.is_trusted(*address))
    }

    async fn begin_session(
        &self,
        handshaken: Handshaken,
        peer: SocketAddr,
        format: WireFormat,
        permit: OwnedSemaphorePermit,
        guard: UnauthenticatedGuard,
    ) {
        let counted = self.counted(handshaken.address);
        if let Err(why) = guard.set_address(counted) {
            self.note_refused(peer, format, why.reason(), "");
            return self.rejections.close_with_notice(handshaken.stream, format, why);
        }
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let address = handshaken.address.map(|address| address.to_canonical());
        let country = address.map(|address| self.countries.of(address)).unwrap_or_default();
        tracing::debug!(conn = conn.0, %format, ?address, "connected");
        // The widest network that is counted shares the memory for large messages.
        let shared_by = counted.and_then(|address| Network::counted(address).last());
        let shared_by = shared_by.map(|(network, _)| network.address());
        let settings = faf_connection::Settings {
            role: Role::Server,
            limits: self.limits,
            large_messages: Some(Share { of: Arc::clone(&self.large_messages), address: shared_by }),
            sent: Arc::clone(&self.metrics.sent),
            received: handshaken.received,
            ..faf_connection::Settings::new(format)
        };
        let (reader, writer) = open_tcp(handshaken.stream, settings);
        if guard.begin_session(&writer).is_err() {
            return;
        }
        let slot = ConnectionSlot::new(permit, guard);
        let connected = Event::Connected { conn, address, country, session: session_number() };
        let connect = Input::Connect(conn, writer, Arc::clone(&slot), connected);
        if self.sessions.inbox.send(connect).await.is_ok() {
            // The session gets a new task: the one of the handshake holds much more memory.
            let mut session = Session::new(conn, reader, slot, Arc::clone(&self.sessions));
            tokio::spawn(async move { session.run().await });
        }
    }
}

/// Returns a number for `ask_session`. It is neither secret nor unique, so 0 will do if the
/// operating system has no randomness.
fn session_number() -> SessionNumber {
    // The largest number means none (session.md section 3).
    SessionNumber(getrandom::u32().unwrap_or_default().min(u32::MAX - 1))
}
