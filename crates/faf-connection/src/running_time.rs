//! Time in which the process runs, by which everything is limited that a peer may take its time for.
//!
//! A process that was stopped, swapped out, or moved with its machine finds that all time limits are over when it goes on, before it
//! has read what came meanwhile. So [`RunningTime`] is looked at again and again, and where it was not for much longer than it should
//! have been, the process did not run: nothing of that counts, and neither does the [moment](GRACE) behind it, in which what has
//! arrived is read.
//!
//! A machine that is so busy that nobody gets to look counts as one that does not run. That is as it should be: what is not
//! read then is not the peer's fault.

use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How many times as long as it should have been nobody may look at it before the process counts as not running.
const LATE: u32 = 3;

/// How long the time stands still when the process goes on: 1 s, in which some ten thousand connections can be read.
const GRACE: Duration = Duration::from_secs(1);

/// How often a [`RunningSleep`] looks at the time: so many times while it lasts, within these bounds.
const LOOKS: u32 = 16;
const LOOK_BOUNDS: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// A clock that stands still while the process does not run.
#[derive(Debug)]
pub struct RunningTime {
    /// Within this, somebody looks at it.
    step: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    elapsed: Duration,
    /// When it was looked at last; later than now while it stands still.
    seen: Instant,
}

impl RunningTime {
    /// A clock that begins at zero, and that is looked at once in this time, or more often. What is shorter than three times as
    /// long is not noticed.
    #[must_use]
    pub fn new(step: Duration) -> Self {
        Self { step, state: Mutex::new(State { elapsed: Duration::ZERO, seen: Instant::now() }) }
    }

    /// Looks at it. Returns how long the process has been running since it was made.
    pub fn look(&self) -> Duration {
        // Nothing that holds the lock leaves it half changed.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = now.saturating_duration_since(state.seen);
        if passed > self.step * LATE {
            state.seen = now + GRACE;
        } else if !passed.is_zero() {
            *state = State { elapsed: state.elapsed + passed, seen: now };
        }
        state.elapsed
    }

    /// Waits until this time, or until the clock has to be looked at, whichever comes first.
    pub fn wait_or_look(&self, due: Duration) -> impl Future<Output = ()> + use<> {
        sleep_until(self.wake_at(due))
    }

    fn wake_at(&self, due: Duration) -> Instant {
        let State { elapsed, seen } = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        seen + due.saturating_sub(elapsed).min(self.step)
    }
}

/// Waits until the process has been running for so long.
#[derive(Debug)]
pub struct RunningSleep {
    time: RunningTime,
    due: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl RunningSleep {
    /// Begins to wait.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        let [often, rarely] = LOOK_BOUNDS;
        let time = RunningTime::new((duration / LOOKS).clamp(often, rarely));
        let sleep = Box::pin(sleep_until(time.wake_at(duration)));
        Self { time, due: duration, sleep }
    }
}

impl Future for RunningSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.time.look() >= self.due {
                return Poll::Ready(());
            }
            let wake_at = self.time.wake_at(self.due);
            self.sleep.as_mut().reset(wake_at);
        }
    }
}

/// What the work gives, if it ends before the process has been running for so long. The work always comes first.
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
    use tokio::time::{advance, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_time_in_which_it_is_looked_at_counts() {
        let time = RunningTime::new(SECOND);
        advance(2 * SECOND).await;
        assert_eq!(time.look(), 2 * SECOND);
        // The process is stopped for an hour.
        advance(3600 * SECOND).await;
        assert_eq!(time.look(), 2 * SECOND);
        advance(GRACE / 2).await;
        assert_eq!(time.look(), 2 * SECOND);
        advance(GRACE).await;
        assert_eq!(time.look(), 2 * SECOND + GRACE / 2);
        // And once more while it stands still.
        advance(3600 * SECOND).await;
        time.look();
        advance(3600 * SECOND).await;
        assert_eq!(time.look(), 2 * SECOND + GRACE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sleeps_is_not_woken_by_a_stop() {
        for limit in [SECOND / 10, SECOND, 30 * SECOND, 3600 * SECOND] {
            let began = Instant::now();
            RunningSleep::new(limit).await;
            assert_eq!(began.elapsed(), limit);
            let mut asleep = pin!(RunningSleep::new(limit));
            assert_eq!(timeout(limit / 2, asleep.as_mut()).await, None);
            let began = Instant::now();
            advance(100 * limit + 10 * SECOND).await;
            // What has come meanwhile is dealt with.
            sleep(GRACE / 2).await;
            assert_eq!(timeout(Duration::ZERO, asleep.as_mut()).await, None);
            asleep.await;
            let slept = began.elapsed() - (100 * limit + 10 * SECOND);
            assert!((limit / 4..=limit + 2 * GRACE).contains(&slept), "{limit:?}: {slept:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_done_comes_first() {
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Some(1));
        assert_eq!(timeout(SECOND, std::future::pending::<()>()).await, None);
    }
}
