//! [`Matches`]: the matches that are being set up, from the round that made them to the launch of
//! their games (matchmaking.md section 8).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_protocol::{Faction, GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::explanation::MatchedSearch;
use crate::matchmaking::MatchQuality;
use crate::matchmaking::queue::QueueId;

/// All matches that are being set up. A match has the id of its game from the beginning.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Matches {
    matches: BTreeMap<GameId, Match>,
    /// The match of each player who is in one.
    of_player: BTreeMap<PlayerId, GameId>,
}

/// A match that is being set up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Match {
    pub(crate) queue: QueueId,
    /// The players of the two teams, in the order of their searches.
    pub(crate) teams: [Vec<Matched>; 2],
    /// The searches of the two teams, as they were when the match was made.
    pub(crate) searches: [Vec<MatchedSearch>; 2],
    pub(crate) quality: MatchQuality,
    pub(crate) began_at: Duration,
    pub(crate) phase: Phase,
    /// Time at which the phase ends.
    pub(crate) until: Duration,
    /// Players whose lobby connection was lost before they were asked to start the game.
    pub(crate) lost: BTreeSet<PlayerId>,
    /// For each player whose game has reported any peer as connected or disconnected, the peers
    /// that are connected (games.md section 6.8).
    pub(crate) peers: BTreeMap<PlayerId, BTreeSet<PlayerId>>,
    /// Players whose game has reported last that it is ready for the launch.
    pub(crate) ready: BTreeSet<PlayerId>,
}

/// A player in a match.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Matched {
    pub(crate) player: PlayerId,
    /// The faction that was drawn for the player.
    pub(crate) faction: Faction,
}

/// A player who has lost the connection during a match that failed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Accused {
    pub(crate) player: PlayerId,
    /// Time at which the match began.
    pub(crate) since: Duration,
    /// Time of the judgement.
    pub(crate) due: Duration,
}

/// A phase of setting up a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// The database is asked for the maps that the players have played.
    Opening,
    /// The host's game is starting.
    WaitsForHost,
    /// The guests' games are starting and connecting, until the host launches the game.
    WaitsForGuests,
    /// The host has launched the game, and the database is asked for its map.
    Launching,
    /// The match was cancelled; game processes may still run.
    Cancelled,
}

impl Match {
    /// Returns all players, team 1 first. The first one is the host.
    pub(crate) fn players(&self) -> impl Iterator<Item = PlayerId> {
        self.teams.iter().flatten().map(|matched| matched.player)
    }

    pub(crate) fn host(&self) -> Option<PlayerId> {
        self.players().next()
    }
}

impl Matches {
    pub(crate) fn insert(&mut self, id: GameId, found: Match) {
        for player in found.players() {
            self.of_player.insert(player, id);
        }
        self.matches.insert(id, found);
    }

    pub(crate) fn get(&self, id: GameId) -> Option<&Match> {
        self.matches.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: GameId) -> Option<&mut Match> {
        self.matches.get_mut(&id)
    }

    /// Returns the match of a player.
    pub(crate) fn of_player(&self, player: PlayerId) -> Option<GameId> {
        self.of_player.get(&player).copied()
    }

    /// Removes a match, and returns it.
    pub(crate) fn remove(&mut self, id: GameId) -> Option<Match> {
        let found = self.matches.remove(&id)?;
        found.players().for_each(|player| self.release(player, id));
        Some(found)
    }

    /// Releases a player from a match. The player may be in a later one by now, and stays in it.
    pub(crate) fn release(&mut self, player: PlayerId, id: GameId) {
        if self.of_player.get(&player) == Some(&id) {
            self.of_player.remove(&player);
        }
    }

    /// Returns the ids of all matches.
    pub(crate) fn ids(&self) -> Vec<GameId> {
        self.matches.keys().copied().collect()
    }
}
