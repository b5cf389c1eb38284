//! Makes another golden set from the repository's: the same facts with other names, numbers
//! and files.
//!
//! Tests that assume certain names, ids, file names or numbers of sections fail when they read such
//! a set (`FAF_GOLDEN`). Players keep their ratings, because the recorded changes were computed
//! from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{files, seed, text};

/// Texts and their replacements; only whole words are replaced.
const WORDS: [(&str, &str); 38] = [
    ("Friendly match", "A quick one before tea, all welcome"),
    ("friendly match", "a quick one before tea, all welcome"),
    ("New title", "T"),
    ("Evening round", "Morning round of the long kind"),
    ("friends only", "for friends"),
    ("public game", "for all"),
    ("second", "third one"),
    ("odd", "strange things"),
    ("NVA", "P-3"),
    ("SEA", "Z"),
    ("Northern Lights", "Polar Night"),
    ("Star", "Supernova"),
    ("star.png", "supernova.png"),
    ("Moon", "Io"),
    ("moon.png", "io.png"),
    ("Permanent", "Never-ending"),
    ("Timed", "Passing"),
    ("Sable", "Marten"),
    ("Tidy Interface", "Clean Desk"),
    ("Quick Build", "Builds in no time at all"),
    ("Frozen Gate", "Thawed Door"),
    ("0f0e0d0c", "aabbccdd"),
    ("scmp_012", "scmp_112"),
    ("SCMP_012", "SCMP_112"),
    ("scmp_001", "scmp_101"),
    ("SCMP_001", "SCMP_101"),
    ("Private_Map", "My_Own_Little_Map"),
    ("private_map", "my_own_little_map"),
    ("no_such_mod", "of_tomorrow"),
    ("no_such_queue", "queue_of_tomorrow"),
    ("tmm2v2", "pairs2v2"),
    ("generated1v1", "unseen1v1"),
    ("options1v1", "handmade1v1"),
    ("alternating1v1", "turns1v1"),
    ("www.example.org", "home.example.net"),
    ("content.example.org", "files.lobby.example.net"),
    ("1.1.1.1", "203.0.113.77"),
    ("US", "NZ"),
];

/// First parts of new player names; the second parts are numbers.
const NAMES: [&str; 7] = ["Bo", "Castellan", "Dot", "Eleanora_V", "Fi", "Gawain", "Hox"];

/// Range of the game ids in the seed and in the sessions.
const GAMES: std::ops::Range<u64> = 4990..5100;

/// Offset added to game ids.
const LATER_GAMES: u64 = 2311;

/// Members that hold one player or several.
const PLAYERS: [&str; 20] = [
    "player_id",
    "player_ids",
    "playerId",
    "host",
    "friends",
    "foes",
    "friend",
    "foe",
    "subject_id",
    "user_id",
    "teamkiller",
    "victim",
    "players",
    "founder",
    "leader",
    "recipient_id",
    "sender_id",
    "kicked_player_id",
    "sender",
    "owner",
];

/// Offset added to ids of maps.
const OTHER_MAPS: u64 = 40;

/// Every barrier with a number divisible by this is removed, so that the sections differ.
const BARRIERS: usize = 4;

