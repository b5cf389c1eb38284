//! `JsonStats`: what all armies have built and lost (game-results.md section 8). The last one counts.
//!
//! It may come after the game has ended, as long as the sender's process is there.

use crate::client_text::quoted;
use crate::commands::Progress;
use crate::effect::LogLine;
use crate::game_commands::Sender;
use crate::statistics::Statistics;
use crate::world::World;

pub(crate) fn carry_out(world: &mut World, sender: Sender, text: &str) -> Progress {
    let Some(live) = world.games.get_mut(sender.game).and_then(|game| game.live.as_mut()) else {
        return Progress::Done;
    };
    match Statistics::read(text) {
        Ok(statistics) => live.statistics = Some(statistics),
        Err(error) => {
            let reason = quoted(format!("JsonStats: {error}"));
            world.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            return Progress::Done;
        }
    }
    world.count_achievements(sender.game);
    world.save_game(sender.game, Some(sender.conn))
}
