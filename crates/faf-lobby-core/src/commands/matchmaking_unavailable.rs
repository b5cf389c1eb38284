//! Commands for matchmaking, which this server does not offer yet; and commands that it does not
//! know.
//!
//! Clients send some of them by themselves, after every login or when something has happened to the
//! player; these are never refused with an error.

use faf_protocol::Message;

use crate::client_text::quoted;
use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;

/// `set_player_vetoes`: ignored, as there are no matches whose maps it could change.
pub(crate) fn ignore(_lobby: &mut Lobby, _conn: ConnId, _message: &Message) -> CommandResult {
    Ok(Progress::Done)
}

/// Handles a command that the server does not know, or not with these members.
pub(crate) fn unknown(lobby: &mut Lobby, conn: ConnId, message: &Message) -> CommandResult {
    let command = message.command().unwrap_or_default().into_owned();
    // A newer client may know more commands than this server; a client that has not logged in has
    // no reason to send one.
    if lobby.session(conn).player.is_some() {
        return Err(Refusal::informed(texts::unknown_command(&quoted(command))));
    }
    Err(Refusal::invalid(Some(command), "unknown command".to_owned()))
}