/// Writes the other set into a folder, which is created if it is missing.
///
/// # Errors
/// If a file cannot be written.
///
/// # Panics
/// If the original set cannot be parsed.
pub fn write(folder: &Path) -> io::Result<()> {
    let seed: Value = parse(&text(&seed()));
    let sessions: Vec<Vec<Value>> =
        files("sessions", "jsonl").iter().map(|file| text(file).lines().map(parse).collect()).collect();
    let renaming = Renaming::new(&seed, &sessions);
    for part in ["sessions", "wire", "rating", "matchmaking"] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join(super::SEED), renaming.value("", &seed).to_string())?;
    for (number, records) in sessions.iter().enumerate() {
        let lines: Vec<String> = renaming.session(records).iter().map(Value::to_string).collect();
        let file = format!("sessions/recording {}.jsonl", (number * 37 + 5) % 1000);
        fs::write(folder.join(file), lines.join("\n") + "\n")?;
    }
    // Each file gets vectors of all kinds, in another order.
    let mut vectors: Vec<Value> = files("wire", "jsonl")
        .iter()
        .flat_map(|file| text(file).lines().map(parse).collect::<Vec<_>>())
        .collect();
    vectors.reverse();
    let (mut parts, count) = (vec![String::new(); 3], vectors.len());
    for (number, vector) in vectors.iter_mut().enumerate() {
        vector["id"] = format!("v{}", (number * 7919) % count).into();
        parts[number % 3] += &format!("{vector}\n");
    }
    for (number, part) in parts.iter().enumerate() {
        fs::write(folder.join(format!("wire/{number}.jsonl")), part)?;
    }
    for part in ["rating", "matchmaking"] {
        for (number, file) in files(part, "json").iter().enumerate() {
            let mut content = parse(&text(file));
            content.get_mut("cases").into_iter().for_each(rename_cases);
            let sections = content.get_mut("sections").and_then(Value::as_object_mut);
            sections.into_iter().flatten().for_each(|(_, cases)| rename_cases(cases));
            fs::write(folder.join(format!("{part}/{number}.json")), content.to_string())?;
        }
    }
    Ok(())
}

