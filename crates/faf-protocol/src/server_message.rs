//! The messages of the server, command by command. Reading this file from top to bottom is reading
//! that half of the protocol.
//!
//! Every message has a member `command`, which names it. Members are written in the order given
//! here; clients should ignore members and commands they do not know. Section numbers are those of
//! session.md, or of games.md where it says so. Messages about matches and parties are not typed
//! yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client_message::serialize_carried;
use crate::country::Country;
use crate::error::{EncodeError, FieldError};
use crate::gpgnet::GpgNetMessage;
use crate::ids::{GameId, PlayerId, SessionNumber};
use crate::json::{Json, escape};
use crate::message::Message;
use crate::wire::{Encode, Heartbeat};

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerMessage {
    /// Answers `ask_session` (section 3).
    Session(Session),
    /// A text for the player, or an order to the client (section 11.2).
    Notice(Notice),
    /// The login or token was not accepted; the connection stays (sections 4 and 5). Also follows a
    /// notice about a ban or a kick, before the connection is closed, so that clients do not log in
    /// again by themselves.
    AuthenticationFailed(AuthenticationFailed),
    /// A constant that token logins get first; nothing uses it (section 6.4).
    IrcPassword(IrcPassword),
    /// The login was accepted (section 6.4).
    Welcome(Welcome),
    /// Players who came, changed or left (sections 6.4 and 8). A list may go to many, one after the
    /// other, so it is shared.
    PlayerInfo(Arc<PlayerList>),
    /// Chat channels, friends and foes (section 6.4).
    Social(Social),
    /// A game that was opened, has changed or is gone (games.md section 4).
    GameInfo(Arc<GameInfo>),
    /// Open and live games, at login (games.md section 4.3).
    #[serde(rename = "game_info")]
    GameList(Arc<GameList>),
    /// The client must start the game process (games.md section 1.4).
    GameLaunch(GameLaunch),
    /// The player cannot join that game; sent before a notice that says the same (games.md section
    /// 1.6).
    GameJoinFailed(GameJoinFailed),
    /// The state of the matchmaker queues.
    MatchmakerInfo(QueueList),
    /// Asks for a `pong` (section 9).
    ///
    /// ```json
    /// {"command": "ping"}
    /// ```
    Ping,
    /// Answers a `ping` (section 9), after the answers to everything that was sent before it.
    /// Broadcasts may be older than this and come later.
    ///
    /// ```json
    /// {"command": "pong"}
    /// ```
    Pong,
    /// Answers `avatar` with the action `list_avatar` (section 10).
    Avatar(AvatarList),
    /// One co-op mission (section 10).
    CoopInfo(CoopMission),
    /// One mod of the vault (section 10).
    ModvaultInfo(ModvaultMod),
    /// Answers `ice_servers` (section 10).
    IceServers(IceServers),
    /// The command is not available while the server shuts down (section 11.1).
    Disabled(Disabled),
    /// The last message was not understood; the connection is closed after it (section 11.1).
    Invalid(Invalid),
    /// Achievements that have changed after a game (section 14).
    UpdatedAchievements(UpdatedAchievements),
    /// A command for the game.
    ///
    /// ```json
    /// {"command": "HostGame", "args": ["scmp_007"], "target": "game"}
    /// ```
    #[serde(untagged, serialize_with = "serialize_carried")]
    Game(GpgNetMessage),
    /// A command that is not in this list.
    ///
    /// ```json
    /// {"command": "no_such_command", "n": 1.50}
    /// ```
    #[serde(untagged)]
    Other(Message),
}

/// How a message that waits for a slow client is affected by a newer one.
///
/// Clients keep the newest state of games and players only, so that it is enough if they get that.
/// Everything else is delivered, in its order, which only [`Pong`](ServerMessage::Pong) may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Merging {
    /// It is delivered whatever comes after it.
    Never,
    /// A newer state of this game takes its place.
    Game(GameId),
    /// Newer states of the players in it take the place of those.
    Players,
    /// One that waits is as good as several.
    Ping,
}

/// Members of `session`.
///
/// ```json
/// {"command": "session", "session": 3405691582}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The number of this connection, the same for every request.
    pub session: SessionNumber,
}

