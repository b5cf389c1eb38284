//! The participants of a game around one party (matchmaking.md section 6.2).
//!
//! ```text
//!   parties by average rating:   . . 5 3 1 [] 2 4 6 . .      lower side first, then in turn
//! ```
//!
//! A party that is too large for the places left is skipped; a smaller one farther away may still
//! fit. If both sides are used up before the two teams are full, there is no game.
//!
//! Walking along each side costs as many steps as there are parties, if those nearby are large. As
//! the places left only become fewer, each step goes to the nearest party of at most that size
//! instead, which a table knows.

/// Returns the participants of a game around the party at `index`, in the order in which they are
/// picked; `None` if the parties do not add up to two teams.
///
/// `sizes` are the numbers of players of all parties, sorted by average rating; each is at
/// least 1.
///
/// # Panics
///
/// If there is no party at `index`.
#[must_use]
pub fn participants(sizes: &[u32], index: usize, team_size: u32) -> Option<Vec<usize>> {
    assert!(index < sizes.len(), "there is no party {index} among {}", sizes.len());
    let mut participants = Vec::new();
    Neighbours::new(sizes.iter().copied()).around(index, team_size, &mut participants).then_some(participants)
}

/// For each party and each size, the nearest party of at most that size on both sides.
pub(super) struct Neighbours {
    /// The size of each party.
    sizes: Vec<u32>,
    /// The sizes that occur, ascending. Each has a row in the tables.
    limits: Vec<u32>,
    /// Rows with the nearest lower party of each party.
    lower: Vec<usize>,
    /// Rows with the nearest higher party of each party.
    higher: Vec<usize>,
}

/// No party in [`Neighbours`].
const NONE: usize = usize::MAX;

impl Neighbours {
    pub(super) fn new(sizes: impl Iterator<Item = u32>) -> Self {
        let sizes: Vec<u32> = sizes.collect();
        let mut limits = sizes.clone();
        limits.sort_unstable();
        limits.dedup();
        let mut lower = vec![NONE; limits.len() * sizes.len()];
        let mut higher = lower.clone();
        for (row, &limit) in limits.iter().enumerate() {
            let row = row * sizes.len();
            let mut nearest = NONE;
            for (party, &size) in sizes.iter().enumerate() {
                lower[row + party] = nearest;
                if size <= limit {
                    nearest = party;
                }
            }
            nearest = NONE;
            for (party, &size) in sizes.iter().enumerate().rev() {
                higher[row + party] = nearest;
                if size <= limit {
                    nearest = party;
                }
            }
        }
        Self { sizes, limits, lower, higher }
    }

    /// Writes the participants of a game around a party; returns whether the two teams are full.
    pub(super) fn around(&self, party: usize, team_size: u32, participants: &mut Vec<usize>) -> bool {
        participants.clear();
        let mut left = u64::from(team_size) * 2;
        let mut latest = party;
        // The last participant on each side: the next one is looked for from here.
        let (mut low, mut high) = (party, party);
        loop {
            participants.push(latest);
            let Some(rest) = left.checked_sub(self.sizes[latest].into()) else { return false };
            left = rest;
            if left == 0 {
                return true;
            }
            let fitting = self.limits.partition_point(|&limit| u64::from(limit) <= left);
            let Some(row) = fitting.checked_sub(1).map(|row| row * self.sizes.len()) else { return false };
            let (next_low, next_high) = (self.lower[row + low], self.higher[row + high]);
            // The sides take turns, so that the nearer one is reached first, and the lower one if
            // both are equally far away.
            let is_low = match (next_low, next_high) {
                (NONE, NONE) => return false,
                (NONE, _) => false,
                (_, NONE) => true,
                (_, _) => party - next_low <= next_high - party,
            };
            latest = if is_low { next_low } else { next_high };
            *(if is_low { &mut low } else { &mut high }) = latest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sides_take_turns() {
        assert_eq!(participants(&[1; 7], 3, 2), Some(vec![3, 2, 4, 1]));
        assert_eq!(participants(&[1; 5], 0, 2), Some(vec![0, 1, 2, 3]));
        assert_eq!(participants(&[1; 5], 4, 2), Some(vec![4, 3, 2, 1]));
    }

    #[test]
    fn parties_that_are_too_large_are_skipped() {
        assert_eq!(participants(&[1, 2, 2, 1, 1], 2, 2), Some(vec![2, 1]));
        assert_eq!(participants(&[1, 2, 1, 2, 1], 2, 2), Some(vec![2, 1, 0]));
        assert_eq!(participants(&[3, 2, 1, 2, 1], 2, 2), Some(vec![2, 1, 4]));
        assert_eq!(participants(&[4, 3, 3], 1, 3), Some(vec![1, 2]));
    }

    #[test]
    fn parties_may_not_add_up() {
        assert_eq!(participants(&[1, 1, 1], 1, 2), None);
        assert_eq!(participants(&[2, 3], 0, 2), None);
        assert_eq!(participants(&[5], 0, 2), None);
        assert_eq!(participants(&[u32::MAX, 1], 0, u32::MAX), None);
    }
}
