//! `GameEnded`: a player's simulation is over (games.md section 8.2). It is ignored before the
//! launch.

use crate::game_commands::sender::Sender;
use crate::games::{ending, persistence};
use crate::state::{Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender) -> Progress {
    let now = lobby.now.elapsed;
    let Some(live) = lobby.games.live_mut(sender.game) else { return Progress::Done };
    if live.counts_reports_of(sender.player) {
        live.record_message_from(sender.player, now);
    }
    live.done.insert(sender.player);
    ending::check_end(lobby, sender.game, None);
    persistence::save_game(lobby, sender.game, Some(sender.conn))
}
