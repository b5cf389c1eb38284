//! One against one: a stable marriage between the searches of a queue (matchmaking.md section 5).
//!
//! ```text
//!   searches are compared      fewer than 30: all with each other
//!         |                    otherwise: each with the next few by rating
//!         |  quality at least both thresholds
//!         v
//!   lists of possible opponents, the best at the end
//!         |
//!         |  each proposes to the best left, who takes it if free, or if it is better
//!         v
//!   pairs: who proposed, who accepted
//! ```
//!
//! | searches mean/deviation/games/failed attempts | quality | thresholds | result |
//! |---|---|---|---|
//! | 1500/75/100/5 and 1200/75/100/5 | 0.668673 | 0.513584 twice | match |
//! | 1500/75/100/5 and 1200/75/100/0 | 0.668673 | 0.513584, 0.763584 | none |
//! | 1500/500/0/3 and 650/110/80/3 | 0.536332 | 0.046185, 0.577252 | none: the second refuses |

use super::Candidate;
use super::round::{Match, MatchQuality, PairQuality, Round, Unmatched, UnmatchedReason};
use super::trueskill_quality::{TeamSkill, quality};

/// Number of searches from which each is compared only with those close to it.
const LONG_QUEUE: usize = 30;

/// Matches searches with one player each. `taking_part` are their positions in the order of
/// the queue.
pub(super) fn play(candidates: &[Candidate], taking_part: &[usize]) -> Round {
    let searches: Vec<Search> =
        taking_part.iter().map(|&candidate| Search::new(candidate, &candidates[candidate])).collect();
    let mut comparisons =
        Comparisons { rejected: vec![Rejected::default(); searches.len()], edges: Vec::new() };
    if searches.len() < LONG_QUEUE {
        for first in 0..searches.len() {
            for second in first + 1..searches.len() {
                comparisons.compare(&searches, first, second);
            }
        }
    } else {
        let order = by_graph_mean(candidates, taking_part);
        let reach = reach(searches.len());
        for (position, &first) in order.iter().enumerate() {
            for &second in order[position + 1..].iter().take(reach) {
                comparisons.compare(&searches, first, second);
            }
        }
    }
    let opponents = Opponents::new(searches.len(), &comparisons.edges);
    let partners = marry(&opponents);

    let mut round = Round::default();
    for (search, partner) in partners.iter().enumerate() {
        let candidate = searches[search].candidate;
        match *partner {
            Some(Partner { search: other, quality, has_accepted: true }) => {
                let thresholds = [searches[search].threshold, searches[other].threshold];
                round.matches.push(Match {
                    teams: [vec![candidate], vec![searches[other].candidate]],
                    quality: MatchQuality::Pair(PairQuality { quality, thresholds }),
                });
            }
            // Listed with the search that proposed.
            Some(Partner { has_accepted: false, .. }) => {}
            None => {
                let reason = reason(&searches, search, &comparisons.rejected[search], &opponents, &partners);
                round.unmatched.push(Unmatched { candidate, reason });
            }
        }
    }
    round
}

/// A search, with what the graph needs of it side by side.
struct Search {
    candidate: usize,
    skill: TeamSkill,
    threshold: f64,
}

impl Search {
    fn new(candidate: usize, of: &Candidate) -> Self {
        Self { candidate, skill: of.skill(), threshold: of.threshold() }
    }
}

/// Returns all searches sorted by the means of their quality ratings; equal ones stay in the order
/// of the queue.
fn by_graph_mean(candidates: &[Candidate], taking_part: &[usize]) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = taking_part
        .iter()
        .enumerate()
        .map(|(search, &candidate)| (candidates[candidate].graph_mean(), search))
        .collect();
    order.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    order.into_iter().map(|(_, search)| search).collect()
}

/// Returns the number of searches after it with which each one of a long queue is compared.
fn reach(searches: usize) -> usize {
    searches.max(16).ilog2() as usize / 2
}

/// The results of comparing searches with each other.
struct Comparisons {
    /// Possible pairs with their quality, in the order in which they were found.
    edges: Vec<(usize, usize, f64)>,
    /// The best of the impossible ones, of each search.
    rejected: Vec<Rejected>,
}

/// The opponents that came closest to a possible match, each with the quality of that match.
#[derive(Clone, Copy, Default)]
struct Rejected {
    /// The best of those who do not reach the search's own threshold.
    by_search: Option<(usize, f64)>,
    /// Of those who do, the one whose threshold the search missed by the least, and by how much.
    by_opponent: Option<(usize, f64, f64)>,
}

