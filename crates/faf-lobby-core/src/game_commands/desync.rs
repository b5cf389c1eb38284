//! `Desync`: the simulations of the players have drifted apart. Too many of these, and the game does not count; the first
//! of each player is kept (games.md section 6.9). One player alone cannot make it not
//! count, and observers do not matter.

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::games::{GameWrite, Note};
use crate::validity::DESYNCS_MAX;
use crate::world::World;

pub(crate) fn handle(world: &mut World, sender: Sender) -> Progress {
    let now = world.now.elapsed;
    let Some(live) = world.played_game(sender) else { return Progress::Done };
    live.hear_from(sender.player, now);
    let game_time = live.last_heard.as_secs().try_into().unwrap_or(u32::MAX);
    let desyncs = live.desyncs_by.entry(sender.player).or_default();
    let is_first = *desyncs == 0;
    let counts = *desyncs < DESYNCS_MAX;
    *desyncs += u32::from(counts);
    if is_first {
        let note = Note::Desync { player: sender.player, game_time };
        world.store(sender.game, GameWrite::Note(note), None);
    }
    if !counts {
        return Progress::Done;
    }
    world.save_game(sender.game, Some(sender.conn))
}
