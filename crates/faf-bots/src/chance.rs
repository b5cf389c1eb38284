//! Random numbers for bots in addition to those of `rand`.

use std::ops::Range;

use rand::RngExt;

use crate::Rng;

/// Returns a uniformly distributed number of the range; the start of an empty range.
pub(crate) fn within(rng: &mut Rng, range: &Range<f64>) -> f64 {
    range.start + (range.end - range.start) * rng.random::<f64>()
}

/// Returns a number with approximately the standard normal distribution: the sum of twelve uniform
/// ones, shifted to the mean 0.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}
