//! `ping`: a sign of life (session.md section 9).

use faf_protocol::ServerMessage;

use crate::io::ConnId;
use crate::state::{CommandResult, Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> CommandResult {
    lobby.send(conn, ServerMessage::Pong);
    Ok(Progress::Done)
}
