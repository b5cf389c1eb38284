//! Makes the documents from the contract.

use faf_protocol::Message;
use faf_protocol::contract::Contract;
use serde_json::Value;

use crate::reference;

use super::{Document, asyncapi, json_schema};

impl Document {
    /// Makes the document from the contract; it ends with a line feed. This needs
    /// the feature `generate`.
    #[must_use]
    pub fn generate(self, contract: &Contract) -> String {
        match self {
            Self::JsonSchema => json_schema::document(contract),
            Self::AsyncApi => asyncapi::document(contract),
            Self::Reference => reference::page(contract),
        }
    }
}

/// Returns JSON over several lines, with the members of objects in the order of the alphabet.
pub(super) fn pretty(value: &Value) -> String {
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
pub(super) fn value(message: &Message) -> Value {
    serde_json::from_str(message.as_str()).expect("a message is JSON")
}
