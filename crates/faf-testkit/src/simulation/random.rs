//! Chance that repeats: the generator of the bots, in the words of the simulation.

use std::ops::Range;
use std::time::Duration;

use faf_bots::Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// A source of numbers that follow from a seed.
#[derive(Debug, Clone)]
pub(super) struct Random(Rng);

impl Random {
    /// The numbers of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(Rng::seed_from_u64(seed))
    }

    /// Any number.
    pub(super) fn next(&mut self) -> u64 {
        self.0.random()
    }

    /// A number from 0 to `limit`, exclusive.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.within(0..limit)
    }

    /// True in this many of a thousand cases.
    pub(super) fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// A number of a range.
    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// A time between these, in milliseconds.
    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// One of these, if there is any.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.choose(&mut self.0)
    }
}
