//! The pace of a client that is behind: how fast it reads the bytes offered to it, and when that is
//! too slow.

use std::time::Duration;

use tokio::time::Instant;

/// Least rate of a client, in bytes a second. The slowest line anyone plays over carries ten times
/// as much, so a lower rate is not a slow line but intent.
const MIN_RATE_BYTES_PER_SECOND: u64 = 512;

/// Window over which the rate is measured, in `stall_timeout`s: two minutes by default. TCP
/// receivers open their windows by up to 64 KiB at a time, so a shorter one would be inexact.
const WINDOW_STALL_TIMEOUTS: u32 = 4;

/// Number of checks within `stall_timeout`.
const CHECKS_PER_STALL_TIMEOUT: u32 = 8;

/// Rate from which on a client reads well, in bytes a second: 128 kbit/s. It is not disconnected
/// when memory is short.
const GOOD_RATE_BYTES_PER_SECOND: u64 = 16 * 1024;

/// A client that reads badly counts as slow after this fraction of `stall_timeout`: 5 s by default.
const SLOW_AFTER_DIVISOR: u32 = 6;

/// Bytes that a client that is behind has taken lately. Time counts only while offered bytes
/// wait, and only while the server runs: however late a check comes, it counts at most the
/// usual interval.
#[derive(Debug)]
pub(super) struct Pace {
    /// Time of the last check.
    since: Instant,
    /// Bytes that the socket had taken by then, since the connection began.
    before: u64,
    /// How long the client has taken nothing.
    idle: Duration,
    /// How long offered bytes have waited in this window.
    waited: Duration,
    /// Bytes taken in this window.
    taken: u64,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client reads well.
    Fine,
    /// The client may stay, unless memory is short.
    Slow,
    /// The client has taken nothing for `stall_timeout`.
    Stalled,
    /// The client takes less than the least rate.
    TooSlow,
}

impl Pace {
    pub(super) fn new(now: Instant, taken: u64) -> Self {
        Self { since: now, before: taken, idle: Duration::ZERO, waited: Duration::ZERO, taken: 0 }
    }

    /// Returns the time between two checks.
    pub(super) fn interval(stall_timeout: Duration) -> Duration {
        stall_timeout / CHECKS_PER_STALL_TIMEOUT
    }

    /// Notes that the client, which had taken everything, is offered more.
    pub(super) fn offer(&mut self, now: Instant) {
        self.since = now;
    }

    /// Checks a client. `waits` is whether offered bytes wait, and `taken` the number of bytes that
    /// its socket has taken since the connection began.
    pub(super) fn check(
        &mut self,
        now: Instant,
        waits: bool,
        taken: u64,
        stall_timeout: Duration,
    ) -> Verdict {
        let passed = if waits { now.saturating_duration_since(self.since) } else { Duration::ZERO };
        let passed = passed.min(Self::interval(stall_timeout));
        let more = taken.saturating_sub(self.before);
        (self.since, self.before) = (now, taken);
        self.idle = if more > 0 || !waits { Duration::ZERO } else { self.idle + passed };
        self.waited += passed;
        self.taken += more;
        // Nothing at all is taken.
        if self.idle >= stall_timeout {
            return Verdict::Stalled;
        }
        // Little is taken: this matters only when memory is short.
        let slow_after = stall_timeout / SLOW_AFTER_DIVISOR;
        let mut verdict = Verdict::Fine;
        if self.idle >= slow_after || (self.waited >= slow_after && self.is_below(GOOD_RATE_BYTES_PER_SECOND))
        {
            verdict = Verdict::Slow;
        }
        // A window ends: less than the least rate is taken, or a new window begins.
        if self.waited >= stall_timeout * WINDOW_STALL_TIMEOUTS {
            if self.is_below(MIN_RATE_BYTES_PER_SECOND) {
                return Verdict::TooSlow;
            }
            (self.waited, self.taken) = (Duration::ZERO, 0);
        }
        verdict
    }

    fn is_below(&self, rate: u64) -> bool {
        (self.taken as f64) < rate as f64 * self.waited.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    /// Checks a client that takes `step` bytes every `every` seconds for an hour. Returns the
    /// second and the verdict of its disconnection.
    fn disconnected_at(step: u64, every: u64) -> Option<(u64, Verdict)> {
        let start = Instant::now();
        let mut pace = Pace::new(start, 0);
        (1..3600).find_map(|second| {
            let now = start + Duration::from_secs(second);
            match pace.check(now, true, second / every * step, STALL) {
                Verdict::Fine | Verdict::Slow => None,
                verdict => Some((second, verdict)),
            }
        })
    }

    #[test]
    fn slow_reader_is_disconnected_in_bounded_time_and_a_usable_line_never() {
        assert_eq!(disconnected_at(0, 1), Some((30, Verdict::Stalled)));
        assert_eq!(disconnected_at(1, 1), Some((120, Verdict::TooSlow)));
        assert_eq!(disconnected_at(1_000_000, 60), Some((30, Verdict::Stalled)));
        // A few kilobytes a second, evenly or as a receiver opens its window.
        assert_eq!(disconnected_at(1000, 1), None);
        assert_eq!(disconnected_at(3000, 1), None);
        assert_eq!(disconnected_at(65_536, 25), None);
    }

    #[test]
    fn client_that_slows_down_is_noticed_within_two_windows() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 0);
        let mut taken = 0;
        for second in 1.. {
            taken += if second < 1000 { 100_000 } else { 1 };
            let now = start + Duration::from_secs(second);
            if pace.check(now, true, taken, STALL) == Verdict::TooSlow {
                assert!(second <= 1240, "{second}");
                break;
            }
        }
    }

    #[test]
    fn time_counts_only_while_something_waits_and_the_server_runs() {
        let start = Instant::now();
        let hour = Duration::from_secs(3600);
        let mut pace = Pace::new(start, 0);
        assert_eq!(pace.check(start + hour, false, 0, STALL), Verdict::Fine);
        pace.offer(start + 2 * hour);
        assert_eq!(pace.check(start + 2 * hour + STALL / 10, true, 0, STALL), Verdict::Fine);
        // The process was stopped for an hour, which counts as one interval.
        assert_eq!(pace.check(start + 3 * hour, true, 0, STALL), Verdict::Slow);
        assert!(pace.idle < STALL / 4);
    }

    #[test]
    fn client_that_reads_well_is_not_slow() {
        let start = Instant::now();
        for (rate, verdict) in [(20_000, Verdict::Fine), (10_000, Verdict::Slow)] {
            let mut pace = Pace::new(start, 0);
            for second in 1..6 {
                let now = start + Duration::from_secs(second);
                let seen = pace.check(now, true, second * rate, STALL);
                assert_eq!(seen == Verdict::Fine, second < 5 || verdict == Verdict::Fine, "{rate} {second}");
            }
        }
    }
}
