//! `GameResult`: how an army fared, as one player's game sees it (game-results.md section 1). Those
//! of observers are kept, too; whether they count is found out at the end.

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::results::Report;
use crate::world::World;

pub(crate) fn handle(world: &mut World, sender: Sender, army: i64, text: &str) -> Progress {
    let Some(report) = Report::read(sender.player, army, text) else { return Progress::Done };
    let now = world.now.elapsed;
    let Some(live) = world.live_game(sender.game) else { return Progress::Done };
    if !live.has_army(army) || !live.reports.add(report) {
        return Progress::Done;
    }
    if live.has_say(sender.player) {
        live.hear_from(sender.player, now);
    }
    world.count_achievements(sender.game);
    world.check_end(sender.game, None);
    world.save_game(sender.game, Some(sender.conn))
}
