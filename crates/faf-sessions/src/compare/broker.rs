//! Comparison of publications to other services.

use serde_json::{Value, json};

use super::messages::{self, Report};
use super::values::{differences, is_same, unpaired};

/// Members that identify a publication among those with the same routing key.
const KEY: [&str; 7] =
    ["game_id", "player_id", "rating_type", "playerId", "achievementId", "eventId", "operation"];

/// Delivery mode of the reports.
const TRANSIENT: u8 = 1;

/// Returns a publication in the form that this module compares.
///
/// `delivery_mode` is 1 for a transient message, 2 for one that survives a restart of the broker.
#[must_use]
pub fn record(routing_key: &str, delivery_mode: u8, body: &Value) -> Value {
    json!({"routing_key": routing_key, "delivery_mode": delivery_mode, "body": body})
}

/// Returns the differences between publications, regardless of order.
#[must_use]
pub fn compare(mut expected: Vec<Value>, mut published: Vec<Value>) -> Vec<String> {
    let differences = messages::broadcasts(&take_broadcasts(&mut expected), &take_broadcasts(&mut published));
    let findings = compare_each(expected, published).into_iter().chain(differences);
    findings.map(|finding| format!("broker: {finding}")).collect()
}

/// Removes the reports about players, games and queues from the records and returns their bodies. A
/// report that is not as the original's reports are stays.
fn take_broadcasts(records: &mut Vec<Value>) -> Vec<Value> {
    let is_broadcast = |record: &mut Value| {
        let is_report = match record["routing_key"].as_str() {
            Some("broadcast.playerInfo.update") => {
                matches!(Report::of(&record["body"]), Some(Report::Players(_)))
            }
            Some("broadcast.gameInfo.update") => {
                matches!(Report::of(&record["body"]), Some(Report::Games(_)))
            }
            // Not recorded; their number and time mean nothing (rule 6).
            Some("broadcast.matchmakerInfo.update") => {
                matches!(Report::of(&record["body"]), Some(Report::Queues))
            }
            _ => false,
        };
        is_report && record["delivery_mode"] == TRANSIENT
    };
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
                let (name, mode) = (name(&record), "delivery_mode");
                findings.extend(differences(&name, &record["body"], &other["body"]));
                findings.extend(differences(&format!("{name}, {mode}"), &record[mode], &other[mode]));
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
        record("broadcast.playerInfo.update", 1, &json!({"command": "player_info", "players": players}))
    };
    let game = |state: &str| {
        let games = json!([{"uid": 5, "state": state, "hosted_at": null, "launched_at": null}]);
        record("broadcast.gameInfo.update", 1, &json!({"command": "game_info", "games": games}))
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
        record(
            "success.rating.update",
            2,
            &json!({"game_id": 1, "player_id": player, "new_rating_mean": mean}),
        )
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

#[test]
fn a_report_of_another_form_is_compared_as_a_whole() {
    let players = json!({"command": "player_info", "players": [{"id": 1}]});
    let report = |key: &str, mode: u8, body: &Value| vec![record(key, mode, body)];
    let expected = report("broadcast.playerInfo.update", 1, &players);
    assert!(compare(expected.clone(), expected.clone()).is_empty());
    let more = json!({"command": "player_info", "players": [{"id": 1}], "more": 1});
    for other in [
        report("broadcast.gameInfo.update", 1, &players),
        report("broadcast.playerInfo.update", 2, &players),
        report("broadcast.playerInfo.update", 1, &more),
    ] {
        assert_eq!(compare(expected.clone(), other.clone()).len(), 2, "{other:?}");
    }
    // Whether a publication survives a restart of the broker.
    let result = |mode: u8| report("success.gameResults.create", mode, &json!({"game_id": 1}));
    assert_eq!(
        compare(result(2), result(1)),
        ["broker: success.gameResults.create, delivery_mode is 1, was 2"]
    );
}
