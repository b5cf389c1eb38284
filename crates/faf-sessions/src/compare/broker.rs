//! Comparison of publications to other services.

use serde_json::{Value, json};

use super::messages;
use super::values::{differences, is_same, unpaired};

/// Members that identify a publication among those with the same routing key.
const KEY: [&str; 7] =
    ["game_id", "player_id", "rating_type", "playerId", "achievementId", "eventId", "operation"];

/// Returns a publication in the form that this module compares.
#[must_use]
pub fn record(routing_key: &str, body: &Value) -> Value {
    json!({"routing_key": routing_key, "body": body})
}

/// Returns the differences between publications, regardless of order.
#[must_use]
pub fn compare(mut expected: Vec<Value>, mut published: Vec<Value>) -> Vec<String> {
    let differences = messages::broadcasts(&take_broadcasts(&mut expected), &take_broadcasts(&mut published));
    let findings = compare_each(expected, published).into_iter().chain(differences);
    findings.map(|finding| format!("broker: {finding}")).collect()
}

/// Removes the reports about players and games from the records and returns their bodies.
fn take_broadcasts(records: &mut Vec<Value>) -> Vec<Value> {
    let is_broadcast =
        |record: &mut Value| record["routing_key"].as_str().is_some_and(|key| key.starts_with("broadcast."));
    records.extract_if(.., is_broadcast).map(|mut record| record["body"].take()).collect()
}

fn compare_each(expected: Vec<Value>, published: Vec<Value>) -> Vec<String> {
    let (missing, mut additional) = unpaired(expected, published, is_same);
    let mut findings = Vec::new();
    let name = |record: &Value| record["routing_key"].as_str().unwrap_or_default().to_owned();
    for record in missing {
        let is_about_the_same = |other: &Value| {
            other["routing_key"] == record["routing_key"]
                && KEY.iter().all(|member| other["body"].get(member) == record["body"].get(member))
        };
        match additional.iter().position(is_about_the_same) {
            Some(position) => {
                let other = additional.remove(position);
                findings.extend(differences(&name(&record), &record["body"], &other["body"]));
            }
            None => findings.push(format!("missing {} {}", name(&record), record["body"])),
        }
    }
    findings.extend(additional.iter().map(|other| format!("unexpected {} {}", name(other), other["body"])));
    findings
}

#[test]
fn of_broadcasts_the_last_state_counts() {
    let players = |login: &str| {
        let players = json!([{"id": 1, "login": login}]);
        record("broadcast.playerInfo.update", &json!({"command": "player_info", "players": players}))
    };
    let game = |state: &str| {
        let games = json!([{"uid": 5, "state": state, "hosted_at": null, "launched_at": null}]);
        record("broadcast.gameInfo.update", &json!({"command": "game_info", "games": games}))
    };
    let (before, after) =
        (vec![players("a"), players("b")], vec![game("open"), players("b"), game("closed")]);
    assert!(compare([before, after.clone()].concat(), after.clone()).is_empty());
    assert_eq!(
        compare(after, vec![players("c"), game("open")]),
        [
            "broker: player 1: player.login is \"c\", was \"b\"",
            "broker: game 5: game.state is \"open\", was \"closed\""
        ]
    );
    assert_eq!(compare(vec![players("a")], vec![]), ["broker: missing player 1"]);
    assert_eq!(compare(vec![], vec![game("open")]), ["broker: unexpected game 5 (open)"]);
}

#[test]
fn publications_are_compared_one_by_one() {
    let rating = |player: u32, mean: f64| {
        record("success.rating.update", &json!({"game_id": 1, "player_id": player, "new_rating_mean": mean}))
    };
    assert!(compare(vec![rating(1, 1.5), rating(2, 2.5)], vec![rating(2, 2.5), rating(1, 1.5)]).is_empty());
    assert_eq!(
        compare(vec![rating(1, 1.5)], vec![rating(1, 7.5)]),
        ["broker: success.rating.update.new_rating_mean is 7.5, was 1.5"]
    );
    let twice = compare(vec![rating(1, 1.5)], vec![rating(1, 1.5), rating(1, 1.5)]);
    assert!(
        twice.len() == 1 && twice[0].starts_with("broker: unexpected success.rating.update"),
        "{twice:?}"
    );
    let none = compare(vec![rating(1, 1.5)], vec![]);
    assert!(none.len() == 1 && none[0].starts_with("broker: missing success.rating.update"), "{none:?}");
}
