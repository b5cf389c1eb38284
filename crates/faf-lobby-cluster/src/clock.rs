//! The clock of a replica, which only the stream moves.

use std::time::Duration;

use faf_lobby_core::{Moment, Timestamp};
use serde::{Deserialize, Serialize};

/// Most by which one message moves the clock of timers: 10 s.
///
/// Gateways and the leader append several times a second. If nothing was appended for longer, the
/// stream was away or its clock was set: nobody could say anything in that time, so no time limit
/// of a player runs in it.
pub const LONGEST_STEP: Duration = Duration::from_secs(10);

/// The time of the world, computed from the times of the stream's messages alone, so that all
/// replicas have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamClock {
    now: Moment,
}

impl StreamClock {
    /// Starts at a time of day.
    pub(crate) fn at(utc: Timestamp) -> Self {
        Self { now: Moment { elapsed: Duration::ZERO, utc } }
    }

    /// Moves to the time of the next message. A time of day before the last one moves the timers
    /// by nothing, and one long after it by [`LONGEST_STEP`].
    pub(crate) fn advance(&mut self, utc: Timestamp) -> Moment {
        let step = utc.since(self.now.utc).min(LONGEST_STEP);
        self.now = Moment { elapsed: self.now.elapsed + step, utc };
        self.now
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_neither_go_back_nor_jump() {
        let mut clock = StreamClock::at(Timestamp::from_seconds(1000));
        assert_eq!(clock.advance(Timestamp::from_seconds(1003)).elapsed, Duration::from_secs(3));
        let hour_back = clock.advance(Timestamp::from_seconds(-2597));
        assert_eq!(hour_back.elapsed, Duration::from_secs(3));
        assert_eq!(clock.advance(Timestamp::from_seconds(-2596)).elapsed, Duration::from_secs(4));
        assert_eq!(clock.advance(Timestamp::from_seconds(9000)).elapsed, Duration::from_secs(14));
        assert_eq!(clock.now().utc, Timestamp::from_seconds(9000));
    }
}
