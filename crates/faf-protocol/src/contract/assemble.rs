//! Puts the entries of the contract together from rows and rules.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::client_message::{self, ClientCommand};
use crate::gpgnet::{CommandForGame, GameCommand, game_to_server, server_to_game};
use crate::message::Message;
use crate::server_message::{self, ServerCommand};

use super::rows::{GameRow, Row};
use super::text::{Documentation, without_links};
use super::values::OR_NULL;
use super::{Contract, Entry, Rules, Sender};

impl Default for Contract {
    fn default() -> Self {
        Self::new()
    }
}

impl Contract {
    /// Describes all messages.
    #[must_use]
    pub fn new() -> Self {
        let mut entries = Vec::new();
        // A client may leave out what the server can do without; the server leaves out only what
        // it does not write.
        let mut reading = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let mut writing = SchemaSettings::draft2020_12().for_serialize().into_generator();
        for command in ClientCommand::ALL {
            let Some(rules) = command.rules() else { continue };
            let row = client_message::rows::describe(*command, &mut reading);
            entries.push(entry(Sender::Client, command.name(), command.key(), row, Rules::Client(rules)));
        }
        for message in ServerCommand::ALL {
            let row = server_message::rows::describe(*message, &mut writing);
            let rules = Rules::Server(message.rules());
            let mut entry = entry(Sender::Server, message.name(), message.key(), row, rules);
            entry.needed = message.needed_member();
            entries.push(entry);
        }
        for command in GameCommand::ALL {
            let row = game_to_server::rows::describe(*command, &mut reading);
            let rules = command.rules();
            let end = rules.is_open_ended;
            let rules = Rules::Game(rules);
            entries.push(game_entry(Sender::Game, command.name(), command.key(), row, end, rules));
        }
        for command in CommandForGame::ALL {
            let row = server_to_game::rows::describe(*command, &mut writing);
            let rules = Rules::ServerForGame(command.rules());
            entries.push(game_entry(Sender::ServerForGame, command.name(), command.key(), row, false, rules));
        }
        for entry in &mut entries {
            entry.schema.values_mut().for_each(finish);
            finish_object(&mut entry.schema);
        }
        Self { entries, values: values(reading, writing) }
    }
}

/// Returns the definitions of both directions, which must not say different things under one name.
fn values(mut reading: SchemaGenerator, mut writing: SchemaGenerator) -> Map<String, Value> {
    let mut values = reading.take_definitions(true);
    for (name, schema) in writing.take_definitions(true) {
        if let Some(other) = values.insert(name.clone(), schema) {
            assert_eq!(values[&name], other, "two definitions of {name}");
        }
    }
    values.values_mut().for_each(finish);
    values
}

fn entry(sender: Sender, command: &'static str, key: String, row: Row, rules: Rules) -> Entry {
    let mut documentation = documentation(&row.documentation);
    let mut schema = row.members.into_iter().next().map(object).unwrap_or_default();
    if let Some(members) = schema.remove("description") {
        // Types that several commands share have their examples.
        let shared = Documentation::of(members.as_str().unwrap_or_default());
        let own = |example: &Message| example.command().as_deref() == Some(command);
        documentation.examples.extend(shared.examples.into_iter().filter(own));
    }
    let properties: Vec<(String, Value)> = vec![("command".to_owned(), json!({ "const": command }))];
    // A command with several actions has a branch for each. Types with variants that are skipped
    // have theirs under another keyword.
    if let Some(branches) = schema.remove("anyOf") {
        schema.insert("oneOf".to_owned(), branches);
    }
    if let Some(branches) = schema.get_mut("oneOf").and_then(Value::as_array_mut)
        && branches.iter().any(|branch| branch.get("properties").is_some())
    {
        for branch in branches.iter_mut().filter_map(Value::as_object_mut) {
            add_members(branch, &properties, true);
        }
    } else {
        add_members(&mut schema, &properties, true);
    }
    for ignored in row.ignored {
        let ignored = object(ignored);
        let members = ignored.get("properties").and_then(Value::as_object).into_iter().flatten();
        let marked = members.map(|(name, member)| {
            let mut member = member.clone();
            if let Some(member) = member.as_object_mut() {
                let text = member.get("description").and_then(Value::as_str).unwrap_or_default();
                let text = format!("{text} Ignored by the server.");
                member.insert("description".to_owned(), text.into());
                member.insert("deprecated".to_owned(), true.into());
            }
            (name.clone(), member)
        });
        let marked: Vec<_> = marked.collect();
        add_members(&mut schema, &marked, false);
    }
    finished(sender, command, key, documentation, schema, rules)
}

fn game_entry(
    sender: Sender,
    command: &'static str,
    key: String,
    row: GameRow,
    is_open_ended: bool,
    rules: Rules,
) -> Entry {
    let documentation = documentation(&row.documentation);
    let mut args = match (row.list.into_iter().next(), row.named.into_iter().next()) {
        (Some(list), _) => object(list),
        (None, Some(named)) => {
            let described = object(named.schema);
            let argument = |name: &&str| {
                let mut schema = described["properties"][*name].clone();
                if schema.is_boolean() {
                    schema = json!({});
                }
                schema["title"] = (*name).into();
                schema
            };
            let arguments: Vec<Value> = named.names.iter().map(argument).collect();
            let count = arguments.len();
            object_of(json!({
                "type": "array", "prefixItems": arguments, "minItems": count, "maxItems": count
            }))
        }
        (None, None) => object_of(json!({ "type": "array", "maxItems": 0 })),
    };
    if is_open_ended {
        args.remove("maxItems");
    }
    let are_needed =
        args.get("minItems").is_some() || args.get("anyOf").is_some() || !sender.is_client_side();
    let head = [
        ("command".to_owned(), json!({ "const": command })),
        ("target".to_owned(), json!({ "const": "game" })),
    ];
    let mut schema = Map::new();
    add_members(&mut schema, &[("args".to_owned(), Value::Object(args))], are_needed);
    add_members(&mut schema, &head, true);
    finished(sender, command, key, documentation, schema, rules)
}

