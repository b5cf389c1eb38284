//! What other services are told over the message broker (ops.md section 11.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_protocol::server_message::{GameList, PlayerList, ServerMessage};
use faf_protocol::{Encode, GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::results::Outcome;
use crate::statistics::{AchievementUpdate, EventUpdate};
use crate::validity::Validity;

/// Something other services are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Publication {
    /// A game has ended.
    GameResults(Box<GameResults>),
    /// A player has a new rating.
    Rating(RatingUpdate),
    /// A player has come closer to an achievement.
    Achievement(AchievementUpdate),
    /// Something a player did is counted.
    Event(EventUpdate),
    /// Players who came, changed or left, as clients are told.
    Players(Arc<PlayerList>),
    /// Games that were opened, have changed or are gone: all of a report at once, and whoever may see them.
    Games(Arc<GameList>),
}

impl Publication {
    /// Name of the exchange that all of them go to.
    pub const EXCHANGE: &'static str = "faf-lobby";

    /// What they are told, as JSON.
    ///
    /// # Errors
    /// None that are known; serialising could fail.
    pub fn body(&self) -> serde_json::Result<String> {
        match self {
            Self::GameResults(results) => serde_json::to_string(results),
            Self::Rating(update) => serde_json::to_string(update),
            Self::Achievement(update) => serde_json::to_string(update),
            Self::Event(update) => serde_json::to_string(update),
            Self::Players(list) => message(&ServerMessage::PlayerInfo(Arc::clone(list))),
            Self::Games(list) => message(&ServerMessage::GameList(Arc::clone(list))),
        }
    }

    /// Under which routing key it is published.
    #[must_use]
    pub fn routing_key(&self) -> &'static str {
        match self {
            Self::GameResults(_) => "success.gameResults.create",
            Self::Rating(_) => "success.rating.update",
            Self::Achievement(_) => "request.achievement.update",
            Self::Event(_) => "request.event.update",
            Self::Players(_) => "broadcast.playerInfo.update",
            Self::Games(_) => "broadcast.gameInfo.update",
        }
    }

    /// Whether it must reach the other services also if they or the broker are restarted. What is told again with the next
    /// change does not.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        !matches!(self, Self::Players(_) | Self::Games(_))
    }
}

/// Publications that come of a write about a game, to be stored in the transaction of the write.
///
/// A write that has failed is asked for again with the same numbers, and may bring more: a publication whose number was
/// stored before is not stored a second time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GamePublications {
    /// Number of the first, counted from 0 over the whole life of the game.
    pub first: u32,
    /// The publications, in the order in which they are to be told.
    pub list: Vec<Publication>,
}

impl GamePublications {
    /// The number after the last one.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.first + self.list.len() as u32
    }

    /// Those that are new where so many were stored before.
    pub fn after(&self, stored: u32) -> impl Iterator<Item = &Publication> {
        (self.first..).zip(&self.list).filter(move |(number, _)| *number >= stored).map(|(_, told)| told)
    }
}

/// What a client would be told.
fn message(message: &ServerMessage) -> serde_json::Result<String> {
    let mut json = Vec::new();
    message.write_json(&mut json).map_err(serde::ser::Error::custom)?;
    String::from_utf8(json).map_err(serde::ser::Error::custom)
}

/// How a game has ended, also if it is not rated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameResults {
    /// Which.
    pub game_id: GameId,
    /// Technical name of the leaderboard.
    pub rating_type: String,
    /// Number of the map's version; none for maps that are not in the vault.
    pub map_id: Option<u32>,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Uids of the active mods.
    pub sim_mod_ids: Vec<String>,
    /// Commanders killed by each army that has told, by its name.
    pub commander_kills: BTreeMap<String, i64>,
    /// Whether it counts.
    pub validity: Validity,
    /// Its teams; if it is unclear who has won, their outcomes are unknown.
    pub teams: Vec<TeamResults>,
}

/// How a team fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeamResults {
    /// How.
    pub outcome: Outcome,
    /// Its players.
    pub player_ids: Vec<PlayerId>,
    /// How each of them fared.
    pub army_results: Vec<ArmyResult>,
}

/// How one player's army fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmyResult {
    /// The player.
    pub player_id: PlayerId,
    /// Number of the army.
    pub army: Option<i64>,
    /// How.
    pub army_outcome: Outcome,
    /// Words about it, such as `recall`.
    pub metadata: Vec<String>,
}

/// A new rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatingUpdate {
    /// The game it comes from.
    pub game_id: GameId,
    /// Whose.
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
    /// How the player's team fared.
    pub outcome: Outcome,
}
