//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use faf_lobby_core::Timestamp;

/// Returns the time of day of this machine in Unix seconds.
pub(crate) fn unix_seconds() -> i64 {
    utc_now().0.div_euclid(1_000_000)
}

/// Returns the time of day of this machine.
pub(crate) fn utc_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_micros().try_into().unwrap_or(i64::MAX))
}
