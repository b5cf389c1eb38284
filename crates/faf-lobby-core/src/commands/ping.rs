//! `ping`: a sign of life (session.md section 9).

use faf_protocol::ServerMessage;

use crate::io::conn::ConnId;
use crate::refusal::Refusal;
use crate::state::Lobby;
use crate::state::pending::Progress;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> Result<Progress, Refusal> {
    lobby.send(conn, ServerMessage::Pong);
    Ok(Progress::Done)
}
