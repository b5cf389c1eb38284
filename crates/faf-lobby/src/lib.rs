//! The lobby server: sockets, database and operations around [`faf_lobby_core`].
//!
//! ```text
//!   listener ---> session ---> lobby ----> fan_out ---> outboxes of the sessions
//!   PROXY,        reads one    World       encodes once
//!   upgrade       message      |   ^
//!                 at a time    v   |
//!                            answers ---> store, tokens, passwords
//! ```
//!
//! [`server::Server`] puts it together; [`config::Settings`] say how. The command line is in [`cli`].

mod auth;
pub mod cli;
pub mod config;
mod delivery;
pub mod exit_code;
mod lobby;
mod net;
mod ops;
pub mod server;
pub mod store;

pub use auth::passwords;
pub use ops::recorder;