/// Members of `notice`.
///
/// ```json
/// {"command": "notice", "style": "info", "text": "Welcome to the lobby"}
/// ```
///
/// ```json
/// {"command": "notice", "style": "kill"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The style, which tells the client how to react.
    pub style: NoticeStyle,
    /// The text, English, with simple HTML (`<br>`, `<i>`, `<a href>`). Missing for `kill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why, as a word for programs. Sent with `kick`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Key for a translation of the text. Sent with bans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i18n_key: Option<String>,
    /// Arguments of the translation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub i18n_args: Vec<String>,
    /// When a ban ends: ISO 8601, UTC. Missing for a ban without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl Notice {
    /// A notice with a text and nothing else.
    pub fn new(style: NoticeStyle, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::without_text(style) }
    }

    /// A notice that is only its style.
    #[must_use]
    pub fn without_text(style: NoticeStyle) -> Self {
        Self { style, text: None, reason: None, i18n_key: None, i18n_args: Vec::new(), expires_at: None }
    }
}

/// How to take a [`Notice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeStyle {
    /// Information.
    Info,
    /// A request failed, or the connection is about to close.
    Error,
    /// The client must leave and not reconnect by itself.
    Kick,
    /// The client must end the game process now.
    Kill,
    /// Never sent by this server; clients know it.
    Warning,
    /// Never sent by this server; old clients know it.
    Scores,
    /// A style that is not in this list; clients treat it as `info`.
    #[serde(untagged)]
    Other(String),
}

/// Members of `authentication_failed`.
///
/// ```json
/// {"command": "authentication_failed", "text": "Login not found or password incorrect."}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationFailed {
    /// Why, in English.
    pub text: String,
}

/// Members of `irc_password`.
///
/// ```json
/// {"command": "irc_password", "password": "deprecated"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IrcPassword {
    /// Always `deprecated`.
    pub password: String,
}

/// Members of `welcome`.
///
/// ```json
/// {
///   "command": "welcome",
///   "me": {
///     "id": 17, "login": "Bob",
///     "avatar": {"url": "https://example.org/a.png", "tooltip": "Winner"},
///     "country": "DE", "clan": "XYZ",
///     "ratings": {
///       "global": {"rating": [1210.5, 88.25], "number_of_games": 41},
///       "ladder_1v1": {"rating": [1500.0, 500.0], "number_of_games": 0}
///     },
///     "global_rating": [1210.5, 88.25], "ladder_rating": [1500.0, 500.0],
///     "number_of_games": 41
///   },
///   "current_time": "2026-01-01T20:15:00+00:00", "id": 17, "login": "Bob"
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The player who has logged in.
    pub me: Arc<Player>,
    /// Time of the server: ISO 8601, UTC, written `+00:00`, microseconds left out when zero.
    pub current_time: String,
    /// Deprecated: `me.id`.
    pub id: PlayerId,
    /// Deprecated: `me.login`.
    pub login: String,
}

/// Members of `player_info`.
///
/// ```json
/// {
///   "command": "player_info",
///   "players": [
///     {
///       "id": 17, "login": "Bob",
///       "avatar": {"url": "https://example.org/a.png", "tooltip": "Winner"},
///       "country": "DE", "clan": "XYZ", "state": "offline",
///       "ratings": {
///         "global": {"rating": [1210.5, 88.25], "number_of_games": 41},
///         "ladder_1v1": {"rating": [1500.0, 500.0], "number_of_games": 0}
///       },
///       "global_rating": [1210.5, 88.25], "ladder_rating": [1500.0, 500.0],
///       "number_of_games": 41
///     }
///   ]
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlayerList {
    /// Players to insert, update or, with [`state`](Player::state), remove. Each id at most once.
    pub players: Vec<Arc<Player>>,
}

/// A player (section 7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Player {
    /// The account.
    pub id: PlayerId,
    /// Name of the account.
    pub login: String,
    /// The selected avatar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Box<Avatar>>,
    /// Where the player connects from.
    pub country: Country,
    /// Tag of the clan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clan: Option<String>,
    /// `offline` when the player has left; missing otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PlayerState>,
    /// Ratings by leaderboard; `global` and `ladder_1v1` are always there.
    pub ratings: Ratings,
    /// Deprecated: the rating of `ratings.global`.
    pub global_rating: Rating,
    /// Deprecated: the rating of `ratings.ladder_1v1`.
    pub ladder_rating: Rating,
    /// Deprecated: the number of games of `ratings.global`.
    pub number_of_games: u32,
}

/// The state of a player, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PlayerState {
    /// Gone: clients remove the player.
    Offline,
}

