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

use crate::country::Countries;
use crate::lobby::Input;
use crate::metrics::Metrics;
use crate::newcomers::{Newcomer, Newcomers};
use crate::open_files::Shares;
use crate::seat::Seat;
use crate::session::{self, PlayerLimits, Session};
use crate::settings::{Settings, TrustedProxy};
use crate::turned_away::{Farewells, TurnedAway};

/// How long somebody waits for the place of a connection that is being ended.
const ROOM_TIMEOUT: Duration = Duration::from_secs(1);

/// Strangers have memory for large messages besides the players': so many times less. Of their messages, which are small,
/// a thousand fit by default.
const STRANGERS_SHARE: usize = 8;

/// So much of a header that is no address is logged, in characters.
const SHOWN: usize = 200;

/// How often the lobby hears, at most, of bytes that come of an unfinished message: so many times in idle_timeout.
const SIGNS_OF_LIFE: u32 = 8;

/// What all listeners share.
#[derive(Debug)]
pub(crate) struct Entrance {
    sessions: Arc<session::Lobby>,
    metrics: Arc<Metrics>,
    countries: Arc<Countries>,
    places: Arc<Semaphore>,
    connection_limit: usize,
    newcomers: Arc<Newcomers>,
    farewells: Farewells,
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
    /// What has been told of proxies that are not understood.
    told: ToldOfProxies,
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
    pub(crate) async fn run(self, entrance: Arc<Entrance>) {
        let mut tell = tcp::now_and_then(
            |error| tracing::error!(%error, format = %self.format, "a connection cannot be accepted"),
        );
        loop {
            let (stream, peer) = tcp::accept(&self.socket, &mut tell).await;
            entrance.admit(stream, peer, self.format, self.proxy);
        }
    }
}

impl Entrance {
    pub(crate) fn new(
        settings: &Settings,
        shares: Shares,
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
        let heard_every = settings.lobby().idle_timeout.map(|timeout| timeout / SIGNS_OF_LIFE);
        let sessions =
            Arc::new(session::Lobby { inbox, metrics: Arc::clone(&metrics), player_limits, heard_every });
        Self {
            newcomers: Newcomers::new(most, per_address, time, Arc::clone(&metrics)),
            farewells: Farewells::new(shares.farewells),
            sessions,
            metrics,
            countries,
            places: Arc::new(Semaphore::new(shares.connections)),
            connection_limit: shares.connections,
            next_conn: AtomicU64::new(1),
            trusted_proxies: settings.trusted_proxies.clone(),
            handshake_timeout: settings.handshake_timeout(),
            trusted_endpoint: Endpoint { forwarded_header, ..endpoint.clone() },
            endpoint,
            limits: Limits { message: settings.login_message_limit, ..settings.limits() },
            large_messages: LargeMessages::new(
                settings.large_message_memory / STRANGERS_SHARE,
                settings.login_message_limit,
                settings.large_message_rate,
            ),
            told: ToldOfProxies::default(),
        }
    }

    /// Waits until all connections have ended.
    pub(crate) async fn wait_until_empty(&self) {
        let all = u32::try_from(self.connection_limit).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, format: WireFormat, proxy: bool) {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let newcomer = match self.newcomers.admit(self.counted(Some(peer.ip())), place.is_some()) {
            Ok(newcomer) => newcomer,
            Err(why) => return self.turn_away(stream, peer, format, why),
        };
        if let Err(error) = tcp::prepare(&stream) {
            return self.note_refused(peer, format, "lost", &error.to_string());
        }
        let entrance = Arc::clone(self);
        tokio::spawn(async move {
            let Some(place) = entrance.find_place(place).await else {
                return entrance.turn_away(stream, peer, format, TurnedAway::ConnectionLimit);
            };
            let shaking_hands =
                timeout(entrance.handshake_timeout, entrance.shake_hands(stream, peer, format, proxy));
            let refused = tokio::select! {
                shaken = shaking_hands => match shaken {
                    Some(Ok(arrival)) => {
                        return entrance.begin_session(arrival, peer, format, place, newcomer).await;
                    }
                    Some(Err(refused)) => refused,
                    None => Refused { reason: "timeout", details: "the client takes too long".to_owned() },
                },
                // Whoever has ended it has counted it, too.
                () = newcomer.signal.notified() => return,
            };
            entrance.note_refused(peer, format, refused.reason, &refused.details);
        });
    }

