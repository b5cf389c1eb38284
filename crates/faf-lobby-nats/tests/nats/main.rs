//! Tests with a real server.

mod appending;
mod connecting;
mod failures;
mod messages;
mod snapshots;
mod support;
