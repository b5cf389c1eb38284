//! The messages of the golden sessions keep to the contract in both directions. Those that a
//! session sends wrong on purpose are recognised because the server refuses them, or are listed
//! with the reason why it does not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeSet, HashMap};

use faf_contract::{Checker, Conversation, Direction, Kind};
use faf_protocol::Message;
use faf_testkit::golden;
use faf_testkit::golden::sessions::{self, Record, Sent, Transcript};

/// Messages of clients that leave the contract and are not refused: command, kind, member, and the
/// reason why the sessions send them.
const TOLERATED: &[(&str, Kind, &str, &str)] = &[
    ("ping", Kind::UnknownMember, "extra", "unknown members are ignored"),
    ("social_add", Kind::UnknownMember, "", "of a friend and a foe, the friend counts"),
    ("social_add", Kind::MissingMember, "", "without either, nothing happens"),
    ("social_add", Kind::WrongType, "friend", "the text of an id is an id"),
    ("admin", Kind::OutOfBounds, "message", "an empty text is not shown"),
    ("admin", Kind::MissingMember, "message", "nor is a missing one"),
    ("admin", Kind::OutOfBounds, "action", "an unknown action has no effect"),
    ("hello", Kind::WrongType, "session", "the number is not read"),
    ("game_host", Kind::WrongType, "rating_min", "the text of a number is a number"),
    ("game_join", Kind::WrongType, "uid", "the text of an id is an id"),
    ("restore_game_session", Kind::WrongType, "game_id", "the text of an id is an id"),
    ("game_matchmaking", Kind::OutOfBounds, "state", "an unknown order has no effect"),
    // Games change: no command of theirs may end the connection.
    ("GameMods", Kind::OutOfBounds, "args[]", "an unknown mode has no effect"),
    ("PlayerOption", Kind::OutOfBounds, "args[]", "has no effect if it cannot be read"),
    ("PlayerOption", Kind::OutOfBounds, "args", "has no effect if an argument is missing"),
    ("ClearSlot", Kind::OutOfBounds, "args[]", "has no effect if it cannot be read"),
    ("NoSuchGameCommand", Kind::UnknownCommand, "", "unknown commands have no effect"),
    ("GameOption", Kind::MissingMember, "args", "has no effect without arguments"),
    ("IceMsg", Kind::OutOfBounds, "args[]", "has no effect if it cannot be read"),
    ("GameState", Kind::OutOfBounds, "args[]", "an unknown state has no effect"),
    ("GameResult", Kind::OutOfBounds, "args[]", "a result without a score has no effect"),
];

/// The same for messages that come at the wrong time: the beginning of the text, and the reason.
const IGNORED: &[(&str, &str)] = &[
    ("`hello` comes after the login", "another account logs in on the same connection"),
    ("`GameOption` is for the host only", "has no effect"),
    ("`PlayerOption` is for the host only", "has no effect"),
    ("`ClearSlot` is for the host only", "has no effect"),
    ("`GameMods` is for the host only", "has no effect"),
    ("`AIOption` is for the host only", "has no effect"),
    ("`GameState` reports a state out of order", "has no effect"),
    ("`GameResult` comes before the launch", "a guest's process has not reported the launch"),
];

/// One message of a session.
struct Exchange {
    conn: String,
    direction: Direction,
    message: Message,
    /// Whether the server refuses it: its next word on the connection is an error, or the end.
    is_refused: bool,
}

fn exchanges(transcript: &Transcript) -> Vec<Exchange> {
    let records = &transcript.records;
    let message_of = |record: &Record| match record {
        Record::Send(conn, Sent::Message(message)) => {
            Some((conn.clone(), Direction::ToServer, message.clone()))
        }
        Record::Receive(conn, value) => {
            Some((conn.clone(), Direction::ToClient, Message::from_value(value).unwrap()))
        }
        _ => None,
    };
    let exchange = |(index, record)| {
        let (conn, direction, message) = message_of(record)?;
        let is_refused = direction == Direction::ToServer && is_refused(&conn, &records[index + 1..]);
        Some(Exchange { conn, direction, message, is_refused })
    };
    records.iter().enumerate().filter_map(exchange).collect()
}

fn is_refused(conn: &str, later: &[Record]) -> bool {
    for record in later {
        match record {
            Record::ClosedByServer(other) if other == conn => return true,
            Record::Send(other, _) if other == conn => return false,
            Record::Receive(other, message) if other == conn => {
                let is_error = match message["command"].as_str() {
                    Some("invalid" | "authentication_failed" | "disabled") => true,
                    Some("notice") => matches!(message["style"].as_str(), Some("error" | "kick")),
                    _ => false,
                };
                if is_error {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[test]
fn every_message_keeps_to_the_contract_or_is_refused() {
    let checker = Checker::new();
    let mut used = BTreeSet::new();
    let mut count = 0;
    for (name, transcript) in sessions::all() {
        for exchange in exchanges(&transcript) {
            count += 1;
            let violations = checker.check(exchange.direction, &exchange.message);
            if exchange.is_refused {
                continue;
            }
            for violation in violations {
                let command = exchange.message.command().unwrap();
                let row = TOLERATED.iter().position(|(of, kind, place, _)| {
                    *of == command && *kind == violation.kind && *place == violation.place
                });
                let is_listed = row.is_some() && exchange.direction == Direction::ToServer;
                assert!(is_listed, "{name}: {violation} in {}", exchange.message);
                used.extend(row);
            }
        }
    }
    if golden::is_own() {
        assert!(count > 4000, "{count}");
        let unused: Vec<_> = TOLERATED.iter().enumerate().filter(|(row, _)| !used.contains(row)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}

#[test]
fn every_message_comes_at_the_right_time_or_is_refused() {
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    for (name, transcript) in sessions::all() {
        // Bytes that are not one message are not seen by the conversation.
        let is_raw = |conn: &str| {
            transcript
                .records
                .iter()
                .any(|record| matches!(record, Record::Send(other, Sent::Raw(_)) if other == conn))
        };
        let mut conversations: HashMap<String, Conversation> = HashMap::new();
        for exchange in exchanges(&transcript) {
            if is_raw(&exchange.conn) {
                continue;
            }
            let conversation = conversations.entry(exchange.conn.clone()).or_default();
            let Some(violation) = conversation.observe(exchange.direction, &exchange.message) else {
                continue;
            };
            if exchange.is_refused {
                continue;
            }
            let row = IGNORED.iter().position(|(text, _)| violation.text.starts_with(text));
            used.extend(row);
            if row.is_none() {
                problems.push(format!("{name}: {violation} in {}", exchange.message));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    if golden::is_own() {
        let unused: Vec<_> = IGNORED.iter().enumerate().filter(|(row, _)| !used.contains(row)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}
