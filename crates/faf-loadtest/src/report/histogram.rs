//! Durations in microseconds, with an error of one percent at most.

use std::time::Duration;

/// Number of significant decimal digits of a duration.
const DIGITS: u8 = 2;

/// Number of occurrences of each duration. It allocates memory with the first record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram(Option<hdrhistogram::Histogram<u64>>);

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        self.record_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn record_micros(&mut self, micros: u64) {
        self.counts().record(micros).expect("it resizes itself");
    }

    /// Adds the records of another histogram and clears it; the other keeps its memory.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        if let Some(counts) = other.0.as_mut().filter(|counts| !counts.is_empty()) {
            self.counts().add(&*counts).expect("both resize themselves");
            counts.reset();
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, hdrhistogram::Histogram::len)
    }

    /// Returns the longest duration in milliseconds; `None` if nothing was recorded.
    pub(crate) fn max_ms(&self) -> Option<f64> {
        self.quantile_ms(1.0)
    }

    /// Returns the duration that this share of all do not exceed, in milliseconds; `None` if
    /// nothing was recorded.
    pub(crate) fn quantile_ms(&self, share: f64) -> Option<f64> {
        let counts = self.0.as_ref().filter(|counts| !counts.is_empty())?;
        Some(counts.value_at_quantile(share) as f64 / 1000.0)
    }

    fn counts(&mut self) -> &mut hdrhistogram::Histogram<u64> {
        let new = || hdrhistogram::Histogram::new(DIGITS).expect("two digits are few enough");
        self.0.get_or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile_ms(0.5), histogram.max_ms(), histogram.count()), (None, None, 0));
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.quantile_ms(0.5), Some(0.05));
        assert_eq!(histogram.quantile_ms(0.99), Some(0.099));
        assert_eq!(histogram.quantile_ms(1.0), Some(0.1));
        let mut sum = Histogram::default();
        sum.record(Duration::from_secs(10));
        sum.absorb(&mut histogram);
        assert_eq!((sum.count(), histogram.count()), (101, 0));
        assert_eq!(sum.quantile_ms(0.9), Some(0.091));
        let longest = sum.max_ms().unwrap();
        assert!((10_000.0..10_100.0).contains(&longest), "{longest}");
    }
}
