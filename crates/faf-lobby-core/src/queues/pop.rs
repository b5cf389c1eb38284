//! The rounds of a queue (matchmaking.md sections 2 and 4). Rounds never overlap, as the lobby
//! does one thing after the other; those that are due together come in the order in which they
//! became due.

use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{SearchInfo, SearchState, ServerMessage};

use crate::io::{Effect, LogLine, Popped, PoppedSearch, QueueEvent};
use crate::matches;
use crate::matchmaking::queue::QueueId;
use crate::matchmaking::{Candidate, Match, MatchQuality, PairQuality, Round, play_round};
use crate::matchmaking::{Unmatched, UnmatchedReason};
use crate::queues::searching::candidate;
use crate::recorded::{self, RecordedMatch};
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
    if lobby.repeats_rounds() {
        return;
    }
    lobby.queues.mark(id);
    if let Some(line) = line {
        lobby.emit(Effect::Log(line));
    }
    play(lobby, id, wait);
}

/// Plays a round of a queue, and starts its matches.
fn play(lobby: &mut Lobby, id: QueueId, wait: Duration) {
    let Some(queue) = lobby.queues.get(id) else { return };
    let searches = in_round(lobby, queue);
    let round = round(lobby, queue, &searches);
    conclude(lobby, id, wait, searches, round, Vec::new());
}

fn round(lobby: &Lobby, queue: &Queue, searches: &[PoppedSearch]) -> Round {
    let candidates: Vec<Candidate> = searches.iter().map(|one| one.candidate.clone()).collect();
    play_round(&candidates, queue.rules(), &lobby.settings.matchmaking)
}

/// Returns the teams of the matches that a round of a queue would make now.
pub(crate) fn matches_now(lobby: &Lobby, queue: &Queue) -> Vec<[Vec<PlayerId>; 2]> {
    let searches = in_round(lobby, queue);
    let players = |candidate: usize| -> Vec<PlayerId> {
        searches[candidate].candidate.members().iter().map(|member| member.player).collect()
    };
    let found = round(lobby, queue, &searches).matches;
    found.iter().map(|found| recorded::teams(found, &players)).collect()
}

/// Plays a round of a queue that makes the matches of a recording; see
/// [`World::play_recorded_round`](crate::World::play_recorded_round).
pub(crate) fn play_recorded(
    lobby: &mut Lobby,
    id: QueueId,
    matches: Vec<RecordedMatch>,
) -> Vec<RecordedMatch> {
    let Some(queue) = lobby.queues.get(id) else { return matches };
    let wait = queue.planned;
    let searches = in_round(lobby, queue);
    let own = round(lobby, queue, &searches);
    let players = |candidate: usize| -> Vec<PlayerId> {
        searches[candidate].candidate.members().iter().map(|member| member.player).collect()
    };
    // The candidates of a recorded team, in the order of its players.
    let candidates = |team: &[PlayerId]| -> Option<Vec<usize>> {
        let mut found = Vec::new();
        for player in team {
            let candidate = (0..searches.len()).find(|one| players(*one).contains(player))?;
            if !found.contains(&candidate) {
                found.push(candidate);
            }
        }
        let is_whole = found.iter().all(|one| players(*one).iter().all(|player| team.contains(player)));
        is_whole.then_some(found)
    };
    let (mut made, mut begun, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for one in matches {
        match (candidates(&one.teams[0]), candidates(&one.teams[1])) {
            (Some(first), Some(second)) => {
                let quality =
                    own.matches.iter().find(|other| one.is_same_as(&recorded::teams(other, &players)));
                let unknown = MatchQuality::Pair(PairQuality { quality: 0.0, thresholds: [0.0; 2] });
                let quality = quality.map_or(unknown, |other| other.quality);
                made.push(Match { teams: [first, second], quality });
                begun.push(one);
            }
            _ => missing.push(one),
        }
    }
    let is_made =
        |candidate: usize| made.iter().flat_map(|one| one.teams.iter().flatten()).any(|c| *c == candidate);
    let reason = |candidate: usize| {
        let own = own.unmatched.iter().find(|unmatched| unmatched.candidate == candidate);
        own.map_or(UnmatchedReason::NoFullGame, |unmatched| unmatched.reason)
    };
    let unmatched = (0..searches.len())
        .filter(|candidate| !is_made(*candidate))
        .map(|candidate| Unmatched { candidate, reason: reason(candidate) })
        .collect();
    lobby.queues.mark(id);
    conclude(lobby, id, wait, searches, Round { matches: made, unmatched }, begun);
    missing
}

/// Starts the matches of a round, which may be those of a recording.
fn conclude(
    lobby: &mut Lobby,
    id: QueueId,
    wait: Duration,
    searches: Vec<PoppedSearch>,
    round: Round,
    recorded: Vec<RecordedMatch>,
) {
    let now = lobby.now.elapsed;
    let mut recorded = recorded.into_iter();
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
        if let (Some(next), Some(outcomes)) = (recorded.next(), &mut lobby.recorded) {
            lobby.games.set_next_id(next.game);
            outcomes.next = Some(next);
        }
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
