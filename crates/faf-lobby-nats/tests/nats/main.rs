//! Tests with a real server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod appending;
mod connecting;
mod credentials;
mod failures;
mod messages;
mod snapshots;
mod support;
