//! A judge that finds nothing in equal recordings could be blind: here each message of a recording
//! is changed in every way, and each change must be found.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use faf_protocol::Message;
use faf_sessions::recording::{Entry, Recorded, RecordedConn};
use faf_testkit::golden::sessions;
use serde_json::Value;

use crate::rig;

/// Changes that the rules allow: the command, the end of the path of the member, and the reason.
const ALLOWED: [(&str, &str, &str); 13] = [
    ("session", "/session", "any number"),
    ("game_info", "/hosted_at", "any time"),
    ("game_info", "/launched_at", "any time"),
    ("game_launch", "/faction", "one of several that the player has chosen was drawn"),
    (
        "player_info",
        "/players/1/id",
        "the list after the login had the same state, and that of the other player comes next",
    ),
    ("matchmaker_info", "/queue_pop_time", "any time"),
    ("matchmaker_info", "/queue_pop_time_delta", "any time"),
    ("matchmaker_info", "/boundary_75s", "nobody waits in the queue"),
    ("matchmaker_info", "/boundary_80s", "nobody waits in the queue"),
    ("matchmaker_info", "/queue_name", "nobody waits in the queue"),
    ("matchmaker_info", "/team_size", "nobody waits in the queue"),
    ("matchmaker_info", "/queues", "nobody waits in the queue"),
    ("matchmaker_info", "", "nobody waits in the queue"),
];

/// Sessions whose messages are changed.
const SESSIONS: [&str; 4] = ["16_avatars", "20_admin_broadcast", "35_rated_custom_game", "60_ladder_match"];

