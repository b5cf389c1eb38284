//! Converts values of a message into types, without building a tree, and without copying a text
//! more than once.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::{FieldError, JsonKind};

use super::JsonRef;
use super::compact::{Members, unescaped};

/// Maximum number of bytes of an error's reason: 1 KiB. It may quote the value, which can be of
/// any size.
const REASON_LIMIT: usize = 1024;

/// The reason why a value does not fit a type.
#[derive(Debug)]
struct Misfit(String);

impl Misfit {
    fn into_reason(self) -> String {
        self.0
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        let mut kept = Reason(String::new());
        // It fails once enough is kept.
        let _ = write!(kept, "{reason}");
        Self(kept.0)
    }
}

impl From<serde_json::Error> for Misfit {
    fn from(error: serde_json::Error) -> Self {
        let mut reason = <Self as de::Error>::custom(error);
        // Line and column mean nothing in compact text.
        if let Some(end) = reason.0.rfind(" at line ") {
            reason.0.truncate(end);
        }
        reason
    }
}

/// A text that does not grow beyond [`REASON_LIMIT`].
struct Reason(String);

impl Write for Reason {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = REASON_LIMIT - self.0.len();
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Reads a type from an object, member by member; unknown members are skipped.
///
/// # Errors
/// [`FieldError`] naming the member that is missing or does not fit.
pub(crate) fn from_object<'de, T: Deserialize<'de>>(object: &'de str) -> Result<T, FieldError> {
    let mut members = ObjectAccess { members: Members::of(object), value: None };
    T::deserialize(ObjectDeserializer(&mut members)).map_err(|misfit| FieldError {
        field: members.value.map(|(key, _)| key.to_owned()),
        reason: misfit.into_reason(),
    })
}

struct ObjectDeserializer<'a, 'de>(&'a mut ObjectAccess<'de>);

impl<'de> Deserializer<'de> for ObjectDeserializer<'_, 'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct ObjectAccess<'de> {
    members: Members<'de>,
    /// Key and value of the current member.
    value: Option<(&'de str, &'de str)>,
}

impl<'de> MapAccess<'de> for &mut ObjectAccess<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.value = self.members.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        match unescaped(key) {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some),
            owned => seed.deserialize(CowStrDeserializer::new(owned)).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        seed.deserialize(ValueDeserializer(JsonRef::new(self.value.map_or("null", |(_, value)| value))))
    }
}

/// Reads a type from a value.
///
/// # Errors
/// A message that says what was expected.
pub(crate) fn from_value<'de, T: Deserialize<'de>>(value: JsonRef<'de>) -> Result<T, String> {
    T::deserialize(ValueDeserializer(value)).map_err(Misfit::into_reason)
}

/// Reads texts itself and leaves everything else to the JSON library, which would copy a text more
/// than once.
struct ValueDeserializer<'de>(JsonRef<'de>);

impl<'de> ValueDeserializer<'de> {
    fn by_library(self) -> serde_json::Deserializer<serde_json::de::StrRead<'de>> {
        serde_json::Deserializer::from_str(self.0.text())
    }
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0.as_str() {
            Some(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Some(Cow::Owned(text)) => visitor.visit_string(text),
            None => Ok(self.by_library().deserialize_any(visitor)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0.kind() {
            JsonKind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        // The library recognises its type for JSON text by the name.
        Ok(self.by_library().deserialize_newtype_struct(name, visitor)?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0.as_str() {
            Some(text) => CowStrDeserializer::new(text).deserialize_enum(name, variants, visitor),
            None => Ok(self.by_library().deserialize_enum(name, variants, visitor)?),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    #[test]
    fn a_reason_does_not_quote_a_megabyte() {
        let long = Json::from("é".repeat(1_000_000).as_str());
        for reason in
            [long.as_ref().parse::<u32>().unwrap_err(), long.as_ref().parse::<Vec<u8>>().unwrap_err()]
        {
            assert!(reason.starts_with("invalid type: string \"é"), "{reason:.60}");
            assert!((REASON_LIMIT - 1..=REASON_LIMIT).contains(&reason.len()), "{}", reason.len());
        }
    }
}