/// A picture beside a player's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avatar {
    /// Where it is.
    pub url: String,
    /// The text under the pointer; clients drop the whole message if it is `null`.
    pub tooltip: String,
}

/// Ratings by leaderboard, in the order they are sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ratings(pub Vec<(Arc<str>, LeaderboardRating)>);

/// The rating on one leaderboard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LeaderboardRating {
    /// The rating.
    pub rating: Rating,
    /// Rated games played.
    pub number_of_games: u32,
}

/// A rating, sent as `[mean, deviation]`. Clients show mean - 3 * deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub struct Rating {
    /// The estimate.
    pub mean: f64,
    /// How uncertain it is.
    pub deviation: f64,
}

/// Members of `social`.
///
/// At login all are there. The order of an administrator to join a channel has only `autojoin`.
///
/// ```json
/// {
///   "command": "social", "autojoin": ["#aeolus"], "channels": ["#aeolus"],
///   "friends": [11], "foes": [], "power": 0
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Social {
    /// Chat channels to join.
    pub autojoin: Vec<String>,
    /// The same list under its older name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Friends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friends: Option<Vec<PlayerId>>,
    /// Foes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foes: Option<Vec<PlayerId>>,
    /// 2 for an administrator, 1 for a moderator, 0 for everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<u8>,
}

/// Members of `game_info` about one game. Clients that know it as `closed` remove it.
///
/// ```json
/// {
///   "command": "game_info", "visibility": "public", "password_protected": false,
///   "uid": 5012, "title": "2v2 all welcome", "state": "open", "game_type": "custom",
///   "featured_mod": "faf", "sim_mods": {}, "mapname": "scmp_007",
///   "map_file_path": "maps/scmp_007.zip", "host": "Ada", "num_players": 2,
///   "max_players": 8, "hosted_at": "2026-01-01T20:15:00+00:00", "launched_at": null,
///   "rating_type": "global", "rating_min": null, "rating_max": 1000.0,
///   "enforce_rating_range": false,
///   "teams_ids": [{"team_id": 2, "player_ids": [11]}, {"team_id": 3, "player_ids": [17]}],
///   "teams": {"2": ["Ada"], "3": ["Bob"]}
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameInfo {
    /// Players who see it.
    pub visibility: Visibility,
    /// Whether a password is needed to join.
    pub password_protected: bool,
    /// The game.
    pub uid: GameId,
    /// Title, at most 128 characters, ASCII.
    pub title: String,
    /// How far it has come.
    pub state: GameInfoState,
    /// The kind of game.
    pub game_type: GameType,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Mods of the simulation: names by uid.
    pub sim_mods: BTreeMap<String, String>,
    /// Folder name of the map.
    pub mapname: String,
    /// Deprecated: `maps/` + `mapname` + `.zip`.
    pub map_file_path: String,
    /// Login of the host.
    pub host: String,
    /// Players who are connected, observers included.
    pub num_players: usize,
    /// Slots of the map that are open to players.
    pub max_players: i64,
    /// When players could first join: ISO 8601, UTC, written `+00:00`.
    pub hosted_at: Option<String>,
    /// When it was launched, in Unix seconds with a fraction.
    pub launched_at: Option<f64>,
    /// Technical name of the leaderboard it is rated on.
    pub rating_type: String,
    /// Lowest displayed rating that is welcome.
    pub rating_min: Option<f64>,
    /// Highest displayed rating that is welcome.
    pub rating_max: Option<f64>,
    /// Whether only players between these see the game.
    pub enforce_rating_range: bool,
    /// Players by team, ordered by team: -1 observes, 1 has no team, others are teams.
    pub teams_ids: Vec<GameTeam>,
    /// Deprecated: names of the players by number of the team, written as text.
    pub teams: TeamNames,
}

/// One entry of [`GameInfo::teams_ids`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameTeam {
    /// Number of the team.
    pub team_id: i64,
    /// Its players who are connected, in the order they joined.
    pub player_ids: Vec<PlayerId>,
}

/// Names of players by team, ordered by team; the keys are numbers written as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TeamNames(pub BTreeMap<i64, Vec<String>>);

/// The players who see a game besides those in it.
///
/// A `match` may rely on these being all: the server decides for each who sees a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody but the host's foes.
    Public,
    /// The host's friends.
    Friends,
}

/// How far a game has come, as clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GameInfoState {
    /// Not open yet, or over.
    Closed,
    /// Players can join.
    Open,
    /// It is being played.
    Playing,
}

