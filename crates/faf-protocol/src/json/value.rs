use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{DecodeError, EncodeError, JsonKind};
use crate::limits::NESTING_LIMIT_MAX;

use super::scan;

/// One JSON value inside a [`Message`](crate::Message), as compact text.
///
/// Two are equal if their texts are, so `1.0` and `1` differ, as they do on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JsonRef<'a>(&'a str);

impl<'a> JsonRef<'a> {
    /// `text` must be compact JSON.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The compact JSON text.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// What kind of value it is.
    #[must_use]
    pub fn kind(self) -> JsonKind {
        match self.0.as_bytes().first() {
            Some(b'"') => JsonKind::String,
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b't' | b'f') => JsonKind::Boolean,
            Some(b'n') => JsonKind::Null,
            _ => JsonKind::Number,
        }
    }

    /// The text of a string, with its escapes resolved; nothing for other kinds.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let quoted = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if quoted.contains('\\') { self.parse().ok().map(Cow::Owned) } else { Some(Cow::Borrowed(quoted)) }
    }

    /// A number, or a text that is one; games and old clients send both. Nothing for other kinds, and for numbers that `T`
    /// does not hold.
    #[must_use]
    pub fn number<T: DeserializeOwned + FromStr>(self) -> Option<T> {
        match self.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => self.parse().ok(),
        }
    }

    /// Turns the value into a type.
    ///
    /// # Errors
    /// A message that says what was expected, if the value does not fit the type.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, String> {
        serde_json::from_str(self.0).map_err(|error| without_position(&error))
    }

    /// An owned copy.
    #[must_use]
    pub fn to_owned(self) -> Json {
        Json(RawValue::from_string(self.0.to_owned()).expect("a JsonRef holds JSON"))
    }
}

impl fmt::Debug for JsonRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One JSON value that is passed on as it came, in compact form: digits and key order are kept.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Reads one JSON value and brings it into compact form.
    ///
    /// # Errors
    /// As for messages, except that every kind of value will do.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let compact = scan::scan_value(text, NESTING_LIMIT_MAX)?.unwrap_or_else(|| text.to_owned());
        Ok(JsonRef(&compact).to_owned())
    }

    /// Turns anything that can be serialised into a JSON value.
    ///
    /// # Errors
    /// [`EncodeError::NotRepresentable`] where its `Serialize` gives up.
    pub fn from_value(value: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        serde_json::value::to_raw_value(value)
            .map(Self)
            .map_err(|error| EncodeError::NotRepresentable(error.to_string()))
    }

    /// The value as a cheap reference, which has all further methods.
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
            Some(compact) => Ok(JsonRef(&compact).to_owned()),
        }
    }
}

/// The message of a JSON error without its line and column, which mean nothing in compact text.
pub(crate) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
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
    fn strings_are_unescaped() {
        assert_eq!(Json::from("a\"b").as_ref().as_str().unwrap(), "a\"b");
        assert_eq!(Json::from(5).as_ref().as_str(), None);
        assert_eq!(
            Json::from("text").as_ref().parse::<i64>().unwrap_err(),
            "invalid type: string \"text\", expected i64"
        );
    }
}
