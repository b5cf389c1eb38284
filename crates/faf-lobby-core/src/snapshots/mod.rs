//! Snapshots for clients that have just logged in: lists of players and games that all such clients
//! share.

pub(crate) mod games;
pub(crate) mod id;
pub(crate) mod players;
pub mod size;
