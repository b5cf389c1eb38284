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
//! [`server::Server`] puts it together; [`settings::Settings`] say how. The command line is in [`cli`].

mod answers;
pub mod cli;
mod country;
pub mod demo;
pub mod exit_code;
mod failed_logins;
mod fan_out;
mod happenings;
mod health;
mod http;
mod listener;
mod lobby;
mod log;
mod metrics;
mod newcomers;
mod open_files;
mod orders;
pub mod passwords;
mod policy;
mod publish;
pub mod recorder;
mod seat;
pub mod server;
mod session;
pub mod settings;
pub mod store;
mod tokens;
mod turned_away;
