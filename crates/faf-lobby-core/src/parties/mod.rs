//! Parties: how players come together to search for a match, and part again (parties.md).

use std::sync::Arc;

use faf_protocol::server_message::{PartyMember, ServerMessage, UpdateParty};
use faf_protocol::{ClientCommand, CommandError, PlayerId};

use crate::io::ConnId;
use crate::refusal::Refusal;
use crate::state::{Activity, Lobby, Member, Party};
use crate::texts;

/// Checks that a player who changes a party is not busy with anything else.
pub(crate) fn check_idle(lobby: &Lobby, player: PlayerId, wish: &'static str) -> Result<(), Refusal> {
    match lobby.players.get(player).map(|online| online.activity) {
        None | Some(Activity::Idle) => Ok(()),
        Some(busy) => Err(Refusal::declined(texts::busy(wish, busy.name()))),
    }
}

/// Returns what a command of parties does to a party, for texts; `None` for those that players may
/// use whatever they do.
pub(crate) fn wish(command: ClientCommand) -> Option<&'static str> {
    match command {
        ClientCommand::InviteToParty => Some("invite a player"),
        ClientCommand::AcceptPartyInvite => Some("join a party"),
        ClientCommand::KickPlayerFromParty => Some("kick a player"),
        _ => None,
    }
}

/// Refuses a command of parties that cannot be read. The connection stays.
pub(crate) fn refuse_unreadable(
    lobby: &Lobby,
    player: PlayerId,
    command: ClientCommand,
    error: &CommandError,
) -> Refusal {
    let busy = wish(command).and_then(|wish| check_idle(lobby, player, wish).err());
    busy.unwrap_or_else(|| Refusal::declined(texts::unreadable(command.name(), &error.error.to_string())))
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
    if let Some(conn) = lobby.players.get(player).map(|online| online.conn) {
        let update = update(owner, lobby.parties.get(owner).map_or(&[], |party| &party.members));
        lobby.send(conn, update);
    }
    Some(left)
}

/// Ends the party of an owner. All members are sent that it has none any more.
fn disband(lobby: &mut Lobby, owner: PlayerId) -> Option<Member> {
    let party = lobby.parties.disband(owner)?;
    let everybody = connections(lobby, &party);
    lobby.send_several(everybody, update(owner, &[]));
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

/// Sends the members of a party its state.
pub(crate) fn send_state(lobby: &mut Lobby, conn: ConnId, owner: PlayerId) {
    let update = update(owner, lobby.parties.get(owner).map_or(&[], |party| &party.members));
    lobby.send(conn, update);
}

/// Reports each party that has changed to all its members.
pub(crate) fn report(lobby: &mut Lobby) {
    for owner in lobby.parties.take_changes() {
        let Some(party) = lobby.parties.get(owner) else { continue };
        let (members, state) = (connections(lobby, party), update(owner, &party.members));
        lobby.send_several(members, state);
    }
}

fn connections(lobby: &Lobby, party: &Party) -> Vec<ConnId> {
    party.players().filter_map(|player| lobby.players.get(player)).map(|online| online.conn).collect()
}

fn update(owner: PlayerId, members: &[Member]) -> ServerMessage {
    let members =
        members.iter().map(|member| PartyMember { player: member.player, factions: member.factions });
    ServerMessage::UpdateParty(Arc::new(UpdateParty { owner, members: members.collect() }))
}
