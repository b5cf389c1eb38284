//! Map pools, and the brackets that give players of a rating their pool (matchmaking.md sections
//! 1.2 and 8.2).

use std::fmt;

use faf_protocol::{BracketId, PoolEntryId};
use serde::{Deserialize, Serialize};

use super::generated_map::{GeneratedMap, InvalidParams};
use super::vetoes::VetoSettings;
use crate::io::MapVersion;
use crate::maps::is_map_folder;

/// An entry of a map pool. Entries are told apart by the ids of their rows, so that two generated
/// maps with the same parameters are two entries (M11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolEntry {
    /// Id of the row.
    pub id: PoolEntryId,
    /// How often the map is chosen, in relation to the others of the pool; with 0, never.
    pub weight: u32,
    /// The map.
    pub map: PoolMap,
}

/// The map of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolMap {
    /// A map of the vault.
    Fixed {
        /// Row of the map.
        version: MapVersion,
        /// Folder of the map.
        folder: String,
    },
    /// A new map of the map generator for each match. It is ranked.
    Generated(GeneratedMap),
}

impl PoolMap {
    /// Returns the folder of the map for a match. Only a generated map depends on the seed, which
    /// must be another one for each match.
    #[must_use]
    pub fn folder(&self, seed: u64) -> String {
        match self {
            Self::Fixed { folder, .. } => folder.clone(),
            Self::Generated(map) => map.folder(seed),
        }
    }

    /// Returns whether the map can be in this folder: that of a generated map has any seed.
    pub(crate) fn can_be_in(&self, folder: &str) -> bool {
        let without_seed = |folder: &str| {
            let (before, parameters) = folder.rsplit_once('_')?;
            let (version, _seed) = before.rsplit_once('_')?;
            Some((version.to_owned(), parameters.to_owned()))
        };
        match self {
            Self::Fixed { folder: own, .. } => own == folder,
            Self::Generated(map) => {
                let own = without_seed(&map.folder(0));
                own.is_some() && own == without_seed(folder)
            }
        }
    }

    /// Returns the folder of the map, or words for a generated one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Fixed { folder, .. } => folder,
            Self::Generated(_) => "of the generator",
        }
    }

    /// Returns whether games on the map may be rated.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        match self {
            Self::Fixed { version, .. } => version.is_ranked,
            Self::Generated(_) => true,
        }
    }
}

/// The reason why an entry cannot be used. The others of its pool can (M28).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidEntry {
    /// The weight is negative, or beyond `u32::MAX`.
    Weight(i64),
    /// The file name is not `maps/<folder>.zip`.
    FileName(String),
    /// The parameters of the map generator cannot be used.
    Params(InvalidParams),
}

impl PoolEntry {
    /// Takes an entry with a map of the vault.
    ///
    /// # Errors
    /// If its weight or the map's file name cannot be used.
    pub fn fixed(
        id: PoolEntryId,
        weight: i64,
        version: MapVersion,
        file_name: &str,
    ) -> Result<Self, InvalidEntry> {
        let folder = file_name
            .strip_prefix("maps/")
            .and_then(|name| name.strip_suffix(".zip"))
            .filter(|folder| is_map_folder(folder))
            .ok_or_else(|| InvalidEntry::FileName(file_name.to_owned()))?;
        Self::new(id, weight, PoolMap::Fixed { version, folder: folder.to_owned() })
    }

    /// Takes an entry without a map of the vault, from its column `map_params`.
    ///
    /// # Errors
    /// If its weight or its parameters cannot be used.
    pub fn generated(id: PoolEntryId, weight: i64, params: &str) -> Result<Self, InvalidEntry> {
        let map = GeneratedMap::parse(params).map_err(InvalidEntry::Params)?;
        Self::new(id, weight, PoolMap::Generated(map))
    }

    fn new(id: PoolEntryId, weight: i64, map: PoolMap) -> Result<Self, InvalidEntry> {
        let weight = u32::try_from(weight).map_err(|_| InvalidEntry::Weight(weight))?;
        Ok(Self { id, weight, map })
    }
}

/// A rating range of a queue, with the maps that are played in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bracket {
    /// Id of the row.
    pub id: BracketId,
    /// Lowest rating of the bracket; `None` if there is no lower limit.
    pub min_rating: Option<i64>,
    /// Highest rating of the bracket; `None` if there is no upper limit.
    pub max_rating: Option<i64>,
    /// Rules of vetoes in the bracket.
    pub vetoes: VetoSettings,
    /// Entries of the pool, in the order of their rows.
    pub pool: Vec<PoolEntry>,
}

impl Bracket {
    /// Returns the distance of a rating from this bracket, in rating points; 0 for a rating in it.
    #[must_use]
    pub fn distance(&self, rating: f64) -> f64 {
        let below = self.min_rating.map_or(0.0, |min| min as f64 - rating);
        let above = self.max_rating.map_or(0.0, |max| rating - max as f64);
        below.max(above).max(0.0)
    }

    /// Returns the bracket in which a match of this rating is played: the first one that contains
    /// the rating. Without one, it is the nearest, so that a gap between brackets costs nobody a
    /// match (M23). `None` only if there are no brackets.
    #[must_use]
    pub fn of_rating(brackets: &[Self], rating: f64) -> Option<&Self> {
        // The first of several with the same distance is returned.
        brackets.iter().min_by(|one, other| one.distance(rating).total_cmp(&other.distance(rating)))
    }
}

