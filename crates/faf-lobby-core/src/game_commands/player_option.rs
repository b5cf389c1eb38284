//! `PlayerOption`: an option of a player, sent by the host (games.md sections 4.2 and 6.3).

use faf_protocol::PlayerId;
use faf_protocol::json::Json;

use crate::game_commands::sender::Sender;
use crate::state::{Lobby, Progress};

pub(crate) fn handle(
    lobby: &mut Lobby,
    sender: Sender,
    player: PlayerId,
    key: &str,
    value: &Json,
) -> Progress {
    let Some(game) = sender.hosted_lobby(lobby) else { return Progress::Done };
    // Any option from the host shows that the player is connected to the host.
    let Some(slot) = game.slot(player) else { return Progress::Done };
    if let Some(value) = integer(value) {
        slot.set(key, value);
    }
    lobby.games.mark(sender.game);
    Progress::Done
}

/// Reads an integer or its text; games send both. Clients read it as a 32-bit integer, so numbers
/// out of that range give `None`.
pub(super) fn integer(value: &Json) -> Option<i64> {
    value.as_ref().number::<i32>().map(i64::from)
}
