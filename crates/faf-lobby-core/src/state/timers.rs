//! [`Timers`]: what the lobby has to look at, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::GameId;
use serde::{Deserialize, Serialize};

use crate::io::conn::ConnId;

/// Something to look at when its time comes. Whether it still matters is found out then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// The connection is closed if nobody has logged in.
    Login(ConnId),
    /// The game process of this connection must have started.
    GameConnection(ConnId),
    /// The host's game process must have started.
    GameSetup(GameId),
    /// Players of this game are not waited for any longer.
    Awaited(GameId),
    /// This game does not wait any longer for players who say nothing.
    Overdue(GameId),
    /// The write about this game that has failed is tried again.
    StoreAgain(GameId),
    /// Featured mods, ranked mods and leaderboards are read again.
    ReadData,
    /// More of those who wait to be signed in may be.
    Admission,
    /// A connection that was too fast may be read again.
    Read(ConnId),
    /// More of the clients that have fallen silent are closed.
    CloseSilent,
    /// Players who are in no game are disconnected, because the server shuts down.
    CloseIdle,
    /// More of the games that are not live are closed, because the server shuts down.
    CloseLobbies,
}

/// Times to look at something, the earliest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Timers(BTreeSet<(Duration, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, due: Duration, timer: Timer) {
        self.0.insert((due, timer));
    }

    pub(crate) fn remove(&mut self, due: Duration, timer: Timer) {
        self.0.remove(&(due, timer));
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.first().map(|(due, _)| *due)
    }

    /// The next that has become due.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
