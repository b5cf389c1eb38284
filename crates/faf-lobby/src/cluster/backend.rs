//! [`Backend`]: the stream and the snapshots of a cluster, as a core needs them before it reads.
//! It is NATS, and memory in tests.

use std::pin::Pin;

use bytes::Bytes;

use super::bus::Bus;

/// An operation of a [`Backend`] that is under way.
pub(crate) type Operation<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// An operation of a [`Backend`] has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackendError {
    /// It may succeed later.
    #[error("{0}")]
    Away(String),
    /// It fails until an operator has changed something, which the text says.
    #[error("{0}")]
    Unusable(String),
}

/// The stream of a cluster at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamState {
    /// Differs between streams, also between those that follow one another under the same name: the
    /// time at which it was created, for example.
    pub(crate) identity: i64,
    /// Sequence number of the first message that it still has, or will have if it has none.
    pub(crate) first: u64,
    /// Sequence number of the last message; zero before the first.
    pub(crate) last: u64,
}

/// The stream and the snapshots of a cluster.
pub(crate) trait Backend: Send + Sync + std::fmt::Debug {
    /// Returns the state of the stream, which is created if there is none.
    fn stream(&self) -> Operation<'_, StreamState>;

    /// Opens a bus for a core, which reads the messages after this position.
    fn read_after(&self, position: u64) -> Operation<'_, Bus>;

    /// Removes all messages before this one from the stream.
    fn purge_before(&self, sequence: u64) -> Operation<'_, ()>;

    /// Stores a snapshot of a replica at a position; one that is there is replaced.
    fn put_snapshot(&self, position: u64, snapshot: Bytes) -> Operation<'_, ()>;

    /// Returns the positions of all snapshots, newest first.
    fn snapshots(&self) -> Operation<'_, Vec<u64>>;

    /// Returns a snapshot.
    fn snapshot(&self, position: u64) -> Operation<'_, Bytes>;

    /// Removes all snapshots but this number of the newest.
    fn keep_snapshots(&self, number: usize) -> Operation<'_, ()>;
}
