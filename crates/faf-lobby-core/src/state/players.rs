//! [`Players`]: all online players, and the changes that have not been reported yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{LeaderboardRating, Player, PlayerList, PlayerState, Rating};
use serde::{Deserialize, Serialize};

use crate::io::ConnId;
use crate::matchmaking::vetoes::Vetoes;
use crate::ratings::{GLOBAL, LADDER, Leaderboards, START_RATING};
use crate::snapshots::{Roster, SnapshotId, size};
use crate::state::{Activity, GameConnection};

/// Maximum number of players in a report, which takes some milliseconds. If more have changed, as
/// when thousands lose their connection, the others follow in a moment.
const PLAYERS_PER_REPORT: usize = 2000;

/// A player who has logged in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OnlinePlayer {
    /// The player's connection.
    pub(crate) conn: ConnId,
    /// The player, as all clients see them.
    pub(crate) info: Arc<Player>,
    pub(crate) friends: BTreeSet<PlayerId>,
    pub(crate) foes: BTreeSet<PlayerId>,
    pub(crate) activity: Activity,
    /// Whether the player has searched for a match since the login.
    pub(crate) has_searched: bool,
    /// The maps that the player does not want to play.
    pub(crate) vetoes: Vetoes,
    /// The connection of the player's game process.
    pub(crate) game: Option<GameConnection>,
    /// State of the request for the player's avatar, while there is one.
    #[serde(default)]
    pub(crate) avatar_read: Option<AvatarRead>,
}

/// State of a request for a player's avatar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AvatarRead {
    Pending,
    /// The avatar was changed since, so its reply may be too old.
    Outdated,
}

impl OnlinePlayer {
    /// Returns the rating on a leaderboard; the global one if the player has none there.
    pub(crate) fn rating(&self, leaderboard: &str) -> Rating {
        let known = self.info.ratings.get(leaderboard).map(|known| known.rating);
        known.unwrap_or(self.info.global_rating)
    }

    /// Returns the rating on a leaderboard, or the one derived for it if the player has not played
    /// on this leaderboard.
    pub(crate) fn rating_on(&self, leaderboards: &Leaderboards, leaderboard: &str) -> Rating {
        let stored = |name: &str| self.info.ratings.get(name).map(|known| known.rating);
        leaderboards.rating(leaderboard, START_RATING, stored).rating
    }

    /// Number of rated games on a leaderboard.
    pub(crate) fn games_on(&self, leaderboard: &str) -> u32 {
        self.info.ratings.get(leaderboard).map_or(0, |known| known.number_of_games)
    }

    /// Returns the rating that players see: a rather low estimate.
    pub(crate) fn displayed_rating(&self, leaderboard: &str) -> f64 {
        self.rating(leaderboard).displayed()
    }
}

/// All online players. A player is in here exactly once while their connection is logged in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct Players {
    /// Boxed, because the nodes of the map are usually half empty.
    online: BTreeMap<PlayerId, Box<OnlinePlayer>>,
    /// Newest state of every player with an unreported change.
    changed: BTreeMap<PlayerId, Arc<Player>>,
    /// The snapshot for logins.
    roster: Roster,
}

/// Serialised form of [`Players`].
#[derive(Deserialize)]
struct Written {
    online: BTreeMap<PlayerId, Box<OnlinePlayer>>,
    changed: BTreeMap<PlayerId, Arc<Player>>,
    roster: Vec<Vec<PlayerId>>,
}

impl From<Written> for Players {
    fn from(Written { online, changed, roster }: Written) -> Self {
        let info = |player| online.get(&player).map(|online| Arc::clone(&online.info));
        let roster = Roster::restored(roster, info);
        Self { online, changed, roster }
    }
}

impl Players {
    pub(crate) fn len(&self) -> usize {
        self.online.len()
    }

    pub(crate) fn get(&self, player: PlayerId) -> Option<&OnlinePlayer> {
        self.online.get(&player).map(|online| &**online)
    }

