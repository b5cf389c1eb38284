//! `invite_to_party`: invites another player to the sender's party (parties.md section 3.1).

use std::sync::Arc;

use faf_protocol::ClientCommand;
use faf_protocol::client_message::InviteToParty;
use faf_protocol::server_message::{PartyInvite, ServerMessage};

use crate::io::{ConnId, Count};
use crate::parties;
use crate::refusal::Refusal;
use crate::state::{CommandResult, Limit, Lobby, Progress};
use crate::texts;

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &InviteToParty) -> CommandResult {
    let (sender, recipient) = (lobby.player_of(conn), request.recipient_id);
    parties::check_allowed(lobby, sender, ClientCommand::InviteToParty)?;
    let Some(invited) = lobby.players.get(recipient) else {
        return Err(Refusal::declined(texts::INVITED_PLAYER_UNKNOWN));
    };
    // The invitation of a foe is dropped without a reply, so that the sender does not learn of it.
    if recipient == sender || invited.foes.contains(&sender) {
        return Ok(Progress::Done);
    }
    let invited = invited.conn;
    if lobby.parties.owner_of(sender).is_some_and(|owner| owner != sender) {
        return Err(Refusal::declined(texts::NOT_THIS_PARTYS_OWNER));
    }
    let now = lobby.now.elapsed;
    if !lobby.limits.invite(sender, now) {
        lobby.count(Count::Limited(Limit::Invitations));
        return Err(Refusal::declined(texts::TOO_MANY_INVITATIONS));
    }
    lobby.returning.leave_parties_of_others(sender);
    lobby.parties.invite(sender, recipient, now);
    // Clients fail on an invitation by a player whom they have not been sent.
    if let Some(list) = lobby.players.unreported(sender) {
        lobby.send(invited, ServerMessage::PlayerInfo(Arc::new(list)));
    }
    lobby.send(invited, ServerMessage::PartyInvite(PartyInvite { sender }));
    Ok(Progress::Done)
}
