//! Records that the outside keeps, as requests and their replies carry them.

use std::net::IpAddr;

use faf_protocol::server_message::{Avatar, LeaderboardRating};
use faf_protocol::{GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A version of a map in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapVersion {
    /// Its number.
    pub id: u32,
    /// Whether games on it may be rated.
    pub is_ranked: bool,
}

/// An account whose password or token was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account.
    pub id: PlayerId,
    /// Its name in its own spelling.
    pub login: String,
    /// The ban that ends last, whether it is in force or not.
    pub ban: Option<Ban>,
}

/// A ban from the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Why; shown to the player, may hold HTML.
    pub reason: String,
    /// It is in force before this time.
    pub expires_at: Timestamp,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenFault {
    /// It is malformed, expired, not yet valid, or not signed by a known key; which of these, for
    /// the log.
    Invalid(String),
    /// It does not allow to log in to the lobby.
    NoPermission,
    /// The keys to check it are not available now.
    NoKeys,
    /// The server takes no tokens.
    NotTaken,
}

/// Everything about a player that is read at login.
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
    /// Friends.
    pub friends: Vec<PlayerId>,
    /// Foes.
    pub foes: Vec<PlayerId>,
    /// The ban that ends last, in force or not: there may be one since the password was checked.
    #[serde(default)]
    pub ban: Option<Ban>,
}

/// A mod of the vault, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaultMod {
    /// Its uid.
    pub uid: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// Its author.
    pub author: String,
    /// Whether it belongs to the user interface; else to the simulation.
    pub is_ui: bool,
    /// When it was uploaded, in Unix seconds.
    pub date: i64,
    /// Downloads.
    pub downloads: u32,
    /// Players who like it.
    pub likes: f64,
    /// Games it was played in.
    pub played: u32,
    /// Its description.
    pub description: String,
    /// Its file.
    pub filename: String,
    /// File of its picture; empty if there is none.
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
    /// End games and connections of others.
    KickServer,
    /// Show a text to everybody.
    BroadcastMessage,
    /// Make clients join a channel.
    JoinChannel,
}

impl Permission {
    /// Its name in the database.
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

/// So many passwords are being checked that this one would have to wait for too long.
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

/// The write contradicts what is stored, and so always will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction;

/// The outcome of liking a mod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Like {
    /// It was counted; this is the mod with the new number of likes.
    Counted(Box<VaultMod>),
    /// The player liked the mod already.
    Before,
}
