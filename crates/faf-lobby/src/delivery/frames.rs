//! Frames: a message as bytes, encoded at most once in every encoding and shared by all
//! its receivers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use faf_protocol::server_message::Merging;
use faf_protocol::{Encoding, ServerMessage};

/// Total size of all frames in memory, without current snapshots.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameMemory(Arc<AtomicUsize>);

impl FrameMemory {
    /// Returns the total, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A message, and its bytes in the encodings used so far.
#[derive(Debug)]
pub(crate) struct Frames {
    message: ServerMessage,
    /// Bytes by encoding. The inner `None` stands for an encoding that cannot express the message.
    encoded: [OnceLock<Option<Bytes>>; Encoding::ALL.len()],
    is_snapshot: bool,
    /// Whether the bytes count in the total: those of current snapshots do not.
    counts: AtomicBool,
    /// Bytes counted so far.
    counted: AtomicUsize,
    memory: FrameMemory,
}

impl Frames {
    pub(crate) fn new(message: ServerMessage, memory: &FrameMemory) -> Arc<Self> {
        Self::with(message, false, memory)
    }

    /// Creates the frames of a part of a list for logins. It is not merged with later messages,
    /// since logins share its bytes.
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

    /// Returns the bytes, or `None` if the encoding cannot express the message, which would be a
    /// bug of the lobby.
    pub(crate) fn get(&self, encoding: impl Into<Encoding>) -> Option<&Bytes> {
        let encoding = encoding.into();
        let encoded = self.encoded[encoding as usize].get_or_init(|| match encoding.encode(&self.message) {
            Ok(frame) => {
                // Snapshots are kept for the next logins, without the spare capacity of
                // the encoder.
                let frame = if self.is_snapshot { Bytes::copy_from_slice(&frame) } else { frame };
                if self.counts.load(Ordering::Relaxed) {
                    self.count(frame.len());
                }
                Some(frame)
            }
            Err(error) => {
                tracing::error!(%error, ?encoding, "cannot encode a message, which is not sent");
                None
            }
        });
        encoded.as_ref()
    }

    /// Returns whether [`get`](Self::get) would take long: for a snapshot that was not encoded in
    /// this encoding before.
    pub(crate) fn takes_time(&self, encoding: Encoding) -> bool {
        self.is_snapshot && self.encoded[encoding as usize].get().is_none()
    }

    /// Counts a snapshot from now on, because further logins will not share it. There may be any
    /// number of such snapshots.
    pub(crate) fn retire(&self) {
        if !self.counts.swap(true, Ordering::Relaxed) {
            self.count(self.bytes());
        }
    }

    fn count(&self, bytes: usize) {
        self.counted.fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the size in all encodings used so far, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.encoded.iter().filter_map(|encoded| Some(encoded.get()?.as_ref()?.len())).sum()
    }

    pub(crate) fn message(&self) -> &ServerMessage {
        &self.message
    }

    pub(crate) fn is_snapshot(&self) -> bool {
        self.is_snapshot
    }

    /// Returns how newer messages may replace this one while it waits.
    pub(crate) fn merging(&self) -> Merging {
        if self.is_snapshot { Merging::Never } else { self.message.merging() }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(*self.counted.get_mut(), Ordering::Relaxed);
    }
}
