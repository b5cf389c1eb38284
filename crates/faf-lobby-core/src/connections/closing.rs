//! How connections end.

use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::Notice;

use crate::games::joining;
use crate::games::joining::Leaving;
use crate::io::conn::ConnId;
use crate::io::effect::Effect;
use crate::io::log::LogLine;
use crate::io::metric::Count;
use crate::refusal::farewell;
use crate::state::Lobby;
use crate::state::sessions::Session;
use crate::state::timers::Timer;

/// Connections that are ended in a step: some milliseconds of work.
pub(super) const AT_ONCE: usize = 400;

/// Time between two steps.
pub(super) const STEP: Duration = Duration::from_millis(10);

/// Forgets a connection. Its player is offline from now on, and out of the game.
pub(crate) fn end_session(lobby: &mut Lobby, conn: ConnId, how: Leaving) {
    let Some(session) = lobby.sessions.get(&conn) else { return };
    let is_current = |player: &PlayerId| lobby.players.get(*player).is_some_and(|online| online.conn == conn);
    // A lobby that has stopped leaves its games as they are stored, and others go on with them.
    let is_stopped = lobby.has_stopped();
    if let Some(player) = session.player.filter(is_current).filter(|_| !is_stopped) {
        joining::leave_game(lobby, player, how);
    }
    let Some(session) = lobby.sessions.remove(&conn) else { return };
    lobby.admission.remove(conn);
    lobby.timers.remove(session.login_deadline, Timer::Login(conn));
    lobby.timers.remove(session.pacing.reads_at(), Timer::Read(conn));
    lobby.unpaid.leave(session.player, session.address, session.pacing, lobby.now.elapsed);
    lobby.programs.release(&session.program);
    lobby.count(Count::ClientProgram { before: Some(session.program), after: None });
    if let Some(gone) = session.player.and_then(|player| lobby.players.remove(player, conn)) {
        // A lobby that has stopped leaves the player in the game, which shows the names of those
        // who are online.
        gone.game.iter().for_each(|connection| lobby.games.touch(connection.game));
        lobby.log(LogLine::LoggedOut { conn, player: gone.info.id, login: gone.info.login.clone() });
    }
}

/// Ends a connection after everything that was sent to it.
pub(crate) fn close(lobby: &mut Lobby, conn: ConnId) {
    if lobby.sessions.contains_key(&conn) {
        lobby.effects.push_back(Effect::Close { conn });
        end_session(lobby, conn, Leaving::Kicked);
    }
}

/// Ends a connection after a notice. Its client must not log in again by itself.
pub(crate) fn turn_out(lobby: &mut Lobby, conn: ConnId, notice: Notice) {
    for message in farewell(notice) {
        lobby.send(conn, message);
    }
    close(lobby, conn);
}

/// Ends connections of which nothing was heard for too long, though they were read from.
pub(crate) fn close_silent(lobby: &mut Lobby) {
    let Some(timeout) = lobby.settings.idle_timeout else { return };
    let now = lobby.now.elapsed;
    let is_silent = |session: &Session| {
        session.player.is_some() && session.holds.is_empty() && session.last_heard + timeout <= now
    };
    let silent: Vec<ConnId> = lobby.connections_where(is_silent).take(AT_ONCE).collect();
    if silent.len() == AT_ONCE {
        lobby.timers.set(now + STEP, Timer::CloseSilent);
    }
    for conn in silent {
        lobby.log(LogLine::Refused { conn, reason: "the client is silent".to_owned() });
        close(lobby, conn);
    }
}