/// Gives the cases of a list other ids.
fn rename_cases(cases: &mut Value) {
    for (number, case) in cases.as_array_mut().into_iter().flatten().enumerate() {
        case["id"] = format!("case {number}").into();
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

struct Renaming {
    /// Words and their replacements, longest first.
    words: Vec<(String, String)>,
    /// New ids of players by their old ones.
    players: BTreeMap<u64, u64>,
}

impl Renaming {
    fn new(seed: &Value, sessions: &[Vec<Value>]) -> Self {
        // Tokens of a recording cannot be signed again with its keys, so their subjects keep
        // their ids.
        let fixed: BTreeSet<u64> = sessions.iter().flatten().filter_map(subject).collect();
        let mut words: Vec<(String, String)> =
            WORDS.iter().map(|(word, other)| ((*word).to_owned(), (*other).to_owned())).collect();
        let mut players = BTreeMap::new();
        for (number, user) in seed["users"].as_array().into_iter().flatten().enumerate() {
            let (Some(id), Some(login)) = (user["id"].as_u64(), user["login"].as_str()) else { continue };
            players.insert(id, if fixed.contains(&id) { id } else { id * 3 + 200 });
            let mut other = format!("{}{}", NAMES[number % NAMES.len()], number + 10);
            // A name that is not ASCII is replaced by one that is not ASCII either.
            if !login.is_ascii() {
                other.push_str("Ñandú");
            }
            words.push((login.to_lowercase(), other.to_lowercase()));
            words.push((login.to_uppercase(), other.to_uppercase()));
            words.push((swapped(login), swapped(&other)));
            words.push((login.to_owned(), other));
        }
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        Self { words, players }
    }

    fn session(&self, records: &[Value]) -> Vec<Value> {
        let mut barriers = 0;
        let kept = records.iter().filter(|record| {
            let is_barrier = record.get("barrier").is_some();
            barriers += usize::from(is_barrier);
            !is_barrier || barriers % BARRIERS != 0
        });
        kept.map(|record| self.record(record)).collect()
    }

    fn record(&self, record: &Value) -> Value {
        let mut record = record.clone();
        if let Some(conn) = record.get("conn").and_then(Value::as_str) {
            record["conn"] = format!("peer {conn}").into();
        }
        if record["dir"] == "c2s" && record.get("msg").is_some() {
            // The recorded bytes contain the old message.
            record.as_object_mut().map(|record| (record.remove("raw"), record.remove("raw_b64")));
        }
        for part in ["msg", "mq", "http", "policy_request", "proxy_v1_source"] {
            if let Some(value) = record.get(part) {
                record[part] = self.value("", value);
            }
        }
        if let Some(Value::Object(tables)) = record.get("db") {
            let tables = tables.iter().map(|(table, changes)| (table.clone(), self.value(table, changes)));
            record["db"] = Value::Object(tables.collect());
        }
        record
    }

    /// Renames the value of a member of this name.
    fn value(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(name, text).into(),
            Value::Number(_) => self.number(name, value),
            Value::Array(values) => values.iter().map(|value| self.value(name, value)).collect(),
            Value::Object(members) => self.object(name, members),
            other => other.clone(),
        }
    }

    fn object(&self, name_of_all: &str, members: &Map<String, Value>) -> Value {
        let is_player = members.contains_key("login") || name_of_all == "login";
        let member = |(key, value): (&String, &Value)| {
            let name = match key.as_str() {
                "id" if is_player => "player_id",
                "player" if matches!(name_of_all, "members" | "timeouts") => "player_id",
                // The rows of a table take the name of the table.
                "added_or_changed" | "removed_or_old" => name_of_all,
                key => key,
            };
            // The members of these objects are named after mods, players or addresses.
            let key = match name_of_all {
                "sim_mods" | "commander_kills" | "geoip" => self.text("", key),
                _ => key.clone(),
            };
            (key, self.value(name, value))
        };
        let mut object: Map<String, Value> = members.iter().map(member).collect();
        let positions: &[usize] = match members.get("command").and_then(Value::as_str) {
            Some("PlayerOption" | "DisconnectFromPeer" | "IceMsg") => &[0],
            Some("JoinGame" | "ConnectToPeer") => &[1],
            Some("TeamkillHappened" | "TeamkillReport") => &[1, 3],
            _ => &[],
        };
        if let (Some(Value::Array(args)), Some(Value::Array(before))) =
            (object.get_mut("args"), members.get("args"))
        {
            for position in positions.iter().filter(|position| **position < before.len()) {
                args[*position] = self.player(&before[*position]);
            }
        }
        object.into()
    }

    fn number(&self, name: &str, number: &Value) -> Value {
        match (name, number.as_u64()) {
            _ if PLAYERS.contains(&name) => self.player(number),
            ("map_id" | "map_version_id" | "map_version" | "version_id", Some(map)) if map < 100 => {
                (map + OTHER_MAPS).into()
            }
            (_, Some(game)) if GAMES.contains(&game) => (game + LATER_GAMES).into(),
            _ => number.clone(),
        }
    }

    /// Returns the new id of a player, as text if the old one is text.
    fn player(&self, id: &Value) -> Value {
        let number = id.as_u64().or_else(|| id.as_str()?.parse().ok());
        match number.and_then(|number| self.players.get(&number)) {
            Some(other) if id.is_string() => other.to_string().into(),
            Some(other) => (*other).into(),
            None => id.clone(),
        }
    }

    fn text(&self, name: &str, text: &str) -> String {
        if PLAYERS.contains(&name)
            && let Value::String(other) = self.player(&text.into())
            && other != text
        {
            return other;
        }
        if let Ok(game) = text.parse::<u64>()
            && GAMES.contains(&game)
        {
            return (game + LATER_GAMES).to_string();
        }
        // A stored list of ids.
        if name == "likers"
            && let Ok(ids) = serde_json::from_str::<Vec<Value>>(text)
        {
            return ids.iter().map(|id| self.player(id)).collect::<Value>().to_string();
        }
        // Replaces whole words: a match must not touch other letters.
        let mut renamed = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let is_begin = !renamed.chars().next_back().is_some_and(char::is_alphabetic);
            let word = self.words.iter().filter(|_| is_begin).find(|(word, _)| {
                let after = rest.strip_prefix(word.as_str());
                after.is_some_and(|after| !after.starts_with(char::is_alphabetic))
            });
            let length = match word {
                Some((word, other)) => {
                    renamed.push_str(other);
                    word.len()
                }
                None => {
                    renamed.push(character);
                    character.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        renamed
    }
}

/// Swaps upper and lower case.
fn swapped(text: &str) -> String {
    let swap = |character: char| match character {
        _ if character.is_ascii_uppercase() => character.to_ascii_lowercase(),
        _ => character.to_ascii_uppercase(),
    };
    text.chars().map(swap).collect()
}

/// Returns the player who is the subject of the token of a login.
fn subject(record: &Value) -> Option<u64> {
    let claims = record["msg"]["token"].as_str()?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims["sub"].as_str()?.parse().ok()
}
