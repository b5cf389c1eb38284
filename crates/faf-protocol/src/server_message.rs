//! The messages of the server, command by command. This file is that half of the protocol, to be
//! read from top to bottom.
//!
//! Every message has a member `command`, which names it. Members are written in the order given
//! here; clients should ignore unknown members and commands. Section numbers are those of
//! session.md, or of games.md, parties.md or matchmaking.md where it says so.
//!
//! The table below is the only place with the names of these messages on the wire. A row is
//! `Name(Type) = "wire_name" { members };`, where the braces declare the type. After `if` comes the
//! member without which a message of this name is one of a later row, after `as` the type that
//! describes a member in the module `contract` if it is narrower than what is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client_message::{Veto, serialize_carried};
use crate::country::Country;
use crate::error::{EncodeError, FieldError};
use crate::faction::Factions;
use crate::gpgnet::GpgNetMessage;
use crate::ids::{GameId, PlayerId, PoolEntryId, SessionNumber};
use crate::json::{Json, escape};
use crate::message::Message;
use crate::wire::{Encode, Heartbeat};

macro_rules! server_messages {
    (members $wire:literal $name:ident (Arc<$struct:ident>) $($members:tt)*) => {
        server_messages! { members $wire $name ($struct) $($members)* }
    };
    (members $wire:literal $name:ident ($struct:ident) $(#[$attribute:meta])* {
        $( $(#[$member_doc:meta])* $member:ident: $type:ty $(as $described:ty)?, )*
    }) => {
        #[doc = concat!("Members of `", $wire, "`; an example is at [`ServerMessage::", stringify!($name), "`].")]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        $(#[$attribute])*
        pub struct $struct {
            $( $(#[$member_doc])* pub $member: $type, )*
        }
    };
    (described (Arc<$struct:ident>) $($members:tt)*) => {
        server_messages! { described ($struct) $($members)* }
    };
    (described ($struct:ident) {
        $( $(#[$member_doc:meta])* $member:ident: $type:ty $(as $described:ty)?, )*
    }) => {
        #[derive(JsonSchema)]
        pub(super) struct $struct { $( $(#[$member_doc])* $member: described!($type $(, $described)?), )* }
    };
    ($(
        $(#[$doc:meta])*
        $name:ident $(($($payload:tt)+))? = $wire:literal $(if $needed:literal)? $($(#[$attribute:meta])* {
            $($members:tt)*
        })?;
    )*) => {
        /// A message from the server.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "command")]
        #[non_exhaustive]
        pub enum ServerMessage {
            $(
                $(#[$doc])*
                #[serde(rename = $wire)]
                $name $(($($payload)+))?,
            )*
            /// A command for the game.
            ///
            /// ```json
            /// {"command": "HostGame", "args": ["scmp_007"], "target": "game"}
            /// ```
            #[serde(untagged, serialize_with = "serialize_carried")]
            Game(GpgNetMessage),
            /// Any other command.
            ///
            /// ```json
            /// {"command": "no_such_command", "n": 1.50}
            /// ```
            #[serde(untagged)]
            Other(Message),
        }

        impl ServerMessage {
            /// Reads a message that is in the table; `None` for any other.
            fn read_listed(command: &str, message: &Message) -> Result<Option<Self>, FieldError> {
                Ok(Some(match command {
                    $(
                        $wire $(if message.get($needed).is_some())? => {
                            Self::$name $((message.parse::<$($payload)+>()?))?
                        }
                    )*
                    _ => return Ok(None),
                }))
            }
        }

        $( $( server_messages! { members $wire $name ($($payload)+) $(#[$attribute])* { $($members)* } } )? )*

        /// The messages of the server, without their members: one for each row of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ServerCommand {
            $( $(#[$doc])* $name, )*
        }

        impl ServerCommand {
            /// All messages.
            pub const ALL: &[Self] = &[ $( Self::$name, )* ];

            /// Returns the name of the message on the wire, which two of them share.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$name => $wire, )*
                }
            }

            /// Returns the row of a message; `None` for one that is not in the table.
            #[must_use]
            pub fn of(command: &str, message: &Message) -> Option<Self> {
                Some(match command {
                    $( $wire $(if message.get($needed).is_some())? => Self::$name, )*
                    _ => return None,
                })
            }

            /// Returns the member without which a message of this name is one of a later row.
            #[must_use]
            pub const fn needed_member(self) -> Option<&'static str> {
                match self {
                    $( $( Self::$name => Some($needed), )? )*
                    _ => None,
                }
            }
        }

        #[cfg(feature = "schemas")]
        #[allow(dead_code, reason = "only the descriptions of these types are used")]
        pub(crate) mod rows {
            use super::*;
            use crate::contract::rows::{Row, described};
            use crate::contract::values::*;
            use schemars::{JsonSchema, SchemaGenerator};

            // These have the names of the types with which they share the rows, and so take their
            // place in `describe`.
            $( $( server_messages! { described ($($payload)+) { $($members)* } } )? )*

            mod documented {
                use schemars::JsonSchema;
                $( $(#[$doc])* #[derive(JsonSchema)] pub(super) struct $name; )*
            }

            /// Returns what the row of a message says.
            pub(crate) fn describe(message: ServerCommand, generator: &mut SchemaGenerator) -> Row {
                match message {
                    $( ServerCommand::$name => Row {
                        documentation: documented::$name::json_schema(generator),
                        members: vec![$( <$($payload)+ as JsonSchema>::json_schema(generator) )?],
                        ignored: Vec::new(),
                    }, )*
                }
            }
        }
    };
}

server_messages! {
    /// Answers `ask_session` (section 3).
    ///
    /// ```json
    /// {"command": "session", "session": 3405691582}
    /// ```
    Session(Session) = "session" {
        /// The number of this connection, the same for every request.
        session: SessionNumber,
    };
    /// A text for the player, or an order to the client (section 11.2).
    ///
    /// ```json
    /// {"command": "notice", "style": "info", "text": "Welcome to the lobby"}
    /// ```
    ///
    /// ```json
    /// {"command": "notice", "style": "kill"}
    /// ```
    Notice(Notice) = "notice" {
        /// The style, which tells the client how to react.
        style: NoticeStyle,
        /// Text in English, with simple HTML (`<br>`, `<i>`, `<a href>`). Missing for `kill`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Reason, as a word for programs. Sent with `kick`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Key for a translation of the text. Sent with bans.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        i18n_key: Option<String>,
        /// Arguments of the translation.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        i18n_args: Vec<String>,
        /// End of a ban: ISO 8601, UTC. Missing for a permanent ban.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<String> as Option<Time>,
    };
    /// The login or token was not accepted; the connection stays (sections 4 and 5). Also follows a
    /// notice about a ban or a kick, before the connection is closed, so that clients do not log in
    /// again by themselves.
    ///
    /// ```json
    /// {"command": "authentication_failed", "text": "Login not found or password incorrect."}
    /// ```
    AuthenticationFailed(AuthenticationFailed) = "authentication_failed" {
        /// The reason, in English.
        text: String,
    };
    /// A constant that token logins receive first; it is unused (section 6.4).
    ///
    /// ```json
    /// {"command": "irc_password", "password": "deprecated"}
    /// ```
    IrcPassword(IrcPassword) = "irc_password" {
        /// Always `deprecated`.
        password: String as Deprecated,
    };
    /// The login was accepted (section 6.4).
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
    Welcome(Welcome) = "welcome" {
        /// The player who has logged in.
        me: Arc<Player>,
        /// Time of the server: ISO 8601, UTC, written `+00:00`, microseconds left out when zero.
        current_time: String as Time,
        /// Deprecated: `me.id`.
        id: PlayerId,
        /// Deprecated: `me.login`.
        login: String,
    };
    // The list is shared, because it may be sent to many clients.
    /// Players who came, changed or left (sections 6.4 and 8).
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
    PlayerInfo(Arc<PlayerList>) = "player_info" #[derive(Default)] {
        /// Players to insert, update or, with [`state`](Player::state), remove; each at most once.
        players: Vec<Arc<Player>>,
    };
    /// Chat channels, friends and foes (section 6.4).
    ///
    /// At login all members are present. The order to join a channel only has `autojoin`.
    ///
    /// ```json
    /// {
    ///   "command": "social", "autojoin": ["#aeolus"], "channels": ["#aeolus"],
    ///   "friends": [11], "foes": [], "power": 0
    /// }
    /// ```
    Social(Social) = "social" #[derive(Default)] {
        /// Chat channels to join.
        autojoin: Vec<String>,
        /// The same list under its older name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channels: Option<Vec<String>>,
        /// Ids of the player's friends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        friends: Option<Vec<PlayerId>>,
        /// Ids of the player's foes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        foes: Option<Vec<PlayerId>>,
        /// 2 for an administrator, 1 for a moderator, 0 for all others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        power: Option<u8> as Option<Power>,
    };
    /// Open and live games, at login (games.md section 4.3).
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
    GameList(Arc<GameList>) = "game_info" if "games" #[derive(Default)] {
        /// Games; each entry has the members of [`GameInfo`] and `"command":"game_info"`.
        #[serde(serialize_with = "serialize_games")]
        games: Vec<Arc<GameInfo>> as Vec<GameInList>,
    };
    /// A game that was opened, has changed or was removed (games.md section 4).
    ///
    /// Clients that have the game remove it if it is `closed`.
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
    GameInfo(Arc<GameInfo>) = "game_info" {
        /// Players who see it.
        visibility: Visibility,
        /// Whether a password is needed to join.
        password_protected: bool,
        /// Id of the game.
        uid: GameId,
        /// Title, at most 128 characters; ASCII in games that a player hosts.
        title: String as Title,
        /// State of the game.
        state: GameInfoState,
        /// The kind of game.
        game_type: GameType,
        /// Technical name of the featured mod.
        featured_mod: String,
        /// Mods of the simulation: names by uid.
        sim_mods: BTreeMap<String, String>,
        /// Folder name of the map.
        mapname: String,
        /// Deprecated: `maps/` + `mapname` + `.zip`.
        map_file_path: String,
        /// Login of the host.
        host: String,
        /// Number of connected players, observers included.
        num_players: usize,
        /// Number of slots that are open to players.
        max_players: i64,
        /// Time when players could first join: ISO 8601, UTC, written `+00:00`.
        hosted_at: Option<String> as Option<Time>,
        /// Time of the launch, in Unix seconds with a fraction.
        launched_at: Option<f64> as Option<UnixTime>,
        /// Technical name of the leaderboard on which it is rated.
        rating_type: String,
        /// Lowest displayed rating that may join.
        rating_min: Option<f64>,
        /// Highest displayed rating that may join.
        rating_max: Option<f64>,
        /// Whether only players between these bounds see the game.
        enforce_rating_range: bool,
        /// Players by team, in order of the teams: -1 observes, 1 has no team, others are teams.
        teams_ids: Vec<GameTeam>,
        /// Deprecated: names of the players by number of the team, written as text.
        teams: TeamNames,
    };
    /// The client must start the game process (games.md section 1.4).
    ///
    /// Clients take the next `game_launch` for the answer to `game_host` and `game_join`.
    ///
    /// The steps from here to an open lobby, for a host:
    ///
    /// 1. The client starts the game process, and sends `GameState ["Idle"]` when it runs. The
    ///    server does not answer, and the game still counts as `closed`. `Idle` must come within
    ///    the server's `game_setup_timeout` (30 s, in co-op games and matches 60 s), or the server
    ///    abandons the game.
    /// 2. The process sends `GameState ["Lobby"]` through the client when others can connect to it.
    ///    The server sends `HostGame` with the folder of the map. From this moment the game is
    ///    `open` for all players who may see it: they can join it, it is in the list of games at
    ///    login, and the next report contains it. It makes no difference whether there was a report
    ///    before `Idle`, between the two, or none.
    /// 3. The process sends the host's choices: `GameOption`, and `PlayerOption` for each player
    ///    who is connected to it.
    ///
    /// For a guest, `Idle` is the same. At `Lobby` the server sends `JoinGame` with the host; then
    /// the guest and each player in the game receive a `ConnectToPeer` for each other. A guest
    /// counts as present when the host's process sends anything about them.
    ///
    /// At the launch every process sends `GameState ["Launching"]`. That of the host launches the
    /// game; that of a guest shows that the simulation begins there, too: a player whose process
    /// neither sends it nor reports anything later is not rated.
    ///
    /// ```json
    /// {
    ///   "command": "game_launch", "args": ["/numgames", 37], "uid": 5012, "mod": "faf",
    ///   "name": "2v2 all welcome", "init_mode": 0, "game_type": "custom",
    ///   "rating_type": "global"
    /// }
    /// ```
    GameLaunch(GameLaunch) = "game_launch" {
        /// Arguments for the game process: `/numgames` and the number of rated games of the player.
        args: (String, u32) as GameArguments,
        /// Id of the game.
        uid: GameId,
        /// Technical name of the featured mod.
        #[serde(rename = "mod")]
        featured_mod: String,
        /// Title of the game.
        name: String as Title,
        /// Superseded by `game_type`: 0 for a normal lobby, 1 for an automatic one.
        init_mode: u8 as ZeroOrOne,
        /// The kind of game.
        game_type: GameType,
        /// Technical name of the leaderboard on which it is rated.
        rating_type: String,
        /// Folder name of the map. This member and those after it are only sent for matches.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mapname: Option<String>,
        /// Team of the player in the game: 2 or 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<i64> as Option<MatchTeam>,
        /// Number of the player's faction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        faction: Option<i64> as Option<FactionNumber>,
        /// Number of players in the match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_players: Option<usize> as Option<OneOrMore>,
        /// Start position of the player on the map, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        map_position: Option<i64> as Option<OneOrMore>,
        /// Options of the queue's games; missing if there are none.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        game_options: BTreeMap<String, Json> as BTreeMap<String, Scalar>,
        /// Id of the chosen entry of the map pool.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        map_pool_map_version_id: Option<PoolEntryId>,
    };
    /// The player cannot join that game; sent before a notice that says the same (games.md section
    /// 1.6).
    ///
    /// ```json
    /// {"command": "game_join_failed", "reason": "bad_password", "uid": 4711}
    /// ```
    GameJoinFailed(GameJoinFailed) = "game_join_failed" {
        /// The reason, as a word for programs.
        reason: GameJoinFailure,
        /// Id of the requested game.
        uid: GameId,
    };
    /// The state of the matchmaker queues (matchmaking.md section 7.2): of all queues as the reply
    /// to `matchmaker_info`, otherwise of those that have changed.
    ///
    /// ```json
    /// {
    ///   "command": "matchmaker_info", "queues": [
    ///     {
    ///       "queue_name": "tmm2v2", "queue_pop_time": "2030-01-02T18:05:30.250000+00:00",
    ///       "queue_pop_time_delta": 41.07, "num_players": 3,
    ///       "boundary_80s": [[1040, 1440], [300, 700]],
    ///       "boundary_75s": [[1140, 1340], [400, 600]], "team_size": 2
    ///     }
    ///   ]
    /// }
    /// ```
    MatchmakerInfo(Arc<MatchmakerInfo>) = "matchmaker_info" {
        /// The queues.
        queues: Vec<Arc<QueueInfo>>,
    };
    /// A search of the player's party has begun or ended (matchmaking.md section 7.2).
    ///
    /// ```json
    /// {"command": "search_info", "queue_name": "tmm2v2", "state": "start"}
    /// ```
    SearchInfo(SearchInfo) = "search_info" {
        /// Technical name of the queue.
        queue_name: String,
        /// Whether the search goes on.
        state: SearchState,
        /// Why the last round made no match of the search: a sentence in English. Only this server
        /// sends it and the next two members, at most once a minute while the search goes on, with
        /// the state `start`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whole seconds for which the search has gone on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waited_seconds: Option<u64> as Option<Seconds>,
        /// Number of rounds without a match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed_attempts: Option<u32>,
    };
    /// The player has been matched in this queue; all searches of the player have ended. A
    /// `game_launch` follows, or a `match_cancelled` (matchmaking.md section 8).
    ///
    /// ```json
    /// {"command": "match_found", "queue_name": "tmm2v2"}
    /// ```
    MatchFound(MatchFound) = "match_found" {
        /// Technical name of the queue.
        queue_name: String,
    };
    /// The match is not played (matchmaking.md section 9).
    ///
    /// ```json
    /// {"command": "match_cancelled", "game_id": 5012}
    /// ```
    MatchCancelled(MatchCancelled) = "match_cancelled" {
        /// Id of the game; null if there was none yet.
        game_id: Option<GameId>,
    };
    /// The party cannot search, because these members have made matches fail (matchmaking.md
    /// section 10.3).
    ///
    /// ```json
    /// {
    ///   "command": "search_timeout",
    ///   "timeouts": [{"player": 11, "expires_at": "2030-01-02T18:15:00.120000+00:00"}]
    /// }
    /// ```
    SearchTimeout(SearchTimeout) = "search_timeout" {
        /// The members who are timed out.
        timeouts: Vec<TimeoutEnd>,
    };
    /// A match has failed because of the player (matchmaking.md section 10.2).
    ///
    /// ```json
    /// {
    ///   "command": "search_violation", "count": 2, "time": "2030-01-02T18:05:00.120000+00:00"
    /// }
    /// ```
    SearchViolation(SearchViolation) = "search_violation" {
        /// Number of times that still count, this one included.
        count: u32 as OneOrMore,
        /// Time of this one: ISO 8601, UTC.
        time: String as Time,
    };
    /// The maps that the player does not want to play, as far as the brackets of the matchmaker
    /// allow it (matchmaking.md section 12). Sent if `set_player_vetoes` asked for something else,
    /// and if the brackets have changed so that the selection could not stay as it was.
    ///
    /// ```json
    /// {
    ///   "command": "vetoes_info", "forced": false,
    ///   "vetoes": [
    ///     {
    ///       "matchmaker_queue_map_pool_id": 3, "map_pool_map_version_id": 17,
    ///       "veto_tokens_applied": 1
    ///     }
    ///   ]
    /// }
    /// ```
    VetoesInfo(VetoesInfo) = "vetoes_info" {
        /// Whether a map that can still be played has lost tokens because its bracket has changed.
        /// Then all searches with the player have ended.
        forced: bool,
        /// The selection that counts now, in the order of the ids.
        vetoes: Vec<Veto>,
    };
    /// Another player invites this one to a party (parties.md section 2.2).
    ///
    /// ```json
    /// {"command": "party_invite", "sender": 11}
    /// ```
    PartyInvite(PartyInvite) = "party_invite" {
        /// The owner of the party, online and reported to the client before.
        sender: PlayerId,
    };
    // It is shared by all members.
    /// The complete state of a party (parties.md section 2.2).
    ///
    /// ```json
    /// {
    ///   "command": "update_party", "owner": 11, "members": [
    ///     {"player": 11, "factions": ["uef"]}, {"player": 12, "factions": ["aeon", "seraphim"]}
    ///   ]
    /// }
    /// ```
    UpdateParty(Arc<UpdateParty>) = "update_party" {
        /// The owner of the party.
        owner: PlayerId,
        /// All members in the order of joining, the owner first; empty if the party has ended. A
        /// client that is not in the list is alone.
        members: Vec<PartyMember>,
    };
    /// The owner has removed the player from the party (parties.md section 2.2).
    ///
    /// ```json
    /// {"command": "kicked_from_party"}
    /// ```
    KickedFromParty = "kicked_from_party";
    /// Asks for a `pong` (section 9).
    ///
    /// ```json
    /// {"command": "ping"}
    /// ```
    Ping = "ping";
    /// Answers a `ping` (section 9), after the answers to all messages sent before it. Broadcasts
    /// may be older than this and come later.
    ///
    /// ```json
    /// {"command": "pong"}
    /// ```
    Pong = "pong";
    /// Answers `avatar` with the action `list_avatar` (section 10).
    ///
    /// ```json
    /// {
    ///   "command": "avatar",
    ///   "avatarlist": [{"url": "https://example.org/a.png", "tooltip": "Winner"}]
    /// }
    /// ```
    Avatar(AvatarList) = "avatar" {
        /// Avatars granted to the player.
        avatarlist: Vec<Avatar>,
    };
    /// One co-op mission (section 10).
    ///
    /// ```json
    /// {
    ///   "command": "coop_info", "uid": 3, "type": "Custom Missions", "name": "Rebels Rest",
    ///   "description": null, "filename": "faf_coop_rebels_rest.v0001", "featured_mod": "coop"
    /// }
    /// ```
    CoopInfo(CoopMission) = "coop_info" {
        /// Id of the mission.
        uid: u32,
        /// Name of its campaign.
        #[serde(rename = "type")]
        campaign: String as Campaign,
        /// Name of the mission.
        name: Option<String>,
        /// Description; may contain HTML.
        description: Option<String>,
        /// File name of its map.
        filename: Option<String>,
        /// Always `coop`.
        featured_mod: String as Coop,
    };
    /// One mod of the vault (section 10).
    ///
    /// ```json
    /// {
    ///   "command": "modvault_info", "thumbnail": "", "link": "https://example.org/m.zip",
    ///   "bugreports": [], "comments": [], "description": "More units", "played": 1,
    ///   "likes": 2.0, "downloads": 3, "date": 1767298500, "uid": "74a9eeff", "name": "Units",
    ///   "version": 5, "author": "Ada", "ui": 0
    /// }
    /// ```
    ModvaultInfo(ModvaultMod) = "modvault_info" {
        /// URL of a picture; empty if there is none.
        thumbnail: String,
        /// URL of the mod.
        link: String as Url,
        /// Always empty.
        bugreports: Vec<Json> as NothingInList,
        /// Always empty.
        comments: Vec<Json> as NothingInList,
        /// Description of the mod.
        description: String,
        /// Number of games in which it was played.
        played: u32,
        /// Number of players who like it.
        likes: f64 as Count,
        /// Number of downloads.
        downloads: u32,
        /// Time of the upload, in Unix seconds.
        date: i64 as UnixSeconds,
        /// Uid of the mod.
        uid: String,
        /// Name of the mod.
        name: String,
        /// Version of the mod.
        version: u32,
        /// Name of the author.
        author: String,
        /// 1 for a mod of the user interface, 0 for a mod of the simulation.
        ui: u8 as ZeroOrOne,
    };
    /// Answers `ice_servers` (section 10).
    ///
    /// ```json
    /// {"command": "ice_servers", "ice_servers": [], "ttl": 86400}
    /// ```
    IceServers(IceServers) = "ice_servers" #[derive(Default)] {
        /// Always empty; clients get the servers from the web API.
        ice_servers: Vec<Json> as NothingInList,
        /// Validity in seconds. Clients ask again and again if it is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl: Option<u32> as Option<Seconds>,
    };
    /// The command is not available while the server shuts down (section 11.1).
    ///
    /// ```json
    /// {"command": "disabled", "request": "game_host"}
    /// ```
    Disabled(Disabled) = "disabled" {
        /// The command that is not available.
        request: String,
    };
    /// The last message was not understood; the connection is closed after it (section 11.1).
    ///
    /// ```json
    /// {"command": "invalid", "request": "hello", "reason": "hello: missing field `password`"}
    /// ```
    Invalid(Invalid) = "invalid" #[derive(Default)] {
        /// The command that was not understood, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
        /// The problem, for client developers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    };
    /// Achievements that have changed after a game (section 14).
    ///
    /// ```json
    /// {
    ///   "command": "updated_achievements",
    ///   "updated_achievements": [
    ///     {"achievement_id": "7b0d5c51", "current_state": "UNLOCKED", "newly_unlocked": true}
    ///   ]
    /// }
    /// ```
    UpdatedAchievements(UpdatedAchievements) = "updated_achievements" {
        /// The answer of the achievement service, unchanged.
        updated_achievements: Vec<Json>,
    };
}

/// The effect of a newer message on one that waits for a slow client.
///
/// Clients keep only the newest states of games, players and queues, so these are enough for them.
/// Everything else is delivered in its order; only [`Pong`](ServerMessage::Pong) may overtake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Merging {
    /// It is always delivered.
    Never,
    /// A newer state of this game replaces it.
    Game(GameId),
    /// Newer states of its players replace the older ones.
    Players,
    /// Newer messages replace it when they have the states of all its queues. The response to a
    /// request for all queues is always delivered.
    Queues,
    /// One waiting `ping` is enough.
    Ping,
}

impl Notice {
    /// Creates a notice with a text.
    pub fn new(style: NoticeStyle, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::without_text(style) }
    }

    /// Creates a notice that only has a style.
    #[must_use]
    pub fn without_text(style: NoticeStyle) -> Self {
        Self { style, text: None, reason: None, i18n_key: None, i18n_args: Vec::new(), expires_at: None }
    }
}

/// Effect of a [`Notice`] on the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NoticeStyle {
    /// The text is information.
    Info,
    /// A request has failed, or the connection is about to close.
    Error,
    /// The client must disconnect and not reconnect by itself.
    Kick,
    /// The client must end the game process now.
    Kill,
    /// Never sent by this server; clients know it.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    Warning,
    /// Never sent by this server; old clients know it.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    Scores,
    /// A style that is not in this list; clients treat it as `info`.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    #[serde(untagged)]
    Other(String),
}

/// A player (section 7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Player {
    /// Id of the account.
    pub id: PlayerId,
    /// Name of the account.
    pub login: String,
    /// The selected avatar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Box<Avatar>>,
    /// Country of the player's address.
    pub country: Country,
    /// Tag of the clan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clan: Option<String>,
    /// `offline` when the player has logged out; missing otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PlayerState>,
    /// Ratings by leaderboard; `global` and `ladder_1v1` are always present.
    pub ratings: Ratings,
    /// Deprecated: the rating of `ratings.global`.
    pub global_rating: Rating,
    /// Deprecated: the rating of `ratings.ladder_1v1`.
    pub ladder_rating: Rating,
    /// Deprecated: the number of games of `ratings.global`.
    pub number_of_games: u32,
}

/// The state of a player, as far as clients receive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PlayerState {
    /// The player is offline: clients remove them.
    Offline,
}

/// A picture beside a player's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Avatar {
    /// URL of the picture.
    #[cfg_attr(feature = "schemas", schemars(with = "crate::contract::values::Url"))]
    pub url: String,
    /// Tooltip; clients drop the whole message if it is `null`.
    pub tooltip: String,
}

/// Ratings by leaderboard, in the order in which they are sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ratings(pub Vec<(Arc<str>, LeaderboardRating)>);

/// The rating on one leaderboard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LeaderboardRating {
    /// Mean and deviation.
    pub rating: Rating,
    /// Number of rated games.
    pub number_of_games: u32,
}

/// A rating, sent as `[mean, deviation]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub struct Rating {
    /// The estimate of the player's strength.
    pub mean: f64,
    /// The uncertainty of the estimate.
    pub deviation: f64,
}

/// One entry of [`GameInfo::teams_ids`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct GameTeam {
    /// Number of the team.
    pub team_id: i64,
    /// Its connected players, in the order in which they joined.
    pub player_ids: Vec<PlayerId>,
}

/// Names of players by team, in order of the teams; the keys are numbers written as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TeamNames(pub BTreeMap<i64, Vec<String>>);

/// The players outside of a game who see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// All players except the host's foes.
    Public,
    /// The host's friends.
    Friends,
}

/// State of a game, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GameInfoState {
    /// The game is not open yet, or is over.
    Closed,
    /// Players can join.
    Open,
    /// The game is being played.
    Playing,
}

