//! Queues of the matchmaker for tests.

use std::collections::BTreeMap;

use faf_lobby_core::MapVersion;
use faf_lobby_core::matchmaking::map_pool::{Bracket, PoolEntry, PoolMap};
use faf_lobby_core::matchmaking::queue::{QueueData, QueueId};
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::ratings::LADDER;
use faf_protocol::{BracketId, PoolEntryId};

/// Returns a queue of the featured mod `faf` on the leaderboard of the ladder. Its only bracket is
/// for all ratings, and has the [entry] 1. Tests change the members that they are about.
#[must_use]
pub fn queue(id: u32, name: &str, team_size: u32) -> QueueData {
    QueueData {
        id: QueueId(id),
        name: name.to_owned(),
        featured_mod: "faf".to_owned(),
        leaderboard: LADDER.to_owned(),
        team_size,
        game_options: BTreeMap::new(),
        rating_peak: 1000.0,
        brackets: vec![bracket(1, vec![entry(1)])],
    }
}

/// Returns a bracket for all ratings, in which nobody has tokens for vetoes.
#[must_use]
pub fn bracket(id: i64, pool: Vec<PoolEntry>) -> Bracket {
    let vetoes = VetoSettings::default();
    Bracket { id: BracketId(id), min_rating: None, max_rating: None, vetoes, pool }
}

/// Returns an entry of a map pool, of weight 1: the ranked map `scmp_007`, which has the version 7.
#[must_use]
pub fn entry(id: i64) -> PoolEntry {
    let version = MapVersion { id: 7, is_ranked: true };
    PoolEntry {
        id: PoolEntryId(id),
        weight: 1,
        map: PoolMap::Fixed { version, folder: "scmp_007".to_owned() },
    }
}
