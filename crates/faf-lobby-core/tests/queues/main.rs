//! Queues: how parties enter them and leave them, what everybody is told of them, and how they
//! change (matchmaking.md sections 1, 2, 4, 7, 10.3 and 11).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../matchmaker/mod.rs"]
mod matchmaker;

mod bad_input;
mod changes;
mod refusals;
mod reports;
mod rounds;
mod searching;
mod server_end;

fn started(queue: &str) -> String {
    format!("{queue} start")
}

fn stopped(queue: &str) -> String {
    format!("{queue} stop")
}
