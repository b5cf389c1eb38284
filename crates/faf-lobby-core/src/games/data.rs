//! Reading of featured mods, ranked mods, leaderboards and queues.

use crate::io::{ReadGameData, ReplyTo};
use crate::queues;
use crate::state::{DATA_INTERVAL, Lobby, ResumeLobby, Timer};

impl ResumeLobby for ReadGameData {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, reply: ReplyTo<Self>) {
        // While the database is unavailable, the data of the last read stays in use.
        if let Ok(mut data) = reply {
            let queues = std::mem::take(&mut data.queues);
            lobby.data = *data;
            queues::receive(lobby, queues);
        }
        let settings = lobby.settings.matches.violations;
        lobby.violations.remove_expired(lobby.now.utc, &settings);
        lobby.timers.set(lobby.now.elapsed + DATA_INTERVAL, Timer::ReadData);
    }
}
