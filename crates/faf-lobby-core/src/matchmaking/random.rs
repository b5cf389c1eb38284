//! Chance, from a seed that is given at the start: the same events lead to the same draws.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// A generator of random numbers: xoshiro256++, whose sequence is fixed by its publication.
///
/// Everything is drawn here from its 64-bit numbers, because the ways in which the crate `rand`
/// makes ranges and orders of them may change with its version, and a recording must still repeat.
/// Its numbers can be predicted from others, so it is not for secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// Starts the sequence of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Draws any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a number from 0 up to, but not including, 1.
    pub fn fraction(&mut self) -> f64 {
        // As many bits as the mantissa of a float has.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Draws an index of a list with `count` elements; 0 if it is empty.
    pub fn index(&mut self, count: usize) -> usize {
        // The difference between the probabilities is below count / 2^64.
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// Draws an order: the indices below `count`, shuffled.
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for end in (1..count).rev() {
            order.swap(end, self.index(end + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Recordings repeat only as long as these numbers stay the same.
    #[test]
    fn a_seed_fixes_the_sequence() {
        let mut random = Random::from_seed(7);
        assert_eq!([random.bits(), random.bits()], [1_021_219_803_524_665_661, 3_174_977_118_032_272_916]);
        assert_eq!(random.fraction(), 0.717_576_128_358_659_4);
        assert_eq!(random.order(6), [3, 0, 5, 1, 4, 2]);
        assert_eq!((random.index(0), random.order(0), random.order(1)), (0, vec![], vec![0]));
    }

    #[test]
    fn a_saved_generator_goes_on_where_it_was() {
        let mut random = Random::from_seed(99);
        random.bits();
        let saved = serde_json::to_string(&random).unwrap();
        let mut restored: Random = serde_json::from_str(&saved).unwrap();
        assert_eq!(restored, random);
        assert_eq!(restored.bits(), random.bits());
    }

    #[test]
    fn all_orders_are_about_as_frequent() {
        let mut random = Random::from_seed(1);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            *counts.entry(random.order(3)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn draws_are_in_their_range(seed: u64, count in 1_usize..50) {
            let mut random = Random::from_seed(seed);
            prop_assert!((0.0..1.0).contains(&random.fraction()));
            prop_assert!(random.index(count) < count);
            let mut order = random.order(count);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..count));
        }
    }
}
