//! `set_party_factions`: chooses the factions among which the next match draws one (parties.md
//! section 3.5).
//!
//! Clients send it after every login.

use faf_protocol::client_message::SetPartyFactions;

use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &SetPartyFactions) -> CommandResult {
    if request.factions.is_empty() {
        return Err(Refusal::declined(texts::NO_FACTION));
    }
    let player = lobby.player_of(conn);
    lobby.parties.set_factions(player, request.factions, true);
    Ok(Progress::Done)
}
