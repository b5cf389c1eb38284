//! Commands for games, matchmaking and parties, which this server does not offer yet; and commands nobody knows.

use faf_protocol::Message;

use crate::commands::Progress;
use crate::commands::initiate_test::check_not_outdated;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// Commands that will be offered.
const NOT_YET: [&str; 9] = [
    "accept_party_invite",
    "game_host",
    "game_join",
    "game_matchmaking",
    "invite_to_party",
    "kick_player_from_party",
    "leave_party",
    "set_party_factions",
    "set_player_vetoes",
];

/// Of these, the ones that outdated clients are told to update for.
const GAMES: [&str; 3] = ["game_host", "game_join", "game_matchmaking"];

pub(crate) fn carry_out(world: &World, conn: ConnId, message: &Message) -> Result<Progress, Refusal> {
    let command = message.command().unwrap_or_default();
    if GAMES.contains(&&*command) {
        check_not_outdated(world, conn)?;
    }
    if NOT_YET.contains(&&*command) {
        return Err(Refusal::Declined(texts::NO_GAMES_YET));
    }
    Err(Refusal::invalid(Some(command.into_owned()), "unknown command".to_owned()))
}
