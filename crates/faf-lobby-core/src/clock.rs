//! Time as the core receives it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The time of an event, by a monotonic clock and by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Time since the start of the server; never goes back. Used for timers.
    pub elapsed: Duration,
    /// Time of day; may jump when the machine's clock is set. Used for bans and messages.
    pub utc: Timestamp,
}

/// A point in time: microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Converts whole Unix seconds.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Returns Unix seconds with a fraction.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Returns the time `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_micros().try_into().unwrap_or(i64::MAX)))
    }

    /// Returns the time that has passed since `earlier`; zero if `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).try_into().unwrap_or(0))
    }
}

/// ISO 8601 with the offset `+00:00`, and with microseconds unless they are zero, as
/// clients expect.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i128::from(self.0) * 1000;
        let Ok(date) = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds) else {
            // Beyond the years that the calendar supports.
            return f.write_str("9999-12-31T23:59:59+00:00");
        };
        let (hour, minute, second, micro) = date.to_hms_micro();
        write!(f, "{}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())?;
        write!(f, "T{hour:02}:{minute:02}:{second:02}")?;
        if micro != 0 {
            write!(f, ".{micro:06}")?;
        }
        f.write_str("+00:00")
    }
}

/// Returns the next multiple of `interval` after `now`.
pub(crate) fn next_on_grid(now: Duration, interval: Duration) -> Duration {
    let interval = interval.max(Duration::from_millis(1));
    let passed = now.as_nanos() / interval.as_nanos();
    let next = (passed + 1).saturating_mul(interval.as_nanos());
    Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_written_as_clients_expect() {
        assert_eq!(Timestamp(1_782_907_200_250_000).to_string(), "2026-07-01T12:00:00.250000+00:00");
        assert_eq!(Timestamp::from_seconds(1_582_934_400).to_string(), "2020-02-29T00:00:00+00:00");
        assert_eq!(Timestamp::from_seconds(i64::MAX).to_string(), "9999-12-31T23:59:59+00:00");
    }

    #[test]
    fn the_time_since_a_later_point_is_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(3)), Duration::from_micros(2));
        assert_eq!(Timestamp(3).since(Timestamp(5)), Duration::ZERO);
    }
}
