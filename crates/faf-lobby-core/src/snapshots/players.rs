//! The roster: the snapshot of all online players, in lists that all logins share.
//!
//! A client that logs in receives every list. A player who comes, goes or changes alters a single
//! list, so the others are encoded once for all logins, and a login costs the lobby only a
//! reference to each.

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Player, PlayerList};
use serde::{Serialize, Serializer};

use crate::snapshots::size::{is_too_long, player_bytes};
use crate::snapshots::{SnapshotId, SnapshotList};

/// Maximum number of players in a list. The list that a new player is added to is encoded again for
/// the next login, so it should be short; and each list is sent to every login, so there should be
/// few. With 10,000 players both take about the same time.
pub(crate) const PLAYERS_PER_LIST: usize = 64;

/// All online players, in lists.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    chunks: Vec<Chunk>,
    places: BTreeMap<PlayerId, Place>,
    /// Version that the last changed list received.
    version: u64,
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    list: Arc<PlayerList>,
    /// Upper bound of the bytes that its players take.
    bytes: usize,
    /// See [`SnapshotId`].
    version: u64,
}

/// The place of a player in the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    chunk: usize,
    index: usize,
}

impl Roster {
    /// Returns the lists that are not empty. A list that was returned never changes.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (SnapshotId, Arc<PlayerList>)> {
        (0..).zip(&self.chunks).map(|(number, chunk)| {
            let id = SnapshotId { list: SnapshotList::Players, chunk: number, version: chunk.version };
            (id, Arc::clone(&chunk.list))
        })
    }

    /// Returns a list that is about to change, with a new version.
    fn change(&mut self, chunk: usize) -> &mut Chunk {
        self.version += 1;
        let chunk = &mut self.chunks[chunk];
        chunk.version = self.version;
        chunk
    }

    /// Adds a player, or replaces an earlier state of the player.
    pub(crate) fn put(&mut self, player: Arc<Player>) {
        let Some(place) = self.places.get(&player.id).copied() else { return self.append(player) };
        let chunk = self.change(place.chunk);
        let entry = &mut Arc::make_mut(&mut chunk.list).players[place.index];
        chunk.bytes = chunk.bytes - player_bytes(entry) + player_bytes(&player);
        *entry = player;
        if is_too_long(chunk.bytes) && chunk.list.players.len() > 1 {
            let player = Arc::clone(&chunk.list.players[place.index]);
            self.remove(player.id);
            self.append(player);
        }
    }

    /// Removes a player.
    pub(crate) fn remove(&mut self, player: PlayerId) {
        let Some(place) = self.places.remove(&player) else { return };
        let chunk = self.change(place.chunk);
        let players = &mut Arc::make_mut(&mut chunk.list).players;
        chunk.bytes -= player_bytes(&players.swap_remove(place.index));
        if let Some(moved) = players.get(place.index).map(|moved| moved.id) {
            self.places.insert(moved, place);
        }
        self.merge(place.chunk);
    }

    /// Adds a player to the newest list that has room.
    fn append(&mut self, player: Arc<Player>) {
        let bytes = player_bytes(&player);
        let roomy = self.chunks.iter().rposition(|chunk| chunk.has_room(1, bytes));
        let chunk = roomy.unwrap_or_else(|| {
            self.chunks.push(Chunk::default());
            self.chunks.len() - 1
        });
        self.push(chunk, player, bytes);
    }

    fn push(&mut self, chunk: usize, player: Arc<Player>, bytes: usize) {
        let id = player.id;
        let index = self.chunks[chunk].list.players.len();
        self.places.insert(id, Place { chunk, index });
        let chunk = self.change(chunk);
        Arc::make_mut(&mut chunk.list).players.push(player);
        chunk.bytes += bytes;
    }

    /// Moves the players of a list that is half empty or less into another one with room for all of
    /// them. So lists are half full on average, and as many players have left before as move now.
    fn merge(&mut self, sparse: usize) {
        let Chunk { list, bytes, .. } = &self.chunks[sparse];
        let (count, bytes) = (list.players.len(), *bytes);
        if count > PLAYERS_PER_LIST / 2 {
            return;
        }
        let is_other = |(other, chunk): &(usize, &Chunk)| *other != sparse && chunk.has_room(count, bytes);
        let other = self.chunks.iter().enumerate().rev().find(is_other).map(|(other, _)| other);
        if count > 0 {
            let Some(other) = other else { return };
            let players = self.chunks[sparse].list.players.clone();
            for player in players {
                let bytes = player_bytes(&player);
                self.push(other, player, bytes);
            }
        }
        self.chunks.swap_remove(sparse);
        // The last list has taken the place of the removed one.
        if let Some(moved) = self.chunks.get(sparse) {
            for (index, player) in moved.list.players.iter().enumerate() {
                self.places.insert(player.id, Place { chunk: sparse, index });
            }
        }
    }

    /// Restores a roster from its serialised form: the ids of the players in each list.
    pub(crate) fn restored(
        lists: Vec<Vec<PlayerId>>,
        player: impl Fn(PlayerId) -> Option<Arc<Player>>,
    ) -> Self {
        let mut roster = Self::default();
        for list in lists {
            let chunk = roster.chunks.len();
            roster.chunks.push(Chunk::default());
            for player in list.into_iter().filter_map(&player) {
                let bytes = player_bytes(&player);
                roster.push(chunk, player, bytes);
            }
        }
        roster
    }
}

impl Chunk {
    fn has_room(&self, players: usize, bytes: usize) -> bool {
        self.list.players.len() + players <= PLAYERS_PER_LIST && !is_too_long(self.bytes + bytes)
    }
}

