//! Timers of a thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// A task for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Wake its actor.
    Wake,
    /// Read one byte.
    Trickle,
    /// Try once more to log in.
    Retry,
    /// Come back.
    Return,
}

/// A task for a client of this index. It is void if the client has another connection by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    pub(crate) at: Instant,
    pub(crate) client: usize,
    pub(crate) connection: u32,
    pub(crate) task: Task,
}

/// Timers by time.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    pub(crate) fn add(&mut self, timer: Timer) {
        self.0.push(Reverse(timer));
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        if self.0.peek()?.0.at > now {
            return None;
        }
        self.0.pop().map(|timer| timer.0)
    }

    /// How long it is until the next one.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        Some(self.0.peek()?.0.at.saturating_duration_since(now))
    }
}
