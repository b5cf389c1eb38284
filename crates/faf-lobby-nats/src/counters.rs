//! Counters for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::client::Statistics;

/// Counters since the connection was first opened.
#[derive(Debug, Default)]
pub struct Counters {
    reconnects: AtomicU64,
    bytes_out: AtomicU64,
    messages_out: AtomicU64,
    lost: AtomicU64,
    ended: Mutex<Ended>,
}

/// Sums over the connections that have ended, and the statistics of the current one.
#[derive(Debug, Default)]
struct Ended {
    bytes_in: u64,
    messages_in: u64,
    current: Option<Arc<Statistics>>,
}

/// Messages and bytes over all connections so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages received, also those of the protocol between server and client.
    pub messages_in: u64,
    /// Bytes received, with the framing of the protocol.
    pub bytes_in: u64,
    /// Appends, messages and replies that were queued to be sent.
    pub messages_out: u64,
    /// Bytes of their payloads.
    pub bytes_out: u64,
}

impl Counters {
    /// Number of connections that were opened after one had ended.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// Number of messages that subscriptions missed: see [`Received::Lost`](crate::Received::Lost).
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Returns messages and bytes.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut messages_in, mut bytes_in) = (ended.messages_in, ended.bytes_in);
        if let Some(current) = &ended.current {
            messages_in += current.in_messages.load(Ordering::Relaxed);
            bytes_in += current.in_bytes.load(Ordering::Relaxed);
        }
        Traffic {
            messages_in,
            bytes_in,
            messages_out: self.messages_out.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_reconnect(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, bytes: usize) {
        self.messages_out.fetch_add(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_lost(&self, messages: u64) {
        self.lost.fetch_add(messages, Ordering::Relaxed);
    }

    /// Notes which connection is the current one.
    pub(crate) fn follow(&self, statistics: Arc<Statistics>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = ended.current.replace(statistics) {
            ended.messages_in += last.in_messages.load(Ordering::Relaxed);
            ended.bytes_in += last.in_bytes.load(Ordering::Relaxed);
        }
    }
}
