//! Vetoes: players spend tokens against maps that they do not want to play (matchmaking.md section
//! 12).
//!
//! ```text
//!   set_player_vetoes          brackets, at each reload       players of a match
//!          |                              |                           |
//!          v                              v                           v
//!   Vec<Veto>  --------------->  Vetoes::adjusted  ------->  VetoSettings::weights
//!   all that is well formed      what VetoRules allow        of the maps of the bracket
//! ```

use std::collections::BTreeMap;

use faf_protocol::client_message::Veto;
use faf_protocol::{BracketId, PoolEntryId};
use serde::{Deserialize, Serialize};

use super::map_pool::Bracket;

/// Rules of vetoes in a bracket (section 12.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VetoSettings {
    /// Number of tokens of each player; default 0.
    pub veto_tokens_per_player: u32,
    /// Number of tokens of a match that exclude a map, and the most that one player may spend on
    /// one; default 0. With 0 a player may spend all on one map, and the number that excludes a map
    /// depends on the tokens of the match.
    pub max_tokens_per_map: u32,
    /// Sum of the weights that the maps of a pool keep at least; default 1.
    pub minimum_maps_after_veto: f64,
}

impl Default for VetoSettings {
    fn default() -> Self {
        Self { veto_tokens_per_player: 0, max_tokens_per_map: 0, minimum_maps_after_veto: 1.0 }
    }
}

impl VetoSettings {
    /// Used for accepting selections in a bracket whose own settings are not
    /// [valid](Self::is_valid).
    const NO_TOKENS: Self =
        Self { veto_tokens_per_player: 0, max_tokens_per_map: 1, minimum_maps_after_veto: 1.0 };

    /// Returns whether the tokens of all players of a match leave the minimum of maps. Otherwise
    /// the settings are a mistake of an administrator, and nobody has tokens in the bracket.
    #[must_use]
    pub fn is_valid(&self, team_size: u32, pool_size: usize) -> bool {
        let (tokens, cap) = (f64::from(self.veto_tokens_per_player), f64::from(self.max_tokens_per_map));
        let (minimum, pool_size) = (self.minimum_maps_after_veto, pool_size as f64);
        if self.max_tokens_per_map == 0 {
            return minimum < pool_size;
        }
        2.0 * f64::from(team_size) * tokens / cap <= pool_size - minimum
    }

    /// Returns the tokens that a player gets of those requested for each map of the pool, in its
    /// order: never more than requested, and none once the player has no more (section 12.3).
    pub fn given(&self, requested: impl IntoIterator<Item = i64>) -> impl Iterator<Item = i64> {
        let cap = self.most_on_one_map();
        let mut left = i64::from(self.veto_tokens_per_player);
        requested.into_iter().map(move |requested| {
            let given = requested.max(0).min(left).min(cap);
            left -= given;
            given
        })
    }

    /// Returns the most tokens that one player may spend on one map.
    fn most_on_one_map(&self) -> i64 {
        if self.max_tokens_per_map == 0 { i64::MAX } else { i64::from(self.max_tokens_per_map) }
    }

    /// Returns the number of tokens that exclude a map from a match, given the tokens of its
    /// players on each map of the pool. `None` if no number leaves the minimum of maps; then the
    /// vetoes of the match are ignored (section 12.4).
    ///
    /// Without a cap it is the smallest number that leaves the minimum:
    ///
    /// | tokens on each map | minimum | result |
    /// |---|---|---|
    /// | 0, 0, 0 | 2 | 1 |
    /// | 0, 1, 1 | 2 | 2 |
    /// | 0, 1, 1 | 1.5 | 1.333 |
    /// | 0, 0, 0, 1, 1, 2, 2 | 5 | 3 |
    /// | 1 | 1 | none |
    #[must_use]
    pub fn tokens_to_ban(&self, tokens: &[u64]) -> Option<f64> {
        if self.max_tokens_per_map > 0 {
            return Some(f64::from(self.max_tokens_per_map));
        }
        let minimum = self.minimum_maps_after_veto;
        let mut maps_by_tokens = BTreeMap::new();
        for tokens in tokens {
            *maps_by_tokens.entry(*tokens).or_insert(0_u32) += 1;
        }
        // A map with fewer tokens than the result keeps 1 - tokens / result, so the sum over these
        // maps is count - sum / result. It must be at least the minimum.
        let (mut count, mut sum) = (0.0, 0.0);
        let mut levels = maps_by_tokens.into_iter().peekable();
        while let Some((tokens, maps)) = levels.next() {
            count += f64::from(maps);
            sum += tokens as f64 * f64::from(maps);
            if sum == 0.0 && count >= minimum {
                return Some(1.0);
            }
            if count > minimum {
                let result = sum / (count - minimum);
                // Beyond the next level, maps of that level keep something as well.
                if levels.peek().is_none_or(|(next, _)| result <= *next as f64) {
                    return Some(result);
                }
            }
        }
        None
    }