/// The kind of a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GameType {
    /// Hosted by a player.
    Custom,
    /// A co-op mission.
    Coop,
    /// Made by the matchmaker.
    Matchmaker,
}

/// Members of `game_info` with a list.
///
/// ```json
/// {
///   "command": "game_info",
///   "games": [
///     {
///       "command": "game_info", "visibility": "public", "password_protected": false,
///       "uid": 5012, "title": "2v2 all welcome", "state": "open", "game_type": "custom",
///       "featured_mod": "faf", "sim_mods": {}, "mapname": "scmp_007",
///       "map_file_path": "maps/scmp_007.zip", "host": "Ada", "num_players": 2,
///       "max_players": 8, "hosted_at": "2026-01-01T20:15:00+00:00", "launched_at": null,
///       "rating_type": "global", "rating_min": null, "rating_max": 1000.0,
///       "enforce_rating_range": false,
///       "teams_ids": [
///         {"team_id": 2, "player_ids": [11]},
///         {"team_id": 3, "player_ids": [17]}
///       ],
///       "teams": {"2": ["Ada"], "3": ["Bob"]}
///     }
///   ]
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GameList {
    /// Games; each entry has the members of [`GameInfo`] and `"command":"game_info"`.
    #[serde(serialize_with = "serialize_games")]
    pub games: Vec<Arc<GameInfo>>,
}

fn serialize_games<S: Serializer>(games: &[Arc<GameInfo>], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(tag = "command", rename_all = "snake_case")]
    enum Entry<'a> {
        GameInfo(&'a GameInfo),
    }
    serializer.collect_seq(games.iter().map(|game| Entry::GameInfo(game)))
}

/// Members of `game_launch`. Clients take the next one for the answer to `game_host` and
/// `game_join`.
///
/// From here to a lobby that is open, for a host:
///
/// 1. The client starts the game process, and sends `GameState ["Idle"]` when it runs. The server
///    says nothing to that, and others are still told that the game is `closed`. It must come
///    within the server's `game_setup_timeout` (30 s, in co-op games 60 s), or the game is given up.
/// 2. The process sends `GameState ["Lobby"]` through the client when it can be connected to. The
///    server sends `HostGame` with the folder of the map. From this moment the game is `open`, to
///    everybody who may see it: it can be joined, is in the list of games at login, and others are
///    told with the next report. It makes no difference whether there was a report before `Idle`,
///    between the two, or none.
/// 3. The process sends what the host chooses: `GameOption`, and `PlayerOption` for each
///    player who is connected to it.
///
/// For a guest, `Idle` is the same. At `Lobby` the server sends `JoinGame` with the host, and both
/// the guest and everybody in the game a `ConnectToPeer` for each other. A guest counts as being
/// there when the host's process says anything about them.
///
/// At the launch every process sends `GameState ["Launching"]`. That of the host launches the game;
/// that of a guest is the sign that the simulation runs there, too: a player whose process neither
/// says so nor reports anything later is not rated.
///
/// ```json
/// {
///   "command": "game_launch", "args": ["/numgames", 37], "uid": 5012, "mod": "faf",
///   "name": "2v2 all welcome", "init_mode": 0, "game_type": "custom",
///   "rating_type": "global"
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameLaunch {
    /// Arguments for the game process: `/numgames` and how many rated games the player has played.
    pub args: (String, u32),
    /// The game.
    pub uid: GameId,
    /// Technical name of the featured mod.
    #[serde(rename = "mod")]
    pub featured_mod: String,
    /// Title of the game.
    pub name: String,
    /// Superseded by `game_type`: 0 for a normal lobby, 1 for an automatic one.
    pub init_mode: u8,
    /// The kind of game.
    pub game_type: GameType,
    /// Technical name of the leaderboard it is rated on.
    pub rating_type: String,
}

/// Members of `game_join_failed`.
///
/// ```json
/// {"command": "game_join_failed", "reason": "bad_password", "uid": 4711}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameJoinFailed {
    /// Why.
    pub reason: GameJoinFailure,
    /// The game that was asked for.
    pub uid: GameId,
}

/// Why somebody cannot join a game.
///
/// A `match` may rely on these being all: the server has a text for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameJoinFailure {
    /// The game does not exist.
    HostLeftGame,
    /// It is not open yet, or not any more.
    GameNotReady,
    /// The password is another one.
    BadPassword,
}

