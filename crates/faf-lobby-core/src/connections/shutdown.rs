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
use crate::games::{Leaving, joining};
use crate::io::{Effect, LogLine};
use crate::state::{Activity, Game, GameState, Lifecycle, Lobby, OnlinePlayer, Saving, Timer};
use crate::texts;
use crate::{matches, queues};

/// Time between two rounds in which players who are in no game are disconnected; long enough to
/// read why.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

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

/// Ends everything. Live games stay as they are stored; the next lobby resumes them.
pub(crate) fn stop(lobby: &mut Lobby) {
    lobby.log(LogLine::Shutdown { step: "shutting down: closing all connections" });
    let games = lobby.games.iter().filter(|game| game.state() == GameState::Live).count();
    if games > 0 {
        lobby.log(LogLine::GamesCutOff { games });
    }
    lobby.broadcast(texts::information(texts::SHUT_DOWN));
    queues::keep_parties(lobby);
    queues::save(lobby);
    close_some(lobby);
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
pub(crate) fn close_some(lobby: &mut Lobby) {
    lobby.lifecycle = Lifecycle::Closing { next: lobby.now.elapsed + STEP };
    for conn in lobby.connections().take(CONNECTIONS_PER_STEP).collect::<Vec<_>>() {
        closing::close(lobby, conn);
    }
    // No changes are reported any more.
    lobby.players.forget_changes();
    lobby.games.take_changes();
    end_if_closed(lobby);
}

/// Stops the lobby when all connections are closed and the last save has been made.
pub(crate) fn end_if_closed(lobby: &mut Lobby) {
    let is_saving = matches!(lobby.saving, Saving::UnderWay { .. });
    if matches!(lobby.lifecycle, Lifecycle::Closing { .. }) && lobby.sessions.is_empty() && !is_saving {
        lobby.lifecycle = Lifecycle::Stopped;
        lobby.emit(Effect::Stop);
    }
}

/// Continues closing connections when the next step is due.
pub(crate) fn go_on_closing(lobby: &mut Lobby) {
    if let Lifecycle::Closing { next } = lobby.lifecycle
        && lobby.now.elapsed >= next
    {
        close_some(lobby);
    }
}
