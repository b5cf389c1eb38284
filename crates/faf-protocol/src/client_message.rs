//! The messages of clients, command by command. This file is that half of the protocol, to be read
//! from top to bottom.
//!
//! Every message has a member `command`, which names it, and further members as documented here;
//! members that are not listed are ignored. Section numbers are those of session.md, or of
//! games.md, parties.md or matchmaking.md where it says so.
//!
//! The table below is the only place with the names of commands on the wire. A row is `Name =
//! "wire_name";`, with its members in braces, or with a type of its own that implements `Members`
//! if these are not simply read one by one. After `as` comes the type that describes a member in
//! the module `contract` if it is narrower than what is read, after `ignores` the members
//! that known clients send without effect.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{EncodeError, FieldError, JsonKind};
use crate::faction::{Faction, Factions};
use crate::gpgnet::GpgNetMessage;
use crate::ids::{BracketId, GameId, PlayerId, PoolEntryId};
use crate::json::Json;
use crate::json::escape;
use crate::json::loose::Loose;
use crate::json::value::whole;
use crate::limits::LIST_LIMIT;
use crate::message::Message;
use crate::secret::Secret;
use crate::server_message::Visibility;
use crate::wire::{Encode, Heartbeat};

macro_rules! client_commands {
    (
        typed { $(
            $(#[$doc:meta])*
            $name:ident $(($payload:ty))? = $wire:literal $({
                $( $(#[$member_doc:meta])* $member:ident: $type:ty $(as $described:ty)?, )*
            })? $(ignores {
                $( $(#[$ignored_doc:meta])* $ignored:ident: $ignored_type:ty, )*
            })?;
        )* }
        untyped { $(
            $(#[$untyped_doc:meta])*
            $untyped:ident = $untyped_wire:literal;
        )* }
    ) => {
        /// A message from a client.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "command")]
        pub enum ClientMessage {
            $(
                $(#[$doc])*
                #[serde(rename = $wire)]
                $name $(($payload))?,
            )*
            /// A command of the game: every message with `"target": "game"`, whatever its name. If
            /// its `args` are not a list, it becomes a command without name and arguments, which
            /// has no effect (games.md section 5).
            #[serde(untagged, serialize_with = "serialize_carried")]
            Game(GpgNetMessage),
            /// Any other command: one that is not typed yet, or is unknown.
            #[serde(untagged)]
            Other(Message),
        }

        /// The commands of clients, without their members.
        ///
        /// A `match` may rely on these being all: the server's table has a row for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ClientCommand {
            $( $(#[$doc])* $name, )*
            $( $(#[$untyped_doc])* $untyped, )*
        }

        impl ClientCommand {
            /// All commands.
            pub const ALL: &[Self] = &[ $( Self::$name, )* $( Self::$untyped, )* ];

            /// Returns the name of the command on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$name => $wire, )*
                    $( Self::$untyped => $untyped_wire, )*
                }
            }

            /// Returns the command with this name on the wire.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $( $wire => Some(Self::$name), )*
                    $( $untyped_wire => Some(Self::$untyped), )*
                    _ => None,
                }
            }
        }

        impl ClientMessage {
            /// Returns the name of the command on the wire, if it has one.
            #[must_use]
            pub fn command(&self) -> Option<Cow<'_, str>> {
                match self {
                    $( Self::$name { .. } => Some(Cow::Borrowed($wire)), )*
                    Self::Game(message) => Some(Cow::Borrowed(&message.command)),
                    Self::Other(message) => message.command(),
                }
            }

            /// Reads a typed command; `None` for any other.
            fn read_typed(command: &str, message: &Message) -> Result<Option<Self>, FieldError> {
                Ok(match command {
                    $( $wire => Some(Self::$name $((match <$payload as Members>::read(message)? {
                        Some(members) => members,
                        None => return Ok(None),
                    }))?), )*
                    _ => None,
                })
            }
        }

        $( $(
            #[doc = concat!("Members of `", $wire, "`; an example is at [`ClientMessage::", stringify!($name), "`].")]
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub struct $name {
                $( $(#[$member_doc])* pub $member: $type, )*
            }

            impl Members for $name {
                fn read(message: &Message) -> Result<Option<Self>, FieldError> {
                    message.parse().map(Some)
                }
            }
        )? )*

        #[cfg(feature = "schemas")]
        #[allow(dead_code, reason = "only the descriptions of these types are used")]
        pub(crate) mod rows {
            use super::*;
            use crate::contract::rows::{Row, described};
            use crate::contract::values::*;
            use crate::ids::SessionNumber;
            use schemars::{JsonSchema, SchemaGenerator};

            // These have the names of the types with which they share the rows, and so take their
            // place in `describe`.
            $( $(
                #[derive(JsonSchema)]
                pub(super) struct $name { $( $(#[$member_doc])* $member: described!($type $(, $described)?), )* }
            )? )*

            mod ignored {
                use super::*;
                $( $(
                    #[derive(JsonSchema)]
                    pub(super) struct $name { $( $(#[$ignored_doc])* $ignored: Option<$ignored_type>, )* }
                )? )*
            }

            mod documented {
                use schemars::JsonSchema;
                $( $(#[$doc])* #[derive(JsonSchema)] pub(super) struct $name; )*
                $( $(#[$untyped_doc])* #[derive(JsonSchema)] pub(super) struct $untyped; )*
            }

            /// Returns what the row of a command says.
            pub(crate) fn describe(command: ClientCommand, generator: &mut SchemaGenerator) -> Row {
                match command {
                    $( ClientCommand::$name => Row {
                        documentation: documented::$name::json_schema(generator),
                        members: vec![$( <$payload as JsonSchema>::json_schema(generator) )?],
                        ignored: client_commands!(ignored generator $name $({ $($ignored)* })?),
                    }, )*
                    $( ClientCommand::$untyped => Row {
                        documentation: documented::$untyped::json_schema(generator),
                        members: Vec::new(),
                        ignored: Vec::new(),
                    }, )*
                }
            }
        }
    };
    (ignored $generator:ident $name:ident) => { Vec::new() };
    (ignored $generator:ident $name:ident { $($ignored:ident)* }) => {
        vec![ignored::$name::json_schema($generator)]
    };
}

client_commands! {
    typed {
        /// Asks for the session number and introduces the client. Allowed before login (section 3).
        ///
        /// ```json
        /// {"command": "ask_session", "user_agent": "my-client", "version": "1.0"}
        /// ```
        AskSession(AskSession) = "ask_session" {
            /// Name of the client. Anything but a string counts as missing.
            #[serde(default, deserialize_with = "string_or_nothing", skip_serializing_if = "Option::is_none")]
            user_agent: Option<String>,
            /// Version of the client; only counted. Anything but a string counts as missing.
            #[serde(default, deserialize_with = "string_or_nothing", skip_serializing_if = "Option::is_none")]
            version: Option<String>,
        };
        /// Logs in with a password. Allowed before login (section 4).
        ///
        /// ```json
        /// {
        ///   "command": "hello", "login": "Ada",
        ///   "password": "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
        ///   "unique_id": "machine"
        /// }
        /// ```
        Hello(Hello) = "hello" {
            /// Name of the account; white space around it is ignored.
            login: String,
            /// Lower-case hexadecimal SHA-256 of the password's UTF-8 bytes, 64 characters.
            password: Secret as PasswordDigest,
            /// Description of the machine, from the client's id tool.
            unique_id: String,
        } ignores {
            /// The number from `session`.
            session: SessionNumber,
            /// Name of the client, which `ask_session` has said before.
            user_agent: String,
            /// Version of the client, which `ask_session` has said before.
            version: String,
        };
        /// Logs in with a token. Allowed before login (section 5).
        ///
        /// ```json
        /// {
        ///   "command": "auth", "token": "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl",
        ///   "unique_id": "machine"
        /// }
        /// ```
        Auth(Auth) = "auth" {
            /// OAuth access token, a JWT.
            token: Secret as Token,
            /// Description of the machine, from the client's id tool.
            unique_id: String,
        } ignores {
            /// The number from `session`.
            session: SessionNumber,
        };
        /// Asks for a new account; always refused. Allowed before login (section 10).
        ///
        /// ```json
        /// {"command": "create_account"}
        /// ```
        CreateAccount = "create_account";
        /// Asks for a `pong`. Allowed before login (section 9).
        ///
        /// ```json
        /// {"command": "ping"}
        /// ```
        Ping = "ping";
        /// Answers a `ping`. Allowed before login (section 9).
        ///
        /// ```json
        /// {"command": "pong"}
        /// ```
        Pong = "pong";
        /// Makes another player a friend or a foe (section 10).
        SocialAdd(SocialSubject) = "social_add";
        /// Ends such a relation (section 10).
        SocialRemove(SocialSubject) = "social_remove";
        /// Lists or selects avatars (section 10).
        Avatar(AvatarAction) = "avatar";
        /// Actions of administrators and moderators (section 10).
        Admin(AdminAction) = "admin";
        /// Asks for the co-op missions (section 10).
        ///
        /// ```json
        /// {"command": "coop_list"}
        /// ```
        CoopList = "coop_list";
        /// The mod vault, deprecated (section 10).
        Modvault(ModvaultAction) = "modvault";
        /// Asks for ICE servers, deprecated (section 10).
        ///
        /// ```json
        /// {"command": "ice_servers"}
        /// ```
        IceServers = "ice_servers";
        /// Asks for the state of the matchmaker queues.
        ///
        /// ```json
        /// {"command": "matchmaker_info"}
        /// ```
        MatchmakerInfo = "matchmaker_info";
        /// Opens a game (games.md section 1.1). Members that are not listed, such as `options`,
        /// are ignored.
        ///
        /// ```json
        /// {
        ///   "command": "game_host", "visibility": "public", "title": "2v2 all welcome",
        ///   "mod": "faf", "mapname": "scmp_007", "password": "letmein", "rating_max": 1000.0,
        ///   "enforce_rating_range": false
        /// }
        /// ```
        GameHost(GameHost) = "game_host" {
            /// Players who see the game.
            visibility: Visibility,
            /// Title, ASCII; cut after 128 characters. If missing, null or empty, it is made from
            /// the host's name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            title: Option<String> as Option<OrNull<AsciiText>>,
            /// Technical name of the featured mod, in any case; `coop` makes a co-op game. Missing,
            /// null or empty: `faf`.
            #[serde(default, rename = "mod", skip_serializing_if = "Option::is_none")]
            featured_mod: Option<String> as Option<OrNull<String>>,
            /// Folder name of the map, in any case. Missing, null or empty: `scmp_007`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            mapname: Option<String> as Option<OrNull<String>>,
            /// Password that joining needs; missing, null or empty: none. A value that is not a
            /// text counts as its JSON.
            #[serde(default, deserialize_with = "new_password", skip_serializing_if = "Option::is_none")]
            password: Option<Secret> as Option<OrNull<String>>,
            /// Lowest displayed rating that may join: a number or its text, always finite.
            #[serde(default, deserialize_with = "rating_bound", skip_serializing_if = "Option::is_none")]
            rating_min: Option<f64> as Option<OrNull<RatingBound>>,
            /// Highest displayed rating that may join, in the same forms.
            #[serde(default, deserialize_with = "rating_bound", skip_serializing_if = "Option::is_none")]
            rating_max: Option<f64> as Option<OrNull<RatingBound>>,
            /// Whether players outside of these bounds cannot see the game. Anything but `false`,
            /// `null`, 0 and empty texts, lists and objects means yes.
            #[serde(default, deserialize_with = "truthiness")]
            enforce_rating_range: bool,
        } ignores {
            /// `public` or `password`; the password says it.
            access: String,
            /// Version of the featured mod.
            version: Json,
            /// Options of the game, which its process sends.
            options: Json,
            /// Whether the game follows another one of the same host.
            is_rehost: bool,
        };
        /// Asks to join a game (games.md section 1.2). Members that are not listed, such as
        /// `gameport`, are ignored.
        ///
        /// ```json
        /// {"command": "game_join", "uid": 5012, "password": "letmein"}
        /// ```
        GameJoin(GameJoin) = "game_join" {
            /// The game. Whole numbers that are not a [`GameId`] are read as 0, which is never the
            /// id of a game.
            #[serde(deserialize_with = "any_game")]
            uid: GameId,
            /// Password of the game; missing, null or empty: none. A value that is not a text
            /// never matches.
            #[serde(default, deserialize_with = "tried_password", skip_serializing_if = "Option::is_none")]
            password: Option<Secret> as Option<OrNull<String>>,
        } ignores {
            /// Port of the game, 0 in all clients of today.
            gameport: i64,
        };
        /// Reports that the client has reconnected while its game still runs (games.md section
        /// 1.3).
        ///
        /// ```json
        /// {"command": "restore_game_session", "game_id": 5012}
        /// ```
        RestoreGameSession(RestoreGameSession) = "restore_game_session" {
            /// The game that still runs. Whole numbers that are not a [`GameId`] are read as 0,
            /// which is never the id of a game.
            #[serde(deserialize_with = "any_game")]
            game_id: GameId,
        };
        /// Answer to a match offer; accepted without effect (games.md section 1.5).
        ///
        /// ```json
        /// {"command": "match_ready"}
        /// ```
        MatchReady = "match_ready";
        /// The connectivity test of outdated clients (section 10).
        ///
        /// ```json
        /// {"command": "InitiateTest", "target": "connectivity"}
        /// ```
        InitiateTest(ConnectivityTest) = "InitiateTest" ignores {
            /// The port to be tested.
            args: Json,
        };
        /// Invites another player to the sender's party (parties.md section 3.1).
        ///
        /// ```json
        /// {"command": "invite_to_party", "recipient_id": 12}
        /// ```
        InviteToParty(InviteToParty) = "invite_to_party" {
            /// The invited player. Whole numbers that are not a [`PlayerId`] are read as 0, which
            /// is never the id of a player.
            #[serde(deserialize_with = "any_player")]
            recipient_id: PlayerId,
        };
        /// Joins the party of a player who has sent an invitation (parties.md section 3.2).
        ///
        /// ```json
        /// {"command": "accept_party_invite", "sender_id": 11}
        /// ```
        AcceptPartyInvite(AcceptPartyInvite) = "accept_party_invite" {
            /// The owner of the party, read as the recipient of an invitation is.
            #[serde(deserialize_with = "any_player")]
            sender_id: PlayerId,
        };
        /// Removes a player from the sender's party (parties.md section 3.3).
        ///
        /// ```json
        /// {"command": "kick_player_from_party", "kicked_player_id": 12}
        /// ```
        KickPlayerFromParty(KickPlayerFromParty) = "kick_player_from_party" {
            /// The member, read as the recipient of an invitation is.
            #[serde(deserialize_with = "any_player")]
            kicked_player_id: PlayerId,
        };
        /// Leaves the party, or disbands it if it is the sender's own (parties.md section 3.4).
        ///
        /// ```json
        /// {"command": "leave_party"}
        /// ```
        LeaveParty = "leave_party";
        /// Chooses the factions among which the next match draws one (parties.md section 3.5).
        ///
        /// ```json
        /// {"command": "set_party_factions", "factions": ["aeon", "seraphim"]}
        /// ```
        SetPartyFactions(SetPartyFactions) = "set_party_factions" {
            /// The factions by name in any case, or by number.
            factions: Factions as ChosenFactions,
        };
        /// Begins or ends a search for a match of the sender's party (matchmaking.md section 7.1).
        ///
        /// ```json
        /// {"command": "game_matchmaking", "state": "start", "queue_name": "tmm2v2"}
        /// ```
        GameMatchmaking(GameMatchmaking) = "game_matchmaking" {
            /// `start` or `stop`; anything else has no effect.
            state: String as SearchCommand,
            /// Technical name of the queue.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            queue_name: Option<String>,
            /// Used if `queue_name` is missing or null; `ladder1v1` if this is, too.
            #[serde(default, rename = "mod", skip_serializing_if = "Option::is_none")]
            featured_mod: Option<String>,
            /// The only faction of the sender from now on, by name in any case, or by number.
            /// Missing or null: the factions stay as they are.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            faction: Option<Faction> as Option<ChosenFaction>,
        };
        /// Replaces the maps that the player does not want to play in the matchmaker
        /// (matchmaking.md section 12).
        SetPlayerVetoes(SetPlayerVetoes) = "set_player_vetoes";
    }
    untyped {
        /// A player slows the game down: a command of games, which some send without their target.
        Bottleneck = "Bottleneck";
    }
}

/// Members of a command.
trait Members: Sized {
    /// Reads the members from a message; `None` if they make it a different command.
    fn read(message: &Message) -> Result<Option<Self>, FieldError>;
}

/// Members of `social_add` and `social_remove`: one of the two.
///
/// ```json
/// {"command": "social_add", "friend": 42}
/// ```
///
/// ```json
/// {"command": "social_remove", "foe": 42}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schemas", schemars(extend("oneOf" = [{"required": ["friend"]}, {"required": ["foe"]}])))]
pub struct SocialSubject {
    /// The friend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friend: Option<PlayerId>,
    /// The foe; ignored if `friend` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foe: Option<PlayerId>,
}

/// Members of `avatar`.
///
/// ```json
/// {"command": "avatar", "action": "list_avatar"}
/// ```
///
/// ```json
/// {"command": "avatar", "action": "select", "avatar": "https://example.org/a.png"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "action")]
pub enum AvatarAction {
    /// Asks for the avatars that were granted to the player.
    #[serde(rename = "list_avatar")]
    List,
    /// Selects an avatar.
    #[serde(rename = "select")]
    Select {
        /// URL of the avatar; `null` for no avatar.
        #[cfg_attr(feature = "schemas", schemars(with = "crate::contract::values::OrNull<String>"))]
        avatar: Option<String>,
    },
    /// Selects a value that is not a text, and so not an avatar; ignored.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    #[serde(rename = "select")]
    SelectOther {
        /// The value.
        avatar: Json,
    },
}

/// Members of `admin`. Without the permission named, an action is ignored.
///
/// ```json
/// {
///   "command": "admin", "action": "broadcast",
///   "message": "The server restarts in ten minutes"
/// }
/// ```
///
/// ```json
/// {"command": "admin", "action": "closeFA", "user_id": 4}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "action")]
pub enum AdminAction {
    /// Ends a player's game. Needs `ADMIN_KICK_SERVER`.
    #[serde(rename = "closeFA")]
    CloseFa {
        /// The player whose game ends.
        user_id: PlayerId,
    },
    /// Disconnects a player. Needs `ADMIN_KICK_SERVER`.
    #[serde(rename = "closelobby")]
    CloseLobby {
        /// The player who is disconnected.
        user_id: PlayerId,
    },
    /// Shows a text to everyone. Needs `ADMIN_BROADCAST_MESSAGE`.
    #[serde(rename = "broadcast")]
    Broadcast {
        /// The text; nothing happens if it is missing or empty.
        #[cfg_attr(feature = "schemas", schemars(with = "crate::contract::values::Text", required))]
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Makes clients join a chat channel. Needs `ADMIN_JOIN_CHANNEL`.
    #[serde(rename = "join_channel")]
    JoinChannel {
        /// The players; at most 10,000 ([`LIST_LIMIT`]).
        #[cfg_attr(feature = "schemas", schemars(length(max = LIST_LIMIT)))]
        user_ids: Vec<PlayerId>,
        /// The channel.
        channel: String,
    },
    /// An action that is not in this list; ignored.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    #[serde(untagged)]
    Other {
        /// Name of the action.
        action: String,
    },
}

/// Members of `modvault`.
///
/// ```json
/// {"command": "modvault", "type": "start"}
/// ```
///
/// ```json
/// {"command": "modvault", "type": "like", "uid": "74a9eeff"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ModvaultAction {
    /// Asks for the hundred most liked mods.
    Start,
    /// Likes a mod; counted once per player.
    Like {
        /// Uid of the mod.
        uid: String,
    },
    /// Counts a download.
    Download {
        /// Uid of the mod.
        uid: String,
    },
}

/// Members of `InitiateTest`. With any other `target` the command is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ConnectivityTest {
    /// Always `connectivity`.
    pub target: ConnectivityTarget,
}

/// The only `target` other than `game`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ConnectivityTarget {
    /// The text `connectivity`.
    Connectivity,
}

/// Members of `set_player_vetoes`.
///
/// ```json
/// {
///   "command": "set_player_vetoes",
///   "vetoes": [
///     {
///       "matchmaker_queue_map_pool_id": 3, "map_pool_map_version_id": 17,
///       "veto_tokens_applied": 1
///     }
///   ]
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct SetPlayerVetoes {
    /// The whole selection; at most 10,000 elements ([`LIST_LIMIT`]). Of those for the same map,
    /// the last one counts.
    #[cfg_attr(feature = "schemas", schemars(length(max = LIST_LIMIT)))]
    pub vetoes: Vec<Veto>,
}

/// Tokens of a player against a map, in `set_player_vetoes` and `vetoes_info`.
///
/// Numbers must be integers; texts of numbers and fractions are errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Veto {
    /// The bracket in which the map is not wanted.
    #[serde(rename = "matchmaker_queue_map_pool_id")]
    pub bracket: BracketId,
    /// The map, as an entry of the bracket's pool.
    #[serde(rename = "map_pool_map_version_id")]
    pub entry: PoolEntryId,
    /// Number of tokens; never negative.
    #[cfg_attr(feature = "schemas", schemars(range(min = 0)))]
    #[serde(rename = "veto_tokens_applied", deserialize_with = "number_of_tokens")]
    pub tokens: i64,
}

/// A message from a client that names no command, or whose members do not fit its command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}: {error}", .command.as_deref().unwrap_or("no command"))]
pub struct CommandError {
    /// The command, if there is one.
    pub command: Option<String>,
    /// The problem.
    pub error: FieldError,
}

impl ClientMessage {
    /// Determines the command of a client's message, and reads its members.
    ///
    /// # Errors
    /// [`CommandError`] if `command` is missing or not a string, or if the members of a typed
    /// command do not fit.
    pub fn read(message: Message) -> Result<Self, CommandError> {
        match Self::read_members(&message) {
            Ok(Some(known)) => Ok(known),
            Ok(None) => Ok(Self::Other(message)),
            Err(error) => Err(CommandError { command: message.command().map(String::from), error }),
        }
    }

    /// Replaces all secrets, for logs that others may read. In commands that are not typed, these
    /// are the members `password` and `token`.
    pub fn replace_secrets(&mut self, replace: &dyn Fn(&Secret) -> Secret) {
        let secret = match self {
            Self::Hello(hello) => Some(&mut hello.password),
            Self::Auth(auth) => Some(&mut auth.token),
            Self::GameHost(host) => host.password.as_mut(),
            Self::GameJoin(join) => join.password.as_mut(),
            Self::Other(message) => {
                for member in ["password", "token"] {
                    if let Some(secret) = message.get(member) {
                        let replaced = replace(&Secret::new(secret.text()));
                        message.set(member, replaced.reveal()).expect("a text can be a member");
                    }
                }
                None
            }
            _ => None,
        };
        if let Some(secret) = secret {
            *secret = replace(secret);
        }
    }

    /// Reads the message if its command is typed.
    fn read_members(message: &Message) -> Result<Option<Self>, FieldError> {
        let command: String = message.field("command")?;
        if message.target().as_deref() == Some(GpgNetMessage::TARGET) {
            // A command of a game that cannot be read is ignored, and never ends a connection.
            let game = GpgNetMessage::from_message(message).unwrap_or_else(|_| GpgNetMessage::new("", []));
            return Ok(Some(Self::Game(game)));
        }
        Self::read_typed(&command, message)
    }
}

impl Members for SocialSubject {
    fn read(message: &Message) -> Result<Option<Self>, FieldError> {
        message.parse().map(Some)
    }
}

impl Members for ConnectivityTest {
    fn read(message: &Message) -> Result<Option<Self>, FieldError> {
        let is_connectivity = message.target().as_deref() == Some("connectivity");
        Ok(is_connectivity.then_some(Self { target: ConnectivityTarget::Connectivity }))
    }
}

impl Members for AvatarAction {
    fn read(message: &Message) -> Result<Option<Self>, FieldError> {
        Ok(Some(match message.field::<String>("action")?.as_str() {
            "list_avatar" => Self::List,
            "select" => match message.field::<Json>("avatar")? {
                other if !matches!(other.as_ref().kind(), JsonKind::String | JsonKind::Null) => {
                    Self::SelectOther { avatar: other }
                }
                _ => Self::Select { avatar: message.field("avatar")? },
            },
            other => return Err(unknown("action", other)),
        }))
    }
}

impl Members for AdminAction {
    fn read(message: &Message) -> Result<Option<Self>, FieldError> {
        Ok(Some(match message.field::<String>("action")?.as_str() {
            "closeFA" => Self::CloseFa { user_id: message.field("user_id")? },
            "closelobby" => Self::CloseLobby { user_id: message.field("user_id")? },
            "broadcast" => Self::Broadcast { message: message.optional_field("message")? },
            "join_channel" => {
                Self::JoinChannel { user_ids: list(message, "user_ids")?, channel: message.field("channel")? }
            }
            other => Self::Other { action: other.to_owned() },
        }))
    }
}

impl Members for ModvaultAction {
    fn read(message: &Message) -> Result<Option<Self>, FieldError> {
        Ok(Some(match message.field::<String>("type")?.as_str() {
            "start" => Self::Start,
            "like" => Self::Like { uid: message.field("uid")? },
            "download" => Self::Download { uid: message.field("uid")? },
            other => return Err(unknown("type", other)),
        }))
    }
}

impl Members for SetPlayerVetoes {
    fn read(message: &Message) -> Result<Option<Self>, FieldError> {
        Ok(Some(Self { vetoes: list(message, "vetoes")? }))
    }
}

fn unknown(field: &str, value: &str) -> FieldError {
    /// Maximum number of bytes of the value that are quoted; it can be of any length.
    const QUOTED: usize = 100;

    let value = &value[..value.floor_char_boundary(QUOTED)];
    FieldError { field: Some(field.to_owned()), reason: format!("unknown value `{value}`") }
}

impl Encode for ClientMessage {
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
        match self {
            Self::Other(message) => message.write_json(out),
            typed => escape::write_ascii(typed, out),
        }
    }
}

/// Serialises a game command as the lobby message that carries it.
pub(crate) fn serialize_carried<S: Serializer>(
    message: &GpgNetMessage,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    message.carried().serialize(serializer)
}

/// Reads a message as [`ClientMessage::read`] does.
impl<'de> Deserialize<'de> for ClientMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Message::deserialize(deserializer)?).map_err(Error::custom)
    }
}

/// Reads a number or its text; it must be finite.
fn rating_bound<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = match Loose::deserialize(deserializer)? {
        Loose::Null => return Ok(None),
        Loose::Integer(number) => Some(number as f64),
        Loose::Float(number) => Some(number),
        Loose::Text(text) => text.trim().parse().ok(),
        Loose::Boolean(_) | Loose::Several { .. } => None,
    };
    let number = number.filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| Error::custom("it must be a number"))
}

fn truthiness<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Loose::deserialize(deserializer)? {
        Loose::Null => false,
        Loose::Boolean(flag) => flag,
        Loose::Integer(number) => number != 0,
        Loose::Float(number) => number != 0.0,
        Loose::Text(text) => !text.is_empty(),
        Loose::Several { is_empty } => !is_empty,
    })
}

/// Reads a text, or the JSON of anything else; `None` for `null`.
fn new_password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let value = Json::deserialize(deserializer)?;
    let text = value.as_ref().text();
    // Not named in an error, as it is a secret.
    let read = serde_json::from_str::<Option<String>>(text).unwrap_or_else(|_| Some(text.to_owned()));
    Ok(read.map(Secret::new))
}

/// Reads a text. Any other value becomes a text that hosts do not choose, so that it is only a
/// wrong password.
fn tried_password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let value = Json::deserialize(deserializer)?;
    let text = value.as_ref().text();
    let read = serde_json::from_str::<Option<String>>(text).unwrap_or_else(|_| Some(format!("\0{text}")));
    Ok(read.map(Secret::new))
}

fn any_game<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GameId, D::Error> {
    any_id(deserializer, "it must be the id of a game").map(GameId)
}

fn any_player<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PlayerId, D::Error> {
    any_id(deserializer, "it must be the id of a player").map(PlayerId)
}

/// Reads a whole number, or the text of an integer; 0 if it cannot be an id.
fn any_id<'de, D: Deserializer<'de>>(deserializer: D, expected: &str) -> Result<u32, D::Error> {
    let id = match Loose::deserialize(deserializer)? {
        Loose::Integer(id) => Some(id),
        // Numbers that are too large to be exact are no ids either.
        Loose::Float(id) if id.fract() == 0.0 => Some(whole(id).unwrap_or(-1).into()),
        Loose::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let id = id.ok_or_else(|| Error::custom(expected))?;
    Ok(i32::try_from(id).map_or(0, |id| id.max(0).cast_unsigned()))
}

fn string_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Loose::deserialize(deserializer)? {
        Loose::Text(text) => Some(text),
        _ => None,
    })
}

fn number_of_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let tokens = i64::deserialize(deserializer)?;
    (tokens >= 0).then_some(tokens).ok_or_else(|| Error::custom("a number of tokens must not be negative"))
}

/// Reads a list of bounded length.
fn list<T: DeserializeOwned>(message: &Message, field: &str) -> Result<Vec<T>, FieldError> {
    let too_many = || FieldError {
        field: Some(field.to_owned()),
        reason: format!("has more than {LIST_LIMIT} elements"),
    };
    match message.get(field) {
        Some(list) if list.elements().is_some_and(|mut all| all.nth(LIST_LIMIT).is_some()) => Err(too_many()),
        _ => message.field(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_commands_go_together() {
        for command in ClientCommand::ALL {
            assert_eq!(ClientCommand::from_name(command.name()), Some(*command));
        }
        assert_eq!(ClientCommand::from_name("nonsense"), None);
    }

    fn read(text: &str) -> Result<ClientMessage, CommandError> {
        ClientMessage::read(text.parse().unwrap())
    }

    #[test]
    fn every_command_comes_back_as_it_went() {
        for text in [
            r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#,
            r#"{"command":"ask_session"}"#,
            r#"{"command":"hello","login":"Bob","password":"00ff","unique_id":"u"}"#,
            r#"{"command":"auth","token":"a.b.c","unique_id":"u"}"#,
            r#"{"command":"create_account"}"#,
            r#"{"command":"ping"}"#,
            r#"{"command":"pong"}"#,
            r#"{"command":"social_add","friend":42}"#,
            r#"{"command":"social_remove","foe":42}"#,
            r#"{"command":"avatar","action":"list_avatar"}"#,
            r#"{"command":"avatar","action":"select","avatar":null}"#,
            r#"{"command":"avatar","action":"select","avatar":"https://example.org/a.png"}"#,
            r#"{"command":"avatar","action":"select","avatar":[5.0,{}]}"#,
            r#"{"command":"admin","action":"closeFA","user_id":4}"#,
            r#"{"command":"admin","action":"closelobby","user_id":4}"#,
            r#"{"command":"admin","action":"broadcast","message":"hi"}"#,
            r#"{"command":"admin","action":"broadcast"}"#,
            r##"{"command":"admin","action":"join_channel","user_ids":[1,2],"channel":"#x"}"##,
            r#"{"command":"admin","action":"dance"}"#,
            r#"{"command":"coop_list"}"#,
            r#"{"command":"modvault","type":"start"}"#,
            r#"{"command":"modvault","type":"like","uid":"x"}"#,
            r#"{"command":"modvault","type":"download","uid":"x"}"#,
            r#"{"command":"ice_servers"}"#,
            r#"{"command":"matchmaker_info"}"#,
            r#"{"command":"game_host","visibility":"public","enforce_rating_range":false}"#,
            r#"{"command":"game_host","visibility":"friends","title":"t","mod":"faf","mapname":"m","password":"p","rating_min":-5.5,"rating_max":1000.0,"enforce_rating_range":true}"#,
            r#"{"command":"game_join","uid":5012}"#,
            r#"{"command":"game_join","uid":5012,"password":"p"}"#,
            r#"{"command":"restore_game_session","game_id":123}"#,
            r#"{"command":"match_ready"}"#,
            r#"{"command":"set_player_vetoes","vetoes":[]}"#,
            r#"{"command":"set_player_vetoes","vetoes":[{"matchmaker_queue_map_pool_id":3,"map_pool_map_version_id":17,"veto_tokens_applied":1},{"matchmaker_queue_map_pool_id":-4,"map_pool_map_version_id":-1,"veto_tokens_applied":9223372036854775807}]}"#,
            r#"{"command":"InitiateTest","target":"connectivity"}"#,
            r#"{"command":"GameState","args":["Idle"],"target":"game"}"#,
            r#"{"command":"no_such_command","n":1.50}"#,
        ] {
            let mut out = Vec::new();
            read(text).unwrap().write_json(&mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn members_that_do_not_fit_are_named() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(error(r#"{"no":"command"}"#), "no command: `command`: is missing");
        assert_eq!(
            error(r#"{"command":5}"#),
            "no command: `command`: invalid type: integer `5`, expected a string"
        );
        assert_eq!(
            error(r#"{"command":"hello","login":"x","unique_id":""}"#),
            "hello: missing field `password`"
        );
        assert_eq!(
            error(r#"{"command":"social_add","friend":[1]}"#),
            "social_add: `friend`: invalid type: sequence, expected an id from 0 to 2147483647"
        );
        assert_eq!(error(r#"{"command":"avatar"}"#), "avatar: `action`: is missing");
        assert_eq!(error(r#"{"command":"avatar","action":"select"}"#), "avatar: `avatar`: is missing");
        assert_eq!(error(r#"{"command":"avatar","action":"x"}"#), "avatar: `action`: unknown value `x`");
        assert_eq!(error(r#"{"command":"modvault","type":"x"}"#), "modvault: `type`: unknown value `x`");
        let nameless = ClientMessage::Game(GpgNetMessage::new("", []));
        assert_eq!(read(r#"{"command":"GameState","target":"game","args":{}}"#), Ok(nameless));
    }

    #[test]
    fn malformed_vetoes_are_errors() {
        let element = |bracket: &str, entry: &str, tokens: &str| {
            format!(
                r#"{{"matchmaker_queue_map_pool_id":{bracket},"map_pool_map_version_id":{entry},"veto_tokens_applied":{tokens}}}"#
            )
        };
        let is_read = |vetoes: &str| read(&format!(r#"{{"command":"set_player_vetoes"{vetoes}}}"#)).is_ok();
        let with = |elements: &str| is_read(&format!(r#","vetoes":[{elements}]"#));
        assert!(with(&element("1", "1", "0")) && with(""));
        for value in ["null", "true", "\"1\"", "1.5", "[1]", "{}", "9223372036854775808"] {
            for elements in [element(value, "1", "1"), element("1", value, "1"), element("1", "1", value)] {
                assert!(!with(&elements), "{elements}");
            }
        }
        for elements in [
            &element("1", "1", "-1"),
            r#"{"map_pool_map_version_id":1,"veto_tokens_applied":1}"#,
            r#"{"matchmaker_queue_map_pool_id":1,"veto_tokens_applied":1}"#,
            r#"{"matchmaker_queue_map_pool_id":1,"map_pool_map_version_id":1}"#,
            "null",
            "[]",
            "3",
        ] {
            assert!(!with(elements), "{elements}");
        }
        for vetoes in ["", r#","vetoes":null"#, r#","vetoes":{}"#, r#","vetoes":1"#] {
            assert!(!is_read(vetoes), "{vetoes}");
        }
    }

    #[test]
    fn lists_have_bounded_lengths() {
        let element =
            r#"{"matchmaker_queue_map_pool_id":1,"map_pool_map_version_id":1,"veto_tokens_applied":1}"#;
        let vetoes = |count| {
            let elements = vec![element; count].join(",");
            read(&format!(r#"{{"command":"set_player_vetoes","vetoes":[{elements}]}}"#))
        };
        assert!(vetoes(LIST_LIMIT).is_ok());
        assert_eq!(
            vetoes(LIST_LIMIT + 1).unwrap_err().to_string(),
            "set_player_vetoes: `vetoes`: has more than 10000 elements"
        );
    }

    #[test]
    fn odd_but_tolerated() {
        assert_eq!(
            read(r#"{"command":"ask_session","user_agent":["x"],"version":5}"#),
            Ok(ClientMessage::AskSession(AskSession { user_agent: None, version: None }))
        );
        assert_eq!(
            read(r#"{"command":"social_add","friend":"10","foe":null}"#),
            Ok(ClientMessage::SocialAdd(SocialSubject { friend: Some(PlayerId(10)), foe: None }))
        );
        assert!(matches!(read(r#"{"command":"InitiateTest"}"#), Ok(ClientMessage::Other(_))));
        assert!(matches!(read(r#"{"command":"ping","target":"game"}"#), Ok(ClientMessage::Game(_))));
        assert!(matches!(read(r#"{"command":"Ping"}"#), Ok(ClientMessage::Other(_))));
    }

    #[test]
    fn a_password_need_not_be_a_text() {
        let password = |text: &str| match read(text).unwrap() {
            ClientMessage::GameHost(host) => host.password,
            ClientMessage::GameJoin(join) => join.password,
            other => panic!("{other:?}"),
        };
        for (json, hosted) in [
            ("1234", Some("1234")),
            (r#""1234""#, Some("1234")),
            ("1.50", Some("1.50")),
            ("true", Some("true")),
            (r#"[1, "a"]"#, Some(r#"[1,"a"]"#)),
            (r#""""#, Some("")),
            ("null", None),
        ] {
            let host = format!(r#"{{"command":"game_host","visibility":"public","password":{json}}}"#);
            let found = password(&host);
            assert_eq!(found.as_ref().map(Secret::reveal), hosted, "{json}");
            let join = format!(r#"{{"command":"game_join","uid":1,"password":{json}}}"#);
            let is_text = json.starts_with('"') || json == "null";
            assert_eq!(password(&join) == found, is_text, "{json}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let hello = read(r#"{"command":"hello","login":"Bob","password":"00ff","unique_id":"u"}"#).unwrap();
        assert!(!format!("{hello:?}").contains("00ff"));
    }
}
