//! `EnforceRating`: the game counts, however short it is (games.md section 6). Players say so, and
//! observers cannot.

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::world::World;

pub(crate) fn handle(world: &mut World, sender: Sender) -> Progress {
    let now = world.now.elapsed;
    let Some(live) = world.played_game(sender) else { return Progress::Done };
    live.hear_from(sender.player, now);
    if std::mem::replace(&mut live.enforces_rating, true) {
        // The one before may still be on its way.
        return world.wait_for_storage(sender.game, sender.conn);
    }
    world.save_game(sender.game, Some(sender.conn))
}
