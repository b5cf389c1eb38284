//! `GameResult`: the result of an army, as one player's game reports it (game-results.md section
//! 1). Reports of observers are kept, too; the end of the game decides whether they count.

use crate::game_commands::sender::Sender;
use crate::games::{ending, persistence};
use crate::results::Report;
use crate::state::{Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, army: i64, text: &str) -> Progress {
    let Some(report) = Report::read(sender.player, army, text) else { return Progress::Done };
    let now = lobby.now.elapsed;
    let Some(live) = lobby.games.live_mut(sender.game) else { return Progress::Done };
    if !live.has_army(army) || !live.reports.add(report) {
        return Progress::Done;
    }
    if live.counts_reports_of(sender.player) {
        live.record_message_from(sender.player, now);
    }
    ending::count_achievements(lobby, sender.game);
    ending::check_end(lobby, sender.game, None);
    persistence::save_game(lobby, sender.game, Some(sender.conn))
}
