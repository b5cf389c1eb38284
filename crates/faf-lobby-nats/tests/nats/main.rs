//! Tests with a real server.

mod appending;
mod connecting;
mod credentials;
mod failures;
mod messages;
mod snapshots;
mod support;
