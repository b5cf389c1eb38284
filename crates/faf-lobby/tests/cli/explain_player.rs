//! `faf-lobby explain player`: what an operator is told about the searches of a player.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faf_lobby::store::{SeedFile, Store};
use serde_json::{Value, json};

use super::support::Operator;

/// Accounts, a queue, and games of Ada: a match and a custom game.
const SEED: &str = r#"{
    "users": [{"id": 1, "login": "Ada", "token_only": true}, {"id": 2, "login": "Bob", "token_only": true},
              {"id": 3, "login": "Cem", "token_only": true}],
    "maps": [{"map_id": 1, "version_id": 12, "display_name": "Test map", "filename": "maps/testmap.zip",
              "version": 1, "ranked": true, "max_players": 4, "width": 256, "height": 256}],
    "map_pools": [{"id": 1, "name": "All", "maps": [{"version_id": 12, "weight": 1}]}],
    "queues": [{"id": 1, "technical_name": "tmm2v2", "featured_mod": "faf", "leaderboard": "ladder_1v1",
                "team_size": 2, "enabled": true, "pools": [{"pool": 1}]}],
    "past_games": [{"id": 7, "host": 1, "featured_mod": "faf", "map_version": 12, "queue": 1,
                    "started_minutes_ago": 90, "players": [1, 2], "name": "Ada Vs Bob"},
                   {"id": 8, "host": 1, "featured_mod": "faf", "map_version": 12,
                    "started_minutes_ago": 60, "players": [1, 2], "name": "No match"}]
}"#;

/// Seconds before now at which everything was saved.
const AGE: u64 = 40;

fn seconds_ago(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now - Duration::from_secs(seconds)).as_micros().try_into().unwrap()
}

fn search(number: u64, players: &[u32], reason: &Value) -> Value {
    json!({
        "search": number, "queue": 1, "queue_name": "tmm2v2", "players": players, "failed_attempts": number,
        "self_quality": 0.9, "waited": {"secs": 100, "nanos": 0}, "reason": reason,
    })
}

/// Ada and Bob search as a party, Ada must wait after two violations, and Cem does nothing.
fn saved() -> Value {
    let member = |player: u32| json!({"player": player, "factions": ["uef"]});
    let reason = json!({"too_few_players": {"waiting": 3, "needed": 4}});
    json!({
        "saved_at": seconds_ago(AGE),
        "parties": [[member(2), member(1)]],
        "searches": [search(3, &[2, 1], &reason), search(4, &[9], &Value::Null)],
        "vetoes": {},
        "violations": {"1": {"count": 2, "time": seconds_ago(AGE)}, "3": {"count": 1, "time": seconds_ago(10_000)}},
    })
}

async fn operator_with(saved: Option<Value>) -> Operator {
    let operator = Operator::new();
    let store = Store::open_file(&operator.path("a.sqlite")).unwrap();
    store.seed(SeedFile::parse(SEED).unwrap()).await.unwrap();
    if let Some(saved) = saved {
        store.save_queues(serde_json::from_value(saved).unwrap()).await.unwrap();
    }
    operator
}

#[tokio::test]
async fn a_search_without_a_match_is_explained() {
    let operator = operator_with(Some(saved())).await;
    let text = operator.succeed("explain player ADA --database a.sqlite");
    for part in [
        "player 1: Ada\nparties, searches and violations as saved 4",
        "\nno server uses this database here, so they may be over\n",
        "\nsearches in tmm2v2 since 20",
        ", for 1 min 40 s, 3 rounds without a match\n  \
         no match in the last round: too few players: 3 of 4 are in the queue\n",
        "\nparty, its owner first: Bob, Ada\n",
        "\nviolations: 2, the last at 20",
        "\nmust not search until 20",
        "\nlast matches:\n  number",
        "\"Ada Vs Bob\" of Ada: Ada, Bob",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("does not search") && !text.contains("No match"), "{text}");

    let explained = operator.succeed("explain player Ada --json --database a.sqlite");
    let explained: Value = explained.parse().unwrap();
    assert_eq!(explained["searches"].as_array().unwrap().len(), 1);
    for (pointer, expected) in [
        ("/id", json!(1)),
        ("/is_served", json!(false)),
        ("/searches/0/queue", json!("tmm2v2")),
        ("/searches/0/players", json!(["Bob", "Ada"])),
        ("/searches/0/waited_seconds", json!(100)),
        ("/searches/0/rounds_without_match", json!(3)),
        ("/searches/0/why", json!("too few players: 3 of 4 are in the queue")),
        ("/party", json!(["Bob", "Ada"])),
        ("/violations/count", json!(2)),
        ("/matches/0/id", json!(7)),
        ("/matches/1", Value::Null),
    ] {
        assert_eq!(explained.pointer(pointer).unwrap_or(&Value::Null), &expected, "{pointer}");
    }
    assert!(explained["violations"]["timed_out_until"].is_string());
    assert!(explained["saved_seconds_ago"].as_u64().unwrap() >= AGE);
}

#[tokio::test]
async fn a_player_who_does_not_search_is_told_from_one_who_does() {
    let operator = operator_with(Some(saved())).await;
    let text = operator.succeed("explain player Cem --database a.sqlite");
    for part in [
        "\ndoes not search for a match\n",
        "\nin no party with others\n",
        // The one that Cem had has expired.
        "\nno violations\n",
        "\nno matches are stored\n",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("must not search"), "{text}");
    let unknown = operator.fail("explain player Zoe --database a.sqlite", 1);
    assert!(unknown.contains("there is no account `Zoe`"), "{unknown}");
}

#[tokio::test]
async fn time_outs_follow_the_configuration() {
    let operator = operator_with(Some(saved())).await;
    operator.write("lobby.toml", "ladder_violations_ban_threshold = 3\n");
    let text = operator.succeed("explain player Ada --database a.sqlite --config lobby.toml");
    assert!(text.contains("violations: 2") && !text.contains("must not search"), "{text}");
}

#[tokio::test]
async fn a_database_in_which_nothing_was_saved_says_so() {
    let operator = operator_with(None).await;
    let text = operator.succeed("explain player Ada --database a.sqlite");
    assert!(text.contains("no parties, searches and violations were saved in this database"), "{text}");
    assert!(text.contains("\ndoes not search for a match\n"), "{text}");
}
