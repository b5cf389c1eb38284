//! The types of members in words.

use serde_json::{Map, Value};

use crate::checker::pattern_name;

/// A row of a table of members.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    /// Type, bounds and unit.
    pub(super) kind: String,
    pub(super) is_required: bool,
    /// Whether it is sent, but not read.
    pub(super) is_ignored: bool,
    pub(super) text: &'a str,
}

/// The members of an object: the required ones in their order, then the others.
pub(super) struct Members;

impl Members {
    pub(super) fn of(schema: &Map<String, Value>) -> Vec<Row<'_>> {
        let Some(Value::Object(properties)) = schema.get("properties") else { return Vec::new() };
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Value::as_str).collect();
        let place = |name: &str| required.iter().position(|other| *other == name).unwrap_or(required.len());
        let rows = properties.iter().filter(|(name, _)| *name != "command").map(|(name, member)| Row {
            name,
            kind: type_text(member),
            is_required: place(name) < required.len(),
            is_ignored: member.get("deprecated").is_some_and(|flag| flag == true),
            text: member.get("description").and_then(Value::as_str).unwrap_or_default(),
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| (row.is_ignored, place(row.name), row.name));
        rows
    }
}

/// Returns a type with bounds and unit in words.
pub(super) fn type_text(schema: &Value) -> String {
    let mut text = plain_type(schema);
    let mut bounds = Vec::new();
    let number = |name: &str| schema.get(name).map(Value::to_string);
    match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => bounds.push(format!("{least} to {most}")),
        (Some(least), None) => bounds.push(format!("at least {least}")),
        (None, Some(most)) => bounds.push(format!("at most {most}")),
        (None, None) => {}
    }
    match (number("minLength").as_deref(), number("maxLength")) {
        (Some("1"), None) => bounds.push("not empty".to_owned()),
        (_, Some(most)) => bounds.push(format!("at most {most} characters")),
        _ => {}
    }
    if schema.get("prefixItems").is_none() {
        match (number("minItems"), number("maxItems")) {
            (_, Some(none)) if none == "0" => bounds.push("always empty".to_owned()),
            (Some(least), Some(most)) if least == most => bounds.push(format!("{least} elements")),
            (Some(least), _) => bounds.push(format!("at least {least}")),
            (None, Some(most)) => bounds.push(format!("at most {most}")),
            (None, None) => {}
        }
    }
    bounds.extend(schema.get("pattern").and_then(Value::as_str).and_then(pattern_name).map(str::to_owned));
    bounds.extend(schema.get("x-unit").and_then(Value::as_str).map(str::to_owned));
    if !bounds.is_empty() {
        text.push_str(", ");
        text.push_str(&bounds.join(", "));
    }
    text
}

fn plain_type(schema: &Value) -> String {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let name = target.rsplit('/').next().unwrap_or(target);
        return match name.strip_prefix("server.") {
            Some(command) => format!("[`{command}`](#{command}-server)"),
            None => format!("[{name}](#{})", name.to_ascii_lowercase()),
        };
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(Value::Array(branches)) = schema.get("anyOf") {
        return branches.iter().map(type_text).collect::<Vec<_>>().join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => list(schema),
        Some(Value::String(name)) if name == "object" => match schema.get("additionalProperties") {
            Some(inner @ Value::Object(_)) => format!("object of {}", type_text(inner)),
            _ => "object".to_owned(),
        },
        Some(Value::String(name)) => word(name).to_owned(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(word).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn list(schema: &Value) -> String {
    if let Some(first) = schema.get("prefixItems").and_then(Value::as_array) {
        return format!("[{}]", first.iter().map(type_text).collect::<Vec<_>>().join("; "));
    }
    match schema.get("items") {
        Some(inner) => format!("list of {}", type_text(inner)),
        None => "list".to_owned(),
    }
}

fn word(name: &str) -> &str {
    match name {
        "string" => "text",
        other => other,
    }
}
