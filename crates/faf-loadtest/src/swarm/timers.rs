//! Timers of a thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// A task for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Wake the client's actor.
    Wake,
    /// Read one byte.
    Trickle,
    /// Try again to log in.
    Retry,
    /// Log in again after a pause.
    Return,
}

/// A task for the client with this index. It is void if the client has another connection by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    pub(crate) at: Instant,
    pub(crate) client: usize,
    pub(crate) connection: u32,
    pub(crate) task: Task,
}

/// Timers, earliest first.
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

    /// Returns the time until the next timer.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        Some(self.0.peek()?.0.at.saturating_duration_since(now))
    }
}
