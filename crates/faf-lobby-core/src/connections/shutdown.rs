//! The shutdown of the lobby.
//!
//! A player who goes leaves a game, and everybody is told; thousands at once would keep the lobby
//! busy for too long. So connections end in steps, and between these everybody else is served.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage};

use crate::connections::closing::{self, AT_ONCE, STEP};
use crate::games::joining;
use crate::games::joining::Leaving;
use crate::io::effect::Effect;
use crate::io::log::LogLine;
use crate::state::game::{Game, GameState};
use crate::state::game_process::Activity;
use crate::state::players::OnlinePlayer;
use crate::state::timers::Timer;
use crate::state::{Lifecycle, Lobby};
use crate::texts;

/// How often those who are in no game are sent away during a shutdown; time to read why.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// The operator wants the server to end.
pub(crate) fn shutdown(lobby: &mut Lobby) {
    match lobby.lifecycle {
        Lifecycle::Running => {
            lobby.log(LogLine::Shutdown { step: "shutting down: no new games" });
            let grace_period = lobby.settings.shutdown_grace_period;
            lobby.lifecycle = Lifecycle::Draining { until: lobby.now.elapsed + grace_period };
            close_lobbies(lobby);
            let kicks_idle = lobby.settings.shutdown_kick_idle_players;
            let text = texts::shutting_down(grace_period, kicks_idle);
            lobby.broadcast(ServerMessage::Notice(Notice::new(NoticeStyle::Info, text)));
            if kicks_idle {
                lobby.timers.set(lobby.now.elapsed + IDLE_PAUSE, Timer::CloseIdle);
            }
        }
        Lifecycle::Draining { .. } => stop(lobby),
        Lifecycle::Closing { .. } | Lifecycle::Stopped => {}
    }
}

/// Ends games that are not live yet, and tells the clients of everybody who is or wants to be
/// in one.
pub(crate) fn close_lobbies(lobby: &mut Lobby) {
    let is_early = |player: &&OnlinePlayer| {
        let game = player.game.as_ref().and_then(|own| lobby.games.get(own.game));
        game.is_some_and(|game| matches!(game.state, GameState::Initializing | GameState::Lobby))
    };
    let early = lobby.players.iter().filter(is_early);
    let inside: Vec<_> = early.map(|player| (player.conn, player.info.id)).take(AT_ONCE).collect();
    if inside.len() == AT_ONCE {
        lobby.timers.set(lobby.now.elapsed + STEP, Timer::CloseLobbies);
    }
    let conns = inside.iter().map(|(conn, _)| *conn).collect();
    lobby.send_several(conns, ServerMessage::Notice(Notice::without_text(NoticeStyle::Kill)));
    for (_, player) in inside {
        joining::leave_game(lobby, player, Leaving::Aborted);
    }
}

/// Ends everything. Games that are live stay as they are stored, and go on when a lobby begins
/// with them.
pub(crate) fn stop(lobby: &mut Lobby) {
    lobby.log(LogLine::Shutdown { step: "shutting down: closing all connections" });
    let games = lobby.games.iter().filter(|game| game.state() == GameState::Live).count();
    if games > 0 {
        lobby.log(LogLine::GamesCutOff { games });
    }
    lobby.broadcast(ServerMessage::Notice(Notice::new(NoticeStyle::Info, texts::SHUT_DOWN)));
    close_some(lobby);
}

/// Whether a player may log in, or stay without being in a game: not while players who are in no
/// game are sent away. A player who has lost the connection to a live game may come back to it.
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
    let idle: Vec<_> = lobby.players.iter().filter(is_idle).map(|player| player.conn).take(AT_ONCE).collect();
    let pause = if idle.len() == AT_ONCE { STEP } else { IDLE_PAUSE };
    lobby.timers.set(lobby.now.elapsed + pause, Timer::CloseIdle);
    for conn in idle {
        lobby.log(LogLine::SentAway { conn });
        closing::close(lobby, conn);
    }
}

/// A step of the end of everything. Nothing else happens in the lobby any more.
pub(crate) fn close_some(lobby: &mut Lobby) {
    lobby.lifecycle = Lifecycle::Closing { next: lobby.now.elapsed + STEP };
    for conn in lobby.connections().take(AT_ONCE).collect::<Vec<_>>() {
        closing::close(lobby, conn);
    }
    // Nobody is told of anybody any more.
    lobby.players.forget_changes();
    lobby.games.take_changes();
    if lobby.sessions.is_empty() {
        lobby.lifecycle = Lifecycle::Stopped;
        lobby.emit(Effect::Stop);
    }
}

/// Goes on with the end of everything when its next step is due.
pub(crate) fn go_on_closing(lobby: &mut Lobby) {
    if let Lifecycle::Closing { next } = lobby.lifecycle
        && lobby.now.elapsed >= next
    {
        close_some(lobby);
    }
}
