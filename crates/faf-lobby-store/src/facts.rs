//! Everything that is stored, in terms that do not depend on the database: for tests, and to
//! compare two databases.

use std::collections::BTreeMap;
use std::net::IpAddr;

use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_core::{Decision, Game, Relation};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use serde::Serialize;

/// Everything that the lobby changes. Lists are in the order in which their entries were written,
/// unless their documentation says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Last login of each account, by account number.
    pub logins: Vec<LoginFact>,
    /// Friends and foes, by player and subject.
    pub relations: Vec<(PlayerId, PlayerId, Relation)>,
    /// Granted avatars, by player and avatar.
    pub avatars: Vec<AvatarFact>,
    /// Launched games, by number.
    pub games: Vec<GameFact>,
    /// Players of these games, by game.
    pub players: Vec<PlayerFact>,
    /// Games of the matchmaker with their queues (`matchmaker_queue_game`), by game. Includes past
    /// games of a seed.
    pub queue_games: Vec<(GameId, QueueId)>,
    /// Changes of ratings.
    pub journal: Vec<JournalFact>,
    /// Ratings, by player and leaderboard.
    pub ratings: Vec<RatingFact>,
    /// Attempts to join a game, including the host's own arrival.
    pub joins: Vec<JoinFact>,
    /// First desync of each player in each game, by game and player, with the game time in seconds.
    pub desyncs: Vec<(GameId, PlayerId, u32)>,
    /// Kills of team mates.
    pub teamkills: Vec<TeamkillFact>,
    /// Missions that were won.
    pub missions: Vec<MissionFact>,
    /// Counters of mods, by number.
    pub mods: Vec<ModFact>,
    /// Number of times each map version was played, by version number; without versions that were
    /// never played.
    pub map_versions_played: BTreeMap<u32, u32>,
    /// Number of times each map was played, by map number; without maps that were never played.
    pub maps_played: BTreeMap<u32, u32>,
    /// Waiting messages for other services, as routing key and body.
    pub outbox: Vec<(String, String)>,
    /// Number of writes without effect, by `beat`.
    pub beats: u32,
}

impl Facts {
    /// Returns the game with this number.
    #[must_use]
    pub fn game(&self, id: GameId) -> Option<&GameFact> {
        self.games.iter().find(|game| game.id == id)
    }

    /// Returns the live games that can be read.
    pub fn live_games(&self) -> impl Iterator<Item = &Game> {
        self.games.iter().filter_map(|game| game.live.as_ref())
    }
}

/// The last login of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginFact {
    /// Number of the account.
    pub id: PlayerId,
    /// Address of the client.
    pub ip: Option<String>,
    /// User agent of the client.
    pub user_agent: Option<String>,
    /// Whether the account has logged in at least once.
    pub has_last_login: bool,
}

/// A granted avatar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AvatarFact {
    /// Number of the account.
    pub player_id: PlayerId,
    /// Number of the avatar.
    pub avatar_id: u32,
    /// Whether the grant is marked as selected.
    pub is_selected: bool,
}

/// A launched game.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GameFact {
    /// Number of the game.
    pub id: GameId,
    /// Time of the launch, in Unix seconds.
    pub launched_at: i64,
    /// Time of the end, in Unix seconds.
    pub ended_at: Option<i64>,
    /// Name of the victory condition.
    pub victory: String,
    /// Number of the featured mod.
    pub featured_mod: u32,
    /// Account that hosted the game.
    pub host: PlayerId,
    /// Number of the map version.
    pub map_version: Option<u32>,
    /// Title of the game.
    pub title: String,
    /// Number of the game's validity.
    pub validity: i64,
    /// Whether the game is stored as live, readable or not.
    pub is_live: bool,
    /// The live game, if it can be read.
    pub live: Option<Game>,
    /// Steps that decided whether the game is rated; present once it is over.
    pub decisions: Option<Vec<Decision>>,
}

/// A player of a game; stored only if the host has reported the player's placement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayerFact {
    /// Number of the game.
    pub game_id: GameId,
    /// Number of the account.
    pub player_id: PlayerId,
    /// Number of the faction.
    pub faction: i64,
    /// Number of the colour.
    pub color: i64,
    /// Number of the team; 1 means no team.
    pub team: i64,
    /// Start position on the map.
    pub place: i64,
    /// Rating before the game, on the game's leaderboard.
    pub before: Rating,
    /// Rating after the game, on the game's leaderboard.
    pub after: Option<Rating>,
    /// Score of the player.
    pub score: Option<i64>,
    /// Whether the time of the score is stored.
    pub has_score_time: bool,
    /// Name of the outcome.
    pub result: Option<String>,
}

/// A change of a rating.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JournalFact {
    /// Game that caused the change.
    pub game_id: GameId,
    /// Number of the account.
    pub player_id: PlayerId,
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Rating before the game.
    pub before: Rating,
    /// Rating after the game.
    pub after: Rating,
}

/// Rating of a player on a leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatingFact {
    /// Number of the account.
    pub player_id: PlayerId,
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Mean and deviation.
    pub rating: Rating,
    /// Number of rated games.
    pub total_games: u32,
    /// Number of rated games that were won.
    pub won_games: u32,
}

/// An attempt to join a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JoinFact {
    /// Number of the account.
    pub player: PlayerId,
    /// Number of the game.
    pub game: GameId,
    /// Address of the player; `None` for the host.
    pub address: Option<IpAddr>,
}

/// A kill of a team mate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TeamkillFact {
    /// Number of the game.
    pub game_id: GameId,
    /// Player who killed the team mate.
    pub teamkiller: PlayerId,
    /// Player whose commander was killed.
    pub victim: PlayerId,
    /// Seconds since the start of the game.
    pub gametime: u32,
}

/// A mission that was won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissionFact {
    /// Number of the mission.
    pub mission: i64,
    /// Number of the game.
    pub game_id: GameId,
    /// Whether the secondary objectives were completed.
    pub secondary: bool,
    /// Duration of the mission, as `HH:MM:SS`.
    pub time: String,
    /// Number of players.
    pub player_count: u32,
}

/// Counters of a mod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModFact {
    /// Number of the mod.
    pub mod_id: u32,
    /// Number of players who like it.
    pub likes: f64,
    /// Numbers of these players, as a JSON list.
    pub likers: String,
    /// Number of downloads.
    pub downloads: u32,
    /// Number of games with this mod.
    pub times_played: u32,
}

impl ModFact {
    /// Returns the counters of a mod that nobody has used.
    #[must_use]
    pub fn new(mod_id: u32) -> Self {
        Self { mod_id, likes: 0.0, likers: "[]".to_owned(), downloads: 0, times_played: 0 }
    }
}
