//! Snapshots for clients that have just logged in: lists of players and games that all such
//! clients share.

mod games;
mod id;
mod players;
pub mod size;

pub(crate) use games::*;
pub use id::*;
pub(crate) use players::*;
