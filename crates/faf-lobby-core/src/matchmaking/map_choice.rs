//! The map of a match: by the weights of the pool, the vetoes of the players, and what they have
//! played lately (matchmaking.md sections 8.3 and 12.4).
//!
//! Weight moves from maps that were played lately to others, as in the original of 2026. A
//! generated map is in nobody's history, and counts as played as often as the fixed map that was
//! played least. Without that it would take over all weight as soon as every fixed map had been
//! played. If there are no vetoes, the probabilities are those of the original of 2024.
//!
//! | pool (weight) | history | probabilities |
//! |---|---|---|
//! | a1, b3, c1 | - | 0.2, 0.6, 0.2 |
//! | a, b, c, d (1 each) | a, b, c | d 1 |
//! | a, b, c (1 each) | a, b, c, a, a, b | c 1 |
//! | a, b, generated (1 each) | a | b 0.5, generated 0.5 |
//! | a, b, c, generated (1 each) | a, b, c | 0.25 each |
//!
//! | weights after vetoes | history | after anti-repetition |
//! |---|---|---|
//! | 1, 1, 1 | a | 0, 1.5, 1.5 |
//! | 1, 0.4 | a | 1, 0.4 |
//! | 1, 0.6, 0.2 | a | 0, 1.6, 0.2 |
//! | 1, 0.55, 0.45 | a, a | 0, 1.55, 0.45 |
//! | 1, 0.45 | a, a, a | 0, 1.45 |
//! | 1, 0.9 | a, a, b | 0, 1.9 |

use std::cmp::Reverse;
use std::collections::BTreeMap;

use faf_protocol::PoolEntryId;
use serde::{Deserialize, Serialize};

use super::map_pool::{Bracket, PoolEntry, PoolMap};
use super::vetoes::{Vetoes, tokens_of_match};

/// Rules that keep players from playing the same map again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AntiRepetition {
    /// Weights, in relation to that of a played map, that unplayed maps must have to take over its
    /// weight; default 0.75, 0.5. The first one counts that any map has
    /// (`LADDER_ANTI_REPETITION_WEIGHT_BASE_THRESHOLDS`).
    pub weight_base_thresholds: Vec<f64>,
    /// Factor by which the thresholds fall with each further time that the map was played; default
    /// 0.8 (`LADDER_ANTI_REPETITION_REPEAT_COUNTS_FACTOR`).
    pub repeat_counts_factor: f64,
}

impl Default for AntiRepetition {
    fn default() -> Self {
        Self { weight_base_thresholds: vec![0.75, 0.5], repeat_counts_factor: 0.8 }
    }
}

/// An entry of the pool in the choice of a map, with how its probability came about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MapCandidate {
    /// The entry.
    pub entry: PoolEntryId,
    /// Weight of the entry in its pool.
    pub pool_weight: u32,
    /// Number of tokens of all players of the match on it.
    pub tokens: u64,
    /// Weight after vetoes, from 0 to 1.
    pub after_vetoes: f64,
    /// Weight after anti-repetition. Multiplied by the weight in the pool, it is the final one.
    pub after_repetition: f64,
    /// Probability with which the entry is chosen, from 0 to 1.
    pub probability: f64,
}

/// The choice of a match's map, kept to explain it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapChoice {
    /// All entries of the bracket's pool, in its order.
    pub candidates: Vec<MapCandidate>,
}

impl MapChoice {
    /// Computes the probabilities of the maps of a bracket. `vetoes` are the selections of all
    /// players, `history` has the map versions that each has played lately, the newest first, one
    /// player after the other.
    #[must_use]
    pub fn new(bracket: &Bracket, vetoes: &[&Vetoes], history: &[u32], rules: &AntiRepetition) -> Self {
        let tokens = tokens_of_match(bracket, vetoes);
        let after_vetoes = bracket.vetoes.weights(&tokens);
        let after_repetition = without_repetition(&bracket.pool, &after_vetoes, history, rules);
        let mut candidates: Vec<MapCandidate> = (bracket.pool.iter().zip(tokens))
            .zip(after_vetoes.into_iter().zip(after_repetition))
            .map(|((entry, tokens), (after_vetoes, after_repetition))| MapCandidate {
                entry: entry.id,
                pool_weight: entry.weight,
                tokens,
                after_vetoes,
                after_repetition,
                probability: after_repetition * f64::from(entry.weight),
            })
            .collect();
        let total: f64 = candidates.iter().map(|candidate| candidate.probability).sum();
        for candidate in candidates.iter_mut().filter(|_| total > 0.0) {
            candidate.probability /= total;
        }
        Self { candidates }
    }

