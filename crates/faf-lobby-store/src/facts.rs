//! What is stored, in terms that do not depend on the database: for tests, and for whoever compares
//! two databases.

use std::collections::BTreeMap;
use std::net::IpAddr;

use faf_lobby_core::{Decision, Game, Relation};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use serde::Serialize;

/// Everything that the lobby changes. Lists are in the order in which their entries were written,
/// unless they say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// The last login of each account, by number.
    pub logins: Vec<LoginFact>,
    /// Friends and foes, by player and subject.
    pub relations: Vec<(PlayerId, PlayerId, Relation)>,
    /// Granted avatars, by player and avatar.
    pub avatars: Vec<AvatarFact>,
    /// Games that were launched, by number.
    pub games: Vec<GameFact>,
    /// Their players, by game.
    pub players: Vec<PlayerFact>,
    /// Changes of ratings.
    pub journal: Vec<JournalFact>,
    /// Ratings, by player and leaderboard.
    pub ratings: Vec<RatingFact>,
    /// Attempts to join a game, and the host's own arrival.
    pub joins: Vec<JoinFact>,
    /// The first desync of each player in each game, by both, and the time of the game in seconds.
    pub desyncs: Vec<(GameId, PlayerId, u32)>,
    /// Killings of team mates.
    pub teamkills: Vec<TeamkillFact>,
    /// Missions that were won.
    pub missions: Vec<MissionFact>,
    /// Counters of mods, by number.
    pub mods: Vec<ModFact>,
    /// How often each version of a map was played, by its number; without those that never were.
    pub map_versions_played: BTreeMap<u32, u32>,
    /// How often each map was played, by its number; without those that never were.
    pub maps_played: BTreeMap<u32, u32>,
    /// Messages for other services that wait, by routing key and body.
    pub outbox: Vec<(String, String)>,
}

impl Facts {
    /// The game of this number.
    #[must_use]
    pub fn game(&self, id: GameId) -> Option<&GameFact> {
        self.games.iter().find(|game| game.id == id)
    }

    /// The live games that can be read.
    pub fn live_games(&self) -> impl Iterator<Item = &Game> {
        self.games.iter().filter_map(|game| game.live.as_ref())
    }
}

/// The last login of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginFact {
    /// The account.
    pub id: PlayerId,
    /// The address it came from.
    pub ip: Option<String>,
    /// The program that was used.
    pub user_agent: Option<String>,
    /// Whether there was one.
    pub has_last_login: bool,
}

/// A granted avatar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AvatarFact {
    /// The account.
    pub player_id: PlayerId,
    /// Number of the avatar.
    pub avatar_id: u32,
    /// Whether the grant is marked as selected.
    pub is_selected: bool,
}

/// A game that was launched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GameFact {
    /// Its number.
    pub id: GameId,
    /// When it was launched, in Unix seconds.
    pub launched_at: i64,
    /// When it ended, in Unix seconds.
    pub ended_at: Option<i64>,
    /// Name of the victory condition.
    pub victory: String,
    /// Number of the featured mod.
    pub featured_mod: u32,
    /// The account that has made it.
    pub host: PlayerId,
    /// Number of the map's version.
    pub map_version: Option<u32>,
    /// Title.
    pub title: String,
    /// Number of its validity.
    pub validity: i64,
    /// Whether it is kept as live, readable or not.
    pub is_live: bool,
    /// The live game, if it can be read.
    pub live: Option<Game>,
    /// Why it is rated or not, once it is over.
    pub decisions: Option<Vec<Decision>>,
}

/// A player of a game, as long as the host has said where the player stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayerFact {
    /// The game.
    pub game_id: GameId,
    /// The account.
    pub player_id: PlayerId,
    /// Faction.
    pub faction: i64,
    /// Colour.
    pub color: i64,
    /// Number of the team; 1 is none.
    pub team: i64,
    /// Place on the map.
    pub place: i64,
    /// The rating before the game, on its leaderboard.
    pub before: Rating,
    /// The rating after the game, on its leaderboard.
    pub after: Option<Rating>,
    /// Score.
    pub score: Option<i64>,
    /// Whether it is noted when the score was stored.
    pub has_score_time: bool,
    /// Name of the outcome.
    pub result: Option<String>,
}

/// A change of a rating.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JournalFact {
    /// The game that has caused it.
    pub game_id: GameId,
    /// The account.
    pub player_id: PlayerId,
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// The rating before the game.
    pub before: Rating,
    /// The rating after the game.
    pub after: Rating,
}

/// A rating.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatingFact {
    /// The account.
    pub player_id: PlayerId,
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// The rating.
    pub rating: Rating,
    /// Games that were rated.
    pub total_games: u32,
    /// Games among them that were won.
    pub won_games: u32,
}

/// An attempt to join a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JoinFact {
    /// The account.
    pub player: PlayerId,
    /// The game.
    pub game: GameId,
    /// The address of the player; none for the host.
    pub address: Option<IpAddr>,
}

/// A killing of a team mate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TeamkillFact {
    /// The game.
    pub game_id: GameId,
    /// The player who did it.
    pub teamkiller: PlayerId,
    /// The player whose commander it was.
    pub victim: PlayerId,
    /// Seconds since the game began.
    pub gametime: u32,
}

/// A mission that was won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissionFact {
    /// Number of the mission.
    pub mission: i64,
    /// The game.
    pub game_id: GameId,
    /// Whether the secondary objectives were met.
    pub secondary: bool,
    /// How long it took: `HH:MM:SS`.
    pub time: String,
    /// Players who were in it.
    pub player_count: u32,
}

/// Counters of a mod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModFact {
    /// Its number.
    pub mod_id: u32,
    /// Players who like it.
    pub likes: f64,
    /// Their numbers, as a JSON list.
    pub likers: String,
    /// Downloads.
    pub downloads: u32,
    /// Games it was played in.
    pub times_played: u32,
}
