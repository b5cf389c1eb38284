//! Vetoes: how players select them, what matches make of them, and what happens to them when the
//! brackets change (matchmaking.md section 12).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::matchmaking::map_pool::Bracket;
use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::ratings::GLOBAL;
use faf_lobby_core::{ConnId, LogLine, Settings};
use faf_protocol::limits::LIST_LIMIT;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::queues;
use faf_testkit::store::FakeStore;
use serde_json::{Value, json};

/// Time between two reads of the queues.
const RELOAD: Duration = Duration::from_secs(600);

/// Time until the first round of a queue.
const FIRST_POP: Duration = Duration::from_secs(46);

/// A queue of two players. Its only bracket has the queue's number, in which each player has two
/// tokens, and a map is excluded by two.
fn queue(id: u32, name: &str, entries: &[i64]) -> QueueData {
    let vetoes = VetoSettings { veto_tokens_per_player: 2, max_tokens_per_map: 2, ..VetoSettings::default() };
    let pool = entries.iter().map(|entry| queues::entry(*entry)).collect();
    let bracket = Bracket { vetoes, ..queues::bracket(id.into(), pool) };
    QueueData { leaderboard: GLOBAL.to_owned(), brackets: vec![bracket], ..queues::queue(id, name, 1) }
}

/// The queue `ladder1v1` with the entries 11, 12 and 13.
fn ladder() -> QueueData {
    queue(1, "ladder1v1", &[11, 12, 13])
}

fn lobby(queues: Vec<QueueData>) -> (SimulatedLobby, [ConnId; 2]) {
    let mut store = FakeStore::with_accounts(["Ada", "Bob"]);
    store.data.queues = queues;
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let conns = ["Ada", "Bob"].map(|login| lobby.log_in(login));
    lobby.advance(Duration::from_secs(2));
    for conn in conns {
        lobby.receive(conn);
    }
    (lobby, conns)
}

/// Returns tokens on maps as they are in messages: bracket, entry, tokens.
fn vetoes(list: &[(i64, i64, i64)]) -> Value {
    let element = |(bracket, entry, tokens): &(i64, i64, i64)| {
        json!({"matchmaker_queue_map_pool_id": bracket, "map_pool_map_version_id": entry,
               "veto_tokens_applied": tokens})
    };
    list.iter().map(element).collect()
}

fn select(lobby: &mut SimulatedLobby, conn: ConnId, list: &[(i64, i64, i64)]) {
    lobby.send(conn, &json!({"command": "set_player_vetoes", "vetoes": vetoes(list)}).to_string());
}

fn search(lobby: &mut SimulatedLobby, conn: ConnId, queue: &str) {
    lobby.send(
        conn,
        &json!({"command": "game_matchmaking", "state": "start", "queue_name": queue}).to_string(),
    );
}

/// Returns what a client has received since the last call, without reports to everybody.
fn receive(lobby: &mut SimulatedLobby, conn: ConnId) -> Vec<Value> {
    let messages = lobby.receive(conn).into_iter().map(|text| serde_json::from_str(&text).unwrap());
    let reports = ["matchmaker_info", "player_info", "game_info", "ping"];
    let is_report = |message: &Value| reports.iter().any(|report| message["command"] == *report);
    // Why there is no match yet is said once a minute; it changes nothing.
    let is_reason = |message: &Value| message["command"] == "search_info" && message.get("reason").is_some();
    messages.filter(|message| !is_report(message) && !is_reason(message)).collect()
}

fn info(is_forced: bool, list: &[(i64, i64, i64)]) -> Value {
    json!({"command": "vetoes_info", "forced": is_forced, "vetoes": vetoes(list)})
}

fn stop(queue: &str) -> Value {
    json!({"command": "search_info", "queue_name": queue, "state": "stop"})
}

/// Lets the lobby read other queues than before.
fn reload(lobby: &mut SimulatedLobby, queues: Vec<QueueData>) {
    lobby.store.data.queues = queues;
    lobby.advance(RELOAD);
}

#[test]
fn a_match_is_on_a_map_that_no_player_has_excluded() {
    for (of_ada, of_bob, left) in [(11, 12, 13), (13, 11, 12), (12, 13, 11)] {
        let (mut lobby, [ada, bob]) = lobby(vec![ladder()]);
        select(&mut lobby, ada, &[(1, of_ada, 2)]);
        select(&mut lobby, bob, &[(1, of_bob, 2)]);
        assert_eq!(receive(&mut lobby, ada), [Value::Null; 0], "nothing had to be changed");
        for conn in [ada, bob] {
            search(&mut lobby, conn, "ladder1v1");
        }
        lobby.advance(FIRST_POP);
        let received = receive(&mut lobby, ada);
        let launch = received.iter().find(|message| message["command"] == "game_launch").unwrap();
        assert_eq!(launch["map_pool_map_version_id"], left);
        lobby.check();
    }
}

