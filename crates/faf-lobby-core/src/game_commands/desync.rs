//! `Desync`: the simulations of the players have drifted apart. After too many of these, the game
//! does not count; the first of each player is stored (games.md section 6.9). A single player
//! cannot prevent a game from counting, and observers are ignored.

use crate::game_commands::sender::Sender;
use crate::games::persistence;
use crate::state::{GameWrite, Lobby, Note, Progress};
use crate::validity::DESYNCS_MAX;

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender) -> Progress {
    let now = lobby.now.elapsed;
    let Some(live) = sender.played_game(lobby) else { return Progress::Done };
    live.record_message_from(sender.player, now);
    let game_time = live.last_heard.as_secs().try_into().unwrap_or(u32::MAX);
    let desyncs = live.desyncs_by.entry(sender.player).or_default();
    let is_first = *desyncs == 0;
    let counts = *desyncs < DESYNCS_MAX;
    *desyncs += u32::from(counts);
    if is_first {
        let note = Note::Desync { player: sender.player, game_time };
        persistence::store(lobby, sender.game, GameWrite::Note(note), None);
    }
    if !counts {
        return Progress::Done;
    }
    persistence::save_game(lobby, sender.game, Some(sender.conn))
}
