//! `ask_session`: introduces the client, and returns the session number (session.md section 3).

use std::sync::Arc;

use faf_protocol::client_message::AskSession;
use faf_protocol::server_message::{ServerMessage, Session};

use crate::client_text::cut;
use crate::io::{ConnId, Count};
use crate::state::{ClientProgram, CommandResult, Lobby, Progress};
use crate::texts;

/// Name that the official client sends.
const OFFICIAL_CLIENT: &str = "downlords-faf-client";

/// Longest name or version that is kept, in characters; the rest is cut. The column that stores it
/// has the same length.
const NAME_LIMIT: usize = 50;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: AskSession) -> CommandResult {
    let is_official = request.user_agent.as_deref().is_some_and(|name| name.contains(OFFICIAL_CLIENT));
    if !is_official {
        let text = texts::unofficial_client(&lobby.settings.www_url);
        lobby.send(conn, texts::information(text));
    }
    let kept = |name| cut(name, NAME_LIMIT);
    let program =
        ClientProgram { user_agent: request.user_agent.map(kept), version: request.version.map(kept) };
    if let Some(version) = program.version.clone()
        && !std::mem::replace(&mut lobby.session_mut(conn).version_counted, true)
    {
        lobby.count(Count::Version(version));
    }
    introduce(lobby, conn, program);
    let session = lobby.session(conn).number;
    lobby.send(conn, ServerMessage::Session(Session { session }));
    Ok(Progress::Done)
}

/// Counts the connection as one of another client program.
pub(crate) fn introduce(lobby: &mut Lobby, conn: ConnId, program: ClientProgram) {
    let program = lobby.programs.share(program);
    let before = std::mem::replace(&mut lobby.session_mut(conn).program, Arc::clone(&program));
    lobby.programs.release(&before);
    if before != program {
        lobby.count(Count::ClientProgram { before: Some(before), after: Some(program) });
    }
}
