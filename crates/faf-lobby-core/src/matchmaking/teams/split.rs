//! Splits the participants of a game into two teams (matchmaking.md section 6.3).
//!
//! | the participants have | first team | second team |
//! |---|---|---|
//! | a party as large as a team | the last one of them | all others |
//! | else one that lacks a player | the last one of them and the best single | all others |
//! | else | one side of the differencing method | the other side |
//!
//! The best single player brings the party closest to the average of all participants. If a team
//! then has too many or too few players, there is no game.
//!
//! The differencing method (Karmarkar and Karp) gives each party the value 5000 · players +
//! cumulative rating: as long as ratings are far below 5000, teams of equal size are the closest.
//! The two largest are replaced by their difference, which puts them on different sides, until one
//! is left:
//!
//! ```text
//!   6000 6100 6200 5900 6150 6050       the players 1 to 6
//!
//!   (3, 5) = 50    (2, 6) = 50    (1, 4) = 100
//!   ((1, 4), (2, 6)) = 50
//!   (((1, 4), (2, 6)), (3, 5)) = 0      first team 6, 1, 5; second team 2, 4, 3
//! ```

use super::Parties;

/// The value of a player without a rating in the differencing method.
const PLAYER: f64 = 5000.0;

/// Splits the participants of a game, positions in `parties` in the order in which they were
/// picked, into two teams of `team_size` players; `None` if that is not possible.
///
/// # Panics
///
/// If there is no party at one of the positions.
#[must_use]
pub fn split(parties: &Parties, participants: &[usize], team_size: u32) -> Option<[Vec<usize>; 2]> {
    Splitter::default().split(parties, participants, team_size).map(|teams| teams.map(<[usize]>::to_vec))
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
        parties: &Parties,
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
            participants.iter().copied().rfind(|&party| Some(parties.get(party).size) == size)
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
        let is_full = |team: &[usize]| parties.players(team) == team_size;
        (is_full(a) && is_full(b)).then_some([a, b])
    }
}

/// Returns the single player who brings a party closest to the average of all players, the first
/// of those that are equally good.
fn filler(parties: &Parties, participants: &[usize], party: usize) -> Option<usize> {
    let average = parties.cumulative_rating(participants) / f64::from(parties.players(participants));
    let mut best = None;
    for &single in participants {
        if single == party || parties.get(single).size != 1 {
            continue;
        }
        let team = [party, single];
        let together = parties.cumulative_rating(&team) / f64::from(parties.players(&team));
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
    fn split(&mut self, parties: &Parties, participants: &[usize], [a, b]: [&mut Vec<usize>; 2]) {
        self.left.clear();
        self.differences.clear();
        for &party in participants {
            let of = parties.get(party);
            self.insert(PLAYER * f64::from(of.size) + of.cumulative_rating, Node::Party(party));
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
    use faf_protocol::PlayerId;
    use faf_protocol::server_message::Rating;

    use super::super::super::{Candidate, MatchmakingSettings, Member, QueueRules};
    use super::*;

    #[test]
    fn the_worked_example() {
        let singles = [&[1000.0][..], &[1100.0], &[1200.0], &[900.0], &[1150.0], &[1050.0]];
        assert_eq!(split_all(&singles, 3), Some([vec![5, 0, 4], vec![1, 3, 2]]));
    }

    #[test]
    fn the_table_of_the_specification() {
        let singles = [&[1000.0][..], &[1200.0], &[900.0], &[1100.0]];
        assert_eq!(split_all(&singles, 2), Some([vec![3, 0], vec![1, 2]]));
        let full = [&[1300.0, 900.0][..], &[1000.0, 1250.0]];
        assert_eq!(split_all(&full, 2), Some([vec![1], vec![0]]));
        let one_short = [&[1000.0, 1100.0][..], &[1200.0], &[900.0], &[1150.0], &[1050.0]];
        assert_eq!(split_all(&one_short, 3), Some([vec![0, 3], vec![1, 2, 4]]));
        assert_eq!(split_all(&[&[1000.0; 3][..], &[1000.0; 3], &[1000.0; 2]], 4), None);
    }

    #[test]
    fn one_party_is_no_game() {
        assert_eq!(split_all(&[], 2), None);
        assert_eq!(split_all(&[&[1000.0; 4]], 2), None);
        assert_eq!(split_all(&[&[1000.0][..], &[1000.0]], 0), None);
    }

    /// Splits parties whose players have these displayed ratings.
    fn split_all(parties: &[&[f64]], team_size: u32) -> Option<[Vec<usize>; 2]> {
        let settings = MatchmakingSettings::default();
        let member = |&displayed: &f64| {
            let rating = Rating { mean: displayed + 300.0, deviation: 100.0 };
            Member { player: PlayerId(1), rating, games: 100 }
        };
        let candidates: Vec<Candidate> = parties
            .iter()
            .map(|party| Candidate::new(party.iter().map(member).collect(), 0, 0.9, &settings))
            .collect();
        let queue = QueueRules { team_size, rating_peak: 1000.0 };
        let participants: Vec<usize> = (0..parties.len()).collect();
        split(&Parties::new(&candidates, queue, &settings), &participants, team_size)
    }
}
