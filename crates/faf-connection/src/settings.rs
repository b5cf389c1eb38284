use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use faf_protocol::websocket::Role;
use faf_protocol::{Limits, WireFormat};

use crate::large_messages::LargeMessages;
use crate::outbox::OUTBOX_LIMIT;

/// The settings of a connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Wire format of both directions.
    pub format: WireFormat,
    /// Role of this side; default the server. It matters only for WebSocket.
    pub role: Role,
    /// Limits of messages from the peer.
    pub limits: Limits,
    /// Memory for large messages, which connections share. Without it, which is the default, only
    /// the size of each message is limited.
    pub large_messages: Option<Share>,
    /// Most bytes that may wait for the peer; default [`OUTBOX_LIMIT`]. Beyond it, writing
    /// fails with [`OutboxFull`](crate::OutboxFull). An empty outbox accepts a single message
    /// of any size.
    pub outbox_limit: usize,
    /// Counter of sent messages, which connections may share; default a new one.
    pub sent: Arc<SentMessages>,
    /// Bytes received already, for example right after an HTTP upgrade.
    pub received: BytesMut,
}

impl Settings {
    /// Returns the defaults for a wire format.
    #[must_use]
    pub fn new(format: WireFormat) -> Self {
        Self {
            format,
            role: Role::Server,
            limits: Limits::default(),
            large_messages: None,
            outbox_limit: OUTBOX_LIMIT,
            sent: Arc::default(),
            received: BytesMut::new(),
        }
    }
}

/// Memory for large messages, and the address whose share of it a connection takes.
#[derive(Debug, Clone)]
pub struct Share {
    /// Memory that connections share.
    pub of: Arc<LargeMessages>,
    /// Address for which the memory counts. Without one, only the total is limited.
    pub address: Option<IpAddr>,
}

/// Numbers of messages sent, by wire format. Every way of sending counts a message once.
#[derive(Debug, Default)]
pub struct SentMessages([AtomicU64; WireFormat::ALL.len()]);

impl SentMessages {
    /// Returns the number of messages sent in this format so far.
    #[must_use]
    pub fn count(&self, format: WireFormat) -> u64 {
        self.0[format as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, format: WireFormat, messages: u64) {
        self.0[format as usize].fetch_add(messages, Ordering::Relaxed);
    }
}