    /// Chooses an entry with a random number from 0 up to 1. `None` if there is none with a weight:
    /// the pool is empty, or nothing is left of it.
    #[must_use]
    pub fn draw(&self, random: f64) -> Option<PoolEntryId> {
        let mut possible = self.candidates.iter().filter(|candidate| candidate.probability > 0.0).peekable();
        let mut sum = 0.0;
        while let Some(candidate) = possible.next() {
            sum += candidate.probability;
            // The sum of all may be a little less than 1.
            if random < sum || possible.peek().is_none() {
                return Some(candidate.entry);
            }
        }
        None
    }
}

/// Moves weight from the maps of a history to others of the pool (section 12.4). `weights` are
/// those after vetoes, one for each entry; maps without weight get none.
#[must_use]
pub fn without_repetition(
    pool: &[PoolEntry],
    weights: &[f64],
    history: &[u32],
    rules: &AntiRepetition,
) -> Vec<f64> {
    let plays = plays(pool, weights, history);
    let mut played: Vec<usize> = (0..plays.len()).filter(|map| plays[*map].count > 0).collect();
    played.sort_by_key(|map| (Reverse(plays[*map].count), plays[*map].first));
    let mut adjusted = weights.to_vec();
    for map in played {
        let targets = targets(map, weights, &plays, rules);
        let total: f64 = targets.iter().map(|target| weights[*target]).sum();
        if total > 0.0 {
            let moved = std::mem::take(&mut adjusted[map]);
            for target in targets {
                adjusted[target] += moved * weights[target] / total;
            }
        }
    }
    adjusted
}

/// How often a map occurs in a history.
#[derive(Debug, Clone, Copy)]
struct Plays {
    count: usize,
    /// Its first place in the history.
    first: usize,
}

/// Counts the plays of each entry that has a weight.
fn plays(pool: &[PoolEntry], weights: &[f64], history: &[u32]) -> Vec<Plays> {
    let mut by_version: BTreeMap<u32, Plays> = BTreeMap::new();
    for (first, version) in history.iter().enumerate() {
        by_version.entry(*version).or_insert(Plays { count: 0, first }).count += 1;
    }
    let never = Plays { count: 0, first: history.len() };
    let of = |entry: &PoolEntry| match &entry.map {
        PoolMap::Fixed { version, .. } => Some(by_version.get(&version.id).copied().unwrap_or(never)),
        PoolMap::Generated(_) => None,
    };
    let entries = || pool.iter().zip(weights).map(|(entry, weight)| (of(entry), *weight > 0.0));
    let fixed = entries().filter_map(|(plays, has_weight)| plays.filter(|_| has_weight));
    let least = Plays { count: fixed.map(|plays| plays.count).min().unwrap_or(0), ..never };
    entries().map(|(plays, has_weight)| if has_weight { plays.unwrap_or(least) } else { never }).collect()
}

