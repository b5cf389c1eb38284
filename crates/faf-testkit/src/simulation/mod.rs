//! Whole evenings of a lobby in simulated time: hundreds of [bots](faf_bots), which also misbehave,
//! and an environment of the lobby in which everything can fail.
//!
//! Everything follows from a seed: the same seed gives the same evening, byte for byte.
//! `invariants/laws.rs` lists the laws that must always hold. An evening that breaks a law is
//! reported with its last events and the command that repeats it.
//!
//! ```text
//!   player.rs, mischief.rs      evening.rs           environment.rs
//!   bots, and actions      -->  schedule of     -->  the lobby, its store,
//!   beyond playing         <--  events          <--  the clock
//!                                    |
//!                                    v
//!                               invariants/         trace.rs, coverage.rs
//!                               laws                trace and counts
//! ```

pub mod cluster;
mod coverage;
mod environment;
mod evening;
mod host_probe;
pub mod invariants;
mod many;
mod messages;
mod mischief;
mod player;
mod random;
mod trace;

pub use coverage::{Coverage, EXPECTED};
pub use evening::{Evening, Failure, Plan, Summary};
pub use many::{Many, play_many, run_many};

pub(crate) use faf_lobby_core::ratings::{GLOBAL, LADDER};

/// Share of the players above which those who lose their connection do so for a common cause.
/// Players of an evening come and go much more often than real ones.
pub(crate) const COMMON_LOSSES_SHARE: f64 = 0.4;

/// Number of games with which some accounts start: more than anyone plays in an evening.
pub(crate) const GAMES_BEFORE: u32 = 1000;
