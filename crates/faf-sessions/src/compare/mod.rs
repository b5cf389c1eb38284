//! The rules of comparison (`golden/sessions/README.md`): which values vary, which lists are sets,
//! which messages are merged, and where the order counts.

mod align;
pub mod broker;
mod comparison;
pub mod database;
mod finding;
pub mod generated_maps;
mod messages;
pub mod queues;
mod transcripts;
pub mod values;
mod volatile;

pub use comparison::{Comparison, Heard};
pub use finding::Finding;
pub use messages::{broadcasts, end, forget_other_games, games, is_about_all, is_ping, players, section};
pub use transcripts::transcripts;
pub use volatile::constant_game;
