//! Stories of matches: from the round that makes one to the launch of its game, or to its failure
//! (matchmaking.md sections 8 to 11, games.md sections 9 and 10).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../matchmaker/mod.rs"]
mod matchmaker;

mod beginning;
mod blame;
mod failure;
mod launching;
mod laws;
mod leaving;
mod returning;
mod server_end;
