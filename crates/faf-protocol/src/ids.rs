//! The ids of the protocol, each with its own type.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::json::value::whole;

/// Id of an account. 0 stands for an AI in reports of the game.
///
/// From clients it is accepted as a whole number in any spelling, or as the decimal text of one.
/// Ids beyond `i32::MAX` are an error, because clients read ids as 32-bit integers (wire.md section
/// 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PlayerId(#[cfg_attr(feature = "schemas", schemars(range(max = i32::MAX)))] pub u32);

/// Id of a game, read as [`PlayerId`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct GameId(#[cfg_attr(feature = "schemas", schemars(range(max = i32::MAX)))] pub u32);

/// Number that a connection gets on [`ask_session`](crate::client_message::AskSession). It is
/// neither secret nor unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SessionNumber(pub u32);

/// Id of a bracket of the matchmaker, a rating range of a queue: a row of
/// `matchmaker_queue_map_pool`. A queue may use the same pool in several brackets (matchmaking.md
/// M10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct BracketId(pub i64);

/// Id of an entry of a map pool: a row of `map_pool_map_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PoolEntryId(pub i64);

macro_rules! display_number {
    ($($id:ident)*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

macro_rules! deserialize_id {
    ($($id:ident)*) => {$(
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(IdVisitor).map(Self)
            }
        }
    )*};
}

display_number! { PlayerId GameId SessionNumber BracketId PoolEntryId }
deserialize_id! { PlayerId GameId }

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id from 0 to 2147483647")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u32, E> {
        i32::try_from(value)
            .map(i32::cast_unsigned)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u32, E> {
        u64::try_from(value)
            .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            .and_then(|value| self.visit_u64(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<u32, E> {
        whole(value)
            .ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
            .and_then(|value| self.visit_i64(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u32, E> {
        text.trim()
            .parse()
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            .and_then(|value| self.visit_u64(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_integers_or_their_text() {
        let id = |text: &str| {
            serde_json::from_str::<PlayerId>(text).map(|id| id.0).map_err(|error| error.to_string())
        };
        assert_eq!(id("0"), Ok(0));
        assert_eq!(id("2147483647"), Ok(2_147_483_647));
        assert_eq!(id("\" 42 \""), Ok(42));
        assert_eq!((id("1.0"), id("1e3"), id("10E-1"), id("-0.0")), (Ok(1), Ok(1000), Ok(1), Ok(0)));
        for wrong in [
            "2147483648",
            "2147483648.0",
            "-1",
            "-1.0",
            "1.5",
            "\"\"",
            "\"-1\"",
            "\"1.0\"",
            "null",
            "[1]",
            "true",
        ] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }
}
