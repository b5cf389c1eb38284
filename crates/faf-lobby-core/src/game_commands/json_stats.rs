//! `JsonStats`: what all armies have built and lost (game-results.md section 8). The last one counts.
//!
//! It may come after the game has ended, as long as the sender's process is there. Those of
//! observers are not read.

use crate::client_text::quoted;
use crate::commands::Progress;
use crate::effect::LogLine;
use crate::game_commands::Sender;
use crate::statistics::Statistics;
use crate::world::World;

/// Statistics that are read from one player in a game; everybody sends them once, or a few times.
const STATISTICS_LIMIT: u32 = 8;

pub(crate) fn handle(world: &mut World, sender: Sender, text: &str) -> Progress {
    let Some(live) = world.games.get_mut(sender.game).and_then(|game| game.live.as_mut()) else {
        return Progress::Done;
    };
    // Reading them takes its time, and once everybody is counted nobody needs them any more.
    let are_needed = live.players.iter().any(|player| !live.counted.contains(&player.id));
    if !are_needed || !live.has_say(sender.player) {
        return Progress::Done;
    }
    let sent = live.statistics_by.entry(sender.player).or_default();
    if *sent >= STATISTICS_LIMIT {
        return Progress::Done;
    }
    *sent += 1;
    live.begun.insert(sender.player);
    match Statistics::read(text) {
        Ok(statistics) => live.statistics = Some(statistics),
        Err(error) => {
            let reason = quoted(format!("JsonStats: {error}"));
            world.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            return Progress::Done;
        }
    }
    world.count_achievements(sender.game);
    world.publish_if_over(sender.game);
    world.save_game(sender.game, Some(sender.conn))
}
