//! How connections end.

use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Notice, NoticeStyle};

use crate::games::{Leaving, joining};
use crate::io::{ConnId, Count, Effect, LogLine};
use crate::refusal::closing_messages;
use crate::state::{Lobby, Session, Timer};
use crate::{matches, parties, queues};

/// Number of connections that end in one step; ending them takes some milliseconds.
pub(super) const CONNECTIONS_PER_STEP: usize = 400;

/// Time between two steps.
pub(super) const STEP: Duration = Duration::from_millis(10);

/// Forgets a connection. Its player goes offline and leaves the game.
pub(crate) fn end_session(lobby: &mut Lobby, conn: ConnId, how: Leaving) {
    let Some(session) = lobby.sessions.get(&conn) else { return };
    let is_current = |player: &PlayerId| lobby.players.conn(*player) == Some(conn);
    // A lobby that has stopped leaves its games as they are stored, so that its successor resumes
    // them.
    let is_stopped = lobby.has_stopped();
    if let Some(player) = session.player.filter(is_current).filter(|_| !is_stopped) {
        let others = lobby.players.len().saturating_sub(1);
        let share = lobby.settings.matches.common_losses_share;
        lobby.losses.record(player, lobby.now.elapsed, others, share);
        matches::player_lost(lobby, player);
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
        // A lobby that has stopped leaves the player in the game, whose `game_info` shows the names
        // of online players only.
        gone.game.iter().for_each(|connection| lobby.games.touch(connection.game));
        queues::cancel_searches_of(lobby, gone.info.id);
        parties::leave(lobby, gone.info.id);
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

/// Disconnects a client with a reason, as a word for programs, and a text.
pub(crate) fn kick(lobby: &mut Lobby, conn: ConnId, reason: &str, text: impl Into<String>) {
    let notice = Notice { reason: Some(reason.to_owned()), ..Notice::new(NoticeStyle::Kick, text) };
    eject(lobby, conn, notice);
}

/// Ends a connection after a notice, and keeps its client from logging in again by itself.
pub(crate) fn eject(lobby: &mut Lobby, conn: ConnId, notice: Notice) {
    for message in closing_messages(notice) {
        lobby.send(conn, message);
    }
    close(lobby, conn);
}

/// Ends connections that have sent nothing for too long although they were read.
pub(crate) fn close_silent(lobby: &mut Lobby) {
    let Some(timeout) = lobby.settings.idle_timeout else { return };
    let now = lobby.now.elapsed;
    let is_silent = |session: &Session| {
        session.player.is_some() && session.holds.is_empty() && session.last_heard + timeout <= now
    };
    let silent: Vec<ConnId> = lobby.connections_where(is_silent).take(CONNECTIONS_PER_STEP).collect();
    if silent.len() == CONNECTIONS_PER_STEP {
        lobby.timers.set(now + STEP, Timer::CloseSilent);
    }
    for conn in silent {
        lobby.log(LogLine::Refused { conn, reason: "the client is silent".to_owned() });
        close(lobby, conn);
    }
}
