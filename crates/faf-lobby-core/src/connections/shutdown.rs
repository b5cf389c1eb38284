//! The shutdown of the lobby.
//!
//! A player who logs out leaves a game, which is reported to everyone; thousands at once would keep
//! the lobby busy for too long. So connections end in steps, and all other clients are served
//! between them.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage};

use crate::connections::closing::{self, CONNECTIONS_PER_STEP, STEP};
use crate::games::{Leaving, joining, persistence};
use crate::io::{Effect, LogLine};
use crate::state::{Activity, Game, GameState, Lifecycle, Lobby, OnlinePlayer, Saving, Timer};
use crate::texts;
use crate::{matches, queues};

/// Time between two rounds in which players who are in no game are disconnected; long enough to
/// read why.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Time for the last writes. A database that restarts together with the server is back by then; one
/// that is away for longer must not keep an operator from ending the server.
const LAST_WRITES_TIMEOUT: Duration = Duration::from_secs(60);

/// Handles the operator's request to end the server.
pub(crate) fn shutdown(lobby: &mut Lobby) {
    match lobby.lifecycle {
        Lifecycle::Running => {
            lobby.log(LogLine::Shutdown { step: "shutting down: no new games" });
            queues::keep_searches(lobby);
            let grace_period = lobby.settings.shutdown_grace_period;
            lobby.lifecycle = Lifecycle::Draining { until: lobby.now.elapsed + grace_period };
            queues::cancel_everywhere(lobby);
            queues::save(lobby);
            matches::cancel_all(lobby);
            close_lobbies(lobby);
            let kicks_idle = lobby.settings.shutdown_kick_idle_players;
            let text = texts::shutting_down(grace_period, kicks_idle);
            lobby.broadcast(texts::information(text));
            if kicks_idle {
                lobby.timers.set(lobby.now.elapsed + IDLE_PAUSE, Timer::CloseIdle);
            }
        }
        Lifecycle::Draining { .. } => stop(lobby),
        Lifecycle::Closing { .. } | Lifecycle::Stopped => {}
    }
}

/// Ends games that are not live yet. The clients of all players whose process is in one, or starts,
/// receive a `kill` notice, also those of a match that was cancelled.
pub(crate) fn close_lobbies(lobby: &mut Lobby) {
    let was_launched = |id| lobby.games.get(id).is_some_and(|game| game.live.is_some());
    let is_early = |player: &&OnlinePlayer| player.game.as_ref().is_some_and(|own| !was_launched(own.game));
    let early = lobby.players.iter().filter(is_early);
    let inside: Vec<_> =
        early.map(|player| (player.conn, player.info.id)).take(CONNECTIONS_PER_STEP).collect();
    if inside.len() == CONNECTIONS_PER_STEP {
        lobby.timers.set(lobby.now.elapsed + STEP, Timer::CloseLobbies);
    }
    let conns = inside.iter().map(|(conn, _)| *conn).collect();
    lobby.send_several(conns, ServerMessage::Notice(Notice::without_text(NoticeStyle::Kill)));
    for (_, player) in inside {
        joining::leave_game(lobby, player, Leaving::Aborted);
    }
}

/// Ends everything. Live games stay as they are stored; the next lobby resumes them. Writes about
/// games that have failed are tried again at once.
pub(crate) fn stop(lobby: &mut Lobby) {
    lobby.log(LogLine::Shutdown { step: "shutting down: closing all connections" });
    let games = lobby.games.iter().filter(|game| game.state() == GameState::Live).count();
    if games > 0 {
        lobby.log(LogLine::GamesCutOff { games });
    }
    lobby.broadcast(texts::information(texts::SHUT_DOWN));
    queues::keep_parties(lobby);
    queues::save(lobby);
    close_some(lobby, lobby.now.elapsed + LAST_WRITES_TIMEOUT);
    let waiting = lobby.timers.take_all();
    waiting.into_iter().for_each(|timer| store_again(lobby, timer));
}

/// Repeats the write that a timer is about. All other rules have ended with the lobby.
fn store_again(lobby: &mut Lobby, timer: Timer) {
    if let Timer::StoreAgain(game) = timer {
        persistence::ask_to_store(lobby, game);
    }
}

/// Returns whether a player may log in, or stay online without a game. While players without a
/// game are being disconnected, only players who may return to a live game are let in.
pub(crate) fn is_welcome_now(lobby: &Lobby, player: PlayerId) -> bool {
    let sends_away = lobby.is_draining() && lobby.settings.shutdown_kick_idle_players;
    !sends_away || lobby.games.iter().any(|game| game.awaits(player))
}

/// Disconnects players who are in no game, because the server shuts down.
pub(crate) fn close_idle(lobby: &mut Lobby) {
    if !matches!(lobby.lifecycle, Lifecycle::Draining { .. }) {
        return;
    }
    let awaited: BTreeSet<PlayerId> = lobby.games.iter().flat_map(Game::awaited).collect();
    let is_idle =
        |player: &&OnlinePlayer| player.activity == Activity::Idle && !awaited.contains(&player.info.id);
    let idle: Vec<_> = lobby
        .players
        .iter()
        .filter(is_idle)
        .map(|player| (player.conn, player.info.id))
        .take(CONNECTIONS_PER_STEP)
        .collect();
    let pause = if idle.len() == CONNECTIONS_PER_STEP { STEP } else { IDLE_PAUSE };
    lobby.timers.set(lobby.now.elapsed + pause, Timer::CloseIdle);
    for (conn, player) in idle {
        queues::keep_party_of(lobby, player);
        lobby.log(LogLine::SentAway { conn });
        closing::close(lobby, conn);
    }
}

/// Closes the next connections. Nothing else happens in the lobby any more.
fn close_some(lobby: &mut Lobby, until: Duration) {
    lobby.lifecycle = Lifecycle::Closing { next: lobby.now.elapsed + STEP, until };
    for conn in lobby.connections().take(CONNECTIONS_PER_STEP).collect::<Vec<_>>() {
        closing::close(lobby, conn);
    }
    // No changes are reported any more.
    lobby.players.forget_changes();
    lobby.games.take_changes();
    wait_for_writes(lobby);
}

/// Stops the lobby when all connections are closed and the last writes have been made, or have
/// taken all their time.
pub(crate) fn wait_for_writes(lobby: &mut Lobby) {
    let Lifecycle::Closing { until, .. } = lobby.lifecycle else { return };
    if !lobby.sessions.is_empty() {
        return;
    }
    let (is_late, games) = (lobby.now.elapsed >= until, lobby.games.storage.len());
    if !is_late && (games > 0 || matches!(lobby.saving, Saving::UnderWay { .. })) {
        let next = lobby.timers.next().map_or(until, |due| due.min(until));
        lobby.lifecycle = Lifecycle::Closing { next, until };
        return;
    }
    if games > 0 {
        lobby.log(LogLine::GamesNotStored { games });
    }
    lobby.lifecycle = Lifecycle::Stopped;
    lobby.emit(Effect::Stop);
}

/// Takes the next step when it is due.
pub(crate) fn go_on_closing(lobby: &mut Lobby) {
    if let Lifecycle::Closing { next, until } = lobby.lifecycle
        && lobby.now.elapsed >= next
    {
        while let Some(timer) = lobby.timers.take_due(lobby.now.elapsed) {
            store_again(lobby, timer);
        }
        close_some(lobby, until);
    }
}
