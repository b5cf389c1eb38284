//! A message of another service to clients.

use faf_protocol::server_message::ServerMessage;
use faf_protocol::{Message, PlayerId};

use crate::io::LogLine;
use crate::state::Lobby;

/// Passes a message on to a player, or to everybody who is logged in.
pub(crate) fn notify(lobby: &mut Lobby, to: Option<PlayerId>, message: Message) {
    if lobby.has_stopped() {
        return;
    }
    let message = ServerMessage::Other(message);
    match to {
        None => lobby.broadcast(message),
        Some(player) => match lobby.players.conn(player) {
            Some(conn) => lobby.send(conn, message),
            None => lobby.log(LogLine::NotificationForNobody { player }),
        },
    }
}
