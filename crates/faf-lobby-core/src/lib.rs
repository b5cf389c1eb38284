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
mod io;
mod limits;
pub mod lists;
mod login;
pub mod maps;
mod network;
mod pacing;
mod pending;
mod players;
mod publication;
pub mod ratings;
mod refusal;
mod remembered;
pub mod results;
mod roster;
mod session;
mod settings;
mod snapshot_id;
pub mod statistics;
mod texts;
mod timers;
pub mod validity;
mod world;

pub use client_text::{Escaped, escaped, is_allowed_in_name, is_legible};
pub use clients::Client;
pub use clock::{Moment, Timestamp};
pub use effect::{Audience, Count, Effect, HoldReason, LogLine, LoginMethod};
pub use event::{ConnId, Event};
pub use explanation::Decision;
pub use games::{
    Beginning, Game, GameData, GameEnd, GameLaunched, GameState, GameWrite, LivePlayer, Note, PlayerResult,
    RatedGame,
};
pub use io::records::{
    Account, AvatarNotGranted, Ban, Busy, Contradiction, JoinAttempt, Like, MapVersion, Permission, Profile,
    Relation, TokenFault, UnknownMod, UnknownPlayer, VaultMod,
};
pub use io::request;
pub use io::request::{Reply, ReplyTo, Request, RequestId, RequestKind, Ticket, Unavailable};
pub use limits::Limit;
pub use network::{Network, network};
pub use pacing::CommandClass;
pub use publication::{ArmyResult, GameResults, Publication, RatingUpdate, TeamResults};
pub use settings::Settings;
pub use snapshot_id::{SnapshotId, SnapshotList};
pub use world::World;
