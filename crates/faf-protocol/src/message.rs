//! [`Message`]: the JSON object that every wire format carries.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{DecodeError, EncodeError, FieldError};
use crate::json::compact::{Members, unescaped};
use crate::json::{JsonRef, scan, typed};
use crate::limits::{Limits, NESTING_LIMIT_MAX};
use crate::wire::{Encode, Heartbeat};

/// A JSON object, kept as compact text.
///
/// There is neither a tree nor an index: members are found by walking the text, so a message takes
/// no more memory than its text, however many members it has. Member order, unknown members and the
/// digits of numbers are kept; a repeated key has the place of its first and the value of its last
/// occurrence. Two messages are equal if their texts are: members in the same order, numbers in the
/// same spelling.
///
/// ```
/// use faf_protocol::Message;
///
/// let message: Message = r#"{"command": "social_add", "friend": 42, "new": [1.50]}"#.parse()?;
/// assert_eq!(message.command().as_deref(), Some("social_add"));
/// assert_eq!(message.get("friend").unwrap().parse::<u32>(), Ok(42));
/// assert_eq!(message.as_str(), r#"{"command":"social_add","friend":42,"new":[1.50]}"#);
/// # Ok::<(), faf_protocol::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Message {
    /// Compact JSON in UTF-8, with no more escapes than necessary.
    text: Cow<'static, str>,
}

impl Message {
    /// The message `{"command":"ping"}`.
    pub const PING: Self = Self { text: Cow::Borrowed(r#"{"command":"ping"}"#) };

    /// The message `{"command":"pong"}`.
    pub const PONG: Self = Self { text: Cow::Borrowed(r#"{"command":"pong"}"#) };

    /// Creates a message with this `command` and nothing else.
    #[must_use]
    pub fn new(command: &str) -> Self {
        Self::from_value(&Command { command }).expect("a command is a JSON object")
    }

    /// Converts anything that serialises as a JSON object into a message.
    ///
    /// # Errors
    /// [`EncodeError::NotRepresentable`] for anything else.
    pub fn from_value(value: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        let text = serde_json::to_string(value).map_err(EncodeError::not_representable)?;
        Self::from_string(text, NESTING_LIMIT_MAX).map_err(EncodeError::not_representable)
    }

    /// Reads one JSON object.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`], [`DecodeError::TooDeep`], [`DecodeError::NotAnObject`], and
    /// [`DecodeError::TooLarge`] for a text beyond [`Limits::message`].
    pub fn parse_text(text: &str, limits: &Limits) -> Result<Self, DecodeError> {
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        let limit = limits.message_in_force();
        if trimmed.len() > limit {
            return Err(DecodeError::TooLarge { limit, size: trimmed.len() });
        }
        if let Some(heartbeat) = Heartbeat::of_text(trimmed) {
            return Ok(heartbeat.into());
        }
        let leading = text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len();
        let compact =
            scan::scan_object(trimmed, limits.nesting_in_force()).map_err(|error| error.shifted(leading))?;
        Ok(Self::from_compact(compact.unwrap_or_else(|| trimmed.to_owned())))
    }

    /// Reads one JSON object, and keeps the text's allocation if nothing has to be changed.
    pub(crate) fn from_string(text: String, nesting_limit: usize) -> Result<Self, DecodeError> {
        let compact = scan::scan_object(&text, nesting_limit)?;
        Ok(Self::from_compact(compact.unwrap_or(text)))
    }

    /// Wraps a text, which must be a compact JSON object.
    pub(crate) fn from_compact(text: String) -> Self {
        Self { text: Cow::Owned(text) }
    }

    /// Returns the message as compact JSON text. It is UTF-8; the wire formats escape it to ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the text of the member `command`; `None` if it is missing or not a string.
    #[must_use]
    pub fn command(&self) -> Option<Cow<'_, str>> {
        self.get("command")?.as_str()
    }

    /// Returns the text of the member `target`; `None` if it is missing or not a string.
    #[must_use]
    pub fn target(&self) -> Option<Cow<'_, str>> {
        self.get("target")?.as_str()
    }

    /// Returns the value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<JsonRef<'_>> {
        let key = escaped_key(key);
        self.raw_members().find(|(other, _)| *other == key).map(|(_, value)| JsonRef::new(value))
    }

    /// Returns keys and values of all members, in order.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, JsonRef<'_>)> {
        self.raw_members().map(|(key, value)| (unescaped(key), JsonRef::new(value)))
    }