#[test]
fn a_selection_that_is_not_allowed_is_adjusted_and_shown() {
    let (mut lobby, [ada, _]) = lobby(vec![ladder(), queue(2, "tmm", &[11, 21, 22])]);
    for (requested, adjusted) in [
        // More than the player has, more than one map may have, unknown ids, nothing.
        (&[(1, 11, 1), (1, 12, 1), (1, 13, 1)][..], &[(1, 11, 1), (1, 12, 1)][..]),
        (&[(1, 12, 3), (2, 21, 1)], &[(1, 12, 2), (2, 21, 1)]),
        (&[(1, 21, 1), (3, 11, 1), (2, 11, 1)], &[(2, 11, 1)]),
        (&[(1, 11, 0)], &[]),
    ] {
        select(&mut lobby, ada, requested);
        assert_eq!(receive(&mut lobby, ada), [info(false, adjusted)], "{requested:?}");
        select(&mut lobby, ada, adjusted);
        assert_eq!(receive(&mut lobby, ada), [Value::Null; 0], "{adjusted:?}");
    }
}

#[test]
fn each_selection_replaces_the_one_before() {
    let (mut lobby, [ada, _]) = lobby(vec![ladder()]);
    select(&mut lobby, ada, &[(1, 11, 2)]);
    select(&mut lobby, ada, &[(1, 12, 1)]);
    reload(&mut lobby, vec![queue(1, "ladder1v1", &[12])]);
    assert_eq!(receive(&mut lobby, ada), [info(true, &[])], "a pool of one map has no vetoes");
    select(&mut lobby, ada, &[]);
    reload(&mut lobby, vec![ladder()]);
    assert_eq!(receive(&mut lobby, ada), [Value::Null; 0]);
}

