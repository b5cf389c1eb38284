//! Random numbers that bots draw besides those of `rand`.

use std::ops::Range;

use rand::RngExt;

use crate::Rng;

/// A number of the range, uniformly distributed; the start of an empty range.
pub(crate) fn within(rng: &mut Rng, range: &Range<f64>) -> f64 {
    range.start + (range.end - range.start) * rng.random::<f64>()
}

/// About a number of the standard normal distribution: the sum of twelve uniform ones, moved to the middle.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}
