//! Pauses between attempts: they grow, vary, and are bounded.

use std::time::Duration;

use crate::settings::Limits;

/// The pauses after failures that follow one another.
#[derive(Debug)]
pub(crate) struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { first: limits.first_pause, longest: limits.longest_pause, next: limits.first_pause }
    }

    /// Returns the pause after a failure. Each is at least half of its length, and the rest is left
    /// to chance, so that servers that lost the same server do not return in step.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::random_range(0.5..=1.0));
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    /// Begins again with the first pause.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_again() {
        let limits = Limits {
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_millis(350),
            ..Limits::default()
        };
        let mut pauses = Pauses::new(&limits);
        let check = |pauses: &mut Pauses, expected: &[u64]| {
            for &longest in expected {
                let longest = Duration::from_millis(longest);
                let pause = pauses.next();
                assert!((longest / 2..=longest).contains(&pause), "{pause:?} {longest:?}");
            }
        };
        check(&mut pauses, &[100, 200, 350, 350]);
        pauses.reset();
        check(&mut pauses, &[100, 200]);
        let some = || (0..20).map(|_| Pauses::new(&limits).next()).collect::<Vec<_>>();
        assert_ne!(some(), some(), "pauses vary");
    }
}
