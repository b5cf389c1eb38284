//! Requests of the lobby to the shell, each declared once together with the type of its reply.
//!
//! A request leaves as [`Effect::Request`](crate::Effect::Request) with a [`Ticket`]. The shell
//! performs it and returns the [`Reply`] with the same ticket in
//! [`Event::Replied`](crate::Event::Replied), exactly once:
//!
//! ```
//! # use faf_lobby_core::{Reply, Request, Unavailable};
//! # use faf_lobby_core::{ReplyTo, request::FindBan};
//! # async fn find_ban(player: faf_protocol::PlayerId) -> ReplyTo<FindBan> { Ok(None) }
//! # async fn perform(request: Request) -> Reply {
//! match request {
//!     Request::FindBan(ticket, request) => ticket.reply(find_ban(request.player).await),
//!     // ...
//! #   other => other.unavailable(),
//! }
//! # }
//! ```
//!
//! A ticket carries the type of its request, so a reply of another type does not compile. `Resume`
//! in `state/pending.rs` is the command's part: its memo, and how it continues.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use faf_protocol::server_message::{Avatar, CoopMission};
use faf_protocol::{GameId, PlayerId, Secret};
use serde::{Deserialize, Serialize};

use crate::io::{
    Account, AvatarNotGranted, Ban, Busy, Contradiction, GamePublications, JoinAttempt, Like, MapVersion,
    Permission, Profile, Relation, TokenFault, UnknownMod, UnknownPlayer, VaultMod,
};
use crate::matchmaking::queue::QueueId;
use crate::ratings::RatingChange;
use crate::state::{GameData, GameWrite, SavedQueues};

/// All requests at a glance. The rows of `commands` are made by a command of a client, whose
/// connection waits for the reply; those of `lobby` are made by the lobby itself.
///
/// A row is `name_of_its_table: Type { members } -> Reply;`.
macro_rules! request_table {
    ($declare:ident) => {
        $declare! {
            commands {
                /// Finds the account with this login, if the password is correct.
                check_password: CheckPassword {
                    /// Name of the account, without white space around it.
                    login: String,
                    /// The password as the client sent it: a digest.
                    password: Secret,
                } -> Result<Option<Account>, Busy>;

                /// Finds the account that a token belongs to.
                check_token: CheckToken {
                    /// The token.
                    token: Secret,
                } -> Result<Option<Account>, TokenFault>;

                /// Records the login of a player, and reads the player's profile.
                sign_in: SignIn {
                    /// The player.
                    player: PlayerId,
                    /// The address of the connection.
                    address: Option<IpAddr>,
                    /// Name of the client program.
                    user_agent: Option<String>,
                } -> Box<Profile>;

                /// Makes another player a friend or a foe, which ends the opposite relation.
                set_relation: SetRelation {
                    /// The player whose list changes.
                    player: PlayerId,
                    /// The friend or foe.
                    subject: PlayerId,
                    /// Friend or foe.
                    relation: Relation,
                } -> Result<(), UnknownPlayer>;

                /// Ends a friendship or the opposite. It is not an error if the relation does
                /// not exist.
                end_relation: EndRelation {
                    /// The player whose list changes.
                    player: PlayerId,
                    /// The friend or foe.
                    subject: PlayerId,
                    /// Friend or foe.
                    relation: Relation,
                } -> ();

                /// Lists the avatars granted to a player.
                list_avatars: ListAvatars {
                    /// The player.
                    player: PlayerId,
                } -> Vec<Avatar>;

                /// Selects an avatar. The reply is the avatar that is selected afterwards.
                select_avatar: SelectAvatar {
                    /// The player.
                    player: PlayerId,
                    /// URL of the avatar; `None` to select no avatar.
                    url: Option<String>,
                } -> Result<Option<Avatar>, AvatarNotGranted>;

                /// Looks up whether a player has a permission.
                has_permission: HasPermission {
                    /// The player.
                    player: PlayerId,
                    /// The permission.
                    permission: Permission,
                } -> bool;

                /// Lists all co-op missions of known campaigns.
                list_coop_missions: ListCoopMissions {} -> Vec<CoopMission>;

                /// Lists the mods with the most likes, most liked first.
                list_liked_mods: ListLikedMods {
                    /// Maximum number of mods in the reply.
                    limit: u32,
                } -> Vec<VaultMod>;

                /// Adds a player's like to a mod, once per player.
                like_mod: LikeMod {
                    /// The player.
                    player: PlayerId,
                    /// Uid of the mod.
                    uid: String,
                } -> Result<Like, UnknownMod>;

                /// Adds one to the downloads of a mod.
                count_download: CountDownload {
                    /// Uid of the mod.
                    uid: String,
                } -> Result<(), UnknownMod>;

                /// Looks up the ban of a player that ends last, in force or not.
                find_ban: FindBan {
                    /// The player.
                    player: PlayerId,
                } -> Option<Ban>;

                /// Records a player's attempt to join a game, then looks up the ban as [`FindBan`]
                /// does. An attempt that cannot be recorded does not fail the request.
                attempt_join: AttemptJoin {
                    /// The player.
                    player: PlayerId,
                    /// The game and the player's address.
                    attempt: JoinAttempt,
                } -> Option<Ban>;

                /// Looks up the map in a folder; `None` if it is not in the vault.
                find_map: FindMap {
                    /// Folder name, lower-case.
                    folder: String,
                } -> Option<MapVersion>;

                /// Records that the id of a game is taken, so that no other game ever gets it,
                /// whatever happens to this game and to the server; then looks up the map as
                /// [`FindMap`] does.
                open_game: OpenGame {
                    /// The player who hosts it.
                    host: PlayerId,
                    /// Id of the game.
                    game: GameId,
                    /// Folder name of the map, lower-case.
                    folder: String,
                } -> Option<MapVersion>;

                /// Looks up the names of mods. The reply contains those that are in the vault,
                /// by uid.
                find_mod_names: FindModNames {
                    /// Uids of the mods.
                    uids: Vec<String>,
                } -> BTreeMap<String, String>;
            }
            lobby {
                /// Reads the featured mods, ranked mods, leaderboards and queues.
                read_game_data: ReadGameData {} -> Box<GameData>;

                /// Records that the id of a match's game is taken, as [`OpenGame`] does. The reply
                /// has the map versions that the players have played in the queue within the last
                /// day: of each at most `limit`, the newest first, one player after the other.
                open_match: OpenMatch {
                    /// The player who hosts it.
                    host: PlayerId,
                    /// Id of the game.
                    game: GameId,
                    /// The queue.
                    queue: QueueId,
                    /// All players of the match.
                    players: Vec<PlayerId>,
                    /// Maximum number of games of each player, including those on generated maps.
                    limit: u32,
                } -> Vec<u32>;

                /// Reads the avatar that a player has selected; `None` for no avatar.
                read_avatar: ReadAvatar {
                    /// The player.
                    player: PlayerId,
                } -> Option<Avatar>;

                /// Saves parties, searches and violations in place of the last ones.
                save_queues: SaveQueues {
                    /// The new state.
                    saved: Box<SavedQueues>,
                } -> ();

                /// Stores a write about a game in one transaction, so that it survives a crash of
                /// the machine. After the end of a rated game, the reply has the ratings that have
                /// changed. There is at most one such request at a time for each game.
                store_game: StoreGame {
                    /// The game.
                    game: GameId,
                    /// The content of the write.
                    write: GameWrite,
                    /// Publications to store with it, in addition to those that follow from the end
                    /// of the game.
                    publications: GamePublications,
                } -> Result<Vec<RatingChange>, Contradiction>;
            }
        }
    };
}

