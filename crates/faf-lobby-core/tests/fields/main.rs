//! Every field that the lobby stores or publishes, and other details that a single wrong line would
//! change unnoticed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../games/support.rs"]
#[allow(dead_code, reason = "the tests of games use the rest")]
mod support;

mod achievements;
mod bans;
mod passwords;
mod seen;
mod stored;
