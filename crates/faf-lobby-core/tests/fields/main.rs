//! Every field of what the lobby has stored and tells other services, and what else a single wrong line would change
//! without anybody noticing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../games/support.rs"]
#[allow(dead_code, reason = "the stories of games use the rest")]
mod support;

mod achievements;
mod bans;
mod passwords;
mod seen;
mod stored;
