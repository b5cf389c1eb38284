//! [`Faction`] and [`Factions`]: the sides of the game, and a player's choice of them.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::loose::Loose;

/// A side of the game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema), schemars(rename_all = "lowercase"))]
#[repr(u8)]
pub enum Faction {
    /// United Earth Federation.
    Uef = 1,
    /// Aeon Illuminate.
    Aeon = 2,
    /// Cybran Nation.
    Cybran = 3,
    /// The Seraphim.
    Seraphim = 4,
    /// Nomads, which only a featured mod has.
    Nomad = 5,
}

impl Faction {
    /// All factions, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Uef, Self::Aeon, Self::Cybran, Self::Seraphim, Self::Nomad];

    /// Number of the faction in the game, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the name of the faction on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uef => "uef",
            Self::Aeon => "aeon",
            Self::Cybran => "cybran",
            Self::Seraphim => "seraphim",
            Self::Nomad => "nomad",
        }
    }
}

impl Serialize for Faction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Reads the name of a faction in any case, or its number.
impl<'de> Deserialize<'de> for Faction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Loose::deserialize(deserializer)? {
            Loose::Integer(number) => {
                Self::ALL.into_iter().find(|known| i128::from(known.number()) == number)
            }
            Loose::Float(number) => Self::ALL.into_iter().find(|known| f64::from(known.number()) == number),
            Loose::Text(name) => Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(&name)),
            _ => None,
        };
        read.ok_or_else(|| Error::custom("it must be the name of a faction, or a number from 1 to 5"))
    }
}

/// A set of factions, on the wire a list in the order of their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Factions(u8);

impl Factions {
    /// No faction.
    pub const NONE: Self = Self(0);

    /// Returns whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Returns the factions of the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Faction> {
        Faction::ALL.into_iter().filter(move |faction| self.0 & Self::bit(*faction) != 0)
    }

    const fn bit(faction: Faction) -> u8 {
        1 << faction.number()
    }
}

/// The factions of the original game, which a player has who has not chosen any.
impl Default for Factions {
    fn default() -> Self {
        [Faction::Uef, Faction::Aeon, Faction::Cybran, Faction::Seraphim].into_iter().collect()
    }
}

impl FromIterator<Faction> for Factions {
    fn from_iter<I: IntoIterator<Item = Faction>>(factions: I) -> Self {
        Self(factions.into_iter().fold(0, |bits, faction| bits | Self::bit(faction)))
    }
}

impl fmt::Debug for Factions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Factions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Reads a list of factions, which may repeat some; it takes no memory, however long the list is.
impl<'de> Deserialize<'de> for Factions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FactionsVisitor;

        impl<'de> Visitor<'de> for FactionsVisitor {
            type Value = Factions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of factions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Factions, A::Error> {
                let mut factions = Factions::NONE;
                while let Some(faction) = list.next_element()? {
                    factions.0 |= Factions::bit(faction);
                }
                Ok(factions)
            }
        }

        deserializer.deserialize_seq(FactionsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_in_all_forms_and_written_in_order() {
        let read = |text: &str| serde_json::from_str::<Factions>(text).ok();
        let written = |text: &str| read(text).map(|factions| serde_json::to_string(&factions).unwrap());
        assert_eq!(written(r#"["Seraphim", "aeon", 2, 2.0]"#).unwrap(), r#"["aeon","seraphim"]"#);
        assert_eq!(written("[5, 1]").unwrap(), r#"["uef","nomad"]"#);
        assert_eq!(read("[]"), Some(Factions::NONE));
        assert_eq!(written(r#"["uef","aeon","cybran","seraphim"]"#), written("[1,2,3,4]"));
        assert_eq!(read("[1,2,3,4]"), Some(Factions::default()));
        for wrong in ["[0]", "[6]", "[1.5]", r#"["random"]"#, "[null]", "[[1]]", "{}", "1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
