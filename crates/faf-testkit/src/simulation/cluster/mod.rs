//! Evenings of a cluster in simulated time: cores, gateways and the stream between them, on a
//! network that loses, repeats and delays, with processes that end, stand still and are replaced.
//!
//! Everything follows from a seed. `laws.rs` lists what must always hold; in addition, every law of
//! a single lobby does, because a [`Checker`](super::invariants::Checker) watches a lobby that gets
//! the inputs of the stream. An evening that breaks a law is reported with the command that repeats
//! it.
//!
//! ```text
//!   clients.rs   -->  processes.rs  -->  stream.rs   -->  reference.rs
//!   bots              gateways and       one order        a replica without faults,
//!                <--  cores         <--  of inputs        and a single lobby
//!                          ^
//!                          |
//!                evening.rs, faults.rs
//!                schedule; what fails
//! ```

mod clients;
mod coverage;
mod evening;
mod faults;
mod laws;
mod processes;
mod reference;
mod stream;

pub use coverage::EXPECTED;
pub use evening::{ClusterEvening, ClusterFailure, ClusterPlan, ClusterSummary, Sabotage};
pub use laws::{ClusterLaw, Violation};