/// Members of `matchmaker_info`.
///
/// ```json
/// {"command": "matchmaker_info", "queues": []}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueList {
    /// Queues, each an object of its own.
    pub queues: Vec<Message>,
}

/// Members of `avatar`.
///
/// ```json
/// {
///   "command": "avatar",
///   "avatarlist": [{"url": "https://example.org/a.png", "tooltip": "Winner"}]
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvatarList {
    /// Avatars granted to the player.
    pub avatarlist: Vec<Avatar>,
}

/// Members of `coop_info`.
///
/// ```json
/// {
///   "command": "coop_info", "uid": 3, "type": "Custom Missions", "name": "Rebels Rest",
///   "description": null, "filename": "faf_coop_rebels_rest.v0001", "featured_mod": "coop"
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoopMission {
    /// Number of the mission.
    pub uid: u32,
    /// The campaign it belongs to.
    #[serde(rename = "type")]
    pub campaign: String,
    /// Name.
    pub name: Option<String>,
    /// A description; may hold HTML.
    pub description: Option<String>,
    /// File of its map.
    pub filename: Option<String>,
    /// Always `coop`.
    pub featured_mod: String,
}

/// Members of `modvault_info`.
///
/// ```json
/// {
///   "command": "modvault_info", "thumbnail": "", "link": "https://example.org/m.zip",
///   "bugreports": [], "comments": [], "description": "More units", "played": 1,
///   "likes": 2.0, "downloads": 3, "date": 1767298500, "uid": "74a9eeff", "name": "Units",
///   "version": 5, "author": "Ada", "ui": 0
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModvaultMod {
    /// URL of a picture; empty if there is none.
    pub thumbnail: String,
    /// URL of the mod.
    pub link: String,
    /// Always empty.
    pub bugreports: Vec<Json>,
    /// Always empty.
    pub comments: Vec<Json>,
    /// A description of the mod.
    pub description: String,
    /// Games it was played in.
    pub played: u32,
    /// Players who like it.
    pub likes: f64,
    /// Downloads.
    pub downloads: u32,
    /// When it was uploaded, in Unix seconds.
    pub date: i64,
    /// Its uid.
    pub uid: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// Name of the author.
    pub author: String,
    /// 1 for a mod of the user interface, 0 for one of the simulation.
    pub ui: u8,
}

/// Members of `ice_servers`.
///
/// ```json
/// {"command": "ice_servers", "ice_servers": [], "ttl": 86400}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServers {
    /// Always empty; clients get them from the web API.
    pub ice_servers: Vec<Json>,
    /// For how many seconds they hold. Clients that do not find it ask again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

/// Members of `disabled`.
///
/// ```json
/// {"command": "disabled", "request": "game_host"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// The command that is not available.
    pub request: String,
}

/// Members of `invalid`.
///
/// ```json
/// {"command": "invalid", "request": "hello", "reason": "hello: missing field `password`"}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// The command that was not understood, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The problem, for client developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Members of `updated_achievements`.
///
/// ```json
/// {
///   "command": "updated_achievements",
///   "updated_achievements": [
///     {"achievement_id": "7b0d5c51", "current_state": "UNLOCKED", "newly_unlocked": true}
///   ]
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatedAchievements {
    /// The answer of the achievement service, as it is.
    pub updated_achievements: Vec<Json>,
}

impl ServerMessage {
    /// Whether a newer message may take the place of this one while it waits.
    #[must_use]
    pub fn merging(&self) -> Merging {
        match self {
            Self::GameInfo(game) => Merging::Game(game.uid),
            Self::PlayerInfo(_) => Merging::Players,
            Self::Ping => Merging::Ping,
            Self::Session(_)
            | Self::Notice(_)
            | Self::AuthenticationFailed(_)
            | Self::IrcPassword(_)
            | Self::Welcome(_)
            | Self::Social(_)
            | Self::GameList(_)
            | Self::GameLaunch(_)
            | Self::GameJoinFailed(_)
            | Self::MatchmakerInfo(_)
            | Self::Pong
            | Self::Avatar(_)
            | Self::CoopInfo(_)
            | Self::ModvaultInfo(_)
            | Self::IceServers(_)
            | Self::Disabled(_)
            | Self::Invalid(_)
            | Self::UpdatedAchievements(_)
            | Self::Game(_)
            | Self::Other(_) => Merging::Never,
        }
    }

