//! FAF's MariaDB as a database of the lobby server: FAF's schema v133 to v146, which other services
//! read and write at the same time.
//!
//! ```text
//!   accounts.rs, bans.rs, ...   one file per family of operations
//!        |
//!   worker.rs       threads, each with a connection; one of them writes about games, in order
//!   shared.rs       state that they share
//!        |
//!   session.rs      one connection: statements in, rows out
//!        |
//!   connect.rs, schema.rs, own_tables.rs   what a new connection sets and finds out
//! ```
//!
//! Whatever FAF's schema has no place for lies in tables of this server, whose names begin with
//! `faf_lobby_`: see [`MariaDb::missing`]. Acknowledged writes survive a crash of the database
//! as far as the database is configured to (`innodb_flush_log_at_trx_commit = 1`, its default).
//!
//! The types of the driver do not leave this crate.

mod accounts;
mod avatars;
mod ban_watch;
mod bans;
mod connect;
mod error;
mod facts;
mod game_data;
mod game_end;
mod games;
mod history;
mod inspect;
mod joins;
mod launch;
mod live_game;
mod maps;
mod mod_vault;
mod notes;
mod open;
mod options;
mod orders;
mod outage;
mod outbox;
mod own_tables;
mod owner;
mod permissions;
mod profile;
mod queues;
mod ratings;
mod schema;
mod seed;
mod session;
mod shared;
mod social;
mod timings;
mod upkeep;
mod worker;

pub use inspect::inspect;
pub use open::MariaDb;
pub use options::Options;
pub use owner::{Owner, OwnerError, Ownership, Share, owner};
pub use schema::{NEWEST_SCHEMA, OLDEST_SCHEMA};
pub use timings::{BUCKETS, Family, FamilyTimings, Timings};