#[test]
fn a_selection_that_cannot_be_read_is_refused_and_the_old_one_stays() {
    let (mut lobby, [ada, _]) = lobby(vec![ladder()]);
    select(&mut lobby, ada, &[(1, 11, 2)]);
    let refused = json!({"command": "notice", "style": "error", "text": "invalid veto data"});
    let too_long = vetoes(&vec![(1, 12, 1); LIST_LIMIT + 1]);
    for wrong in [
        json!({"command": "set_player_vetoes"}),
        json!({"command": "set_player_vetoes", "vetoes": null}),
        json!({"command": "set_player_vetoes", "vetoes": [{}]}),
        json!({"command": "set_player_vetoes", "vetoes": vetoes(&[(1, 12, -1)])}),
        json!({"command": "set_player_vetoes", "vetoes": [
            {"map_pool_map_version_id": 12, "veto_tokens_applied": 1}]}),
        json!({"command": "set_player_vetoes", "vetoes": [
            {"matchmaker_queue_map_pool_id": 1, "map_pool_map_version_id": true, "veto_tokens_applied": 1}]}),
        json!({"command": "set_player_vetoes", "vetoes": too_long}),
    ] {
        lobby.send(ada, &wrong.to_string());
        assert_eq!(receive(&mut lobby, ada), std::slice::from_ref(&refused), "{:.80}", wrong.to_string());
    }
    reload(&mut lobby, vec![queue(1, "ladder1v1", &[11])]);
    assert_eq!(receive(&mut lobby, ada), [info(true, &[])]);
    assert!(lobby.is_open(ada));
    // Before the login it is like any other command.
    let unauthenticated = lobby.connect();
    lobby.send(unauthenticated, r#"{"command":"set_player_vetoes"}"#);
    assert!(!lobby.is_open(unauthenticated));
}

#[test]
fn a_long_selection_is_kept_only_as_far_as_the_brackets_have_maps() {
    let (mut lobby, [ada, _]) = lobby(vec![ladder()]);
    let long: Vec<(i64, i64, i64)> = (0..LIST_LIMIT as i64).map(|entry| (1, entry, 1)).collect();
    select(&mut lobby, ada, &long);
    assert_eq!(receive(&mut lobby, ada), [info(false, &[(1, 11, 1), (1, 12, 1)])]);
}

#[test]
fn vetoes_can_be_selected_in_every_state() {
    let (mut lobby, [ada, bob]) = lobby(vec![ladder()]);
    let check = |lobby: &mut SimulatedLobby| {
        for conn in [ada, bob] {
            receive(lobby, conn);
            select(lobby, conn, &[(1, 11, 3)]);
            assert_eq!(receive(lobby, conn), [info(false, &[(1, 11, 2)])]);
        }
    };
    search(&mut lobby, ada, "ladder1v1");
    lobby.send(bob, r#"{"command":"game_host","visibility":"public"}"#);
    check(&mut lobby);
    lobby.shut_down();
    check(&mut lobby);
}

#[test]
fn a_selection_stays_as_long_as_the_brackets_allow_it() {
    let (mut lobby, [ada, bob]) = lobby(vec![ladder()]);
    select(&mut lobby, ada, &[(1, 11, 1), (1, 12, 1)]);
    search(&mut lobby, ada, "ladder1v1");
    receive(&mut lobby, ada);
    // Nothing has changed, then something that concerns nobody.
    reload(&mut lobby, vec![ladder()]);
    reload(&mut lobby, vec![queue(1, "ladder1v1", &[14, 12, 11, 13])]);
    assert_eq!(receive(&mut lobby, ada), [Value::Null; 0]);
    // A map is no longer played; the search goes on.
    reload(&mut lobby, vec![queue(1, "ladder1v1", &[12, 13, 14])]);
    assert_eq!(receive(&mut lobby, ada), [info(false, &[(1, 12, 1)])]);
    assert_eq!(receive(&mut lobby, bob), [Value::Null; 0]);
    lobby.send(ada, r#"{"command":"game_matchmaking","state":"stop","queue_name":"ladder1v1"}"#);
    assert_eq!(receive(&mut lobby, ada), [stop("ladder1v1")]);
}

#[test]
fn a_player_who_loses_a_veto_searches_no_more() {
    let team_queue = |entries: &[i64]| {
        let mut queue = queue(2, "tmm2v2", entries);
        queue.team_size = 2;
        queue
    };
    let (mut lobby, [ada, bob]) = lobby(vec![ladder(), team_queue(&[21, 22, 23, 24, 25])]);
    lobby.send(ada, r#"{"command":"invite_to_party","recipient_id":2}"#);
    lobby.send(bob, r#"{"command":"accept_party_invite","sender_id":1}"#);
    select(&mut lobby, bob, &[(1, 11, 1), (2, 21, 1)]);
    search(&mut lobby, ada, "tmm2v2");
    for conn in [ada, bob] {
        lobby.advance(Duration::from_secs(2));
        receive(&mut lobby, conn);
    }
    // The number of maps no longer suffices for two tokens of four players.
    reload(&mut lobby, vec![ladder(), team_queue(&[21, 22])]);
    assert_eq!(receive(&mut lobby, bob), [info(true, &[(1, 11, 1)]), stop("tmm2v2")]);
    assert_eq!(receive(&mut lobby, ada), [stop("tmm2v2")]);
    search(&mut lobby, ada, "tmm2v2");
    assert_eq!(receive(&mut lobby, bob)[0]["state"], "start");
    lobby.check();
}

#[test]
fn invalid_brackets_are_logged_at_each_read() {
    let logged = |lobby: &SimulatedLobby| {
        let is_about = |line: &&LogLine| matches!(line, LogLine::InvalidVetoSettings { .. });
        lobby.log.iter().filter(is_about).map(LogLine::to_string).collect::<Vec<_>>()
    };
    let mut without_tokens = queue(3, "other", &[31]);
    without_tokens.brackets[0].vetoes = VetoSettings::default();
    let (mut lobby, _) = lobby(vec![ladder(), queue(2, "tmm", &[21, 22]), without_tokens]);
    let line = "nobody can veto maps in bracket 2 of the queue tmm: its settings would leave too few maps";
    assert_eq!(logged(&lobby), [line]);
    lobby.advance(RELOAD);
    assert_eq!(logged(&lobby), [line, line]);
    reload(&mut lobby, vec![ladder()]);
    assert_eq!(logged(&lobby).len(), 2);
}

#[test]
fn vetoes_end_with_the_login() {
    let (mut lobby, [ada, _]) = lobby(vec![ladder()]);
    select(&mut lobby, ada, &[(1, 11, 1)]);
    lobby.disconnect(ada);
    let ada = lobby.log_in("Ada");
    reload(&mut lobby, Vec::new());
    assert_eq!(receive(&mut lobby, ada), [Value::Null; 0]);
}

/// Ada searches, selects a veto, and the server restarts with these entries in the pool.
fn restarted(entries: &[i64]) -> (SimulatedLobby, ConnId) {
    let (mut lobby, [ada, _]) = lobby(vec![ladder()]);
    search(&mut lobby, ada, "ladder1v1");
    lobby.advance(FIRST_POP);
    select(&mut lobby, ada, &[(1, 11, 1)]);
    lobby.advance(Duration::from_secs(6));
    lobby.store.data.queues = vec![queue(1, "ladder1v1", entries)];
    lobby.restart();
    let ada = lobby.log_in("Ada");
    receive(&mut lobby, ada);
    (lobby, ada)
}

#[test]
fn the_vetoes_of_a_search_come_back_after_a_restart() {
    let (mut lobby, ada) = restarted(&[11, 12, 13]);
    reload(&mut lobby, vec![queue(1, "ladder1v1", &[12, 13, 14])]);
    assert_eq!(receive(&mut lobby, ada), [info(false, &[])]);
}

#[test]
fn vetoes_that_a_restart_has_made_impossible_do_not_come_back() {
    let (mut lobby, ada) = restarted(&[12, 13, 14]);
    reload(&mut lobby, vec![queue(1, "ladder1v1", &[12, 13, 14, 15])]);
    assert_eq!(receive(&mut lobby, ada), [Value::Null; 0]);
}
