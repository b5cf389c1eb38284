//! `JsonStats`: statistics of what all armies have built and lost (game-results.md section 8). The
//! last message counts.
//!
//! It may arrive after the game has ended, as long as the sender's process runs. Those of observers
//! are not read.

use crate::client_text::quoted;
use crate::game_commands::sender::Sender;
use crate::games::{ending, persistence};
use crate::io::LogLine;
use crate::state::{Lobby, Progress};
use crate::statistics::Statistics;

/// Maximum number of statistics that are read from one player in a game; games send them once, or a
/// few times.
const STATISTICS_LIMIT: u32 = 8;

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, text: &str) -> Progress {
    let Some(live) = lobby.games.get_mut(sender.game).and_then(|game| game.live.as_mut()) else {
        return Progress::Done;
    };
    // Reading them takes time, and once all players are counted they are not needed.
    let are_needed = live.players.iter().any(|player| !live.counted.contains(&player.id));
    if !are_needed || !live.counts_reports_of(sender.player) {
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
            lobby.log(LogLine::GameMessageIgnored { player: sender.player, reason });
            return Progress::Done;
        }
    }
    ending::count_achievements(lobby, sender.game);
    persistence::publish_if_over(lobby, sender.game);
    persistence::save_game(lobby, sender.game, Some(sender.conn))
}
