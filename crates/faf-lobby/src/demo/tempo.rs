//! How fast the demo goes, and chance.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

/// How many times faster than the clock bots live. What they wait for from the server is not faster for that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tempo(pub(super) f64);

impl Tempo {
    /// Seconds of a bot's life.
    pub(super) fn seconds(self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.0).unwrap_or_default()
    }

    /// Some seconds of a bot's life.
    pub(super) fn some(self, rng: &mut Rng, seconds: Range<f64>) -> Duration {
        self.seconds(within(rng, seconds))
    }
}

/// A number of a range, all as likely.
pub(super) fn within(rng: &mut Rng, range: Range<f64>) -> f64 {
    range.start + (range.end - range.start) * rng.f64()
}

/// Whether something happens that is that likely.
pub(super) fn happens(rng: &mut Rng, probability: f64) -> bool {
    rng.f64() < probability
}

/// About a number of the standard normal distribution: the sum of twelve numbers below one, moved to the middle.
pub(super) fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

/// One of several, if there is any.
pub(super) fn one_of<'a, T>(rng: &mut Rng, choices: &'a [T]) -> Option<&'a T> {
    (!choices.is_empty()).then(|| &choices[rng.usize(..choices.len())])
}
