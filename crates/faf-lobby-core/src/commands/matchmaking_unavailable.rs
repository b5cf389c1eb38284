//! Commands for matchmaking and parties, which this server does not offer yet; and commands nobody knows.

use faf_protocol::Message;

use crate::commands::Progress;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// Commands that will be offered.
const NOT_YET: [&str; 7] = [
    "accept_party_invite",
    "game_matchmaking",
    "invite_to_party",
    "kick_player_from_party",
    "leave_party",
    "set_party_factions",
    "set_player_vetoes",
];

pub(crate) fn carry_out(world: &World, conn: ConnId, message: &Message) -> Result<Progress, Refusal> {
    let command = message.command().unwrap_or_default();
    // Outdated clients are told to update instead of to wait.
    if command == "game_matchmaking" && world.session(conn).is_outdated {
        return Err(Refusal::declined(texts::OUTDATED_CLIENT_NO_GAMES));
    }
    if NOT_YET.contains(&&*command) {
        return Err(Refusal::declined(texts::NO_MATCHMAKING_YET));
    }
    Err(Refusal::invalid(Some(command.into_owned()), "unknown command".to_owned()))
}