fn finished(
    sender: Sender,
    command: &'static str,
    key: String,
    documentation: Documentation,
    mut schema: Map<String, Value>,
    rules: Rules,
) -> Entry {
    schema.remove("title");
    schema.insert("type".to_owned(), "object".into());
    schema.insert("description".to_owned(), documentation.text.clone().into());
    let Documentation { text, examples } = documentation;
    Entry { sender, command, key, text, examples, schema, needed: None, rules }
}

fn documentation(row: &Schema) -> Documentation {
    Documentation::of(row.get("description").and_then(Value::as_str).unwrap_or_default())
}

/// Adds members in front of the required ones.
fn add_members(schema: &mut Map<String, Value>, members: &[(String, Value)], are_required: bool) {
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    for (name, member) in members {
        properties[name] = member.clone();
    }
    if are_required {
        let required = schema.entry("required").or_insert_with(|| json!([]));
        if let Some(required) = required.as_array_mut() {
            required.splice(0..0, members.iter().map(|(name, _)| Value::from(name.as_str())));
        }
    }
}

fn object(schema: Schema) -> Map<String, Value> {
    object_of(schema.to_value())
}

fn object_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Makes a schema exact, and its texts readable without Rust.
fn finish(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(finish);
            finish_object(object);
        }
        Value::Array(list) => list.iter_mut().for_each(finish),
        _ => {}
    }
}

fn finish_object(object: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = Documentation::of(text).text;
        *text = without_links(text);
    }
    // These are names of types in Rust, and say less than the bounds.
    if object.contains_key("type") && object.get("format").is_some_and(|format| format != "date-time") {
        object.remove("format");
    }
    if object.get("default").is_some_and(|default| !default.is_object()) && object.contains_key("type") {
        object.remove("default");
    }
    let required: Vec<String> = match object.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = object.get_mut("properties") else { return };
    for (name, member) in properties {
        let is_required = required.iter().any(|other| other == name);
        if let Value::Object(member) = member {
            let may_be_null = member.remove(OR_NULL).is_some();
            if !is_required && !may_be_null {
                remove_null(member);
            }
        }
    }
    object.entry("additionalProperties").or_insert(Value::Bool(false));
}

/// Removes null from the types of a member that is left out instead.
fn remove_null(member: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = member.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            member.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = member.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(branches)) = member.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
    if branches.len() == 1
        && let Some(Value::Object(only)) = branches.pop()
    {
        member.remove("anyOf");
        member.extend(only.into_iter().filter(|(name, _)| name != "description"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::faction::Faction;

    /// Calls a function with every schema inside of a schema.
    fn walk(schema: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
        match schema {
            Value::Object(object) => {
                visit(object);
                object.values().for_each(|inner| walk(inner, visit));
            }
            Value::Array(list) => list.iter().for_each(|inner| walk(inner, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_message_has_a_name_of_its_own_a_text_and_an_example() {
        let contract = Contract::new();
        let keys: BTreeSet<_> = contract.entries.iter().map(|entry| &entry.key).collect();
        assert_eq!(keys.len(), contract.entries.len());
        assert!(keys.len() > 80, "{}", keys.len());
        for entry in &contract.entries {
            assert!(!entry.text.is_empty() && !entry.examples.is_empty(), "{}", entry.key);
            for example in &entry.examples {
                assert_eq!(example.command().as_deref(), Some(entry.command), "{}", entry.key);
            }
        }
    }

    #[test]
    fn every_reference_has_its_definition() {
        let contract = Contract::new();
        let mut used = BTreeSet::new();
        let schemas = contract.entries.iter().map(|entry| Value::Object(entry.schema.clone()));
        for schema in schemas.chain(contract.values.values().cloned()) {
            walk(&schema, &mut |object| {
                if let Some(Value::String(target)) = object.get("$ref") {
                    used.insert(target.strip_prefix("#/$defs/").expect("it is a definition").to_owned());
                }
                assert!(!object.contains_key(OR_NULL), "{object:?}");
            });
        }
        for name in &used {
            assert!(contract.values.contains_key(name) || contract.by_key(name).is_some(), "{name}");
        }
        for name in contract.values.keys() {
            assert!(used.contains(name), "{name} is not used");
        }
    }

    #[test]
    fn what_can_be_left_out_is_never_null_unless_the_row_says_so() {
        let contract = Contract::new();
        let member = |key: &str, name: &str| contract.by_key(key).unwrap().schema["properties"][name].clone();
        assert_eq!(member("server.notice", "text")["type"], "string");
        assert_eq!(member("server.game_info", "launched_at")["type"], json!(["number", "null"]));
        assert_eq!(member("client.game_host", "title")["type"], json!(["string", "null"]));
        assert_eq!(member("client.game_matchmaking", "queue_name")["type"], "string");
        let required = &contract.by_key("client.game_host").unwrap().schema["required"];
        assert_eq!(*required, json!(["command", "visibility"]));
    }

    #[test]
    fn factions_have_the_names_of_the_wire() {
        let contract = Contract::new();
        let names: Vec<_> = match &contract.values["Faction"]["oneOf"] {
            Value::Array(variants) => variants.iter().map(|variant| variant["const"].clone()).collect(),
            other => panic!("{other}"),
        };
        assert_eq!(names, Faction::ALL.map(|faction| Value::from(faction.name())));
    }
}
