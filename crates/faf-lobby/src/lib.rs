//! The lobby server: sockets, database and operations around [`faf_lobby_core`].
//!
//! ```text
//!   net/ -------------------> lobby/ ------> delivery/ ---> sockets
//!   listener: admission       event_loop:    encodes once,
//!   session: reads one        the World      keeps backlogs
//!   message at a time         |   ^
//!                             v   |
//!                          requests ---> store/, auth/
//! ```
//!
//! [`server::Server`] assembles and runs these parts as [`config::Settings`] say. The command line
//! is in [`cli`].

mod auth;
pub mod cli;
mod clock;
#[cfg(feature = "nats")]
mod cluster;
pub mod config;
mod delivery;
pub mod exit_code;
pub mod judge;
mod lobby;
mod net;
mod ops;
mod publish;
pub mod server;
pub mod store;
mod version;

pub use auth::passwords;
pub use ops::recorder;
