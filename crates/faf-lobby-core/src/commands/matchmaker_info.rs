//! `matchmaker_info`: the queues of the matchmaker; empty as long as there is no matchmaker.

use faf_protocol::server_message::{QueueList, ServerMessage};

use crate::io::ConnId;
use crate::state::{CommandResult, Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId) -> CommandResult {
    lobby.send(conn, ServerMessage::MatchmakerInfo(QueueList::default()));
    Ok(Progress::Done)
}
