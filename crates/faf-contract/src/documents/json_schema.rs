//! The schemas of all messages in one document.

use faf_protocol::contract::{Contract, Entry};
use serde_json::{Map, Value, json};

use super::generate::{pretty, value};

/// Returns JSON Schema 2020-12 for all messages.
///
/// Each message is a definition by its key, as are the values that several messages have.
/// `to-server` and `to-client` are any message of a direction.
pub(super) fn document(contract: &Contract) -> String {
    let any_of = |is_to_server: bool| -> Value {
        let keys = contract.entries.iter().filter(|entry| entry.sender.is_client_side() == is_to_server);
        keys.map(|entry| json!({ "$ref": reference(&entry.key) })).collect()
    };
    let mut definitions: Map<String, Value> = contract.values.clone();
    for Entry { key, schema, examples, .. } in &contract.entries {
        let mut schema = schema.clone();
        schema.insert("examples".to_owned(), examples.iter().map(value).collect());
        definitions.insert(key.clone(), schema.into());
    }
    definitions.insert(
        "to-server".to_owned(),
        json!({ "description": "Any message from a client or its game.", "anyOf": any_of(true) }),
    );
    definitions.insert(
        "to-client".to_owned(),
        json!({ "description": "Any message from the server.", "anyOf": any_of(false) }),
    );
    pretty(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The lobby protocol of FAF",
        "description": "Every message between clients and the lobby server. Messages of clients are described as it is right to send them. For tests: a program must ignore members and commands that are not listed.",
        "anyOf": [{ "$ref": reference("to-server") }, { "$ref": reference("to-client") }],
        "$defs": definitions
    }))
}

fn reference(name: &str) -> String {
    format!("#/$defs/{name}")
}
