//! Every change of a golden message that the contract forbids is found.

use std::collections::{BTreeMap, BTreeSet};

use faf_contract::{Checker, Contract, Direction, Kind};
use faf_protocol::Message;
use serde_json::{Map, Value, json};

use crate::recorded;

/// Number of messages of each kind that are changed; the shortest of different form.
const PER_KEY: usize = 12;

/// Environment variable with the file into which the test writes all messages and how they were
/// judged, for other validators.
const CASES: &str = "FAF_WRITE_CASES";

/// A forbidden change of a message.
struct Mutant {
    /// The change, for a failure.
    what: String,
    value: Value,
    kind: Kind,
    /// The member that must be named, unless any may be.
    place: Option<String>,
}

/// Returns golden messages that keep to the contract, by key.
fn specimens(checker: &Checker) -> BTreeMap<String, (Direction, Vec<Value>)> {
    let mut all: BTreeMap<String, (Direction, BTreeMap<String, Value>)> = BTreeMap::new();
    for exchange in recorded::all() {
        let Some(key) = checker.key(exchange.direction, &exchange.message) else { continue };
        if !checker.check(exchange.direction, &exchange.message).is_empty() {
            continue;
        }
        let value: Value = serde_json::from_str(exchange.message.as_str()).unwrap();
        let (_, forms) = all.entry(key.to_owned()).or_insert((exchange.direction, BTreeMap::new()));
        let form = form(&value);
        let is_shorter = |other: &Value| value.to_string().len() < other.to_string().len();
        if forms.get(&form).is_none_or(is_shorter) {
            forms.insert(form, value);
        }
    }
    let shortest = |forms: BTreeMap<String, Value>| {
        let mut values: Vec<Value> = forms.into_values().collect();
        values.sort_by_key(|value| value.to_string().len());
        values.truncate(PER_KEY);
        values
    };
    all.into_iter().map(|(key, (direction, forms))| (key, (direction, shortest(forms)))).collect()
}

/// Returns the names of members and the kinds of values.
fn form(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{name}:{}", form(value))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => {
            let forms: BTreeSet<_> = elements.iter().map(form).collect();
            format!("{forms:?}")
        }
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "text".to_owned(),
    }
}

/// The schemas, to know which changes are forbidden.
struct Schemas {
    contract: Contract,
}

