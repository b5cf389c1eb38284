//! Writes an example of a report as a session in the format of `golden/sessions`, which is a
//! test then.
//!
//! The session has the connection of the example, and those of everybody with whom its player was
//! in a game or a party until then: from the beginning of each to the example. Reports about other
//! players and games, which the test's server would not send, are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_sessions::recording::{Entry, Recorded, Side};
use faf_sessions::transcript::{Connect, Record, Sent, Transcript};
use serde_json::Value;

use super::report::Example;

/// Time after the example that belongs to it.
const AFTER: Duration = Duration::from_secs(2);

/// A pause of at least this time becomes a barrier.
const BARRIER: Duration = Duration::from_millis(1250);

/// Number of entries of a session.
const MOST: usize = 100_000;

/// The connections of an example: found by reading the recording once.
#[derive(Debug)]
pub struct Chosen {
    until: Duration,
    conns: BTreeSet<u64>,
    players: BTreeSet<u64>,
    games: BTreeSet<u64>,
}

/// The games and parties of a connection until a time.
#[derive(Debug, Default)]
struct Seen {
    player: Option<u64>,
    /// Games that it was launched into, and owners of parties.
    with: BTreeSet<(&'static str, u64)>,
}

impl Chosen {
    /// Reads the recording up to the example.
    #[must_use]
    pub fn new(example: &Example, recording: impl Iterator<Item = Recorded>) -> Self {
        let until = Duration::from_secs_f64(example.at.max(0.0)) + AFTER;
        let mut seen: BTreeMap<u64, Seen> = BTreeMap::new();
        for Recorded { entry, .. } in recording.take_while(|entry| entry.at <= until) {
            let Entry::FromServer { conn, message } = entry else { continue };
            if !matches!(message.command().as_deref(), Some("welcome" | "game_launch" | "update_party")) {
                continue;
            }
            let Ok(message) = serde_json::from_str::<Value>(message.as_str()) else { continue };
            let seen = seen.entry(conn.0).or_default();
            let mut with =
                |kind, member: &str| seen.with.extend(message[member].as_u64().map(|id| (kind, id)));
            match message["command"].as_str() {
                Some("welcome") => seen.player = message["id"].as_u64().or(seen.player),
                Some("game_launch") => with("game", "uid"),
                _ => with("party", "owner"),
            }
        }
        let own = seen.get(&example.connection).map(|seen| seen.with.clone()).unwrap_or_default();
        let is_chosen =
            |(conn, seen): &(&u64, &Seen)| **conn == example.connection || !seen.with.is_disjoint(&own);
        let chosen: Vec<(&u64, &Seen)> = seen.iter().filter(is_chosen).collect();
        Self {
            until,
            conns: chosen.iter().map(|(conn, _)| **conn).chain([example.connection]).collect(),
            players: chosen.iter().filter_map(|(_, seen)| seen.player).collect(),
            games: own.iter().filter(|(kind, _)| *kind == "game").map(|(_, id)| *id).collect(),
        }
    }

    /// Returns the session, from the recording read a second time.
    #[must_use]
    pub fn session(&self, recording: impl Iterator<Item = Recorded>) -> Transcript {
        let mut session = Transcript {
            overrides: Value::Null,
            records: Vec::new(),
            times: Vec::new(),
            longest_pause: Duration::ZERO,
        };
        let mut last = Duration::ZERO;
        let until = self.until;
        for Recorded { at, entry } in recording.take_while(|entry| entry.at <= until) {
            let Some(record) = self.record(entry) else { continue };
            if at.saturating_sub(last) >= BARRIER && !session.records.is_empty() {
                session.records.push(Record::Barrier);
                session.times.push(last + BARRIER);
            }
            session.longest_pause = session.longest_pause.max(at.saturating_sub(last));
            last = at;
            session.records.push(record);
            session.times.push(at);
            if session.records.len() >= MOST {
                break;
            }
        }
        session.records.push(Record::Barrier);
        session.times.push(last + BARRIER);
        session
    }

    fn record(&self, entry: Entry) -> Option<Record> {
        let name = |conn: u64| self.conns.contains(&conn).then(|| name(self.conns.range(..conn).count()));
        match entry {
            Entry::Opened { conn, format, address } => Some(Record::Connect(Connect {
                conn: name(conn.0)?,
                format,
                proxy: address.is_some(),
                source: address.map(|address| address.to_string()),
            })),
            Entry::FromClient { conn, message } => Some(Record::Send(name(conn.0)?, Sent::Message(message))),
            Entry::BytesFromClient { conn, bytes } => Some(Record::Send(name(conn.0)?, Sent::Raw(bytes))),
            Entry::FromServer { conn, message } => {
                let name = name(conn.0)?;
                Some(Record::Receive(name, self.about_us(serde_json::from_str(message.as_str()).ok()?)?))
            }
            Entry::Closed { conn, by: Side::Client } => Some(Record::ClosedByClient(name(conn.0)?)),
            Entry::Closed { conn, by: Side::Server } => Some(Record::ClosedByServer(name(conn.0)?)),
            _ => None,
        }
    }

    /// Returns the part of a message that is about the chosen players and games; `None` if nothing
    /// is left of a report.
    fn about_us(&self, mut message: Value) -> Option<Value> {
        let is_one = |ids: &BTreeSet<u64>, id: &Value| id.as_u64().is_some_and(|id| ids.contains(&id));
        match message["command"].as_str() {
            Some("player_info") => {
                let players = message["players"].as_array_mut()?;
                players.retain(|player| is_one(&self.players, &player["id"]));
                (!players.is_empty()).then_some(message)
            }
            Some("game_info") if message.get("uid").is_some() => {
                is_one(&self.games, &message["uid"]).then_some(message)
            }
            Some("game_info") => {
                message["games"].as_array_mut()?.retain(|game| is_one(&self.games, &game["uid"]));
                Some(message)
            }
            Some("ping") => None,
            _ => Some(message),
        }
    }
}

/// Returns the name of a connection, by its place: A to Z, then A1 and so on.
fn name(place: usize) -> String {
    let letter = char::from(b'A' + (place % 26) as u8);
    if place < 26 { letter.to_string() } else { format!("{letter}{}", place / 26) }
}
