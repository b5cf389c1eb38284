//! A bounded map whose entries expire.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// At most `MOST` values by key, each with an expiry time of its own.
///
/// Expired entries read as absent and are dropped at the next change. When the map is full, the
/// entry that would expire first makes room: an attacker with very many keys displaces the entries
/// that matter least.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<(K, Duration, V)>", into = "Vec<(K, Duration, V)>")]
#[serde(bound(serialize = "K: Ord + Copy + Serialize, V: Clone + Serialize"))]
#[serde(bound(deserialize = "K: Ord + Copy + Deserialize<'de>, V: Deserialize<'de>"))]
pub(crate) struct Remembered<K: Ord + Copy, V, const MOST: usize> {
    values: BTreeMap<K, (Duration, V)>,
    /// Expiry times, earliest first.
    ends: BTreeSet<(Duration, K)>,
}

impl<K: Ord + Copy, V, const MOST: usize> Default for Remembered<K, V, MOST> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), ends: BTreeSet::new() }
    }
}

impl<K: Ord + Copy, V, const MOST: usize> Remembered<K, V, MOST> {
    /// Returns the expiry time and the value of a key.
    pub(crate) fn get(&self, key: K, now: Duration) -> Option<(Duration, &V)> {
        self.values.get(&key).filter(|(until, _)| *until > now).map(|(until, value)| (*until, value))
    }

    /// Removes the value of a key and returns it, unless it has expired.
    pub(crate) fn take(&mut self, key: K, now: Duration) -> Option<V> {
        let (until, value) = self.values.remove(&key)?;
        self.ends.remove(&(until, key));
        (until > now).then_some(value)
    }

    /// Stores a value until the given time, replacing an earlier one.
    pub(crate) fn put(&mut self, key: K, value: V, until: Duration, now: Duration) {
        self.take(key, now);
        self.drop_expired(now);
        if until <= now {
            return;
        }
        if self.values.len() >= MOST
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.values.remove(&first);
        }
        self.values.insert(key, (until, value));
        self.ends.insert((until, key));
    }

    fn drop_expired(&mut self, now: Duration) {
        while let Some((_, key)) = self.ends.first().filter(|(until, _)| *until <= now).copied() {
            self.ends.pop_first();
            self.values.remove(&key);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.values.len(), self.ends.len());
        self.values.len()
    }
}

impl<K: Ord + Copy, V, const MOST: usize> From<Vec<(K, Duration, V)>> for Remembered<K, V, MOST> {
    fn from(list: Vec<(K, Duration, V)>) -> Self {
        let ends = list.iter().map(|(key, until, _)| (*until, *key)).collect();
        Self { values: list.into_iter().map(|(key, until, value)| (key, (until, value))).collect(), ends }
    }
}

impl<K: Ord + Copy, V, const MOST: usize> From<Remembered<K, V, MOST>> for Vec<(K, Duration, V)> {
    fn from(remembered: Remembered<K, V, MOST>) -> Self {
        remembered.values.into_iter().map(|(key, (until, value))| (key, until, value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn values_expire() {
        let mut remembered: Remembered<u32, &str, 10> = Remembered::default();
        remembered.put(1, "a", SECOND * 5, SECOND);
        remembered.put(2, "b", SECOND * 3, SECOND);
        remembered.put(3, "past", SECOND, SECOND);
        assert_eq!(remembered.get(1, SECOND * 4), Some((SECOND * 5, &"a")));
        assert_eq!(remembered.get(2, SECOND * 3), None);
        assert_eq!(remembered.get(3, Duration::ZERO), None);
        remembered.put(1, "c", SECOND * 4, SECOND * 3);
        assert_eq!((remembered.len(), remembered.get(1, SECOND * 3)), (1, Some((SECOND * 4, &"c"))));
        assert_eq!((remembered.take(1, SECOND * 3), remembered.len()), (Some("c"), 0));
    }

    #[test]
    fn the_first_value_to_expire_makes_room() {
        let mut remembered: Remembered<u32, (), 3> = Remembered::default();
        for (key, seconds) in [(1, 50), (2, 20), (3, 30), (4, 10), (5, 40)] {
            remembered.put(key, (), SECOND * seconds, SECOND);
        }
        let known: Vec<_> = (1..=5).filter(|key| remembered.get(*key, SECOND).is_some()).collect();
        assert_eq!((known, remembered.len()), (vec![1, 3, 5], 3));
        // A key that is present already needs no room.
        remembered.put(3, (), SECOND * 60, SECOND);
        assert_eq!(remembered.len(), 3);
    }

    #[test]
    fn values_survive_serialisation() {
        let mut remembered: Remembered<(u32, u32), u32, 3> = Remembered::default();
        remembered.put((1, 2), 7, SECOND * 50, SECOND);
        remembered.put((1, 3), 8, SECOND * 20, SECOND);
        let text = serde_json::to_string(&remembered).unwrap();
        let again: Remembered<(u32, u32), u32, 3> = serde_json::from_str(&text).unwrap();
        assert_eq!((&again.values, &again.ends), (&remembered.values, &remembered.ends));
    }
}