    /// Returns keys (escaped, without quotes) and values of all members as compact JSON text.
    fn raw_members(&self) -> Members<'_> {
        Members::of(&self.text)
    }

    /// Sets a member: in its old place if it exists, otherwise at the end.
    ///
    /// # Errors
    /// [`EncodeError::NotRepresentable`] for a value that JSON cannot express; the message is
    /// then unchanged.
    pub fn set(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), EncodeError> {
        let value = serde_json::to_string(value).map_err(EncodeError::not_representable)?;
        let key = escaped_key(key);
        let mut text = String::with_capacity(self.text.len() + key.len() + value.len() + 4);
        let mut is_set = false;
        let mut push = |key: &str, value: &str| {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.extend(["\"", key, "\":", value]);
        };
        for (other, old) in self.raw_members() {
            let is_same = other == key;
            is_set |= is_same;
            push(other, if is_same { &value } else { old });
        }
        if !is_set {
            push(&key, &value);
        }
        text.push('}');
        *self = Self::from_compact(text);
        Ok(())
    }

    /// Converts one member into a type.
    ///
    /// # Errors
    /// [`FieldError`] if it is missing or does not fit.
    pub fn field<T: DeserializeOwned>(&self, key: &str) -> Result<T, FieldError> {
        self.get(key)
            .ok_or_else(|| "is missing".to_owned())
            .and_then(JsonRef::parse)
            .map_err(|reason| FieldError { field: Some(key.to_owned()), reason })
    }

    /// Converts one member into a type, if it is present and not `null`.
    ///
    /// # Errors
    /// [`FieldError`] if it does not fit.
    pub fn optional_field<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, FieldError> {
        match self.get(key) {
            None => Ok(None),
            Some(_) => self.field(key),
        }
    }

    /// Converts the message into a type, without building a tree; members that the type does not
    /// have are ignored.
    ///
    /// # Errors
    /// [`FieldError`] naming the member that is missing or does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, FieldError> {
        typed::from_object(&self.text)
    }
}

#[derive(Serialize)]
struct Command<'a> {
    command: &'a str,
}

/// Returns a key as it is in compact text, without quotes.
fn escaped_key(key: &str) -> Cow<'_, str> {
    if key.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')) {
        let quoted = serde_json::to_string(key).expect("every text can be a JSON string");
        Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
    } else {
        Cow::Borrowed(key)
    }
}

impl Encode for Message {
    fn heartbeat(&self) -> Option<Heartbeat> {
        match self.get("command")?.text() {
            r#""ping""# => Some(Heartbeat::Ping),
            r#""pong""# => Some(Heartbeat::Pong),
            _ => None,
        }
    }

    fn is_only_heartbeat(&self) -> bool {
        Heartbeat::of_text(&self.text).is_some()
    }

    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        crate::json::escape::push_ascii(&self.text, out);
        Ok(())
    }
}

impl From<Heartbeat> for Message {
    fn from(heartbeat: Heartbeat) -> Self {
        match heartbeat {
            Heartbeat::Ping => Self::PING,
            Heartbeat::Pong => Self::PONG,
        }
    }
}

impl FromStr for Message {
    type Err = DecodeError;

    /// Reads one JSON object under the default [`Limits`].
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        Self::parse_text(text, &Limits::default())
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Message {}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.text)
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.text.clone().into_owned()).expect("a message is JSON");
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_string(raw.get().to_owned(), NESTING_LIMIT_MAX).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        text.parse().unwrap()
    }

    #[test]
    fn members_are_read_without_a_tree() {
        let message = message(r#"{"command":"x","target":"game","k\"ey":[1],"é":null,"empty":""}"#);
        assert_eq!(message.command().unwrap(), "x");
        assert_eq!(message.target().unwrap(), "game");
        assert_eq!(message.get("k\"ey").unwrap().text(), "[1]");
        assert_eq!(message.get("é").unwrap().text(), "null");
        assert_eq!(message.get("empty").unwrap().as_str().unwrap(), "");
        assert_eq!(message.get("nothing"), None);
        let keys: Vec<_> = message.members().map(|(key, _)| key.into_owned()).collect();
        assert_eq!(keys, ["command", "target", "k\"ey", "é", "empty"]);
    }

    #[test]
    fn the_constants_equal_parsed_messages() {
        for heartbeat in [Message::PING, Message::PONG] {
            let parsed = Message::from_string(heartbeat.as_str().to_owned(), 8).unwrap();
            assert_eq!(parsed, heartbeat);
            assert_eq!(parsed.heartbeat(), heartbeat.heartbeat());
        }
    }

    #[test]
    fn setting_a_member_keeps_its_place() {
        let mut message = message(r#"{"a":1,"b":2}"#);
        message.set("a", "new").unwrap();
        message.set("c", &[true]).unwrap();
        assert_eq!(message.as_str(), r#"{"a":"new","b":2,"c":[true]}"#);
        assert_eq!(message.get("c").unwrap().text(), "[true]");
        assert!(message.set("d", &std::collections::BTreeMap::from([((1, 2), 3)])).is_err());
        assert_eq!(message.get("d"), None);
    }

    #[test]
    fn only_objects_can_become_messages() {
        assert!(Message::from_value(&[1]).is_err());
        assert!(Message::from_value("text").is_err());
        assert_eq!(Message::new("a\"b").as_str(), r#"{"command":"a\"b"}"#);
    }

    #[test]
    fn a_wrong_member_is_named() {
        #[derive(Debug, Deserialize)]
        struct Login {
            #[expect(dead_code)]
            login: String,
            #[expect(dead_code)]
            id: u8,
        }
        let error = |text: &str| message(text).parse::<Login>().unwrap_err().to_string();
        assert_eq!(error(r#"{"login":5,"id":1}"#), "`login`: invalid type: integer `5`, expected a string");
        assert_eq!(error(r#"{"login":"x","id":[1,2]}"#), "`id`: invalid type: sequence, expected u8");
        assert_eq!(error(r#"{"login":"x","id":300}"#), "`id`: invalid value: integer `300`, expected u8");
        assert_eq!(error(r#"{"login":"x"}"#), "missing field `id`");
    }

    #[test]
    fn messages_nest_in_other_types() {
        let list: Vec<Message> = serde_json::from_str(r#"[{"b": 1.50, "a": 2}]"#).unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), r#"[{"b":1.50,"a":2}]"#);
    }
}