/// The rating of a match that decides on its bracket (`MAP_POOL_RATING_SELECTION`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RatingSelection {
    /// The mean of all players' displayed ratings; default.
    #[default]
    Mean,
    /// The lowest displayed rating.
    Min,
    /// The highest displayed rating.
    Max,
}

impl RatingSelection {
    /// Returns the selection of this name. Unknown names give the mean.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "min" => Self::Min,
            "max" => Self::Max,
            _ => Self::Mean,
        }
    }

    /// Returns the rating of a match from the displayed ratings of its players.
    #[must_use]
    pub fn rating(self, displayed: &[f64]) -> f64 {
        match self {
            Self::Mean => displayed.iter().sum::<f64>() / displayed.len() as f64,
            Self::Min => displayed.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Max => displayed.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

impl fmt::Display for InvalidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weight(weight) => write!(f, "the weight {weight} is not from 0 to {}", u32::MAX),
            Self::FileName(name) => write!(f, "the file of the map is not maps/<folder>.zip: {name:?}"),
            Self::Params(params) => params.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bracket(id: i64, min_rating: Option<i64>, max_rating: Option<i64>) -> Bracket {
        Bracket {
            id: BracketId(id),
            min_rating,
            max_rating,
            vetoes: VetoSettings::default(),
            pool: Vec::new(),
        }
    }

    fn of_rating(brackets: &[Bracket], rating: f64) -> Option<i64> {
        Bracket::of_rating(brackets, rating).map(|bracket| bracket.id.0)
    }

    #[test]
    fn the_first_bracket_that_contains_the_rating_wins() {
        let brackets =
            [bracket(7, None, Some(500)), bracket(3, Some(500), Some(900)), bracket(5, None, None)];
        for (rating, expected) in [(-300.0, 7), (500.0, 7), (500.1, 3), (900.0, 3), (900.5, 5), (1e300, 5)] {
            assert_eq!(of_rating(&brackets, rating), Some(expected), "{rating}");
        }
        assert_eq!(of_rating(&[], 0.0), None);
    }

    #[test]
    fn a_rating_between_brackets_gets_the_nearest() {
        let brackets = [bracket(1, Some(0), Some(500)), bracket(2, Some(700), Some(900))];
        for (rating, expected) in [(-50.0, 1), (599.0, 1), (600.0, 1), (601.0, 2), (5000.0, 2)] {
            assert_eq!(of_rating(&brackets, rating), Some(expected), "{rating}");
        }
        assert_eq!(brackets[0].distance(599.0), 99.0);
        assert_eq!(brackets[1].distance(599.0), 101.0);
    }

    #[test]
    fn the_rating_of_a_match_is_mean_minimum_or_maximum() {
        let displayed = [1000.0, -20.0, 400.0];
        assert_eq!(RatingSelection::from_name("mean").rating(&displayed), 460.0);
        assert_eq!(RatingSelection::from_name("min").rating(&displayed), -20.0);
        assert_eq!(RatingSelection::from_name("max").rating(&displayed), 1000.0);
        assert_eq!(RatingSelection::from_name("median"), RatingSelection::default());
    }

    #[test]
    fn entries_that_cannot_be_used_are_errors() {
        let (id, version) = (PoolEntryId(4), MapVersion { id: 11, is_ranked: true });
        let fixed = |weight, name: &str| PoolEntry::fixed(id, weight, version, name);
        let folder = "scmp_009".to_owned();
        let entry = PoolEntry { id, weight: 3, map: PoolMap::Fixed { version, folder } };
        assert_eq!(fixed(3, "maps/scmp_009.zip"), Ok(entry));
        for name in
            ["scmp_009", "maps/scmp_009", "scmp_009.zip", "maps/.zip", "maps/a/b.zip", "maps/../x.zip"]
        {
            assert_eq!(fixed(1, name), Err(InvalidEntry::FileName(name.to_owned())), "{name}");
        }
        assert_eq!(fixed(-1, "maps/x.zip"), Err(InvalidEntry::Weight(-1)));
        assert_eq!(fixed(1 << 32, "maps/x.zip"), Err(InvalidEntry::Weight(1 << 32)));
        assert_eq!(PoolEntry::generated(id, 1, "[]"), Err(InvalidEntry::Params(InvalidParams::Type)));
    }

    proptest! {
        #[test]
        fn a_match_always_gets_the_nearest_bracket(
            limits in prop::collection::vec((any::<Option<i16>>(), any::<Option<i16>>()), 1..6),
            rating in prop::num::f64::ANY,
        ) {
            let brackets: Vec<Bracket> = (0..)
                .zip(limits)
                .map(|(id, (min, max))| bracket(id, min.map(i64::from), max.map(i64::from)))
                .collect();
            let found = Bracket::of_rating(&brackets, rating).unwrap();
            for (place, other) in brackets.iter().enumerate() {
                let (nearest, distance) = (found.distance(rating), other.distance(rating));
                prop_assert!(nearest <= distance);
                // Of those at the same distance, the first.
                prop_assert!(nearest < distance || found.id.0 <= place as i64);
            }
        }
    }
}
