//! The rules of the matchmaker as pure functions: who plays whom in a queue, on which map, in which
//! slots, and what follows if a match fails (matchmaking.md).
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
//!   WaitingTimes how long a search usually takes                    waiting_time.rs
//! ```
//!
//! Around a match: `map_pool.rs` has the brackets and their maps; `vetoes.rs` and `map_choice.rs`
//! choose one, which `generated_map.rs` may have to name; `slots.rs` and `game_name.rs` prepare the
//! game; `violations.rs` decides who must wait before the next search.
//!
//! Everything here is arithmetic: facts, time and chance are arguments, and the same candidates in
//! the same order give the same round. The caller keeps the searches, reads their ratings again
//! before each round, registers the failed attempts of those who are not matched, and starts the
//! matches.

pub mod candidate;
pub mod game_name;
pub mod generated_map;
pub mod map_choice;
pub mod map_pool;
mod pairs;
mod pop_timer;
pub mod queue;
pub mod random;
mod round;
mod settings;
pub mod slots;
pub mod teams;
pub mod trueskill_quality;
pub mod vetoes;
pub mod violations;
mod waiting_time;

pub use candidate::{Candidate, Member};
pub use pop_timer::PopTimer;
pub use round::{
    Match, MatchQuality, PairQuality, QueueRules, Round, Unmatched, UnmatchedReason, play_round,
};
pub use settings::{MatchSettings, MatchmakingSettings};
pub use waiting_time::WaitingTimes;
