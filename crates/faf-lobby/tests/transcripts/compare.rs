//! Compares what a client has received in one section of a session with what it should have, by the rules of
//! `golden/sessions/README.md`.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

/// Longest part of a message that a finding shows, in characters.
const SHOWN: usize = 100;

/// Stands behind the last message of a connection the server has ended.
pub(crate) fn end() -> Value {
    json!({"command": "the end"})
}

/// What differs. Members that are not in the recording are found without their place, as they are everywhere.
pub(crate) fn section(place: &str, expected: Vec<Value>, received: Vec<Value>) -> Vec<String> {
    let (expected, received) = (Heard::new(expected), Heard::new(received));
    let mut findings = Vec::new();
    for pair in align(&expected.direct, &received.direct) {
        match pair {
            (Some(expected), Some(received)) => {
                let command = expected["command"].as_str().unwrap_or_default();
                findings.extend(differences(place, command, expected, received));
            }
            (Some(missing), None) => findings.push(format!("{place}: missing {}", shown(missing))),
            (None, Some(other)) => findings.push(format!("{place}: unexpected {}", shown(other))),
            (None, None) => {}
        }
    }
    if expected.of_itself && !received.of_itself {
        findings.push(format!("{place}: missing broadcast about itself"));
    }
    findings.extend(each(place, "player", &expected.players, &received.players));
    findings.extend(each(place, "game", &expected.games, &received.games));
    findings
}

/// What differs between lists of players, in any order.
pub(crate) fn players(place: &str, expected: &Value, received: &Value) -> Vec<String> {
    let by_id = |list: &Value| {
        let players = list.as_array().into_iter().flatten();
        players.map(|player| (player["id"].as_u64().unwrap_or_default(), player.clone())).collect()
    };
    each(place, "player", &by_id(expected), &by_id(received))
}

/// What differs between lists of games, in any order.
pub(crate) fn games(place: &str, expected: &Value, received: &Value) -> Vec<String> {
    each(place, "game", &games_by_uid(expected), &games_by_uid(received))
}

fn games_by_uid(list: &Value) -> BTreeMap<u64, Value> {
    let games = list.as_array().into_iter().flatten();
    games.map(|game| (game["uid"].as_u64().unwrap_or_default(), constant_game(game.clone()))).collect()
}

/// A game without its times, of which only counts whether they are known, and with its teams in order.
fn constant_game(mut game: Value) -> Value {
    for time in ["hosted_at", "launched_at"] {
        if !game[time].is_null() {
            game[time] = "a time".into();
        }
    }
    if let Some(Value::Array(teams)) = game.get_mut("teams_ids") {
        teams.sort_by_key(|team| team["team_id"].as_i64());
    }
    game
}

/// Whole numbers without a point, so that values of different origin have the same text.
pub(crate) fn numbers_alike(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => (float as i64).into(),
            _ => number.into(),
        },
        Value::Array(values) => values.into_iter().map(numbers_alike).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (key, numbers_alike(value))).collect()
        }
        other => other,
    }
}

/// The number as a column of single precision shows it.
pub(crate) fn six_digits(number: f64) -> f64 {
    format!("{:.5e}", f64::from(number as f32)).parse().unwrap()
}

/// What a client has heard.
#[derive(Debug, Default)]
struct Heard {
    /// Messages to this client alone, in order, without what changes from time to time.
    direct: Vec<Value>,
    /// The last word about each player and each game. Broadcasts tell the same more or less often, so it does not
    /// matter whether it was said in the list behind a login or later.
    players: BTreeMap<u64, Value>,
    games: BTreeMap<u64, Value>,
    /// Whether there was a broadcast about the player who has logged in here.
    of_itself: bool,
}

impl Heard {
    fn new(messages: Vec<Value>) -> Self {
        let mut heard = Self::default();
        let (mut is_list_due, mut own_id) = (false, None);
        for message in messages {
            match message["command"].as_str() {
                Some("player_info") => {
                    let mut ids = Vec::new();
                    let is_list = std::mem::take(&mut is_list_due);
                    for player in message["players"].as_array().into_iter().flatten() {
                        let id = player["id"].as_u64().unwrap_or_default();
                        ids.push(id);
                        heard.of_itself |= !is_list && own_id == Some(id);
                        heard.players.insert(id, player.clone());
                    }
                    if is_list {
                        ids.sort_unstable();
                        heard.direct.push(json!({"command": "player_info", "players": ids}));
                    }
                }
                Some("game_info") if message.get("uid").is_some() => {
                    heard.games.insert(message["uid"].as_u64().unwrap_or_default(), constant_game(message));
                }
                Some("game_info") => {
                    let games = games_by_uid(&message["games"]);
                    let uids: Vec<u64> = games.keys().copied().collect();
                    heard.direct.push(json!({"command": "game_info", "games": uids}));
                    heard.games.extend(games);
                }
                command => {
                    if command == Some("welcome") {
                        (is_list_due, own_id) = (true, message["id"].as_u64());
                    }
                    heard.direct.push(constant(message));
                }
            }
        }
        heard
    }
}

