//! Commands for matchmaking and parties, which this server does not offer yet; and commands nobody knows.
//!
//! Clients send some of them by themselves, after every login or when something has happened to the player: these are
//! never answered with an error.

use faf_protocol::{JsonRef, Message};

use crate::client_text::quoted;
use crate::commands::{Progress, set_party_factions};
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// Commands of players who want something that will be offered.
const NOT_YET: [&str; 4] =
    ["accept_party_invite", "game_matchmaking", "invite_to_party", "kick_player_from_party"];

/// What has no effect on players who are alone, and is not answered.
const WITHOUT_EFFECT: [&str; 2] = ["leave_party", "set_player_vetoes"];

pub(crate) fn handle(world: &mut World, conn: ConnId, message: &Message) -> Result<Progress, Refusal> {
    let command = message.command().unwrap_or_default();
    match &*command {
        "set_party_factions" => set_party_factions::handle(world, conn, message),
        "game_matchmaking" if ends_a_search(message) => Ok(Progress::Done),
        // Outdated clients are told to update instead of to wait.
        "game_matchmaking" if world.session(conn).is_outdated => {
            Err(Refusal::declined(texts::OUTDATED_CLIENT_NO_GAMES))
        }
        "game_matchmaking" if world.is_draining() => Err(Refusal::Disabled { request: "game_matchmaking" }),
        silent if WITHOUT_EFFECT.contains(&silent) => Ok(Progress::Done),
        wanted if NOT_YET.contains(&wanted) => Err(Refusal::declined(texts::NO_MATCHMAKING_YET)),
        // Newer clients may know more than this server does; whoever has not logged in has nothing to ask for yet.
        _ if world.session(conn).player.is_some() => {
            Err(Refusal::informed(texts::unknown_command(&quoted(command.into_owned()))))
        }
        _ => Err(Refusal::invalid(Some(command.into_owned()), "unknown command".to_owned())),
    }
}

/// Clients end searches also where there are none: when a game starts, or when others change.
fn ends_a_search(message: &Message) -> bool {
    message.get("state").and_then(JsonRef::as_str).is_some_and(|state| state == "stop")
}
