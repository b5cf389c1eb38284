//! What has happened in many evenings, so that a simulation in which nothing happens does not count as a success.

use std::collections::BTreeMap;
use std::fmt;

/// What must have happened at least once in many evenings.
const EXPECTED: [&str; 48] = [
    "connections",
    "logins",
    "logins with a token",
    "logins that failed",
    "logins that had to wait",
    "logins that replaced another",
    "connections lost",
    "connections closed by the lobby",
    "friends made",
    "foes made",
    "games hosted",
    "games hosted for friends",
    "games hosted with a password",
    "games hosted with an enforced rating range",
    "co-op games hosted",
    "joins",
    "joins refused",
    "joins with the right password",
    "guests connected",
    "ICE messages delivered",
    "games launched",
    "games launched with several players",
    "launches with contradictions",
    "games ended",
    "games that waited for nobody silent",
    "games rated",
    "ratings changed",
    "games not rated",
    "results reported",
    "desyncs",
    "statistics sent",
    "statistics of garbage",
    "missions completed",
    "teamkills",
    "processes crashed",
    "processes stalled",
    "lobbies restored",
    "live games restored",
    "games hidden by a new relation",
    "games shown by a new relation",
    "closed sent to take a game away",
    "replies out of order",
    "replies unavailable",
    "writes refused",
    "server kills",
    "games resumed after a kill",
    "graceful shutdowns",
    "jumps of the clock",
];

/// How often what has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// Something has happened once more.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Something has happened this often.
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// How often it has happened.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Adds what has happened in another evening.
    pub fn merge(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            self.add(what, *times);
        }
    }

    /// What should have happened and never has.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.into_iter().filter(|what| self.of(what) == 0).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in EXPECTED {
            writeln!(f, "{:>10} {what}", self.of(what))?;
        }
        for (what, times) in self.0.iter().filter(|(what, _)| !EXPECTED.contains(what)) {
            writeln!(f, "{times:>10} {what}")?;
        }
        Ok(())
    }
}
