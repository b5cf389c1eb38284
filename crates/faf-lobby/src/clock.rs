//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use faf_lobby_core::Timestamp;

/// Returns the time of day of this machine.
pub(crate) fn utc_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_micros().try_into().unwrap_or(i64::MAX))
}
