//! Records from the database and other services, as requests and their replies carry them.

use std::net::IpAddr;

use faf_protocol::server_message::{Avatar, LeaderboardRating};
use faf_protocol::{GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A version of a map in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapVersion {
    /// Number of the version.
    pub id: u32,
    /// Whether games on it may be rated.
    pub is_ranked: bool,
}

/// An account whose password or token was correct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Id of the account.
    pub id: PlayerId,
    /// Name of the account in its own spelling.
    pub login: String,
    /// The ban that ends last, whether it is in force or not.
    pub ban: Option<Ban>,
}

/// A ban from the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The reason, as shown to the player; may contain HTML.
    pub reason: String,
    /// Time at which it ends.
    pub expires_at: Timestamp,
}

/// The reason why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenFault {
    /// It is malformed, expired, not yet valid, or not signed by a known key. The text says which,
    /// for the log.
    Invalid(String),
    /// It does not allow a login to the lobby.
    NoPermission,
    /// The keys to check it are not available now.
    NoKeys,
    /// The server does not accept tokens.
    NotTaken,
}

/// Profile of a player, read at login.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The selected avatar.
    pub avatar: Option<Avatar>,
    /// Tag of the clan.
    pub clan: Option<String>,
    /// Stored ratings by technical name of the leaderboard.
    pub ratings: Vec<(String, LeaderboardRating)>,
    /// Technical names of the groups the player belongs to.
    pub groups: Vec<String>,
    /// Ids of the player's friends.
    pub friends: Vec<PlayerId>,
    /// Ids of the player's foes.
    pub foes: Vec<PlayerId>,
    /// The ban that ends last, in force or not: it may be newer than the check of the password.
    #[serde(default)]
    pub ban: Option<Ban>,
}

/// A mod of the vault, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaultMod {
    /// Uid of the mod.
    pub uid: String,
    /// Name of the mod.
    pub name: String,
    /// Version of the mod.
    pub version: u32,
    /// Author of the mod.
    pub author: String,
    /// Whether it belongs to the user interface; otherwise to the simulation.
    pub is_ui: bool,
    /// Time of the upload, in Unix seconds.
    pub date: i64,
    /// Number of downloads.
    pub downloads: u32,
    /// Number of players who like it.
    pub likes: f64,
    /// Number of games in which it was played.
    pub played: u32,
    /// Description of the mod.
    pub description: String,
    /// Name of its file.
    pub filename: String,
    /// Name of the file of its picture; empty if there is none.
    pub icon: String,
}

/// The relation of one player to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Relation {
    Friend,
    Foe,
}

/// Permissions of administrators and moderators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    /// End games and connections of other players.
    KickServer,
    /// Show a text to everyone.
    BroadcastMessage,
    /// Make clients join a channel.
    JoinChannel,
}

impl Permission {
    /// Name of the permission in the database.
    #[must_use]
    pub fn technical_name(self) -> &'static str {
        match self {
            Self::KickServer => "ADMIN_KICK_SERVER",
            Self::BroadcastMessage => "ADMIN_BROADCAST_MESSAGE",
            Self::JoinChannel => "ADMIN_JOIN_CHANNEL",
        }
    }
}

/// An attempt to join a game, which is recorded whether it succeeds or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinAttempt {
    /// The game.
    pub game: GameId,
    /// The player's address, if it is known.
    pub address: Option<IpAddr>,
}

/// The queue of password checks is full: this one would have to wait for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy;

/// There is no player with this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownPlayer;

/// There is no mod with this uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownMod;

/// The avatar is not granted to the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvatarNotGranted;

/// The write contradicts what is stored, so it can never succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction;

/// The outcome of liking a mod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Like {
    /// The like was counted; this is the mod with the new number of likes.
    Counted(Box<VaultMod>),
    /// The player liked the mod already.
    Before,
}
