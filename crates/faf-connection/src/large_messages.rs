//! Memory that connections share for messages that are too large for what each of them has for itself.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes of an unfinished message that every connection may hold: 16 KiB. Nearly all messages are smaller, and never wait.
pub const FREE: usize = 16 * 1024;

/// What is counted at once, in bytes.
const UNIT: usize = 1024;

/// An allowance for messages of more than [`FREE`] bytes that are not finished, or not dealt with.
///
/// Whoever wants to buffer more of a message first takes the most it may become, in the order of asking, and is not read
/// from until it gets it. So nobody waits who has something already, and everybody gets their turn: there is no deadlock.
/// Together, connections hold no more than the allowance and [`FREE`] bytes each, however many send how much.
///
/// That is what they have received; the room it is in may be up to twice as large. To make a message of it takes as much again
/// for a moment, one after the other on each thread.
#[derive(Debug)]
pub struct LargeMessages {
    memory: Arc<Semaphore>,
    units: u32,
    timeout: Duration,
}

/// A part of the allowance; it goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// By when the message must be complete.
    pub(crate) deadline: Instant,
    end: Pin<Box<Sleep>>,
    _memory: OwnedSemaphorePermit,
}

impl Allowance {
    /// Whether the message is late. Wakes the task when it is.
    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        self.end.as_mut().poll(cx).map(|()| Late)
    }
}

impl LargeMessages {
    /// An allowance of so many bytes, counted in KiB. A message must be complete in this time from when it has got its part,
    /// or the connection fails with [`Late`].
    #[must_use]
    pub fn new(bytes: usize, timeout: Duration) -> Arc<Self> {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let memory = Arc::new(Semaphore::new(units));
        Arc::new(Self { memory, units: u32::try_from(units).unwrap_or(u32::MAX), timeout })
    }

    /// How much is taken, or kept for whoever is next in line, in bytes; at most all of it.
    #[must_use]
    pub fn taken(&self) -> usize {
        (self.units as usize - self.memory.available_permits()) * UNIT
    }

    /// Takes so many bytes; all of them, if there are fewer, as a connection that is alone has nobody to leave anything to.
    pub(crate) async fn take(&self, bytes: usize) -> Allowance {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        let memory = Arc::clone(&self.memory).acquire_many_owned(units).await;
        let memory = memory.expect("an allowance is never closed");
        let deadline = Instant::now() + self.timeout;
        Allowance { deadline, end: Box::pin(sleep_until(deadline)), _memory: memory }
    }
}

/// A large message was not complete in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of more than {FREE} bytes was not complete in time")]
pub struct Late;

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn parts_are_taken_in_the_order_of_asking() {
        let all = LargeMessages::new(10 * UNIT, Duration::from_secs(1));
        let first = all.take(7 * UNIT - 10).await;
        assert_eq!(all.taken(), 7 * UNIT);
        let mut context = Context::from_waker(Waker::noop());
        let (mut large, mut small) = (pin!(all.take(100 * UNIT)), pin!(all.take(UNIT)));
        assert!(large.as_mut().poll(&mut context).is_pending());
        // There would be room, but others were first.
        assert!(small.as_mut().poll(&mut context).is_pending());
        drop(first);
        let Poll::Ready(large) = large.as_mut().poll(&mut context) else { panic!("the next one gets it") };
        assert_eq!(all.taken(), 10 * UNIT);
        assert!(small.as_mut().poll(&mut context).is_pending());
        drop(large);
        assert!(small.as_mut().poll(&mut context).is_ready());
        assert_eq!(all.taken(), 0);
    }
}
