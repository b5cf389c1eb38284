//! The FAF lobby as a pure state machine.
//!
//! ```text
//!                 handle(now, Event)
//!   the shell  ----------------------->  World
//!   sockets,   handle_timeout(now)       sessions, players,
//!   database,  ----------------------->  questions, timers
//!   clock      <-----------------------
//!                 poll_effect()
//!                 next_deadline()
//! ```
//!
//! No socket, clock, thread, database or randomness is in here: the same events at the same times give the same
//! effects. See [`World`] for how to drive it.
//!
//! Every command of a client has a file of its own under its wire name in `commands/`, and `commands/mod.rs` shows all
//! of them in one table.

mod admission;
mod client_text;
mod clients;
mod clock;
mod closing;
mod commands;
mod effect;
mod ejection;
mod event;
mod explanation;
mod failed_logins;
mod game_commands;
pub mod game_options;
mod games;
mod limits;
pub mod lists;
mod login;
pub mod maps;
mod network;
mod pacing;
mod players;
mod publication;
pub mod ratings;
mod refusal;
mod remembered;
pub mod results;
mod roster;
mod session;
mod settings;
pub mod statistics;
mod texts;
mod timers;
pub mod validity;
mod world;

pub use client_text::{Escaped, escaped, is_allowed_in_name, is_legible};
pub use clients::Client;
pub use clock::{Moment, Timestamp};
pub use effect::{Audience, Count, Effect, LogLine, LoginMethod, Permission, Question, Relation};
pub use event::{Account, Answer, Ban, ConnId, Event, MapVersion, Profile, Ticket, TokenFault, VaultMod};
pub use explanation::Decision;
pub use games::{
    Beginning, Game, GameData, GameEnd, GameLaunched, GameState, GameWrite, JoinAttempt, LivePlayer, Note,
    PlayerResult, RatedGame,
};
pub use limits::Limit;
pub use network::{Network, network};
pub use pacing::CommandClass;
pub use publication::{ArmyResult, GamePublications, GameResults, Publication, RatingUpdate, TeamResults};
pub use settings::Settings;
pub use world::World;
