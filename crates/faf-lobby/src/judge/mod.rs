//! `faf-lobby judge`: runs what the clients of a recorded server have sent through this lobby, in
//! recorded order and time, and compares what each client would have been sent with what it
//! was sent.
//!
//! ```text
//!   recording --> ahead -----> run ----> World, with the database
//!                   |           |             |
//!                   | answers,  | recorded    | ours
//!                   | rounds    v             v
//!                   +------->  lanes: pieces of both sides
//!                                |
//!                                v
//!                             findings: listed or unexplained --> report
//! ```
//!
//! Decisions of chance and of other services are taken from the recording (`answers`,
//! `rounds`). The rules of comparison are those of [`faf_sessions::compare`].

mod ahead;
mod answers;
mod bytes;
mod examples;
mod findings;
mod heard;
mod html;
mod lanes;
mod realign;
mod report;
mod rounds;
mod run;

pub use examples::Chosen;
pub use html::page;
pub use report::{Example, Kind, Messages, Report, RoundCounts};
pub use run::Judge;
