//! How a core gets its world: from the newest snapshot that it can use, or, if the cluster has
//! none, from the database.
//!
//! Cores that begin at the same moment read the database each for itself, and what they read may
//! differ. So each stores the beginning of its world as a snapshot and says so in the stream; the
//! first one that says so has begun the world of the cluster, and the others load its snapshot. A
//! message in the stream before that gives each beginning a position of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use faf_lobby_cluster::{Replica, Snapshot, SnapshotError, StreamMessage, WorldId};
use faf_lobby_core::{Event, InitialState, Timestamp};
use tokio::time::{Instant, sleep, timeout_at};

use super::CoreOptions;
use super::upgrade::{self, Waited};
use crate::cluster::backend::{Backend, BackendError, Operation, StreamState};
use crate::cluster::bus::{Bus, BusCommand, BusEvent};
use crate::exit_code::{self, Failure};
use crate::store::Store;

/// Pause before an operation is repeated that has failed because the stream is away.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Time after which a message is appended again that was not read back.
const REPEAT: Duration = Duration::from_secs(2);

/// Advice for an operator if no snapshot can be used.
const ADVICE: &str = "if this cannot be mended, stop all gateways and cores and delete the stream and the bucket of \
     snapshots of this cluster: the lobby then begins anew from the database, which has all results, and \
     players log in again";

/// A core's world, and the bus that reads the messages after it.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) replica: Replica,
    pub(super) bus: Bus,
    /// Identity of the stream.
    pub(super) stream: i64,
    /// Leaders of other versions up to this message are of the past.
    pub(super) past: u64,
}

/// Where a core looks for its world, and who it is.
pub(super) struct Search<'a> {
    pub(super) backend: &'a Arc<dyn Backend>,
    pub(super) store: &'a Store,
    pub(super) options: &'a CoreOptions,
    /// The world of the cluster, if it is known which one it is.
    pub(super) world: Option<WorldId>,
    /// Whether a core of another version has begun to lead.
    pub(super) other_version_leads: bool,
}

/// Returns the world of the cluster.
///
/// # Errors
/// [`Failure`] with [`exit_code::CLUSTER`] if there are snapshots and none of them can be used, or
/// the stream cannot be; with [`exit_code::DATABASE`] if a new world cannot be read from it.
pub(super) async fn begin(mut search: Search<'_>) -> Result<Beginning, Failure> {
    let backend = search.backend;
    loop {
        let stream = patiently(|| backend.stream()).await?;
        let Some(mut replica) = newest_snapshot(backend, &stream, search.world).await? else {
            if let Some(beginning) = new_world(&search, &stream).await? {
                return Ok(beginning);
            }
            sleep(RETRY_PAUSE).await;
            continue;
        };
        let is_of_this_version =
            replica.leader_version().is_none_or(|version| version == search.options.version);
        let mut past = stream.last;
        if search.other_version_leads || !is_of_this_version && replica.leader().is_some() {
            match upgrade::wait(&search, &stream).await? {
                Waited::HandedOver(next) => {
                    (replica, past) = (*next, 0);
                }
                Waited::NobodyLeads => {
                    tracing::warn!(
                        "no core of the other version leads any more; this one goes on from a snapshot"
                    );
                }
                Waited::Again => {
                    search.other_version_leads = false;
                    continue;
                }
            }
        } else if !is_of_this_version {
            past = 0;
        }
        let position = replica.position();
        tracing::info!(position, end = stream.last, "the world goes on from a snapshot");
        let bus = patiently(|| backend.read_after(position)).await?;
        return Ok(Beginning { replica, bus, stream: stream.identity, past });
    }
}

