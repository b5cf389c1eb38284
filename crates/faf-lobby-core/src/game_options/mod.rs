//! The options of a game, which the host sets one by one (games.md sections 2 and 6.1).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use faf_protocol::json::Json;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Longest value that is kept, in bytes of JSON. The rules accept only words and numbers.
pub const OPTION_VALUE_MAX: usize = 256;

/// Options that are kept besides `Victory` and `Slots`: those that a rule in `validity/` reads, and
/// the game's own defaults. The game has some fifty more and mods add their own; nothing here reads
/// them.
const KEPT: [&str; 13] = [
    "AIReplacement",
    "CheatsEnabled",
    "Difficulty",
    "Expansion",
    "FogOfWar",
    "GameSpeed",
    "NoRushOption",
    "PrebuiltUnits",
    "RestrictedCategories",
    "RevealedCivilians",
    "TeamLock",
    "TeamSpawn",
    "Unranked",
];

/// Numbers of players a game may be for: a map has 16 places at most, and without any nobody could
/// play.
const SLOTS: RangeInclusive<i64> = 1..=16;

/// What kind of game it is (games.md section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameKind {
    /// Players against players or against AIs.
    Custom,
    /// Players together through a mission; the featured mod is `coop`.
    Coop,
}

impl GameKind {
    /// The word in `game_type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Coop => "coop",
        }
    }
}

/// What ends a game (games.md section 6.1). Text is read in any case and written as
/// [`as_str`](Self::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VictoryCondition {
    /// Commanders must die.
    Demoralization,
    /// All structures and engineers must be destroyed.
    Domination,
    /// All units must be destroyed.
    Eradication,
    /// There is none.
    Sandbox,
    /// All commanders of a team must die; rated as demoralization is (since 2025).
    Decapitation,
}

impl VictoryCondition {
    const ALL: [Self; 5] =
        [Self::Demoralization, Self::Domination, Self::Eradication, Self::Sandbox, Self::Decapitation];

    /// The name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Demoralization => "DEMORALIZATION",
            Self::Domination => "DOMINATION",
            Self::Eradication => "ERADICATION",
            Self::Sandbox => "SANDBOX",
            Self::Decapitation => "DECAPITATION",
        }
    }

    /// Reads a name in any case; nothing for other text.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| text.eq_ignore_ascii_case(condition.as_str()))
    }
}

impl fmt::Display for VictoryCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for VictoryCondition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| D::Error::custom(format_args!("no victory condition: {text:?}")))
    }
}

/// What became of an option that was to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Accepted {
    /// It has the new value, if it is one that matters.
    Stored,
    /// It keeps its old value, because nobody knows the word (`Victory`).
    Kept,
    /// The command is to be ignored, because the value is of the wrong type (`Slots`, `Victory`) or
    /// none of those that can be (`Slots`).
    Malformed,
}

/// The options of one game that matter to the lobby (games.md sections 2 and 6.1).
///
/// There are few, and each value has at most [`OPTION_VALUE_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameOptions {
    victory: VictoryCondition,
    slots: i64,
    /// All that are kept but `Victory` and `Slots`.
    others: BTreeMap<String, Json>,
}

impl GameOptions {
    /// The options every game of this kind begins with. `ScenarioFile` is not among them, as it
    /// depends on the map.
    #[must_use]
    pub fn new(kind: GameKind) -> Self {
        let mut others = BTreeMap::from(
            [
                ("AIReplacement", "Off".into()),
                ("CheatsEnabled", "false".into()),
                ("FogOfWar", "explored".into()),
                ("GameSpeed", "normal".into()),
                ("NoRushOption", "Off".into()),
                ("PrebuiltUnits", "Off".into()),
                ("RestrictedCategories", 0.into()),
                ("TeamLock", "locked".into()),
                ("Unranked", "No".into()),
            ]
            .map(|(key, value): (&str, Json)| (key.to_owned(), value)),
        );
        let victory = match kind {
            GameKind::Custom => VictoryCondition::Demoralization,
            GameKind::Coop => {
                others.extend(
                    [
                        ("TeamSpawn", "fixed".into()),
                        ("RevealedCivilians", "No".into()),
                        ("Difficulty", 3.into()),
                        ("Expansion", "true".into()),
                    ]
                    .map(|(key, value): (&str, Json)| (key.to_owned(), value)),
                );
                VictoryCondition::Sandbox
            }
        };
        Self { victory, slots: 12, others }
    }

    /// Sets an option as the host wants it; see [`Accepted`] for when it stays as it was.
    ///
    /// `Victory` takes the words of [`VictoryCondition`] in any case (anything but text is ignored:
    /// games.md Q16), `Slots` an integer or its text from 1 to 16, as a map has no more places.
    /// Other options that a rule reads are stored verbatim, or as an empty text if they are too
    /// long, which no rule accepts. The rest is not stored. The caller handles `ScenarioFile` and
    /// `Title` (games.md section 6.1).
    pub fn set(&mut self, key: &str, value: Json) -> Accepted {
        match key {
            "Victory" => match value.as_ref().as_str().map(|word| VictoryCondition::read(&word)) {
                Some(Some(victory)) => self.victory = victory,
                Some(None) => return Accepted::Kept,
                None => return Accepted::Malformed,
            },
            "Slots" => match value.as_ref().number::<i64>() {
                Some(slots) if SLOTS.contains(&slots) => self.slots = slots,
                _ => return Accepted::Malformed,
            },
            _ if KEPT.contains(&key) => {
                let is_short = value.as_ref().text().len() <= OPTION_VALUE_MAX;
                self.others.insert(key.to_owned(), if is_short { value } else { "".into() });
            }
            _ => {}
        }
        Accepted::Stored
    }

    /// What ends the game; default demoralization, in co-op games sandbox.
    #[must_use]
    pub fn victory(&self) -> VictoryCondition {
        self.victory
    }

    /// How many can play, from 1 to 16; default 12.
    #[must_use]
    pub fn slots(&self) -> i64 {
        self.slots
    }

    /// Forgets all options but these, and `Victory` and `Slots`.
    pub(crate) fn keep_only(&mut self, keys: &[&str]) {
        self.others.retain(|key, _| keys.contains(&key.as_str()));
    }

    /// The value of an option, as it came. `Victory` and `Slots` are not found here, but by their
    /// own functions.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.others.get(key)
    }

    /// Whether an option is off: `false`, 0, or one of the words `false`, `off` and `no` in any
    /// case (game-results.md section 5).
    #[must_use]
    pub fn is_off(&self, key: &str) -> bool {
        self.switch(key) == Some(false)
    }

    /// Whether an option is on: `true`, 1, or one of the words `true`, `on` and `yes` in any case
    /// (game-results.md section 5).
    #[must_use]
    pub fn is_on(&self, key: &str) -> bool {
        self.switch(key) == Some(true)
    }

    fn switch(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?.as_ref();
        if let Some(word) = value.as_str() {
            let is_one_of = |words: [&str; 3]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
            return match (is_one_of(["false", "off", "no"]), is_one_of(["true", "on", "yes"])) {
                (true, _) => Some(false),
                (_, true) => Some(true),
                _ => None,
            };
        }
        match (value.parse::<bool>(), value.parse::<f64>()) {
            (Ok(flag), _) => Some(flag),
            (_, Ok(0.0)) => Some(false),
            (_, Ok(1.0)) => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
