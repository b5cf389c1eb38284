//! Reads the text of a `JsonStats` into [`Statistics`].
//!
//! ```text
//! {"stats":[{"type":"Human","name":"Ada","faction":2,"general":{"score":100},
//!            "units":{"air":{"built":3,"lost":1,"kills":2},...},
//!            "blueprints":{"ual0001":{"built":1,"lowest_health":11000},...}},...]}
//! ```
//!
//! The text comes from a Lua program that changes with every release, or from any player who
//! chooses to write one. A wrong value counts as missing, and only that value: a number, a
//! member, an army. Lua has one empty table for arrays and objects, so `[]` is also an object
//! without members.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::achievements;
use super::army::{Army, ArmyType, Blueprint, Counts, Faction, Figures, LARGEST_COUNT, Statistics, Units};

/// Maximum length of a text, in bytes: 256 KiB.
///
/// Texts of large games have tens of kilobytes, some more than 64 KiB. Even 16 armies with 250
/// kinds of units each and 60 bytes per unit stay below the limit. Reading blocks the lobby, and
/// takes a few milliseconds for the longest text, whatever it contains.
pub const LONGEST_TEXT: usize = 256 * 1024;

/// Maximum number of armies: 64. A map has at most 16 for players, and a few more for civilians and
/// its scripts.
pub const MOST_ARMIES: usize = 64;

/// Maximum length of the name of an army, in bytes: 255. An army with a longer name counts as
/// nameless. Logins are far shorter, and the name of an AI is a nickname and the kind of AI.
pub const LONGEST_NAME: usize = 255;

/// The reason why a text has no statistics. Earlier statistics of the game stay in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatisticsError {
    /// The text is longer than [`LONGEST_TEXT`].
    TooLong {
        /// Length of the text in bytes.
        length: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// The text is not JSON. Holds the parser's message, which quotes nothing of the text.
    Malformed(String),
    /// The text is not an object with the member `stats`.
    NoStats,
    /// The member `stats` is not a list.
    NotAList,
    /// The list has more than [`MOST_ARMIES`] armies.
    TooManyArmies {
        /// Number of armies in the list.
        number: usize,
        /// Maximum number of armies.
        limit: usize,
    },
}

impl Statistics {
    /// Reads the text of a `JsonStats`.
    ///
    /// An army is kept whatever it lacks, even if it is not an object. Counts are truncated to
    /// integers and clamped to 0..=2147483647. Unused members are skipped, however deep they nest,
    /// as skipping does not recurse.
    ///
    /// # Errors
    /// If the text is too long, is not JSON, or has no list of at most [`MOST_ARMIES`] armies under
    /// `stats`.
    pub fn read(text: &str) -> Result<Self, StatisticsError> {
        if text.len() > LONGEST_TEXT {
            return Err(StatisticsError::TooLong { length: text.len(), limit: LONGEST_TEXT });
        }
        let document: Part<Document<'_>> =
            serde_json::from_str(text).map_err(|error| StatisticsError::Malformed(error.to_string()))?;
        let stats = document.object().and_then(|document| document.stats).ok_or(StatisticsError::NoStats)?;
        let ArmyList::List { armies, number } = stats else { return Err(StatisticsError::NotAList) };
        if number > MOST_ARMIES {
            return Err(StatisticsError::TooManyArmies { number, limit: MOST_ARMIES });
        }
        Ok(Self { armies: armies.into_iter().map(army).collect() })
    }
}

impl fmt::Display for StatisticsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length, limit } => write!(f, "{length} bytes are more than {limit}"),
            Self::Malformed(error) => write!(f, "not JSON: {error}"),
            Self::NoStats => f.write_str("not an object with the member stats"),
            Self::NotAList => f.write_str("stats is not a list"),
            Self::TooManyArmies { number, limit } => write!(f, "{number} armies are more than {limit}"),
        }
    }
}

impl Error for StatisticsError {}

/// Parses each army on its own, so that an army with an error does not affect the others.
fn army(text: &RawValue) -> Army {
    serde_json::from_str::<Part<ArmyText>>(text.get()).ok().and_then(Part::object).unwrap_or_default().into()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document<'a> {
    #[serde(borrow)]
    stats: Option<ArmyList<'a>>,
}

/// The raw texts of the armies, found in the same pass as the list.
enum ArmyList<'a> {
    NotAList,
    /// Armies beyond the limit are only counted.
    List {
        armies: Vec<&'a RawValue>,
        number: usize,
    },
}

impl<'de: 'a, 'a> Deserialize<'de> for ArmyList<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArmyListVisitor)
    }
}

struct ArmyListVisitor;

