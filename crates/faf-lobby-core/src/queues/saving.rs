//! Saves parties, searches and violations, and restores them after a restart of the server when
//! their players come back.
//!
//! A search is restored when all its players are online again and idle: with its place in the queue
//! and its failed attempts. Clients are sent the same as at the beginning of a search, because they
//! have forgotten theirs with the connection. A match that was being set up is not restored, and is
//! held against nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::SearchState;

use crate::io::{Effect, QueueEvent, ReplyTo, SaveQueues};
use crate::matchmaking::candidate::Boundaries;
use crate::matchmaking::vetoes::Vetoes;
use crate::queues::searching::{candidate, search_info, skill};
use crate::state::{
    Activity, Lobby, Member, ResumeLobby, Returning, SavedQueues, SavedSearch, Saving, Search, Timer,
};

/// Time after a change at which it is saved, together with those that follow.
const SAVED_AFTER: Duration = Duration::from_secs(5);

/// Sets the timer for saving if anything has changed.
pub(crate) fn schedule_save(lobby: &mut Lobby) {
    let (queues, parties) = (lobby.queues.take_unsaved(), lobby.parties.take_unsaved());
    if !(queues || parties) || lobby.is_draining() {
        return;
    }
    match lobby.saving {
        Saving::Done => {
            lobby.saving = Saving::Due;
            lobby.timers.set(lobby.now.elapsed + SAVED_AFTER, Timer::SaveQueues);
        }
        Saving::Due => {}
        Saving::UnderWay { .. } => lobby.saving = Saving::UnderWay { is_outdated: true },
    }
}

/// Saves everything now.
pub(crate) fn save(lobby: &mut Lobby) {
    lobby.saving = Saving::UnderWay { is_outdated: false };
    let saved = Box::new(saved(lobby));
    lobby.request_for_lobby(SaveQueues { saved }, ());
}

impl ResumeLobby for SaveQueues {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, reply: ReplyTo<Self>) {
        let is_outdated = lobby.saving == Saving::UnderWay { is_outdated: true };
        lobby.saving = Saving::Done;
        if (is_outdated || reply.is_err()) && !lobby.is_draining() {
            lobby.saving = Saving::Due;
            lobby.timers.set(lobby.now.elapsed + SAVED_AFTER, Timer::SaveQueues);
        }
    }
}

fn saved(lobby: &Lobby) -> SavedQueues {
    let now = lobby.now.elapsed;
    let mut searches: Vec<SavedSearch> = Vec::new();
    for queue in lobby.queues.iter() {
        searches.extend(queue.searches().map(|(id, search)| SavedSearch {
            search: id,
            queue: queue.data.id,
            queue_name: queue.data.name.clone(),
            players: search.players.clone(),
            failed_attempts: search.failed_attempts,
            self_quality: search.self_quality,
            waited: search.waited(now),
            reason: search.reason,
        }));
    }
    searches.sort_by_key(|search| search.search);
    // Those whose players have not come back yet may still be restored after another restart.
    searches.splice(0..0, lobby.returning.searches.iter().cloned());
    let players = searches.iter().flat_map(|search| &search.players);
    let online = players.filter_map(|player| lobby.players.get(*player));
    let vetoes = online.filter(|online| !online.vetoes.is_empty());
    let mut vetoes: BTreeMap<PlayerId, Vetoes> =
        vetoes.map(|online| (online.info.id, online.vetoes.clone())).collect();
    vetoes.extend(lobby.returning.vetoes.clone());
    SavedQueues {
        saved_at: lobby.now.utc,
        parties: lobby.returning.parties.iter().cloned().chain(lobby.parties.shared()).collect(),
        searches,
        vetoes,
        violations: lobby.violations.clone(),
    }
}

/// Takes in what the last run of the server has saved. Parties and searches are expected back only
/// if it ended a short time ago.
pub(crate) fn expect_back(lobby: &mut Lobby, saved: SavedQueues) {
    let grace = lobby.settings.restart_grace_period;
    lobby.violations = saved.violations;
    if lobby.now.utc.since(saved.saved_at) <= grace && saved.saved_at <= lobby.now.utc.after(grace) {
        // New searches come after these.
        saved.searches.iter().for_each(|search| lobby.queues.reserve(search.search));
        let SavedQueues { parties, searches, vetoes, .. } = saved;
        lobby.returning = Returning { parties, searches, vetoes };
        lobby.timers.set(lobby.now.elapsed + grace, Timer::StopReturning);
    }
}

