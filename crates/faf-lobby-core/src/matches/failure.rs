//! The failure of a match: everybody is told, and those to blame have a violation more
//! (matchmaking.md sections 9 and 10).

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::server_message::{MatchCancelled, SearchViolation, ServerMessage};
use faf_protocol::{GameId, PlayerId};

use crate::games::{Leaving, ending, joining};
use crate::io::MatchOutcome;
use crate::matches::launching::{enter_phase, note_end};
use crate::queues;
use crate::state::{Accused, Activity, Lobby, Match, Phase, Timer};
use crate::texts;

/// Time that game processes of a cancelled match have to end. Then their players can play again,
/// whatever the processes do.
const PROCESSES_END_WITHIN: Duration = Duration::from_secs(60);

/// Time after which players who have lost their connection are judged.
const JUDGED_AFTER: Duration = Duration::from_secs(60);

/// The reason for which a match has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Because it was not launched in time; these players are to blame, if it can be told who is.
    TimedOut(Vec<PlayerId>),
    /// Because these players have left.
    PlayersLeft(Vec<PlayerId>),
    /// Because of the server: the database is away, there is no map, the server shuts down.
    Ours,
}

/// Cancels a match that has failed.
pub(crate) fn fail(lobby: &mut Lobby, id: GameId, why: Failure) {
    let Some(found) = lobby.matches.get(id).filter(|found| found.phase != Phase::Cancelled).cloned() else {
        return;
    };
    let game = lobby.games.get(id).map(|game| game.id);
    if game.is_some() {
        ending::end_unlaunched(lobby, id);
    }
    enter_phase(lobby, id, Phase::Cancelled, lobby.now.elapsed + PROCESSES_END_WITHIN);
    dismiss(lobby, id, &found, game);
    let (outcome, blamed) = match why {
        Failure::TimedOut(players) => (MatchOutcome::TimedOut, players),
        Failure::PlayersLeft(players) => (MatchOutcome::PlayerLeft, players),
        Failure::Ours => (MatchOutcome::Errored, Vec::new()),
    };
    if outcome != MatchOutcome::Errored {
        // M5: players who have left before are no less to blame.
        blame(lobby, &found, blamed.into_iter().chain(found.lost.iter().copied()).collect());
    }
    note_end(lobby, found.queue, Some(id), outcome);
}

/// Cancels a match for whose game there is no id.
pub(super) fn end_without_game(lobby: &mut Lobby, found: &Match) {
    for player in found.players() {
        tell_cancelled(lobby, player, None);
    }
    note_end(lobby, found.queue, None, MatchOutcome::Errored);
}

/// Tells the players who are still in a match that it is cancelled. Those without a game connection
/// can play again at once (M1, M3).
fn dismiss(lobby: &mut Lobby, id: GameId, found: &Match, game: Option<GameId>) {
    for player in found.players() {
        if !is_still_in(lobby, id, found, player) || !tell_cancelled(lobby, player, game) {
            lobby.matches.release(player, id);
        }
    }
}

/// Returns whether a player waits for a match or plays it: a player who has logged in again, or
/// whose process was given up, may have begun something else.
fn is_still_in(lobby: &Lobby, id: GameId, found: &Match, player: PlayerId) -> bool {
    let Some(online) = lobby.players.get(player) else { return false };
    let does_nothing_else = match &online.game {
        Some(connection) => connection.game == id,
        None => matches!(online.activity, Activity::Idle | Activity::StartingAutomatch),
    };
    lobby.matches.of_player(player) == Some(id) && !found.lost.contains(&player) && does_nothing_else
}

/// Tells a player that the match is cancelled. Returns whether the player has a game connection.
fn tell_cancelled(lobby: &mut Lobby, player: PlayerId, game: Option<GameId>) -> bool {
    let Some(online) = lobby.players.get_mut(player) else { return false };
    let has_process = online.game.is_some();
    if !has_process && online.activity == Activity::StartingAutomatch {
        online.activity = Activity::Idle;
    }
    let conn = online.conn;
    lobby.send(conn, ServerMessage::MatchCancelled(MatchCancelled { game_id: game }));
    has_process
}

/// Blames players for the failure of a match. Those who have lost their connection are judged
/// later, when it is known whether many others have, too.
fn blame(lobby: &mut Lobby, found: &Match, players: BTreeSet<PlayerId>) {
    let (lost, others): (BTreeSet<_>, _) =
        players.into_iter().partition(|player| found.lost.contains(player));
    let due = lobby.now.elapsed + JUDGED_AFTER;
    for player in lost {
        lobby.accused.push_back(Accused { player, since: found.began_at, due });
        lobby.timers.set(due, Timer::Judge);
    }
    for player in others {
        judge(lobby, player, found.began_at);
    }
}

/// Judges the players whose connections were lost a while ago.
pub(crate) fn judge_accused(lobby: &mut Lobby) {
    while let Some(accused) = lobby.accused.front().copied().filter(|one| one.due <= lobby.now.elapsed) {
        lobby.accused.pop_front();
        judge(lobby, accused.player, accused.since);
    }
}

/// Records a violation of a player in a match that began at `since`, unless there is a cause that
/// is nobody's: the server shuts down, or many players have lost their connection. A player who is
/// timed out by it searches no more.
fn judge(lobby: &mut Lobby, player: PlayerId, since: Duration) {
    if lobby.is_draining() || lobby.losses.were_common_since(since) {
        return;
    }
    let settings = lobby.settings.matches.violations;
    let Some(violation) = lobby.violations.record(player, lobby.now.utc, &settings) else { return };
    lobby.queues.mark_unsaved();
    if let Some(conn) = lobby.players.conn(player) {
        let time = violation.time.to_string();
        lobby.send(conn, ServerMessage::SearchViolation(SearchViolation { count: violation.count, time }));
        lobby.send(conn, texts::information(violation.notice(&settings)));
    }
    if violation.ban(&settings).is_some() {
        queues::cancel_searches_of(lobby, player);
    }
}

/// Releases the players of a cancelled match whose game processes have not ended in time.
pub(crate) fn release(lobby: &mut Lobby, id: GameId) {
    let Some(found) = lobby.matches.remove(id) else { return };
    for player in found.players() {
        let game = lobby.players.get(player).and_then(|online| online.game.as_ref());
        if game.is_some_and(|connection| connection.game == id) {
            joining::leave_game(lobby, player, Leaving::Aborted);
        }
    }
}

/// Cancels all matches that are being set up, with nobody to blame.
pub(crate) fn cancel_all(lobby: &mut Lobby) {
    for id in lobby.matches.ids() {
        fail(lobby, id, Failure::Ours);
    }
}