impl Schemas {
    fn resolve<'a>(&'a self, schema: &'a Value) -> Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(target) => {
                let name = target.strip_prefix("#/$defs/").unwrap();
                match self.contract.by_key(name) {
                    Some(entry) => Value::Object(entry.schema.clone()),
                    None => self.contract.values[name].clone(),
                }
            }
            None => schema.clone(),
        }
    }

    /// Returns the branch of a schema that a value has.
    fn branch(&self, schema: &Value, value: &Value) -> Value {
        let schema = self.resolve(schema);
        let branches = schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array);
        let fits = |branch: &&Value| {
            let branch = self.resolve(branch);
            let constants = branch.get("properties").and_then(Value::as_object).into_iter().flatten();
            let is_tagged = constants.filter_map(|(name, member)| Some((name, member.get("const")?)));
            let has_first = branch["prefixItems"][0].get("const").is_none_or(|first| value[0] == *first);
            let has_kind = self.allowed(&branch).is_none_or(|names| {
                names.contains(kind_name(value)) || (value.is_number() && names.contains("integer"))
            });
            is_tagged.into_iter().all(|(name, constant)| value.get(name) == Some(constant))
                && has_first
                && has_kind
        };
        match branches {
            Some(branches)
                if branches.iter().any(|branch| {
                    branch.get("properties").is_some()
                        || branch.get("prefixItems").is_some()
                        || branch.get("$ref").is_some()
                }) =>
            {
                self.resolve(branches.iter().find(fits).unwrap())
            }
            _ => schema,
        }
    }

    /// Returns all forbidden changes of a value at any depth.
    fn mutants(&self, schema: &Value, value: &Value, path: &str) -> Vec<Mutant> {
        let schema = self.branch(schema, value);
        let mut mutants = Vec::new();
        let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Value::Object(members) = value {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in required.filter(|name| *name != "command" && *name != "target") {
                let mut changed = members.clone();
                changed.remove(name);
                mutants.push(mutant(
                    format!("without {}", at(name)),
                    changed,
                    Kind::MissingMember,
                    Some(at(name)),
                ));
            }
            if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
                let mut changed = members.clone();
                changed.insert("no_such_member".to_owned(), json!(1));
                let place = Some(at("no_such_member"));
                mutants.push(mutant(
                    format!("{path} with another member"),
                    changed,
                    Kind::UnknownMember,
                    place,
                ));
            }
            for (name, inner) in members {
                let inner_schema = match schema["properties"].get(name) {
                    Some(schema) => schema,
                    None => match schema.get("additionalProperties") {
                        Some(schema) if schema.is_object() => schema,
                        _ => continue,
                    },
                };
                let place = at(name);
                let is_tag = inner_schema.get("const").is_some() && path.is_empty();
                for inner in self.mutants_of_value(inner_schema, inner, &place) {
                    // A wrong name makes it another message.
                    if is_tag && (name == "command" || name == "target") {
                        continue;
                    }
                    let mut changed = members.clone();
                    changed.insert(name.clone(), inner.value);
                    mutants.push(Mutant { value: Value::Object(changed), ..inner });
                }
            }
        }
        if let Value::Array(elements) = value {
            for (index, inner) in elements.iter().enumerate().take(3) {
                let first = schema["prefixItems"].get(index);
                let Some(inner_schema) = first.or(schema.get("items")) else { continue };
                for inner in self.mutants_of_value(inner_schema, inner, &format!("{path}[]")) {
                    let mut changed = elements.clone();
                    changed[index] = inner.value;
                    mutants.push(Mutant { value: Value::Array(changed), ..inner });
                }
            }
        }
        mutants
    }

    /// Returns the forbidden replacements of a value, and the changes inside of it.
    fn mutants_of_value(&self, schema: &Value, value: &Value, place: &str) -> Vec<Mutant> {
        let mut mutants = self.mutants(schema, value, place);
        let resolved = self.branch(schema, value);
        let allowed = self.allowed(schema);
        for other in [json!(null), json!(true), json!(7), json!(1.5), json!("§"), json!([]), json!({})] {
            let kind = kind_name(&other);
            let is_integer = other.as_f64().is_some_and(|number| number.fract() == 0.0);
            let is_kind =
                |name: &String| name == kind || (name == "integer" && kind == "number" && is_integer);
            if allowed.as_ref().is_some_and(|names| !names.iter().any(is_kind)) {
                let what = format!("{place} is {other}");
                mutants.push(Mutant {
                    what,
                    value: other,
                    kind: Kind::WrongType,
                    place: Some(place.to_owned()),
                });
            }
        }
        let mut out = |value: Value| {
            let what = format!("{place} is {value}");
            mutants.push(Mutant { what, value, kind: Kind::OutOfBounds, place: Some(place.to_owned()) });
        };
        if let Some(least) = resolved.get("minimum").and_then(Value::as_i64) {
            out(json!(least - 1));
        }
        if let Some(most) = resolved.get("maximum").and_then(Value::as_i64) {
            out(json!(most + 1));
        }
        if let Some(most) = resolved.get("maxLength").and_then(Value::as_u64) {
            out(json!("x".repeat(usize::try_from(most).unwrap() + 1)));
        }
        if resolved.get("minLength").is_some() {
            out(json!(""));
        }
        if resolved.get("pattern").is_some() {
            out(json!("§§§"));
        }
        if resolved.get("enum").is_some() || resolved.get("oneOf").is_some() {
            out(json!("no such word"));
        }
        if let Some(Value::String(_)) = resolved.get("const") {
            out(json!("no such word"));
        }
        if let Value::Array(elements) = value {
            if let Some(least) = resolved.get("minItems").and_then(Value::as_u64).filter(|least| *least > 0) {
                out(elements[..usize::try_from(least).unwrap() - 1].to_vec().into());
            }
            if let Some(most) = resolved.get("maxItems").and_then(Value::as_u64) {
                let filler = elements.last().cloned().unwrap_or(json!(1));
                let missing = usize::try_from(most).unwrap() + 1 - elements.len();
                out(elements.iter().cloned().chain(std::iter::repeat_n(filler, missing)).collect());
            }
        }
        mutants
    }

    /// Returns the kinds of values that a schema allows; `None` for all.
    fn allowed(&self, schema: &Value) -> Option<BTreeSet<String>> {
        let schema = self.resolve(schema);
        if let Some(value) = schema.get("const") {
            return Some(BTreeSet::from([kind_name(value).to_owned()]));
        }
        if let Some(Value::Array(values)) = schema.get("enum") {
            return Some(values.iter().map(|value| kind_name(value).to_owned()).collect());
        }
        if let Some(branches) = schema.get("oneOf").or(schema.get("anyOf")) {
            let branches = branches.as_array().unwrap();
            let kinds: Option<Vec<_>> = branches.iter().map(|branch| self.allowed(branch)).collect();
            return kinds.map(|kinds| kinds.into_iter().flatten().collect());
        }
        match schema.get("type")? {
            Value::String(name) => Some(BTreeSet::from([name.clone()])),
            names => Some(names.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        }
    }
}