/// Carries out an operation, again and again while the stream is away.
pub(super) async fn patiently<'a, T>(operation: impl Fn() -> Operation<'a, T>) -> Result<T, Failure> {
    let mut is_told = false;
    loop {
        match operation().await {
            Ok(done) => return Ok(done),
            Err(BackendError::Unusable(problem)) => return Err(unusable(problem)),
            Err(BackendError::Away(problem)) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(problem, "waiting for the stream");
                }
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

pub(super) fn unusable(problem: impl std::fmt::Display) -> Failure {
    Failure::new(exit_code::CLUSTER, anyhow!("{problem}"))
}

/// Returns the newest snapshot that can be used; `None` if there is none of this stream.
pub(super) async fn newest_snapshot(
    backend: &Arc<dyn Backend>,
    stream: &StreamState,
    world: Option<WorldId>,
) -> Result<Option<Replica>, Failure> {
    let positions = patiently(|| backend.snapshots()).await?;
    let mut first_problem = None;
    for position in positions {
        let read = match patiently(|| backend.snapshot(position)).await {
            Ok(bytes) => usable(&bytes, stream, world),
            // It is damaged, or was removed because there are newer ones.
            Err(failure) => Err(failure.to_string()),
        };
        let problem = match read {
            Ok(Usable::Yes(replica)) => return Ok(Some(*replica)),
            Ok(Usable::Foreign(reason)) => {
                tracing::info!(position, reason, "a snapshot is not of this world");
                continue;
            }
            Err(problem) => problem,
        };
        tracing::error!(position, problem, "a snapshot cannot be used; trying the one before it");
        first_problem.get_or_insert(problem);
    }
    match first_problem {
        Some(problem) => Err(unusable(format!("no snapshot of the lobby can be used: {problem}; {ADVICE}"))),
        None => Ok(None),
    }
}

enum Usable {
    Yes(Box<Replica>),
    /// It has nothing to do with this world, for this reason.
    Foreign(&'static str),
}

/// Reads a snapshot. Fails with the problem of one that should be usable.
fn usable(bytes: &Bytes, stream: &StreamState, world: Option<WorldId>) -> Result<Usable, String> {
    let snapshot = Snapshot::decode(bytes).map_err(|error: SnapshotError| error.to_string())?;
    let replica = snapshot.replica;
    if snapshot.stream != stream.identity {
        return Ok(Usable::Foreign("it belongs to another stream, which was deleted"));
    }
    if world.is_some_and(|world| world != replica.id()) {
        return Ok(Usable::Foreign("it is the beginning of another world"));
    }
    let position = replica.position();
    if position > stream.last {
        return Err(format!(
            "it is at message {position}, and the stream ends at {}: the stream was restored from an older copy",
            stream.last
        ));
    }
    if position + 1 < stream.first {
        return Err(format!(
            "it is at message {position}, and the stream begins at {}: what happened in between is lost",
            stream.first
        ));
    }
    Ok(Usable::Yes(Box::new(replica)))
}

/// Begins a new world. Returns `None` if the cluster turns out to have one, of which there will be
/// a snapshot.
async fn new_world(search: &Search<'_>, stream: &StreamState) -> Result<Option<Beginning>, Failure> {
    let Search { backend, store, options, .. } = search;
    let random =
        || getrandom::u64().map_err(|error| anyhow!("the system provides no random numbers: {error}"));
    let (world, seed) = (WorldId(random()?), random()?);
    let mut bus = patiently(|| backend.read_after(stream.last)).await?;
    let Some((position, utc)) = mark(&mut bus, world).await? else { return Ok(None) };
    let initial = InitialState { seed, ..store.beginning().await? };
    let replica = Replica::begin(world, options.world.clone(), initial, utc, position).unsettled();
    let snapshot = Bytes::from(Snapshot::encode(&replica, &options.version, stream.identity));
    patiently(|| backend.put_snapshot(position, snapshot.clone())).await?;
    tracing::info!(position, "a new world was read from the database");
    Ok(Some(Beginning { replica, bus, stream: stream.identity, past: position }))
}

/// Appends the message at which a new world begins, and returns its position and time. Returns
/// `None` if a core leads already, or another one has stored a beginning.
async fn mark(bus: &mut Bus, world: WorldId) -> Result<Option<(u64, Timestamp)>, Failure> {
    let payload: Arc<[u8]> = StreamMessage::<Event>::Begin { world, is_stored: false }.encode().into();
    loop {
        let id = format!("begin-{:016x}", world.0);
        // If the bus has ended, there will be no event either.
        let _ = bus.commands.send(BusCommand::Append { number: None, id, payload: Arc::clone(&payload) });
        let again = Instant::now() + REPEAT;
        while let Ok(event) = timeout_at(again, bus.events.recv()).await {
            match event {
                Some(BusEvent::Entry { sequence, time, payload }) => match StreamMessage::decode(&payload) {
                    Ok(StreamMessage::Begin { world: begun, is_stored: false }) if begun == world => {
                        return Ok(Some((sequence, time)));
                    }
                    Ok(StreamMessage::Begin { is_stored: true, .. } | StreamMessage::Core { .. }) => {
                        tracing::info!("another core has begun; waiting for its snapshot");
                        return Ok(None);
                    }
                    _ => {}
                },
                Some(BusEvent::Failed(problem)) => return Err(unusable(problem)),
                Some(_) => {}
                None => return Err(unusable("the connection to the stream has ended")),
            }
        }
    }
}
