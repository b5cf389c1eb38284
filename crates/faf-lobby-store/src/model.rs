//! What operations take and return, beyond the types of the core.

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{Ban, Decision, Publication, Timestamp};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};

use crate::StoreError;

/// An account that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// Its number.
    pub id: PlayerId,
    /// Its name, as it was registered.
    pub login: String,
    /// Hash of what clients send as password.
    pub password: String,
    /// The ban that ends last, in force or not.
    pub ban: Option<Ban>,
}

/// An account, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAccount {
    /// Its number.
    pub id: PlayerId,
    /// Its name.
    pub login: String,
    /// Technical names of the groups it belongs to.
    pub groups: Vec<String>,
    /// The ban in force.
    pub ban: Option<Ban>,
    /// When it was last used, in Unix seconds.
    pub last_login: Option<i64>,
}

/// What an account may do beyond playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Player,
    /// What the group `faf_moderators_global` may.
    Moderator,
    /// What the group `faf_server_administrators` may.
    Administrator,
}

impl Role {
    /// The groups that stand for roles; an account is in one of them at most.
    pub const GROUPS: [&str; 2] = ["faf_moderators_global", "faf_server_administrators"];

    /// The group that stands for this role.
    #[must_use]
    pub fn group(self) -> Option<&'static str> {
        match self {
            Self::Player => None,
            Self::Moderator => Some(Self::GROUPS[0]),
            Self::Administrator => Some(Self::GROUPS[1]),
        }
    }
}

/// What an operator wants done about a player who may be online; no server has done it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: i64,
    /// The player it is about.
    pub player: PlayerId,
    /// What is to be done.
    pub action: Action,
}

/// The action that an operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To end the connection of a player who has a ban; the one that ends last, in force or not.
    Ban(Option<Ban>),
    /// To end a connection. The player is told the reason, if it is not empty.
    Kick(String),
}

/// A message for other services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Name of the exchange it is sent to.
    pub exchange: String,
    /// Routing key.
    pub routing_key: String,
    /// JSON.
    pub body: String,
    /// Whether it must survive a restart of the broker.
    pub is_persistent: bool,
}

impl Message {
    /// The message that tells of something.
    ///
    /// # Errors
    /// [`StoreError::Contradiction`] if it cannot be written as JSON.
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

/// Messages of the outbox that were not delivered yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many there are.
    pub count: u32,
    /// The oldest, with their numbers, in the order in which they must be delivered.
    pub messages: Vec<(i64, Message)>,
}

/// Selects games for a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GameFilter {
    /// Games of this account only.
    pub player: Option<String>,
    /// Games only that are over and do not count.
    pub is_unrated: bool,
    /// How many at most; the newest.
    pub limit: u32,
}

/// A game that was launched, in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedGame {
    /// The game.
    pub game: LaunchedGame,
    /// Names of its players.
    pub players: Vec<String>,
}

/// A game that was launched.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchedGame {
    /// Its number.
    pub id: GameId,
    /// Its title.
    pub title: String,
    /// Name of the account that has made it.
    pub host: String,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Folder name of the map; none for maps that are not in the vault.
    pub map: Option<String>,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// When it ended, if that is known.
    pub ended_at: Option<Timestamp>,
    /// Whether it counts; none if the number in the database has no meaning.
    pub validity: Option<Validity>,
    /// It is being played, or was when the server ended.
    pub is_live: bool,
}

/// A game that was launched, with everything that was stored of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GameRecord {
    /// What lists of games show of it, too.
    pub game: LaunchedGame,
    /// Its players, by team and place.
    pub players: Vec<PlayerRecord>,
    /// Why it is rated or not, step by step; none if that was not stored, or cannot be read.
    pub decisions: Option<Vec<Decision>>,
}

/// How one player fared.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerRecord {
    /// The account.
    pub player: PlayerId,
    /// Its name.
    pub login: String,
    /// Number of the team; 1 is none.
    pub team: i64,
    /// Name of the outcome.
    pub result: Option<String>,
    /// Score.
    pub score: Option<i64>,
    /// What the game has made of ratings.
    pub ratings: Vec<RecordedRating>,
}

/// How a rating has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRating {
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Before the game.
    pub before: Rating,
    /// After the game.
    pub after: Rating,
}
