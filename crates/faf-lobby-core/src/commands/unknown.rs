//! Commands that the server does not know, or not with these members.

use faf_protocol::Message;

use crate::client_text::quoted;
use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, message: &Message) -> CommandResult {
    let command = message.command().unwrap_or_default().into_owned();
    // A newer client may know more commands than this server; a client that has not logged in has
    // no reason to send one.
    if lobby.session(conn).player.is_some() {
        return Err(Refusal::informed(texts::unknown_command(&quoted(command))));
    }
    Err(Refusal::invalid(Some(command), "unknown command".to_owned()))
}
