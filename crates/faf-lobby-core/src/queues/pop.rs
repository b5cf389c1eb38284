//! The rounds of a queue (matchmaking.md sections 2 and 4). Rounds never overlap, as the lobby does
//! one thing after the other; those that are due together come in the order in which they became
//! due.

use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{SearchInfo, SearchState, ServerMessage};

use crate::io::{Effect, LogLine, Popped, PoppedSearch, QueueEvent};
use crate::matches;
use crate::matchmaking::queue::QueueId;
use crate::matchmaking::{Candidate, play_round};
use crate::queues::searching::candidate;
use crate::state::{Lobby, Queue, Timer};

/// Shortest time between two explanations of a search.
const EXPLAINED_EVERY: Duration = Duration::from_secs(60);

/// Handles a queue whose round is due.
pub(crate) fn pop_is_due(lobby: &mut Lobby, id: QueueId) {
    let now = lobby.now.elapsed;
    // By now the queue may have been removed, and another one created.
    let Some(queue) = lobby.queues.get_mut(id).filter(|queue| queue.next_pop <= now) else { return };
    let (team_size, players) = (queue.data.team_size, queue.players());
    let settings = &lobby.settings.matchmaking;
    let before = std::mem::take(&mut queue.is_held_back);
    let wait = queue.timer.pop(players, queue.planned, team_size, settings);
    let held_back = queue.timer.wanted(team_size, settings).filter(|wanted| *wanted < wait);
    queue.is_held_back = held_back.is_some();
    let line = held_back.filter(|_| !before).map(|wanted| {
        let queue = queue.data.name.clone();
        LogLine::RoundsHeldBack { queue, wanted, wait }
    });
    (queue.planned, queue.next_pop) = (wait, now.saturating_add(wait));
    lobby.timers.set(queue.next_pop, Timer::Pop(id));
    lobby.queues.mark(id);
    if let Some(line) = line {
        lobby.emit(Effect::Log(line));
    }
    play(lobby, id, wait);
}

/// Plays a round of a queue, and starts its matches.
fn play(lobby: &mut Lobby, id: QueueId, wait: Duration) {
    let Some(queue) = lobby.queues.get(id) else { return };
    let now = lobby.now.elapsed;
    let rules = queue.rules();
    let searches = in_round(lobby, queue);
    let candidates: Vec<Candidate> = searches.iter().map(|one| one.candidate.clone()).collect();
    let round = play_round(&candidates, rules, &lobby.settings.matchmaking);
    if !searches.is_empty() {
        lobby.queues.mark_unsaved();
    }
    let Some(queue) = lobby.queues.get_mut(id) else { return };
    for unmatched in &round.unmatched {
        let PoppedSearch { search, candidate, .. } = &searches[unmatched.candidate];
        if let Some(search) = queue.search_mut(*search) {
            search.boundaries = candidate.boundaries();
            search.failed_attempts = search.failed_attempts.saturating_add(1);
            search.reason = Some(unmatched.reason);
        }
    }
    for found in round.matches.iter().flat_map(|found| found.teams.iter().flatten()) {
        queue.waiting_times.record(now, searches[*found].waited, true);
    }
    let unmatched = round.unmatched.iter().map(|unmatched| searches[unmatched.candidate].waited);
    queue.estimated_wait = queue.waiting_times.estimate(now, unmatched);
    let mut games = Vec::new();
    for found in &round.matches {
        let teams = found
            .teams
            .each_ref()
            .map(|team| team.iter().map(|candidate| searches[*candidate].search).collect());
        games.push(matches::begin(lobby, id, teams, found.quality));
    }
    let popped = Popped { queue: id, wait, searches, round, games };
    lobby.emit(Effect::Queue(QueueEvent::Popped(Box::new(popped))));
    explain(lobby, id);
}

/// Returns the searches of a queue as a round that is played now would see them.
pub(crate) fn in_round(lobby: &Lobby, queue: &Queue) -> Vec<PoppedSearch> {
    let now = lobby.now.elapsed;
    let seen = queue.searches().filter_map(|(search, found)| {
        let candidate = candidate(lobby, queue, found)?;
        Some(PoppedSearch { search, waited: found.waited(now), candidate })
    });
    seen.collect()
}

/// Sends the players of each search why the round has made no match of it, unless they were sent a
/// reason within the last minute.
fn explain(lobby: &mut Lobby, id: QueueId) {
    let now = lobby.now.elapsed;
    let Some(queue) = lobby.queues.get_mut(id) else { return };
    let queue_name = queue.data.name.clone();
    let mut infos: Vec<(Vec<PlayerId>, SearchInfo)> = Vec::new();
    for search in queue.searches_mut() {
        let told_at = search.explained_at.unwrap_or(search.began_at);
        let Some(reason) = search.reason.filter(|_| told_at + EXPLAINED_EVERY <= now) else { continue };
        search.explained_at = Some(now);
        infos.push((
            search.players.clone(),
            SearchInfo {
                queue_name: queue_name.clone(),
                state: SearchState::Start,
                reason: Some(reason.to_string()),
                waited_seconds: Some(search.waited(now).as_secs()),
                failed_attempts: Some(search.failed_attempts),
            },
        ));
    }
    for (players, info) in infos {
        let conns = players.iter().filter_map(|player| lobby.players.conn(*player)).collect();
        lobby.send_several(conns, ServerMessage::SearchInfo(info));
    }
}
