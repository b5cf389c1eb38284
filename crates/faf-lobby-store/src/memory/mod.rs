//! An in-memory database for tests, the simulation and demonstrations. Its content is lost when the
//! process ends.

#![expect(clippy::needless_pass_by_value, reason = "operations take what other databases hand to a thread")]

mod accounts;
mod facts;
mod games;
mod history;
mod outbox;
mod players;
mod queues;
mod seed;
mod vault;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_core::ratings::{GLOBAL, LADDER, Leaderboard, Leaderboards, RatingChange};
use faf_lobby_core::{
    Ban, Decision, Game, GameData, GameEnd, GameLaunched, GamePublications, GameWrite, MapVersion, Note,
    Permission, SavedQueues, Timestamp,
};
use faf_protocol::server_message::{Avatar, CoopMission, LeaderboardRating};
use faf_protocol::{GameId, PlayerId};

use crate::facts::{JoinFact, JournalFact, ModFact};
use crate::{Message, Role, StoreError, login_key};

use queues::QueueGame;
pub use vault::MemoryMod;

/// Everything that is stored, open to tests. Implements all operations of the list as
/// plain methods.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Accounts, by number; [`add_account`](Self::add_account) adds one.
    pub accounts: BTreeMap<PlayerId, MemoryAccount>,
    /// Numbers of the accounts, by the form of their names that is compared.
    numbers: BTreeMap<String, PlayerId>,
    /// Permissions of each group, by technical name of the group; initially those of moderators
    /// and administrators.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Avatars that may be granted, by number.
    pub avatars: BTreeMap<u32, Avatar>,
    /// Co-op missions, in the order of their numbers.
    pub missions: Vec<CoopMission>,
    /// Versions of mods in the vault.
    pub mods: Vec<MemoryMod>,
    /// Featured mods, ranked mods, leaderboards and queues; initially `faf` and `coop`, no ranked
    /// mods, the two leaderboards that every lobby has, and no queues. A queue's rating peak counts
    /// only until there is a game on its leaderboard.
    pub data: GameData,
    /// Ids of the queues of a seed, including those that are not enabled or cannot be used.
    queue_ids: BTreeSet<QueueId>,
    /// Parties, searches and violations, as saved last.
    saved_queues: SavedQueues,
    /// How often they were saved.
    pub saves_of_queues: u32,
    /// Games of the matchmaker, in the order in which they were stored.
    queue_games: Vec<QueueGame>,
    /// Maps by folder name, lower-case.
    pub maps: BTreeMap<String, MapVersion>,
    /// Highest assigned game number.
    pub last_game: GameId,
    /// Launched games, by number.
    pub games: BTreeMap<GameId, MemoryGame>,
    /// Attempts to join a game, including the host's own arrival.
    pub joins: Vec<JoinFact>,
    /// Number of the map of each version; a version without an entry counts as a map of its own.
    map_numbers: BTreeMap<u32, u32>,
    map_versions_played: BTreeMap<u32, u32>,
    mod_stats: BTreeMap<u32, ModFact>,
    journal: Vec<JournalFact>,
    orders: Vec<accounts::StoredOrder>,
    last_order: i64,
    own_key: Option<Vec<u8>>,
    outbox: Vec<(i64, Message)>,
    last_message: i64,
    /// Number of numbered publications of each game that were put into the outbox.
    published: BTreeMap<GameId, u32>,
    beats: u32,
    clock: Clock,
}

/// Returns the current time.
#[derive(Debug, Clone, Copy)]
struct Clock(fn() -> Timestamp);

impl Default for Clock {
    fn default() -> Self {
        Self(|| Timestamp(0))
    }
}

/// A launched game, with everything that is stored about it.
#[derive(Debug, Clone)]
pub struct MemoryGame {
    /// The game at its launch.
    pub launched: GameLaunched,
    /// The game as last saved, until it is over.
    pub saved: Option<Game>,
    /// The end of the game, with its results.
    pub end: Option<GameEnd>,
    /// Steps that decided whether the game is rated; present once it is over.
    pub decisions: Vec<Decision>,
    /// In-game events that are stored.
    pub notes: Vec<Note>,
    /// Rating changes that the game caused.
    pub ratings: Vec<RatingChange>,
}

