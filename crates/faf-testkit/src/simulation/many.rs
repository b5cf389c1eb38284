//! Many evenings in parallel.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::coverage::Coverage;
use super::evening::{Evening, Failure, Plan};

/// Result of many evenings.
#[derive(Debug)]
pub struct Many<F = Failure> {
    /// Number of evenings that were played.
    pub evenings: u64,
    /// Counts of the events in all of them.
    pub coverage: Coverage,
    /// Evenings that broke a law; no further evening starts after one.
    pub failures: Vec<F>,
}

impl<F> Default for Many<F> {
    fn default() -> Self {
        Self { evenings: 0, coverage: Coverage::default(), failures: Vec::new() }
    }
}

/// Plays this many evenings that differ only in their seeds, starting with the seed of the plan.
#[must_use]
pub fn run_many(plan: Plan, seeds: u64, threads: usize) -> Many {
    play_many(seeds, threads, |number| {
        let plan = Plan { seed: plan.seed.wrapping_add(number), ..plan };
        Evening::play(plan).map(|summary| summary.coverage)
    })
}

/// Plays this many evenings, each with its number from 0.
pub fn play_many<F: Send>(
    seeds: u64,
    threads: usize,
    play_one: impl Fn(u64) -> Result<Coverage, F> + Sync,
) -> Many<F> {
    let next = AtomicU64::new(0);
    let has_failed = AtomicBool::new(false);
    let sum = Mutex::new(Many::default());
    let play = || {
        while !has_failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= seeds {
                return;
            }
            let outcome = play_one(number);
            let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            sum.evenings += 1;
            match outcome {
                Ok(coverage) => sum.coverage.merge(&coverage),
                Err(failure) => {
                    has_failed.store(true, Ordering::Relaxed);
                    sum.failures.push(failure);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(play);
        }
    });
    sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