impl Comparisons {
    fn compare(&mut self, searches: &[Search], first: usize, second: usize) {
        let quality = quality(searches[first].skill, searches[second].skill);
        let agrees = |search: usize| quality >= searches[search].threshold;
        if agrees(first) && agrees(second) {
            self.edges.push((first, second, quality));
            return;
        }
        for (search, opponent) in [(first, second), (second, first)] {
            let rejected = &mut self.rejected[search];
            if agrees(search) {
                let shortfall = searches[opponent].threshold - quality;
                if rejected.by_opponent.is_none_or(|(_, _, least)| shortfall < least) {
                    rejected.by_opponent = Some((opponent, quality, shortfall));
                }
            } else if rejected.by_search.is_none_or(|(_, best)| quality > best) {
                rejected.by_search = Some((opponent, quality));
            }
        }
    }
}

/// A possible opponent, and the quality of a match with them.
#[derive(Clone, Copy)]
struct Opponent {
    search: usize,
    quality: f64,
}

/// The possible opponents of each search, from the worst to the best; among equals, those found
/// later are better.
struct Opponents {
    /// The lists of all searches one after the other.
    lists: Vec<Opponent>,
    /// Where the list of each search begins, and where the last one ends.
    begins: Vec<usize>,
}

impl Opponents {
    fn new(searches: usize, edges: &[(usize, usize, f64)]) -> Self {
        let mut begins = vec![0; searches + 1];
        for &(first, second, _) in edges {
            begins[first + 1] += 1;
            begins[second + 1] += 1;
        }
        for search in 0..searches {
            begins[search + 1] += begins[search];
        }
        let mut lists = vec![Opponent { search: 0, quality: 0.0 }; 2 * edges.len()];
        let mut ends = begins.clone();
        for &(first, second, quality) in edges {
            for (search, opponent) in [(first, second), (second, first)] {
                lists[ends[search]] = Opponent { search: opponent, quality };
                ends[search] += 1;
            }
        }
        for range in begins.windows(2) {
            lists[range[0]..range[1]].sort_by(|one, other| one.quality.total_cmp(&other.quality));
        }
        Self { lists, begins }
    }

    fn of(&self, search: usize) -> &[Opponent] {
        &self.lists[self.begins[search]..self.begins[search + 1]]
    }
}

/// The search that another one is matched with.
#[derive(Clone, Copy)]
struct Partner {
    search: usize,
    quality: f64,
    /// Whether this partner accepted, rather than proposed.
    has_accepted: bool,
}

/// Lets searches propose to their opponents, and returns the partner of each.
///
/// The number of turns is bounded by the longest list, so that two who are willing may stay
/// alone (M17).
fn marry(opponents: &Opponents) -> Vec<Option<Partner>> {
    let searches = opponents.begins.len() - 1;
    let lengths = || (0..searches).map(|search| opponents.of(search).len());
    let with_opponents = lengths().filter(|&length| length > 0).count();
    let mut left: Vec<usize> = lengths().collect();
    let mut partners: Vec<Option<Partner>> = vec![None; searches];
    let mut matched = 0;
    for _ in 0..lengths().max().unwrap_or(0) {
        if matched == with_opponents {
            break;
        }
        for search in 0..searches {
            if partners[search].is_some() || left[search] == 0 {
                continue;
            }
            left[search] -= 1;
            let Opponent { search: opponent, quality } = opponents.of(search)[left[search]];
            match partners[opponent] {
                Some(rival) if rival.quality < quality => {
                    // May propose to others in this turn if it comes later in the queue.
                    partners[rival.search] = None;
                    matched -= 2;
                }
                Some(_) => continue,
                None => {}
            }
            partners[search] = Some(Partner { search: opponent, quality, has_accepted: true });
            partners[opponent] = Some(Partner { search, quality, has_accepted: false });
            matched += 2;
        }
    }
    partners
}