/// An account with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct MemoryAccount {
    /// Number of the account.
    pub id: PlayerId,
    /// Name of the account.
    pub login: String,
    /// Hash of the password.
    pub password: String,
    /// Bans, in force or not.
    pub bans: Vec<Ban>,
    /// Avatars that the player may select.
    pub avatars: Vec<Avatar>,
    /// The selected avatar.
    pub avatar: Option<Avatar>,
    /// Tag of the clan.
    pub clan: Option<String>,
    /// Ratings by leaderboard.
    pub ratings: Vec<(String, LeaderboardRating)>,
    /// Number of rated games that were won, by leaderboard.
    pub won_games: BTreeMap<String, u32>,
    /// Technical names of the account's groups.
    pub groups: Vec<String>,
    /// Permissions by technical name, in addition to those of the groups.
    pub permissions: Vec<&'static str>,
    /// Numbers of the player's friends.
    pub friends: BTreeSet<PlayerId>,
    /// Numbers of the player's foes.
    pub foes: BTreeSet<PlayerId>,
    /// Address of the last login.
    pub ip: Option<String>,
    /// User agent of the last login.
    pub user_agent: Option<String>,
    /// Time of the last login.
    pub last_login: Option<Timestamp>,
}

impl MemoryAccount {
    /// Creates an account that has nothing else.
    #[must_use]
    pub fn new(id: PlayerId, login: String, password: String) -> Self {
        Self {
            id,
            login,
            password,
            bans: Vec::new(),
            avatars: Vec::new(),
            avatar: None,
            clan: None,
            ratings: Vec::new(),
            won_games: BTreeMap::new(),
            groups: Vec::new(),
            permissions: Vec::new(),
            friends: BTreeSet::new(),
            foes: BTreeSet::new(),
            ip: None,
            user_agent: None,
            last_login: None,
        }
    }
}

impl Memory {
    /// Creates a database with the records that every lobby needs; `clock` returns the
    /// current time.
    #[must_use]
    pub fn new(clock: fn() -> Timestamp) -> Self {
        let leaderboard = |id, name: &str| Leaderboard { id, name: name.to_owned(), initializer: None };
        let data = GameData {
            featured_mods: BTreeMap::from([("faf".to_owned(), 0), ("coop".to_owned(), 25)]),
            ranked_mods: BTreeSet::new(),
            leaderboards: Leaderboards::new(vec![leaderboard(1, GLOBAL), leaderboard(2, LADDER)]),
            queues: Vec::new(),
        };
        let all = [Permission::KickServer, Permission::BroadcastMessage, Permission::JoinChannel];
        let group = |role: Role, permissions: &[Permission]| {
            let names = permissions.iter().map(|permission| permission.technical_name().to_owned());
            role.group().map(|group| (group.to_owned(), names.collect()))
        };
        let groups = [group(Role::Moderator, &all[..1]), group(Role::Administrator, &all)];
        Self { groups: groups.into_iter().flatten().collect(), data, clock: Clock(clock), ..Self::default() }
    }

    /// Adds an account, or replaces the one with this number.
    pub fn add_account(&mut self, account: MemoryAccount) {
        self.numbers.insert(login_key(&account.login), account.id);
        self.accounts.insert(account.id, account);
    }

    fn now(&self) -> Timestamp {
        (self.clock.0)()
    }

    fn unix_now(&self) -> i64 {
        self.now().0.div_euclid(1_000_000)
    }

    fn name_of(&self, player: PlayerId) -> String {
        self.accounts.get(&player).map(|account| account.login.clone()).unwrap_or_default()
    }

    fn check_account(&self, player: PlayerId) -> Result<(), StoreError> {
        let is_known = self.accounts.contains_key(&player);
        is_known.then_some(()).ok_or_else(|| contradiction(format!("there is no player {player}")))
    }
}

fn contradiction(reason: String) -> StoreError {
    StoreError::Contradiction(reason)
}

/// A [`Memory`] that can be shared; clones refer to the same data. It is a backend like any other.
#[derive(Debug, Clone)]
pub struct SharedMemory(Arc<Mutex<Memory>>);

impl SharedMemory {
    /// Wraps a database for sharing.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self(Arc::new(Mutex::new(memory)))
    }

    /// Locks the database.
    pub fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

macro_rules! share {
    ($(
        $(#[$about:meta])*
        $family:ident { $(
            $(#[$doc:meta])*
            $operation:ident($($argument:ident: $type:ty),*) -> $result:ty;
        )* }
    )*) => { $(
        impl crate::$family for SharedMemory {
            $(
                fn $operation(&self, $($argument: $type),*) -> impl Future<Output = $result> + Send {
                    ready(self.lock().$operation($($argument),*))
                }
            )*
        }

        /// For one holder, who may look into the database between the operations.
        impl crate::$family for RefCell<&mut Memory> {
            $(
                fn $operation(&self, $($argument: $type),*) -> impl Future<Output = $result> + Send {
                    ready(self.borrow_mut().$operation($($argument),*))
                }
            )*
        }
    )* };
}

crate::operations!(share);

impl crate::Games for SharedMemory {
    fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> impl Future<Output = Result<Vec<RatingChange>, StoreError>> + Send + use<> {
        ready(self.lock().store_game(game, write, publications))
    }
}