impl<'de> Visitor<'de> for ArmyListVisitor {
    type Value = ArmyList<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of armies")
    }

    fn visit_unit<E: de::Error>(self) -> Result<ArmyList<'de>, E> {
        Ok(ArmyList::NotAList)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<ArmyList<'de>, E> {
        Ok(ArmyList::NotAList)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<ArmyList<'de>, E> {
        Ok(ArmyList::NotAList)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<ArmyList<'de>, E> {
        Ok(ArmyList::NotAList)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<ArmyList<'de>, E> {
        Ok(ArmyList::NotAList)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<ArmyList<'de>, E> {
        Ok(ArmyList::NotAList)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<ArmyList<'de>, A::Error> {
        let (mut armies, mut number) = (Vec::new(), 0);
        while number < MOST_ARMIES {
            let Some(army) = elements.next_element()? else { return Ok(ArmyList::List { armies, number }) };
            armies.push(army);
            number += 1;
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {
            number += 1;
        }
        Ok(ArmyList::List { armies, number })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ArmyList<'de>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(ArmyList::NotAList)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ArmyText {
    #[serde(rename = "type")]
    kind: Scalar,
    name: Scalar,
    faction: Scalar,
    general: Part<GeneralText>,
    units: Part<Units<Part<CountsText>>>,
    blueprints: Part<BlueprintsText>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GeneralText {
    score: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CountsText {
    built: Scalar,
    lost: Scalar,
    kills: Scalar,
}

#[derive(Default)]
struct BlueprintsText(BTreeMap<String, Blueprint>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct BlueprintText {
    built: Scalar,
    lowest_health: Scalar,
}

impl From<ArmyText> for Army {
    fn from(text: ArmyText) -> Self {
        let units = text.units.object();
        let commander_kills = units.as_ref().and_then(|units| match &units.cdr {
            Part::Object(cdr) => cdr.kills.number().map(count),
            _ => None,
        });
        let figures = || {
            Some(Figures {
                faction: Faction::of_number(text.faction.number().map(count)?),
                units: complete(units?)?,
                blueprints: text.blueprints.object()?.0,
            })
        };
        Self {
            kind: match text.kind.text().as_deref() {
                Some("Human") => Some(ArmyType::Human),
                Some("AI") => Some(ArmyType::Ai),
                _ => None,
            },
            name: text.name.text(),
            score: text.general.object().and_then(|general| general.score.number()),
            commander_kills,
            figures: figures(),
        }
    }
}

/// Converts all categories; `None` if one of them is missing.
fn complete(units: Units<Part<CountsText>>) -> Option<Units<Counts>> {
    let counts = |category: Part<CountsText>| {
        let CountsText { built, lost, .. } = category.object()?;
        Some(Counts { built: count_or_0(&built), lost: count_or_0(&lost) })
    };
    Some(Units {
        air: counts(units.air)?,
        land: counts(units.land)?,
        naval: counts(units.naval)?,
        experimental: counts(units.experimental)?,
        cdr: counts(units.cdr)?,
        tech1: counts(units.tech1)?,
        tech2: counts(units.tech2)?,
        tech3: counts(units.tech3)?,
        engineer: counts(units.engineer)?,
        transportation: counts(units.transportation)?,
        sacu: counts(units.sacu)?,
    })
}

fn count_or_0(number: &Scalar) -> u32 {
    number.number().map_or(0, count)
}

/// The conversion truncates fractions and turns negative numbers into 0.
fn count(number: f64) -> u32 {
    (number as u32).min(LARGEST_COUNT)
}

impl<'de> Deserialize<'de> for BlueprintsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BlueprintsVisitor)
    }
}

struct BlueprintsVisitor;

impl<'de> Visitor<'de> for BlueprintsVisitor {
    type Value = BlueprintsText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of units")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<BlueprintsText, A::Error> {
        let mut blueprints = BTreeMap::new();
        while let Some(UnitId(unit)) = members.next_key()? {
            let Some(unit) = unit else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            if let Some(BlueprintText { built, lowest_health }) = members.next_value::<Part<_>>()?.object() {
                let lowest_health = lowest_health.number().unwrap_or(0.0);
                blueprints.insert(unit, Blueprint { built: count_or_0(&built), lowest_health });
            }
        }
        Ok(BlueprintsText(blueprints))
    }
}

/// The id of a unit, if an achievement depends on it.
struct UnitId(Option<String>);

impl<'de> Deserialize<'de> for UnitId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(UnitIdVisitor)
    }
}

struct UnitIdVisitor;

impl Visitor<'_> for UnitIdVisitor {
    type Value = UnitId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a unit")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<UnitId, E> {
        Ok(UnitId(achievements::depend_on(text).then(|| text.to_owned())))
    }
}

/// A value of any type. A value of another type than the reader asks for counts as missing.
#[derive(Default)]
enum Part<T> {
    #[default]
    Missing,
    Number(f64),
    Text(String),
    Object(T),
}

/// A number or a text.
type Scalar = Part<IgnoredAny>;

impl<T> Part<T> {
    /// Always finite, as JSON has no other numbers.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn object(self) -> Option<T> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor(PhantomData))
    }
}

struct PartVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for PartVisitor<T> {
    type Value = Part<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Part<T>, E> {
        Ok(Part::Missing)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Part<T>, E> {
        Ok(Part::Missing)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Part<T>, E> {
        Ok(Part::Number(number as f64))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Part<T>, E> {
        Ok(Part::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Part<T>, E> {
        Ok(Part::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Part<T>, E> {
        Ok(if text.len() > LONGEST_NAME { Part::Missing } else { Part::Text(text.to_owned()) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Part<T>, A::Error> {
        let mut part = Part::Object(T::default());
        while elements.next_element::<IgnoredAny>()?.is_some() {
            part = Part::Missing;
        }
        Ok(part)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Part<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Part::Object)
    }
}
