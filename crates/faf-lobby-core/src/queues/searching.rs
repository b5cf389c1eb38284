//! How searches begin, and how they end without a match (matchmaking.md section 7.1).

use faf_protocol::PlayerId;
use faf_protocol::server_message::{SearchInfo, SearchState, SearchTimeout, ServerMessage, TimeoutEnd};

use crate::io::{Effect, QueueEvent, SearchId};
use crate::matchmaking::candidate::{Candidate, Member, self_quality};
use crate::matchmaking::queue::QueueId;
use crate::matchmaking::violations::timed_out_notice;
use crate::refusal::Refusal;
use crate::state::{Activity, Lobby, OnlinePlayer, Queue, Search};
use crate::texts;

/// Deviation above which a player is welcomed at the first search, in rating points.
const WELCOME_DEVIATION: f64 = 490.0;

/// Checks that the party of a player may enter a queue, and returns its members, the player first.
pub(crate) fn check_may_search(lobby: &Lobby, player: PlayerId) -> Result<Vec<PlayerId>, Refusal> {
    let session = lobby.players.conn(player).and_then(|conn| lobby.session_if_open(conn));
    if session.is_some_and(|session| session.is_outdated) {
        return Err(Refusal::declined(texts::OUTDATED_CLIENT_NO_GAMES));
    }
    let owner = lobby.parties.owner_of(player).unwrap_or(player);
    if owner != player {
        return Err(Refusal::declined(texts::ONLY_OWNER_SEARCHES));
    }
    let party = lobby.parties.get(owner);
    let members = party.map_or_else(|| vec![player], |party| party.players().collect());
    for member in members.iter().filter_map(|member| lobby.players.get(*member)) {
        if !matches!(member.activity, Activity::Idle | Activity::SearchingLadder) {
            return Err(Refusal::declined(texts::member_busy(&member.info.login, member.activity.name())));
        }
    }
    Ok(members)
}

/// Enters a party that may search into a queue.
pub(crate) fn start(lobby: &mut Lobby, queue: QueueId, members: &[PlayerId]) {
    let Some(data) = lobby.queues.get(queue).map(|queue| &queue.data) else { return };
    let (name, leaderboard) = (data.name.clone(), data.leaderboard.clone());
    if refuse_timed_out(lobby, queue, &name, members) {
        return;
    }
    cancel_in(lobby, queue, members);
    let settings = &lobby.settings.matchmaking;
    let skills = skills(lobby, members, &leaderboard);
    if skills.is_empty() {
        return;
    }
    let self_quality = self_quality(&skills, settings);
    let candidate = Candidate::new(skills, 0, self_quality, settings);
    tell_begun(lobby, &name, &candidate);
    let search = Search::of(&candidate, lobby.now.elapsed);
    if let Some(search) = lobby.queues.enter(queue, search) {
        let candidate = Box::new(candidate);
        lobby.emit(Effect::Queue(QueueEvent::SearchBegan { queue, search, candidate }));
    }
}

/// Tells the players of a search that it goes on from now, and welcomes those who are new to it.
pub(super) fn tell_begun(lobby: &mut Lobby, queue: &str, candidate: &Candidate) {
    for member in candidate.members() {
        let Some(online) = lobby.players.get_mut(member.player) else { continue };
        let conn = online.conn;
        online.activity = Activity::SearchingLadder;
        let is_first = !std::mem::replace(&mut online.has_searched, true);
        if is_first && member.rating.deviation > WELCOME_DEVIATION {
            lobby.send(conn, texts::information(texts::WELCOME_TO_MATCHMAKER));
        }
        lobby.send(conn, search_info(queue, SearchState::Start));
    }
}

/// Ends the searches of players in a queue.
fn cancel_in(lobby: &mut Lobby, queue: QueueId, players: &[PlayerId]) {
    for player in players {
        if let Some(search) = lobby.queues.search_in(queue, *player) {
            cancel(lobby, queue, search);
        }
    }
}

