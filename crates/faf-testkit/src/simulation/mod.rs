//! Whole evenings of a lobby in simulated time: hundreds of [bots](faf_bots), who also do what they should not, and
//! a world around the lobby in which everything fails that can fail.
//!
//! Everything follows from a seed: the same seed is the same evening, byte for byte. What must hold whatever happens is
//! listed in `invariants/laws.rs`. An evening that breaks a law is told with its last events and the command that
//! repeats it.
//!
//! ```text
//!   player.rs, mischief.rs       evening.rs            surroundings.rs
//!   bots, and what players  -->  what happens      -->  the lobby, its store,
//!   do besides               <-- when              <--  the clock
//!                                    |
//!                                    v
//!                               invariants/         trace.rs, coverage.rs
//!                               what must hold      what has happened
//! ```

mod coverage;
mod evening;
pub mod invariants;
mod many;
mod mischief;
mod player;
mod random;
mod sayings;
mod surroundings;
mod trace;

pub use coverage::Coverage;
pub use evening::{Evening, Failure, Plan, Told};
pub use many::{Many, run_many};

pub(crate) use faf_lobby_core::ratings::GLOBAL;

/// Games that some accounts begin with: more than anybody plays in an evening.
pub(crate) const GAMES_BEFORE: u32 = 1000;
