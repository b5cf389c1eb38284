//! `kick_player_from_party`: removes a member from the sender's party (parties.md section 3.3).

use faf_protocol::ClientCommand;
use faf_protocol::client_message::KickPlayerFromParty;
use faf_protocol::server_message::ServerMessage;

use crate::io::ConnId;
use crate::parties;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &KickPlayerFromParty) -> CommandResult {
    let (sender, kicked) = (lobby.player_of(conn), request.kicked_player_id);
    parties::check_allowed(lobby, sender, ClientCommand::KickPlayerFromParty)?;
    let Some(conn_of_kicked) = lobby.players.conn(kicked) else {
        return Err(Refusal::declined(texts::KICKED_PLAYER_UNKNOWN));
    };
    let Some(owner) = lobby.parties.owner_of(sender) else {
        return Err(Refusal::declined(texts::NOT_IN_A_PARTY));
    };
    if owner != sender {
        return Err(Refusal::declined(texts::NOT_THAT_PARTYS_OWNER));
    }
    if kicked == sender {
        // A party has an owner as long as it exists.
        parties::leave(lobby, sender);
    } else if lobby.parties.owner_of(kicked) == Some(owner) {
        lobby.parties.remove(kicked);
        lobby.send(conn_of_kicked, ServerMessage::KickedFromParty);
    } else {
        // The client shows a player who is not a member: it gets the right list.
        parties::send_state(lobby, conn, owner);
    }
    Ok(Progress::Done)
}