/// The kind of a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
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

fn serialize_games<S: Serializer>(games: &[Arc<GameInfo>], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(tag = "command", rename_all = "snake_case")]
    enum Entry<'a> {
        GameInfo(&'a GameInfo),
    }
    serializer.collect_seq(games.iter().map(|game| Entry::GameInfo(game)))
}

/// A queue of the matchmaker, in `matchmaker_info`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QueueInfo {
    /// Technical name of the queue.
    pub queue_name: String,
    /// Time of the next round: ISO 8601, UTC.
    #[cfg_attr(feature = "schemas", schemars(with = "crate::contract::values::Time"))]
    pub queue_pop_time: String,
    /// Seconds until the next round, to hundredths; negative while a round waits or runs.
    #[cfg_attr(feature = "schemas", schemars(extend("x-unit" = "seconds")))]
    pub queue_pop_time_delta: f64,
    /// Number of players who search in the queue.
    pub num_players: u32,
    /// For each search, in the order in which they began, the ratings of good opponents: lowest and
    /// highest mean.
    pub boundary_80s: Arc<[[i32; 2]]>,
    /// The same for a narrower range.
    pub boundary_75s: Arc<[[i32; 2]]>,
    /// Number of players in a team.
    #[cfg_attr(feature = "schemas", schemars(range(min = 1)))]
    pub team_size: u32,
    /// Whole seconds within which half of all searches are matched, from those of the last hour;
    /// missing if fewer are, or if nothing is known. Only this server sends it.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<crate::contract::values::Seconds>"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_wait_seconds: Option<u64>,
}

