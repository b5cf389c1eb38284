//! Changes that the rules of comparison do not care about.

use std::collections::{BTreeMap, BTreeSet};

use faf_sessions::transcript::Record;
use serde_json::Value;

use crate::Section;
use crate::mutation::{Kind, Mutation};

/// Values that vary from run to run.
const VOLATILE: &str = "volatile values: session, launched_at, queue_pop_time_delta";
/// Only the last report about a player or a game counts.
const COALESCED: &str = "rule 3: intermediate and repeated broadcasts";
/// Broadcasts may come between any direct messages.
const BETWEEN: &str = "rule 3: the order of broadcasts and direct messages";
/// Only the last of several reports about a party in a row counts.
const PARTIES: &str = "rule 12: a party is reported at most once a second";
/// Lists without an order.
const SETS: &str = "rule 5: the order of sets";
/// Only the players who wait in a queue at the end of a section count.
const QUEUES: &str = "rule 6: broadcasts about queues";
/// Connections to several peers.
const PEERS: &str = "rule 7: the order of ConnectToPeer";
/// Relayed messages of different players.
const RELAYED: &str = "IceMsg of two players may come in any order";
/// Ratings may be rounded otherwise.
const RATINGS: &str = "rule 8: ratings to a millionth";
/// Rows of a table.
const ROWS: &str = "rule 10: the order of rows";
/// Integers with a decimal point.
const FLOATS: &str = "rule 11: integers written as floats";
/// Pings come at any time.
const PINGS: &str = "rule 12: the time of pings";
/// Pages that tell of an error.
const ERRORS: &str = "of an HTTP error, only the status counts";

/// Reports to a client that leaves in this section.
const LEFT: &str = "the last reports may reach a client that leaves, or not";

/// The rules that ignore changes. The numbers are those in `golden/sessions/README.md`.
pub(crate) const RULES: [&str; 14] = [
    VOLATILE, COALESCED, BETWEEN, PARTIES, SETS, QUEUES, PEERS, RELAYED, RATINGS, ROWS, FLOATS, PINGS,
    ERRORS, LEFT,
];

/// Lists whose order means nothing.
const LISTS: [&str; 9] = [
    "social.friends",
    "social.foes",
    "avatar.avatarlist",
    "update_party.members",
    "teams_ids",
    "player_info.players",
    "game_info.games",
    "/players",
    "/games",
];

/// Values that vary, and stay of their type.
const VARYING: [&str; 3] = ["session.session", "launched_at", "queue_pop_time_delta"];

/// Returns the rule by which a change does not count.
pub(crate) fn rule(section: &Section, mutation: &Mutation) -> Option<&'static str> {
    let Mutation { kind, place, at, .. } = mutation;
    let ends = |names: &[&str]| names.iter().any(|name| place.ends_with(name));
    let record = section.records.get(*at)?;
    match kind {
        Kind::WrittenAsFloat => Some(FLOATS),
        Kind::RoundedElsewhere if is_rating(place) => Some(RATINGS),
        Kind::ValueChanged | Kind::RoundedElsewhere if ends(&VARYING) => Some(VOLATILE),
        Kind::ElementsSwapped if ends(&LISTS) => Some(SETS),
        Kind::ElementsSwapped if matches!(record, Record::Database(_)) => Some(ROWS),
        _ => match record {
            Record::Http(page) => (page.status != 200 && !ends(&["status"])).then_some(ERRORS),
            Record::Publication(_) => is_coalesced(section, mutation).then_some(COALESCED),
            Record::Receive(conn, message) => {
                if *kind == Kind::Swapped {
                    let next = next(section, *at, conn)?;
                    let is_peer = |message: &Value| message["command"] == "ConnectToPeer";
                    let is_relayed = |message: &Value| message["command"] == "IceMsg";
                    if is_relayed(message) && is_relayed(next) && message["args"][0] != next["args"][0] {
                        return Some(RELAYED);
                    }
                    return match (is_free(message) || is_free(next), is_peer(message) && is_peer(next)) {
                        (true, _) => Some(BETWEEN),
                        (_, true) => Some(PEERS),
                        _ => None,
                    };
                }
                match message["command"].as_str()? {
                    "ping" => is_whole(*kind).then_some(PINGS),
                    "matchmaker_info" if section.left.contains(conn) => Some(LEFT),
                    "matchmaker_info" => is_superseded_queue(section, mutation).then_some(QUEUES),
                    "update_party" => is_merged(section, mutation).then_some(PARTIES),
                    "player_info" | "game_info" => is_coalesced(section, mutation).then_some(COALESCED),
                    _ => None,
                }
            }
            _ => None,
        },
    }
}

/// Returns whether a value is the mean or the deviation of a rating.
fn is_rating(place: &str) -> bool {
    let name = place.trim_end_matches("[]").rsplit('.').next().unwrap_or_default();
    let is_bound = name.ends_with("_min") || name.ends_with("_max");
    !is_bound && ["rating", "mean", "deviation"].iter().any(|word| name.contains(word))
}

