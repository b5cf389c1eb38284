//! Messages from the golden sessions, one for each message of the contract that occurs there.

use faf_protocol::Message;
use faf_protocol::contract::Entry;
use serde::Deserialize;

/// The chosen messages, one on a line; a test compares them with the sessions.
const CHOSEN: &str = include_str!("../../examples.jsonl");

#[derive(Deserialize)]
struct Line {
    key: String,
    message: Message,
}

/// Returns the recorded example of a message, if it occurs in the golden sessions.
#[must_use]
pub fn of(entry: &Entry) -> Vec<Message> {
    let lines =
        CHOSEN.lines().map(|line| serde_json::from_str::<Line>(line).expect("a test reads all lines"));
    lines.filter(|line| line.key == entry.key).map(|line| line.message).collect()
}
