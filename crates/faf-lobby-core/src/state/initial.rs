//! The initial state of the lobby, and the data that it reads again from time to time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_protocol::GameId;
use serde::{Deserialize, Serialize};

use crate::matchmaking::queue::QueueData;
use crate::ratings::Leaderboards;
use crate::state::{Game, SavedQueues};

/// Interval between reads of featured mods, ranked mods and leaderboards (games.md section 3.3).
pub(crate) const DATA_INTERVAL: Duration = Duration::from_secs(600);

/// Featured mods, ranked mods, leaderboards and queues, as stored in the database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GameData {
    /// Ids of the featured mods by technical name, lower-case.
    pub featured_mods: BTreeMap<String, u32>,
    /// Uids of the mods that may be active in rated games, lower-case.
    pub ranked_mods: BTreeSet<String>,
    /// All leaderboards.
    pub leaderboards: Leaderboards,
    /// The enabled queues with at least one bracket, in the order of their ids.
    #[serde(default)]
    pub queues: Vec<QueueData>,
}

/// The initial state of a lobby.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InitialState {
    /// The highest id that any game has had; the next game gets the one after it.
    pub last_game: GameId,
    /// Featured mods, ranked mods and leaderboards.
    pub data: GameData,
    /// Games that were live when the lobby last ended, each with the lists of its host as they are
    /// now: the lobby may have ended after it stored a relation, and before it saved the game.
    pub games: Vec<Game>,
    /// Parties, searches and violations of the last run of the server.
    #[serde(default)]
    pub queues: SavedQueues,
    /// Seed of the lobby's chance: which maps, factions and start positions matches get. It should
    /// be another one at each start; the same events lead to the same draws.
    #[serde(default)]
    pub seed: u64,
}
