//! `ClearSlot`: nobody is in a slot any more (games.md section 6.5).

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::world::World;

pub(crate) fn handle(world: &mut World, sender: Sender, slot: i64) -> Progress {
    let Some(game) = world.hosted_lobby(sender) else { return Progress::Done };
    for (player, options) in &mut game.slots {
        if game.members.contains(player) && options.start_spot == Some(slot) {
            options.clear();
        }
    }
    game.ais.retain(|_, start_spot| *start_spot != Some(slot));
    world.games.mark(sender.game);
    Progress::Done
}
