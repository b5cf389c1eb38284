//! Writes about games: the content of everything that is stored of a game.

use faf_protocol::{GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::explanation::Decision;
use crate::game_options::VictoryCondition;
use crate::io::{GameResults, Publication, RatingUpdate};
use crate::matchmaking::queue::QueueId;
use crate::ratings::{RatedTeam, RatingChange};
use crate::results::Outcome;
use crate::state::{Game, LivePlayer};
use crate::validity::Validity;

/// A write about a game, stored in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GameWrite {
    /// The game was launched: its rows, and the game itself, so that it survives the server.
    Launch(Box<GameLaunched>),
    /// The game has changed.
    Save(Box<Game>),
    /// The game is over: its results and ratings. It no longer needs to survive the server.
    End(Box<GameEnd>),
    /// An event in the game.
    Note(Note),
    /// Publications only: the game is over, and its end is stored.
    Publish,
}

/// An event in a game that is stored and not used further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// A player's simulation has drifted away from the others' for the first time.
    Desync {
        /// The player.
        player: PlayerId,
        /// Whole seconds since the launch.
        game_time: u32,
    },
    /// A commander was killed by a team mate.
    Teamkill {
        /// The player who killed the commander.
        teamkiller: PlayerId,
        /// The player whose commander was killed.
        victim: PlayerId,
        /// Seconds since the game began.
        game_time: u32,
    },
    /// A co-op mission was won.
    MissionComplete {
        /// Folder name of its map.
        map: String,
        /// Whether the secondary objectives were met.
        secondary: bool,
        /// Duration of the mission: `HH:MM:SS`.
        time: String,
        /// Number of players in the game.
        player_count: u32,
    },
}

/// The record of a launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameLaunched {
    /// The game, to be kept until it is over.
    pub game: Game,
    /// Id of the featured mod.
    pub featured_mod: u32,
    /// The player who hosts it.
    pub host: PlayerId,
    /// Id of the map's version; `None` for maps that are not in the vault.
    pub map_version: Option<u32>,
    /// The queue, if the game is a match.
    #[serde(default)]
    pub queue: Option<QueueId>,
    /// Its title.
    pub title: String,
    /// The victory condition.
    pub victory: VictoryCondition,
    /// Whether the game counts, as far as that is known.
    pub validity: Validity,
    /// The time of the launch.
    pub launched_at: Timestamp,
    /// Uids of the active mods; each was played once more.
    pub mods: Vec<String>,
    /// The players.
    pub players: Vec<LivePlayer>,
}

/// The record of the end of a launched game.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameEnd {
    /// Whether the game counts.
    pub validity: Validity,
    /// Time of the end.
    pub ended_at: Timestamp,
    /// Results of its players; empty if they are dropped.
    pub results: Vec<PlayerResult>,
    /// Teams to be rated; `None` if the game is not rated.
    pub rated: Option<RatedGame>,
    /// The reasons why the game counts or not.
    pub decisions: Vec<Decision>,
    /// Results for other services, to be published once they are stored.
    pub published: Option<GameResults>,
}

impl GameEnd {
    /// Returns the publications about the end of a game and about the ratings that it has changed,
    /// in their order.
    #[must_use]
    pub fn publications(&self, game: GameId, ratings: &[RatingChange]) -> Vec<Publication> {
        let results =
            self.published.iter().map(|results| Publication::GameResults(Box::new(results.clone())));
        let updates = ratings.iter().map(|change| {
            Publication::Rating(RatingUpdate {
                game_id: game,
                player_id: change.player,
                rating_type: change.leaderboard.clone(),
                new_rating_mean: change.after.mean,
                new_rating_deviation: change.after.deviation,
                old_rating_mean: change.before.mean,
                old_rating_deviation: change.before.deviation,
                outcome: change.outcome,
            })
        });
        results.chain(updates).collect()
    }
}

/// The result of one player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerResult {
    /// The player.
    pub player: PlayerId,
    /// The outcome of the player's army.
    pub outcome: Outcome,
    /// The score of the army, as far as it can be stored.
    pub score: i8,
}

/// A game that is rated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatedGame {
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Its two teams.
    pub teams: [RatedTeam; 2],
}
