//! Tells operators once that the database cannot be used, and once that it can be used again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use faf_lobby_store::{Reason, StoreError};

/// Number of a worker thread.
pub(crate) type Worker = usize;

/// Whether the database can be used, as the worker threads see it.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Option<State>>);

#[derive(Debug)]
struct State {
    since: Instant,
    /// Reasons that were logged.
    reasons: BTreeSet<Reason>,
    /// Threads whose last operation failed, and whether only a write can show that this is over.
    failing: BTreeMap<Worker, bool>,
    failures: u64,
}

impl Outage {
    /// Records that an operation failed.
    pub(crate) fn failed(&self, worker: Worker, error: &StoreError) {
        let StoreError::Unavailable { reason, problem } = error else { return };
        // The others concern a single operation.
        let Some(needs_write) = lasts(*reason) else { return };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.get_or_insert_with(|| State {
            since: Instant::now(),
            reasons: BTreeSet::new(),
            failing: BTreeMap::new(),
            failures: 0,
        });
        state.failures += 1;
        state.failing.insert(worker, needs_write);
        if state.reasons.insert(*reason) {
            tracing::error!(
                reason = reason.name(),
                problem,
                "the database cannot be used; the server goes on, and stores what it must as soon as it can"
            );
        }
    }

    /// Records that an operation succeeded.
    pub(crate) fn succeeded(&self, worker: Worker, was_write: bool) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = &mut *guard else { return };
        if was_write {
            state.failing.retain(|_, needs_write| !*needs_write);
        }
        if was_write || state.failing.get(&worker) == Some(&false) {
            state.failing.remove(&worker);
        }
        if state.failing.is_empty() {
            let seconds = state.since.elapsed().as_secs_f64();
            tracing::info!(seconds, failures = state.failures, "the database can be used again");
            *guard = None;
        }
    }

    /// Returns whether the database could not be used when it was used last.
    pub(crate) fn is_on(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Returns whether the end of such a problem shows only in a write; `None` if it does not last.
fn lasts(reason: Reason) -> Option<bool> {
    match reason {
        Reason::ReadOnly | Reason::Full => Some(true),
        Reason::Access | Reason::Connections | Reason::Io | Reason::Timeout => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(reason: Reason) -> StoreError {
        StoreError::Unavailable { reason, problem: String::new() }
    }

    #[test]
    fn outage_ends_when_every_thread_succeeds() {
        let outage = Outage::default();
        outage.failed(1, &error(Reason::Deadlock));
        outage.failed(1, &StoreError::Contradiction(String::new()));
        assert!(!outage.is_on());
        outage.failed(1, &error(Reason::Io));
        outage.failed(2, &error(Reason::Io));
        outage.succeeded(1, false);
        outage.succeeded(3, true);
        assert!(outage.is_on());
        outage.succeeded(2, false);
        assert!(!outage.is_on());
    }

    #[test]
    fn read_only_database_ends_with_any_write() {
        let outage = Outage::default();
        outage.failed(1, &error(Reason::ReadOnly));
        outage.succeeded(1, false);
        assert!(outage.is_on());
        outage.succeeded(2, true);
        assert!(!outage.is_on());
    }
}
