//! Storage of the FAF lobby, independent of the database: the list of operations, the types that
//! they take and return, their errors, and an in-memory database.
//!
//! ```text
//!   operations.rs        one list; each family is a trait
//!        |
//!        +--> Backend    the trait of a database, for example SQLite in the crate `faf-lobby`
//!        +--> requests   executes the lobby's requests that need only the database
//!        +--> memory     an in-memory database; each family is a file
//! ```
//!
//! The conformance suite that every backend must pass is in `faf_testkit::conformance`.
//!
//! This crate has no sockets, clocks, threads or database drivers.

mod columns;
mod error;
pub mod facts;
mod live_game;
mod login;
pub mod memory;
mod model;
mod operations;
pub mod queues;
pub mod rating;
mod requests;
pub mod seed;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite};
use faf_protocol::GameId;

pub use columns::{
    MISSION_PLAYERS_LIMIT, Place, TEAMKILL_TIME_LIMIT, TITLE_LIMIT, campaign, is_placed, place,
    relation_of_status, status_of_relation,
};
pub use error::{AccountError, Failures, Reason, SeedError, StoreError};
pub use live_game::read_live_game;
pub use login::{LOGIN_LIMIT, is_valid_login, login_key};
pub use model::{
    Action, GameFilter, GameRecord, LaunchedGame, ListedAccount, ListedGame, Message, Order, PlayerRecord,
    RecordedRating, Role, StoredAccount, Waiting,
};
pub use requests::{Beyond, perform};

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

/// Everything that a server needs from its database.
pub trait Backend: Operations + Games + Clone + Send + Sync + 'static {}

impl<T: Operations + Games + Clone + Send + Sync + 'static> Backend for T {}

/// Games that are being played.
///
/// Each game has at most one write in flight, and the lobby retries a failed write. A failed write
/// may have taken effect all the same, so every write is idempotent. The exception is a kill of a
/// team mate, which may leave a second row, as it does for every player who reports it.
pub trait Games {
    /// Stores something about a game, together with the resulting messages for other services, so
    /// that it survives a crash of the machine: all of it, or nothing. Returns the changed ratings.
    ///
    /// The write is queued when this function returns, whether the caller awaits the result or not,
    /// and writes are carried out in the order in which they were queued.
    ///
    /// A game that cannot be rated keeps its results; the reason is appended to its decisions.
    fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> impl Future<Output = Result<Vec<RatingChange>, StoreError>> + Send + use<Self>;
}
