//! A database in memory: for tests, the simulation and demonstrations. Nothing of it outlives the
//! process.

#![expect(clippy::needless_pass_by_value, reason = "operations take what other databases hand to a thread")]

mod accounts;
mod facts;
mod games;
mod history;
mod outbox;
mod players;
mod seed;
mod vault;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faf_lobby_core::ratings::{GLOBAL, LADDER, Leaderboard, Leaderboards, RatingChange};
use faf_lobby_core::{
    Ban, Decision, Game, GameData, GameEnd, GameLaunched, GamePublications, GameWrite, JoinAttempt,
    MapVersion, Note, Permission, Timestamp,
};
use faf_protocol::server_message::{Avatar, CoopMission, LeaderboardRating};
use faf_protocol::{GameId, PlayerId};

use crate::facts::JournalFact;
use crate::{Message, Role, StoreError};

pub use vault::MemoryMod;

/// Everything that is stored, open to tests. It has all operations of the list, as plain methods.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Accounts, by name.
    pub accounts: BTreeMap<String, MemoryAccount>,
    /// Permissions of each group, by technical name; at first those of moderators and
    /// administrators.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Avatars that may be granted, by number.
    pub avatars: BTreeMap<u32, Avatar>,
    /// Co-op missions.
    pub missions: Vec<CoopMission>,
    /// Versions of mods in the vault.
    pub mods: Vec<MemoryMod>,
    /// Featured mods, ranked mods and leaderboards; at first `faf` and `coop`, none, and the two
    /// every lobby has.
    pub data: GameData,
    /// Maps by folder name, lower-case.
    pub maps: BTreeMap<String, MapVersion>,
    /// The highest number of a game that was given out.
    pub last_game: GameId,
    /// Games that were launched.
    pub games: BTreeMap<GameId, MemoryGame>,
    /// Attempts to join a game.
    pub join_attempts: Vec<(PlayerId, JoinAttempt)>,
    hosts: Vec<(PlayerId, GameId)>,
    /// Number of the map of each version; versions that are not in here count as a map of their
    /// own.
    map_numbers: BTreeMap<u32, u32>,
    map_versions_played: BTreeMap<u32, u32>,
    mod_stats: BTreeMap<u32, vault::Counters>,
    journal: Vec<JournalFact>,
    orders: Vec<accounts::StoredOrder>,
    last_order: i64,
    own_key: Option<Vec<u8>>,
    outbox: Vec<(i64, Message)>,
    last_message: i64,
    /// How many numbered publications of each game have gone into the outbox.
    published: BTreeMap<GameId, u32>,
    clock: fn() -> Timestamp,
}

/// A game that was launched, with everything that is stored of it.
#[derive(Debug, Clone)]
pub struct MemoryGame {
    /// As it was launched.
    pub launched: GameLaunched,
    /// As it was last saved, until it is over.
    pub saved: Option<Game>,
    /// How it has ended.
    pub end: Option<GameEnd>,
    /// Why it is rated or not, once it is over.
    pub decisions: Vec<Decision>,
    /// What else has happened in it.
    pub notes: Vec<Note>,
    /// What has become of ratings.
    pub ratings: Vec<RatingChange>,
}

/// An account with everything that belongs to it.
#[derive(Debug, Clone, Default)]
pub struct MemoryAccount {
    /// Number of the account.
    pub id: u32,
    /// The hash of the password.
    pub password: String,
    /// Bans, in force or not.
    pub bans: Vec<Ban>,
    /// Avatars that may be selected.
    pub avatars: Vec<Avatar>,
    /// The one that is.
    pub avatar: Option<Avatar>,
    /// Tag of the clan.
    pub clan: Option<String>,
    /// Ratings by leaderboard.
    pub ratings: Vec<(String, LeaderboardRating)>,
    /// Rated games that were won, by leaderboard.
    pub won_games: BTreeMap<String, u32>,
    /// Groups.
    pub groups: Vec<String>,
    /// Permissions by technical name, besides those of the groups.
    pub permissions: Vec<&'static str>,
    /// Friends.
    pub friends: BTreeSet<PlayerId>,
    /// Foes.
    pub foes: BTreeSet<PlayerId>,
    /// Address, program and moment of the last login.
    pub last_login: Option<(Option<String>, Option<String>, Timestamp)>,
}

impl Memory {
    /// A database with what every lobby needs; `clock` tells the time of day.
    #[must_use]
    pub fn new(clock: fn() -> Timestamp) -> Self {
        let leaderboard = |id, name: &str| Leaderboard { id, name: name.to_owned(), initializer: None };
        let data = GameData {
            featured_mods: BTreeMap::from([("faf".to_owned(), 0), ("coop".to_owned(), 25)]),
            ranked_mods: BTreeSet::new(),
            leaderboards: Leaderboards::new(vec![leaderboard(1, GLOBAL), leaderboard(2, LADDER)]),
        };
        let names = |permissions: &[Permission]| -> BTreeSet<String> {
            permissions.iter().map(|permission| permission.technical_name().to_owned()).collect()
        };
        let all = [Permission::KickServer, Permission::BroadcastMessage, Permission::JoinChannel];
        let group = |role: Role, permissions: &[Permission]| {
            role.group().map(|group| (group.to_owned(), names(permissions)))
        };
        let groups = [group(Role::Moderator, &all[..1]), group(Role::Administrator, &all)];
        Self {
            accounts: BTreeMap::new(),
            groups: groups.into_iter().flatten().collect(),
            avatars: BTreeMap::new(),
            missions: Vec::new(),
            mods: Vec::new(),
            data,
            maps: BTreeMap::new(),
            last_game: GameId::default(),
            games: BTreeMap::new(),
            join_attempts: Vec::new(),
            hosts: Vec::new(),
            map_numbers: BTreeMap::new(),
            map_versions_played: BTreeMap::new(),
            mod_stats: BTreeMap::new(),
            journal: Vec::new(),
            orders: Vec::new(),
            last_order: 0,
            own_key: None,
            outbox: Vec::new(),
            last_message: 0,
            published: BTreeMap::new(),
            clock,
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn unix_now(&self) -> i64 {
        self.now().0.div_euclid(1_000_000)
    }

    /// The account of this number, with its name.
    pub fn by_id(&mut self, player: PlayerId) -> Option<(&String, &mut MemoryAccount)> {
        self.accounts.iter_mut().find(|(_, account)| account.id == player.0)
    }

    fn has_account(&self, player: PlayerId) -> bool {
        self.accounts.values().any(|account| account.id == player.0)
    }

    fn name_of(&self, player: PlayerId) -> String {
        let found = self.accounts.iter().find(|(_, account)| account.id == player.0);
        found.map(|(login, _)| login.clone()).unwrap_or_default()
    }
}

/// A [`Memory`] that several hold together; copies are the same. It is a backend like any other.
#[derive(Debug, Clone)]
pub struct SharedMemory(Arc<Mutex<Memory>>);

impl SharedMemory {
    /// Shares a database.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self(Arc::new(Mutex::new(memory)))
    }

    /// The database, for as long as nobody else needs it.
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
