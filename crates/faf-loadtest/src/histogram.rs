//! Durations, counted in buckets whose width grows with what they hold.

use std::time::Duration;

/// Every power of two is divided into so many buckets, as a power of two: a value is at most 1/64 off.
const PRECISION: u32 = 6;

/// How often which duration was seen, in whole microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// As long as the highest bucket in use.
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        self.record_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn record_micros(&mut self, micros: u64) {
        let bucket = bucket(micros);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The longest, in milliseconds; none if nothing was recorded.
    pub(crate) fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.max as f64 / 1000.0)
    }

    /// The duration that this share of all do not exceed, in milliseconds; none if nothing was recorded.
    pub(crate) fn quantile_ms(&self, share: f64) -> Option<f64> {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(highest(bucket).min(self.max) as f64 / 1000.0);
            }
        }
        None
    }
}

fn bucket(micros: u64) -> usize {
    let magnitude = u64::BITS - micros.leading_zeros();
    let shift = magnitude.saturating_sub(PRECISION + 1);
    ((u64::from(shift) << PRECISION) + (micros >> shift)) as usize
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let shift = (bucket >> PRECISION).saturating_sub(1);
    let mantissa = (bucket - (shift << PRECISION)) as u64;
    (mantissa << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile_ms(0.5), histogram.max_ms()), (None, None));
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.quantile_ms(0.5), Some(0.05));
        assert_eq!(histogram.quantile_ms(0.99), Some(0.099));
        assert_eq!(histogram.quantile_ms(1.0), Some(0.1));
        let mut sum = Histogram::default();
        sum.record(Duration::from_secs(10));
        sum.add(&histogram);
        assert_eq!((sum.count(), sum.max_ms()), (101, Some(10_000.0)));
        assert_eq!(sum.quantile_ms(0.5), Some(0.051));
    }

    proptest! {
        #[test]
        fn a_bucket_is_close_to_what_it_holds(micros in any::<u64>().prop_map(|any| any >> (any % 64))) {
            let upper = highest(bucket(micros));
            prop_assert!(micros <= upper && upper - micros <= micros / 64);
            prop_assert_eq!(bucket(upper), bucket(micros));
            if upper < u64::MAX {
                prop_assert_eq!(bucket(upper + 1), bucket(micros) + 1);
            }
        }
    }
}
