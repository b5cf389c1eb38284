//! `matchmaker_info`: the queues as clients see them (matchmaking.md section 7.2).

use std::sync::Arc;

use faf_protocol::server_message::{MatchmakerInfo, QueueInfo, ServerMessage};

use crate::clock::Moment;
use crate::io::{Effect, Publication};
use crate::state::{ListedBoundaries, Lobby, Queue};

/// Returns all queues for a client that asks; none while the server shuts down.
pub(crate) fn reply(lobby: &mut Lobby) -> Arc<MatchmakerInfo> {
    if lobby.is_draining() {
        return all(lobby);
    }
    lobby.queues.listing(lobby.now, |queues, at| {
        Arc::new(MatchmakerInfo { queues: queues.iter().map(|queue| info(queue, at)).collect() })
    })
}

/// Returns all queues as of now; none while the server shuts down.
pub(crate) fn all(lobby: &Lobby) -> Arc<MatchmakerInfo> {
    let queues = lobby.queues.iter().filter(|_| !lobby.is_draining());
    Arc::new(MatchmakerInfo { queues: queues.map(|queue| info(queue, lobby.now)).collect() })
}

/// Reports the queues that have changed to everybody.
pub(crate) fn report(lobby: &mut Lobby) {
    let changed = lobby.queues.take_changes();
    let queues = changed.into_iter().filter_map(|id| lobby.queues.get(id));
    let queues: Vec<_> = queues.map(|queue| info(queue, lobby.now)).collect();
    if !queues.is_empty() && !lobby.is_draining() {
        let info = Arc::new(MatchmakerInfo { queues });
        lobby.broadcast(ServerMessage::MatchmakerInfo(Arc::clone(&info)));
        lobby.emit(Effect::Publish(Publication::Queues(info)));
    }
}

fn info(queue: &Queue, now: Moment) -> Arc<QueueInfo> {
    let left = queue.next_pop.saturating_sub(now.elapsed);
    let ListedBoundaries { boundary_80s, boundary_75s } = queue.boundaries();
    Arc::new(QueueInfo {
        queue_name: queue.data.name.clone(),
        queue_pop_time: now.utc.after(left).to_string(),
        queue_pop_time_delta: (left.as_secs_f64() * 100.0).round() / 100.0,
        num_players: queue.players(),
        boundary_80s,
        boundary_75s,
        team_size: queue.data.team_size,
        estimated_wait_seconds: queue.estimated_wait.map(|wait| wait.as_secs()),
    })
}
