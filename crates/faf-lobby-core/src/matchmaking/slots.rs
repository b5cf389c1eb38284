//! Where the players of a match start (matchmaking.md section 8.2).

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

/// The `Team` option of the two teams; 1 means no team.
const TEAMS: [u32; 2] = [2, 3];

/// The place of a player in the game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The player.
    pub player: PlayerId,
    /// Value of the option `Team`: 2 for the first team, 3 for the second.
    pub team: u32,
    /// Value of the options `StartSpot`, `Army` and `Color`, from 1: odd for the first team, even
    /// for the second.
    pub slot: u32,
}

/// Gives each player a place. A team is the players with their displayed ratings, in the order of
/// their searches.
///
/// Players of equal rank in their teams, by rating from below, are a pair. `order` has the indices
/// of the pairs in the order in which they get their slots, so that a start position does not
/// reveal the rating. Pairs that it does not name come last. Places are returned in the order of
/// their slots.
#[must_use]
pub fn assign_slots(teams: [&[(PlayerId, f64)]; 2], order: &[usize]) -> Vec<Place> {
    let ranked = teams.map(|team| {
        let mut team = team.to_vec();
        team.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        team
    });
    let mut ranks: Vec<usize> = (0..ranked[0].len().max(ranked[1].len())).collect();
    ranks.sort_by_key(|rank| order.iter().position(|place| place == rank).unwrap_or(usize::MAX));
    let mut slots = Vec::new();
    for (pair, rank) in (0..).zip(ranks) {
        for (side, (team, number)) in (1..).zip(ranked.iter().zip(TEAMS)) {
            if let Some((player, _)) = team.get(rank) {
                slots.push(Place { player: *player, team: number, slot: pair * 2 + side });
            }
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn pairs_of_equal_rank_are_opposite() {
        let team = |players: &[(u32, f64)]| -> Vec<(PlayerId, f64)> {
            players.iter().map(|(id, rating)| (PlayerId(*id), *rating)).collect()
        };
        let (one, other) = (team(&[(1, 1200.0), (2, -800.0)]), team(&[(3, 1000.0), (4, 1000.0)]));
        let slots = |order: &[usize]| -> Vec<u32> {
            assign_slots([&one, &other], order).into_iter().map(|slot| slot.player.0).collect()
        };
        assert_eq!(slots(&[0, 1]), [2, 3, 1, 4]);
        assert_eq!(slots(&[1, 0]), [1, 4, 2, 3]);
        assert_eq!(slots(&[7, 1]), [1, 4, 2, 3]);
        assert_eq!(slots(&[]), [2, 3, 1, 4]);
    }

    proptest! {
        #[test]
        fn everybody_gets_a_slot_of_their_own(
            ratings in prop::collection::vec((prop::num::f64::ANY, prop::num::f64::ANY), 0..8),
            order in prop::collection::vec(0_usize..9, 0..9),
        ) {
            let one: Vec<_> = (1..).map(PlayerId).zip(ratings.iter().map(|pair| pair.0)).collect();
            let other: Vec<_> = (101..).map(PlayerId).zip(ratings.iter().map(|pair| pair.1)).collect();
            let slots = assign_slots([&one, &other], &order);
            prop_assert!(slots.iter().map(|slot| slot.slot as usize).eq(1..=ratings.len() * 2));
            let players: BTreeSet<_> = slots.iter().map(|slot| slot.player).collect();
            prop_assert_eq!(players.len(), ratings.len() * 2);
            for slot in slots {
                let is_first = slot.player.0 <= 100;
                prop_assert_eq!((slot.team, slot.slot % 2), if is_first { (2, 1) } else { (3, 0) });
            }
        }
    }
}