/// A change of a recording.
struct Change {
    /// The changed part: the command, the member, and how.
    what: (String, String, &'static str),
    entries: Vec<Recorded>,
}

#[tokio::test]
async fn every_change_is_found() {
    let mut missed = String::new();
    let (mut found, mut done) = (0, BTreeSet::new());
    for (name, transcript) in
        sessions::all().into_iter().filter(|(name, _)| SESSIONS.iter().any(|one| name.contains(one)))
    {
        let (entries, _) = transcript.entries();
        for Change { what: (command, member, how), entries } in changes(&entries) {
            // The same change of another message of the kind would be found likewise.
            if !done.insert((command.clone(), member.clone(), how)) {
                continue;
            }
            let report =
                rig::judge(&rig::settings(&transcript.overrides), rig::seeded().await, entries).await;
            let is_allowed = ALLOWED.iter().any(|(of, which, _)| {
                *of == command && (*which == member || !which.is_empty() && member.ends_with(which))
            });
            match report.is_equal() {
                true if is_allowed => {}
                true => writeln!(missed, "{name}: {command} {member} {how}\n{report}").unwrap(),
                false => found += 1,
            }
        }
    }
    assert!(missed.is_empty(), "{found} changes are found, but not\n{missed}");
    assert!(found > 100, "{found}");
}

/// Returns the recording with one change, for every change.
fn changes(entries: &[Recorded]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (place, Recorded { entry, .. }) in entries.iter().enumerate() {
        let Entry::FromServer { conn, message } = entry else { continue };
        let value: Value = serde_json::from_str(message.as_str()).unwrap();
        let command = value["command"].as_str().unwrap().to_owned();
        if !is_last_of_its_kind(entries, place, *conn, &value) {
            continue;
        }
        let mut add = |member: &str, how, entries| {
            changes.push(Change { what: (command.clone(), member.to_owned(), how), entries });
        };
        let with = |changed: &Value| {
            let mut entries = entries.to_vec();
            let message = Message::from_value(changed).unwrap();
            entries[place].entry = Entry::FromServer { conn: *conn, message };
            entries
        };
        for (member, how, changed) in changed_members(&value) {
            add(&member, how, with(&changed));
        }
        let mut missing = entries.to_vec();
        missing.remove(place);
        add("", "missing", missing);
        if !is_report(&value) {
            let mut twice = entries.to_vec();
            twice.insert(place, entries[place].clone());
            add("", "twice", twice);
        }
        if let Some(other) = other_conn(entries, place, *conn) {
            let mut moved = entries.to_vec();
            moved[place].entry = Entry::FromServer { conn: other, message: message.clone() };
            add("", "to another client", moved);
        }
        if let Some(next) = next_direct(entries, place, *conn, &value) {
            let mut turned = entries.to_vec();
            (turned[place].entry, turned[next].entry) =
                (entries[next].entry.clone(), entries[place].entry.clone());
            add("", "after the next one", turned);
        }
    }
    changes
}

/// Returns whether a message is a report, of which only the last state counts.
fn is_report(message: &Value) -> bool {
    matches!(message["command"].as_str(), Some("player_info" | "game_info" | "matchmaker_info" | "ping"))
}

/// Returns whether nothing later replaces what a report says.
fn is_last_of_its_kind(entries: &[Recorded], place: usize, conn: RecordedConn, message: &Value) -> bool {
    if !is_report(message) {
        return true;
    }
    let command = message["command"].as_str();
    let is_later = |entry: &Recorded| match &entry.entry {
        Entry::FromServer { conn: of, message } => *of == conn && message.command().as_deref() == command,
        Entry::Closed { conn: of, .. } => *of == conn,
        _ => false,
    };
    command != Some("ping") && !entries[place + 1..].iter().any(is_later)
}

/// Returns a message with each of its members dropped and changed, at any depth.
fn changed_members(message: &Value) -> Vec<(String, &'static str, Value)> {
    let mut changed = Vec::new();
    let mut paths = Vec::new();
    collect("", message, &mut paths);
    for path in paths.into_iter().filter(|path| path != "/command") {
        let (parent, member) = path.rsplit_once('/').unwrap();
        if let Some(Value::Object(_)) = message.pointer(parent) {
            let mut without = message.clone();
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member);
            changed.push((path.clone(), "is missing", without));
        }
        let other = match message.pointer(&path).unwrap() {
            Value::Number(number) if number.is_f64() => (number.as_f64().unwrap() + 1.0).into(),
            Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
            Value::String(text) => Value::String(format!("{text}x")),
            Value::Bool(is_it) => (!is_it).into(),
            Value::Null => "not null".into(),
            Value::Array(_) | Value::Object(_) => continue,
        };
        let mut with_other = message.clone();
        *with_other.pointer_mut(&path).unwrap() = other;
        changed.push((path, "is another", with_other));
    }
    changed
}

fn collect(path: &str, value: &Value, paths: &mut Vec<String>) {
    let mut add = |key: String, value: &Value| {
        let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        collect(&path, value, paths);
        paths.push(path);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| add(key.clone(), value)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(place, value)| add(place.to_string(), value));
        }
        _ => {}
    }
}

/// Returns another connection that is logged in and open.
fn other_conn(entries: &[Recorded], place: usize, conn: RecordedConn) -> Option<RecordedConn> {
    let logged_in = entries[..place].iter().filter_map(|entry| match &entry.entry {
        Entry::FromServer { conn: of, message } if message.command().as_deref() == Some("welcome") => {
            Some(*of)
        }
        _ => None,
    });
    let is_open = |of: &RecordedConn| {
        !entries.iter().any(|entry| matches!(&entry.entry, Entry::Closed { conn, .. } if conn == of))
    };
    logged_in.filter(|of| *of != conn).find(is_open)
}

/// Returns the next message to the same client, if both are direct and differ.
fn next_direct(entries: &[Recorded], place: usize, conn: RecordedConn, message: &Value) -> Option<usize> {
    let next = (place + 1..entries.len())
        .find(|next| matches!(&entries[*next].entry, Entry::FromServer { conn: of, .. } if *of == conn))?;
    let Entry::FromServer { message: other, .. } = &entries[next].entry else { return None };
    let other: Value = serde_json::from_str(other.as_str()).unwrap();
    (!is_report(message) && !is_report(&other) && other["command"] != message["command"]).then_some(next)
}
