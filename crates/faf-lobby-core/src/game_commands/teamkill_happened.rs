//! `TeamkillHappened`: a commander was killed by a team mate (games.md section 6.7). Every player's
//! game reports every kill.
//!
//! It is kept for moderators to act upon, so implausible reports are dropped: a kill between
//! players who do not both play, at an impossible time, or reported by an observer.

use faf_protocol::PlayerId;
use faf_protocol::json::Json;

use crate::game_commands::sender::Sender;
use crate::games::persistence;
use crate::state::{GameWrite, Lobby, Note, Progress};

/// Latest time that can be stored, in seconds: the maximum of the column.
const TIME_LIMIT: f64 = 16_777_215.0;

/// Maximum number of kills that are recorded for a game; sixteen players may each report the
/// same few.
const TEAMKILLS_LIMIT: u32 = 500;

pub(crate) fn handle(
    lobby: &mut Lobby,
    sender: Sender,
    game_time: &Json,
    victim: PlayerId,
    teamkiller: PlayerId,
) -> Progress {
    let seconds = game_time.as_ref().number::<f64>();
    let Some(seconds) = seconds.filter(|seconds| (0.0..=TIME_LIMIT).contains(seconds)) else {
        return Progress::Done;
    };
    let Some(live) = sender.played_game(lobby) else { return Progress::Done };
    let play = |players: [PlayerId; 2]| players.iter().all(|player| live.player(*player).is_some());
    if live.teamkills >= TEAMKILLS_LIMIT || !play([victim, teamkiller]) {
        return Progress::Done;
    }
    live.teamkills += 1;
    live.begun.insert(sender.player);
    let game_time = seconds.round() as u32;
    let note = Note::Teamkill { teamkiller, victim, game_time };
    persistence::store(lobby, sender.game, GameWrite::Note(note), Some(sender.conn))
}
