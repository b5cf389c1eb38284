//! `GameEnded`: a player's simulation is over (games.md section 8.2). Before the launch it means nothing.

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::world::World;

pub(crate) fn handle(world: &mut World, sender: Sender) -> Progress {
    let now = world.now.elapsed;
    let Some(live) = world.live_game(sender.game) else { return Progress::Done };
    if live.has_say(sender.player) {
        live.hear_from(sender.player, now);
    }
    live.done.insert(sender.player);
    world.check_end(sender.game, None);
    world.save_game(sender.game, Some(sender.conn))
}