    /// Returns the weight of each map of the pool, from 0 for an excluded one to 1, given the
    /// tokens of the match's players on each (section 12.4).
    #[must_use]
    pub fn weights(&self, tokens: &[u64]) -> Vec<f64> {
        match self.tokens_to_ban(tokens) {
            Some(ban) => tokens.iter().map(|tokens| (1.0 - *tokens as f64 / ban).max(0.0)).collect(),
            None => vec![1.0; tokens.len()],
        }
    }
}

/// The selections that the brackets allow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VetoRules(BTreeMap<BracketId, BracketRules>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct BracketRules {
    settings: VetoSettings,
    /// The place of each entry in the pool.
    places: BTreeMap<PoolEntryId, usize>,
}

impl VetoRules {
    /// Takes the rules of brackets, each given with the team size of its queue. In a bracket whose
    /// settings are not [valid](VetoSettings::is_valid) nobody has tokens.
    #[must_use]
    pub fn new<'a>(brackets: impl IntoIterator<Item = (&'a Bracket, u32)>) -> Self {
        let rules = |(bracket, team_size): (&Bracket, u32)| {
            let is_valid = bracket.vetoes.is_valid(team_size, bracket.pool.len());
            let settings = if is_valid { bracket.vetoes } else { VetoSettings::NO_TOKENS };
            let places = bracket.pool.iter().enumerate().map(|(place, entry)| (entry.id, place)).collect();
            (bracket.id, BracketRules { settings, places })
        };
        Self(brackets.into_iter().map(rules).collect())
    }

    /// Returns the place of an entry in the pool of a bracket.
    fn place(&self, bracket: BracketId, entry: PoolEntryId) -> Option<usize> {
        self.0.get(&bracket)?.places.get(&entry).copied()
    }
}

/// The selection of a player: tokens on maps. Empty by default.
///
/// An [adjusted](Self::adjusted) one has at most as many elements as the brackets have entries, and
/// in each bracket at most as many tokens as a player has there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Veto>", into = "Vec<Veto>")]
pub struct Vetoes(BTreeMap<(BracketId, PoolEntryId), i64>);

/// The change of a selection after the brackets have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readjusted {
    /// The new selection.
    pub vetoes: Vetoes,
    /// Whether a map that is still in its bracket has lost tokens. Then all searches with the
    /// player are cancelled.
    pub is_forced: bool,
}

impl Vetoes {
    /// Returns the part of this selection that the brackets allow (section 12.3).
    ///
    /// Entries of a pool are served in its order, so those at its end are the first to lose tokens
    /// if there are too many. Dropped are unknown brackets, unknown entries, and entries without
    /// tokens to give.
    #[must_use]
    pub fn adjusted(&self, rules: &VetoRules) -> Self {
        // Sorted by brackets, and within them by places.
        let places = self.0.iter().filter_map(|(&(bracket, entry), &tokens)| {
            Some((bracket, rules.place(bracket, entry)?, entry, tokens))
        });
        let mut requested: Vec<_> = places.collect();
        requested.sort_unstable();
        let mut adjusted = BTreeMap::new();
        for in_bracket in requested.chunk_by(|one, next| one.0 == next.0) {
            let Some(rules) = in_bracket.first().and_then(|(bracket, ..)| rules.0.get(bracket)) else {
                continue;
            };
            let given = rules.settings.given(in_bracket.iter().map(|(.., tokens)| *tokens));
            let keys = in_bracket.iter().map(|(bracket, _, entry, _)| (*bracket, *entry));
            adjusted.extend(keys.zip(given).filter(|(_, given)| *given > 0));
        }
        Self(adjusted)
    }

    /// Adjusts a stored selection to changed brackets; `None` if it stays as it is. That is found
    /// out without adjusting it.
    #[must_use]
    pub fn readjusted(&self, rules: &VetoRules) -> Option<Readjusted> {
        if self.is_allowed(rules) {
            return None;
        }
        let vetoes = self.adjusted(rules);
        let is_forced = self.0.iter().any(|(&(bracket, entry), &tokens)| {
            rules.place(bracket, entry).is_some() && vetoes.tokens(bracket, entry) < tokens
        });
        Some(Readjusted { vetoes, is_forced })
    }