fn is_whole(kind: Kind) -> bool {
    matches!(kind, Kind::Missing | Kind::Twice | Kind::WrongClient | Kind::AlsoToAnother)
}

/// Returns the next message to the same client.
fn next<'a>(section: &'a Section, at: usize, conn: &str) -> Option<&'a Value> {
    section.records[at + 1..].iter().find_map(|record| match record {
        Record::Receive(other, message) if other == conn => Some(message),
        _ => None,
    })
}

/// Returns whether a message has no place among the direct ones.
fn is_free(message: &Value) -> bool {
    let is_list = message["command"] == "game_info" && message.get("uid").is_none();
    !is_list
        && matches!(
            message["command"].as_str(),
            Some("player_info" | "game_info" | "matchmaker_info" | "ping")
        )
}

/// Returns whether each client is sent the same, if reports about the same party that follow each
/// other become the last one.
fn is_merged(section: &Section, mutation: &Mutation) -> bool {
    merged(&section.records) == merged(&mutation.records)
}

/// Returns the messages to each client that have a place, without reports about a party that
/// another one follows.
fn merged(records: &[Record]) -> BTreeMap<&str, Vec<&Value>> {
    let mut merged: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for record in records {
        let Record::Receive(conn, message) = record else { continue };
        if is_free(message) {
            continue;
        }
        let received = merged.entry(conn).or_default();
        let has_members = |message: &Value| {
            message["command"] == "update_party"
                && message["members"].as_array().is_none_or(|members| !members.is_empty())
        };
        received
            .pop_if(|last| has_members(last) && has_members(message) && last["owner"] == message["owner"]);
        received.push(message);
    }
    merged
}

/// Returns whether what a change tells of each player and game is told otherwise by a later report
/// to the same client, or has been told before in the same words.
fn is_coalesced(section: &Section, mutation: &Mutation) -> bool {
    let (reports, lists, own) = last_reports(&section.records);
    let (changed_reports, changed_lists, changed_own) = last_reports(&mutation.records);
    // A broadcast about oneself in addition says nothing new.
    reports == changed_reports && lists == changed_lists && own.is_subset(&changed_own)
}

/// Reports by their receiver and their subject.
type Reports = BTreeMap<(String, String), Value>;

/// Returns the last report of each player and game to each client, and the lists at logins.
fn last_reports(records: &[Record]) -> (Reports, Vec<&Value>, BTreeSet<&str>) {
    let (mut reports, mut lists, mut own) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
    let (mut due, mut ids) = (BTreeSet::new(), BTreeMap::new());
    for record in records {
        let (to, body) = match record {
            Record::Receive(conn, message) => (conn.as_str(), message),
            Record::Publication(publication) => (publication.routing_key.as_str(), &publication.body),
            _ => continue,
        };
        if body["command"] == "welcome" {
            due.insert(to);
            ids.insert(to, &body["id"]);
            continue;
        }
        let is_list = match body["command"].as_str() {
            Some("player_info") => due.remove(to),
            Some("game_info") => body.get("games").is_some() && !to.starts_with("broadcast."),
            _ => continue,
        };
        if is_list {
            lists.push(body);
        }
        let players = body["players"].as_array().into_iter().flatten();
        let games = body["games"].as_array().into_iter().flatten();
        for entry in players.chain(games).chain(body.get("uid").map(|_| body)) {
            if !is_list && ids.get(to) == Some(&&entry["id"]) {
                own.insert(to);
            }
            let subject = format!("{} {} {}", body["command"], entry["id"], entry["uid"]);
            reports.insert((to.to_owned(), subject), entry.clone());
        }
    }
    (reports, lists, own)
}

/// Returns whether the last state of each queue with waiting players is the same to each client,
/// and of each other queue that is known on both sides.
fn is_superseded_queue(section: &Section, mutation: &Mutation) -> bool {
    let (was, is) = (last_queues(&section.records), last_queues(&mutation.records));
    let waits = |queue: &Value| queue["num_players"] != 0;
    was.iter().all(|(name, queue)| is.get(name).map_or(!waits(queue), |other| other == queue))
        && is.iter().all(|(name, queue)| was.contains_key(name) || !waits(queue))
}

fn last_queues(records: &[Record]) -> BTreeMap<(String, String), Value> {
    let mut queues = BTreeMap::new();
    for record in records {
        let Record::Receive(conn, message) = record else { continue };
        for queue in message["queues"].as_array().into_iter().flatten() {
            let mut constant = queue.clone();
            for time in ["queue_pop_time", "queue_pop_time_delta"] {
                constant[time].take();
            }
            queues.insert((conn.clone(), queue["queue_name"].to_string()), constant);
        }
    }
    queues
}
