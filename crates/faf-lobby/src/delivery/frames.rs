//! A message as bytes: encoded at most once in every encoding, and shared by all who get it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use faf_protocol::server_message::Merging;
use faf_protocol::{Encoding, ServerMessage};

/// Bytes of all frames that a client still waits for, without current snapshots.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameMemory(Arc<AtomicUsize>);

impl FrameMemory {
    /// In bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A message, and its bytes in the encodings that were asked for so far.
#[derive(Debug)]
pub(crate) struct Frames {
    message: ServerMessage,
    /// None inside for an encoding that cannot express the message.
    encoded: [OnceLock<Option<Bytes>>; Encoding::ALL.len()],
    is_snapshot: bool,
    /// Whether it counts: all frames do but current snapshots.
    counts: AtomicBool,
    /// How much was counted, in bytes.
    counted: AtomicUsize,
    memory: FrameMemory,
}

impl Frames {
    pub(crate) fn new(message: ServerMessage, memory: &FrameMemory) -> Arc<Self> {
        Self::with(message, false, memory)
    }

    /// A part of a list that logins are sent. It is not merged with later messages, since logins share its
    /// bytes.
    pub(crate) fn of_snapshot(message: ServerMessage, memory: &FrameMemory) -> Arc<Self> {
        Self::with(message, true, memory)
    }

    fn with(message: ServerMessage, is_snapshot: bool, memory: &FrameMemory) -> Arc<Self> {
        Arc::new(Self {
            message,
            encoded: Default::default(),
            is_snapshot,
            counts: AtomicBool::new(!is_snapshot),
            counted: AtomicUsize::default(),
            memory: memory.clone(),
        })
    }

    /// Returns the bytes; none if the encoding cannot express the message, which would be a bug of the lobby.
    pub(crate) fn get(&self, encoding: impl Into<Encoding>) -> Option<&Bytes> {
        let encoding = encoding.into();
        let encoded = self.encoded[encoding as usize].get_or_init(|| match encoding.encode(&self.message) {
            Ok(frame) => {
                // Snapshots are kept for the next logins, without the spare capacity of the encoder.
                let frame = if self.is_snapshot { Bytes::copy_from_slice(&frame) } else { frame };
                if self.counts.load(Ordering::Relaxed) {
                    self.count(frame.len());
                }
                Some(frame)
            }
            Err(error) => {
                tracing::error!(%error, ?encoding, "a message cannot be encoded and is not sent");
                None
            }
        });
        encoded.as_ref()
    }

    /// Whether [`get`](Self::get) takes long: it is a snapshot that was not encoded in this encoding before.
    pub(crate) fn takes_time(&self, encoding: Encoding) -> bool {
        self.is_snapshot && self.encoded[encoding as usize].get().is_none()
    }

    /// No login is sent this snapshot any more. There may be any number of these, so it counts from now on.
    pub(crate) fn retire(&self) {
        if !self.counts.swap(true, Ordering::Relaxed) {
            self.count(self.bytes());
        }
    }

    fn count(&self, bytes: usize) {
        self.counted.fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns its size in all encodings that were used so far, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.encoded.iter().filter_map(|encoded| Some(encoded.get()?.as_ref()?.len())).sum()
    }

    pub(crate) fn message(&self) -> &ServerMessage {
        &self.message
    }

    pub(crate) fn is_snapshot(&self) -> bool {
        self.is_snapshot
    }

    /// Returns whether a newer message may replace it while it waits.
    pub(crate) fn merging(&self) -> Merging {
        if self.is_snapshot { Merging::Never } else { self.message.merging() }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(*self.counted.get_mut(), Ordering::Relaxed);
    }
}
