//! Reading of featured mods, ranked mods and leaderboards.

use crate::io::request::{ReadGameData, ReplyTo};
use crate::state::Lobby;
use crate::state::initial::DATA_INTERVAL;
use crate::state::pending::ResumeLobby;
use crate::state::timers::Timer;

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
