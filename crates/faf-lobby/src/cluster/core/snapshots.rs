//! When a core writes snapshots, and the work around it: the newest are kept, and the stream is
//! purged up to the oldest of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use faf_lobby_cluster::{Core, CoreRole, Snapshot};
use tokio::sync::mpsc;

use super::CoreOptions;
use crate::cluster::backend::{Backend, BackendError, Operation};
use crate::ops::metrics::CoreFigures;

/// Longest time between snapshots, if anything has happened.
const INTERVAL: Duration = Duration::from_secs(300);

/// Number of snapshots that are kept. If the newest is damaged, a core begins with the one before.
const KEPT: usize = 3;

/// Pause after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// Writes snapshots of a core.
#[derive(Debug)]
pub(super) struct Snapshots {
    backend: Arc<dyn Backend>,
    stream: i64,
    version: String,
    /// Number of messages after which one is due.
    every: u64,
    /// Position of the newest one that is known.
    newest: u64,
    /// Time from which [`INTERVAL`] counts.
    since: Duration,
    /// Whether the work on one is under way.
    is_busy: bool,
    done: mpsc::UnboundedSender<Done>,
    figures: Arc<CoreFigures>,
}

/// The end of a piece of work on snapshots.
#[derive(Debug)]
pub(super) enum Done {
    /// The newest snapshot there is, of any core.
    Newest(u64),
    /// A snapshot was stored.
    Stored(u64),
    Failed(BackendError),
}

impl Snapshots {
    /// `newest`: the position with which this core began.
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        stream: i64,
        options: &CoreOptions,
        newest: u64,
        figures: Arc<CoreFigures>,
    ) -> (Self, mpsc::UnboundedReceiver<Done>) {
        let (done, receiver) = mpsc::unbounded_channel();
        let snapshots = Self {
            backend,
            stream,
            version: options.version.clone(),
            every: options.snapshot_every,
            newest,
            since: Duration::ZERO,
            is_busy: false,
            done,
            figures,
        };
        (snapshots, receiver)
    }

    /// Position of the newest snapshot that is known.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Begins a snapshot if one is due and this core is the one to write it: the first of those
    /// that follow, by name, or the leader if there is none. Another core may have written one, so
    /// it looks first.
    pub(super) fn begin_if_due(&mut self, core: &Core, now: Duration) {
        let position = core.replica().position();
        let is_due =
            position >= self.newest + self.every || now >= self.since + INTERVAL && position > self.newest;
        if self.is_busy || !is_due || !is_writer(core) {
            return;
        }
        self.is_busy = true;
        let (backend, done) = (Arc::clone(&self.backend), self.done.clone());
        tokio::spawn(async move {
            let newest = backend.snapshots().await;
            let newest = newest.map(|all| Done::Newest(all.first().copied().unwrap_or_default()));
            // The loop may have ended.
            let _ = done.send(newest.unwrap_or_else(Done::Failed));
        });
    }

    /// Goes on after a piece of work.
    pub(super) fn done(&mut self, done: Done, core: &Core, now: Duration) {
        self.is_busy = false;
        match done {
            Done::Newest(newest) => {
                let since = if newest > self.newest { now } else { self.since };
                (self.newest, self.since) = (self.newest.max(newest), since);
                let position = core.replica().position();
                let is_due = position >= self.newest + self.every || now >= self.since + INTERVAL;
                if is_due && position > self.newest && is_writer(core) {
                    self.write(core);
                }
            }
            Done::Stored(position) => (self.newest, self.since) = (position, now),
            Done::Failed(error) => {
                tracing::error!(%error, "no snapshot is written; trying again");
                self.since = (now + RETRY_PAUSE).saturating_sub(INTERVAL);
                self.is_busy = true;
                let (done, newest) = (self.done.clone(), self.newest);
                tokio::spawn(async move {
                    tokio::time::sleep(RETRY_PAUSE).await;
                    let _ = done.send(Done::Newest(newest));
                });
            }
        }
    }

    /// Serialises the state now, and stores it in another task.
    fn write(&mut self, core: &Core) {
        self.is_busy = true;
        let (position, bytes) = self.encode(core);
        let (backend, done) = (Arc::clone(&self.backend), self.done.clone());
        tokio::spawn(async move {
            let stored = store(&*backend, position, bytes).await;
            let _ = done.send(stored.map_or_else(Done::Failed, |()| Done::Stored(position)));
        });
    }

    /// Serialises the state now. The operation stores it.
    pub(super) fn write_now(&self, core: &Core) -> Operation<'static, ()> {
        let (position, bytes) = self.encode(core);
        let backend = Arc::clone(&self.backend);
        Box::pin(async move { store(&*backend, position, bytes).await })
    }

    fn encode(&self, core: &Core) -> (u64, Bytes) {
        let began = Instant::now();
        let bytes = Bytes::from(Snapshot::encode(core.replica(), &self.version, self.stream));
        let (position, took) = (core.replica().position(), began.elapsed());
        self.figures.count_snapshot(bytes.len(), took);
        tracing::info!(position, bytes = bytes.len(), milliseconds = took.as_millis(), "writing a snapshot");
        (position, bytes)
    }
}

/// Returns whether this core writes the snapshots of its cluster.
fn is_writer(core: &Core) -> bool {
    let first = core.replica().followers().keys().next();
    match core.role() {
        CoreRole::Leading => first.is_none(),
        CoreRole::Following => first == Some(core.name()),
        CoreRole::Suspended | CoreRole::Ended => false,
    }
}

/// Stores a snapshot, and removes what is not needed any more.
async fn store(backend: &dyn Backend, position: u64, bytes: Bytes) -> Result<(), BackendError> {
    backend.put_snapshot(position, bytes).await?;
    backend.keep_snapshots(KEPT).await?;
    // Messages after the oldest snapshot stay: a core may begin with it.
    if let Some(oldest) = backend.snapshots().await?.last() {
        backend.purge_before(oldest + 1).await?;
    }
    Ok(())
}
