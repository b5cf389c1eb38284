//! The rules of comparison (`golden/sessions/README.md`): which values vary, which lists are sets,
//! which messages are merged, and where the order counts.

mod align;
pub mod broker;
pub mod database;
mod finding;
pub mod generated_maps;
mod messages;
pub mod queues;
pub mod values;

pub use finding::Finding;
pub use messages::{broadcasts, constant_game, end, forget_other_games, games, players, section};
