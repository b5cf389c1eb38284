//! Runs the conformance suite against the in-memory database.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use faf_lobby_store::memory::{Memory, SharedMemory};
use faf_testkit::lobby::BEGINNING;

/// Operations of this database complete at once, so there is nothing to wait for.
fn run(test: impl AsyncFnOnce(SharedMemory)) {
    let store = SharedMemory::new(Memory::new(|| BEGINNING));
    let test = pin!(test(store));
    assert_eq!(test.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

faf_testkit::conformance_tests!(crate::run);
