//! [`Timers`]: the deadlines of the lobby.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::GameId;
use serde::{Deserialize, Serialize};

use crate::io::ConnId;
use crate::matchmaking::queue::QueueId;

/// A timer. The rule that it calls checks whether it still matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// The connection is closed if no player has logged in.
    Login(ConnId),
    /// The game process of this connection must have started.
    GameConnection(ConnId),
    /// The host's game process must have started.
    GameSetup(GameId),
    /// Awaited players of this game have not returned in time.
    Awaited(GameId),
    /// This game stops waiting for players who send nothing.
    Overdue(GameId),
    /// The round of this queue is due.
    Pop(QueueId),
    /// Parties, searches and violations are saved.
    SaveQueues,
    /// They are saved again although they have not changed.
    RenewSave,
    /// Parties and searches of before the restart are no longer expected back.
    StopReturning,
    /// Players who have lost their connection during a match are judged.
    Judge,
    /// The phase of this match is over.
    Match(GameId),
    /// The failed write about this game is tried again.
    StoreAgain(GameId),
    /// Featured mods, ranked mods and leaderboards are read again.
    ReadData,
    /// More queued logins may be admitted.
    Admission,
    /// A connection that was too fast may be read again.
    Read(ConnId),
    /// More of the clients that have sent nothing for too long are disconnected.
    CloseSilent,
    /// Players who are in no game are disconnected, because the server shuts down.
    CloseIdle,
    /// More of the games that are not live are closed, because the server shuts down.
    CloseLobbies,
}

/// Deadlines with their timers, the earliest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Timers(BTreeSet<(Duration, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, due: Duration, timer: Timer) {
        self.0.insert((due, timer));
    }

    pub(crate) fn remove(&mut self, due: Duration, timer: Timer) {
        self.0.remove(&(due, timer));
    }

    /// Removes and returns all timers, the earliest first.
    pub(crate) fn take_all(&mut self) -> Vec<Timer> {
        std::mem::take(&mut self.0).into_iter().map(|(_, timer)| timer).collect()
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.first().map(|(due, _)| *due)
    }

    /// Removes and returns the next timer that is due.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
