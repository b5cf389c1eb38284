//! The list of games at login, in parts that all newcomers share (games.md section 4.3).
//!
//! Most games are for everybody but the foes of their host. What newcomers are told of these is kept ready, in lists by number
//! of the game: a game that changes alters only the list it is in, and only if what is told of it changes. Whoever is a foe of
//! one of the hosts gets lists of his own. The other games, for friends or for some ratings only, are looked at for each newcomer.
//!
//! All of this follows from the games, so it is not written with them: a world that was restored makes the same lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use faf_protocol::server_message::{GameInfo, GameList, Visibility};
use faf_protocol::{GameId, PlayerId};

use crate::games::Games;
use crate::games::game::Game;
use crate::lists;
use crate::players::{OnlinePlayer, Players};
use crate::snapshot_id::{SnapshotId, SnapshotList};

/// Numbers of games that share a list. Games that are open have high numbers, which lie close together: they change all the
/// time, and those being played hardly ever.
const NUMBERS: u32 = 64;

/// What is told of all games, as it was when that was last asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    /// Games that may have changed since, and ones that are new or gone. What is kept of any other is as if made now.
    touched: BTreeSet<GameId>,
    /// All games have been looked at once.
    is_complete: bool,
    infos: BTreeMap<GameId, Arc<GameInfo>>,
    /// Games for everybody but foes of the host, with these foes.
    shared: BTreeMap<GameId, Vec<PlayerId>>,
    /// Their lists, by number.
    parts: BTreeMap<u32, Part>,
    /// Of how many of them a player is a foe.
    shunned: BTreeMap<PlayerId, usize>,
    /// Games for some only.
    restricted: BTreeSet<GameId>,
    /// The version that was given to a list last.
    version: u64,
}

/// Games of neighbouring numbers.
#[derive(Debug, Clone, Default)]
struct Part {
    lists: Vec<(SnapshotId, Arc<GameList>)>,
    is_outdated: bool,
}

impl Listing {
    /// A game may have changed in any way.
    pub(super) fn touch(&mut self, game: GameId) {
        if self.is_complete {
            self.touched.insert(game);
        }
    }

    /// What is told of a game, if that is known for sure.
    fn info(&self, game: GameId) -> Option<&Arc<GameInfo>> {
        self.infos.get(&game).filter(|_| !self.touched.contains(&game))
    }

    fn set_info(&mut self, id: GameId, info: Option<Arc<GameInfo>>) {
        let is_shared = self.shared.contains_key(&id);
        if self.infos.get(&id) == info.as_ref() {
            // What is the same stays the very same.
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

    fn set_shared(&mut self, id: GameId, foes: Option<&BTreeSet<PlayerId>>) {
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
        self.parts.entry(id.0 / NUMBERS).or_default().is_outdated = true;
    }

    /// Makes lists anew where something has changed.
    fn update_parts(&mut self) {
        let (shared, infos) = (&self.shared, &self.infos);
        for (number, part) in self.parts.iter_mut().filter(|(_, part)| part.is_outdated) {
            let first = number * NUMBERS;
            let games = shared.range(GameId(first)..=GameId(first + (NUMBERS - 1)));
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

impl Games {
    /// The game as its list of games shows it.
    pub(crate) fn info(&mut self, id: GameId, players: &Players) -> Option<Arc<GameInfo>> {
        if let Some(info) = self.listing.info(id) {
            return Some(Arc::clone(info));
        }
        let info = self.games.get(&id)?.info(players);
        if !self.listing.is_complete {
            return Some(info);
        }
        // It stays touched: which list it belongs into is found out when somebody wants to have it.
        self.listing.set_info(id, Some(info));
        self.listing.infos.get(&id).cloned()
    }

    /// Games a player is told of at login; of those that are being launched, the next report tells. One list at least, which is
    /// empty if there are none.
    pub(crate) fn lists_for(
        &mut self,
        viewer: &OnlinePlayer,
        players: &Players,
    ) -> Vec<(Option<SnapshotId>, Arc<GameList>)> {
        self.update_listing(players);
        // Whoever gets these must hear of their end, even if it comes before the next report.
        self.games.values_mut().filter(|game| game.is_listed()).for_each(|game| game.is_told = true);
        let listing = &self.listing;
        let sees = |id: &GameId| self.games.get(id).is_some_and(|game| game.is_visible_to(viewer));
        let info = |id: &GameId| listing.infos.get(id).cloned();
        let mut shared = Vec::new();
        let mut own = Vec::new();
        if listing.shunned.contains_key(&viewer.info.id) {
            own.extend(in_lists(listing.shared.keys().filter(|id| sees(id)).filter_map(info).collect()));
        } else {
            shared.extend(listing.parts.values().flat_map(|part| &part.lists));
        }
        own.extend(in_lists(listing.restricted.iter().filter(|id| sees(id)).filter_map(info).collect()));
        if shared.is_empty() && own.is_empty() {
            own.push(Arc::default());
        }
        let shared = shared.into_iter().map(|(id, list)| (Some(*id), Arc::clone(list)));
        shared.chain(own.into_iter().map(|list| (None, list))).collect()
    }

    /// Looks at all games that may have changed.
    fn update_listing(&mut self, players: &Players) {
        if !std::mem::replace(&mut self.listing.is_complete, true) {
            self.listing.touched = self.games.keys().copied().collect();
        }
        for id in std::mem::take(&mut self.listing.touched) {
            let is_launching = self.is_launching(id);
            let game = self.games.get(&id);
            self.listing.set_info(id, game.map(|game| game.info(players)));
            let listed = game.filter(|game| game.is_listed() && !is_launching);
            self.listing.set_shared(id, listed.filter(|game| game.is_for_all()).map(|game| &game.host.foes));
            if listed.is_some_and(|game| !game.is_for_all()) {
                self.listing.restricted.insert(id);
            } else {
                self.listing.restricted.remove(&id);
            }
        }
        self.listing.update_parts();
    }
}

impl Game {
    /// Whether everybody but the host's foes sees it.
    fn is_for_all(&self) -> bool {
        self.visibility == Visibility::Public && !self.enforce_rating_range
    }
}

fn in_lists(games: Vec<Arc<GameInfo>>) -> Vec<Arc<GameList>> {
    let lists = lists::split(games, usize::MAX, |game| lists::game_bytes(game));
    lists.into_iter().map(|games| Arc::new(GameList { games })).collect()
}
