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
    /// How messages become bytes.
    pub format: WireFormat,
    /// This side of the connection; default the server's. Makes a difference only to WebSocket.
    pub role: Role,
    /// The limits of messages from the peer.
    pub limits: Limits,
    /// Where memory for large messages is taken from, which connections share; default none, and no
    /// bound but that of each message.
    pub large_messages: Option<Share>,
    /// Most bytes that may wait for the peer; default [`OUTBOX_LIMIT`]. Beyond it, writing fails
    /// with [`OutboxFull`](crate::OutboxFull). A single message is taken by an empty outbox however
    /// large it is.
    pub outbox_limit: usize,
    /// Where messages sent are counted; by default by itself.
    pub sent: Arc<SentMessages>,
    /// Bytes that were received already, for example right after an HTTP upgrade.
    pub received: BytesMut,
}

impl Settings {
    /// The defaults for a wire format.
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

/// Memory for large messages, and whose share of it a connection takes.
#[derive(Debug, Clone)]
pub struct Share {
    /// The memory.
    pub of: Arc<LargeMessages>,
    /// The address that it counts for; without one, nothing but the total counts.
    pub address: Option<IpAddr>,
}

/// How many messages were sent, by wire format. Every message counts once, however it was sent.
#[derive(Debug, Default)]
pub struct SentMessages([AtomicU64; WireFormat::ALL.len()]);

impl SentMessages {
    /// Messages sent in this format so far.
    #[must_use]
    pub fn count(&self, format: WireFormat) -> u64 {
        self.0[format as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, format: WireFormat, messages: u64) {
        self.0[format as usize].fetch_add(messages, Ordering::Relaxed);
    }
}
