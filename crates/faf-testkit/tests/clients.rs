//! The tables of client programs, against the recorded messages of the original server, and message
//! by message.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_protocol::Message;
use faf_testkit::clients::{Checker, Client, NAMES};
use faf_testkit::golden;
use serde::Deserialize;

fn client(name: &str) -> Arc<Client> {
    Client::all().into_iter().find(|client| client.name() == name).unwrap()
}

/// A record of a session: only what clients receive.
#[derive(Deserialize)]
struct Record {
    conn: Option<String>,
    dir: Option<String>,
    event: Option<String>,
    msg: Option<Message>,
}

/// Passes all recorded messages to a program, each connection's to a client of its own.
fn for_recorded(client: &Arc<Client>, mut receive: impl FnMut(&mut Checker, &str)) {
    for file in golden::files("sessions", "jsonl") {
        let mut checkers: BTreeMap<String, Checker> = BTreeMap::new();
        for line in golden::text(&file).lines() {
            let Record { conn, dir, event, msg } = serde_json::from_str(line).unwrap();
            let Some(conn) = conn else { continue };
            if event.as_deref() == Some("connect") {
                checkers.remove(&conn);
            }
            if let (Some("s2c"), Some(message)) = (dir.as_deref(), msg) {
                receive(checkers.entry(conn).or_insert_with(|| Checker::new(client)), message.as_str());
            }
        }
    }
}

#[test]
fn programs_read_all_that_the_original_server_has_sent_but_for_the_listed_exceptions() {
    if !golden::is_own() {
        return; // The exceptions are those of the repository's sessions.
    }
    for client in Client::all() {
        let (mut all, mut unlisted) = (0, Vec::new());
        for_recorded(&client, |checker, message| {
            all += checker.clone().count(message);
            unlisted.extend(checker.check(message).iter().map(ToString::to_string));
        });
        assert_eq!(unlisted, [""; 0]);
        // As many as `golden/clients/README.md` says. Those of the .NET client are in all sessions.
        let expected = BTreeMap::from([("java", 9), ("python", 6), ("rust", 4)]);
        assert_eq!(expected.get(client.name()).copied().unwrap_or(all), all, "{}", client.name());
        assert!(all > 0, "{}: no exception occurs", client.name());
    }
}

/// Returns the violations of the last message, after the others on the same connection.
fn violations(name: &str, messages: &[&str]) -> Vec<String> {
    let mut checker = Checker::new(&client(name));
    let (last, before) = messages.split_last().unwrap();
    before.iter().for_each(|message| drop(checker.check(message)));
    checker.check(last).into_iter().map(|found| format!("{} {}", found.rule, found.path)).collect()
}

#[test]
fn each_rule_finds_what_a_program_does_not_read() {
    let queue = |time: &str, size: u32, boundary: &str| {
        format!(
            r#"{{"command":"matchmaker_info","queues":[{{"queue_name":"tmm2v2","queue_pop_time":"{time}","queue_pop_time_delta":1.5,"team_size":{size},"num_players":1,"boundary_80s":[{boundary}],"boundary_75s":[]}}]}}"#
        )
    };
    let (time, pair) = ("2030-01-02T18:05:30.25+00:00", "[300,700]");
    for name in NAMES {
        assert_eq!(violations(name, &[&queue(time, 2, pair)]), [""; 0], "{name}");
    }
    let search = |members: &str| format!(r#"{{"command":"search_info"{members}}}"#);
    let cases = [
        ("java", search(r#","state":"start""#), "missing queue_name"),
        ("java", search(r#","queue_name":null,"state":"start""#), "null queue_name"),
        ("java", search(r#","queue_name":5,"state":"start""#), "type queue_name"),
        ("java", search(r#","queue_name":"a","state":"on""#), "enum state"),
        ("java", queue("2030-01-02T18:05:30", 2, pair), "format queues[0].queue_pop_time"),
        ("java", queue(time, u32::MAX, pair), "range queues[0].team_size"),
        ("python", queue(time, 5, pair), "range queues[0].team_size"),
        ("python", queue(time, 2, "[300]"), "items queues[0].boundary_80s[0]"),
        ("dotnet", search(r#","queue_name":"a","state":"START","more":1"#), "extra more"),
        ("rust", r#"{"queues":[]}"#.to_owned(), "missing command"),
        ("rust", "[".to_owned(), "missing command"),
    ];
    for (name, message, expected) in cases {
        assert_eq!(violations(name, &[&message]), [expected], "{name}: {message}");
    }
}

#[test]
fn python_needs_players_before_they_are_named() {
    let player =
        |id: u32| format!(r#"{{"command":"player_info","players":[{{"id":{id},"login":"p{id}"}}]}}"#);
    let party = r#"{"command":"update_party","owner":1,"members":[{"player":1,"factions":[]},{"player":2,"factions":[]}]}"#;
    assert_eq!(violations("python", &[&player(1), party]), ["refers_to members[1].player"]);
    assert_eq!(violations("python", &[&player(1), &player(2), party]), [""; 0]);
    let welcome = r#"{"command":"welcome","me":{"id":1,"login":"p1"},"id":1,"login":"p1"}"#;
    let queues = r#"{"command":"matchmaker_info","queues":[]}"#;
    assert_eq!(violations("python", &[welcome, queues]), ["own_player "]);
    assert_eq!(violations("python", &[welcome, &player(2), queues]), ["own_player "]);
    assert_eq!(violations("python", &[welcome, &player(1), queues]), [""; 0]);
}

#[test]
fn teams_must_be_in_the_same_order_twice() {
    let rules = |teams: &str, ids: &str| {
        let game = format!(r#"{{"command":"game_info","teams":{{{teams}}},"teams_ids":[{ids}]}}"#);
        let of = |name| {
            violations(name, &[&game]).into_iter().filter(|found| found.starts_with("relation")).count()
        };
        [of("java"), of("dotnet")]
    };
    let ids = r#"{"team_id":2,"player_ids":[1]},{"team_id":10,"player_ids":[2]}"#;
    assert_eq!(rules(r#""2":["a"],"10":["b"]"#, ids), [0, 0]);
    assert_eq!(rules(r#""10":["b"],"2":["a"]"#, ids), [0, 1]);
    assert_eq!(rules(r#""2":["a"],"10":[]"#, ids), [0, 1]);
    assert_eq!(rules(r#""2":["a"],"2":["b"]"#, r#"{"team_id":2},{"team_id":2}"#), [1, 0]);
}

#[test]
fn the_exceptions_are_those_of_the_original_server_only() {
    let found = |message: &str| violations("dotnet", &[message]);
    assert_eq!(found(r#"{"command":"match_found","queue_name":"a"}"#), [""; 0]);
    assert_eq!(found(r#"{"command":"match_found"}"#), ["missing queue_name"]);
    let launch = |rating: &str| format!(r#"{{"command":"game_launch","uid":1,"rating_type":"{rating}"}}"#);
    assert_eq!(found(&launch("tmm_2v2")), [""; 0]);
    assert_eq!(found(&launch("other")), ["enum rating_type"]);
}