/// Returns whether a member of the party is timed out. If so, all members are sent the names, and
/// for how long, and a search that goes on in this queue ends: their clients show none.
fn refuse_timed_out(lobby: &mut Lobby, queue: QueueId, name: &str, members: &[PlayerId]) -> bool {
    let now = lobby.now.utc;
    let settings = &lobby.settings.matches.violations;
    let timed_out = lobby.violations.timed_out(members.iter().copied(), now, settings);
    if timed_out.is_empty() {
        return false;
    }
    let login = |player| lobby.players.get(player).map_or("", |online| online.info.login.as_str());
    let notice = texts::information(timed_out_notice(&timed_out, now, login));
    let end = |(player, expires_at): (PlayerId, String)| TimeoutEnd { player, expires_at };
    let timeouts = timed_out.iter().map(|one| (one.player, one.expires_at.to_string())).map(end).collect();
    let conns = |lobby: &Lobby, members: &mut dyn Iterator<Item = &PlayerId>| -> Vec<_> {
        members.filter_map(|member| lobby.players.conn(*member)).collect()
    };
    let all = conns(lobby, &mut members.iter());
    let is_idle = |member: &&PlayerId| lobby.queues.search_in(queue, **member).is_none();
    let idle = conns(lobby, &mut members.iter().filter(is_idle));
    lobby.send_several(all.clone(), ServerMessage::SearchTimeout(SearchTimeout { timeouts }));
    cancel_in(lobby, queue, members);
    if !idle.is_empty() {
        lobby.send_several(idle, search_info(name, SearchState::Stop));
    }
    lobby.send_several(all, notice);
    true
}

/// Returns a search as a round sees it; `None` if none of its players is online.
pub(super) fn candidate(lobby: &Lobby, queue: &Queue, search: &Search) -> Option<Candidate> {
    let members = skills(lobby, &search.players, &queue.data.leaderboard);
    let settings = &lobby.settings.matchmaking;
    let has_members = !members.is_empty();
    has_members.then(|| Candidate::new(members, search.failed_attempts, search.self_quality, settings))
}

/// Returns the strength of those players who are online on a leaderboard.
pub(super) fn skills(lobby: &Lobby, players: &[PlayerId], leaderboard: &str) -> Vec<Member> {
    let online = players.iter().filter_map(|player| lobby.players.get(*player));
    let skill = |online: &OnlinePlayer| {
        let rating = online.rating_on(&lobby.data.leaderboards, leaderboard);
        Member { player: online.info.id, rating, games: online.games_on(leaderboard) }
    };
    online.map(skill).collect()
}

/// Ends a search for all its players. Those who do not search elsewhere are idle.
pub(crate) fn cancel(lobby: &mut Lobby, queue: QueueId, search: SearchId) {
    let Some(name) = lobby.queues.get(queue).map(|queue| queue.data.name.clone()) else { return };
    let Some(left) = lobby.queues.leave(queue, search) else { return };
    let now = lobby.now.elapsed;
    let waited = left.waited(now);
    // One that was in no round says nothing, and somebody may start and stop many of them.
    if let Some(queue) = lobby.queues.get_mut(queue).filter(|_| left.reason.is_some()) {
        queue.waiting_times.record(now, waited, false);
    }
    lobby.emit(Effect::Queue(QueueEvent::SearchCancelled { queue, search, waited }));
    let conns = left.players.iter().filter_map(|player| lobby.players.conn(*player)).collect();
    lobby.send_several(conns, search_info(&name, SearchState::Stop));
    for player in left.players {
        let is_searching = lobby.queues.is_searching(player);
        if let Some(online) = lobby.players.get_mut(player)
            && online.activity == Activity::SearchingLadder
            && !is_searching
        {
            online.activity = Activity::Idle;
        }
    }
}

/// Ends all searches with a player.
pub(crate) fn cancel_searches_of(lobby: &mut Lobby, player: PlayerId) {
    for (queue, search) in lobby.queues.searches_of(player) {
        cancel(lobby, queue, search);
    }
}

/// Ends all searches, because the server shuts down.
pub(crate) fn cancel_everywhere(lobby: &mut Lobby) {
    for queue in lobby.queues.iter().map(|queue| queue.data.id).collect::<Vec<_>>() {
        cancel_all(lobby, queue);
    }
}

/// Ends all searches in a queue.
pub(crate) fn cancel_all(lobby: &mut Lobby, queue: QueueId) {
    let searches = lobby.queues.get(queue).into_iter().flat_map(Queue::searches);
    for search in searches.map(|(search, _)| search).collect::<Vec<_>>() {
        cancel(lobby, queue, search);
    }
}

fn search_info(queue: &str, state: SearchState) -> ServerMessage {
    ServerMessage::SearchInfo(SearchInfo {
        queue_name: queue.to_owned(),
        state,
        reason: None,
        waited_seconds: None,
        failed_attempts: None,
    })
}
