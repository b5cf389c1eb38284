//! The JSON examples in the documentation of messages: each reads and writes unchanged, and every
//! message has one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use faf_protocol::gpgnet::{GameToServer, GpgNetMessage, ServerToGame};
use faf_protocol::{ClientMessage, Encode, Message, ServerMessage};

const CLIENT: &str = include_str!("../src/client_message.rs");
const SERVER: &str = include_str!("../src/server_message.rs");
const FROM_GAME: &str = include_str!("../src/gpgnet/game_to_server.rs");
const TO_GAME: &str = include_str!("../src/gpgnet/server_to_game.rs");

/// Returns the examples in doc comments.
fn examples(source: &str) -> Vec<Message> {
    let mut examples = Vec::new();
    let mut current: Option<String> = None;
    for line in source.lines().filter_map(|line| line.trim_start().strip_prefix("///")) {
        match (line.trim(), &mut current) {
            ("```json", _) => current = Some(String::new()),
            ("```", example) => examples.extend(example.take()),
            (line, Some(example)) => example.push_str(line),
            _ => {}
        }
    }
    examples
        .iter()
        .map(|example| example.parse().unwrap_or_else(|error| panic!("{error}: {example}")))
        .collect()
}

/// Returns the wire names of the rows in a table, up to its untyped rows if it has any.
fn commands(source: &str, table: &str) -> BTreeSet<String> {
    let (_, rows) = source.split_once(&format!("\n{table}! {{\n")).unwrap();
    let (rows, _) = rows.split_once("\n}\n").unwrap();
    let (rows, _) = rows.split_once("untyped {").unwrap_or((rows, ""));
    let rows = rows.lines().filter(|line| line.contains(" = \"") && !line.contains("#[serde"));
    rows.filter_map(|row| Some(row.split_once(" = \"")?.1.split_once('"')?.0.to_owned())).collect()
}

fn check(source: &str, mut missing: BTreeSet<String>, write: impl Fn(Message) -> Vec<u8>) {
    let examples = examples(source);
    assert!(missing.len() >= 5, "{missing:?}");
    for example in examples {
        missing.remove(&*example.command().unwrap());
        assert_eq!(String::from_utf8(write(example.clone())).unwrap(), example.as_str());
    }
    assert!(missing.is_empty(), "there is no example of {missing:?}");
}

fn json(message: &impl Encode) -> Vec<u8> {
    let mut json = Vec::new();
    message.write_json(&mut json).unwrap();
    json
}

#[test]
fn every_message_of_a_client_has_an_example() {
    check(CLIENT, commands(CLIENT, "client_commands"), |example| {
        json(&ClientMessage::read(example).unwrap())
    });
}

#[test]
fn every_message_of_the_server_has_an_example() {
    check(SERVER, commands(SERVER, "server_messages"), |example| {
        json(&ServerMessage::read(example).unwrap())
    });
}

#[test]
fn every_command_of_the_game_has_an_example() {
    check(FROM_GAME, commands(FROM_GAME, "commands"), |example| {
        let message = GpgNetMessage::from_message(&example).unwrap();
        let command = GameToServer::read(&message).unwrap();
        assert!(!matches!(command.command, GameToServer::Unknown { .. }), "{example}");
        json(&GpgNetMessage::from(command).to_message())
    });
}

#[test]
fn every_command_to_the_game_has_an_example() {
    check(TO_GAME, commands(TO_GAME, "commands"), |example| {
        let message = GpgNetMessage::from_message(&example).unwrap();
        let command = ServerToGame::read(&message).unwrap();
        assert!(!matches!(command.command, ServerToGame::Unknown { .. }), "{example}");
        json(&GpgNetMessage::from(command).to_message())
    });
}
