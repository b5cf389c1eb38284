//! `GameOption`: an option of the lobby (games.md section 6.1).

use faf_protocol::json::Json;
use serde::{Deserialize, Serialize};

use crate::client_text::quoted;
use crate::commands::Progress;
use crate::effect::{LogLine, Question};
use crate::event::Answer;
use crate::game_commands::{Continuation, Sender};
use crate::game_options::Accepted;
use crate::games;
use crate::maps::map_folder;
use crate::world::World;

/// What is remembered while the map is looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MapFound {
    folder: String,
}

pub(crate) fn carry_out(world: &mut World, sender: Sender, key: &str, value: Json) -> Progress {
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
    let question = Question::FindMap { folder: folder.clone() };
    world.ask_for_game(sender, question, Continuation::MapFound(MapFound { folder }))
}

pub(super) fn map_found(
    world: &mut World,
    sender: Sender,
    MapFound { folder }: MapFound,
    answer: &Answer,
) -> Progress {
    if let Some(game) = world.hosted_lobby(sender) {
        // Without an answer, the map is looked up again at launch.
        game.map = games::Map::unknown(folder);
        if let Answer::Map(found) = answer {
            game.map.look_up(*found);
        }
        world.games.mark(sender.game);
    }
    Progress::Done
}
