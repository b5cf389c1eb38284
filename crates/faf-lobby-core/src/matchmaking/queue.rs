//! The queues of the matchmaker, as stored (matchmaking.md section 1.1).

use std::collections::BTreeMap;

use faf_protocol::Json;
use serde::{Deserialize, Serialize};

use super::map_pool::Bracket;

/// Largest team size: a game has 16 slots.
pub const TEAM_SIZE_MAX: u32 = 8;

/// Id of a queue: a row of `matchmaker_queue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueId(pub u32);

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueData {
    /// Id of the row.
    pub id: QueueId,
    /// Technical name, by which clients name it.
    pub name: String,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Number of players in a team, from 1 to [`TEAM_SIZE_MAX`].
    pub team_size: u32,
    /// Options of the queue's games (`GameOptions` in `params`).
    pub game_options: BTreeMap<String, Json>,
    /// Mean displayed rating before the newest 1000 games on the leaderboard. Without games it
    /// is 1000.
    pub rating_peak: f64,
    /// The brackets, in the order of their rows; at least one.
    pub brackets: Vec<Bracket>,
}
