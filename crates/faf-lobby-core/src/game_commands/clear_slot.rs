//! `ClearSlot`: a slot is empty now (games.md section 6.5).

use crate::game_commands::sender::Sender;
use crate::state::{Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, slot: i64) -> Progress {
    let Some(game) = sender.hosted_lobby(lobby) else { return Progress::Done };
    for (player, options) in &mut game.slots {
        if game.members.contains(player) && options.start_spot == Some(slot) {
            options.clear();
        }
    }
    game.ais.retain(|_, start_spot| *start_spot != Some(slot));
    lobby.games.mark(sender.game);
    Progress::Done
}
