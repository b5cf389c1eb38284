//! What the lobby is told.

use std::collections::BTreeMap;
use std::net::IpAddr;

use faf_protocol::server_message::{Avatar, CoopMission, LeaderboardRating};
use faf_protocol::{ClientMessage, CommandError, Country, PlayerId, SessionNumber};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::games::GameData;
use crate::ratings::RatingChange;
use crate::settings::Settings;

/// A connection, as the lobby knows it. Never used again after it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);

/// A question of the lobby that has not been answered. Never used again after it has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Somebody has connected. Its first message may be read.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Where it comes from, if that is known.
        address: Option<IpAddr>,
        /// The country of that address.
        country: Country,
        /// A random number for [`ask_session`](faf_protocol::client_message::AskSession).
        session: SessionNumber,
    },
    /// A message was read. No other is read from this connection before [`Effect::Ready`](crate::Effect::Ready).
    Received {
        /// From whom.
        conn: ConnId,
        /// The message, or why it is none.
        message: Result<ClientMessage, CommandError>,
    },
    /// Bytes have come of a message that is not complete: somebody is there, and sends as fast as the line takes it.
    Heard {
        /// From whom.
        conn: ConnId,
    },
    /// A connection has ended, or was lost.
    Disconnected {
        /// Which.
        conn: ConnId,
    },
    /// The answer to [`Effect::Ask`](crate::Effect::Ask); exactly one for each.
    Answered {
        /// Of the question.
        ticket: Ticket,
        /// The answer.
        answer: Answer,
    },
    /// A player was banned. Whoever has a ban in force is told and disconnected.
    Banned {
        /// Who.
        player: PlayerId,
        /// The ban that ends last, in force or not.
        ban: Ban,
    },
    /// The operator wants a player to be disconnected, if he is online.
    Kicked {
        /// Who.
        player: PlayerId,
        /// What he is told; empty for the words of the lobby.
        reason: String,
    },
    /// The operator has changed settings.
    Reconfigured {
        /// All of them as they are from now on.
        settings: Box<Settings>,
    },
    /// The operator wants the server to end: the first time gracefully, the second time at once.
    Shutdown,
}

/// What the lobby wanted to know. Each goes with one kind of [`Question`](crate::Question).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// There is no answer: the database cannot be reached.
    Unavailable,
    /// There is no answer now: so many passwords are being checked that this one would have to wait for too long.
    Busy,
    /// The account, if login and password, or the token, belong to one.
    Account(Option<Account>),
    /// The token proves nothing.
    Token(TokenFault),
    /// Everything about a player who is logging in.
    Profile(Box<Profile>),
    /// A relation was changed.
    RelationChanged,
    /// A relation was not changed: there is no such player.
    UnknownPlayer,
    /// Avatars granted to a player.
    Avatars(Vec<Avatar>),
    /// The avatar that is selected now.
    AvatarSelected(Option<Avatar>),
    /// No avatar was selected: it is not granted to the player.
    AvatarNotGranted,
    /// Whether a player has a permission.
    Permission(bool),
    /// All co-op missions of known campaigns.
    Missions(Vec<CoopMission>),
    /// Mods of the vault; for a single one none or one.
    Mods(Vec<VaultMod>),
    /// The player likes the mod already.
    LikedBefore,
    /// There is no such mod.
    UnknownMod,
    /// The download was counted.
    DownloadCounted,
    /// The ban of a player that ends last, in force or not.
    Ban(Option<Ban>),
    /// The map, if it is in the vault.
    Map(Option<MapVersion>),
    /// Names of mods by uid, of those that are in the vault.
    ModNames(BTreeMap<String, String>),
    /// What the database says about games in general.
    GameData(Box<GameData>),
    /// It is durable; after the end of a game, with the ratings that have changed.
    GameStored(Vec<RatingChange>),
    /// It contradicts what is stored, and never will be.
    GameRefused,
}

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
    /// It is malformed, expired, not yet valid, or not signed by a known key; which of these, for the log.
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
    /// Who made it.
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
    /// What it does.
    pub description: String,
    /// Its file.
    pub filename: String,
    /// File of its picture; empty if there is none.
    pub icon: String,
}
