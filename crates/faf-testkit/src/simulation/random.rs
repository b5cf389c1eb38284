//! Repeatable random numbers: the generator of the bots, with the operations of the simulation.

use std::ops::Range;
use std::time::Duration;

use faf_bots::Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// A random number generator that starts from a seed.
#[derive(Debug, Clone)]
pub(super) struct Random(Rng);

impl Random {
    /// Creates a generator from a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(Rng::seed_from_u64(seed))
    }

    /// Returns any number.
    pub(super) fn next(&mut self) -> u64 {
        self.0.random()
    }

    /// Returns a number from 0 to `limit`, exclusive.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.within(0..limit)
    }

    /// Returns true in this many of a thousand cases.
    pub(super) fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// Returns a number in a range.
    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// Returns a time in a range of milliseconds.
    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// Returns one of these, if there is any.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.choose(&mut self.0)
    }
}
