//! Types that operations take and return, in addition to those of the core.

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{Ban, Decision, Publication, Timestamp};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};

use crate::StoreError;

/// An account that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// Number of the account.
    pub id: PlayerId,
    /// Name of the account, as it was registered.
    pub login: String,
    /// Hash of the password that clients send.
    pub password: String,
    /// The ban that ends last, in force or not.
    pub ban: Option<Ban>,
}

/// An account as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAccount {
    /// Number of the account.
    pub id: PlayerId,
    /// Name of the account.
    pub login: String,
    /// Technical names of the account's groups.
    pub groups: Vec<String>,
    /// The ban in force.
    pub ban: Option<Ban>,
    /// Time of the last login, in Unix seconds.
    pub last_login: Option<i64>,
}

/// Role of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// No permissions beyond playing.
    Player,
    /// Permissions of the group `faf_moderators_global`.
    Moderator,
    /// Permissions of the group `faf_server_administrators`.
    Administrator,
}

impl Role {
    /// Groups that represent roles; an account is in at most one of them.
    pub const GROUPS: [&str; 2] = ["faf_moderators_global", "faf_server_administrators"];

    /// Returns the group that represents this role.
    #[must_use]
    pub fn group(self) -> Option<&'static str> {
        match self {
            Self::Player => None,
            Self::Moderator => Some(Self::GROUPS[0]),
            Self::Administrator => Some(Self::GROUPS[1]),
        }
    }
}

/// An operator's order about a player who may be online; no server has carried it out yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Number of the order.
    pub id: i64,
    /// Player whom the order concerns.
    pub player: PlayerId,
    /// Action to carry out.
    pub action: Action,
}

/// Action that an operator has ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Disconnect a player who has a ban; this is the ban that ends last, in force or not.
    Ban(Option<Ban>),
    /// Disconnect a player. The player is sent the reason, unless it is empty.
    Kick(String),
}

/// A message for other services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Name of the exchange.
    pub exchange: String,
    /// Routing key.
    pub routing_key: String,
    /// JSON text of the message.
    pub body: String,
    /// Whether the message must survive a restart of the broker.
    pub is_persistent: bool,
}

impl Message {
    /// Creates the message for a publication.
    ///
    /// # Errors
    /// [`StoreError::Contradiction`] if the publication cannot be written as JSON.
    pub fn new(publication: &Publication) -> Result<Self, StoreError> {
        let body = publication.body().map_err(|error| StoreError::Contradiction(error.to_string()))?;
        Ok(Self {
            exchange: Publication::EXCHANGE.to_owned(),
            routing_key: publication.routing_key().to_owned(),
            body,
            is_persistent: publication.is_persistent(),
        })
    }
}

/// Messages of the outbox that are not delivered yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Number of waiting messages.
    pub count: u32,
    /// The oldest messages with their numbers, in the order in which they must be delivered.
    pub messages: Vec<(i64, Message)>,
}

/// Filter for a list of games.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GameFilter {
    /// Selects only games of this account.
    pub player: Option<String>,
    /// Selects only games that are over and do not count.
    pub is_unrated: bool,
    /// Selects only games of the matchmaker.
    pub is_match: bool,
    /// Maximum number of games; the newest are selected.
    pub limit: u32,
}

/// A launched game in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedGame {
    /// The launched game.
    pub game: LaunchedGame,
    /// Names of the players.
    pub players: Vec<String>,
}

/// A launched game.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchedGame {
    /// Number of the game.
    pub id: GameId,
    /// Title of the game.
    pub title: String,
    /// Name of the account that hosted the game.
    pub host: String,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Folder name of the map; `None` for maps that are not in the vault.
    pub map: Option<String>,
    /// Time of the launch.
    pub launched_at: Timestamp,
    /// Time of the end, if it is known.
    pub ended_at: Option<Timestamp>,
    /// Whether the game counts; `None` if the number in the database has no meaning.
    pub validity: Option<Validity>,
    /// Whether the game is being played, or was when the server ended.
    pub is_live: bool,
}

/// A launched game, with everything that is stored about it.
#[derive(Debug, Clone, PartialEq)]
pub struct GameRecord {
    /// The part that lists of games show as well.
    pub game: LaunchedGame,
    /// Players of the game, by team and start position.
    pub players: Vec<PlayerRecord>,
    /// Steps that decided whether the game is rated; `None` if they were not stored or cannot
    /// be read.
    pub decisions: Option<Vec<Decision>>,
}

/// Result of one player.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerRecord {
    /// Number of the account.
    pub player: PlayerId,
    /// Name of the account.
    pub login: String,
    /// Number of the team; 1 means no team.
    pub team: i64,
    /// Name of the outcome.
    pub result: Option<String>,
    /// Score of the player.
    pub score: Option<i64>,
    /// Rating changes that the game caused.
    pub ratings: Vec<RecordedRating>,
}

/// Change of a rating.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRating {
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Rating before the game.
    pub before: Rating,
    /// Rating after the game.
    pub after: Rating,
}
