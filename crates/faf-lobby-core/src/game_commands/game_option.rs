//! `GameOption`: an option of the lobby (games.md section 6.1).

use faf_protocol::json::Json;

use crate::client_text::quoted;
use crate::game_commands::map_lookup::MapLookup;
use crate::game_commands::sender::Sender;
use crate::game_options::Accepted;
use crate::io::{FindMap, LogLine};
use crate::maps::map_folder;
use crate::state::{Lobby, Progress, game};

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, key: &str, value: Json) -> Progress {
    let Some(game) = sender.hosted_lobby(lobby) else { return Progress::Done };
    let text = value.as_ref().as_str().map(String::from);
    if game.options.set(key, value) != Accepted::Stored {
        return Progress::Done;
    }
    let mut folder = None;
    match (key, text) {
        ("Title", Some(text)) => {
            if let Ok(title) = game::title(&text) {
                game.title = title;
            }
        }
        ("ScenarioFile", Some(path)) => {
            folder = map_folder(&path);
            if folder.is_none() {
                // The map stays as it was, so joining players may have another one than the host.
                let reason = format!("no name of a map: {:?}", quoted(path));
                lobby.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            }
        }
        _ => {}
    }
    let Some(folder) = folder else {
        lobby.games.mark(sender.game);
        return Progress::Done;
    };
    let memo = MapLookup::Chosen { folder: folder.clone() };
    sender.request(lobby, FindMap { folder }, memo)
}
