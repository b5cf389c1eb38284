//! Compares the messages that a client has received in one section of a session with the expected
//! ones, by the rules of `golden/sessions/README.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::align::align;
use super::values::differences;

/// A pseudo-message after the last message of a connection that the server has closed.
#[must_use]
pub fn end() -> Value {
    json!({"command": "the end"})
}

/// Returns the differences between what one client should have received in a section of a session,
/// and what it has received.
#[must_use]
pub fn section(expected: Vec<Value>, received: Vec<Value>) -> Vec<String> {
    let (expected, received) = (Received::new(expected), Received::new(received));
    let mut findings = Vec::new();
    for pair in align(&expected.direct, &received.direct) {
        match pair {
            (Some(expected), Some(received)) => {
                let command = expected["command"].as_str().unwrap_or_default();
                findings.extend(differences(command, expected, received));
            }
            (Some(missing), None) => findings.push(format!("missing {}", shown(missing))),
            (None, Some(other)) => findings.push(format!("unexpected {}", shown(other))),
            (None, None) => {}
        }
    }
    if expected.of_itself && !received.of_itself {
        findings.push("missing broadcast about itself".to_owned());
    }
    findings.extend(each("player", &expected.players, &received.players));
    findings.extend(each("game", &expected.games, &received.games));
    findings
}

/// Removes the reports about games that should not have been received.
pub fn forget_other_games(expected: &[Value], received: &mut Vec<Value>) {
    let uid = |message: &Value| (message["command"] == "game_info").then(|| message["uid"].as_u64())?;
    let games: BTreeSet<u64> = expected.iter().filter_map(uid).collect();
    received.retain(|message| uid(message).is_none_or(|uid| games.contains(&uid)));
}

/// Returns the differences between lists of players, regardless of order.
#[must_use]
pub fn players(expected: &Value, received: &Value) -> Vec<String> {
    let by_id = |list: &Value| {
        let players = list.as_array().into_iter().flatten();
        players.map(|player| (player["id"].as_u64().unwrap_or_default(), player.clone())).collect()
    };
    each("player", &by_id(expected), &by_id(received))
}

/// Returns the differences between lists of games, regardless of order.
#[must_use]
pub fn games(expected: &Value, received: &Value) -> Vec<String> {
    each("game", &games_by_uid(expected), &games_by_uid(received))
}

/// Returns the differences between broadcasts about players and games. They may repeat a state more
/// or less often: only the last state of each player and each game counts.
#[must_use]
pub fn broadcasts(expected: &[Value], received: &[Value]) -> Vec<String> {
    let last = |bodies: &[Value]| {
        let (mut players, mut games) = (BTreeMap::new(), BTreeMap::new());
        for body in bodies {
            for player in body["players"].as_array().into_iter().flatten() {
                players.insert(player["id"].as_u64().unwrap_or_default(), player.clone());
            }
            games.extend(games_by_uid(&body["games"]));
        }
        (players, games)
    };
    let (expected, received) = (last(expected), last(received));
    let mut findings = each("player", &expected.0, &received.0);
    findings.extend(each("game", &expected.1, &received.1));
    findings
}

fn games_by_uid(list: &Value) -> BTreeMap<u64, Value> {
    let games = list.as_array().into_iter().flatten();
    games.map(|game| (game["uid"].as_u64().unwrap_or_default(), constant_game(game.clone()))).collect()
}

