//! `AIOption`: an option of an AI, sent by the host (games.md section 6.4). Only the existence of
//! the AI counts.

use faf_protocol::json::Json;

use crate::client_text::cut;
use crate::game_commands::player_option::integer;
use crate::game_commands::sender::Sender;
use crate::state::{Lobby, Progress};

/// Maximum number of AIs in a game; further ones are ignored. There are 16 places.
const AIS_LIMIT: usize = 32;

/// Longest name of an AI, in characters. A longer name is cut, because the AI counts all the same.
const NAME_LIMIT: usize = 100;

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, name: String, key: &str, value: &Json) -> Progress {
    let Some(game) = sender.hosted_lobby(lobby) else { return Progress::Done };
    let name = cut(name, NAME_LIMIT);
    if game.ais.len() >= AIS_LIMIT && !game.ais.contains_key(&name) {
        return Progress::Done;
    }
    let start_spot = game.ais.entry(name).or_default();
    if key == "StartSpot" {
        *start_spot = integer(value).or(*start_spot);
    }
    lobby.games.mark(sender.game);
    Progress::Done
}
