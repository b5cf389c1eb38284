use std::fmt;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::JsonKind;
use crate::json::compact::Elements;
use crate::json::{Json, JsonRef};

use super::GpgNetMessage;

/// Arguments of a command, kept as the compact text of a JSON array: they take no more memory than
/// this text, however many there are.
///
/// ```
/// use faf_protocol::gpgnet::Args;
///
/// let args = Args::from_iter(["Lobby".into(), 5.into()]);
/// assert_eq!(args.text(), r#"["Lobby",5]"#);
/// assert_eq!(args.iter().nth(1).unwrap().text(), "5");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Args(Json);

impl Args {
    /// Returns the array as compact JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_ref().text()
    }

    /// Returns the arguments in order.
    pub fn iter(&self) -> impl Iterator<Item = JsonRef<'_>> + use<'_> {
        Elements::of(self.text()).map(JsonRef::new)
    }

    /// Returns whether there are no arguments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text() == "[]"
    }

    /// Appends arguments.
    pub(crate) fn append(&mut self, others: &Self) {
        match (self.is_empty(), others.is_empty()) {
            (_, true) => {}
            (true, false) => *self = others.clone(),
            (false, false) => {
                let (own, others) = (self.text(), others.text());
                *self = Self::of_text([&own[..own.len() - 1], ",", &others[1..]].concat());
            }
        }
    }

    /// Wraps a text, which must be a compact JSON array.
    pub(super) fn of_text(text: String) -> Self {
        Self(Json::of_compact(text))
    }

    /// Reads an array; `None` for any other value.
    pub(super) fn of_value(value: JsonRef<'_>) -> Option<Self> {
        (value.kind() == JsonKind::Array).then(|| Self(value.to_owned()))
    }
}

impl Default for Args {
    fn default() -> Self {
        Self::of_text("[]".to_owned())
    }
}

impl FromIterator<Json> for Args {
    fn from_iter<I: IntoIterator<Item = Json>>(args: I) -> Self {
        let mut text = String::from("[");
        for argument in args {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(argument.as_ref().text());
        }
        text.push(']');
        Self::of_text(text)
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Json::deserialize(deserializer)?;
        match value.as_ref().kind() {
            JsonKind::Array => Ok(Self(value)),
            kind => Err(D::Error::custom(format_args!("arguments must be an array, not {kind}"))),
        }
    }
}

/// An argument that is missing or of the wrong type.
///
/// The lobby server logs and ignores such a command; the connection stays (wire.md section 9).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{command}: argument `{argument}` {reason}")]
pub struct ArgumentError {
    /// The command.
    pub command: String,
    /// The name of the argument in wire.md section 9.
    pub argument: &'static str,
    /// The problem with it.
    pub reason: String,
}

/// Takes the arguments of a command one after another.
pub(super) struct Arguments<'a> {
    command: &'a str,
    rest: Elements<'a>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(message: &'a GpgNetMessage) -> Self {
        Self { command: &message.command, rest: Elements::of(message.args.text()) }
    }

    /// Returns the next argument as it came.
    pub(super) fn json(&mut self, argument: &'static str) -> Result<Json, ArgumentError> {
        self.next(argument).map(JsonRef::to_owned)
    }

    /// Returns the next argument as text.
    pub(super) fn text(&mut self, argument: &'static str) -> Result<String, ArgumentError> {
        self.parse(argument)
    }

    /// Returns the next argument as an integer. It may also be the text of an integer, or a whole
    /// number with a fraction of zero.
    pub(super) fn integer(&mut self, argument: &'static str) -> Result<i64, ArgumentError> {
        let value = self.next(argument)?;
        value.number().ok_or_else(|| self.error(argument, format!("must be an integer, not {value:?}")))
    }

    /// Returns the next argument as a flag: `true`, `1`, or one of the words `true`, `on` and `yes`
    /// in any case, mean yes.
    pub(super) fn flag(&mut self, argument: &'static str) -> Result<bool, ArgumentError> {
        let value = self.next(argument)?;
        Ok(match value.as_str() {
            Some(word) => ["true", "on", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes)),
            None => value.text() == "true" || value.number() == Some(1),
        })
    }

    /// Returns the next argument as a value of any type.
    pub(super) fn parse<T: DeserializeOwned>(&mut self, argument: &'static str) -> Result<T, ArgumentError> {
        self.next(argument)?.parse().map_err(|reason| self.error(argument, reason))
    }

    /// Returns the arguments that have not been taken.
    pub(super) fn surplus(self) -> Args {
        match self.rest.rest() {
            "]" => Args::default(),
            rest => Args::of_text(["[", rest].concat()),
        }
    }

    fn next(&mut self, argument: &'static str) -> Result<JsonRef<'a>, ArgumentError> {
        let next = self.rest.next().map(JsonRef::new);
        next.ok_or_else(|| self.error(argument, "is missing".to_owned()))
    }

    fn error(&self, argument: &'static str, reason: String) -> ArgumentError {
        ArgumentError { command: self.command.to_owned(), argument, reason }
    }
}
