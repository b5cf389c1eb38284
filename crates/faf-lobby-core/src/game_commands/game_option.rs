//! `GameOption`: an option of the lobby (games.md section 6.1).

use faf_protocol::json::Json;

use crate::client_text::quoted;
use crate::commands::Progress;
use crate::effect::LogLine;
use crate::game_commands::Sender;
use crate::game_commands::map_lookup::MapLookup;
use crate::game_options::Accepted;
use crate::games;
use crate::io::request::{FindMap, ReplyTo};
use crate::maps::map_folder;
use crate::world::World;

pub(crate) fn handle(world: &mut World, sender: Sender, key: &str, value: Json) -> Progress {
    let Some(game) = world.hosted_lobby(sender) else { return Progress::Done };
    let text = value.as_ref().as_str().map(String::from);
    if game.options.set(key, value) != Accepted::Stored {
        return Progress::Done;
    }
    let mut folder = None;
    match (key, text) {
        ("Title", Some(text)) => {
            if let Ok(title) = games::title(&text) {
                game.title = title;
            }
        }
        ("ScenarioFile", Some(path)) => {
            folder = map_folder(&path);
            if folder.is_none() {
                // The map stays as it was, so whoever joins may have another one than the host.
                let reason = format!("no name of a map: {:?}", quoted(path));
                world.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            }
        }
        _ => {}
    }
    let Some(folder) = folder else {
        world.games.mark(sender.game);
        return Progress::Done;
    };
    let memo = MapLookup::Chosen { folder: folder.clone() };
    world.request_for_game(sender, FindMap { folder }, memo)
}

pub(super) fn map_found(
    world: &mut World,
    sender: Sender,
    folder: String,
    reply: ReplyTo<FindMap>,
) -> Progress {
    if let Some(game) = world.hosted_lobby(sender) {
        // If the database is away, the map is looked up again at launch.
        game.map = games::Map::unknown(folder);
        if let Ok(found) = reply {
            game.map.look_up(found);
        }
        world.games.mark(sender.game);
    }
    Progress::Done
}
