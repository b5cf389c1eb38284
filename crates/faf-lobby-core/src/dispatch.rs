//! The dispatcher: passes messages and replies to commands, and decides when a connection is read
//! again.
//!
//! Only this file and `world.rs` call commands. Rules that finish the command of another connection
//! leave it in `Lobby::released`.

use faf_protocol::server_message::ServerMessage;
use faf_protocol::{ClientMessage, CommandError};

use crate::commands;
use crate::connections::{closing, pacing};
use crate::io::{ConnId, Effect, HoldReason, LogLine, Reply, ReplyTo, Ticket, request_table};
use crate::state::{
    CommandResult, Holds, Lobby, PendingCommand, Progress, Resume, ResumeLobby, WaitingMessage,
};

/// Handles a message of a client.
pub(crate) fn received(lobby: &mut Lobby, conn: ConnId, message: Result<ClientMessage, CommandError>) {
    if lobby.has_stopped() {
        return;
    }
    let now = lobby.now.elapsed;
    let Some(session) = lobby.sessions.get_mut(&conn) else { return };
    session.last_heard = now;
    let is_busy = session.is_busy;
    let is_logged_in = session.player.is_some();
    let (class, bytes) = commands::price(&message);
    if !is_logged_in && !is_busy && pacing::must_wait(lobby, conn) {
        // The connection has taken over a debt, but its first message was read before it could be
        // held. Only messages before the login are kept here, and these have a size limit.
        lobby.session_mut(conn).waiting = Some(Box::new(WaitingMessage { message, class, bytes }));
        return update_holds(lobby, conn);
    }
    pacing::pay(lobby, conn, class, bytes);
    if !is_busy {
        return dispatch(lobby, conn, message);
    }
    // A ping gets its pong whatever else is pending: clients take a late pong for a lost
    // connection.
    match message {
        Ok(ClientMessage::Ping) => lobby.send(conn, ServerMessage::Pong),
        Ok(ClientMessage::Pong) => {}
        message => {
            lobby.session_mut(conn).waiting = Some(Box::new(WaitingMessage { message, class, bytes }));
        }
    }
    update_holds(lobby, conn);
}

/// Handles the message that was read before the debt of its connection was paid, or grants the
/// connection its next read.
pub(crate) fn debt_is_paid(lobby: &mut Lobby, conn: ConnId) {
    let Some(session) = lobby.sessions.get(&conn) else { return };
    if !session.is_busy
        && session.waiting.is_some()
        && !pacing::must_wait(lobby, conn)
        && let Some(waiting) = lobby.session_mut(conn).waiting.take()
    {
        let WaitingMessage { message, class, bytes } = *waiting;
        pacing::pay(lobby, conn, class, bytes);
        return dispatch(lobby, conn, message);
    }
    update_holds(lobby, conn);
}

fn dispatch(lobby: &mut Lobby, conn: ConnId, message: Result<ClientMessage, CommandError>) {
    let outcome = commands::handle(lobby, conn, message);
    finish(lobby, conn, outcome);
}

macro_rules! declare_replied {
    (
        commands { $( $(#[$doc:meta])* $table:ident: $name:ident { $($members:tt)* } -> $reply:ty; )* }
        lobby { $(
            $(#[$lobby_doc:meta])* $lobby_table:ident: $lobby_name:ident { $($lobby_members:tt)* } -> $lobby_reply:ty;
        )* }
    ) => {
        /// Resumes the command, or the work of the lobby itself, that waits for a reply.
        pub(crate) fn replied(lobby: &mut Lobby, reply: Reply) {
            match reply {
                $( Reply::$name(ticket, reply) => resume_command(lobby, ticket, reply), )*
                $( Reply::$lobby_name(ticket, reply) => resume_lobby(lobby, ticket, reply), )*
            }
        }
    };
}

request_table!(declare_replied);

/// Resumes a command, unless its connection has ended.
fn resume_command<R: Resume>(lobby: &mut Lobby, ticket: Ticket<R>, reply: ReplyTo<R>) {
    let Some(PendingCommand { conn, memo }) = lobby.pending.take(ticket) else {
        return lobby.log(LogLine::UnknownRequest { request: ticket.id() });
    };
    if lobby.sessions.contains_key(&conn) && !lobby.has_stopped() {
        let outcome = R::resume(memo, lobby, conn, reply);
        finish(lobby, conn, outcome);
    }
}

/// Resumes work that the lobby does on its own behalf.
fn resume_lobby<R: ResumeLobby>(lobby: &mut Lobby, ticket: Ticket<R>, reply: ReplyTo<R>) {
    match lobby.pending.take(ticket) {
        Some(memo) => R::resume(memo, lobby, reply),
        None => lobby.log(LogLine::UnknownRequest { request: ticket.id() }),
    }
}

/// Sends the client the outcome of a command, or of the part of it that has run, and continues with
/// the next message.
fn finish(lobby: &mut Lobby, conn: ConnId, outcome: CommandResult) {
    let progress = match outcome {
        Ok(progress) => progress,
        Err(refusal) => {
            for message in refusal.messages() {
                lobby.send(conn, message);
            }
            if let Some(reason) = refusal.closes_because() {
                lobby.log(LogLine::Refused { conn, reason });
                closing::close(lobby, conn);
            }
            Progress::Done
        }
    };
    let Some(session) = lobby.sessions.get_mut(&conn) else { return };
    session.is_busy = match progress {
        Progress::Done => false,
        Progress::Pending => true,
    };
    if !session.is_busy {
        lobby.effects.push_back(Effect::Done { conn });
        if let Some(waiting) = session.waiting.take() {
            return dispatch(lobby, conn, waiting.message);
        }
    }
    update_holds(lobby, conn);
}

/// Sends the reader of the connection the holds that have come or gone.
fn update_holds(lobby: &mut Lobby, conn: ConnId) {
    if !lobby.sessions.contains_key(&conn) {
        return;
    }
    let over_rate = pacing::must_wait(lobby, conn);
    let now = lobby.now.elapsed;
    let session = lobby.session_mut(conn);
    let holds = Holds { busy: session.waiting.is_some(), over_rate };
    let before = std::mem::replace(&mut session.holds, holds);
    if holds.is_empty() && !before.is_empty() {
        // Nothing could arrive while nothing was read.
        session.last_heard = now;
    }
    for (reason, was_held, is_held) in [
        (HoldReason::Busy, before.busy, holds.busy),
        (HoldReason::OverRate, before.over_rate, holds.over_rate),
    ] {
        match (was_held, is_held) {
            (false, true) => lobby.effects.push_back(Effect::Hold { conn, reason }),
            (true, false) => lobby.effects.push_back(Effect::Release { conn, reason }),
            _ => {}
        }
    }
}

/// Finishes the commands that rules have released.
pub(crate) fn finish_released(lobby: &mut Lobby) {
    // Finishing one may run a message that has waited for it, which may release others.
    while !lobby.released.is_empty() {
        for conn in std::mem::take(&mut lobby.released) {
            finish(lobby, conn, Ok(Progress::Done));
        }
    }
}