/// Whether a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SearchState {
    /// It has begun.
    Start,
    /// It has ended without a match.
    Stop,
}

/// A player who may not search for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct TimeoutEnd {
    /// The player.
    pub player: PlayerId,
    /// End of the time-out: ISO 8601, UTC.
    #[cfg_attr(feature = "schemas", schemars(with = "crate::contract::values::Time"))]
    pub expires_at: String,
}

/// The reason why a player cannot join a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GameJoinFailure {
    /// The game does not exist.
    HostLeftGame,
    /// The game is not open yet, or no longer open.
    GameNotReady,
    /// The password is wrong.
    BadPassword,
}

/// A member of a party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PartyMember {
    /// The player.
    pub player: PlayerId,
    /// The factions among which a match draws one.
    pub factions: Factions,
}

impl ServerMessage {
    /// Returns the effect of a newer message on this one while it waits.
    #[must_use]
    pub fn merging(&self) -> Merging {
        match self {
            Self::GameInfo(game) => Merging::Game(game.uid),
            Self::PlayerInfo(_) => Merging::Players,
            Self::MatchmakerInfo(_) => Merging::Queues,
            Self::Ping => Merging::Ping,
            _ => Merging::Never,
        }
    }

    /// Determines the command of a server's message, and reads its members.
    ///
    /// # Errors
    /// [`FieldError`] if `command` is missing or not a string, or if the members of a listed
    /// command do not fit.
    pub fn read(message: Message) -> Result<Self, FieldError> {
        Ok(Self::read_members(&message)?.unwrap_or(Self::Other(message)))
    }

