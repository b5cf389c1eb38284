//! The launch of a match: the host's game starts, then those of the guests, and the host launches
//! when all are connected (matchmaking.md section 8.5).

use std::time::Duration;

use faf_protocol::{GameId, PlayerId};

use crate::games::{Leaving, joining};
use crate::io::{Effect, MatchOutcome, QueueEvent};
use crate::matches::blame;
use crate::matches::failure::{Failure, fail, release};
use crate::matchmaking::queue::QueueId;
use crate::state::{Lobby, Match, Phase, Timer};

/// Time that a host has for each guest to launch the game, in addition to the time in which the
/// guests' games must start.
const LAUNCH_TIMEOUT_PER_GUEST: Duration = Duration::from_secs(10);

/// Time for a reply of the database. Players wait for it and can do nothing else.
pub(super) const DATABASE_TIMEOUT: Duration = Duration::from_secs(20);

/// Moves a match to its next phase, which ends at `until`.
pub(super) fn enter_phase(lobby: &mut Lobby, id: GameId, phase: Phase, until: Duration) {
    if let Some(found) = lobby.matches.get_mut(id) {
        (found.phase, found.until) = (phase, until);
        lobby.timers.set(until, Timer::Match(id));
    }
}

/// Handles a host whose game is ready for others: the guests' clients start theirs.
pub(crate) fn host_is_ready(lobby: &mut Lobby, id: GameId) {
    let Some(found) = in_phase(lobby, id, Phase::WaitsForHost) else { return };
    let guests: Vec<PlayerId> = found.players().skip(1).collect();
    let is_gone = |guest: &PlayerId| found.lost.contains(guest) || lobby.players.get(*guest).is_none();
    let gone: Vec<PlayerId> = guests.iter().copied().filter(is_gone).collect();
    if !gone.is_empty() {
        return fail(lobby, id, Failure::PlayersLeft(gone));
    }
    let setup = lobby.games.get(id).map_or(Duration::ZERO, |game| game.setup_timeout(&lobby.settings));
    let timeout = setup + LAUNCH_TIMEOUT_PER_GUEST * guests.len() as u32;
    enter_phase(lobby, id, Phase::WaitsForGuests, lobby.now.elapsed + timeout);
    for guest in guests {
        if let Some(conn) = lobby.players.conn(guest) {
            joining::launch_game_process(lobby, conn, id);
        }
    }
}

/// Handles a host whose game begins. Returns whether it may: the match fails because of a host who
/// does not wait for the others.
pub(crate) fn may_launch(lobby: &mut Lobby, id: GameId) -> bool {
    let Some(found) = lobby.matches.get(id) else { return true };
    let members = lobby.games.get(id).map_or(&[][..], |game| game.members());
    if found.phase == Phase::WaitsForGuests && found.players().all(|player| members.contains(&player)) {
        enter_phase(lobby, id, Phase::Launching, lobby.now.elapsed + DATABASE_TIMEOUT);
        return true;
    }
    let host = found.host().into_iter().collect();
    fail(lobby, id, Failure::PlayersLeft(host));
    false
}

/// Handles the launch of the game: the match is set up.
pub(crate) fn launched(lobby: &mut Lobby, id: GameId) {
    if let Some(found) = lobby.matches.remove(id) {
        note_end(lobby, found.queue, Some(id), MatchOutcome::Launched);
    }
}

/// Notes for the operator how a match ended.
pub(super) fn note_end(lobby: &mut Lobby, queue: QueueId, game: Option<GameId>, outcome: MatchOutcome) {
    lobby.emit(Effect::Queue(QueueEvent::MatchEnded { queue, game, outcome }));
}

/// Handles a match whose phase has taken all its time.
pub(crate) fn phase_is_over(lobby: &mut Lobby, id: GameId) {
    let Some(found) = lobby.matches.get(id).filter(|found| found.until <= lobby.now.elapsed) else { return };
    match found.phase {
        Phase::Opening | Phase::Launching => fail(lobby, id, Failure::Ours),
        Phase::WaitsForHost => {
            let blamed = found.host().into_iter().collect();
            fail(lobby, id, Failure::TimedOut(blamed));
        }
        Phase::WaitsForGuests => {
            let members = lobby.games.get(id).map_or(&[][..], |game| game.members());
            let blamed = blame::late(found, members);
            fail(lobby, id, Failure::TimedOut(blamed));
        }
        Phase::Cancelled => release(lobby, id),
    }
}

/// Handles the end of a player's game connection before the launch. A process that the lobby has
/// given up does not end the match: it has its own time limit.
pub(crate) fn player_left(lobby: &mut Lobby, id: GameId, player: PlayerId, how: Leaving) {
    let Some(found) = lobby.matches.get(id) else { return };
    match found.phase {
        Phase::Cancelled => lobby.matches.release(player, id),
        _ if how == Leaving::Aborted => {}
        _ => fail(lobby, id, Failure::PlayersLeft(vec![player])),
    }
}

/// Handles a player whose lobby connection is lost, who may be in a match without a game
/// connection. The match fails when the player is needed.
pub(crate) fn player_lost(lobby: &mut Lobby, player: PlayerId) {
    let Some(id) = lobby.matches.of_player(player) else { return };
    if let Some(found) = lobby.matches.get_mut(id) {
        found.lost.insert(player);
    }
}

/// Records whether the game of a player is connected to another player's.
pub(crate) fn record_peer(
    lobby: &mut Lobby,
    id: GameId,
    player: PlayerId,
    peer: PlayerId,
    is_connected: bool,
) {
    let Some(found) = lobby.matches.get_mut(id) else { return };
    // A game may report anything, its own player as well.
    if peer == player || !found.players().any(|known| known == peer) {
        return;
    }
    let peers = found.peers.entry(player).or_default();
    if is_connected {
        peers.insert(peer);
    } else {
        peers.remove(&peer);
    }
}

/// Records what the game of a player reports about its launch.
pub(crate) fn record_status(lobby: &mut Lobby, id: GameId, player: PlayerId, status: &str) {
    let Some(found) = lobby.matches.get_mut(id) else { return };
    if status == "Ready" {
        found.ready.insert(player);
    } else {
        found.ready.remove(&player);
    }
}

fn in_phase(lobby: &Lobby, id: GameId, phase: Phase) -> Option<Match> {
    lobby.matches.get(id).filter(|found| found.phase == phase).cloned()
}
