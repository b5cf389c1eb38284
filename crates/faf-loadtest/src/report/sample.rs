//! Counts and durations of a period.

use crate::report::histogram::Histogram;

/// How many failures are kept in words.
const FAILURES_TOLD: usize = 5;

/// Counts and durations since the last time somebody asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Messages that were received.
    pub(crate) messages: u64,
    /// Bytes that were received.
    pub(crate) bytes: u64,
    /// From the marker in a message until it was received, by those who look for markers.
    pub(crate) delivery: Histogram,
    /// Pings that were sent.
    pub(crate) pings: u64,
    /// From `ping` to `pong`.
    pub(crate) pong: Histogram,
    /// From the attempt to connect until `welcome`.
    pub(crate) welcome: Histogram,
    /// From the attempt to connect until all lists are there.
    pub(crate) lists: Histogram,
    /// When logins were complete, in Unix microseconds.
    pub(crate) logins: Vec<u64>,
    /// Connections that the server has ended, after login.
    pub(crate) lost: u64,
    /// Those of them which clients had that were to stay and did nothing wrong.
    pub(crate) lost_honest: u64,
    /// Attempts to connect or to log in that came to nothing.
    pub(crate) failures: u64,
    /// Attempts that came to nothing and were tried again.
    pub(crate) retries: u64,
    /// The first failures, in words.
    pub(crate) told: Vec<String>,
    /// Messages that were sent on behalf of a scenario.
    pub(crate) said: u64,
    /// Games whose lobby has opened.
    pub(crate) games: u64,
    /// Lobbies that hosts have opened on demand.
    pub(crate) lobbies: Vec<Lobby>,
}

/// A lobby that others may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lobby {
    pub(crate) game: u64,
    /// The account's number.
    pub(crate) host: u32,
}

impl Sample {
    pub(crate) fn fail(&mut self, why: impl FnOnce() -> String) {
        self.failures += 1;
        if self.told.len() < FAILURES_TOLD {
            self.told.push(why());
        }
    }

    pub(crate) fn add(&mut self, mut other: Self) {
        self.absorb(&mut other);
    }

    /// Takes over what the other has seen, and leaves it empty.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        for (mine, theirs) in [
            (&mut self.messages, &mut other.messages),
            (&mut self.bytes, &mut other.bytes),
            (&mut self.pings, &mut other.pings),
            (&mut self.lost, &mut other.lost),
            (&mut self.lost_honest, &mut other.lost_honest),
            (&mut self.failures, &mut other.failures),
            (&mut self.retries, &mut other.retries),
            (&mut self.said, &mut other.said),
            (&mut self.games, &mut other.games),
        ] {
            *mine += std::mem::take(theirs);
        }
        self.delivery.absorb(&mut other.delivery);
        self.pong.absorb(&mut other.pong);
        self.welcome.absorb(&mut other.welcome);
        self.lists.absorb(&mut other.lists);
        self.logins.append(&mut other.logins);
        self.lobbies.append(&mut other.lobbies);
        let room = FAILURES_TOLD.saturating_sub(self.told.len());
        self.told.extend(other.told.drain(..).take(room));
    }

    /// Messages besides answers to pings.
    pub(crate) fn deliveries(&self) -> u64 {
        self.messages.saturating_sub(self.pong.count())
    }
}
