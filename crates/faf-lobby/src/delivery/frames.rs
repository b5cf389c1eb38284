//! A message as bytes: encoded at most once in every encoding, and shared by all who get it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use faf_protocol::server_message::Merging;
use faf_protocol::{Encoding, ServerMessage};

/// How many bytes frames take that somebody still waits for, without lists that newcomers are still told.
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
    /// It counts, if it is no list, or one that nobody is told any more.
    counts: AtomicBool,
    /// As far as it counts, in bytes.
    counted: AtomicUsize,
    memory: FrameMemory,
}

impl Frames {
    pub(crate) fn new(message: ServerMessage, memory: &FrameMemory) -> Arc<Self> {
        Self::with(message, false, memory)
    }

    /// Part of a list that everybody gets who logs in. It is not merged with what comes later, since its bytes are shared.
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

    /// None if the message cannot be expressed, which would be a mistake of the lobby.
    pub(crate) fn get(&self, encoding: impl Into<Encoding>) -> Option<&Bytes> {
        let encoding = encoding.into();
        let encoded = self.encoded[encoding as usize].get_or_init(|| match encoding.encode(&self.message) {
            Ok(frame) => {
                // SnapshotCache are kept for the next newcomers; what was reserved to write them is not.
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

    /// Whether [`get`](Self::get) takes long: it is a list that nobody has asked for in this encoding before.
    pub(crate) fn takes_time(&self, encoding: Encoding) -> bool {
        self.is_snapshot && self.encoded[encoding as usize].get().is_none()
    }

    /// Unauthenticated are not told this list any more, so there may be any number of such lists: from now on it counts.
    pub(crate) fn retire(&self) {
        if !self.counts.swap(true, Ordering::Relaxed) {
            self.count(self.bytes());
        }
    }

    fn count(&self, bytes: usize) {
        self.counted.fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What it takes in all encodings that were asked for so far, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.encoded.iter().filter_map(|encoded| Some(encoded.get()?.as_ref()?.len())).sum()
    }

    pub(crate) fn message(&self) -> &ServerMessage {
        &self.message
    }

    pub(crate) fn is_snapshot(&self) -> bool {
        self.is_snapshot
    }

    /// What becomes of it while it waits and something newer comes.
    pub(crate) fn merging(&self) -> Merging {
        if self.is_snapshot { Merging::Never } else { self.message.merging() }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(*self.counted.get_mut(), Ordering::Relaxed);
    }
}
