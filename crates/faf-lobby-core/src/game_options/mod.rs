//! Options of a game, which the host sets one by one (games.md sections 2 and 6.1).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use faf_protocol::json::Json;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Maximum length of a stored value, in bytes of JSON. The rules accept only words and numbers.
pub const OPTION_VALUE_MAX: usize = 256;

/// Options that are stored in addition to `Victory` and `Slots`: those that a rule in `validity/`
/// reads, and the game's own defaults. The game has some fifty more and mods add their own, which
/// nothing here reads.
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

/// Allowed numbers of slots: a map has at most 16, and with none nobody could play.
const SLOTS: RangeInclusive<i64> = 1..=16;

/// The kind of a game (games.md section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameKind {
    /// Players against players or AIs.
    Custom,
    /// Players together in a mission; the featured mod is `coop`.
    Coop,
    /// Players whom the matchmaker has brought together.
    Matchmaker,
}

impl GameKind {
    /// The word in `game_type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Coop => "coop",
            Self::Matchmaker => "matchmaker",
        }
    }
}

/// The condition that ends a game (games.md section 6.1). Reading ignores case; the text is written
/// as by [`as_str`](Self::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VictoryCondition {
    /// A player loses with the commander.
    Demoralization,
    /// A player loses with all structures and engineers.
    Domination,
    /// A player loses with all units.
    Eradication,
    /// Nobody loses.
    Sandbox,
    /// A team loses with all of its commanders; rated like demoralization (since 2025).
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

    /// Reads a name in any case; `None` for other text.
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
        Self::read(&text).ok_or_else(|| D::Error::custom(format_args!("not a victory condition: {text:?}")))
    }
}

/// The result of setting an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Accepted {
    /// The option has the new value, if the lobby uses the option at all.
    Stored,
    /// The option keeps its old value, because the new one is not a known word (`Victory`).
    Kept,
    /// The command must be ignored, because the value has the wrong type (`Slots`, `Victory`) or is
    /// out of range (`Slots`).
    Malformed,
}

/// The options of one game that matter to the lobby (games.md sections 2 and 6.1).
///
/// There are few, and each value has at most [`OPTION_VALUE_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameOptions {
    victory: VictoryCondition,
    slots: i64,
    /// All stored options except `Victory` and `Slots`.
    others: BTreeMap<String, Json>,
}

impl GameOptions {
    /// Creates the options with which every game of this kind begins. `ScenarioFile` is not among
    /// them, as it depends on the map.
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
            GameKind::Custom | GameKind::Matchmaker => VictoryCondition::Demoralization,
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

    /// Sets an option to the host's value; see [`Accepted`] for when it stays unchanged.
    ///
    /// `Victory` takes the words of [`VictoryCondition`] in any case (anything but text is ignored:
    /// games.md Q16). `Slots` takes an integer from 1 to 16 or its text, as a map has no more
    /// places. Other options that a rule reads are stored verbatim; a value that is too long is
    /// replaced by an empty text, which no rule accepts. The rest is not stored. The caller handles
    /// `ScenarioFile` and `Title` (games.md section 6.1).
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

    /// The victory condition; demoralization by default, in co-op games sandbox.
    #[must_use]
    pub fn victory(&self) -> VictoryCondition {
        self.victory
    }

    /// Number of players who can play, from 1 to 16; 12 by default.
    #[must_use]
    pub fn slots(&self) -> i64 {
        self.slots
    }

    /// Drops all options except these, `Victory` and `Slots`.
    pub(crate) fn keep_only(&mut self, keys: &[&str]) {
        self.others.retain(|key, _| keys.contains(&key.as_str()));
    }

    /// Returns the value of an option as it was received. `Victory` and `Slots` have their
    /// own functions.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.others.get(key)
    }

    /// Returns whether an option is off: `false`, 0, or one of the words `false`, `off` and `no` in
    /// any case (game-results.md section 5).
    #[must_use]
    pub fn is_off(&self, key: &str) -> bool {
        self.switch(key) == Some(false)
    }

    /// Returns whether an option is on: `true`, 1, or one of the words `true`, `on` and `yes` in
    /// any case (game-results.md section 5).
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
