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

mod client_text;
mod clock;
mod commands;
mod effect;
mod event;
mod failed_logins;
pub mod game_options;
mod login;
pub mod maps;
mod players;
mod refusal;
pub mod results;
mod session;
mod settings;
mod texts;
pub mod validity;
mod world;

pub use clock::{Moment, Timestamp};
pub use effect::{Audience, Client, Count, Effect, LogLine, LoginMethod, Permission, Question, Relation};
pub use event::{Account, Answer, Ban, ConnId, Event, Profile, Ticket, TokenFault, VaultMod};
pub use settings::Settings;
pub use world::World;
