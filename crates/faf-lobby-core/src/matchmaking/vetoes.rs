//! Vetoes: players spend tokens against maps that they do not want to play (matchmaking.md section
//! 12).
//!
//! ```text
//!   set_player_vetoes          brackets, at each reload       players of a match
//!          |                              |                           |
//!          v                              v                           v
//!   Vetoes::requested  ------->  Vetoes::adjusted  ------->  VetoSettings::weights
//!   all that is well formed      what the brackets allow     of the maps of the bracket
//! ```

use std::collections::BTreeMap;
use std::fmt;

use faf_protocol::Message;
use serde::{Deserialize, Serialize};

use super::map_pool::{Bracket, BracketId, PoolEntryId};
use crate::texts;

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
        let cap = if self.max_tokens_per_map == 0 { i64::MAX } else { i64::from(self.max_tokens_per_map) };
        let mut left = i64::from(self.veto_tokens_per_player);
        requested.into_iter().map(move |requested| {
            let given = requested.max(0).min(left).min(cap);
            left -= given;
            given
        })
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

/// Tokens on a map, as in `set_player_vetoes` and `vetoes_info` (section 12.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Veto {
    /// The bracket.
    #[serde(rename = "matchmaker_queue_map_pool_id")]
    pub bracket: BracketId,
    /// Entry of the bracket's pool.
    #[serde(rename = "map_pool_map_version_id")]
    pub entry: PoolEntryId,
    /// Number of tokens.
    #[serde(rename = "veto_tokens_applied")]
    pub tokens: i64,
}

/// The selection of a player: tokens on maps. Empty by default.
///
/// An [adjusted](Self::adjusted) one has at most as many elements as the brackets have entries, and
/// in each bracket at most as many tokens as a player has there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Veto>", into = "Vec<Veto>")]
pub struct Vetoes(BTreeMap<(BracketId, PoolEntryId), i64>);

/// A `set_player_vetoes` that cannot be read. The player keeps the old selection, and the
/// connection stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidVetoData;

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
    /// Reads the selection of a `set_player_vetoes`. Of a map that is named several times, the last
    /// number of tokens counts.
    ///
    /// # Errors
    /// If `vetoes` or a member of an element is missing, an id or a number of tokens is not an
    /// integer, or a number of tokens is negative. The original closes the connection after some of
    /// them (section 12.3).
    pub fn requested(message: &Message) -> Result<Self, InvalidVetoData> {
        let vetoes: Vec<Veto> = message.field("vetoes").map_err(|_| InvalidVetoData)?;
        if vetoes.iter().any(|veto| veto.tokens < 0) {
            return Err(InvalidVetoData);
        }
        Ok(vetoes.into())
    }

    /// Returns the part of this selection that the brackets allow, each given with the team size of
    /// its queue (section 12.3).
    ///
    /// Entries of a pool are served in its order, so those at its end are the first to lose tokens
    /// if there are too many. Unknown brackets, unknown entries and entries without tokens are
    /// dropped. In a bracket whose settings are not [valid](VetoSettings::is_valid) nobody has
    /// tokens; the caller logs an error about it.
    #[must_use]
    pub fn adjusted<'a>(&self, brackets: impl IntoIterator<Item = (&'a Bracket, u32)>) -> Self {
        let mut adjusted = BTreeMap::new();
        for (bracket, team_size) in brackets {
            let is_valid = bracket.vetoes.is_valid(team_size, bracket.pool.len());
            let settings = if is_valid { bracket.vetoes } else { VetoSettings::NO_TOKENS };
            let keys = bracket.pool.iter().map(|entry| (bracket.id, entry.id));
            let requested = keys.clone().map(|(bracket, entry)| self.tokens(bracket, entry));
            adjusted.extend(keys.zip(settings.given(requested)).filter(|(_, given)| *given > 0));
        }
        Self(adjusted)
    }

    /// Adjusts a stored selection to changed brackets; `None` if it stays as it is.
    #[must_use]
    pub fn readjusted(&self, brackets: &[(&Bracket, u32)]) -> Option<Readjusted> {
        let vetoes = self.adjusted(brackets.iter().copied());
        let is_forced = brackets.iter().any(|(bracket, _)| {
            let has_lost = |entry| self.tokens(bracket.id, entry) > vetoes.tokens(bracket.id, entry);
            bracket.pool.iter().any(|entry| has_lost(entry.id))
        });
        (vetoes != *self).then_some(Readjusted { vetoes, is_forced })
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

impl fmt::Display for InvalidVetoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(texts::INVALID_VETO_DATA)
    }
}

impl std::error::Error for InvalidVetoData {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MapVersion;
    use crate::matchmaking::map_pool::PoolEntry;
    use faf_protocol::Limits;
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

    fn requested(text: &str) -> Result<Vetoes, InvalidVetoData> {
        Vetoes::requested(&Message::parse_text(text, &Limits::default()).unwrap())
    }

    fn element(bracket: &str, entry: &str, tokens: &str) -> String {
        format!(
            r#"{{"matchmaker_queue_map_pool_id":{bracket},"map_pool_map_version_id":{entry},"veto_tokens_applied":{tokens}}}"#
        )
    }