/// The message with its lists sorted that have no order, and without what is never the same.
fn constant(mut message: Value) -> Value {
    match message["command"].as_str().unwrap_or_default() {
        "session" if message["session"].is_u64() => message["session"] = "a number".into(),
        "welcome" => hide_digits(&mut message["current_time"]),
        "notice" if message["text"].as_str().is_some_and(|text| text.starts_with("You are banned")) => {
            hide_digits(&mut message["text"]);
        }
        "social" => {
            for list in ["friends", "foes"] {
                sort(&mut message, list);
            }
        }
        "avatar" => sort(&mut message, "avatarlist"),
        "matchmaker_info" => {
            for queue in message["queues"].as_array_mut().into_iter().flatten() {
                for time in ["queue_pop_time", "queue_pop_time_delta"] {
                    queue.as_object_mut().map(|queue| queue.remove(time));
                }
            }
            sort(&mut message, "queues");
        }
        _ => {}
    }
    message
}

fn hide_digits(text: &mut Value) {
    if let Value::String(text) = text {
        *text = text.replace(|character: char| character.is_ascii_digit(), "0");
    }
}

fn sort(message: &mut Value, list: &str) {
    if let Some(Value::Array(values)) = message.get_mut(list) {
        values.sort_by_cached_key(|value| numbers_alike(value.clone()).to_string());
    }
}

fn each(
    place: &str,
    kind: &str,
    expected: &BTreeMap<u64, Value>,
    received: &BTreeMap<u64, Value>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for (id, message) in expected {
        match received.get(id) {
            Some(received) => {
                let of_one = |finding: String| match finding.strip_prefix(&format!("{place}: ")) {
                    Some(what) => format!("{place}: {kind} {id}: {what}"),
                    None => finding,
                };
                findings.extend(differences(place, kind, message, received).into_iter().map(of_one));
            }
            None => findings.push(format!("{place}: missing {kind} {id}")),
        }
    }
    for (id, message) in received.iter().filter(|(id, _)| !expected.contains_key(id)) {
        findings.push(format!(
            "{place}: unexpected {kind} {id}{}",
            match message["state"].as_str() {
                Some(state) => format!(" ({state})"),
                None => String::new(),
            }
        ));
    }
    findings
}

/// What differs between two values, at the path.
fn differences(place: &str, path: &str, expected: &Value, received: &Value) -> Vec<String> {
    match (expected, received) {
        (Value::Object(expected), Value::Object(received)) => {
            let mut findings = Vec::new();
            for (key, value) in expected {
                let path = format!("{path}.{key}");
                match received.get(key) {
                    Some(received) => findings.extend(differences(place, &path, value, received)),
                    None => {
                        findings.push(format!("{place}: {path} is missing, was {}", cut(&value.to_string())));
                    }
                }
            }
            let additional = received.keys().filter(|key| !expected.contains_key(*key));
            findings.extend(additional.map(|key| format!("{path}.{key} is additional")));
            findings
        }
        (Value::Array(expected), Value::Array(received)) if expected.len() == received.len() => {
            let pairs = expected.iter().zip(received);
            pairs.flat_map(|(expected, received)| differences(place, path, expected, received)).collect()
        }
        _ if is_same(expected, received) => Vec::new(),
        _ => vec![format!(
            "{place}: {path} is {}, was {}",
            cut(&received.to_string()),
            cut(&expected.to_string())
        )],
    }
}

/// Integers and floats are the same if their values are, up to rounding. A rating that the original had read from its
/// database has six digits left.
fn is_same(expected: &Value, received: &Value) -> bool {
    match (expected.as_f64(), received.as_f64()) {
        (Some(expected), Some(received)) => {
            (expected - received).abs() <= 1e-6 * expected.abs().max(received.abs())
                || expected == six_digits(received)
        }
        _ => expected == received,
    }
}

/// Pairs messages in order: as many equal ones as possible, then as many with the same command.
fn align<'a>(expected: &'a [Value], received: &'a [Value]) -> Vec<(Option<&'a Value>, Option<&'a Value>)> {
    let likeness = |expected: &Value, received: &Value| match expected["command"] == received["command"] {
        true if differences("", "", expected, received).is_empty() => 3,
        true => 2,
        false => 0,
    };
    // The best that can be made of everything from here on.
    let mut best: HashMap<(usize, usize), usize> = HashMap::new();
    let at = |best: &HashMap<_, usize>, here: (usize, usize)| best.get(&here).copied().unwrap_or_default();
    for i in (0..expected.len()).rev() {
        for j in (0..received.len()).rev() {
            let paired = match likeness(&expected[i], &received[j]) {
                0 => 0,
                likeness => likeness + at(&best, (i + 1, j + 1)),
            };
            let one_alone = at(&best, (i + 1, j)).max(at(&best, (i, j + 1)));
            best.insert((i, j), paired.max(one_alone));
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < expected.len() && j < received.len() {
        let here = at(&best, (i, j));
        let likeness = likeness(&expected[i], &received[j]);
        if likeness > 0 && here == likeness + at(&best, (i + 1, j + 1)) {
            pairs.push((Some(&expected[i]), Some(&received[j])));
            (i, j) = (i + 1, j + 1);
        } else if here == at(&best, (i + 1, j)) {
            pairs.push((Some(&expected[i]), None));
            i += 1;
        } else {
            pairs.push((None, Some(&received[j])));
            j += 1;
        }
    }
    pairs.extend(expected[i..].iter().map(|message| (Some(message), None)));
    pairs.extend(received[j..].iter().map(|message| (None, Some(message))));
    pairs
}

fn shown(message: &Value) -> String {
    let mut members = message.as_object().cloned().unwrap_or_default();
    let command = members.remove("command").unwrap_or_default();
    let command = command.as_str().unwrap_or_default();
    if members.is_empty() {
        return command.to_owned();
    }
    format!("{command} {}", cut(&Value::Object(members).to_string()))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
