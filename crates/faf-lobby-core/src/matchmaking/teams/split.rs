//! Splits the participants of a game into two teams (matchmaking.md section 6.3).
//!
//! | the participants have | first team | second team |
//! |---|---|---|
//! | a party as large as a team | the last one of them | all others |
//! | else one that lacks one player | the last one of them, and the single player who brings it closest to the average of all | all others |
//! | else | one side of the differencing method | the other side |
//!
//! If a team then has too many or too few players, there is no game.
//!
//! The differencing method (Karmarkar and Karp) gives each party the value 5000 · players +
//! cumulative rating: as long as ratings are far below 5000, teams of equal size are the closest. The
//! two largest are replaced by their difference, which puts them on different sides, until one is
//! left:
//!
//! ```text
//!   6000 6100 6200 5900 6150 6050       the players 1 to 6
//!
//!   (3, 5) = 50    (2, 6) = 50    (1, 4) = 100
//!   ((1, 4), (2, 6)) = 50
//!   (((1, 4), (2, 6)), (3, 5)) = 0      first team 6, 1, 5; second team 2, 4, 3
//! ```

use super::Party;

/// The value of a player without a rating in the differencing method.
const PLAYER: f64 = 5000.0;

/// Splits parties, given in the order in which they were picked, into two teams of `team_size`
/// players. Returns their positions in the order of the teams; `None` if that is not possible.
#[must_use]
pub fn split(parties: &[Party], team_size: u32) -> Option<[Vec<usize>; 2]> {
    let participants: Vec<usize> = (0..parties.len()).collect();
    Splitter::default().split(parties, &participants, team_size).map(|teams| teams.map(<[usize]>::to_vec))
}

/// Splits games one after the other in the same memory.
#[derive(Default)]
pub(super) struct Splitter {
    teams: [Vec<usize>; 2],
    differencing: Differencing,
}

impl Splitter {
    /// Splits the parties at the positions in `participants`. The teams hold such positions.
    pub(super) fn split(
        &mut self,
        parties: &[Party],
        participants: &[usize],
        team_size: u32,
    ) -> Option<[&[usize]; 2]> {
        let Self { teams: [a, b], differencing } = self;
        a.clear();
        b.clear();
        if participants.len() < 2 {
            return None;
        }
        let last_of = |size: Option<u32>| {
            participants.iter().copied().rfind(|&party| Some(parties[party].size()) == size)
        };
        if let Some(party) = last_of(Some(team_size)) {
            a.push(party);
        } else if let Some(party) = last_of(team_size.checked_sub(1)) {
            a.extend([party, filler(parties, participants, party)?]);
        }
        if a.is_empty() {
            differencing.split(parties, participants, [a, b]);
        } else {
            b.extend(participants.iter().filter(|&party| !a.contains(party)));
        }
        let is_full =
            |team: &[usize]| team.iter().map(|&party| parties[party].size()).sum::<u32>() == team_size;
        (is_full(a) && is_full(b)).then_some([a, b])
    }
}

/// Returns the single player who brings a party closest to the average of all players, the first of
/// those that are equally good.
fn filler(parties: &[Party], participants: &[usize], party: usize) -> Option<usize> {
    let (mut rating, mut players) = (0.0, 0.0);
    for &participant in participants {
        rating += parties[participant].cumulative_rating();
        players += f64::from(parties[participant].size());
    }
    let average = rating / players;
    let mut best = None;
    for &single in participants {
        if single == party || parties[single].size() != 1 {
            continue;
        }
        let (party, single_rating) = (&parties[party], parties[single].cumulative_rating());
        let together = (party.cumulative_rating() + single_rating) / f64::from(party.size() + 1);
        let distance = (average - together).abs();
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, single));
        }
    }
    best.map(|(_, single)| single)
}

/// The memory of the differencing method.
#[derive(Default)]
struct Differencing {
    /// The nodes that are left with their values, from the smallest to the largest.
    left: Vec<(f64, Node)>,
    /// All differences: the larger and the smaller of two nodes.
    differences: Vec<(Node, Node)>,
    /// The nodes that still have to be spread over the two teams.
    stacks: [Vec<Node>; 2],
}

#[derive(Clone, Copy)]
enum Node {
    Party(usize),
    Difference(usize),
}

impl Differencing {
    /// There are at least two participants.
    fn split(&mut self, parties: &[Party], participants: &[usize], [a, b]: [&mut Vec<usize>; 2]) {
        self.left.clear();
        self.differences.clear();
        for &party in participants {
            let of = &parties[party];
            self.insert(PLAYER * f64::from(of.size()) + of.cumulative_rating(), Node::Party(party));
        }
        while let [.., (smaller, y), (larger, x)] = self.left[..] {
            self.left.truncate(self.left.len() - 2);
            self.differences.push((x, y));
            self.insert(larger - smaller, Node::Difference(self.differences.len() - 1));
        }
        let Some(&(x, y)) = self.differences.last() else { return };
        let [first, second] = &mut self.stacks;
        first.push(x);
        second.push(y);
        while !first.is_empty() || !second.is_empty() {
            spread(&self.differences, first, second, a);
            spread(&self.differences, second, first, b);
        }
    }

    /// Inserts a node after those of equal value.
    fn insert(&mut self, value: f64, node: Node) {
        let position = self.left.partition_point(|(other, _)| other.total_cmp(&value).is_le());
        self.left.insert(position, (value, node));
    }
}

/// Takes one node from a stack: a party joins the team, of a difference the larger node stays on
/// this side, and the smaller one goes to the other.
fn spread(differences: &[(Node, Node)], own: &mut Vec<Node>, other: &mut Vec<Node>, team: &mut Vec<usize>) {
    match own.pop() {
        Some(Node::Party(party)) => team.push(party),
        Some(Node::Difference(difference)) => {
            let (x, y) = differences[difference];
            own.push(x);
            other.push(y);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        let singles = singles(&[1000.0, 1100.0, 1200.0, 900.0, 1150.0, 1050.0]);
        assert_eq!(split(&singles, 3), Some([vec![5, 0, 4], vec![1, 3, 2]]));
    }

    #[test]
    fn the_table_of_the_specification() {
        assert_eq!(split(&singles(&[1000.0, 1200.0, 900.0, 1100.0]), 2), Some([vec![3, 0], vec![1, 2]]));
        assert_eq!(split(&[party(2, 2200.0), party(2, 2250.0)], 2), Some([vec![1], vec![0]]));
        let mut parties = vec![party(2, 2100.0)];
        parties.extend(singles(&[1200.0, 900.0, 1150.0, 1050.0]));
        assert_eq!(split(&parties, 3), Some([vec![0, 3], vec![1, 2, 4]]));
        assert_eq!(split(&[party(3, 3000.0), party(3, 3000.0), party(2, 2000.0)], 4), None);
    }

    #[test]
    fn one_party_is_no_game() {
        assert_eq!(split(&[], 2), None);
        assert_eq!(split(&[party(4, 4000.0)], 2), None);
        assert_eq!(split(&[party(1, 1000.0), party(1, 1000.0)], 0), None);
    }

    fn singles(ratings: &[f64]) -> Vec<Party> {
        ratings.iter().map(|&rating| party(1, rating)).collect()
    }

    fn party(size: u32, cumulative_rating: f64) -> Party {
        Party::with_rating(size, cumulative_rating)
    }
}