    fn command(elements: &str) -> String {
        format!(r#"{{"command":"set_player_vetoes","vetoes":[{elements}]}}"#)
    }

    #[test]
    fn a_request_is_read_and_written_as_it_came() {
        let elements = [element("3", "17", "1"), element("3", "18", "0"), element("-4", "-1", "2")].join(",");
        let read = requested(&command(&elements)).unwrap();
        assert_eq!(read, vetoes(&[(3, 17, 1), (3, 18, 0), (-4, -1, 2)]));
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(
            written,
            format!("[{},{},{}]", element("-4", "-1", "2"), element("3", "17", "1"), element("3", "18", "0"))
        );
        let twice = [element("3", "17", "1"), element("3", "17", "2")].join(",");
        assert_eq!(requested(&command(&twice)), Ok(vetoes(&[(3, 17, 2)])));
        assert_eq!(requested(&command("")), Ok(Vetoes::default()));
        assert_eq!(
            requested(&command(&element("1", "2", &i64::MAX.to_string()))),
            Ok(vetoes(&[(1, 2, i64::MAX)]))
        );
    }

    #[test]
    fn malformed_requests_are_errors() {
        for value in ["null", "true", "\"1\"", "1.5", "[1]", "{}", "9223372036854775808"] {
            for elements in [element(value, "1", "1"), element("1", value, "1"), element("1", "1", value)] {
                assert_eq!(requested(&command(&elements)), Err(InvalidVetoData), "{elements}");
            }
        }
        for elements in [
            &element("1", "1", "-1"),
            r#"{"map_pool_map_version_id":1,"veto_tokens_applied":1}"#,
            r#"{"matchmaker_queue_map_pool_id":1,"veto_tokens_applied":1}"#,
            r#"{"matchmaker_queue_map_pool_id":1,"map_pool_map_version_id":1}"#,
            "null",
            "[]",
            "3",
        ] {
            assert_eq!(requested(&command(elements)), Err(InvalidVetoData), "{elements}");
        }
        for text in [r#"{"command":"set_player_vetoes"}"#, r#"{"command":"set_player_vetoes","vetoes":null}"#]
        {
            assert_eq!(requested(text), Err(InvalidVetoData), "{text}");
        }
        assert_eq!(InvalidVetoData.to_string(), "invalid veto data");
    }

    #[test]
    fn tokens_are_given_in_the_order_of_the_pool() {
        let brackets =
            [bracket(1, settings(3, 2, 1.0), &[30, 10, 20, 40]), bracket(2, settings(1, 0, 1.0), &[10, 11])];
        let adjusted = |list: &[(i64, i64, i64)]| vetoes(list).adjusted(brackets.each_ref().map(|b| (b, 1)));
        assert_eq!(adjusted(&[(1, 10, 9), (1, 20, 1), (1, 30, 1)]), vetoes(&[(1, 30, 1), (1, 10, 2)]));
        assert_eq!(adjusted(&[(1, 10, 0), (1, 99, 1), (3, 10, 1), (2, 11, 1)]), vetoes(&[(2, 11, 1)]));
        assert_eq!(adjusted(&[(2, 10, i64::MAX)]), vetoes(&[(2, 10, 1)]));
    }

    #[test]
    fn nobody_has_tokens_in_a_bracket_with_invalid_settings() {
        let wrong = bracket(1, settings(2, 1, 1.0), &[1, 2, 3]);
        assert!(!wrong.vetoes.is_valid(1, 3));
        assert!(vetoes(&[(1, 1, 1)]).adjusted([(&wrong, 1)]).is_empty());
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
            before.readjusted(&[(&bracket, 1)])
        };
        let change = |list: &[_], is_forced| Some(Readjusted { vetoes: vetoes(list), is_forced });
        assert_eq!(readjusted(2, &[10, 20, 30, 40, 50, 60]), None);
        assert_eq!(readjusted(2, &[20, 30, 40, 50, 60]), change(&[(1, 20, 1)], false));
        assert_eq!(readjusted(1, &[10, 20, 30, 40, 50]), change(&[(1, 10, 1)], true));
        assert_eq!(readjusted(2, &[10, 20]), change(&[], true), "settings became invalid");
        assert_eq!(before.readjusted(&[]), change(&[], false));
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
            let adjusted = wish.adjusted([(&bracket, team_size)]);
            let list: Vec<Veto> = adjusted.clone().into();
            prop_assert!(list.iter().map(|veto| veto.tokens).sum::<i64>() <= i64::from(tokens));
            for veto in list {
                prop_assert!(veto.bracket == bracket.id && entries.contains(&veto.entry.0));
                prop_assert!(veto.tokens > 0 && veto.tokens <= wish.tokens(veto.bracket, veto.entry));
                prop_assert!(cap == 0 || veto.tokens <= i64::from(cap));
            }
            prop_assert_eq!(adjusted.readjusted(&[(&bracket, team_size)]), None);
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
