//! `matchmaker_info`: the queues as clients see them (matchmaking.md section 7.2).

use std::sync::Arc;

use faf_protocol::server_message::{MatchmakerInfo, QueueInfo, ServerMessage};

use crate::io::{Effect, Publication};
use crate::matchmaking::Candidate;
use crate::queues::searching::candidate;
use crate::state::{Lobby, Queue};

/// Returns all queues; none while the server shuts down.
pub(crate) fn all(lobby: &Lobby) -> Arc<MatchmakerInfo> {
    let queues = lobby.queues.iter().filter(|_| !lobby.is_draining());
    Arc::new(MatchmakerInfo { queues: queues.map(|queue| Arc::new(info(lobby, queue))).collect() })
}

/// Reports the queues that have changed to everybody.
pub(crate) fn report(lobby: &mut Lobby) {
    let changed = lobby.queues.take_changes();
    let queues = changed.into_iter().filter_map(|id| lobby.queues.get(id));
    let queues: Vec<_> = queues.map(|queue| Arc::new(info(lobby, queue))).collect();
    if !queues.is_empty() && !lobby.is_draining() {
        let info = Arc::new(MatchmakerInfo { queues });
        lobby.broadcast(ServerMessage::MatchmakerInfo(Arc::clone(&info)));
        lobby.emit(Effect::Publish(Publication::Queues(info)));
    }
}

fn info(lobby: &Lobby, queue: &Queue) -> QueueInfo {
    let left = queue.next_pop.saturating_sub(lobby.now.elapsed);
    let candidates: Vec<Candidate> =
        queue.searches().filter_map(|(_, search)| candidate(lobby, queue, search)).collect();
    QueueInfo {
        queue_name: queue.data.name.clone(),
        queue_pop_time: lobby.now.utc.after(left).to_string(),
        queue_pop_time_delta: (left.as_secs_f64() * 100.0).round() / 100.0,
        num_players: queue.players(),
        boundary_80s: candidates.iter().map(Candidate::boundary_80).collect(),
        boundary_75s: candidates.iter().map(Candidate::boundary_75).collect(),
        team_size: queue.data.team_size,
        estimated_wait_seconds: queue.estimated_wait.map(|wait| wait.as_secs()),
    }
}
