//! `accept_party_invite`: joins the party of a player who has sent an invitation (parties.md
//! section 3.2).

use faf_protocol::ClientCommand;
use faf_protocol::client_message::AcceptPartyInvite;

use crate::io::ConnId;
use crate::parties;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Member, PARTY_MEMBERS_MAX, Progress};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &AcceptPartyInvite) -> CommandResult {
    let (player, owner) = (lobby.player_of(conn), request.sender_id);
    parties::check_allowed(lobby, player, ClientCommand::AcceptPartyInvite)?;
    if lobby.players.get(owner).is_none() {
        return Err(Refusal::declined(texts::INVITING_PLAYER_UNKNOWN));
    }
    // The player is in that party already.
    if lobby.parties.owner_of(player).unwrap_or(player) == owner {
        return Ok(Progress::Done);
    }
    if !lobby.parties.is_invited(owner, player, lobby.now.elapsed) {
        return Err(Refusal::declined(texts::NOT_INVITED));
    }
    if lobby.players.get(owner).is_some_and(|online| online.activity.needs_same_party()) {
        return Err(Refusal::declined(texts::PARTY_IN_QUEUE));
    }
    if lobby.parties.get(owner).is_some_and(|party| party.members.len() >= PARTY_MEMBERS_MAX) {
        return Err(Refusal::declined(texts::PARTY_IS_FULL));
    }
    for member in [player, owner] {
        lobby.returning.leave_parties(member);
    }
    let factions = parties::leave_for_another(lobby, player).map(|left| left.factions);
    lobby.parties.join(owner, Member { player, factions: factions.unwrap_or_default() });
    Ok(Progress::Done)
}
