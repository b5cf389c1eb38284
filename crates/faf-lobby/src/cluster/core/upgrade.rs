//! A core while one of another version leads. It must not compute along, since its rules may be
//! others: it waits for the snapshot that the leader writes at the exact message at which it hands
//! over, or until no core leads.

use std::time::Duration;

use faf_lobby_cluster::{CoreInput, Nonce, Replica, StreamMessage};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::LAST_SNAPSHOT_LIMIT;
use super::beginning::{Search, newest_snapshot, patiently, unusable};
use crate::cluster::backend::StreamState;
use crate::cluster::bus::{BusCommand, BusEvent};
use crate::cluster::questions::{Question, QuestionContent};
use crate::exit_code::Failure;

/// Time between two looks for the snapshot.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Time between two requests to the leader.
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);

/// Number of leases without a sign of a leader after which nobody leads.
const LEASES: u32 = 3;

/// How the wait has ended.
#[derive(Debug)]
pub(super) enum Waited {
    /// The leader has handed over to this core, with this state.
    HandedOver(Box<Replica>),
    /// The leader has ended without that.
    NobodyLeads,
    /// A core of this version leads now.
    Again,
}

/// Waits until the core of another version hands over to this one, or leads no more. Asks it to, if
/// this core is to take over.
///
/// # Errors
/// [`Failure`] with [`exit_code::CLUSTER`](crate::exit_code::CLUSTER) if the stream or the snapshot
/// cannot be used.
pub(super) async fn wait(search: &Search<'_>, stream: &StreamState) -> Result<Waited, Failure> {
    let Search { backend, options, .. } = search;
    tracing::info!(
        takes_over = options.takes_over,
        "a core of another version leads or has led; waiting until it hands over"
    );
    let mut bus = patiently(|| backend.read_after(stream.last)).await?;
    let (core, version) = (options.name.clone(), options.version.clone());
    let question = Question::new(Nonce(0), QuestionContent::Upgrade { core, version }).encode();
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut next_request) = (Instant::now(), Instant::now());
    // The message with the hand-over, and when it came.
    let mut handed_over: Option<(u64, Instant)> = None;
    loop {
        tokio::select! {
            event = bus.events.recv() => match event {
                Some(BusEvent::Entry { sequence, payload, .. }) => match StreamMessage::decode(&payload) {
                    Ok(StreamMessage::Core { inputs, .. }) => {
                        heard = Instant::now();
                        let is_for_this = |input: &CoreInput| {
                            matches!(input, CoreInput::HandOver { to: Some(to) } if *to == options.name)
                        };
                        if inputs.iter().any(is_for_this) {
                            handed_over = Some((sequence, heard));
                        }
                    }
                    Ok(StreamMessage::Lead { version, .. }) if version == options.version => {
                        return Ok(Waited::Again);
                    }
                    Ok(StreamMessage::Lead { .. }) => {
                        heard = Instant::now();
                        handed_over = None;
                    }
                    _ => {}
                },
                Some(BusEvent::Failed(problem)) => return Err(unusable(problem)),
                Some(_) => {}
                None => return Err(unusable("the connection to the stream has ended")),
            },
            _ = looks.tick() => {}
        }
        let now = Instant::now();
        if let Some((message, at)) = handed_over {
            let newest = patiently(|| backend.snapshots()).await?.first().copied().unwrap_or_default();
            if newest >= message {
                let stream = patiently(|| backend.stream()).await?;
                let replica = newest_snapshot(backend, &stream, search.world).await?;
                if let Some(replica) = replica.filter(|replica| replica.position() >= message) {
                    return Ok(Waited::HandedOver(Box::new(replica)));
                }
            }
            if now >= at + LAST_SNAPSHOT_LIMIT {
                return Ok(Waited::NobodyLeads);
            }
        } else if now >= heard + LEASES * options.times.lease {
            return Ok(Waited::NobodyLeads);
        } else if options.takes_over && now >= next_request {
            next_request = now + REQUEST_INTERVAL;
            // If the bus has ended, its last event says so.
            let _ = bus.commands.send(BusCommand::ToCores(question.clone()));
        }
    }
}
