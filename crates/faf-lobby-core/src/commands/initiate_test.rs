//! `InitiateTest`: the connectivity test of outdated clients (session.md section 10).

use faf_protocol::client_message::ConnectivityTest;

use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby};
use crate::texts;

/// Marks the client as one that cannot play, and notifies the player.
pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, _request: ConnectivityTest) -> CommandResult {
    lobby.session_mut(conn).is_outdated = true;
    Err(Refusal::declined(texts::OUTDATED_CLIENT))
}
