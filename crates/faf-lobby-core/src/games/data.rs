//! Reading of featured mods, ranked mods and leaderboards.

use crate::io::{ReadGameData, ReplyTo};
use crate::state::{DATA_INTERVAL, Lobby, ResumeLobby, Timer};

impl ResumeLobby for ReadGameData {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, reply: ReplyTo<Self>) {
        // While the database is unavailable, the data of the last read stays in use.
        if let Ok(data) = reply {
            lobby.data = *data;
        }
        lobby.timers.set(lobby.now.elapsed + DATA_INTERVAL, Timer::ReadData);
    }
}
