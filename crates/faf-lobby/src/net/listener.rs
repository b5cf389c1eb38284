//! Listeners: from accepted sockets to sessions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use faf_connection::forwarded::{self, Forwarded};
use faf_connection::running_time::{RunningTime, timeout};
use faf_connection::upgrade::{self, Endpoint};
use faf_connection::{LargeMessages, Share, open_tcp, proxy, tcp};
use faf_lobby_core::{ConnId, Event, Network};
use faf_protocol::websocket::Role;
use faf_protocol::{Limits, SessionNumber, WireFormat};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::config::{Settings, TrustedProxy};
use crate::lobby::event_loop::Input;
use crate::net::country::Countries;
use crate::net::fd_budget::FdBudget;
use crate::net::rejection::{RejectReason, Rejections};
use crate::net::session::{PlayerLimits, Session, SessionContext};
use crate::net::slot::ConnectionSlot;
use crate::net::unauthenticated::{Unauthenticated, UnauthenticatedGuard};
use crate::ops::metrics::Metrics;

/// How long somebody waits for the permit of a connection that is being ended.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Strangers have memory for large messages besides the players': so many times less. Of their messages, which are small,
/// a thousand fit by default.
const UNAUTHENTICATED_MEMORY_DIVISOR: usize = 8;

/// So much of a header that is no address is logged, in characters.
const LOGGED_HEADER_CHARS: usize = 200;

/// How often the lobby hears, at most, of bytes that come of an unfinished message: so many times in idle_timeout.
const ACTIVITY_REPORTS_PER_TIMEOUT: u32 = 8;

/// What all listeners share.
#[derive(Debug)]
pub(crate) struct Acceptor {
    sessions: Arc<SessionContext>,
    metrics: Arc<Metrics>,
    countries: Arc<Countries>,
    permits: Arc<Semaphore>,
    connection_limit: usize,
    unauthenticated: Arc<Unauthenticated>,
    rejections: Rejections,
    next_conn: AtomicU64,
    trusted_proxies: Vec<TrustedProxy>,
    handshake_timeout: Duration,
    /// For peers whose word is taken for whose connection they pass on.
    trusted_endpoint: Endpoint,
    endpoint: Endpoint,
    /// What is accepted from whoever has not logged in.
    limits: Limits,
    /// Memory for their large messages. Not that of the players: nobody who only connects may keep them waiting.
    large_messages: Arc<LargeMessages>,
    /// What has been proxy_warnings of proxies that are not understood.
    proxy_warnings: ProxyWarnings,
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
        let mut tell = tcp::now_and_then(
            |error| tracing::error!(%error, format = %self.format, "a connection cannot be accepted"),
        );
        loop {
            let (stream, peer) = tcp::accept(&self.socket, &mut tell).await;
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
        let endpoint = Endpoint {
            path: settings.websocket_path.clone(),
            origins: settings.websocket_origins.clone(),
            forwarded_header: None,
        };
        let forwarded_header = settings.forwarded_header.parse().ok();
        let (most, per_address) =
            (settings.unauthenticated_limit, settings.unauthenticated_limit_per_address);
        let player_limits = PlayerLimits { message: settings.message_limit, large_messages };
        let activity_interval =
            settings.lobby().idle_timeout.map(|timeout| timeout / ACTIVITY_REPORTS_PER_TIMEOUT);
        let sessions = Arc::new(SessionContext {
            inbox,
            metrics: Arc::clone(&metrics),
            player_limits,
            activity_interval,
        });
        Self {
            unauthenticated: Unauthenticated::new(most, per_address, time, Arc::clone(&metrics)),
            rejections: Rejections::new(fd_budget.rejections),
            sessions,
            metrics,
            countries,
            permits: Arc::new(Semaphore::new(fd_budget.connections)),
            connection_limit: fd_budget.connections,
            next_conn: AtomicU64::new(1),
            trusted_proxies: settings.trusted_proxies.clone(),
            handshake_timeout: settings.handshake_timeout(),
            trusted_endpoint: Endpoint { forwarded_header, ..endpoint.clone() },
            endpoint,
            limits: Limits { message: settings.login_message_limit, ..settings.limits() },
            large_messages: LargeMessages::new(
                settings.large_message_memory / UNAUTHENTICATED_MEMORY_DIVISOR,
                settings.login_message_limit,
                settings.large_message_rate,
            ),
            proxy_warnings: ProxyWarnings::default(),
        }
    }

