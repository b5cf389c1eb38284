//! The AsyncAPI document: servers, the channel, an operation for each message with its replies.

use faf_protocol::contract::{Contract, Entry, Rules, Sender};
use schemars::Schema;
use schemars::transform::{RemoveRefSiblings, ReplacePrefixItems, Transform};
use serde_json::{Map, Value, json};

use super::examples;
use super::generate::{pretty, value};

/// Returns an AsyncAPI 3.0 document from the server's side: it receives what clients send.
pub(super) fn document(contract: &Contract) -> String {
    let mut schemas = Map::new();
    for (name, schema) in &contract.values {
        schemas.insert(name.clone(), dialect(schema));
    }
    let mut messages = Map::new();
    let mut channel = Map::new();
    let mut operations = Map::new();
    for entry in &contract.entries {
        schemas.insert(entry.key.clone(), dialect(&Value::Object(entry.schema.clone())));
        messages.insert(entry.key.clone(), message(entry));
        channel.insert(entry.key.clone(), json!({ "$ref": format!("#/components/messages/{}", entry.key) }));
        let action = if entry.sender.is_client_side() { "receive" } else { "send" };
        operations.insert(format!("{action}.{}", entry.key), operation(entry, action));
    }
    let text = "One connection in both directions. Each message is a JSON object.";
    pretty(&json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "The lobby protocol of FAF",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every message between clients and the lobby server, from the server's side. Clients and servers ignore members and commands that they do not know.",
            "license": { "name": "MIT OR Apache-2.0" }
        },
        "defaultContentType": "application/json",
        "servers": {
            "websocket": {
                "host": "localhost:8003", "pathname": "/", "protocol": "ws",
                "description": "A text or binary message is one object and a line feed. Long messages are continued in further frames. Over the internet with TLS: wss."
            },
            "simple-json": {
                "host": "localhost:8002", "protocol": "tcp",
                "description": "One object on a line."
            },
            "qdatastream": {
                "host": "localhost:8001", "protocol": "tcp",
                "description": "Deprecated: length-prefixed UTF-16."
            }
        },
        "channels": {
            "lobby": { "address": "/", "title": "The lobby connection", "description": text, "messages": channel }
        },
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas }
    }))
}

fn message(entry: &Entry) -> Value {
    let mut shown = examples::of(entry);
    if shown.is_empty() {
        shown = entry.examples.clone();
    }
    let examples: Vec<Value> = shown.iter().map(|example| json!({ "payload": value(example) })).collect();
    json!({
        "name": entry.command,
        "title": entry.key,
        "description": entry.text,
        "contentType": "application/json",
        "tags": [{ "name": entry.sender.name() }],
        "payload": { "$ref": format!("#/components/schemas/{}", entry.key) },
        "examples": examples
    })
}

fn operation(entry: &Entry, action: &str) -> Value {
    let of_channel = |key: &str| json!({ "$ref": format!("#/channels/lobby/messages/{key}") });
    let lobby = json!({ "$ref": "#/channels/lobby" });
    let mut operation = json!({
        "action": action,
        "channel": lobby,
        "summary": summary(entry),
        "tags": [{ "name": entry.sender.name() }],
        "messages": [of_channel(&entry.key)]
    });
    let replies: Vec<Value> = match &entry.rules {
        Rules::Client(rules) => rules.replies.iter().map(|reply| of_channel(&reply.key())).collect(),
        Rules::Game(rules) => rules.replies.iter().map(|reply| of_channel(&reply.key())).collect(),
        Rules::Server(_) | Rules::ServerForGame(_) if entry.command == "ping" => {
            vec![of_channel("client.pong")]
        }
        Rules::Server(_) | Rules::ServerForGame(_) => Vec::new(),
    };
    if !replies.is_empty() {
        operation["reply"] = json!({ "channel": lobby, "messages": replies });
    }
    operation
}

fn summary(entry: &Entry) -> String {
    let sender = match entry.sender {
        Sender::Client => "From a client",
        Sender::Game => "From a game process through its client",
        Sender::Server => "To a client",
        Sender::ServerForGame => "To a game process through its client",
    };
    match &entry.rules {
        Rules::Client(rules) => format!("{sender}, {}.", rules.when.text()),
        Rules::Game(rules) => {
            let host = if rules.host_only { " of the host" } else { "" };
            format!("{sender}{host}, {}.", rules.phase.text())
        }
        Rules::Server(rules) => format!("{sender}. {}", rules.sent),
        Rules::ServerForGame(rules) => format!("{sender}. {}", rules.sent),
    }
}

/// Returns a schema in the dialect of AsyncAPI, which is that of JSON Schema draft 7.
fn dialect(schema: &Value) -> Value {
    let Value::Object(object) = schema else { return schema.clone() };
    let mut schema = Schema::from(object.clone());
    RemoveRefSiblings::default().transform(&mut schema);
    ReplacePrefixItems::default().transform(&mut schema);
    let mut value = schema.to_value();
    move_references(&mut value);
    value
}

fn move_references(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                match inner {
                    Value::String(target) if name == "$ref" => {
                        *target = target.replacen("#/$defs/", "#/components/schemas/", 1);
                    }
                    inner => move_references(inner),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(move_references),
        _ => {}
    }
}
