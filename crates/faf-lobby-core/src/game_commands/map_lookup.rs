//! The look-up of a map, when the host has chosen it and once more at the launch.

use serde::{Deserialize, Serialize};

use crate::commands::Progress;
use crate::event::ConnId;
use crate::game_commands::{game_option, game_state};
use crate::io::request::{FindMap, ReplyTo};
use crate::pending::Resume;
use crate::refusal::Refusal;
use crate::world::World;

/// Why a map is looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum MapLookup {
    /// The host has chosen the map in this folder.
    Chosen { folder: String },
    /// The game is about to be launched.
    Launch,
}

impl Resume for FindMap {
    type Memo = MapLookup;

    fn resume(
        memo: MapLookup,
        world: &mut World,
        conn: ConnId,
        reply: ReplyTo<Self>,
    ) -> Result<Progress, Refusal> {
        // The process may have ended in the meantime, or be another one.
        let Some(sender) = world.game_sender(conn) else { return Ok(Progress::Done) };
        Ok(match memo {
            MapLookup::Chosen { folder } => game_option::map_found(world, sender, folder, reply),
            MapLookup::Launch => game_state::launch_map_found(world, sender, reply),
        })
    }
}