    /// Waits until all connections have ended.
    pub(crate) async fn wait_until_empty(&self) {
        let all = u32::try_from(self.connection_limit).unwrap_or(u32::MAX);
        let _ = self.permits.acquire_many(all).await;
    }

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
            let handshake =
                timeout(acceptor.handshake_timeout, acceptor.handshake(stream, peer, format, proxy));
            let refused = tokio::select! {
                shaken = handshake => match shaken {
                    Some(Ok(handshaken)) => {
                        return acceptor.begin_session(handshaken, peer, format, permit, guard).await;
                    }
                    Some(Err(refused)) => refused,
                    None => Refused { reason: "timeout", details: "the client takes too long".to_owned() },
                },
                // Whoever has ended it has counted it, too.
                () = guard.signal.notified() => return,
            };
            acceptor.note_refused(peer, format, refused.reason, &refused.details);
        });
    }

    /// A permit, for which another connection may be about to end.
    async fn find_permit(&self, permit: Option<OwnedSemaphorePermit>) -> Option<OwnedSemaphorePermit> {
        match permit {
            Some(permit) => Some(permit),
            None => timeout(PERMIT_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await?.ok(),
        }
    }

    /// Counts a client that has just connected as refused, and tells it why.
    fn reject(&self, stream: TcpStream, peer: SocketAddr, format: WireFormat, why: RejectReason) {
        self.note_refused(peer, format, why.reason(), "");
        self.rejections.reject(stream, format, why);
    }

    fn note_refused(&self, peer: SocketAddr, format: WireFormat, reason: &'static str, details: &str) {
        tracing::debug!(%peer, %format, details, "no connection: {reason}");
        self.metrics.count_refused(reason);
    }

    /// An address under which connections are counted: not that of a trusted proxy, who speaks for many.
    fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        address.filter(|address| !self.is_trusted(*address))
    }

    /// What comes before the first message: the PROXY header, and the upgrade to WebSocket.
    async fn handshake(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        format: WireFormat,
        proxy: bool,
    ) -> Result<Handshaken, Refused> {
        let is_trusted = self.is_trusted(peer.ip());
        let mut address = Some(peer.ip());
        if proxy {
            if !is_trusted {
                self.proxy_warnings.of_stranger(peer);
                return Err(Refused { reason: "untrusted proxy", details: "see trusted_proxies".to_owned() });
            }
            let announced = proxy::read_header(&mut stream).await;
            let announced = announced.map_err(|error| {
                self.proxy_warnings.of_header(peer, &error);
                Refused::new("PROXY header", &error)
            })?;
            address = Some(announced.unwrap_or(peer).ip());
        }
        if !format.has_upgrade() {
            return Ok(Handshaken { stream, received: BytesMut::new(), address });
        }
        let endpoint = if is_trusted { &self.trusted_endpoint } else { &self.endpoint };
        let upgraded =
            upgrade::accept(stream, endpoint).await.map_err(|error| Refused::new("upgrade", &error))?;
        if let Some(forwarded_for) = upgraded.forwarded_for {
            address = match forwarded::read(&forwarded_for) {
                Forwarded::From(address) => Some(address),
                Forwarded::Unknown => None,
                Forwarded::NotUnderstood => {
                    self.proxy_warnings.of_forwarded(peer, &forwarded_for);
                    None
                }
            };
        }
        Ok(Handshaken { stream: upgraded.stream, received: upgraded.received, address })
    }

    async fn begin_session(
        &self,
        handshaken: Handshaken,
        peer: SocketAddr,
        format: WireFormat,
        permit: OwnedSemaphorePermit,
        guard: UnauthenticatedGuard,
    ) {
        if let Err(why) = guard.set_address(self.counted(handshaken.address)) {
            self.note_refused(peer, format, why.reason(), "");
            return self.rejections.close_with_notice(handshaken.stream, format, why);
        }
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let address = handshaken.address.map(|address| address.to_canonical());
        let country = address.map(|address| self.countries.of(address)).unwrap_or_default();
        tracing::debug!(conn = conn.0, %format, ?address, "connected");
        // The widest network that is counted.
        let shared_by = self.counted(handshaken.address).and_then(|address| Network::counted(address).last());
        let shared_by = shared_by.map(|(network, _)| network.address());
        let settings = faf_connection::Settings {
            format,
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
            // A task of its own: the one that shook hands held much more memory.
            let mut session = Session::new(conn, reader, slot, Arc::clone(&self.sessions));
            tokio::spawn(async move { session.run().await });
        }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|proxy| proxy.includes(address))
    }
}

/// What operators have been proxy_warnings of proxies whose word cannot be taken. Each is proxy_warnings once: it is the same for every client of
/// that proxy, and their addresses, which the rest may show, belong into the log at debug only.
#[derive(Debug, Default)]
struct ProxyWarnings {
    stranger: AtomicBool,
    header: AtomicBool,
    forwarded: AtomicBool,
}

impl ProxyWarnings {
    fn of_stranger(&self, peer: SocketAddr) {
        if !self.stranger.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a connection to a listener for proxies does not come from one of trusted_proxies and is refused; at debug, the log \
                 tells of each"
            );
        }
        tracing::debug!(%peer, "this is none of trusted_proxies");
    }

    fn of_header(&self, peer: SocketAddr, error: &proxy::ProxyError) {
        // Whoever has gone before the end of it has not been misunderstood.
        if !matches!(error, proxy::ProxyError::Io(_)) && !self.header.swap(true, Ordering::Relaxed) {
            tracing::warn!(proxy = %peer.ip(), %error, "a trusted proxy's header is refused; at debug, the log tells of each");
        }
    }

    fn of_forwarded(&self, peer: SocketAddr, header: &str) {
        if !self.forwarded.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                proxy = %peer.ip(),
                "the forwarded_header of a trusted proxy is no address, so that its clients have none; at debug, the log shows it"
            );
        }
        let header: String = header.chars().take(LOGGED_HEADER_CHARS).collect();
        tracing::debug!(proxy = %peer.ip(), header, "this is no address");
    }
}

/// A client that may send its first message.
struct Handshaken {
    stream: TcpStream,
    /// What it has sent already.
    received: BytesMut,
    address: Option<IpAddr>,
}

/// Why somebody did not get in.
struct Refused {
    reason: &'static str,
    details: String,
}

impl Refused {
    fn new(reason: &'static str, error: &dyn std::error::Error) -> Self {
        Self { reason, details: error.to_string() }
    }
}

/// It is neither secret nor unique, so that a failing source of randomness is no reason to turn anybody away.
fn session_number() -> SessionNumber {
    // The largest number is none (session.md section 3).
    SessionNumber(getrandom::u32().unwrap_or_default().min(u32::MAX - 1))
}
