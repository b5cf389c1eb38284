//! Time limits for peers that count only the time in which the process runs.
//!
//! A process that was stopped, swapped out or moved with its machine would find all time limits
//! expired when it goes on, before it has read what came meanwhile. So a thread looks at the clock
//! ten times a second. If nobody has looked for [`MISSED`], the process did not run. That time does
//! not count, nor does a moment after it, in which the process reads what has arrived.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::{Duration, Instant as SystemInstant};

use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// How often the thread looks.
const LOOK: Duration = Duration::from_millis(100);

/// When nobody has looked for so long, the process did not run: five times as long as it should
/// have taken. However much the process itself has to do, a thread that sleeps most of the time is
/// not late by that.
pub const MISSED: Duration = Duration::from_millis(500);

/// How long the time stands still when the process goes on: 1 s, in which some ten thousand
/// connections can be read.
const GRACE: Duration = Duration::from_secs(1);

/// Of the whole process; none where there can be no thread, and then all time counts.
static STOPS: LazyLock<Option<Mutex<Stops>>> = LazyLock::new(|| {
    let watch = || {
        loop {
            thread::sleep(LOOK);
            not_run();
        }
    };
    let is_watched = thread::Builder::new().name("clock".to_owned()).spawn(watch).is_ok();
    is_watched.then(|| Mutex::new(Stops::new(SystemInstant::now())))
});

thread_local! {
    /// Set by tests, which have no other way to stop a runtime whose time stands still.
    static SIMULATED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How long the process did not run, since it was first asked.
fn not_run() -> Duration {
    let stops = STOPS.as_ref().map_or(Duration::ZERO, |stops| {
        // Nothing that holds the lock leaves it half changed.
        stops.lock().unwrap_or_else(PoisonError::into_inner).look(SystemInstant::now())
    });
    stops + SIMULATED.get()
}

/// For tests on a runtime of one thread: the process does not run for so long, by which the test
/// then advances the time.
#[doc(hidden)]
pub fn simulate_stop(duration: Duration) {
    SIMULATED.set(SIMULATED.get() + duration);
}

/// When the process did not run.
#[derive(Debug)]
struct Stops {
    /// When somebody looked last.
    seen: SystemInstant,
    /// How long all stops before the last one took.
    before: Duration,
    /// The last stop, with the moment after it.
    from: SystemInstant,
    until: SystemInstant,
}

impl Stops {
    fn new(now: SystemInstant) -> Self {
        Self { seen: now, before: Duration::ZERO, from: now, until: now }
    }

    /// How long the process did not run until now.
    fn look(&mut self, now: SystemInstant) -> Duration {
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
    /// A clock that begins at zero.
    #[must_use]
    pub fn begin() -> Self {
        Self { began: Instant::now(), not_run: not_run() }
    }

    /// How long the process has been running since then.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed().saturating_sub(not_run().saturating_sub(self.not_run))
    }

    /// Waits until this time has come, if the process runs.
    pub fn wait_until(&self, due: Duration) -> impl Future<Output = ()> + use<> {
        let time = *self;
        async move {
            while let Some(left) = due.checked_sub(time.elapsed()).filter(|left| !left.is_zero()) {
                sleep(left).await;
            }
        }
    }
}

/// Waits until the process has been running for so long.
#[derive(Debug)]
pub struct RunningSleep {
    due: Instant,
    not_run: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl RunningSleep {
    /// Begins to wait.
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

/// The result of the work, if it ends before the process has been running for this long. The work
/// is polled first.
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
    fn where_nobody_looks_the_process_does_not_run() {
        let start = SystemInstant::now();
        let mut stops = Stops::new(start);
        let mut look =
            |milliseconds: u64| stops.look(start + Duration::from_millis(milliseconds)).as_millis();
        assert_eq!([look(100), look(200), look(700)], [0, 0, 0]);
        // A minute, and a second in which it is read.
        assert_eq!(look(60_700), 60_000);
        assert_eq!(
            [look(60_800), look(61_200), look(61_700), look(62_000)],
            [60_100, 60_500, 61_000, 61_000]
        );
        // Stops that follow each other are one.
        assert_eq!(
            [look(72_000), look(72_400), look(82_400), look(82_900)],
            [71_000, 71_400, 81_400, 81_900]
        );
        assert_eq!([look(83_300), look(83_800), look(84_300)], [82_300, 82_400, 82_400]);
        // A thread that has looked at the clock before another one, and comes after it.
        assert_eq!([look(84_200), look(84_300)], [82_400, 82_400]);
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
    async fn whoever_sleeps_is_not_woken_by_a_stop() {
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
