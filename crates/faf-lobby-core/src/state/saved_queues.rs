//! [`SavedQueues`]: what is kept of parties, searches and violations over a restart of the server.

use std::collections::BTreeMap;
use std::time::Duration;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::io::SearchId;
use crate::matchmaking::UnmatchedReason;
use crate::matchmaking::queue::QueueId;
use crate::matchmaking::vetoes::Vetoes;
use crate::matchmaking::violations::Violations;
use crate::state::Member;

/// Parties, searches and violations, as they are saved every few seconds while they change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedQueues {
    /// Time at which they were saved.
    pub saved_at: Timestamp,
    /// Parties with more than one member: the members, the owner first.
    pub(crate) parties: Vec<Vec<Member>>,
    /// The searches in the order in which they began.
    pub searches: Vec<SavedSearch>,
    /// Vetoes of the players who search, as far as they have any.
    pub(crate) vetoes: BTreeMap<PlayerId, Vetoes>,
    /// Players who have made matches fail.
    pub violations: Violations,
}

impl SavedQueues {
    /// Returns the members of a player's party, the owner first; `None` if the player is in no
    /// party with others.
    #[must_use]
    pub fn party_of(&self, player: PlayerId) -> Option<Vec<PlayerId>> {
        let party = self.parties.iter().find(|party| party.iter().any(|member| member.player == player))?;
        Some(party.iter().map(|member| member.player).collect())
    }
}

/// A search as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedSearch {
    pub(crate) search: SearchId,
    /// The queue.
    pub queue: QueueId,
    /// Technical name of the queue.
    pub queue_name: String,
    /// The players, in the order of the party.
    pub players: Vec<PlayerId>,
    /// Number of rounds in which it found no match.
    pub failed_attempts: u32,
    pub(crate) self_quality: f64,
    /// How long it had gone on.
    pub waited: Duration,
    /// Why it found no match in the last round; `None` before its first round.
    pub reason: Option<UnmatchedReason>,
}

/// Parties and searches of the last run of the server, whose players are expected back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Returning {
    pub(crate) parties: Vec<Vec<Member>>,
    pub(crate) searches: Vec<SavedSearch>,
    pub(crate) vetoes: BTreeMap<PlayerId, Vetoes>,
}

/// State of saving.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Saving {
    /// Everything is saved.
    #[default]
    Done,
    /// The timer runs.
    Due,
    /// The database is saving. `is_outdated` if there has been another change since.
    UnderWay { is_outdated: bool },
}
