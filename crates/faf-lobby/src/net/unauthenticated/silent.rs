//! Silent connections, on which no login is being checked, by network. The oldest one of the
//! largest network is evicted first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use faf_lobby_core::Network;

/// Network of a connection. `None` if its proxy does not name one; all of those count as
/// one network.
pub(super) type From = Option<Network>;

/// Silent connections by network. Each has a number; the later it became silent, the higher
/// the number.
#[derive(Debug, Default)]
pub(super) struct SilentByNetwork {
    networks: HashMap<From, BTreeSet<u64>>,
    /// Networks by the number of their connections, and then by the age of the oldest one.
    ranking: BTreeSet<(usize, Reverse<u64>, From)>,
}

impl SilentByNetwork {
    pub(super) fn insert(&mut self, from: From, number: u64) {
        self.change(from, |numbers| numbers.insert(number));
    }

    pub(super) fn remove(&mut self, from: From, number: u64) {
        self.change(from, |numbers| numbers.remove(&number));
    }

    /// Returns the oldest connection of each network, and the number of its connections. The
    /// largest networks come first.
    pub(super) fn oldest(&self) -> impl Iterator<Item = (u64, usize)> {
        self.ranking.iter().rev().map(|(count, Reverse(oldest), _)| (*oldest, *count))
    }

    fn change(&mut self, from: From, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let numbers = self.networks.entry(from).or_default();
        if let Some(oldest) = numbers.first() {
            self.ranking.remove(&(numbers.len(), Reverse(*oldest), from));
        }
        change(numbers);
        match numbers.first() {
            Some(oldest) => drop(self.ranking.insert((numbers.len(), Reverse(*oldest), from))),
            None => drop(self.networks.remove(&from)),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.networks.values().map(BTreeSet::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> From {
        Some(Network::widest(address.parse().unwrap()))
    }

    #[test]
    fn the_largest_network_comes_first_and_of_equal_ones_the_oldest() {
        let mut silent = SilentByNetwork::default();
        let first = |silent: &SilentByNetwork| silent.oldest().next();
        assert_eq!(first(&silent), None);
        silent.insert(from("10.0.0.1"), 1);
        silent.insert(None, 2);
        assert_eq!(first(&silent), Some((1, 1)));
        // Addresses with the same first 48 bits are one network.
        silent.insert(from("2001:db8:1::1"), 3);
        silent.insert(from("2001:db8:1:2::1"), 4);
        assert_eq!(silent.oldest().collect::<Vec<_>>(), [(3, 2), (1, 1), (2, 1)]);
        silent.remove(from("2001:db8:1:3::1"), 3);
        silent.remove(from("10.0.0.200"), 1);
        silent.remove(from("10.0.0.200"), 1);
        assert_eq!(silent.oldest().collect::<Vec<_>>(), [(2, 1), (4, 1)]);
        silent.remove(None, 2);
        silent.remove(from("2001:db8:1::"), 4);
        assert!(silent.networks.is_empty() && silent.ranking.is_empty());
    }
}
