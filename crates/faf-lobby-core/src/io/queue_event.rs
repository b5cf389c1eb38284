//! Events in the queues and in matches, for figures, explanations and experiments.

use std::time::Duration;

use faf_protocol::GameId;
use serde::{Deserialize, Serialize};

use crate::matchmaking::queue::QueueId;
use crate::matchmaking::{Candidate, Round};

/// Number of a search. Numbers increase with every search of a lobby, so searches are in the order
/// in which they began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SearchId(pub u64);

/// An event in the queues or in a match.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueEvent {
    /// A party has entered a queue.
    SearchBegan {
        /// The queue.
        queue: QueueId,
        /// The search.
        search: SearchId,
        /// The players with their ratings, as a round would see them.
        candidate: Box<Candidate>,
    },
    /// The players of a search are back after a restart of the server, and the search goes on.
    SearchRestored {
        /// The queue.
        queue: QueueId,
        /// The search. Its number is lower than those of searches that began after the restart.
        search: SearchId,
        /// How long it had gone on.
        waited: Duration,
        /// The players with their ratings, as a round would see them.
        candidate: Box<Candidate>,
    },
    /// A search has ended without a match.
    SearchCancelled {
        /// The queue.
        queue: QueueId,
        /// The search.
        search: SearchId,
        /// How long it went on.
        waited: Duration,
    },
    /// A queue has played a round.
    Popped(Box<Popped>),
    /// A match has been launched, or has failed.
    MatchEnded {
        /// The queue.
        queue: QueueId,
        /// Id of its game; `None` if there was no id for it.
        game: Option<GameId>,
        /// How it ended.
        outcome: MatchOutcome,
    },
}

/// A round of a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Popped {
    /// The queue.
    pub queue: QueueId,
    /// Time until the next round.
    pub wait: Duration,
    /// All searches that took part, in the order in which they began.
    pub searches: Vec<PoppedSearch>,
    /// The matches, and the reasons of all who found none. Positions are those in `searches`.
    pub round: Round,
    /// Games of the matches, in their order; `None` for a match without an id.
    pub games: Vec<Option<GameId>>,
}

/// A search in a round.
#[derive(Debug, Clone, PartialEq)]
pub struct PoppedSearch {
    /// The search.
    pub search: SearchId,
    /// How long it has gone on.
    pub waited: Duration,
    /// Its players, as the round saw them.
    pub candidate: Candidate,
}

/// How a match ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchOutcome {
    /// Its game was launched.
    Launched,
    /// Its game was not launched in time.
    TimedOut,
    /// A player has left before the launch.
    PlayerLeft,
    /// The server could not set it up.
    Errored,
}
