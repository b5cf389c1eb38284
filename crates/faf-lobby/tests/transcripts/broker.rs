//! What other services are told.

use faf_lobby_core::Publication;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use crate::values::{differences, is_same, unpaired};

/// What tells publications with the same routing key apart.
const KEY: [&str; 7] =
    ["game_id", "player_id", "rating_type", "playerId", "achievementId", "eventId", "operation"];

/// Takes what has been published so far.
pub(crate) fn published(publications: &mut Receiver<Publication>) -> Vec<Value> {
    let mut published = Vec::new();
    while let Ok(publication) = publications.try_recv() {
        let body: Value = serde_json::from_str(&publication.body().unwrap()).unwrap();
        published.push(record(publication.routing_key(), &body));
    }
    published
}

/// A publication as this module compares it.
pub(crate) fn record(routing_key: &str, body: &Value) -> Value {
    json!({"routing_key": routing_key, "body": body})
}

/// What differs, in any order.
pub(crate) fn compare(expected: Vec<Value>, published: Vec<Value>) -> Vec<String> {
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
    findings.into_iter().map(|finding| format!("broker: {finding}")).collect()
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
