//! The matchmaker's rules as pure functions (matchmaking.md).
//!
//! Each file has one rule. No rule reads the state of the lobby: each takes what it needs, the time
//! and the random numbers included, as arguments.

pub mod game_name;
pub mod generated_map;
pub mod map_choice;
pub mod map_pool;
pub mod random;
pub mod slots;
pub mod vetoes;
pub mod violations;
