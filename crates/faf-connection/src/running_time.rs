//! Time limits for peers that count only the time in which the process runs.
//!
//! A process that was stopped, swapped out or migrated with its machine would find all time limits
//! expired when it goes on, before it has read the bytes that arrived meanwhile. So a thread checks
//! the clock ten times a second. If there was no check for [`MISSED`], the process did not run.
//! That time does not count, nor does a moment after it, in which the process reads these bytes.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::{Duration, Instant as SystemInstant};

use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Time between two checks of the clock.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Time without a check after which the process counts as stopped: five intervals. A thread that
/// sleeps most of the time is not that late, however busy the process is.
pub const MISSED: Duration = Duration::from_millis(500);

/// How long the time stands still after a stop: 1 s, enough to read about ten thousand connections.
const GRACE: Duration = Duration::from_secs(1);

/// Stops of the process. `None` if the thread cannot be started; then all time counts.
static STOPS: LazyLock<Option<Mutex<Stops>>> = LazyLock::new(|| {
    let watch = || {
        loop {
            thread::sleep(CHECK_INTERVAL);
            not_run();
        }
    };
    let is_watched = thread::Builder::new().name("clock".to_owned()).spawn(watch).is_ok();
    is_watched.then(|| Mutex::new(Stops::new(SystemInstant::now())))
});

thread_local! {
    /// Simulated stops: tests with paused time have no other way to stop the runtime.
    static SIMULATED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Returns how long the process did not run, since the first call.
fn not_run() -> Duration {
    let stops = STOPS.as_ref().map_or(Duration::ZERO, |stops| {
        // No code that holds the lock can leave the state half changed.
        stops.lock().unwrap_or_else(PoisonError::into_inner).check(SystemInstant::now())
    });
    stops + SIMULATED.get()
}

/// Simulates a stop of the process, for tests on a runtime of one thread. The test then advances
/// the time by the same duration.
#[doc(hidden)]
pub fn simulate_stop(duration: Duration) {
    SIMULATED.set(SIMULATED.get() + duration);
}

/// Times in which the process did not run.
#[derive(Debug)]
struct Stops {
    /// Time of the last check.
    seen: SystemInstant,
    /// Total duration of all stops before the last one.
    before: Duration,
    /// Beginning of the last stop.
    from: SystemInstant,
    /// End of the last stop, including [`GRACE`].
    until: SystemInstant,
}

impl Stops {
    fn new(now: SystemInstant) -> Self {
        Self { seen: now, before: Duration::ZERO, from: now, until: now }
    }

    /// Checks the clock. Returns how long the process did not run until now.
    fn check(&mut self, now: SystemInstant) -> Duration {
        if now.saturating_duration_since(self.seen) > MISSED {
            if self.seen >= self.until {
                self.before += self.until - self.from;
                self.from = self.seen;
            }
            self.until = now + GRACE;
        }
        self.seen = self.seen.max(now);
        self.before + now.min(self.until).saturating_duration_since(self.from)
    }
}

/// A clock that stands still while the process does not run.
#[derive(Debug, Clone, Copy)]
pub struct RunningTime {
    began: Instant,
    not_run: Duration,
}

impl RunningTime {
    /// Starts a clock at zero.
    #[must_use]
    pub fn begin() -> Self {
        Self { began: Instant::now(), not_run: not_run() }
    }

    /// Returns how long the process has been running since the start of the clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed().saturating_sub(not_run().saturating_sub(self.not_run))
    }

    /// Waits until the clock shows this time.
    pub fn wait_until(&self, due: Duration) -> impl Future<Output = ()> + use<> {
        let time = *self;
        async move {
            while let Some(left) = due.checked_sub(time.elapsed()).filter(|left| !left.is_zero()) {
                sleep(left).await;
            }
        }
    }
}

/// Waits until the process has been running for a duration.
#[derive(Debug)]
pub struct RunningSleep {
    due: Instant,
    not_run: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl RunningSleep {
    /// Starts the wait.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        let due = Instant::now() + duration;
        Self { due, not_run: not_run(), sleep: Box::pin(sleep_until(due)) }
    }
}

impl Future for RunningSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let not_run = not_run();
            let stopped = not_run.saturating_sub(self.not_run);
            self.due += stopped;
            self.not_run = not_run;
            if self.due <= Instant::now() {
                return Poll::Ready(());
            }
            let due = self.due;
            self.sleep.as_mut().reset(due);
        }
    }
}

/// Returns the result of the work, or `None` if the process has been running for `limit` before.
/// The work is polled first.
pub async fn timeout<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => Some(done),
        () = RunningSleep::new(limit) => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_without_checks_counts_as_a_stop() {
        let start = SystemInstant::now();
        let mut stops = Stops::new(start);
        let mut check =
            |milliseconds: u64| stops.check(start + Duration::from_millis(milliseconds)).as_millis();
        assert_eq!([check(100), check(200), check(700)], [0, 0, 0]);
        // A minute, and a second of grace.
        assert_eq!(check(60_700), 60_000);
        assert_eq!(
            [check(60_800), check(61_200), check(61_700), check(62_000)],
            [60_100, 60_500, 61_000, 61_000]
        );
        // Stops that follow each other are one.
        assert_eq!(
            [check(72_000), check(72_400), check(82_400), check(82_900)],
            [71_000, 71_400, 81_400, 81_900]
        );
        assert_eq!([check(83_300), check(83_800), check(84_300)], [82_300, 82_400, 82_400]);
        // A thread that took the time earlier may get the lock later.
        assert_eq!([check(84_200), check(84_300)], [82_400, 82_400]);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_process_does_not_run_does_not_count() {
        let time = RunningTime::begin();
        advance(2 * SECOND).await;
        assert_eq!(time.elapsed(), 2 * SECOND);
        simulate_stop(3600 * SECOND);
        advance(3600 * SECOND).await;
        assert_eq!(time.elapsed(), 2 * SECOND);
        time.wait_until(5 * SECOND).await;
        assert_eq!(time.elapsed(), 5 * SECOND);
        time.wait_until(SECOND).await;
        assert_eq!(time.elapsed(), 5 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_does_not_end_a_sleep() {
        let began = Instant::now();
        let mut asleep = pin!(RunningSleep::new(30 * SECOND));
        assert_eq!(timeout(10 * SECOND, asleep.as_mut()).await, None);
        simulate_stop(3600 * SECOND);
        advance(3600 * SECOND).await;
        assert_eq!(timeout(19 * SECOND, asleep.as_mut()).await, None);
        asleep.await;
        assert_eq!(began.elapsed(), 3630 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_done_comes_first() {
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Some(1));
        assert_eq!(timeout(SECOND, std::future::pending::<()>()).await, None);
    }
}
