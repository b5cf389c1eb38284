//! How the matchmaker made a match: who waited how long, how good it is, and why it is on its map.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use faf_protocol::{BracketId, PoolEntryId};
use serde::{Deserialize, Serialize};

use crate::matchmaking::MatchQuality;
use crate::matchmaking::map_choice::{MapCandidate, MapChoice};
use crate::matchmaking::map_pool::Bracket;

/// Maximum number of maps that are listed; pools have some dozens.
const MAPS_MAX: usize = 100;

/// How a match was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchMade {
    /// Technical name of the queue.
    pub queue: String,
    /// How good the match is, term by term.
    pub quality: MatchQuality,
    /// The searches of each team.
    pub teams: [Vec<MatchedSearch>; 2],
    /// The bracket from whose pool the map is.
    pub bracket: BracketId,
    /// Lowest rating of the bracket.
    pub min_rating: Option<i64>,
    /// Highest rating of the bracket.
    pub max_rating: Option<i64>,
    /// Rating of the match, by which the bracket was chosen.
    pub rating: f64,
    /// The maps of the pool, in its order; at most 100, of more the most probable ones.
    pub maps: Vec<WeighedMap>,
    /// Number of maps that are not listed.
    pub unlisted: usize,
}

/// A search that ended with the match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedSearch {
    /// Names of the players, the owner of the party first.
    pub players: Vec<String>,
    /// Time from the beginning of the search to the match.
    pub waited: Duration,
    /// Number of rounds before in which it found no match.
    pub failed_attempts: u32,
}

/// A map with its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeighedMap {
    /// Folder of the map, or words for a generated one.
    pub name: String,
    /// Whether the match is on this map.
    pub is_drawn: bool,
    /// Its weights.
    #[serde(flatten)]
    pub weights: MapCandidate,
}

impl MatchMade {
    pub(crate) fn new(
        queue: String,
        quality: MatchQuality,
        teams: [Vec<MatchedSearch>; 2],
        (bracket, rating): (&Bracket, f64),
        (choice, drawn): (&MapChoice, PoolEntryId),
    ) -> Self {
        let all = bracket.pool.iter().zip(&choice.candidates).map(|(entry, weights)| WeighedMap {
            name: entry.map.name().to_owned(),
            is_drawn: entry.id == drawn,
            weights: *weights,
        });
        let mut maps: Vec<(usize, WeighedMap)> = all.enumerate().collect();
        let unlisted = maps.len().saturating_sub(MAPS_MAX);
        maps.sort_by(|(_, one), (_, other)| {
            let by_probability = other.weights.probability.total_cmp(&one.weights.probability);
            Reverse(one.is_drawn).cmp(&Reverse(other.is_drawn)).then(by_probability)
        });
        maps.truncate(MAPS_MAX);
        maps.sort_by_key(|(place, _)| *place);
        Self {
            queue,
            quality,
            teams,
            bracket: bracket.id,
            min_rating: bracket.min_rating,
            max_rating: bracket.max_rating,
            rating,
            maps: maps.into_iter().map(|(_, map)| map).collect(),
            unlisted,
        }
    }

    /// Returns it as lines of text.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Self { queue, quality, bracket, rating, unlisted, .. } = self;
        let mut lines = vec![format!("matched in the queue {queue} with a quality of {quality}")];
        for (number, team) in (1..).zip(&self.teams) {
            lines.extend(team.iter().map(|search| format!("team {number}: {search}")));
        }
        let limits = match (self.min_rating, self.max_rating) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("from {min}"),
            (None, Some(max)) => format!("up to {max}"),
            (None, None) => "of all ratings".to_owned(),
        };
        lines.push(format!("bracket {bracket}, {limits}: the match has a rating of {rating:.0}"));
        lines.extend(self.maps.iter().map(WeighedMap::to_string));
        if *unlisted > 0 {
            lines.push(format!("{unlisted} maps that were less probable are not listed"));
        }
        lines
    }
}

impl fmt::Display for MatchMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("; "))
    }
}

