//! The examples of the documents: those of the rows, and those from golden sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use faf_contract::{Checker, Contract, Direction, Entry, examples};
use faf_protocol::gpgnet::{GameToServer, GpgNetMessage, ServerToGame};
use faf_protocol::{ClientMessage, Message, ServerMessage};
use faf_testkit::golden;
use serde_json::Value;

use crate::recorded;

/// Environment variable that makes the test write the file instead of comparing it.
const WRITE: &str = "FAF_WRITE_EXAMPLES";

fn direction(entry: &Entry) -> Direction {
    if entry.sender.is_client_side() { Direction::ToServer } else { Direction::ToClient }
}

#[test]
fn every_example_keeps_to_the_contract_and_is_read() {
    let checker = Checker::new();
    let mut count = 0;
    for entry in &Contract::new().entries {
        for example in entry.examples.iter().chain(&examples::of(entry)) {
            let violations = checker.check(direction(entry), example);
            assert!(violations.is_empty(), "{}: {violations:?} in {example}", entry.key);
            assert_eq!(checker.key(direction(entry), example), Some(entry.key.as_str()));
            read(entry, example);
            count += 1;
        }
    }
    assert!(count > 140, "{count}");
}

/// Reads an example with the types of its command.
fn read(entry: &Entry, example: &Message) {
    let game = || GpgNetMessage::from_message(example).unwrap();
    match entry.key.split('.').next() {
        Some("client") => {
            let message = ClientMessage::read(example.clone()).unwrap();
            assert!(!matches!(message, ClientMessage::Other(_)), "{example}");
        }
        Some("server") => {
            let message = ServerMessage::read(example.clone()).unwrap();
            assert!(!matches!(message, ServerMessage::Other(_)), "{example}");
        }
        Some("game") => {
            let read = GameToServer::read(&game()).unwrap();
            assert!(!matches!(read.command, GameToServer::Unknown { .. }), "{example}");
        }
        _ => {
            let read = ServerToGame::read(&game()).unwrap();
            assert!(!matches!(read.command, ServerToGame::Unknown { .. }), "{example}");
        }
    }
}

/// Adds the places of all members of a value. Names that are data count once.
fn places(value: &Value, path: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let place = format!("{path}.{}", if is_word { name } else { "*" });
                all.insert(place.clone());
                places(inner, &place, all);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|inner| places(inner, &format!("{path}[]"), all)),
        _ => {}
    }
}

/// Returns the rank of a message as an example: it shows as many members as possible, and is short.
fn rank(message: &Message) -> (usize, usize, String) {
    let mut all = BTreeSet::new();
    places(&serde_json::from_str(message.as_str()).unwrap(), "", &mut all);
    (usize::MAX - all.len(), message.as_str().len(), message.to_string())
}

#[test]
fn the_recorded_examples_are_from_the_golden_sessions() {
    if !golden::is_own() {
        return;
    }
    let checker = Checker::new();
    let mut best: BTreeMap<String, Message> = BTreeMap::new();
    for exchange in recorded::all() {
        let is_right = checker.check(exchange.direction, &exchange.message).is_empty();
        if let Some(key) = checker.key(exchange.direction, &exchange.message)
            && is_right
            && !exchange.is_refused
        {
            let place = best.entry(key.to_owned()).or_insert_with(|| exchange.message.clone());
            if rank(&exchange.message) < rank(place) {
                *place = exchange.message;
            }
        }
    }
    let mut lines = String::new();
    for entry in &Contract::new().entries {
        if let Some(message) = best.get(&entry.key) {
            lines.push_str(&format!("{{\"key\":\"{}\",\"message\":{message}}}\n", entry.key));
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples.jsonl");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, &lines).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap();
    assert!(there == lines, "{} is not what the golden sessions give: {WRITE}=1 writes it", file.display());
}
