//! `OperationComplete`: a co-op mission was won (game-results.md section 7). It usually arrives
//! after the end of the game.

use crate::game_commands::sender::Sender;
use crate::game_options::GameKind;
use crate::games::persistence;
use crate::state::{GameWrite, Lobby, Note, Progress};
use crate::validity::Validity;

pub(crate) fn handle(
    lobby: &mut Lobby,
    sender: Sender,
    primary: bool,
    secondary: bool,
    time: &str,
) -> Progress {
    let Some(game) = lobby.games.get_mut(sender.game) else { return Progress::Done };
    let map = game.map.folder.clone();
    let (GameKind::Coop, Some(live)) = (game.kind, &mut game.live) else { return Progress::Done };
    // An observer has completed nothing.
    let counts = primary
        && live.counts_reports_of(sender.player)
        && live.validity == Validity::CoopNotRanked
        && is_time(time);
    // Every player sends it; the first one counts.
    if !counts || std::mem::replace(&mut live.is_mission_complete, true) {
        return Progress::Done;
    }
    let player_count = live.players.len().try_into().unwrap_or(u32::MAX);
    let note = Note::MissionComplete { map, secondary, time: time.to_owned(), player_count };
    persistence::store(lobby, sender.game, GameWrite::Note(note), Some(sender.conn))
}

/// Returns whether a text has the form `HH:MM:SS`.
fn is_time(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let is_number = |part: &str, limit: u32| {
        part.len() == 2
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse().is_ok_and(|n: u32| n < limit)
    };
    matches!(parts[..], [hours, minutes, seconds]
        if is_number(hours, 100) && is_number(minutes, 60) && is_number(seconds, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_parts_of_two_digits() {
        for time in ["00:00:00", "01:59:59", "99:00:01"] {
            assert!(is_time(time), "{time}");
        }
        for other in [
            "",
            "1:02:03",
            "00:60:00",
            "00:00:60",
            "00:00",
            "00:00:00:00",
            "-1:00:00",
            "aa:bb:cc",
            "+1:00:00",
        ] {
            assert!(!is_time(other), "{other}");
        }
    }
}
