//! The rules of matching: who plays whom in a queue (matchmaking.md sections 2 to 6).
//!
//! ```text
//!   a search: players in the order of the party, failed attempts
//!         |
//!         v
//!   Candidate    derived ratings, threshold                         candidate.rs
//!         |
//!         v
//!   play_round   1 player in a team: pairs by stable marriage       pairs.rs, trueskill_quality.rs
//!         |      more:               a game around each search      teams/
//!         v
//!   Round        matches with their quality, and for everyone       round.rs
//!                else the reason
//!
//!   PopTimer     when the next round is due                         pop_timer.rs
//! ```
//!
//! Everything here is arithmetic: nothing is random, and the same candidates in the same order
//! give the same round. The caller keeps the searches, reads their ratings again before each
//! round, registers the failed attempts of those who are not matched, and starts the matches.

pub mod candidate;
mod pairs;
mod pop_timer;
mod round;
mod settings;
pub mod teams;
pub mod trueskill_quality;

pub use candidate::{Candidate, Member};
pub use pop_timer::{NextPop, PopTimer};
pub use round::{
    Match, MatchQuality, PairQuality, QueueRules, Round, Unmatched, UnmatchedReason, play_round,
};
pub use settings::MatchmakingSettings;
