use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{DecodeError, EncodeError, JsonKind};
use crate::limits::NESTING_LIMIT_MAX;

use super::compact::{Elements, unescaped};
use super::{scan, typed};

/// One JSON value inside a [`Message`](crate::Message), as compact text.
///
/// Two values are equal if their texts are, so `1.0` and `1` differ, as they do on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JsonRef<'a>(&'a str);

impl<'a> JsonRef<'a> {
    /// Wraps a text, which must be compact JSON.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Returns the compact JSON text.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Returns the kind of the value.
    #[must_use]
    pub fn kind(self) -> JsonKind {
        JsonKind::of_first_byte(self.0.as_bytes().first())
    }

    /// Returns the text of a string, with its escapes resolved; `None` for other kinds.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        Some(unescaped(self.0.strip_prefix('"')?.strip_suffix('"')?))
    }

    /// Returns a number, or a text that is one; games and old clients send both. `None` for other
    /// kinds, and for numbers that `T` does not hold.
    ///
    /// If `T` holds integers, a whole number may have a fraction or an exponent, as in `1.0` and
    /// `1e3`: many languages have only one kind of number.
    #[must_use]
    pub fn number<T: FromStr>(self) -> Option<T> {
        if let Some(text) = self.as_str() {
            return text.trim().parse().ok();
        }
        if self.kind() != JsonKind::Number {
            return None;
        }
        self.0.parse().ok().or_else(|| whole(self.0.parse().ok()?)?.to_string().parse().ok())
    }

    /// Returns the elements of an array; none for other kinds.
    #[must_use]
    pub fn elements(self) -> Option<impl Iterator<Item = JsonRef<'a>> + use<'a>> {
        (self.kind() == JsonKind::Array).then(|| Elements::of(self.0).map(JsonRef))
    }

    /// Converts the value into a type.
    ///
    /// # Errors
    /// A message that says what was expected, if the value does not fit the type.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, String> {
        typed::from_value(self)
    }

    /// Returns an owned copy.
    #[must_use]
    pub fn to_owned(self) -> Json {
        Json::of_compact(self.0.to_owned())
    }
}

impl fmt::Debug for JsonRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One JSON value in compact form, which is passed on as it came: digits and key order are kept.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Reads one JSON value and brings it into compact form.
    ///
    /// # Errors
    /// As for messages, except that every kind of value is accepted.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let compact = scan::scan_value(text, NESTING_LIMIT_MAX)?.unwrap_or_else(|| text.to_owned());
        Ok(Self::of_compact(compact))
    }

    /// Converts anything that can be serialised into a JSON value.
    ///
    /// # Errors
    /// [`EncodeError::NotRepresentable`] if its `Serialize` fails.
    pub fn from_value(value: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        serde_json::value::to_raw_value(value).map(Self).map_err(EncodeError::not_representable)
    }

    /// Wraps a text, which must be compact JSON.
    pub(crate) fn of_compact(text: String) -> Self {
        Self(RawValue::from_string(text).expect("it is JSON"))
    }

    /// Returns the value as a cheap reference, which has all further methods.
    #[must_use]
    pub fn as_ref(&self) -> JsonRef<'_> {
        JsonRef(self.0.get())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Json {}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::from_value(text).expect("every text can be a JSON string")
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::from_value(&number).expect("every integer can be a JSON number")
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::from_value(&flag).expect("every boolean can be a JSON value")
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match scan::scan_value(raw.get(), NESTING_LIMIT_MAX).map_err(D::Error::custom)? {
            None => Ok(Self(raw)),
            Some(compact) => Ok(Self::of_compact(compact)),
        }
    }
}

/// Limit beyond which some integers are equal as floats: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Returns the integer that a float represents, if it is exactly one.
pub(crate) fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < WHOLE_MAX).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_digits() {
        let value = Json::parse(" { \"n\" : 123456789012345678901234567890, \"x\":1.50 } ").unwrap();
        assert_eq!(value.as_ref().text(), r#"{"n":123456789012345678901234567890,"x":1.50}"#);
        assert_eq!(serde_json::to_string(&value).unwrap(), value.as_ref().text());
        assert_eq!(serde_json::from_str::<Json>("[1, 2]").unwrap().as_ref().text(), "[1,2]");
    }

    #[test]
    fn numbers_may_be_text() {
        let number = |text: &str| Json::parse(text).unwrap().as_ref().number::<i32>();
        assert_eq!((number("7"), number("\" -7 \"")), (Some(7), Some(-7)));
        for other in ["2147483648", "\"2147483648\"", "1.5", "\"\"", "\"x\"", "null", "true", "[1]"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn whole_numbers_may_be_written_as_floats() {
        let number = |text: &str| Json::parse(text).unwrap().as_ref().number::<i32>();
        for (text, expected) in
            [("1.0", 1), ("-3.000", -3), ("1e3", 1000), ("10E-1", 1), ("-0.0", 0), ("2147483647.0", i32::MAX)]
        {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for other in ["0.5", "1e-1", "2147483648.0", "1e300", "\"1.0\"", "\"1e3\""] {
            assert_eq!(number(other), None, "{other}");
        }
        assert_eq!(Json::parse("-0").unwrap().as_ref().number::<u32>(), Some(0));
        assert_eq!(Json::parse("1e300").unwrap().as_ref().number::<f64>(), Some(1e300));
        // A float cannot tell this integer from its neighbours.
        assert_eq!(Json::parse("9007199254740993.0").unwrap().as_ref().number::<i64>(), None);
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(Json::from("a\"b").as_ref().as_str().unwrap(), "a\"b");
        assert_eq!(Json::from(5).as_ref().as_str(), None);
        assert_eq!(
            Json::from("text").as_ref().parse::<i64>().unwrap_err(),
            "invalid type: string \"text\", expected i64"
        );
    }
}
