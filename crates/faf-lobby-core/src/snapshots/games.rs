//! The snapshot of games, in parts that all logins share (games.md section 4.3).
//!
//! Most games are visible to everyone but the foes of their host. Their lists are kept ready, by id
//! of the game: a game that changes alters only its own list, and only if its `game_info` changes.
//! A foe of one of the hosts gets separate lists. The other games, for friends or for some ratings
//! only, are checked at each login.
//!
//! All of this follows from the games, so it is not serialised with them: a restored lobby makes
//! the same lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use faf_protocol::server_message::{GameInfo, GameList};
use faf_protocol::{GameId, PlayerId};

use crate::snapshots::{SnapshotId, SnapshotList, size};

/// Number of consecutive game ids that share a list. Open games have high ids, close together; they
/// change all the time, and games that are being played hardly ever.
const IDS_PER_PART: u32 = 64;

/// The snapshot, as it was at the last login.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// Games that may have changed since, or are new or removed. Everything that is kept of the
    /// others is up to date.
    pub(crate) touched: BTreeSet<GameId>,
    /// Whether all games have been checked once.
    pub(crate) is_complete: bool,
    pub(crate) infos: BTreeMap<GameId, Arc<GameInfo>>,
    /// Games visible to everyone but the foes of the host, with these foes.
    pub(crate) shared: BTreeMap<GameId, Vec<PlayerId>>,
    /// Their lists, by number.
    pub(crate) parts: BTreeMap<u32, Part>,
    /// For each player, the number of these games from whose host the player is a foe.
    pub(crate) shunned: BTreeMap<PlayerId, usize>,
    /// Games visible to some players only.
    pub(crate) restricted: BTreeSet<GameId>,
    /// Version that the last changed list received.
    version: u64,
}

/// Games with neighbouring ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub(crate) lists: Vec<(SnapshotId, Arc<GameList>)>,
    is_outdated: bool,
}

impl Listing {
    /// Marks a game that may have changed in any way.
    pub(crate) fn touch(&mut self, game: GameId) {
        if self.is_complete {
            self.touched.insert(game);
        }
    }

    /// Returns the `game_info` of a game, if it is up to date.
    pub(crate) fn info(&self, game: GameId) -> Option<&Arc<GameInfo>> {
        self.infos.get(&game).filter(|_| !self.touched.contains(&game))
    }

    pub(crate) fn set_info(&mut self, id: GameId, info: Option<Arc<GameInfo>>) {
        let is_shared = self.shared.contains_key(&id);
        if self.infos.get(&id) == info.as_ref() {
            // An equal list keeps its address, so that it is not encoded again.
            return;
        }
        match info {
            Some(info) => self.infos.insert(id, info),
            None => self.infos.remove(&id),
        };
        if is_shared {
            self.outdate(id);
        }
    }

    pub(crate) fn set_shared(&mut self, id: GameId, foes: Option<&BTreeSet<PlayerId>>) {
        let known = self.shared.get(&id);
        if foes.map(BTreeSet::len) == known.map(Vec::len)
            && foes.into_iter().flatten().eq(known.into_iter().flatten())
        {
            return;
        }
        if foes.is_some() != known.is_some() {
            self.outdate(id);
        }
        for foe in self.shared.remove(&id).into_iter().flatten() {
            if let Some(count) = self.shunned.get_mut(&foe) {
                *count -= 1;
                if *count == 0 {
                    self.shunned.remove(&foe);
                }
            }
        }
        if let Some(foes) = foes {
            for foe in foes {
                *self.shunned.entry(*foe).or_default() += 1;
            }
            self.shared.insert(id, foes.iter().copied().collect());
        }
    }

    fn outdate(&mut self, id: GameId) {
        self.parts.entry(id.0 / IDS_PER_PART).or_default().is_outdated = true;
    }

    /// Makes the lists again in which something has changed.
    pub(crate) fn update_parts(&mut self) {
        let (shared, infos) = (&self.shared, &self.infos);
        for (number, part) in self.parts.iter_mut().filter(|(_, part)| part.is_outdated) {
            let first = number * IDS_PER_PART;
            let games = shared.range(GameId(first)..=GameId(first + (IDS_PER_PART - 1)));
            let infos = games.filter_map(|(id, _)| infos.get(id)).cloned().collect();
            let lists = (u64::from(*number) << 32..).zip(in_lists(infos)).map(|(chunk, list)| {
                self.version += 1;
                (SnapshotId { list: SnapshotList::Games, chunk, version: self.version }, list)
            });
            *part = Part { lists: lists.collect(), is_outdated: false };
        }
        self.parts.retain(|_, part| !part.lists.is_empty());
    }
}

pub(crate) fn in_lists(games: Vec<Arc<GameInfo>>) -> Vec<Arc<GameList>> {
    let lists = size::split(games, usize::MAX, |game| size::game_bytes(game));
    lists.into_iter().map(|games| Arc::new(GameList { games })).collect()
}
