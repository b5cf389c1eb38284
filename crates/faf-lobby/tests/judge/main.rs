//! Judges recordings: the recorded sessions of the original server, and evenings of this one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod command;
mod evening;
mod golden_sessions;
mod rig;
mod strict;
