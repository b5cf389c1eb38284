//! `EnforceRating`: the game counts, however short it is (games.md section 6). Players may send it,
//! observers may not.

use crate::game_commands::sender::Sender;
use crate::games::persistence;
use crate::state::{Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender) -> Progress {
    let now = lobby.now.elapsed;
    let Some(live) = sender.played_game(lobby) else { return Progress::Done };
    live.record_message_from(sender.player, now);
    if std::mem::replace(&mut live.enforces_rating, true) {
        // The save of an earlier one may still be in flight.
        return persistence::wait_for_storage(lobby, sender.game, sender.conn);
    }
    persistence::save_game(lobby, sender.game, Some(sender.conn))
}