    /// Returns whether the brackets allow all of the selection.
    fn is_allowed(&self, rules: &VetoRules) -> bool {
        let mut current: Option<(BracketId, &BracketRules, i64)> = None;
        self.0.iter().all(|(&(bracket, entry), &tokens)| {
            let of_bracket = || {
                let rules = rules.0.get(&bracket)?;
                Some((bracket, rules, i64::from(rules.settings.veto_tokens_per_player)))
            };
            // Vetoes of the same bracket follow each other.
            let known = current.filter(|(last, ..)| *last == bracket);
            let Some((_, rules, left)) = known.or_else(of_bracket) else { return false };
            current = Some((bracket, rules, left - tokens));
            (1..=left.min(rules.settings.most_on_one_map())).contains(&tokens)
                && rules.places.contains_key(&entry)
        })
    }

    /// Returns the number of tokens on an entry.
    #[must_use]
    pub fn tokens(&self, bracket: BracketId, entry: PoolEntryId) -> i64 {
        self.0.get(&(bracket, entry)).copied().unwrap_or(0)
    }

    /// Returns whether there are no tokens on any map.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns the tokens of a match's players on each map of their bracket.
#[must_use]
pub fn tokens_of_match(bracket: &Bracket, players: &[&Vetoes]) -> Vec<u64> {
    let of = |vetoes: &Vetoes, entry| u64::try_from(vetoes.tokens(bracket.id, entry)).unwrap_or(0);
    let entries = bracket.pool.iter();
    entries
        .map(|entry| players.iter().fold(0_u64, |sum, vetoes| sum.saturating_add(of(vetoes, entry.id))))
        .collect()
}

impl From<Vec<Veto>> for Vetoes {
    fn from(vetoes: Vec<Veto>) -> Self {
        Self(vetoes.into_iter().map(|veto| ((veto.bracket, veto.entry), veto.tokens)).collect())
    }
}

/// The elements of `vetoes_info`, in the order of their ids.
impl From<Vetoes> for Vec<Veto> {
    fn from(vetoes: Vetoes) -> Self {
        let veto = |((bracket, entry), tokens)| Veto { bracket, entry, tokens };
        vetoes.0.into_iter().map(veto).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MapVersion;
    use crate::matchmaking::map_pool::PoolEntry;
    use proptest::prelude::*;

    fn settings(tokens: u32, cap: u32, minimum: f64) -> VetoSettings {
        VetoSettings {
            veto_tokens_per_player: tokens,
            max_tokens_per_map: cap,
            minimum_maps_after_veto: minimum,
        }
    }

    fn bracket(id: i64, vetoes: VetoSettings, entries: &[i64]) -> Bracket {
        let version = MapVersion { id: 1, is_ranked: true };
        let entry = |id: &i64| PoolEntry::fixed(PoolEntryId(*id), 1, version, "maps/x.zip").unwrap();
        let pool = entries.iter().map(entry).collect();
        Bracket { id: BracketId(id), min_rating: None, max_rating: None, vetoes, pool }
    }

    fn vetoes(list: &[(i64, i64, i64)]) -> Vetoes {
        let veto = |(bracket, entry, tokens): &(i64, i64, i64)| Veto {
            bracket: BracketId(*bracket),
            entry: PoolEntryId(*entry),
            tokens: *tokens,
        };
        list.iter().map(veto).collect::<Vec<_>>().into()
    }

    fn rules<'a>(brackets: impl IntoIterator<Item = &'a Bracket>) -> VetoRules {
        VetoRules::new(brackets.into_iter().map(|bracket| (bracket, 1)))
    }

    #[test]
    fn of_several_vetoes_of_a_map_the_last_one_counts() {
        assert_eq!(vetoes(&[(3, 17, 2), (3, 18, 1), (3, 17, 1)]), vetoes(&[(3, 17, 1), (3, 18, 1)]));
        let list: Vec<Veto> = vetoes(&[(3, 17, 1), (-4, -1, 2)]).into();
        assert_eq!(list.iter().map(|veto| veto.bracket.0).collect::<Vec<_>>(), [-4, 3], "in order");
    }

    #[test]
    fn tokens_are_given_in_the_order_of_the_pool() {
        let brackets =
            [bracket(1, settings(3, 2, 1.0), &[30, 10, 20, 40]), bracket(2, settings(1, 0, 1.0), &[10, 11])];
        let adjusted = |list: &[(i64, i64, i64)]| vetoes(list).adjusted(&rules(&brackets));
        assert_eq!(adjusted(&[(1, 10, 9), (1, 20, 1), (1, 30, 1)]), vetoes(&[(1, 30, 1), (1, 10, 2)]));
        assert_eq!(adjusted(&[(1, 10, 0), (1, 99, 1), (3, 10, 1), (2, 11, 1)]), vetoes(&[(2, 11, 1)]));
        assert_eq!(adjusted(&[(2, 10, i64::MAX)]), vetoes(&[(2, 10, 1)]));
    }

