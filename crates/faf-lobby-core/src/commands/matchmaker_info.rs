//! `matchmaker_info`: the state of all queues (matchmaking.md section 7.1).

use faf_protocol::server_message::ServerMessage;

use crate::io::ConnId;
use crate::queues;
use crate::state::{CommandResult, Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> CommandResult {
    let info = queues::reply(lobby);
    lobby.send(conn, ServerMessage::MatchmakerInfo(info));
    Ok(Progress::Done)
}
