//! The look-up of a map, when the host has chosen it and again at the launch.

use serde::{Deserialize, Serialize};

use crate::game_commands::sender::Sender;
use crate::games::launch;
use crate::io::{ConnId, FindMap, ReplyTo};
use crate::state::{CommandResult, Lobby, Map, Progress, Resume};

/// The reason why a map is looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum MapLookup {
    /// The host has chosen the map in this folder.
    Chosen { folder: String },
    /// The game is about to be launched.
    Launch,
}

impl Resume for FindMap {
    type Memo = MapLookup;

    fn resume(memo: MapLookup, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        // The process may have ended in the meantime, or be another one.
        let Some(sender) = Sender::of(lobby, conn) else { return Ok(Progress::Done) };
        Ok(match memo {
            MapLookup::Chosen { folder } => map_found(lobby, sender, folder, reply),
            MapLookup::Launch => launch_map_found(lobby, sender, reply),
        })
    }
}

fn map_found(lobby: &mut Lobby, sender: Sender, folder: String, reply: ReplyTo<FindMap>) -> Progress {
    if let Some(game) = sender.hosted_lobby(lobby) {
        // If the database is unavailable, the map is looked up again at launch.
        game.map = Map::unknown(folder);
        if let Ok(found) = reply {
            game.map.look_up(found);
        }
        lobby.games.mark(sender.game);
    }
    Progress::Done
}

fn launch_map_found(lobby: &mut Lobby, sender: Sender, reply: ReplyTo<FindMap>) -> Progress {
    if sender.hosted_lobby(lobby).is_none() {
        return Progress::Done;
    }
    // If the database is unavailable, the earlier look-up is used.
    launch::launch(lobby, sender.game, reply.ok(), sender.conn)
}
