//! `Desync`: the simulations of the players have drifted apart. Too many of these, and the game does not count; the first
//! of each player is kept (upstream-2026.md section 2.1).

use crate::commands::Progress;
use crate::game_commands::Sender;
use crate::games::{GameWrite, Note};
use crate::world::World;

pub(crate) fn carry_out(world: &mut World, sender: Sender) -> Progress {
    let now = world.now.utc;
    let Some(live) = world.live_game(sender.game) else { return Progress::Done };
    live.desyncs = live.desyncs.saturating_add(1);
    live.last_heard = now;
    let is_first = live.desynced.insert(sender.player);
    let game_time = now.since(live.launched_at).as_secs().try_into().unwrap_or(u32::MAX);
    if is_first {
        let note = Note::Desync { player: sender.player, game_time };
        world.store(sender.game, GameWrite::Note(note), None);
    }
    world.save_game(sender.game, Some(sender.conn))
}
