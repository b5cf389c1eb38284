//! Parties: how players come together to search for a match, and part again (parties.md).

use std::sync::Arc;

use faf_protocol::server_message::{PartyMember, ServerMessage, UpdateParty};
use faf_protocol::{ClientCommand, CommandError, PlayerId};

use crate::client_text::quoted;
use crate::games::check_idle;
use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{Lobby, Member, Party};
use crate::texts;

/// Checks that the sender of a command may change a party now: `set_party_factions` and
/// `leave_party` are allowed at any time, the others only to players who are not busy.
pub(crate) fn check_allowed(lobby: &Lobby, player: PlayerId, command: ClientCommand) -> Result<(), Refusal> {
    let wish = match command {
        ClientCommand::InviteToParty => "invite a player",
        ClientCommand::AcceptPartyInvite => "join a party",
        ClientCommand::KickPlayerFromParty => "kick a player",
        _ => return Ok(()),
    };
    check_idle(lobby, player, wish)
}

/// Refuses a command of parties that cannot be read. The connection stays.
pub(crate) fn refuse_unreadable(
    lobby: &Lobby,
    player: PlayerId,
    command: ClientCommand,
    error: &CommandError,
) -> Refusal {
    // The reason may repeat a value of any length.
    let reason = quoted(error.error.to_string());
    let busy = check_allowed(lobby, player, command).err();
    busy.unwrap_or_else(|| Refusal::declined(texts::unreadable(command.name(), &reason)))
}

/// Removes a player from their party, which ends if it is the player's own. Returns the player's
/// place in it; `None` if the player has no party.
pub(crate) fn leave(lobby: &mut Lobby, player: PlayerId) -> Option<Member> {
    let owner = lobby.parties.owner_of(player)?;
    if owner == player {
        return disband(lobby, owner);
    }
    let left = lobby.parties.remove(player)?;
    // The player is sent the party without them, by which their client knows that they are alone.
    if let Some(conn) = lobby.players.conn(player) {
        send_state(lobby, conn, owner);
    }
    Some(left)
}

/// Ends the party of an owner. All members are sent that it has none any more.
fn disband(lobby: &mut Lobby, owner: PlayerId) -> Option<Member> {
    let party = lobby.parties.disband(owner)?;
    lobby.send_several(connections(lobby, &party), state(lobby, owner));
    party.members.first().copied()
}

/// Removes a player from their party before the player takes a place in another one. An owner who
/// is alone is not sent that the party has ended, because the next one follows.
pub(crate) fn leave_for_another(lobby: &mut Lobby, player: PlayerId) -> Option<Member> {
    let is_alone = lobby.parties.get(player).is_some_and(|party| party.members.len() == 1);
    if is_alone {
        return lobby.parties.disband(player)?.members.first().copied();
    }
    leave(lobby, player)
}

/// Sends a client the state of a party.
pub(crate) fn send_state(lobby: &mut Lobby, conn: ConnId, owner: PlayerId) {
    lobby.send(conn, state(lobby, owner));
}

/// Reports each party that has changed to all its members.
pub(crate) fn report(lobby: &mut Lobby) {
    for owner in lobby.parties.take_changes() {
        if let Some(party) = lobby.parties.get(owner) {
            lobby.send_several(connections(lobby, party), state(lobby, owner));
        }
    }
}

fn connections(lobby: &Lobby, party: &Party) -> Vec<ConnId> {
    party.players().filter_map(|player| lobby.players.conn(player)).collect()
}

/// Returns the party of an owner as clients are sent it: without members if it has ended.
fn state(lobby: &Lobby, owner: PlayerId) -> ServerMessage {
    let members = lobby.parties.get(owner).map_or(&[][..], |party| &party.members);
    let members =
        members.iter().map(|member| PartyMember { player: member.player, factions: member.factions });
    ServerMessage::UpdateParty(Arc::new(UpdateParty { owner, members: members.collect() }))
}
