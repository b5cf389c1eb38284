//! Experiments with the matchmaker: the searches of an evening, run again under other settings.
//!
//! ```text
//!   World, QueueEvent  --Extraction-->  Trace  <--JSON Lines-->  a file
//!   (a recording)                         |
//!                                         |  MatchmakingSettings, changed by a Change
//!                                         v
//!                                       play  -->  Run  -->  Report  -->  table, CSV, SVG
//! ```
//!
//! A [`Trace`] has all searches of an evening: when they began, with whom, and when they were
//! cancelled. [`play`] runs the timers and rounds of the queues over it, with the rules of the
//! lobby themselves. With the settings of the evening it makes the matches of the evening.
//!
//! This is a crate of its own because the lobby does not use it, while the server, for its
//! recordings, and the test kit, for made-up evenings, both do. It is pure, as the lobby is.

mod change;
mod extraction;
mod report;
mod run;
mod seconds;
mod trace;

pub use change::{Change, ChangeError};
pub use extraction::Extraction;
pub use report::{Band, Figures, Group, Report};
pub use run::{End, Run, RunSearch, play};
pub use trace::{
    FORMAT, MAGIC, Past, PlayedMatch, Timing, Trace, TraceError, TraceEvent, TraceStep, TracedMatch,
    TracedQueue, TracedRatings, TracedRound, TracedSearch,
};
