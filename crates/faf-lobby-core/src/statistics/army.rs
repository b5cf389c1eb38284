//! The part of a game's statistics that is kept: only what achievements, events and the result
//! need, whatever the game sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The armies of a game, as its last `JsonStats` described them (game-results.md section 8).
///
/// Holds at most [`MOST_ARMIES`](super::MOST_ARMIES) armies; each takes some hundred bytes and at
/// most about 4 KiB, however long the text was. Made by [`Statistics::read`]. Serialisation is for
/// the server's own recordings, and deserialising does not check any bounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Statistics {
    pub(super) armies: Vec<Army>,
}

/// An army. Every part may be missing, so that each player's update depends only on the parts that
/// it needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Army {
    #[serde(rename = "type")]
    pub(super) kind: Option<ArmyType>,
    pub(super) name: Option<String>,
    /// `general.score`; finite.
    pub(super) score: Option<f64>,
    /// `units.cdr.kills`, usable even if the rest is incomplete.
    pub(super) commander_kills: Option<u32>,
    /// `None` if any required part is missing.
    pub(super) figures: Option<Figures>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ArmyType {
    Human,
    #[serde(rename = "AI")]
    Ai,
}

/// The parts, apart from type, name and score, that an army must have to count for its player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// `None` if it is not one of the four.
    pub(super) faction: Option<Faction>,
    pub(super) units: Units<Counts>,
    /// By unit id; only units that an achievement depends on. A unit that the army never had
    /// is missing.
    pub(super) blueprints: BTreeMap<String, Blueprint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Faction {
    Uef,
    Aeon,
    Cybran,
    Seraphim,
}

/// The categories of units that are required; a unit counts in several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Units<T> {
    pub(super) air: T,
    pub(super) land: T,
    pub(super) naval: T,
    pub(super) experimental: T,
    pub(super) cdr: T,
    pub(super) tech1: T,
    pub(super) tech2: T,
    pub(super) tech3: T,
    pub(super) engineer: T,
    pub(super) transportation: T,
    pub(super) sacu: T,
}

/// Counts of a category, each at most [`LARGEST_COUNT`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) built: u32,
    pub(super) lost: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Blueprint {
    /// At most [`LARGEST_COUNT`].
    pub(super) built: u32,
    /// 0 if missing; always finite.
    pub(super) lowest_health: f64,
}

impl Statistics {
    /// Returns the number of commanders that each army has killed, by the name of the army,
    /// including AIs and civilians (section 4).
    ///
    /// An army without the number is left out, and the others keep theirs (quirk R15). Of armies
    /// with the same name the last one counts.
    #[must_use]
    pub fn commander_kills(&self) -> BTreeMap<String, i64> {
        let kills = |army: &Army| Some((army.name.clone()?, i64::from(army.commander_kills?)));
        self.armies.iter().filter_map(kills).collect()
    }
}

impl Army {
    pub(super) fn is_human(&self) -> bool {
        self.kind == Some(ArmyType::Human)
    }

    /// Civilians are an AI as well, but not an opponent.
    pub(super) fn is_opponent_ai(&self) -> bool {
        self.kind == Some(ArmyType::Ai) && self.name.as_deref() != Some("civilian")
    }
}

impl Figures {
    /// Returns how many units with any of these ids were built; at most [`LARGEST_COUNT`].
    pub(super) fn built(&self, units: &[&str]) -> u32 {
        let built = self.of(units).fold(0, |sum: u32, blueprint| sum.saturating_add(blueprint.built));
        built.min(LARGEST_COUNT)
    }

    /// Returns the sum of the units' `lowest_health`.
    pub(super) fn lowest_health(&self, units: &[&str]) -> f64 {
        self.of(units).map(|blueprint| blueprint.lowest_health).sum()
    }

    fn of(&self, units: &[&str]) -> impl Iterator<Item = &Blueprint> {
        units.iter().filter_map(|unit| self.blueprints.get(*unit))
    }
}

impl Faction {
    /// Other numbers exist, for civilians and the factions of mods.
    pub(super) fn of_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Uef,
            2 => Self::Aeon,
            3 => Self::Cybran,
            4 => Self::Seraphim,
            _ => return None,
        })
    }
}

/// Upper limit of a count, so that receivers may read it as a signed 32-bit integer.
pub(super) const LARGEST_COUNT: u32 = i32::MAX.cast_unsigned();