impl fmt::Display for MatchedSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (players, waited) = (self.players.join(", "), self.waited.as_secs());
        let rounds = match self.failed_attempts {
            0 => "no round".to_owned(),
            1 => "1 round".to_owned(),
            several => format!("{several} rounds"),
        };
        write!(f, "{players} waited {waited} s, with {rounds} without a match")
    }
}

impl fmt::Display for WeighedMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MapCandidate { entry, pool_weight, tokens, after_vetoes, after_repetition, probability } =
            self.weights;
        let mark = if self.is_drawn { "drawn" } else { "not drawn" };
        write!(
            f,
            "map {} (entry {entry}) {mark}: probability {probability:.3}; weight {pool_weight} in the pool, times \
             {after_repetition:.3} after repetition, {after_vetoes:.3} after vetoes with {tokens} tokens",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explanation::Decision;
    use crate::io::MapVersion;
    use crate::matchmaking::PairQuality;
    use crate::matchmaking::map_choice::AntiRepetition;
    use crate::matchmaking::map_pool::PoolEntry;
    use crate::matchmaking::vetoes::VetoSettings;

    fn made(maps: i64, drawn: i64) -> MatchMade {
        let version = |id| MapVersion { id: id as u32, is_ranked: true };
        let entry = |id| {
            PoolEntry::fixed(PoolEntryId(id), maps - id + 1, version(id), &format!("maps/map_{id}.zip"))
                .unwrap()
        };
        let bracket = Bracket {
            id: BracketId(3),
            min_rating: Some(500),
            max_rating: None,
            vetoes: VetoSettings::default(),
            pool: (1..=maps).map(entry).collect(),
        };
        let choice = MapChoice::new(&bracket, &[], &[1], &AntiRepetition::default());
        let search = |players: &[&str], waited, failed_attempts| MatchedSearch {
            players: players.iter().map(|player| (*player).to_owned()).collect(),
            waited: Duration::from_secs(waited),
            failed_attempts,
        };
        let quality = MatchQuality::Pair(PairQuality { quality: 0.9, thresholds: [0.75, 0.5] });
        let teams =
            [vec![search(&["Ada", "Bob"], 45, 0)], vec![search(&["Cem"], 90, 1), search(&["Dan"], 7, 0)]];
        MatchMade::new("tmm2v2".to_owned(), quality, teams, (&bracket, 734.4), (&choice, PoolEntryId(drawn)))
    }

    #[test]
    fn a_match_reads_as_sentences() {
        assert_eq!(
            Decision::Matched(Box::new(made(2, 2))).lines(),
            [
                "matched in the queue tmm2v2 with a quality of 0.900, where 0.750 and 0.500 were needed",
                "team 1: Ada, Bob waited 45 s, with no round without a match",
                "team 2: Cem waited 90 s, with 1 round without a match",
                "team 2: Dan waited 7 s, with no round without a match",
                "bracket 3, from 500: the match has a rating of 734",
                "map map_1 (entry 1) not drawn: probability 0.000; weight 2 in the pool, times 0.000 after \
                 repetition, 1.000 after vetoes with 0 tokens",
                "map map_2 (entry 2) drawn: probability 1.000; weight 1 in the pool, times 2.000 after repetition, \
                 1.000 after vetoes with 0 tokens",
            ]
        );
        let json = serde_json::to_string(&Decision::Matched(Box::new(made(2, 2)))).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&json).unwrap(), Decision::Matched(Box::new(made(2, 2))));
    }

    #[test]
    fn a_large_pool_is_listed_in_part_with_the_map_that_was_drawn() {
        let made = made(1000, 1000);
        let listed: Vec<i64> = made.maps.iter().map(|map| map.weights.entry.0).collect();
        // The first was played lately.
        let expected: Vec<i64> = (2..=100).chain([1000]).collect();
        assert_eq!((listed, made.unlisted), (expected, 900));
        assert_eq!(made.lines().last().unwrap(), "900 maps that were less probable are not listed");
        assert!(serde_json::to_string(&made).unwrap().len() < 20_000);
    }
}
