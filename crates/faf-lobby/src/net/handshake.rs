//! Handshakes, before the first message of a connection: the PROXY header, and the upgrade
//! to WebSocket.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use faf_connection::forwarded::{self, Forwarded};
use faf_connection::proxy;
use faf_connection::running_time::timeout;
use faf_connection::upgrade::{self, Endpoint};
use faf_protocol::WireFormat;
use tokio::net::TcpStream;

use crate::config::{Settings, TrustedProxy, seconds};

/// Most characters of an invalid header that are logged.
const LOGGED_HEADER_CHARS: usize = 200;

/// Performs handshakes.
#[derive(Debug)]
pub(super) struct Handshakes {
    trusted_proxies: Vec<TrustedProxy>,
    time_limit: Duration,
    endpoint: Endpoint,
    /// Used when the peer is a trusted proxy.
    trusted_endpoint: Endpoint,
    warnings: ProxyWarnings,
}

/// A connection whose first message can be read.
pub(super) struct Handshaken {
    pub(super) stream: TcpStream,
    /// Bytes that the client has sent already.
    pub(super) received: BytesMut,
    /// The client's address, if it is known.
    pub(super) address: Option<IpAddr>,
}

/// The reason a handshake failed.
pub(super) struct HandshakeError {
    /// Metric label.
    pub(super) reason: &'static str,
    pub(super) details: String,
}

impl Handshakes {
    pub(super) fn new(settings: &Settings) -> Self {
        let endpoint = Endpoint {
            path: settings.websocket_path.clone(),
            origins: settings.websocket_origins.clone(),
            forwarded_header: None,
        };
        let forwarded_header = settings.forwarded_header.parse().ok();
        Self {
            trusted_proxies: settings.trusted_proxies.clone(),
            time_limit: seconds(settings.handshake_timeout),
            trusted_endpoint: Endpoint { forwarded_header, ..endpoint.clone() },
            endpoint,
            warnings: ProxyWarnings::default(),
        }
    }

    /// Returns whether an address is that of a trusted proxy.
    pub(super) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|proxy| proxy.includes(address))
    }

    /// Performs the handshake of a connection, within the time limit. With `proxy`, the connection
    /// begins with a PROXY header.
    pub(super) async fn perform(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        format: WireFormat,
        proxy: bool,
    ) -> Result<Handshaken, HandshakeError> {
        let handshake = self.perform_untimed(stream, peer, format, proxy);
        let too_late = || Err(HandshakeError::new("timeout", "the client takes too long"));
        timeout(self.time_limit, handshake).await.unwrap_or_else(too_late)
    }

    async fn perform_untimed(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        format: WireFormat,
        proxy: bool,
    ) -> Result<Handshaken, HandshakeError> {
        // Only trusted proxies may name the client's address, in either header.
        let is_trusted = self.is_trusted(peer.ip());
        let mut address = Some(peer.ip());
        if proxy {
            if !is_trusted {
                self.warnings.untrusted(peer);
                return Err(HandshakeError::new("untrusted proxy", "see trusted_proxies"));
            }
            let announced = proxy::read_header(&mut stream).await.map_err(|error| {
                self.warnings.bad_header(peer, &error);
                HandshakeError::new("PROXY header", error.to_string())
            })?;
            address = Some(announced.unwrap_or(peer).ip());
        }
        if !format.has_upgrade() {
            return Ok(Handshaken { stream, received: BytesMut::new(), address });
        }
        let endpoint = if is_trusted { &self.trusted_endpoint } else { &self.endpoint };
        let upgraded = upgrade::accept(stream, endpoint).await;
        let upgraded = upgraded.map_err(|error| HandshakeError::new("upgrade", error.to_string()))?;
        if let Some(forwarded_for) = upgraded.forwarded_for {
            address = match forwarded::read(&forwarded_for) {
                Forwarded::From(address) => Some(address),
                Forwarded::Unknown => None,
                Forwarded::NotUnderstood => {
                    self.warnings.bad_forwarded(peer, &forwarded_for);
                    None
                }
            };
        }
        Ok(Handshaken { stream: upgraded.stream, received: upgraded.received, address })
    }
}

impl HandshakeError {
    fn new(reason: &'static str, details: impl Into<String>) -> Self {
        Self { reason, details: details.into() }
    }
}

/// Warnings about proxies. Each is logged once: the reason is the same for every client of a proxy,
/// and addresses of clients are logged at debug only.
#[derive(Debug, Default)]
struct ProxyWarnings {
    untrusted: AtomicBool,
    header: AtomicBool,
    forwarded: AtomicBool,
}

impl ProxyWarnings {
    fn untrusted(&self, peer: SocketAddr) {
        if !self.untrusted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a connection to a listener for proxies does not come from one of trusted_proxies and is refused; each \
                 such connection is logged at debug"
            );
        }
        tracing::debug!(%peer, "not one of trusted_proxies");
    }

    fn bad_header(&self, peer: SocketAddr, error: &proxy::ProxyError) {
        // A peer that leaves before the end of the header has not sent a wrong one.
        if !matches!(error, proxy::ProxyError::Io(_)) && !self.header.swap(true, Ordering::Relaxed) {
            tracing::warn!(proxy = %peer.ip(), %error, "a trusted proxy's header is refused; each is logged at debug");
        }
    }

    fn bad_forwarded(&self, peer: SocketAddr, header: &str) {
        if !self.forwarded.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                proxy = %peer.ip(),
                "the forwarded_header of a trusted proxy is not an address, so its clients have none; each such \
                 header is logged at debug"
            );
        }
        let header: String = header.chars().take(LOGGED_HEADER_CHARS).collect();
        tracing::debug!(proxy = %peer.ip(), header, "not an address");
    }
}
