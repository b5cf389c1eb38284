//! State that the worker threads share, and which of their writes are not complete.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use faf_lobby_store::{Failures, Reason, StoreError};
use tokio::sync::watch;

use crate::ban_watch::BanWatch;
use crate::connect::connect;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::outage::Outage;
use crate::outbox::Volatile;
use crate::owner::Lock;
use crate::session::Session;
use crate::timings::Timings;

/// Time after a failed attempt to connect in which there is no other.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// State that all threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) failures: Arc<Failures>,
    pub(crate) timings: Arc<Timings>,
    pub(crate) outage: Outage,
    pub(crate) bans: Mutex<BanWatch>,
    pub(crate) messages: Mutex<Volatile>,
    /// The lock with which a server owns the database, if it must own it in order to write.
    pub(crate) owner: OnceLock<Arc<Lock>>,
    /// Why the last attempt to connect failed, and when the next is due.
    failed_connect: Mutex<Option<(Instant, Reason, String)>>,
    writes: Writes,
}

/// Writes that are queued or being carried out, by number.
#[derive(Debug)]
struct Writes {
    numbers: Mutex<(u64, BTreeSet<u64>)>,
    changed: watch::Sender<()>,
}

impl Default for Writes {
    fn default() -> Self {
        Self { numbers: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

/// A write that is not complete; it is when this is dropped.
pub(crate) struct Incomplete {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Incomplete {
    fn drop(&mut self) {
        let writes = &self.shared.writes;
        writes.numbers.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
        writes.changed.send_replace(());
    }
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    pub(crate) fn begin_write(self: &Arc<Self>) -> Incomplete {
        let mut numbers = self.writes.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.0 += 1;
        let number = numbers.0;
        numbers.1.insert(number);
        Incomplete { shared: Arc::clone(self), number }
    }

    /// Waits until the writes that were queued so far are complete.
    pub(crate) fn finish_writing(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(self);
        let last = shared.writes.numbers.lock().unwrap_or_else(PoisonError::into_inner).0;
        let mut changed = shared.writes.changed.subscribe();
        async move {
            loop {
                let first = {
                    let numbers = shared.writes.numbers.lock().unwrap_or_else(PoisonError::into_inner);
                    numbers.1.first().copied()
                };
                if first.is_none_or(|first| first > last) || changed.changed().await.is_err() {
                    return;
                }
            }
        }
    }

    /// Counts and returns the error of an operation whose turn does not come in time.
    pub(crate) fn too_busy(&self) -> StoreError {
        self.failures.count(Reason::Busy);
        let problem = "too many operations wait for it: it is overloaded or does not respond";
        StoreError::Unavailable { reason: Reason::Busy, problem: problem.to_owned() }
    }

    /// Returns a new connection; fails at once if another attempt failed a moment ago.
    pub(crate) fn connect(&self) -> Result<Session> {
        let last_failure = self.failed_connect.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, reason, problem)) = last_failure
            && at.elapsed() < RECONNECT_PAUSE
        {
            return Err(Error::Unavailable(reason, problem));
        }
        let connected = connect(&self.options);
        let failure = connected.as_ref().err().map(|error| (Instant::now(), error.reason(), error.explain()));
        *self.failed_connect.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        connected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_are_finished_when_the_earlier_ones_are_complete() {
        let shared = Arc::new(Shared::default());
        let (first, second) = (shared.begin_write(), shared.begin_write());
        let waiting = tokio::spawn(shared.finish_writing());
        let third = shared.begin_write();
        drop(second);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
        drop(third);
        shared.finish_writing().await;
    }
}
