//! Scenarios of custom games, from hosting to the result, in simulated time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod belonging;
mod bounds;
mod live;
mod lobby;
mod preconditions;
mod reports;
mod snapshots;
mod storage;
mod support;
mod visibility;
