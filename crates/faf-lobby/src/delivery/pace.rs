//! How much a client takes of what it is offered, and when that is too little.

use std::time::Duration;

use tokio::time::Instant;

/// The least that a client must take, in bytes a second. The slowest line anybody plays over carries ten times as much; less
/// than this is no line but somebody who wants to be waited for.
const MIN_RATE_BYTES_PER_SECOND: u64 = 512;

/// The window over which that is measured, in times that a client may take nothing: with the default it is two minutes. A receiver
/// opens its window by up to 64 KiB at a time, so that little is said by a shorter one.
const WINDOW: u32 = 4;

/// How often a client is looked at while it may take nothing.
const LOOKS: u32 = 8;

/// A client that takes more, in bytes a second, reads well: 128 kbit/s. When memory is short, it is waited for.
const GOOD_RATE_BYTES_PER_SECOND: u64 = 16 * 1024;

/// When memory is short, a client is called slow after this part of the time for which it may take nothing: 5 s by default.
const SLOW_AFTER: u32 = 6;

/// What a client that is behind has taken lately. Time counts only while something that it was offered waits, and only time in which
/// the server runs: however late the next look comes, at most the usual time between two has passed.
#[derive(Debug)]
pub(super) struct Pace {
    /// From when on time has not been counted.
    since: Instant,
    /// What the socket had taken by then, since the connection began.
    before: u64,
    /// How long it has taken nothing.
    idle: Duration,
    /// How long something has waited in this window, and how much was taken in it.
    waited: Duration,
    taken: u64,
}

/// What is thought of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It takes enough.
    Fine,
    /// It is waited for, but others are waited for sooner when memory is short.
    Slow,
    /// It has taken nothing for too long.
    Stalled,
    /// It takes less than the least rate.
    TooSlow,
}

impl Pace {
    pub(super) fn new(now: Instant, taken: u64) -> Self {
        Self { since: now, before: taken, idle: Duration::ZERO, waited: Duration::ZERO, taken: 0 }
    }

    /// The time between two looks.
    pub(super) fn interval(stall_timeout: Duration) -> Duration {
        stall_timeout / LOOKS
    }

    /// It had taken everything, and is offered more.
    pub(super) fn offer(&mut self, now: Instant) {
        self.since = now;
    }

    /// Looks at a client: whether something that it was offered `waits`, and what its socket has `taken` since the connection
    /// began.
    pub(super) fn look(&mut self, now: Instant, waits: bool, taken: u64, stall_timeout: Duration) -> Verdict {
        let passed = if waits { now.saturating_duration_since(self.since) } else { Duration::ZERO };
        let passed = passed.min(Self::interval(stall_timeout));
        let more = taken.saturating_sub(self.before);
        (self.since, self.before) = (now, taken);
        self.idle = if more > 0 || !waits { Duration::ZERO } else { self.idle + passed };
        self.waited += passed;
        self.taken += more;
        if self.idle >= stall_timeout {
            return Verdict::Stalled;
        }
        let slow_after = stall_timeout / SLOW_AFTER;
        let mut verdict = Verdict::Fine;
        if self.idle >= slow_after || (self.waited >= slow_after && self.is_below(GOOD_RATE_BYTES_PER_SECOND))
        {
            verdict = Verdict::Slow;
        }
        if self.waited >= stall_timeout * WINDOW {
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

    /// Looks at a client that takes `step` bytes every `every` seconds, until it is given up or an hour is over.
    fn given_up(step: u64, every: u64) -> Option<(u64, Verdict)> {
        let start = Instant::now();
        let mut pace = Pace::new(start, 0);
        (1..3600).find_map(|second| {
            let now = start + Duration::from_secs(second);
            match pace.look(now, true, second / every * step, STALL) {
                Verdict::Fine | Verdict::Slow => None,
                verdict => Some((second, verdict)),
            }
        })
    }

    #[test]
    fn whoever_takes_little_is_given_up_in_bounded_time_and_an_honest_line_never() {
        assert_eq!(given_up(0, 1), Some((30, Verdict::Stalled)));
        assert_eq!(given_up(1, 1), Some((120, Verdict::TooSlow)));
        assert_eq!(given_up(1_000_000, 60), Some((30, Verdict::Stalled)));
        // A few kilobytes a second, evenly or as a receiver opens its window.
        assert_eq!(given_up(1000, 1), None);
        assert_eq!(given_up(3000, 1), None);
        assert_eq!(given_up(65_536, 25), None);
    }

    #[test]
    fn whoever_slows_down_is_noticed_two_windows_later() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 0);
        let mut taken = 0;
        for second in 1.. {
            taken += if second < 1000 { 100_000 } else { 1 };
            let now = start + Duration::from_secs(second);
            if pace.look(now, true, taken, STALL) == Verdict::TooSlow {
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
        assert_eq!(pace.look(start + hour, false, 0, STALL), Verdict::Fine);
        pace.offer(start + 2 * hour);
        assert_eq!(pace.look(start + 2 * hour + STALL / 10, true, 0, STALL), Verdict::Fine);
        // The process was stopped for an hour: that is one look.
        assert_eq!(pace.look(start + 3 * hour, true, 0, STALL), Verdict::Slow);
        assert!(pace.idle < STALL / 4);
    }

    #[test]
    fn whoever_reads_well_is_not_slow() {
        let start = Instant::now();
        for (rate, verdict) in [(20_000, Verdict::Fine), (10_000, Verdict::Slow)] {
            let mut pace = Pace::new(start, 0);
            for second in 1..6 {
                let now = start + Duration::from_secs(second);
                let seen = pace.look(now, true, second * rate, STALL);
                assert_eq!(seen == Verdict::Fine, second < 5 || verdict == Verdict::Fine, "{rate} {second}");
            }
        }
    }
}
