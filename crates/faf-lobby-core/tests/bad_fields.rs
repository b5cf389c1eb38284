//! Every member of every command, and every argument of every game command, missing and of every
//! wrong type: the sender gets an error or nothing, and nothing changes for others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;
use std::time::Duration;

use faf_lobby_core::{ConnId, GameState, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;
use serde_json::{Value, json};

/// Values that no member may have, the longest of this many bytes; `None` stands for a
/// missing member.
fn wrong_values(length: usize) -> Vec<Option<Value>> {
    let long = "x".repeat(length);
    let nested = (0..60).fold(json!(1), |inner, _| json!([inner]));
    [
        None,
        Some(Value::Null),
        Some(json!(true)),
        Some(json!(0)),
        Some(json!(-1)),
        Some(json!(1.5)),
        Some(json!(1e300)),
        Some(json!(i64::MIN)),
        Some(json!(u64::MAX)),
        Some(json!("")),
        Some(json!("  ")),
        Some(json!("-1")),
        Some(json!("NaN")),
        Some(json!("ünïcödé \u{0} \u{202e}")),
        Some(json!(long)),
        Some(json!([])),
        Some(json!({})),
        Some(json!({"a": {"b": [1, null]}})),
        Some(nested),
    ]
    .into_iter()
    .collect()
}

/// Commands of clients, each with valid members.
fn commands() -> Vec<Value> {
    vec![
        json!({"command": "game_host", "visibility": "public", "title": "t", "mod": "faf", "mapname": "scmp_007",
               "password": "p", "rating_min": 1, "rating_max": 2, "enforce_rating_range": true}),
        json!({"command": "game_join", "uid": 1, "password": "p"}),
        json!({"command": "restore_game_session", "game_id": 1}),
        json!({"command": "match_ready"}),
        json!({"command": "social_add", "friend": 1}),
        json!({"command": "social_remove", "foe": 1}),
        json!({"command": "avatar", "action": "select", "avatar": "x"}),
        json!({"command": "modvault", "type": "like", "uid": "x"}),
        json!({"command": "admin", "action": "closelobby", "user_id": 1}),
    ]
}

/// Commands of games, each with valid arguments.
fn game_commands() -> Vec<(&'static str, Value)> {
    vec![
        ("GameState", json!(["Lobby"])),
        ("GameOption", json!(["Slots", 8])),
        ("GameOption", json!(["Title", "title"])),
        ("GameOption", json!(["Victory", "sandbox"])),
        ("GameOption", json!(["ScenarioFile", "/maps/x/x_scenario.lua"])),
        ("GameOption", json!(["Anything", 1])),
        ("GameMods", json!(["activated", 1])),
        ("GameMods", json!(["uids", "a b"])),
        ("PlayerOption", json!([1, "Team", 2])),
        ("PlayerOption", json!([1, "Army", 1])),
        ("AIOption", json!(["AI", "StartSpot", 3])),
        ("ClearSlot", json!([1])),
        ("IceMsg", json!([2, "candidate"])),
        ("GameResult", json!([1, "victory 10"])),
        ("GameEnded", json!([])),
        ("JsonStats", json!(["{\"stats\":[]}"])),
        ("EnforceRating", json!([])),
        ("Desync", json!([])),
        ("OperationComplete", json!([1, 1, "00:10:00"])),
        ("TeamkillHappened", json!([10, 1, "Ada", 2, "Bob"])),
        ("TeamkillReport", json!([10, 1, "Ada", 2, "Bob"])),
        ("Chat", json!(["gl"])),
        ("LaunchStatus", json!(["Ready"])),
        ("EstablishedPeer", json!([2])),
        ("DisconnectedPeer", json!([2])),
        ("NoSuchCommand", json!([1])),
    ]
}

/// Ada hosts a game, Bob has joined it, Cem is idle.
fn lobby() -> (SimulatedLobby, [ConnId; 3]) {
    static LOBBY: LazyLock<(SimulatedLobby, [ConnId; 3])> = LazyLock::new(new_lobby);
    LOBBY.clone()
}

fn new_lobby() -> (SimulatedLobby, [ConnId; 3]) {
    let mut lobby = SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada", "Bob", "Cem"]));
    let conns = ["Ada", "Bob", "Cem"].map(|login| lobby.log_in(login));
    let [ada, bob, _] = conns;
    lobby.send(ada, r#"{"command":"game_host","visibility":"public","password":"p"}"#);
    game(&mut lobby, ada, "GameState", &json!(["Idle"]));
    game(&mut lobby, ada, "GameState", &json!(["Lobby"]));
    lobby.send(bob, r#"{"command":"game_join","uid":1,"password":"p"}"#);
    game(&mut lobby, bob, "GameState", &json!(["Idle"]));
    game(&mut lobby, bob, "GameState", &json!(["Lobby"]));
    lobby.advance(Duration::from_secs(1));
    (lobby, conns)
}

fn game(lobby: &mut SimulatedLobby, conn: ConnId, command: &str, args: &Value) {
    lobby.send(conn, &json!({"command": command, "target": "game", "args": args}).to_string());
}

/// The games and players that clients can see.
fn everything(lobby: &SimulatedLobby) -> (String, String) {
    let games = serde_json::to_string(&lobby.world.game_infos()).unwrap();
    (games, serde_json::to_string(&lobby.world.players()).unwrap())
}

#[test]
fn wrong_members_of_commands_change_nothing_for_others() {
    for command in commands() {
        for member in command.as_object().unwrap().keys() {
            for value in wrong_values(1024 * 1024) {
                let (mut lobby, [ada, bob, cem]) = lobby();
                let before = everything(&lobby);
                let mut wrong = command.clone();
                match value {
                    Some(value) => wrong[member] = value,
                    None => drop(wrong.as_object_mut().unwrap().remove(member)),
                }
                let shown: String = wrong.to_string().chars().take(200).collect();
                lobby.receive(cem);
                lobby.send(cem, &wrong.to_string());
                let received = lobby.receive(cem);
                assert!(received.iter().all(|text| text.len() < 2000), "{shown}: a long answer");
                if !lobby.is_open(cem) {
                    assert!(
                        received.last().unwrap().starts_with(r#"{"command":"invalid""#),
                        "{shown}: {received:?}"
                    );
                    continue;
                }
                assert!(lobby.is_open(ada) && lobby.is_open(bob), "{shown}");
                lobby.check();
                // Either the rest of the command was valid and Cem hosts or plays, or nothing
                // has happened.
                let after = everything(&lobby);
                if !received.iter().any(|text| text.contains("game_launch")) {
                    assert_eq!(after, before, "{shown}: {received:?}");
                }
                assert_eq!(after.1, before.1, "{shown}");
                assert!(after.0.len() < before.0.len() + 2000, "{shown}: a large game");
            }
        }
    }
}

#[test]
fn wrong_arguments_of_games_close_no_connection() {
    for is_live in [false, true] {
        for (command, args) in game_commands() {
            let places = args.as_array().unwrap().len();
            for place in 0..=places {
                for value in wrong_values(100 * 1024) {
                    let (mut lobby, [ada, bob, cem]) = lobby();
                    if is_live {
                        for (player, army) in [(1, 1), (2, 2)] {
                            for (key, value) in [("Army", army), ("Team", army + 1), ("StartSpot", army)] {
                                game(&mut lobby, ada, "PlayerOption", &json!([player, key, value]));
                            }
                        }
                        game(&mut lobby, ada, "GameState", &json!(["Launching"]));
                    }
                    let mut wrong = args.as_array().unwrap().clone();
                    match (value, wrong.get_mut(place)) {
                        (Some(value), Some(argument)) => *argument = value,
                        (Some(value), None) => wrong.push(value),
                        (None, Some(_)) => wrong.truncate(place),
                        (None, None) => continue,
                    }
                    let shown: String = format!("{command} {wrong:?}").chars().take(200).collect();
                    lobby.receive(cem);
                    game(&mut lobby, ada, command, &wrong.clone().into());
                    game(&mut lobby, bob, command, &wrong.into());
                    for conn in [ada, bob, cem] {
                        assert!(lobby.is_open(conn), "{shown}");
                    }
                    lobby.check();
                    let state = lobby.world.games().next().unwrap().state();
                    let expected = match (is_live, command) {
                        (false, _) => GameState::Lobby,
                        // `GameEnded` needs no arguments.
                        (true, "GameEnded") => GameState::Ended,
                        (true, _) => GameState::Live,
                    };
                    assert_eq!(state, expected, "{shown}");
                    lobby.advance(Duration::from_secs(2));
                    let cem_received = lobby.receive(cem);
                    assert!(
                        cem_received.iter().all(|text| text.len() < 20_000),
                        "{shown}: everybody is told of it"
                    );
                }
            }
        }
    }
}

#[test]
fn arguments_that_are_not_a_list_are_ignored() {
    for args in [json!(null), json!("Idle"), json!({"0": "Idle"}), json!(7)] {
        for command in ["GameState", "GameEnded", "Desync"] {
            let (mut lobby, [ada, ..]) = lobby();
            lobby.receive(ada);
            game(&mut lobby, ada, command, &args);
            assert!(lobby.is_open(ada) && lobby.receive(ada).is_empty(), "{command} {args}");
        }
    }
}