    /// Like [`read`](Self::read), but a message that cannot be read becomes [`Other`](Self::Other):
    /// a client need not understand every message of a newer server.
    #[must_use]
    pub fn read_leniently(message: Message) -> Self {
        Self::read_members(&message).ok().flatten().unwrap_or(Self::Other(message))
    }

    /// Reads the message if its command is in the list.
    fn read_members(message: &Message) -> Result<Option<Self>, FieldError> {
        let command: String = message.field("command")?;
        if message.target().as_deref() == Some(GpgNetMessage::TARGET) {
            return GpgNetMessage::from_message(message).map(Self::Game).map(Some);
        }
        Self::read_listed(&command, message)
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
        /// Usual size of a player in bytes; room for a list is allocated at once.
        const USUAL_PLAYER: usize = 480;
        /// Usual size of a game in bytes.
        const USUAL_GAME: usize = 1024;

        match self {
            Self::PlayerInfo(list) => out.reserve(list.players.len() * USUAL_PLAYER),
            Self::GameList(list) => out.reserve(list.games.len() * USUAL_GAME),
            _ => {}
        }
        match self {
            Self::Other(message) => message.write_json(out),
            typed => escape::write_ascii(typed, out),
        }
    }
}

impl Ratings {
    /// Returns the rating on one leaderboard.
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

impl Rating {
    /// Returns the rating that clients show and that the rating bounds of games apply to:
    /// mean - 3 * deviation. May be negative; not rounded.
    #[must_use]
    pub fn displayed(self) -> f64 {
        self.mean - 3.0 * self.deviation
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
    fn the_displayed_rating_may_be_negative() {
        assert_eq!(Rating { mean: 1500.0, deviation: 500.0 }.displayed(), 0.0);
        assert_eq!(Rating { mean: -10.5, deviation: 100.0 }.displayed(), -310.5);
    }

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
            r#"{"command":"game_launch","args":["/numgames",37],"uid":5012,"mod":"ladder1v1","name":"Ada Vs Bob","init_mode":1,"game_type":"matchmaker","rating_type":"ladder_1v1","mapname":"scmp_009","team":2,"faction":3,"expected_players":2,"map_position":1,"game_options":{"Share":"ShareUntilDeath","UnitCap":500},"map_pool_map_version_id":17}"#.to_owned(),
            r#"{"command":"matchmaker_info","queues":[]}"#.to_owned(),
            r#"{"command":"matchmaker_info","queues":[{"queue_name":"tmm2v2","queue_pop_time":"2030-01-02T18:05:30.250000+00:00","queue_pop_time_delta":41.07,"num_players":3,"boundary_80s":[[1040,1440],[300,700]],"boundary_75s":[[1140,1340],[400,600]],"team_size":2,"estimated_wait_seconds":75}]}"#.to_owned(),
            r#"{"command":"search_info","queue_name":"tmm2v2","state":"start"}"#.to_owned(),
            r#"{"command":"search_info","queue_name":"tmm2v2","state":"start","reason":"too few players","waited_seconds":61,"failed_attempts":2}"#.to_owned(),
            r#"{"command":"match_found","queue_name":"tmm2v2"}"#.to_owned(),
            r#"{"command":"match_cancelled","game_id":5012}"#.to_owned(),
            r#"{"command":"match_cancelled","game_id":null}"#.to_owned(),
            r#"{"command":"search_timeout","timeouts":[{"player":11,"expires_at":"t"}]}"#.to_owned(),
            r#"{"command":"search_violation","count":2,"time":"t"}"#.to_owned(),
            r#"{"command":"vetoes_info","forced":true,"vetoes":[]}"#.to_owned(),
            r#"{"command":"vetoes_info","forced":false,"vetoes":[{"matchmaker_queue_map_pool_id":3,"map_pool_map_version_id":17,"veto_tokens_applied":1}]}"#.to_owned(),
            r#"{"command":"party_invite","sender":11}"#.to_owned(),
            r#"{"command":"update_party","owner":11,"members":[{"player":11,"factions":["uef","nomad"]}]}"#.to_owned(),
            r#"{"command":"kicked_from_party"}"#.to_owned(),
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