    /// Finds out what a message from the server is.
    ///
    /// # Errors
    /// [`FieldError`] if `command` is missing or no string, or if the members of a command in the list do not fit.
    pub fn read(message: Message) -> Result<Self, FieldError> {
        Ok(Self::read_members(&message)?.unwrap_or(Self::Other(message)))
    }

    /// As [`read`](Self::read), but a message that cannot be read is [`Other`](Self::Other): a
    /// client need not understand everything that a newer server sends.
    #[must_use]
    pub fn read_leniently(message: Message) -> Self {
        Self::read_members(&message).ok().flatten().unwrap_or(Self::Other(message))
    }

    /// The message, if its command is in the list.
    fn read_members(message: &Message) -> Result<Option<Self>, FieldError> {
        let command: String = message.field("command")?;
        if message.target().as_deref() == Some(GpgNetMessage::TARGET) {
            return GpgNetMessage::from_message(message).map(Self::Game).map(Some);
        }
        Ok(Some(match command.as_str() {
            "session" => Self::Session(message.parse()?),
            "notice" => Self::Notice(message.parse()?),
            "authentication_failed" => Self::AuthenticationFailed(message.parse()?),
            "irc_password" => Self::IrcPassword(message.parse()?),
            "welcome" => Self::Welcome(message.parse()?),
            "player_info" => Self::PlayerInfo(Arc::new(message.parse()?)),
            "social" => Self::Social(message.parse()?),
            "game_info" if message.get("games").is_some() => Self::GameList(Arc::new(message.parse()?)),
            "game_info" => Self::GameInfo(message.parse()?),
            "game_launch" => Self::GameLaunch(message.parse()?),
            "game_join_failed" => Self::GameJoinFailed(message.parse()?),
            "matchmaker_info" => Self::MatchmakerInfo(message.parse()?),
            "ping" => Self::Ping,
            "pong" => Self::Pong,
            "avatar" => Self::Avatar(message.parse()?),
            "coop_info" => Self::CoopInfo(message.parse()?),
            "modvault_info" => Self::ModvaultInfo(message.parse()?),
            "ice_servers" => Self::IceServers(message.parse()?),
            "disabled" => Self::Disabled(message.parse()?),
            "invalid" => Self::Invalid(message.parse()?),
            "updated_achievements" => Self::UpdatedAchievements(message.parse()?),
            _ => return Ok(None),
        }))
    }
}

impl Encode for ServerMessage {
    fn heartbeat(&self) -> Option<Heartbeat> {
        match self {
            Self::Ping => Some(Heartbeat::Ping),
            Self::Pong => Some(Heartbeat::Pong),
            Self::Other(message) => message.heartbeat(),
            _ => None,
        }
    }

    fn is_only_heartbeat(&self) -> bool {
        matches!(self, Self::Ping | Self::Pong)
    }

    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        /// Usual size of a player; room for a list is made at once.
        const USUAL_PLAYER: usize = 480;
        /// Usual size of a game.
        const USUAL_GAME: usize = 1024;

        match self {
            Self::PlayerInfo(list) => out.reserve(list.players.len() * USUAL_PLAYER),
            Self::GameList(list) => out.reserve(list.games.len() * USUAL_GAME),
            _ => {}
        }
        match self {
            Self::Other(message) => message.write_json(out),
            typed => escape::write_ascii(typed, out)
                .map_err(|error| EncodeError::NotRepresentable(error.to_string())),
        }
    }
}

impl Ratings {
    /// The rating on one leaderboard.
    #[must_use]
    pub fn get(&self, leaderboard: &str) -> Option<LeaderboardRating> {
        self.0.iter().find(|(name, _)| &**name == leaderboard).map(|(_, rating)| *rating)
    }
}

impl Serialize for Ratings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (leaderboard, rating) in &self.0 {
            map.serialize_entry(&**leaderboard, rating)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Ratings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RatingsVisitor;

        impl<'de> Visitor<'de> for RatingsVisitor {
            type Value = Ratings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("ratings by leaderboard")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ratings, A::Error> {
                let mut ratings = Vec::new();
                while let Some((name, rating)) = map.next_entry::<String, _>()? {
                    ratings.push((name.into(), rating));
                }
                Ok(Ratings(ratings))
            }
        }

        deserializer.deserialize_map(RatingsVisitor)
    }
}

impl From<(f64, f64)> for Rating {
    fn from((mean, deviation): (f64, f64)) -> Self {
        Self { mean, deviation }
    }
}