    #[test]
    fn nobody_has_tokens_in_a_bracket_with_invalid_settings() {
        let wrong = bracket(1, settings(2, 1, 1.0), &[1, 2, 3]);
        assert!(!wrong.vetoes.is_valid(1, 3));
        assert!(vetoes(&[(1, 1, 1)]).adjusted(&rules([&wrong])).is_empty());
        // NaN and infinity are not valid either.
        for minimum in [f64::NAN, f64::INFINITY] {
            assert!(!settings(1, 0, minimum).is_valid(1, 5));
            assert!(!settings(1, 1, minimum).is_valid(1, 5));
            assert_eq!(settings(1, 0, minimum).tokens_to_ban(&[0, 1]), None);
        }
    }

    #[test]
    fn a_change_is_forced_if_a_map_that_stays_loses_tokens() {
        let before = vetoes(&[(1, 10, 1), (1, 20, 1)]);
        let readjusted = |tokens, entries: &[i64]| {
            let bracket = bracket(1, settings(tokens, 1, 1.0), entries);
            before.readjusted(&rules([&bracket]))
        };
        let change = |list: &[_], is_forced| Some(Readjusted { vetoes: vetoes(list), is_forced });
        assert_eq!(readjusted(2, &[10, 20, 30, 40, 50, 60]), None);
        assert_eq!(readjusted(2, &[20, 30, 40, 50, 60]), change(&[(1, 20, 1)], false));
        assert_eq!(readjusted(1, &[10, 20, 30, 40, 50]), change(&[(1, 10, 1)], true));
        assert_eq!(readjusted(2, &[10, 20]), change(&[], true), "settings became invalid");
        assert_eq!(before.readjusted(&rules([])), change(&[], false));
    }

    proptest! {
        #[test]
        fn an_adjusted_selection_keeps_to_the_rules_and_stays(
            (tokens, cap, minimum) in (0_u32..6, 0_u32..4, 0.1_f64..6.0),
            entries in prop::collection::btree_set(0_i64..12, 0..8),
            wish in prop::collection::vec((0_i64..3, -2_i64..14, prop_oneof![-2_i64..5, Just(i64::MAX)]), 0..12),
            team_size in 1_u32..5,
        ) {
            let entries: Vec<i64> = entries.into_iter().rev().collect();
            let bracket = bracket(1, settings(tokens, cap, minimum), &entries);
            let wish = vetoes(&wish);
            let rules = VetoRules::new([(&bracket, team_size)]);
            let adjusted = wish.adjusted(&rules);
            let list: Vec<Veto> = adjusted.clone().into();
            prop_assert!(list.iter().map(|veto| veto.tokens).sum::<i64>() <= i64::from(tokens));
            for veto in list {
                prop_assert!(veto.bracket == bracket.id && entries.contains(&veto.entry.0));
                prop_assert!(veto.tokens > 0 && veto.tokens <= wish.tokens(veto.bracket, veto.entry));
                prop_assert!(cap == 0 || veto.tokens <= i64::from(cap));
            }
            prop_assert_eq!(adjusted.readjusted(&rules), None);
            prop_assert_eq!(wish.readjusted(&rules).is_none(), wish == adjusted);
            let saved = serde_json::to_string(&adjusted).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vetoes>(&saved).unwrap(), adjusted.clone());

            // As many of the same selection as a match has players leave the minimum.
            let players = vec![&adjusted; team_size as usize * 2];
            let weights = bracket.vetoes.weights(&tokens_of_match(&bracket, &players));
            if bracket.vetoes.is_valid(team_size, entries.len()) {
                prop_assert!(weights.iter().sum::<f64>() >= minimum - 1e-9, "{weights:?}");
            }
        }

        #[test]
        fn the_smallest_number_that_leaves_the_minimum_excludes_a_map(
            tokens in prop::collection::vec(0_u64..7, 0..10), minimum in 0.1_f64..8.0
        ) {
            let sum = |ban: f64| tokens.iter().map(|tokens| (1.0 - *tokens as f64 / ban).max(0.0)).sum::<f64>();
            match settings(0, 0, minimum).tokens_to_ban(&tokens) {
                // Enough maps have no tokens at all, so any number leaves the minimum.
                Some(1.0) if sum(1e-9) >= minimum => {}
                Some(ban) => {
                    prop_assert!(sum(ban) >= minimum - 1e-9, "{ban}");
                    prop_assert!(sum(ban * 0.999) < minimum, "{ban}");
                }
                None => prop_assert!(tokens.len() as f64 <= minimum + 1e-9),
            }
        }

        #[test]
        fn weights_are_from_0_to_1(tokens in prop::collection::vec(any::<u64>(), 0..6), cap: u32, minimum: f64) {
            let weights = settings(0, cap, minimum).weights(&tokens);
            prop_assert_eq!(weights.len(), tokens.len());
            prop_assert!(weights.iter().all(|weight| (0.0..=1.0).contains(weight)), "{weights:?}");
        }
    }
}
