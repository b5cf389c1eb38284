//! The matchmaker's rules as pure functions (matchmaking.md).
//!
//! Each file has one rule. None of them knows the lobby: they take facts, time and chance as
//! arguments and return what follows.

pub mod game_name;
pub mod generated_map;
pub mod map_choice;
pub mod map_pool;
pub mod queue;
pub mod random;
pub mod slots;
pub mod vetoes;
pub mod violations;