impl From<Rating> for (f64, f64) {
    fn from(rating: Rating) -> Self {
        (rating.mean, rating.deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_comes_back_as_it_went() {
        let player = r#"{"id":17,"login":"Bob","avatar":{"url":"u","tooltip":"t"},"country":"DE","clan":"XYZ","state":"offline","ratings":{"global":{"rating":[1210.5,88.25],"number_of_games":41},"ladder_1v1":{"rating":[1500.0,500.0],"number_of_games":0}},"global_rating":[1210.5,88.25],"ladder_rating":[1500.0,500.0],"number_of_games":41}"#;
        let game = r#"{"command":"game_info","visibility":"public","password_protected":false,"uid":5012,"title":"t","state":"open","game_type":"custom","featured_mod":"faf","sim_mods":{"u":"n"},"mapname":"m","map_file_path":"maps/m.zip","host":"Ada","num_players":2,"max_players":8,"hosted_at":null,"launched_at":1.5,"rating_type":"global","rating_min":1000.0,"rating_max":null,"enforce_rating_range":false,"teams_ids":[{"team_id":-1,"player_ids":[11]},{"team_id":3,"player_ids":[]}],"teams":{"-1":["Ada"],"3":[]}}"#;
        for text in [
            r#"{"command":"session","session":3405691582}"#.to_owned(),
            r#"{"command":"notice","style":"info","text":"hi"}"#.to_owned(),
            r#"{"command":"notice","style":"kill"}"#.to_owned(),
            r#"{"command":"notice","style":"purple","text":"hi"}"#.to_owned(),
            r#"{"command":"notice","style":"kick","text":"bye","reason":"signed_in_elsewhere"}"#.to_owned(),
            r#"{"command":"notice","style":"error","text":"x","i18n_key":"k","i18n_args":["a"],"expires_at":"t"}"#
                .to_owned(),
            r#"{"command":"authentication_failed","text":"no"}"#.to_owned(),
            r#"{"command":"irc_password","password":"deprecated"}"#.to_owned(),
            format!(r#"{{"command":"welcome","me":{player},"current_time":"t","id":17,"login":"Bob"}}"#),
            format!(r#"{{"command":"player_info","players":[{player},{player}]}}"#),
            r##"{"command":"social","autojoin":["#a"],"channels":["#a"],"friends":[1],"foes":[],"power":2}"##
                .to_owned(),
            r##"{"command":"social","autojoin":["#a"]}"##.to_owned(),
            format!(r#"{{"command":"game_info","games":[{game},{game}]}}"#),
            game.to_owned(),
            r#"{"command":"game_launch","args":["/numgames",37],"uid":5012,"mod":"faf","name":"t","init_mode":0,"game_type":"custom","rating_type":"global"}"#.to_owned(),
            r#"{"command":"game_join_failed","reason":"bad_password","uid":4711}"#.to_owned(),
            r#"{"command":"matchmaker_info","queues":[]}"#.to_owned(),
            r#"{"command":"ping"}"#.to_owned(),
            r#"{"command":"pong"}"#.to_owned(),
            r#"{"command":"avatar","avatarlist":[{"url":"u","tooltip":"t"}]}"#.to_owned(),
            r#"{"command":"coop_info","uid":3,"type":"Custom Missions","name":"n","description":null,"filename":"f","featured_mod":"coop"}"#.to_owned(),
            r#"{"command":"modvault_info","thumbnail":"","link":"l","bugreports":[],"comments":[],"description":"d","played":1,"likes":2.0,"downloads":3,"date":4,"uid":"u","name":"n","version":5,"author":"a","ui":1}"#.to_owned(),
            r#"{"command":"ice_servers","ice_servers":[]}"#.to_owned(),
            r#"{"command":"disabled","request":"game_host"}"#.to_owned(),
            r#"{"command":"invalid"}"#.to_owned(),
            r#"{"command":"invalid","request":"hello","reason":"missing"}"#.to_owned(),
            r#"{"command":"updated_achievements","updated_achievements":[{"x":1.50}]}"#.to_owned(),
            r#"{"command":"HostGame","args":["scmp_007"],"target":"game"}"#.to_owned(),
            r#"{"command":"no_such_command","n":1.50}"#.to_owned(),
        ] {
            let mut out = Vec::new();
            ServerMessage::read(text.parse().unwrap()).unwrap().write_json(&mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
