//! Saves parties, searches and violations, and restores them after a restart of the server when
//! their players come back.
//!
//! A search is restored when all its players are online again and idle: with its place in the queue
//! and its failed attempts. Clients are sent the same as at the beginning of a search, because they
//! have forgotten theirs with the connection. A match that was being set up is not restored, and is
//! held against nobody.
//!
//! A shutdown ends all searches at its beginning, and all parties at its end. From then on they are
//! expected back, in the next run of the server. The last save is made at the end, because the time
//! for which they are expected back counts from it.

use std::time::Duration;

use faf_protocol::PlayerId;

use crate::io::{Effect, QueueEvent, ReplyTo, SaveQueues};
use crate::matchmaking::Candidate;
use crate::queues::searching::{check_may_search, skills, tell_begun};
use crate::state::{
    Activity, Lobby, Member, ResumeLobby, Returning, SavedQueues, SavedSearch, Saving, Search, Timer,
};

/// Time after a change at which it is saved, together with those that follow.
const SAVED_AFTER: Duration = Duration::from_secs(5);

/// Time after which parties and searches are saved again even if none has changed: after a crash,
/// the time for which they are expected back counts from the last save.
const RENEWED_AFTER: Duration = Duration::from_secs(60);

/// Sets the timer for saving if anything has changed.
pub(crate) fn schedule_save(lobby: &mut Lobby) {
    let (queues, parties) = (lobby.queues.take_unsaved(), lobby.parties.take_unsaved());
    // The last save is made when the lobby stops, and what changes then is the end of everything.
    if (queues || parties) && !lobby.has_stopped() {
        set_due(lobby);
    }
}

/// Sets the timer for saving, or has everything saved again after the save that is under way.
fn set_due(lobby: &mut Lobby) {
    match lobby.saving {
        Saving::Done => {
            lobby.saving = Saving::Due;
            lobby.timers.set(lobby.now.elapsed + SAVED_AFTER, Timer::SaveQueues);
        }
        Saving::Due => {}
        Saving::UnderWay { .. } => lobby.saving = Saving::UnderWay { is_outdated: true },
    }
}

/// Saves what has changed, unless a shutdown has saved it before.
pub(crate) fn save_is_due(lobby: &mut Lobby) {
    if lobby.saving == Saving::Due {
        save(lobby);
    }
}

/// Saves parties and searches again, if there are any.
pub(crate) fn renewal_is_due(lobby: &mut Lobby) {
    let is_searched = lobby.queues.iter().any(|queue| queue.players() > 0);
    if is_searched || lobby.parties.shared().next().is_some() || !lobby.returning.is_empty() {
        set_due(lobby);
    }
    lobby.timers.set(lobby.now.elapsed + RENEWED_AFTER, Timer::RenewSave);
}

/// Saves everything now, or after the save that is under way: of two at the same time, the older
/// one might be stored last.
pub(crate) fn save(lobby: &mut Lobby) {
    if matches!(lobby.saving, Saving::UnderWay { .. }) {
        return set_due(lobby);
    }
    lobby.saving = Saving::UnderWay { is_outdated: false };
    let violations = &lobby.settings.matches.violations;
    lobby.violations.remove_expired(lobby.now.utc, violations);
    let saved = Box::new(saved(lobby));
    lobby.request_for_lobby(SaveQueues { saved }, ());
}

impl ResumeLobby for SaveQueues {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, reply: ReplyTo<Self>) {
        let is_outdated = lobby.saving == Saving::UnderWay { is_outdated: true };
        lobby.saving = Saving::Done;
        match (is_outdated, lobby.has_stopped()) {
            (true, true) => save(lobby),
            // A save that has failed is not worth waiting for.
            (false, true) => {}
            (_, false) if is_outdated || reply.is_err() => set_due(lobby),
            (_, false) => {}
        }
    }
}

fn saved(lobby: &Lobby) -> SavedQueues {
    let mut kept = lobby.returning.clone();
    add_searches(lobby, &mut kept);
    add_parties(lobby, &mut kept);
    let Returning { parties, searches, vetoes } = kept;
    SavedQueues { saved_at: lobby.now.utc, parties, searches, vetoes, violations: lobby.violations.clone() }
}

/// Adds all searches, and the vetoes of their players, to those that are expected back: those whose
/// players have not come back yet may still be restored after another restart.
fn add_searches(lobby: &Lobby, kept: &mut Returning) {
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
    kept.searches.extend(searches);
    let players = kept.searches.iter().flat_map(|search| &search.players);
    let online = players.filter_map(|player| lobby.players.get(*player));
    let vetoes = online.filter(|online| !online.vetoes.is_empty());
    kept.vetoes.extend(vetoes.map(|online| (online.info.id, online.vetoes.clone())));
}

/// Adds all parties to those that are expected back. One that a shutdown has disconnected members
/// of is among them already, with these members.
fn add_parties(lobby: &Lobby, kept: &mut Returning) {
    let parties = lobby.parties.shared();
    let parties: Vec<_> =
        parties.filter(|party| !party.iter().any(|member| kept.has_party_of(member.player))).collect();
    kept.parties.extend(parties);
}