/// Replaces the times of a game, of which only the presence counts, and sorts its teams.
#[must_use]
pub fn constant_game(mut game: Value) -> Value {
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

/// The messages that a client has received, by kind.
#[derive(Debug, Default)]
struct Received {
    /// Messages to this client alone, in order, without the parts that vary.
    direct: Vec<Value>,
    /// Last state of each player and each game. Broadcasts may repeat it more or less often, so it
    /// does not matter whether it was in the list after a login or came later.
    players: BTreeMap<u64, Value>,
    games: BTreeMap<u64, Value>,
    /// Whether there was a broadcast about the player of this client.
    of_itself: bool,
}

impl Received {
    fn new(messages: Vec<Value>) -> Self {
        let mut heard = Self::default();
        let (mut is_list_due, mut own_id) = (false, None);
        for message in messages {
            match message["command"].as_str() {
                Some("player_info") if message["players"].is_array() => {
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
                Some("game_info") if message["games"].is_array() => {
                    let games = games_by_uid(&message["games"]);
                    let uids: Vec<u64> = games.keys().copied().collect();
                    heard.direct.push(json!({"command": "game_info", "games": uids}));
                    heard.games.extend(games);
                }
                // See `queues`.
                Some("matchmaker_info") => {}
                command => {
                    if command == Some("welcome") {
                        (is_list_due, own_id) = (true, message["id"].as_u64());
                    }
                    heard.direct.push(constant(message));
                }
            }
        }
        // The order of connections to several peers does not matter.
        let is_peer = |message: &Value| message["command"] == "ConnectToPeer";
        for peers in heard.direct.chunk_by_mut(|one, next| is_peer(one) && is_peer(next)) {
            peers.sort_by_cached_key(Value::to_string);
        }
        heard
    }
}

/// Sorts the lists of a message that have no order, and hides the parts that vary.
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
        "search_violation" => hide_digits(&mut message["time"]),
        "search_timeout" => {
            for timeout in message["timeouts"].as_array_mut().into_iter().flatten() {
                hide_digits(&mut timeout["expires_at"]);
            }
            sort(&mut message, "timeouts");
        }
        // The places of a team are drawn: odd ones for one team, even ones for the other.
        "game_launch" if message["expected_players"].as_u64() > Some(2) => {
            if let Some(position) = message["map_position"].as_u64() {
                message["map_position"] = if position % 2 == 0 { "even" } else { "odd" }.into();
            }
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
        values.sort_by_cached_key(Value::to_string);
    }
}

fn each(kind: &str, expected: &BTreeMap<u64, Value>, received: &BTreeMap<u64, Value>) -> Vec<String> {
    let mut findings = Vec::new();
    for (id, message) in expected {
        match received.get(id) {
            Some(received) => {
                let of_one = |finding: String| format!("{kind} {id}: {finding}");
                findings.extend(differences(kind, message, received).into_iter().map(of_one));
            }
            None => findings.push(format!("missing {kind} {id}")),
        }
    }
    for (id, message) in received.iter().filter(|(id, _)| !expected.contains_key(id)) {
        findings.push(match message["state"].as_str() {
            Some(state) => format!("unexpected {kind} {id} ({state})"),
            None => format!("unexpected {kind} {id}"),
        });
    }
    findings
}

fn shown(message: &Value) -> String {
    let mut members = message.as_object().cloned().unwrap_or_default();
    let command = members.remove("command").unwrap_or_default();
    let command = command.as_str().unwrap_or_default();
    if members.is_empty() { command.to_owned() } else { format!("{command} {}", Value::Object(members)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str) -> Value {
        json!({"command": "ConnectToPeer", "args": [name, 1, true], "target": "game"})
    }

    fn player(id: u64, games: u64) -> Value {
        json!({"command": "player_info", "players": [{"id": id, "number_of_games": games}]})
    }

    #[test]
    fn peers_come_in_any_order_after_the_host() {
        let join = json!({"command": "JoinGame", "args": ["Ada", 1], "target": "game"});
        let expected = vec![join.clone(), peer("Bob"), peer("Cem")];
        assert!(section(expected.clone(), vec![join.clone(), peer("Cem"), peer("Bob")]).is_empty());
        assert_eq!(section(expected.clone(), vec![peer("Bob"), join.clone(), peer("Cem")]).len(), 2);
        // Each peer must occur once.
        assert_eq!(section(expected, vec![join, peer("Cem"), peer("Cem")]).len(), 1);
    }

    #[test]
    fn order_counts_for_messages_to_one_client() {
        let notice = |text: &str| json!({"command": "notice", "style": "info", "text": text});
        assert!(!section(vec![notice("a"), notice("b")], vec![notice("b"), notice("a")]).is_empty());
        assert_eq!(section(vec![notice("a"), end()], vec![notice("a")]), ["missing the end"]);
        assert_eq!(section(vec![], vec![notice("a")]), [r#"unexpected notice {"style":"info","text":"a"}"#]);
    }

    #[test]
    fn the_last_state_of_a_broadcast_counts() {
        assert!(section(vec![player(1, 1), player(1, 2)], vec![player(1, 2)]).is_empty());
        assert_eq!(
            section(vec![player(1, 2)], vec![player(1, 2), player(1, 1)]),
            ["player 1: player.number_of_games is 1, was 2"]
        );
        assert_eq!(section(vec![player(1, 2)], vec![]), ["missing player 1"]);
        assert_eq!(section(vec![], vec![player(7, 2)]), ["unexpected player 7"]);
    }

    #[test]
    fn a_game_is_compared_without_the_time_of_day() {
        let game = |launched_at: Value, teams: Value| {
            json!({"command": "game_info", "uid": 1, "hosted_at": "then", "launched_at": launched_at,
                   "teams_ids": teams})
        };
        let team = |id: i64, players: &[u64]| json!({"team_id": id, "player_ids": players});
        let expected = game(json!(1.5), json!([team(2, &[1, 2]), team(3, &[3])]));
        let same = game(json!(9.0), json!([team(3, &[3]), team(2, &[1, 2])]));
        assert!(section(vec![expected.clone()], vec![same]).is_empty());
        let unlaunched = game(Value::Null, json!([team(2, &[1, 2]), team(3, &[3])]));
        assert_eq!(section(vec![expected.clone()], vec![unlaunched]).len(), 1);
        // Within a team, players are in the order in which they joined.
        let turned = game(json!(1.5), json!([team(2, &[2, 1]), team(3, &[3])]));
        assert!(!section(vec![expected], vec![turned]).is_empty());
    }

    #[test]
    fn places_of_a_team_are_drawn() {
        let launch = |players: u64, position: u64| json!({"command": "game_launch", "expected_players": players, "map_position": position});
        assert!(section(vec![launch(4, 1)], vec![launch(4, 3)]).is_empty());
        assert_eq!(section(vec![launch(4, 1)], vec![launch(4, 2)]).len(), 1);
        assert_eq!(section(vec![launch(2, 1)], vec![launch(2, 3)]).len(), 1);
    }
}
