//! What the FAF lobby stores, whatever the database: the list of operations, the types they take
//! and return, what can go wrong, and a database in memory.
//!
//! ```text
//!   operations.rs        one list, a family a trait
//!        |
//!        +--> Backend    what a database implements, for example SQLite in the crate `faf-lobby`
//!        +--> requests   the lobby's requests that need nothing else
//!        +--> memory     a database in memory, a family a file
//! ```
//!
//! The conformance suite that every backend must pass is in `faf_testkit::conformance`.
//!
//! No socket, clock, thread or database is in here.

mod columns;
mod error;
pub mod facts;
mod login;
pub mod memory;
mod model;
mod operations;
pub mod rating;
mod requests;
pub mod seed;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite};
use faf_protocol::GameId;

pub use columns::{
    CAMPAIGNS, MISSION_PLAYERS_LIMIT, Place, TEAMKILL_TIME_LIMIT, TITLE_LIMIT, is_placed, place,
};
pub use error::{AccountError, Failures, Reason, SeedError, StoreError};
pub use login::{LOGIN_LIMIT, is_valid_login, login_key};
pub use model::{
    Action, GameFilter, GameRecord, LaunchedGame, ListedAccount, ListedGame, Message, Order, PlayerRecord,
    RecordedRating, Role, StoredAccount, Waiting,
};
pub use requests::perform;

macro_rules! traits {
    ($(
        $(#[$about:meta])*
        $family:ident { $(
            $(#[$doc:meta])*
            $operation:ident($($argument:ident: $type:ty),*) -> $result:ty;
        )* }
    )*) => {
        $(
            $(#[$about])*
            pub trait $family {
                $(
                    $(#[$doc])*
                    fn $operation(&self, $($argument: $type),*) -> impl Future<Output = $result> + Send;
                )*
            }
        )*

        /// All operations of the list.
        pub trait Operations: $($family +)* {}

        impl<T: $($family +)*> Operations for T {}
    };
}

operations!(traits);

/// Everything that a server needs of its database.
pub trait Backend: Operations + Games + Clone + Send + Sync + 'static {}

impl<T: Operations + Games + Clone + Send + Sync + 'static> Backend for T {}

/// Games that are being played.
///
/// There is one write at a time for each game, and the lobby tries again what has failed. It may
/// have been carried out all the same; so every write can be carried out twice and leaves what it
/// would have left once. Only for a killing of a team mate there may be a second row, as there is
/// for every player who reports it.
pub trait Games {
    /// Stores something about a game, with the messages for other services that follow from it, so
    /// that it outlives a crash of the machine: all of it, or nothing. Returns the ratings that
    /// have changed.
    ///
    /// The write is handed to the database when this returns, whether the result is waited for or
    /// not, and writes are carried out in the order in which they were handed over.
    ///
    /// A game that cannot be rated keeps its results; the reason is added to its decisions.
    fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> impl Future<Output = Result<Vec<RatingChange>, StoreError>> + Send + use<Self>;
}