fn mutant(what: String, members: Map<String, Value>, kind: Kind, place: Option<String>) -> Mutant {
    Mutant { what, value: Value::Object(members), kind, place }
}

fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn every_mutant_is_refused() {
    let checker = Checker::new();
    let schemas = Schemas { contract: Contract::new() };
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut cases = String::new();
    let mut case = |key: &str, value: &Value, is_valid: bool| {
        cases.push_str(&json!({ "key": key, "message": value, "is_valid": is_valid }).to_string());
        cases.push('\n');
    };
    for (key, (direction, values)) in specimens(&checker) {
        let entry = schemas.contract.by_key(&key).unwrap();
        let schema = Value::Object(entry.schema.clone());
        for value in values {
            case(&key, &value, true);
            let mut mutants = schemas.mutants(&schema, &value, "");
            let mut renamed = value.clone();
            renamed["command"] = json!("no_such_command");
            mutants.push(Mutant {
                what: "another name".to_owned(),
                value: renamed,
                kind: Kind::UnknownCommand,
                place: None,
            });
            for mutant in mutants {
                let message = Message::from_value(&mutant.value).unwrap();
                let found = checker.check(direction, &message);
                // Without this member it is another message, which lacks others.
                let is_other = entry.needed.is_some() && mutant.place.as_deref() == entry.needed;
                let is_found = found.iter().any(|violation| {
                    violation.kind == mutant.kind
                        && (is_other || mutant.place.as_ref().is_none_or(|place| violation.place == *place))
                });
                assert!(is_found, "{key}, {}: {found:?} in {message}", mutant.what);
                case(&key, &mutant.value, false);
                *counts.entry(mutant.kind).or_default() += 1;
            }
        }
    }
    for kind in
        [Kind::MissingMember, Kind::UnknownMember, Kind::WrongType, Kind::OutOfBounds, Kind::UnknownCommand]
    {
        assert!(counts[&kind] > 50, "{counts:?}");
    }
    if let Some(file) = std::env::var_os(CASES) {
        for exchange in recorded::all() {
            if let Some(key) = checker.key(exchange.direction, &exchange.message) {
                let is_valid = checker.check(exchange.direction, &exchange.message).is_empty();
                case(key, &serde_json::from_str(exchange.message.as_str()).unwrap(), is_valid);
            }
        }
        std::fs::write(file, cases).unwrap();
    }
}