/// Stops expecting parties and searches back.
pub(crate) fn stop_returning(lobby: &mut Lobby) {
    lobby.returning = Returning::default();
}

/// Restores the party and the searches of a player who has logged in, if all others in them are
/// back as well.
pub(crate) fn returned(lobby: &mut Lobby, player: PlayerId) {
    if let Some(vetoes) = lobby.returning.vetoes.remove(&player)
        && let Some(online) = lobby.players.get_mut(player)
    {
        // The brackets may have changed in the meantime. The client sends its own selection after
        // the login, and is told then.
        online.vetoes = vetoes.adjusted(lobby.queues.veto_rules());
    }
    let parties = std::mem::take(&mut lobby.returning.parties);
    let (back, waiting) = parties.into_iter().partition(|party: &Vec<Member>| {
        party.iter().any(|member| member.player == player)
            && party.iter().all(|member| lobby.players.get(member.player).is_some())
    });
    lobby.returning.parties = waiting;
    for party in back {
        restore_party(lobby, party);
    }
    let searches = std::mem::take(&mut lobby.returning.searches);
    let (back, waiting) = searches.into_iter().partition(|search: &SavedSearch| {
        search.players.contains(&player)
            && search.players.iter().all(|player| lobby.players.get(*player).is_some())
    });
    lobby.returning.searches = waiting;
    for search in back {
        restore_search(lobby, search);
    }
}

/// Restores a party, unless a member is in another one by now. Members keep the factions that they
/// have chosen since they came back: clients send them after every login.
fn restore_party(lobby: &mut Lobby, party: Vec<Member>) {
    if party.iter().all(|member| lobby.parties.is_alone(member.player)) {
        lobby.parties.restore(party);
    }
}

/// Restores a search, unless its players do something else by now, are not the same party, or may
/// not search.
fn restore_search(lobby: &mut Lobby, saved: SavedSearch) {
    let Some(queue) = lobby.queues.get(saved.queue).filter(|queue| queue.data.name == saved.queue_name)
    else {
        return;
    };
    let fits = saved.players.len() <= queue.data.team_size as usize && lobby.parties.is_one(&saved.players);
    let is_free = |player: &PlayerId| {
        let activity = lobby.players.get(*player).map(|online| online.activity);
        matches!(activity, Some(Activity::Idle | Activity::SearchingLadder))
            && lobby.queues.search_in(saved.queue, *player).is_none()
    };
    let settings = &lobby.settings.matches.violations;
    let timed_out = lobby.violations.timed_out(saved.players.iter().copied(), lobby.now.utc, settings);
    if lobby.is_draining() || !fits || !saved.players.iter().all(is_free) || !timed_out.is_empty() {
        return;
    }
    let first = saved.players.first().and_then(|first| skill(lobby, *first, &queue.data.leaderboard));
    let Some(boundaries) = first.map(|first| Boundaries::of(first, &lobby.settings.matchmaking)) else {
        return;
    };
    for player in &saved.players {
        let Some(online) = lobby.players.get_mut(*player) else { continue };
        (online.activity, online.has_searched) = (Activity::SearchingLadder, true);
        let conn = online.conn;
        lobby.send(conn, search_info(&saved.queue_name, SearchState::Start));
    }
    let search = Search {
        players: saved.players,
        failed_attempts: saved.failed_attempts,
        self_quality: saved.self_quality,
        boundaries,
        began_at: lobby.now.elapsed,
        waited_before: saved.waited,
        reason: saved.reason,
        explained_at: None,
    };
    let entered = lobby.queues.get(saved.queue);
    let Some(candidate) = entered.and_then(|queue| candidate(lobby, queue, &search)).map(Box::new) else {
        return;
    };
    let (queue, waited) = (saved.queue, saved.waited);
    if let Some(search) = lobby.queues.enter_as(queue, saved.search, search) {
        lobby.emit(Effect::Queue(QueueEvent::SearchRestored { queue, search, waited, candidate }));
    }
}
