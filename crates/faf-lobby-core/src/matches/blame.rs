//! The blame for a match that was not launched in time (games.md section 6.8).
//!
//! A player whose game has not come into the lobby of the game is to blame. If all have, the
//! reports of the games about each other decide: players who lack connections that the others have
//! are to blame, or the host, if nothing was missing. Without such reports nobody is.

use std::collections::BTreeSet;

use faf_protocol::PlayerId;

use crate::state::Match;

/// Returns the players to blame when a match was not launched in time; `members` are those whose
/// game is in the lobby of the game.
pub(super) fn late(found: &Match, members: &[PlayerId]) -> Vec<PlayerId> {
    let absent: Vec<PlayerId> = found.players().filter(|player| !members.contains(player)).collect();
    if !absent.is_empty() {
        return absent;
    }
    if !found.players().all(|player| found.peers.contains_key(&player)) {
        return Vec::new();
    }
    let unconnected = unconnected(found);
    if unconnected.is_empty() { found.host().into_iter().collect() } else { unconnected }
}

/// Returns the players who lack connections: those with the fewest first, as long as they have
/// fewer than others who remain.
fn unconnected(found: &Match) -> Vec<PlayerId> {
    let mut remaining: BTreeSet<PlayerId> = found.players().collect();
    let mut blamed = Vec::new();
    let number = |player: &PlayerId| found.peers.get(player).map_or(0, BTreeSet::len);
    let numbers: BTreeSet<usize> = remaining.iter().map(number).collect();
    for connected in numbers {
        let group: Vec<PlayerId> =
            remaining.iter().copied().filter(|player| number(player) == connected).collect();
        if connected + 1 < remaining.len() {
            group.iter().for_each(|player| {
                remaining.remove(player);
            });
            blamed.extend(group);
        }
    }
    blamed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use faf_protocol::Faction;

    use super::*;
    use crate::matchmaking::queue::QueueId;
    use crate::matchmaking::{MatchQuality, PairQuality};
    use crate::state::{Matched, Phase};

    /// A match of four players, whose first is the host, with these connected peers.
    fn of(peers: &[(u32, &[u32])]) -> Match {
        let matched = |player| Matched { player: PlayerId(player), faction: Faction::Uef };
        let peers = peers.iter().map(|(player, peers)| {
            (PlayerId(*player), peers.iter().copied().map(PlayerId).collect::<BTreeSet<_>>())
        });
        Match {
            queue: QueueId(1),
            teams: [vec![matched(1), matched(2)], vec![matched(3), matched(4)]],
            searches: [Vec::new(), Vec::new()],
            quality: MatchQuality::Pair(PairQuality { quality: 1.0, thresholds: [0.0; 2] }),
            phase: Phase::WaitsForGuests,
            until: Duration::ZERO,
            lost: BTreeSet::new(),
            peers: peers.collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn those_who_lack_connections_are_blamed() {
        let all = [1, 2, 3, 4].map(PlayerId);
        let blamed = |peers: &[(u32, &[u32])]| -> Vec<u32> {
            late(&of(peers), &all).into_iter().map(|player| player.0).collect()
        };
        // One isolated player, two who only lack each other, two pairs that do not reach each
        // other.
        assert_eq!(blamed(&[(1, &[2, 3]), (2, &[1, 3]), (3, &[1, 2]), (4, &[])]), [4]);
        assert_eq!(blamed(&[(1, &[2, 3, 4]), (2, &[1, 3, 4]), (3, &[1, 2]), (4, &[1, 2])]), [3, 4]);
        assert_eq!(blamed(&[(1, &[2]), (2, &[1]), (3, &[4]), (4, &[3])]), [1, 2, 3, 4]);
        // All are connected, and the host has not launched.
        let complete: [(u32, &[u32]); 4] =
            [(1, &[2, 3, 4]), (2, &[1, 3, 4]), (3, &[1, 2, 4]), (4, &[1, 2, 3])];
        assert_eq!(blamed(&complete), [1]);
        // Without reports of all, nobody can be told.
        assert!(blamed(&complete[..3]).is_empty());
        // A player who is not in the lobby is to blame, whatever the others report.
        assert_eq!(late(&of(&complete), &all[..3]), [PlayerId(4)]);
    }
}
