//! Messages to other services over the message broker (ops.md section 11.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_protocol::server_message::{GameList, MatchmakerInfo, PlayerList, ServerMessage};
use faf_protocol::{Encode, GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::results::Outcome;
use crate::statistics::{AchievementUpdate, EventUpdate};
use crate::validity::Validity;

/// A message to other services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Publication {
    /// A game has ended.
    GameResults(Box<GameResults>),
    /// A player has a new rating.
    Rating(RatingUpdate),
    /// An achievement of a player was updated.
    Achievement(AchievementUpdate),
    /// An event of a player was counted.
    Event(EventUpdate),
    /// Players who came online, changed or left, as clients receive them.
    Players(Arc<PlayerList>),
    /// Games that were opened, changed or removed. Holds all games of a report,
    /// visible to all players or not.
    Games(Arc<GameList>),
    /// Queues that have changed, as clients receive them.
    Queues(Arc<MatchmakerInfo>),
}

impl Publication {
    /// Name of the exchange for all publications.
    pub const EXCHANGE: &'static str = "faf-lobby";

    /// Returns the body of the message, as JSON.
    ///
    /// # Errors
    /// None are known, but serialisation could fail.
    pub fn body(&self) -> serde_json::Result<String> {
        match self {
            Self::GameResults(results) => serde_json::to_string(results),
            Self::Rating(update) => serde_json::to_string(update),
            Self::Achievement(update) => serde_json::to_string(update),
            Self::Event(update) => serde_json::to_string(update),
            Self::Players(list) => message(&ServerMessage::PlayerInfo(Arc::clone(list))),
            Self::Games(list) => message(&ServerMessage::GameList(Arc::clone(list))),
            Self::Queues(info) => message(&ServerMessage::MatchmakerInfo(Arc::clone(info))),
        }
    }

    /// Returns the routing key of the message.
    #[must_use]
    pub fn routing_key(&self) -> &'static str {
        match self {
            Self::GameResults(_) => "success.gameResults.create",
            Self::Rating(_) => "success.rating.update",
            Self::Achievement(_) => "request.achievement.update",
            Self::Event(_) => "request.event.update",
            Self::Players(_) => "broadcast.playerInfo.update",
            Self::Games(_) => "broadcast.gameInfo.update",
            Self::Queues(_) => "broadcast.matchmakerInfo.update",
        }
    }

    /// Returns whether the message must survive a restart of the broker or of its receivers.
    /// Messages that the next change repeats need not.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        !matches!(self, Self::Players(_) | Self::Games(_) | Self::Queues(_))
    }
}

/// Publications that a write about a game carries, to be stored in the transaction of the write.
///
/// A failed write is requested again with the same numbers, and may carry more: a publication whose
/// number was stored before is not stored a second time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GamePublications {
    /// Number of the first publication, counted from 0 over the whole life of the game.
    pub first: u32,
    /// The publications, in the order in which they must be sent.
    pub list: Vec<Publication>,
}

impl GamePublications {
    /// Number after the last publication.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.first + self.list.len() as u32
    }

    /// Returns the publications from this number on.
    pub fn after(&self, stored: u32) -> impl Iterator<Item = &Publication> {
        (self.first..)
            .zip(&self.list)
            .filter(move |(number, _)| *number >= stored)
            .map(|(_, publication)| publication)
    }
}

/// Returns the JSON that a client would receive.
fn message(message: &ServerMessage) -> serde_json::Result<String> {
    let mut json = Vec::new();
    message.write_json(&mut json).map_err(serde::ser::Error::custom)?;
    String::from_utf8(json).map_err(serde::ser::Error::custom)
}

/// The results of a game, rated or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameResults {
    /// Id of the game.
    pub game_id: GameId,
    /// Technical name of the leaderboard.
    pub rating_type: String,
    /// Id of the version of the map; `None` for maps that are not in the vault.
    pub map_id: Option<u32>,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Uids of the active mods.
    pub sim_mod_ids: Vec<String>,
    /// Number of commanders killed by each army that reported it, by the name of the army.
    pub commander_kills: BTreeMap<String, i64>,
    /// Whether the game counts.
    pub validity: Validity,
    /// Teams of the game; their outcomes are unknown if the winner is unclear.
    pub teams: Vec<TeamResults>,
}

/// The results of one team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeamResults {
    /// Outcome of the team.
    pub outcome: Outcome,
    /// Ids of the team's players.
    pub player_ids: Vec<PlayerId>,
    /// Results of each player's army.
    pub army_results: Vec<ArmyResult>,
}

/// The result of one player's army.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmyResult {
    /// Id of the player.
    pub player_id: PlayerId,
    /// Number of the army, if the host has set one.
    pub army: Option<i64>,
    /// Outcome of the army.
    pub army_outcome: Outcome,
    /// Tags from the reports on the army, such as `recall`.
    pub metadata: Vec<String>,
}

/// A player's new rating on one leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatingUpdate {
    /// Id of the game that changed the rating.
    pub game_id: GameId,
    /// Id of the player.
    pub player_id: PlayerId,
    /// Technical name of the leaderboard.
    pub rating_type: String,
    /// Estimate after the game.
    pub new_rating_mean: f64,
    /// Uncertainty after the game.
    pub new_rating_deviation: f64,
    /// Estimate before the game.
    pub old_rating_mean: f64,
    /// Uncertainty before the game.
    pub old_rating_deviation: f64,
    /// Outcome of the game for the player's team.
    pub outcome: Outcome,
}