pub(crate) use request_table;

/// A kind of request, with the type of its reply.
pub trait RequestKind: Sized {
    /// The reply, unless the service is unavailable.
    type Reply;

    /// Returns a reply with the ticket of its request.
    fn reply(ticket: Ticket<Self>, reply: Result<Self::Reply, Unavailable>) -> Reply;

    /// Returns this request with its ticket.
    fn request(self, ticket: Ticket<Self>) -> Request;
}

/// The result of a request.
pub type ReplyTo<R> = Result<<R as RequestKind>::Reply, Unavailable>;

/// The request could not be performed: the database cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable;

/// Number of a request. Numbers increase with every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// Identifies one request of the kind `R` until its reply has come.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Ticket<R> {
    id: RequestId,
    #[serde(skip)]
    kind: PhantomData<fn() -> R>,
}

impl<R> Ticket<R> {
    /// Returns the ticket of the request with this number.
    #[must_use]
    pub fn new(id: RequestId) -> Self {
        Self { id, kind: PhantomData }
    }

    /// Number of the request.
    #[must_use]
    pub fn id(self) -> RequestId {
        self.id
    }
}

impl<R: RequestKind> Ticket<R> {
    /// Returns the reply to the request.
    #[must_use]
    pub fn reply(self, reply: ReplyTo<R>) -> Reply {
        R::reply(self, reply)
    }
}

impl<R> Copy for Ticket<R> {}

impl<R> Clone for Ticket<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> PartialEq for Ticket<R> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<R> fmt::Debug for Ticket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.id.0)
    }
}

macro_rules! declare_requests {
    (commands { $($commands:tt)* } lobby { $($lobby:tt)* }) => {
        declare_requests! { rows $($commands)* $($lobby)* }
    };
    (rows $(
        $(#[$doc:meta])*
        $table:ident: $name:ident { $( $(#[$member_doc:meta])* $member:ident: $type:ty, )* } -> $reply:ty;
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub struct $name {
                $( $(#[$member_doc])* pub $member: $type, )*
            }

            impl RequestKind for $name {
                type Reply = $reply;

                fn reply(ticket: Ticket<Self>, reply: ReplyTo<Self>) -> Reply {
                    Reply::$name(ticket, reply)
                }

                fn request(self, ticket: Ticket<Self>) -> Request {
                    Request::$name(ticket, self)
                }
            }
        )*

        /// A request of the lobby with its ticket.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Request {
            $( $(#[$doc])* $name(Ticket<$name>, $name), )*
        }

        /// The reply to a [`Request`], with the same ticket.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Reply {
            $(
                #[doc = concat!("The reply to [`", stringify!($name), "`].")]
                $name(Ticket<$name>, ReplyTo<$name>),
            )*
        }

        impl Request {
            /// Number of the request.
            #[must_use]
            pub fn id(&self) -> RequestId {
                match self {
                    $( Self::$name(ticket, _) => ticket.id(), )*
                }
            }

            /// Returns the reply which says that the request could not be performed.
            #[must_use]
            pub fn unavailable(&self) -> Reply {
                match self {
                    $( Self::$name(ticket, _) => ticket.reply(Err(Unavailable)), )*
                }
            }
        }

        impl Reply {
            /// Number of the request.
            #[must_use]
            pub fn id(&self) -> RequestId {
                match self {
                    $( Self::$name(ticket, _) => ticket.id(), )*
                }
            }

            /// Returns whether the request could not be performed.
            #[must_use]
            pub fn is_unavailable(&self) -> bool {
                match self {
                    $( Self::$name(_, reply) => reply.is_err(), )*
                }
            }
        }
    };
}

request_table!(declare_requests);
