//! The queues as they are stored, received when they are read (matchmaking.md section 1.1).

use std::collections::BTreeMap;

use crate::matchmaking::PopTimer;
use crate::matchmaking::queue::{QueueData, QueueId};
use crate::queues::searching::{cancel, cancel_all};
use crate::queues::vetoes;
use crate::state::{Lobby, Queue, Timer};

/// Receives the queues that are stored now: new ones start, changed ones change, and those that are
/// gone end with all their searches (M7, M8).
pub(crate) fn receive(lobby: &mut Lobby, stored: Vec<QueueData>) {
    let mut stored: BTreeMap<QueueId, QueueData> =
        stored.into_iter().map(|queue| (queue.id, queue)).collect();
    let known: Vec<QueueId> = lobby.queues.iter().map(|queue| queue.data.id).collect();
    for id in known {
        match stored.remove(&id) {
            Some(data) => change(lobby, id, data),
            None => {
                cancel_all(lobby, id);
                lobby.queues.remove(id);
            }
        }
    }
    for (id, data) in stored {
        let wait = PopTimer::first_wait(&lobby.settings.matchmaking);
        lobby.queues.add(data, lobby.now.elapsed, wait);
        lobby.timers.set(lobby.now.elapsed.saturating_add(wait), Timer::Pop(id));
    }
    vetoes::readjust(lobby);
}

fn change(lobby: &mut Lobby, id: QueueId, data: QueueData) {
    let Some(queue) = lobby.queues.get(id) else { return };
    let old = &queue.data;
    // Clients know a search by the name of its queue. Qualities that were computed from ratings of
    // one leaderboard mean nothing on another (M9).
    if old.name != data.name || old.leaderboard != data.leaderboard {
        cancel_all(lobby, id);
    }
    cancel_larger(lobby, id, data.team_size);
    let Some(queue) = lobby.queues.get_mut(id).filter(|queue| queue.data != data) else { return };
    queue.data = data;
    lobby.queues.mark(id);
}

/// Ends the searches of parties that are larger than the teams of the queue.
fn cancel_larger(lobby: &mut Lobby, id: QueueId, team_size: u32) {
    let searches = lobby.queues.get(id).into_iter().flat_map(Queue::searches);
    let larger = searches.filter(|(_, search)| search.players.len() > team_size as usize);
    for search in larger.map(|(search, _)| search).collect::<Vec<_>>() {
        cancel(lobby, id, search);
    }
}