/// Returns the maps that take over the weight of a played one: unplayed ones that are about as
/// popular or, without any, those that were played less often.
///
/// | plays | thresholds, by default |
/// |---|---|
/// | 1 | 0.75, 0.5 |
/// | 2 | 0.75, 0.5, 0.4 |
/// | 3 | 0.75, 0.5, 0.48, 0.32 |
/// | 4 | 0.75, 0.5, 0.384, 0.256 |
fn targets(map: usize, weights: &[f64], plays: &[Plays], rules: &AntiRepetition) -> Vec<usize> {
    let (count, weight) = (plays[map].count, weights[map]);
    let with = |accepts: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..plays.len()).filter(|other| weights[*other] > 0.0 && accepts(*other)).collect()
    };
    let factor = |times: usize| libm::pow(rules.repeat_counts_factor, times as f64);
    let (base, scale) = (&rules.weight_base_thresholds, factor(count - 1));
    let is_lower = |threshold: &f64| scale < 1.0 && base.last().is_some_and(|last| threshold < last);
    let scaled = base.iter().map(|threshold| threshold * scale).filter(is_lower);
    for threshold in base.iter().copied().chain(scaled) {
        let found = with(&|other| plays[other].count == 0 && weights[other] >= threshold * weight);
        if !found.is_empty() {
            return found;
        }
    }
    with(&|other| {
        let times = plays[other].count;
        0 < times && times < count && weights[other] >= factor(count - times) * weight
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MapVersion;
    use crate::matchmaking::vetoes::VetoSettings;
    use faf_protocol::BracketId;
    use faf_protocol::client_message::Veto;
    use proptest::prelude::*;

    /// A pool with these weights, where the ids of entries and map versions begin at 1. The last
    /// `generated` entries are generated maps.
    fn bracket(weights: &[i64], generated: usize) -> Bracket {
        let entry = |(n, weight): (usize, &i64)| {
            let id = PoolEntryId(n as i64 + 1);
            let version = MapVersion { id: n as u32 + 1, is_ranked: true };
            match n + generated < weights.len() {
                true => PoolEntry::fixed(id, *weight, version, "maps/x.zip"),
                false => {
                    let params = r#"{"type":"neroxis","version":"1.0.0","spawns":2,"size":512}"#;
                    PoolEntry::generated(id, *weight, params)
                }
            }
            .unwrap()
        };
        let pool = weights.iter().enumerate().map(entry).collect();
        let vetoes = VetoSettings { veto_tokens_per_player: 4, ..VetoSettings::default() };
        Bracket { id: BracketId(1), min_rating: None, max_rating: None, vetoes, pool }
    }

    fn probabilities(weights: &[i64], generated: usize, history: &[u32]) -> Vec<f64> {
        let bracket = bracket(weights, generated);
        let choice = MapChoice::new(&bracket, &[], history, &AntiRepetition::default());
        choice.candidates.iter().map(|candidate| candidate.probability).collect()
    }

    /// The second table at the head of this file.
    #[test]
    fn played_maps_pass_on_their_weight() {
        let adjusted = |weights: &[f64], history: &[u32]| {
            let pool = bracket(&vec![1; weights.len()], 0).pool;
            without_repetition(&pool, weights, history, &AntiRepetition::default())
        };
        assert_eq!(adjusted(&[1.0, 1.0, 1.0], &[1]), [0.0, 1.5, 1.5]);
        assert_eq!(adjusted(&[1.0, 0.4], &[1]), [1.0, 0.4]);
        assert_eq!(adjusted(&[1.0, 0.6, 0.2], &[1]), [0.0, 1.6, 0.2]);
        assert_eq!(adjusted(&[1.0, 0.55, 0.45], &[1, 1]), [0.0, 1.55, 0.45]);
        assert_eq!(adjusted(&[1.0, 0.45], &[1, 1, 1]), [0.0, 1.45]);
        assert_eq!(adjusted(&[1.0, 0.9], &[1, 1, 2]), [0.0, 1.9]);
        assert_eq!(adjusted(&[], &[1]), [0.0; 0]);
    }

    /// The first table.
    #[test]
    fn maps_that_were_played_least_are_chosen_by_their_weights() {
        assert_eq!(probabilities(&[1, 3, 1], 0, &[]), [0.2, 0.6, 0.2]);
        assert_eq!(probabilities(&[1, 1, 1, 1], 0, &[1, 2, 3]), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(probabilities(&[1, 1, 1], 0, &[1, 2, 3, 1, 1, 2]), [0.0, 0.0, 1.0]);
        assert_eq!(probabilities(&[1, 1, 1], 1, &[1]), [0.0, 0.5, 0.5]);
        assert_eq!(probabilities(&[1, 1, 1, 1], 1, &[1, 2, 3]), [0.25; 4]);
        assert_eq!(probabilities(&[1, 1, 2], 1, &[1, 1, 2]), [0.0, 1.0 / 3.0, 2.0 / 3.0]);
    }

    #[test]
    fn a_choice_shows_how_it_came_about() {
        let bracket = bracket(&[1, 2, 1], 0);
        let veto = |entry, tokens| Veto { bracket: BracketId(1), entry: PoolEntryId(entry), tokens };
        let [ada, bob] = [vec![veto(1, 2)], vec![veto(1, 1), veto(3, 1)]].map(Vetoes::from);
        let choice = MapChoice::new(&bracket, &[&ada, &bob], &[2], &AntiRepetition::default());
        // Map 3 is too unpopular to take over the weight of map 2.
        let candidate = |entry, pool_weight, tokens, weight, probability| MapCandidate {
            entry: PoolEntryId(entry),
            pool_weight,
            tokens,
            after_vetoes: weight,
            after_repetition: weight,
            probability,
        };
        assert_eq!(
            choice.candidates,
            [candidate(1, 1, 3, 0.0, 0.0), candidate(2, 2, 0, 1.0, 1.0), candidate(3, 1, 1, 0.0, 0.0)]
        );
        assert_eq!(choice.draw(0.0), Some(PoolEntryId(2)));
    }

    #[test]
    fn the_random_number_decides_by_probability() {
        let bracket = bracket(&[1, 0, 3], 0);
        let choice = MapChoice::new(&bracket, &[], &[], &AntiRepetition::default());
        let drawn = [0.0, 0.24, 0.25, 0.999, 1.0, f64::NAN].map(|random| choice.draw(random).unwrap().0);
        assert_eq!(drawn, [1, 1, 3, 3, 3, 3]);
        for empty in [
            MapChoice { candidates: Vec::new() },
            MapChoice::new(&self::bracket(&[0], 0), &[], &[], &AntiRepetition::default()),
        ] {
            assert_eq!(empty.draw(0.5), None);
        }
    }

    proptest! {
        #[test]
        fn weight_is_moved_and_neither_made_nor_lost(
            maps in prop::collection::vec((0_i64..4, 0.0_f64..=1.0), 0..9),
            generated in 0_usize..3,
            history in prop::collection::vec(0_u32..10, 0..12),
            weight_base_thresholds in prop::collection::vec(0.0_f64..1.2, 0..4),
            repeat_counts_factor in 0.0_f64..1.5,
            random in 0.0_f64..1.0,
        ) {
            let rules = AntiRepetition { weight_base_thresholds, repeat_counts_factor };
            let (pool_weights, weights): (Vec<i64>, Vec<f64>) = maps.into_iter().unzip();
            let bracket = bracket(&pool_weights, generated.min(pool_weights.len()));
            let adjusted = without_repetition(&bracket.pool, &weights, &history, &rules);
            let sum = |weights: &[f64]| weights.iter().sum::<f64>();
            prop_assert!((sum(&adjusted) - sum(&weights)).abs() < 1e-9);
            for ((before, after), version) in weights.iter().zip(&adjusted).zip(1..) {
                prop_assert!(*after >= 0.0 && (*before > 0.0 || *after == 0.0), "excluded maps stay so");
                let is_played = history.contains(&version);
                prop_assert!(*before <= *after || is_played, "only played maps lose weight");
            }

            let choice = MapChoice::new(&bracket, &[], &history, &rules);
            let probabilities: Vec<f64> = choice.candidates.iter().map(|one| one.probability).collect();
            match choice.draw(random) {
                Some(drawn) => {
                    prop_assert!((sum(&probabilities) - 1.0).abs() < 1e-9);
                    prop_assert!(probabilities[drawn.0 as usize - 1] > 0.0);
                }
                None => prop_assert_eq!(sum(&probabilities), 0.0),
            }
        }

        /// The rule of 2024, which knows no vetoes (section 8.3).
        #[test]
        fn without_vetoes_the_maps_that_were_played_least_are_chosen(
            weights in prop::collection::vec(0_i64..5, 1..9),
            generated in 0_usize..4,
            history in prop::collection::vec(0_u32..10, 0..20),
        ) {
            let fixed = weights.len() - generated.min(weights.len());
            let count = |map: usize| history.iter().filter(|version| **version == map as u32 + 1).count();
            let least = (0..fixed).map(count).min().unwrap_or(0);
            let possible = |map: usize| map >= fixed || count(map) <= least;
            let total: i64 = (0..weights.len()).filter(|map| possible(*map)).map(|map| weights[map]).sum();
            let actual = probabilities(&weights, weights.len() - fixed, &history);
            for (map, probability) in actual.into_iter().enumerate() {
                let weight = if possible(map) { weights[map] } else { 0 };
                let expected = weight as f64 / (total as f64).max(1.0);
                prop_assert!((probability - expected).abs() < 1e-9, "map {}: {} is not {}", map + 1, probability, expected);
            }
        }
    }
}
