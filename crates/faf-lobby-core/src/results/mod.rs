//! Game results: from the reports of game processes to the outcome of every team (game-results.md
//! sections 1 to 3).
//!
//! ```text
//!  GameResult ---> Report ---> Reports ---> ArmyVerdict ---> Resolution
//!    (text)         read                     one vote         one rule
//!                                            per army         for all teams
//! ```
//!
//! Every game process reports each army that it sees fall, so an army normally has as many reports
//! as the game has players.

mod agreement;
mod army;
mod report;
mod teams;

pub use agreement::is_agreed;
pub use army::{ArmyVerdict, REPORTS_PER_REPORTER_MAX, Reports};
pub use report::{Outcome, REPORT_TEXT_MAX, Report};
pub(crate) use teams::{NO_TEAM, group};
pub use teams::{Participant, Resolution, ResolvedTeam, TeamRule, resolve_teams};
