//! `ping`: a sign of life (session.md section 9).

use faf_protocol::ServerMessage;

use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> Result<Progress, Refusal> {
    lobby.send(conn, ServerMessage::Pong);
    Ok(Progress::Done)
}
