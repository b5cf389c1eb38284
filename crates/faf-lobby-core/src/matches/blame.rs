//! The blame for a match that was not launched in time (games.md section 6.8).
//!
//! A player whose game has not come into the lobby of the game is to blame. If all have, the
//! reports of the games about each other decide. A connection counts if both games report it, so
//! that nobody gains by claiming one, and players who lack connections that the others have are to
//! blame. If no connection is missing, it is the players whose games are not ready for the launch,
//! or the host if all are. Where there are no such reports, nobody is to blame.

use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::PlayerId;

use crate::state::Match;

/// Returns the players to blame when a match was not launched in time; `members` are those whose
/// game is in the lobby of the game.
pub(super) fn late(found: &Match, members: &[PlayerId]) -> Vec<PlayerId> {
    let absent: Vec<PlayerId> = found.players().filter(|player| !members.contains(player)).collect();
    if !absent.is_empty() {
        return absent;
    }
    let connections: BTreeMap<PlayerId, usize> =
        found.players().map(|player| (player, connections(found, player))).collect();
    if connections.values().all(|number| *number == 0) {
        return Vec::new();
    }
    let unconnected = unconnected(&connections);
    if !unconnected.is_empty() {
        return unconnected;
    }
    let is_ready = |player: &PlayerId| found.ready.contains(player);
    match found.players().partition::<Vec<_>, _>(is_ready) {
        (ready, _) if ready.is_empty() => Vec::new(),
        (_, unready) if unready.is_empty() => found.host().into_iter().collect(),
        (_, unready) => unready,
    }
}

/// Returns the number of players with whom a player is connected, as both games report.
fn connections(found: &Match, player: PlayerId) -> usize {
    let reports =
        |one: &PlayerId, other: &PlayerId| found.peers.get(one).is_some_and(|peers| peers.contains(other));
    found.players().filter(|peer| reports(&player, peer) && reports(peer, &player)).count()
}

/// Returns the players who lack connections: those with the fewest first, as long as they have
/// fewer than others who remain.
fn unconnected(connections: &BTreeMap<PlayerId, usize>) -> Vec<PlayerId> {
    let mut remaining: BTreeSet<PlayerId> = connections.keys().copied().collect();
    let mut blamed = Vec::new();
    for number in connections.values().copied().collect::<BTreeSet<_>>() {
        let group: Vec<PlayerId> =
            remaining.iter().copied().filter(|player| connections[player] == number).collect();
        if number + 1 < remaining.len() {
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
            began_at: Duration::ZERO,
            phase: Phase::WaitsForGuests,
            until: Duration::ZERO,
            lost: BTreeSet::new(),
            peers: peers.collect::<BTreeMap<_, _>>(),
            ready: BTreeSet::new(),
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
        // A claim that the other game does not confirm is worth nothing, and neither is silence.
        let others: [(u32, &[u32]); 3] = [(1, &[2, 3]), (2, &[1, 3]), (3, &[1, 2])];
        assert_eq!(blamed(&[others[0], others[1], others[2], (4, &[1, 2, 3])]), [4]);
        assert_eq!(blamed(&others), [4]);
        // Without any connection, nobody can tell.
        assert!(blamed(&[(1, &[2, 3, 4])]).is_empty());
        assert!(blamed(&[]).is_empty());
        let complete: [(u32, &[u32]); 4] =
            [(1, &[2, 3, 4]), (2, &[1, 3, 4]), (3, &[1, 2, 4]), (4, &[1, 2, 3])];
        // A player who is not in the lobby is to blame, whatever the others report.
        assert_eq!(late(&of(&complete), &all[..3]), [PlayerId(4)]);
    }

    #[test]
    fn of_connected_players_those_who_are_not_ready_are_blamed_and_else_the_host() {
        let all = [1, 2, 3, 4].map(PlayerId);
        let complete: [(u32, &[u32]); 4] =
            [(1, &[2, 3, 4]), (2, &[1, 3, 4]), (3, &[1, 2, 4]), (4, &[1, 2, 3])];
        for (ready, expected) in
            [(&[][..], &[][..]), (&[1, 2, 3], &[4]), (&[1, 2, 3, 4], &[1]), (&[2, 3, 4], &[1])]
        {
            let mut found = of(&complete);
            found.ready = ready.iter().copied().map(PlayerId).collect();
            let blamed: Vec<u32> = late(&found, &all).into_iter().map(|player| player.0).collect();
            assert_eq!(blamed, expected, "{ready:?}");
        }
    }
}