/// Serialises only the ids of the players in each list; the players themselves are
/// serialised elsewhere.
impl Serialize for Roster {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids = |chunk: &Chunk| chunk.list.players.iter().map(|player| player.id).collect::<Vec<_>>();
        serializer.collect_seq(self.chunks.iter().map(ids))
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::Country;
    use faf_protocol::server_message::{Rating, Ratings};
    use proptest::prelude::*;

    use super::*;

    fn player(id: u32, login: usize) -> Arc<Player> {
        let rating = Rating { mean: 1500.0, deviation: 500.0 };
        Arc::new(Player {
            id: PlayerId(id),
            login: "x".repeat(login),
            avatar: None,
            country: Country::UNKNOWN,
            clan: None,
            state: None,
            ratings: Ratings::default(),
            global_rating: rating,
            ladder_rating: rating,
            number_of_games: 0,
        })
    }

    /// Checks the invariants of a roster.
    fn check(roster: &Roster, online: &BTreeMap<PlayerId, Arc<Player>>) {
        let mut listed = BTreeMap::new();
        let mut sparse = 0;
        for (number, chunk) in roster.chunks.iter().enumerate() {
            let players = &chunk.list.players;
            assert!((1..=PLAYERS_PER_LIST).contains(&players.len()), "{} players in a list", players.len());
            let bytes: usize = players.iter().map(|player| player_bytes(player)).sum();
            assert_eq!(chunk.bytes, bytes);
            assert!(!is_too_long(bytes) || players.len() == 1, "{bytes} bytes in a list");
            sparse += usize::from(players.len() <= PLAYERS_PER_LIST / 4 && bytes < 40_000);
            for (index, player) in players.iter().enumerate() {
                assert_eq!(roster.places[&player.id], Place { chunk: number, index });
                assert!(listed.insert(player.id, Arc::clone(player)).is_none(), "{player:?} twice");
            }
        }
        assert_eq!(&listed, online);
        assert_eq!(roster.places.len(), online.len());
        assert!(
            sparse <= 1 + roster.chunks.len() / 2,
            "{sparse} of {} lists are sparse",
            roster.chunks.len()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn everybody_is_in_one_list(steps in prop::collection::vec((0..4_u8, 0..400_u32, 0..20_usize), 0..900)) {
            let (mut roster, mut online) = (Roster::default(), BTreeMap::new());
            for (what, id, length) in steps {
                if what == 0 {
                    roster.remove(PlayerId(id));
                    online.remove(&PlayerId(id));
                } else {
                    // Some have a very long name, so that lists are full of bytes.
                    let player = player(id, if length == 0 { 40_000 } else { length });
                    roster.put(Arc::clone(&player));
                    online.insert(player.id, player);
                }
            }
            check(&roster, &online);
            let written: Vec<Vec<PlayerId>> = serde_json::from_str(&serde_json::to_string(&roster).unwrap()).unwrap();
            let restored = Roster::restored(written, |id| online.get(&id).cloned());
            check(&restored, &online);
            let parts = |roster: &Roster| roster.lists().map(|(id, list)| (id.chunk, list)).collect::<Vec<_>>();
            prop_assert_eq!(parts(&roster), parts(&restored));
        }
    }

    #[test]
    fn a_change_alters_one_list_only_and_not_for_those_who_have_it() {
        let mut roster = Roster::default();
        (0..1000).for_each(|id| roster.put(player(id, 5)));
        let lists = |roster: &Roster| roster.lists().map(|(_, list)| list).collect::<Vec<_>>();
        let before = lists(&roster);
        assert_eq!(before.len(), 1000_usize.div_ceil(PLAYERS_PER_LIST));
        let altered = |roster: &Roster| {
            let now = lists(roster);
            let same = |list: &&Arc<PlayerList>| now.iter().any(|other| Arc::ptr_eq(list, other));
            before.len() - before.iter().filter(same).count()
        };
        roster.put(player(3, 6));
        assert_eq!(altered(&roster), 1);
        roster.put(player(2000, 5));
        assert_eq!(altered(&roster), 2);
        assert_eq!(before[0].players[3].login.len(), 5);
        roster.remove(PlayerId(4));
        assert_eq!(altered(&roster), 2);
    }

    #[test]
    fn every_change_has_a_version_of_its_own() {
        let mut roster = Roster::default();
        (0..1000).for_each(|id| roster.put(player(id, 5)));
        let mut known = BTreeMap::new();
        let mut check = |roster: &Roster| {
            for (id, list) in roster.lists() {
                let before = known.insert(id.version, Arc::clone(&list));
                assert!(before.is_none_or(|before| before == list), "a version has two contents");
            }
        };
        check(&roster);
        for id in 0..1000 {
            roster.remove(PlayerId(id * 7 % 1000));
            check(&roster);
            roster.put(player(id, 6));
            check(&roster);
        }
    }

    #[test]
    fn lists_do_not_stay_sparse() {
        let mut roster = Roster::default();
        (0..6400).for_each(|id| roster.put(player(id, 5)));
        assert_eq!(roster.lists().count(), 6400 / PLAYERS_PER_LIST);
        // Nine of ten leave, from all lists.
        (0..6400).filter(|id| id % 10 != 0).for_each(|id| roster.remove(PlayerId(id)));
        assert!(roster.lists().count() <= 2 * 640 / PLAYERS_PER_LIST, "{} lists", roster.lists().count());
        (0..6400).for_each(|id| roster.remove(PlayerId(id)));
        assert_eq!(roster.lists().count(), 0);
    }
}
