//! The messages of the golden sessions keep to the contract in both directions. Those that a
//! session sends wrong on purpose are recognised because the server refuses them, or are listed
//! with the reason why it does not.

use std::collections::{BTreeSet, HashMap};

use faf_contract::{Checker, Conversation, Direction, Kind};
use faf_testkit::golden;

use crate::recorded;

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

#[test]
fn every_message_keeps_to_the_contract_or_is_refused() {
    let checker = Checker::new();
    let mut used = BTreeSet::new();
    let exchanges = recorded::all();
    for exchange in &exchanges {
        if exchange.is_refused {
            continue;
        }
        for violation in checker.check(exchange.direction, &exchange.message) {
            let command = exchange.message.command().unwrap();
            let row = TOLERATED.iter().position(|(of, kind, place, _)| {
                *of == command && *kind == violation.kind && *place == violation.place
            });
            let is_listed = row.is_some() && exchange.direction == Direction::ToServer;
            assert!(is_listed, "{:?}: {violation} in {}", exchange.conn, exchange.message);
            used.extend(row);
        }
    }
    if golden::is_own() {
        assert!(exchanges.len() > 4000, "{}", exchanges.len());
        let unused: Vec<_> = TOLERATED.iter().enumerate().filter(|(row, _)| !used.contains(row)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}

#[test]
fn every_message_comes_at_the_right_time_or_is_refused() {
    let mut used = BTreeSet::new();
    let mut conversations: HashMap<(String, String), Conversation> = HashMap::new();
    for exchange in recorded::all() {
        if exchange.is_raw {
            continue;
        }
        let conversation = conversations.entry(exchange.conn.clone()).or_default();
        let Some(violation) = conversation.observe(exchange.direction, &exchange.message) else { continue };
        if exchange.is_refused {
            continue;
        }
        let row = IGNORED.iter().position(|(text, _)| violation.text.starts_with(text));
        assert!(row.is_some(), "{:?}: {violation} in {}", exchange.conn, exchange.message);
        used.extend(row);
    }
    if golden::is_own() {
        assert!(conversations.len() > 100, "{}", conversations.len());
        let unused: Vec<_> = IGNORED.iter().enumerate().filter(|(row, _)| !used.contains(row)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}