/// Expects all searches back after the shutdown that begins, which ends them next.
pub(crate) fn keep_searches(lobby: &mut Lobby) {
    let mut kept = std::mem::take(&mut lobby.returning);
    add_searches(lobby, &mut kept);
    lobby.returning = kept;
}

/// Expects all parties back after the shutdown.
pub(crate) fn keep_parties(lobby: &mut Lobby) {
    let mut kept = std::mem::take(&mut lobby.returning);
    add_parties(lobby, &mut kept);
    lobby.returning = kept;
}

/// Expects the party of a player, whom a shutdown disconnects, back after it.
pub(crate) fn keep_party_of(lobby: &mut Lobby, player: PlayerId) {
    let party = lobby.parties.owner_of(player).and_then(|owner| lobby.parties.get(owner));
    if let Some(party) = party.filter(|party| party.members.len() > 1)
        && !lobby.returning.has_party_of(player)
    {
        lobby.returning.parties.push(party.members.clone());
    }
}

/// Takes in what the last run of the server has saved. Parties and searches are expected back only
/// if it ended a short time ago.
pub(crate) fn expect_back(lobby: &mut Lobby, saved: SavedQueues) {
    let grace = lobby.settings.restart_grace_period;
    lobby.violations = saved.violations;
    lobby.timers.set(lobby.now.elapsed + RENEWED_AFTER, Timer::RenewSave);
    if lobby.now.utc.since(saved.saved_at) <= grace && saved.saved_at <= lobby.now.utc.after(grace) {
        // New searches come after these.
        saved.searches.iter().for_each(|search| lobby.queues.reserve(search.search));
        let SavedQueues { parties, searches, vetoes, .. } = saved;
        lobby.returning = Returning { parties, searches, vetoes };
        lobby.timers.set(lobby.now.elapsed + grace, Timer::StopReturning);
    }
}

/// Stops expecting parties and searches back. A shutdown expects them back after the next start.
pub(crate) fn stop_returning(lobby: &mut Lobby) {
    if !lobby.is_draining() {
        lobby.returning = Returning::default();
    }
}

/// Restores the party and the searches of a player who has logged in, if all others in them are
/// back as well.
pub(crate) fn returned(lobby: &mut Lobby, player: PlayerId) {
    let is_draining = lobby.is_draining();
    let Returning { vetoes, .. } = &mut lobby.returning;
    let vetoes = if is_draining { vetoes.get(&player).cloned() } else { vetoes.remove(&player) };
    if let Some(vetoes) = vetoes
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
    if is_draining {
        return;
    }
    let searches = std::mem::take(&mut lobby.returning.searches);
    let (back, waiting) = searches.into_iter().partition(|search: &SavedSearch| {
        search.players.contains(&player)
            && search.players.iter().all(|player| lobby.players.get(*player).is_some())
    });
    lobby.returning.searches = waiting;
    for search in back {
        restore_search(lobby, &search);
    }
}

/// Restores a party, unless a member is in another one by now, searches, or is in a match that is
/// being set up: no member joins or leaves in the meantime. Members keep the factions that they
/// have chosen since they came back: clients send them after every login.
fn restore_party(lobby: &mut Lobby, party: Vec<Member>) {
    let is_free = |member: &Member| {
        let activity = lobby.players.get(member.player).map(|online| online.activity);
        lobby.parties.is_alone(member.player) && !activity.is_some_and(Activity::needs_same_party)
    };
    if party.iter().all(is_free) {
        lobby.parties.restore(party);
    }
}

/// Restores a search, unless its players search in that queue already, are not the same party, or
/// may not search.
fn restore_search(lobby: &mut Lobby, saved: &SavedSearch) {
    let Some(queue) = lobby.queues.get(saved.queue).filter(|queue| queue.data.name == saved.queue_name)
    else {
        return;
    };
    let owner = saved.players.first();
    let may_search = owner.and_then(|owner| check_may_search(lobby, *owner).ok());
    let fits = saved.players.len() <= queue.data.team_size as usize
        && may_search.is_some_and(|members| members == saved.players);
    let is_searching = |player: &PlayerId| lobby.queues.search_in(saved.queue, *player).is_some();
    let settings = &lobby.settings.matches.violations;
    let timed_out = lobby.violations.timed_out(saved.players.iter().copied(), lobby.now.utc, settings);
    if !fits || saved.players.iter().any(is_searching) || !timed_out.is_empty() {
        return;
    }
    let skills = skills(lobby, &saved.players, &queue.data.leaderboard);
    let settings = &lobby.settings.matchmaking;
    let candidate = Candidate::new(skills, saved.failed_attempts, saved.self_quality, settings);
    // Nobody is welcomed a second time.
    for player in &saved.players {
        lobby.players.get_mut(*player).iter_mut().for_each(|online| online.has_searched = true);
    }
    tell_begun(lobby, &saved.queue_name, &candidate);
    let (queue, waited, reason) = (saved.queue, saved.waited, saved.reason);
    let search = Search { waited_before: waited, reason, ..Search::of(&candidate, lobby.now.elapsed) };
    if let Some(search) = lobby.queues.enter_as(queue, saved.search, search) {
        let candidate = Box::new(candidate);
        lobby.emit(Effect::Queue(QueueEvent::SearchRestored { queue, search, waited, candidate }));
    }
}