    /// A place, for which another connection may be about to end.
    async fn find_place(&self, place: Option<OwnedSemaphorePermit>) -> Option<OwnedSemaphorePermit> {
        match place {
            Some(place) => Some(place),
            None => timeout(ROOM_TIMEOUT, Arc::clone(&self.places).acquire_owned()).await?.ok(),
        }
    }

    /// Counts a client that has just connected as refused, and tells it why.
    fn turn_away(&self, stream: TcpStream, peer: SocketAddr, format: WireFormat, why: TurnedAway) {
        self.note_refused(peer, format, why.reason(), "");
        self.farewells.refuse(stream, format, why);
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
    async fn shake_hands(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        format: WireFormat,
        proxy: bool,
    ) -> Result<Arrival, Refused> {
        let is_trusted = self.is_trusted(peer.ip());
        let mut address = Some(peer.ip());
        if proxy {
            if !is_trusted {
                self.told.of_stranger(peer);
                return Err(Refused { reason: "untrusted proxy", details: "see trusted_proxies".to_owned() });
            }
            let announced = proxy::read_header(&mut stream).await;
            let announced = announced.map_err(|error| {
                self.told.of_header(peer, &error);
                Refused::new("PROXY header", &error)
            })?;
            address = Some(announced.unwrap_or(peer).ip());
        }
        if !format.has_upgrade() {
            return Ok(Arrival { stream, received: BytesMut::new(), address });
        }
        let endpoint = if is_trusted { &self.trusted_endpoint } else { &self.endpoint };
        let upgraded =
            upgrade::accept(stream, endpoint).await.map_err(|error| Refused::new("upgrade", &error))?;
        if let Some(forwarded_for) = upgraded.forwarded_for {
            address = match forwarded::read(&forwarded_for) {
                Forwarded::From(address) => Some(address),
                Forwarded::Unknown => None,
                Forwarded::NotUnderstood => {
                    self.told.of_forwarded(peer, &forwarded_for);
                    None
                }
            };
        }
        Ok(Arrival { stream: upgraded.stream, received: upgraded.received, address })
    }

    async fn begin_session(
        &self,
        arrival: Arrival,
        peer: SocketAddr,
        format: WireFormat,
        place: OwnedSemaphorePermit,
        newcomer: Newcomer,
    ) {
        if let Err(why) = newcomer.comes_from(self.counted(arrival.address)) {
            self.note_refused(peer, format, why.reason(), "");
            return self.farewells.dismiss(arrival.stream, format, why);
        }
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let address = arrival.address.map(|address| address.to_canonical());
        let country = address.map(|address| self.countries.of(address)).unwrap_or_default();
        tracing::debug!(conn = conn.0, %format, ?address, "connected");
        // The widest network that is counted.
        let shared_by = self.counted(arrival.address).and_then(|address| Network::counted(address).last());
        let shared_by = shared_by.map(|(network, _)| network.address());
        let settings = faf_connection::Settings {
            format,
            role: Role::Server,
            limits: self.limits,
            large_messages: Some(Share { of: Arc::clone(&self.large_messages), address: shared_by }),
            sent: Arc::clone(&self.metrics.sent),
            received: arrival.received,
            ..faf_connection::Settings::new(format)
        };
        let (reader, writer) = open_tcp(arrival.stream, settings);
        if newcomer.begins_session(&writer).is_err() {
            return;
        }
        let seat = Seat::new(place, newcomer);
        let connected = Event::Connected { conn, address, country, session: session_number() };
        let connect = Input::Connect(conn, writer, Arc::clone(&seat), connected);
        if self.sessions.inbox.send(connect).await.is_ok() {
            // A task of its own: the one that shook hands held much more memory.
            let mut session = Session::new(conn, reader, seat, Arc::clone(&self.sessions));
            tokio::spawn(async move { session.run().await });
        }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|proxy| proxy.includes(address))
    }
}

/// What operators have been told of proxies whose word cannot be taken. Each is told once: it is the same for every client of
/// that proxy, and their addresses, which the rest may show, belong into the log at debug only.
#[derive(Debug, Default)]
struct ToldOfProxies {
    stranger: AtomicBool,
    header: AtomicBool,
    forwarded: AtomicBool,
}

impl ToldOfProxies {
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
        let header: String = header.chars().take(SHOWN).collect();
        tracing::debug!(proxy = %peer.ip(), header, "this is no address");
    }
}

/// A client that may send its first message.
struct Arrival {
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