    /// Returns the connection of an online player.
    pub(crate) fn conn(&self, player: PlayerId) -> Option<ConnId> {
        self.get(player).map(|online| online.conn)
    }

    pub(crate) fn get_mut(&mut self, player: PlayerId) -> Option<&mut OnlinePlayer> {
        self.online.get_mut(&player).map(|online| &mut **online)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &OnlinePlayer> {
        self.online.values().map(|online| &**online)
    }

    /// Returns the snapshot for logins: lists that all logins share.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (SnapshotId, Arc<PlayerList>)> {
        self.roster.lists()
    }

    /// Returns all online players, in order of their ids.
    pub(crate) fn list(&self) -> Vec<Arc<Player>> {
        self.online.values().map(|player| Arc::clone(&player.info)).collect()
    }

    /// Adds a player, and replaces the same player on another connection.
    pub(crate) fn insert(&mut self, player: OnlinePlayer) {
        self.changed.insert(player.info.id, Arc::clone(&player.info));
        self.roster.put(Arc::clone(&player.info));
        self.online.insert(player.info.id, Box::new(player));
    }

    /// Removes a player, if they use this connection.
    pub(crate) fn remove(&mut self, player: PlayerId, conn: ConnId) -> Option<OnlinePlayer> {
        if self.online.get(&player)?.conn != conn {
            return None;
        }
        let gone = self.online.remove(&player)?;
        self.roster.remove(player);
        let offline = Player { state: Some(PlayerState::Offline), ..Player::clone(&gone.info) };
        self.changed.insert(player, Arc::new(offline));
        Some(*gone)
    }

    /// Changes the public state of a player.
    pub(crate) fn change(&mut self, player: PlayerId, change: impl FnOnce(&mut Player)) {
        if let Some(online) = self.online.get_mut(&player) {
            change(Arc::make_mut(&mut online.info));
            self.roster.put(Arc::clone(&online.info));
            self.changed.insert(player, Arc::clone(&online.info));
        }
    }

    /// Sets a player's rating after one more game. A player who has logged in since it was stored
    /// has it already.
    pub(crate) fn rate(&mut self, player: PlayerId, leaderboard: &str, rating: Rating) {
        let known = self.get(player).and_then(|online| online.info.ratings.get(leaderboard));
        if known.is_some_and(|known| known.rating == rating) {
            return;
        }
        self.change(player, |info| {
            let ratings = &mut info.ratings.0;
            let known = ratings.iter_mut().find(|(name, _)| &**name == leaderboard);
            let number_of_games = match known {
                Some((_, known)) => {
                    *known = LeaderboardRating { rating, number_of_games: known.number_of_games + 1 };
                    known.number_of_games
                }
                None => {
                    ratings.push((leaderboard.into(), LeaderboardRating { rating, number_of_games: 1 }));
                    1
                }
            };
            match leaderboard {
                GLOBAL => (info.global_rating, info.number_of_games) = (rating, number_of_games),
                LADDER => info.ladder_rating = rating,
                _ => {}
            }
        });
    }

    /// Returns the state of a player that has not been reported yet, if there is one, as a list.
    pub(crate) fn unreported(&self, player: PlayerId) -> Option<PlayerList> {
        self.changed.get(&player).map(|info| PlayerList { players: vec![Arc::clone(info)] })
    }

    /// Drops all unreported changes.
    pub(crate) fn forget_changes(&mut self) {
        self.changed.clear();
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes the players who have changed since the last call, or as many of them as fit into one
    /// report: each player once, in the newest state, in one list unless it would be too long.
    pub(crate) fn take_changes(&mut self) -> impl Iterator<Item = PlayerList> + use<> {
        let rest =
            self.changed.keys().nth(PLAYERS_PER_REPORT).copied().map(|first| self.changed.split_off(&first));
        let changed = std::mem::replace(&mut self.changed, rest.unwrap_or_default()).into_values().collect();
        let lists = size::split(changed, usize::MAX, |player| size::player_bytes(player));
        lists.into_iter().map(|players| PlayerList { players })
    }
}
