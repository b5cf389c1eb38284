//! Counts and durations of a period.

use crate::report::histogram::Histogram;

/// Maximum number of failures whose texts are kept.
const FAILURE_TEXTS: usize = 5;

/// Counts and durations since the last collection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Number of received messages.
    pub(crate) messages: u64,
    /// Number of received bytes.
    pub(crate) bytes: u64,
    /// Times from the marker in a message to its receipt, by clients that look for markers.
    pub(crate) delivery: Histogram,
    /// Number of pings sent.
    pub(crate) pings: u64,
    /// Times from `ping` to `pong`.
    pub(crate) pong: Histogram,
    /// Times from the attempt to connect to `welcome`.
    pub(crate) welcome: Histogram,
    /// Times from the attempt to connect to the end of the last list.
    pub(crate) lists: Histogram,
    /// Times of complete logins, in Unix microseconds.
    pub(crate) logins: Vec<u64>,
    /// Number of connections that the server has ended after the login.
    pub(crate) lost: u64,
    /// Number of those that belonged to well-behaved clients that had to stay.
    pub(crate) lost_honest: u64,
    /// Number of attempts to connect or to log in that failed.
    pub(crate) failures: u64,
    /// Number of attempts that failed and were repeated.
    pub(crate) retries: u64,
    /// Texts of the first failures.
    pub(crate) failure_texts: Vec<String>,
    /// Number of messages sent on behalf of a scenario.
    pub(crate) said: u64,
    /// Number of games whose lobby has opened.
    pub(crate) games: u64,
    /// Number of times at which a player was told that a search has begun.
    pub(crate) searches: u64,
    /// Number of times at which a player was told of a match.
    pub(crate) matched: u64,
    /// Lobbies that hosts have opened on command.
    pub(crate) lobbies: Vec<Lobby>,
}

/// A lobby that others may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lobby {
    pub(crate) game: u64,
    /// Number of the host's account.
    pub(crate) host: u32,
}

impl Sample {
    pub(crate) fn fail(&mut self, why: impl FnOnce() -> String) {
        self.failures += 1;
        if self.failure_texts.len() < FAILURE_TEXTS {
            self.failure_texts.push(why());
        }
    }

    pub(crate) fn add(&mut self, mut other: Self) {
        self.absorb(&mut other);
    }

    /// Adds the contents of another sample, and clears it.
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
            (&mut self.searches, &mut other.searches),
            (&mut self.matched, &mut other.matched),
        ] {
            *mine += std::mem::take(theirs);
        }
        self.delivery.absorb(&mut other.delivery);
        self.pong.absorb(&mut other.pong);
        self.welcome.absorb(&mut other.welcome);
        self.lists.absorb(&mut other.lists);
        self.logins.append(&mut other.logins);
        self.lobbies.append(&mut other.lobbies);
        let room = FAILURE_TEXTS.saturating_sub(self.failure_texts.len());
        self.failure_texts.extend(other.failure_texts.drain(..).take(room));
    }

    /// Returns the number of messages that are not answers to pings.
    pub(crate) fn deliveries(&self) -> u64 {
        self.messages.saturating_sub(self.pong.count())
    }
}