/// Returns why a search has no partner.
fn reason(
    searches: &[Search],
    search: usize,
    rejected: &Rejected,
    opponents: &Opponents,
    partners: &[Option<Partner>],
) -> UnmatchedReason {
    let candidate = |search: usize| searches[search].candidate;
    let possible = opponents.of(search);
    if let Some(free) = possible.iter().rfind(|opponent| partners[opponent.search].is_none()) {
        return UnmatchedReason::RoundEnded { opponent: candidate(free.search), quality: free.quality };
    }
    if let Some(best) = possible.last() {
        let (opponent, quality) = (candidate(best.search), best.quality);
        return UnmatchedReason::OpponentsPlayOthers { opponent, quality };
    }
    if let Some((opponent, quality, _)) = rejected.by_opponent {
        let threshold = searches[opponent].threshold;
        return UnmatchedReason::RefusedByOpponents { opponent: candidate(opponent), quality, threshold };
    }
    if let Some((opponent, quality)) = rejected.by_search {
        let threshold = searches[search].threshold;
        return UnmatchedReason::BelowThreshold { opponent: candidate(opponent), quality, threshold };
    }
    // It is the only one in the queue.
    UnmatchedReason::TooFewPlayers { waiting: 1, needed: 2 }
}

#[cfg(test)]
mod tests {
    use faf_protocol::PlayerId;
    use faf_protocol::server_message::Rating;

    use super::super::candidate::self_quality;
    use super::super::{MatchmakingSettings, Member};
    use super::*;

    #[test]
    fn a_better_proposal_replaces_the_first() {
        let round = pairs(&[(1500.0, 80.0, 100, 0), (1600.0, 80.0, 100, 0), (1610.0, 80.0, 100, 0)]);
        assert_eq!(teams(&round), [[2, 1]]);
        let [Unmatched { candidate: 0, reason }] = round.unmatched[..] else { panic!("{round:?}") };
        let UnmatchedReason::OpponentsPlayOthers { opponent: 1, quality } = reason else {
            panic!("{reason:?}");
        };
        assert!((quality - 0.912_340).abs() < 1e-6);
    }

    #[test]
    fn both_thresholds_count() {
        let round = pairs(&[(1500.0, 75.0, 100, 5), (1200.0, 75.0, 100, 5)]);
        assert_eq!(teams(&round), [[0, 1]]);
        let MatchQuality::Pair(pair) = round.matches[0].quality else { panic!("{round:?}") };
        assert!((pair.quality - 0.668_673).abs() < 1e-6);
        assert!(pair.thresholds.iter().all(|threshold| (threshold - 0.513_584).abs() < 1e-6));

        let round = pairs(&[(1500.0, 75.0, 100, 5), (1200.0, 75.0, 100, 0)]);
        assert_eq!(teams(&round), [[0; 2]; 0]);
        let reasons: Vec<_> = round.unmatched.iter().map(|unmatched| unmatched.reason).collect();
        assert!(matches!(reasons[0], UnmatchedReason::RefusedByOpponents { opponent: 1, .. }), "{reasons:?}");
        assert!(matches!(reasons[1], UnmatchedReason::BelowThreshold { opponent: 0, .. }), "{reasons:?}");
        for reason in reasons {
            assert!((reason.shortfall().unwrap() - (0.763_584 - 0.668_673)).abs() < 1e-6, "{reason:?}");
        }

        let round = pairs(&[(1500.0, 500.0, 0, 3), (650.0, 110.0, 80, 3)]);
        assert_eq!(teams(&round), [[0; 2]; 0]);
    }

    #[test]
    fn the_reach_grows_with_the_queue() {
        let reaches = [30, 63, 64, 255, 256, 1000, 1023, 1024].map(reach);
        assert_eq!(reaches, [2, 2, 3, 3, 4, 4, 4, 5]);
    }

    /// Mean, deviation, games and failed attempts of each.
    fn pairs(searches: &[(f64, f64, u32, u32)]) -> Round {
        let settings = MatchmakingSettings::default();
        let candidates: Vec<_> = (1..)
            .zip(searches)
            .map(|(id, &(mean, deviation, games, failed_attempts))| {
                let members =
                    vec![Member { player: PlayerId(id), rating: Rating { mean, deviation }, games }];
                let self_quality = self_quality(&members, &settings);
                Candidate::new(members, failed_attempts, self_quality, &settings)
            })
            .collect();
        play(&candidates, &(0..candidates.len()).collect::<Vec<_>>())
    }

    fn teams(round: &Round) -> Vec<[usize; 2]> {
        round.matches.iter().map(|played| [played.teams[0][0], played.teams[1][0]]).collect()
    }
}
