use serde::de::DeserializeOwned;

use crate::json::{Json, JsonRef};

use super::GpgNetMessage;

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
    /// What is wrong with it.
    pub reason: String,
}

/// Takes the arguments of a command one after another.
pub(super) struct Arguments<'a> {
    command: &'a str,
    rest: &'a [Json],
}

impl<'a> Arguments<'a> {
    pub(super) fn new(message: &'a GpgNetMessage) -> Self {
        Self { command: &message.command, rest: &message.args }
    }

    /// The next argument, as it came.
    pub(super) fn json(&mut self, argument: &'static str) -> Result<Json, ArgumentError> {
        self.next(argument).map(JsonRef::to_owned)
    }

    /// The next argument, as text; a number counts as its text, because the game sends some ids so.
    pub(super) fn text(&mut self, argument: &'static str) -> Result<String, ArgumentError> {
        self.parse(argument)
    }

    /// The next argument, as an integer; text of an integer will do.
    pub(super) fn integer(&mut self, argument: &'static str) -> Result<i64, ArgumentError> {
        let value = self.next(argument)?;
        let parsed = match value.as_str() {
            Some(text) => text.trim().parse().map_err(|_| format!("must be an integer, not {value:?}")),
            None => value.parse(),
        };
        parsed.map_err(|reason| self.error(argument, reason))
    }

    /// The next argument, as a flag: `true`, `1`, or one of the words `true`, `on` and `yes` in any case.
    pub(super) fn flag(&mut self, argument: &'static str) -> Result<bool, ArgumentError> {
        let value = self.next(argument)?;
        Ok(match value.as_str() {
            Some(word) => ["true", "on", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes)),
            None => matches!(value.text(), "true" | "1"),
        })
    }

    /// The next argument, as any type.
    pub(super) fn parse<T: DeserializeOwned>(&mut self, argument: &'static str) -> Result<T, ArgumentError> {
        self.next(argument)?.parse().map_err(|reason| self.error(argument, reason))
    }

    /// What has not been taken.
    pub(super) fn surplus(self) -> Vec<Json> {
        self.rest.to_vec()
    }

    fn next(&mut self, argument: &'static str) -> Result<JsonRef<'a>, ArgumentError> {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                Ok(first.as_ref())
            }
            None => Err(self.error(argument, "is missing".to_owned())),
        }
    }

    fn error(&self, argument: &'static str, reason: String) -> ArgumentError {
        ArgumentError { command: self.command.to_owned(), argument, reason }
    }
}
