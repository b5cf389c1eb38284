//! Counts of the events in the evenings, so that a simulation without events does not count as a
//! success.

use std::collections::BTreeMap;
use std::fmt;

/// Events that must happen at least once in many evenings.
pub const EXPECTED: [&str; 64] = [
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
    "failures of the network",
    "invitations",
    "updates of parties",
    "searches",
    "searches ended without a match",
    "searches explained",
    "searches refused for violations",
    "matches made",
    "matches of teams",
    "matches of parties",
    "matches launched",
    "matches that timed out",
    "matches that a player left",
    "matches that failed for the server",
    "violations",
    "idle players asked to host",
];

/// Counts of events by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// Counts an event once.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Adds to the count of an event.
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// Returns the count of an event.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Adds the counts of another evening.
    pub fn merge(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            self.add(what, *times);
        }
    }

    /// Returns the expected events of a lobby that never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.missing_of(&EXPECTED)
    }

    /// Returns those of these events that never happened.
    #[must_use]
    pub fn missing_of(&self, expected: &[&'static str]) -> Vec<&'static str> {
        expected.iter().copied().filter(|what| self.of(what) == 0).collect()
    }

    /// Returns all events that happened, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(what, times)| (*what, *times))
    }

    /// Returns a list of counts: first those of these events, then all others.
    #[must_use]
    pub fn list(&self, expected: &[&'static str]) -> String {
        let others = self.0.keys().copied().filter(|what| !expected.contains(what));
        let row = |what| format!("{:>10} {what}\n", self.of(what));
        expected.iter().copied().chain(others).map(row).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.list(&EXPECTED))
    }
}
