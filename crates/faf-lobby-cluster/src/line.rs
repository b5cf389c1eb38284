//! The line of effects of one gateway: all of them in order, numbered without a gap.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::effect::{ContentHash, Piece};

/// Most bytes of effects that are kept for a gateway that may ask for them: 32 MiB. Usually it has
/// all of them within a second, and nothing is kept any longer.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// Number of lists for logins that a gateway keeps: those of 30,000 players.
pub(crate) const KNOWN_LISTS: usize = 1024;

/// Hashes of the lists that a gateway keeps, oldest first, as the core and the gateway
/// compute them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct KnownLists {
    order: VecDeque<ContentHash>,
    all: BTreeSet<ContentHash>,
}

impl KnownLists {
    pub(crate) fn contains(&self, hash: &str) -> bool {
        self.all.contains(hash)
    }

    /// Adds a list that is not known. Returns the one that is forgotten for it.
    pub(crate) fn add(&mut self, hash: &str) -> Option<ContentHash> {
        self.all.insert(hash.to_owned());
        self.order.push_back(hash.to_owned());
        let forgotten = if self.order.len() > KNOWN_LISTS { self.order.pop_front() } else { None };
        if let Some(hash) = &forgotten {
            self.all.remove(hash);
        }
        forgotten
    }
}

/// The effects of one gateway, as every replica numbers and keeps them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Number of the first effect that is kept.
    first: u64,
    kept: VecDeque<Piece>,
    bytes: usize,
    pub(crate) lists: KnownLists,
}

impl Line {
    /// Number of the next effect.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Number of effects and their bytes that are kept.
    pub(crate) fn kept(&self) -> (usize, usize) {
        (self.kept.len(), self.bytes)
    }

    /// Adds an effect, and returns its number.
    pub(crate) fn push(&mut self, piece: Piece) -> u64 {
        let number = self.next();
        self.bytes += piece.get().len();
        self.kept.push_back(piece);
        while self.bytes > KEPT_BYTES && self.kept.len() > 1 {
            self.forget_first();
        }
        number
    }

    /// Forgets all effects before this number, which the gateway has.
    pub(crate) fn received_before(&mut self, number: u64) {
        while self.first < number && !self.kept.is_empty() {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(piece) = self.kept.pop_front() {
            self.bytes -= piece.get().len();
            self.first += 1;
        }
    }

    /// Returns the effects from one number to before another. Fails with the number of the first
    /// effect that is kept, if that is a later one.
    pub(crate) fn range(&self, from: u64, to: u64) -> Result<impl Iterator<Item = &Piece>, u64> {
        if from < self.first {
            return Err(self.first);
        }
        let skipped = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let count = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        Ok(self.kept.iter().skip(skipped).take(count))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    fn piece(text: &str) -> Piece {
        to_raw_value(text).unwrap().into()
    }

    fn texts(line: &Line, from: u64, to: u64) -> Result<Vec<String>, u64> {
        line.range(from, to).map(|pieces| pieces.map(|piece| piece.get().to_owned()).collect())
    }

    #[test]
    fn effects_are_kept_until_the_gateway_has_them() {
        let mut line = Line::default();
        assert_eq!([line.push(piece("a")), line.push(piece("b")), line.push(piece("c"))], [0, 1, 2]);
        assert_eq!(texts(&line, 1, 9).unwrap(), [r#""b""#, r#""c""#]);
        line.received_before(2);
        assert_eq!(texts(&line, 1, 2), Err(2));
        assert_eq!(texts(&line, 2, 3).unwrap(), [r#""c""#]);
        line.received_before(100);
        assert_eq!((line.next(), line.kept()), (3, (0, 0)));
    }

    #[test]
    fn kept_effects_are_bounded() {
        let mut line = Line::default();
        let large = "x".repeat(KEPT_BYTES / 4);
        for _ in 0..6 {
            line.push(piece(&large));
        }
        assert!(line.kept().1 <= KEPT_BYTES);
        assert_eq!(line.next(), 6);
        assert_eq!(texts(&line, 0, 1), Err(3));
    }

    #[test]
    fn oldest_lists_are_forgotten() {
        let mut lists = KnownLists::default();
        for number in 0..KNOWN_LISTS {
            assert_eq!(lists.add(&number.to_string()), None);
        }
        assert_eq!(lists.add("new"), Some("0".to_owned()));
        assert!(lists.contains("new") && lists.contains("1") && !lists.contains("0"));
    }
}
