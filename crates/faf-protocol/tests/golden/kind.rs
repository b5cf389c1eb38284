//! The kinds of differences from the original.

use faf_protocol::qdatastream;
use faf_testkit::golden::wire::{Vector, bytes};
use serde_json::Value;

use crate::numbers::with_canonical_numbers;

/// The first thing that differs between two outcomes.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The original's outcome: `accepted`, or the error.
    pub(crate) recorded: String,
    /// The outcome of this crate.
    pub(crate) here: String,
}

impl Kind {
    pub(crate) fn of(vector: &Vector, recorded: &str, ours: &str) -> Self {
        // In a stream, each outcome has a line.
        let (mut recorded, mut ours) = (recorded.lines(), ours.lines());
        let (recorded, ours) = loop {
            let nothing = "error: nothing more";
            let (recorded, ours) = (recorded.next().unwrap_or(nothing), ours.next().unwrap_or(nothing));
            if recorded != ours {
                break (recorded, ours);
            }
            assert_ne!(recorded, nothing, "{}: both are the same", vector.id);
        };
        let here = if recorded == with_canonical_numbers(ours) {
            "the same value, numbers spelled as received".to_owned()
        } else if !ours.contains(ERROR) && collects_parts(vector, ours) {
            "accepted, parts that are not objects in `legacy`".to_owned()
        } else {
            named(ours)
        };
        Self { recorded: named(recorded), here }
    }
}

const ERROR: &str = "error: ";

/// Returns `accepted`, or the error without its numbers.
fn named(outcome: &str) -> String {
    match outcome.rsplit_once(ERROR) {
        Some((_, error)) => error.split(',').next().unwrap_or_default().to_owned(),
        None if outcome == "pending" => "waiting for more".to_owned(),
        None => "accepted".to_owned(),
    }
}

/// Returns whether a block has later parts that are arrays or texts, and these are in `legacy`.
fn collects_parts(vector: &Vector, ours: &str) -> bool {
    let block = bytes(&vector.input["bytes"]);
    let parts: Vec<String> = qdatastream::read_block(&block).skip(1).filter_map(Result::ok).collect();
    let others = parts.iter().filter(|part| part.trim_start().starts_with(['[', '"']));
    let message: Value = serde_json::from_str(ours).unwrap();
    let collected = message["legacy"].as_array();
    vector.protocol == "qdatastream"
        && others.clone().count() > 0
        && others.clone().all(|part| collected.is_some_and(|all| all.contains(&Value::from(part.as_str()))))
}

/// A row of `differences.md`.
#[derive(Debug)]
pub(crate) struct Row {
    /// Conditions on the operation, the protocol and the tags: each is required, one of several,
    /// or excluded.
    conditions: Vec<Condition>,
    /// Outcomes of the original, of which one must match [`Kind::recorded`].
    recorded: Vec<String>,
    here: Vec<String>,
}

#[derive(Debug)]
enum Condition {
    OneOf(Vec<String>),
    Not(String),
}

impl Row {
    /// Returns all rows.
    pub(crate) fn all() -> Vec<Self> {
        let rows = include_str!("../../src/differences.md").lines().filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let [conditions, recorded, here] = cells[..] else { return None };
            let is_row = conditions.contains('`') || conditions == "any";
            is_row.then(|| Self {
                conditions: conditions.split(", ").filter_map(Condition::read).collect(),
                recorded: list(recorded, "; "),
                here: list(here, "; "),
            })
        });
        let rows: Vec<Self> = rows.collect();
        assert!(!rows.is_empty(), "differences.md has no rows");
        rows
    }

    /// Returns whether the row allows this difference of this vector.
    pub(crate) fn allows(&self, vector: &Vector, kind: &Kind) -> bool {
        let has =
            |name: &String| vector.op == *name || vector.protocol == *name || vector.tags.contains(name);
        let is_met = |condition: &Condition| match condition {
            Condition::OneOf(names) => names.iter().any(has),
            Condition::Not(name) => !has(name),
        };
        self.recorded.contains(&kind.recorded)
            && self.here.contains(&kind.here)
            && self.conditions.iter().all(is_met)
    }
}

impl Condition {
    fn read(text: &str) -> Option<Self> {
        if text == "any" {
            return None;
        }
        let plain = text.replace('`', "");
        Some(match plain.strip_prefix("not ") {
            Some(name) => Self::Not(name.to_owned()),
            None => Self::OneOf(list(&plain, " or ")),
        })
    }
}

fn list(text: &str, separator: &str) -> Vec<String> {
    text.split(separator).map(|item| item.trim().to_owned()).collect()
}

/// A row matches if all its conditions are met.
#[test]
fn rows_are_understood() {
    let vector = |op: &str, tags: &[&str]| Vector {
        id: String::new(),
        op: op.to_owned(),
        protocol: String::new(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        input: Value::Null,
        expect: Value::Null,
    };
    let kind = |recorded: &str, here: &str| Kind { recorded: recorded.to_owned(), here: here.to_owned() };
    let conditions = "`deep` or `limit`, `decode_message`, not `non-object`";
    let row = Row {
        conditions: conditions.split(", ").filter_map(Condition::read).collect(),
        recorded: list("accepted", "; "),
        here: list("too deep; too large", "; "),
    };
    assert!(row.allows(&vector("decode_message", &["limit"]), &kind("accepted", "too deep")));
    assert!(row.allows(&vector("decode_message", &["x", "deep"]), &kind("accepted", "too large")));
    assert!(!row.allows(&vector("decode_message", &["x"]), &kind("accepted", "too deep")));
    assert!(!row.allows(&vector("read_stream", &["deep"]), &kind("accepted", "too deep")));
    assert!(!row.allows(&vector("decode_message", &["deep", "non-object"]), &kind("accepted", "too deep")));
    assert!(!row.allows(&vector("decode_message", &["deep"]), &kind("not JSON", "too deep")));
    assert!(!row.allows(&vector("decode_message", &["deep"]), &kind("accepted", "not JSON")));
}
