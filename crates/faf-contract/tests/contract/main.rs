//! The contract holds for everything that is known: golden sessions, examples, and the documents of
//! this repository.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documents;
mod examples;
mod golden;
mod mutations;
mod ours;
mod recorded;
