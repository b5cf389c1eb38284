//! The documents that are made from the contract.

mod asyncapi;
pub mod examples;
mod json_schema;

use faf_protocol::Message;
use faf_protocol::contract::Contract;
use serde_json::Value;

use crate::reference;

/// A document that is made from the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Document {
    /// JSON Schema 2020-12 of all messages.
    JsonSchema,
    /// AsyncAPI 3.0: servers, channel, operations, messages with examples.
    AsyncApi,
    /// A page for people, in Markdown.
    Reference,
}

impl Document {
    /// All documents.
    pub const ALL: [Self; 3] = [Self::JsonSchema, Self::AsyncApi, Self::Reference];

    /// Returns the name on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonSchema => "json-schema",
            Self::AsyncApi => "asyncapi",
            Self::Reference => "reference",
        }
    }

    /// Returns the path of the file in the folder `docs` of the repository.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::JsonSchema => "protocol/faf-lobby.schema.json",
            Self::AsyncApi => "protocol/asyncapi.json",
            Self::Reference => "src/reference.md",
        }
    }

    /// Writes the document; it ends with a line feed.
    #[must_use]
    pub fn write(self, contract: &Contract) -> String {
        match self {
            Self::JsonSchema => json_schema::document(contract),
            Self::AsyncApi => asyncapi::document(contract),
            Self::Reference => reference::page(contract),
        }
    }
}

/// Returns JSON over several lines, with the members of objects in the order of the alphabet.
fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).expect("a tree is JSON");
    text.push('\n');
    text
}

/// Sorts all members, which `serde_json` does not do if any crate has asked it for their order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(elements) => elements.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Returns a message as a tree.
fn value(message: &Message) -> Value {
    serde_json::from_str(message.as_str()).expect("a message is JSON")
}
