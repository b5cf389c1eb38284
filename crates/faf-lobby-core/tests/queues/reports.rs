//! Messages about queues: the welcome, reports, and why there is no match yet (matchmaking.md
//! section 7).

use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::Settings;
use faf_lobby_core::ratings::LADDER;
use faf_protocol::server_message::{LeaderboardRating, Rating, ServerMessage};
use serde_json::json;

use crate::matchmaker::*;
use crate::started;

#[test]
fn a_new_player_is_welcomed_once_after_each_login() {
    let mut store = store();
    store.account("Ada").ratings = Vec::new();
    let limit = Rating { mean: 1500.0, deviation: 490.0 };
    store.account("Bob").ratings =
        vec![(LADDER.to_owned(), LeaderboardRating { rating: limit, number_of_games: 0 })];
    let mut story = Story::with(2, Settings::default(), store);
    story.start(1, SOLO);
    let seen = story.seen(1);
    assert!(seen[0].starts_with("info: Welcome to the matchmaker"), "{seen:?}");
    assert_eq!(seen[1..], [started(SOLO)]);
    story.start(1, OTHER_SOLO);
    assert_eq!(story.seen(1), [started(OTHER_SOLO)]);
    story.start(2, SOLO);
    assert_eq!(story.seen(2), [started(SOLO)]);
    story.disconnect(1);
    story.log_in(1);
    story.start(1, SOLO);
    assert!(story.seen(1).iter().any(|text| text.starts_with("info: Welcome to the matchmaker")));
}

#[test]
fn changed_queues_are_reported_to_everybody_once_a_second() {
    let mut story = Story::of(3);
    story.wait(1);
    story.received_as(3, "matchmaker_info");
    story.start(1, SOLO);
    story.start(2, SOLO);
    assert!(story.received_as(3, "matchmaker_info").is_empty(), "not before the next report");
    story.wait(1);
    let left = FIRST_ROUND as f64 - story.lobby.now().as_secs_f64();
    let expected = json!({"command":"matchmaker_info","queues":[{
        "queue_name": SOLO, "queue_pop_time": "2026-07-01T12:00:45+00:00", "queue_pop_time_delta": left,
        "num_players": 2, "boundary_80s": [[1300, 1700], [1300, 1700]],
        "boundary_75s": [[1400, 1600], [1400, 1600]], "team_size": 1,
    }]});
    for player in 1..=3 {
        assert_eq!(story.received_as(player, "matchmaker_info"), std::slice::from_ref(&expected), "{player}");
    }
    let published = story.lobby.reports.iter();
    assert!(published.filter(|report| format!("{report:?}").contains("boundary_80s: [(1300")).count() <= 1);
    story.wait(1);
    assert!(story.received_as(3, "matchmaker_info").is_empty(), "nothing has changed");
    // An answer has all queues, in the order of their ids.
    story.send(3, r#"{"command":"matchmaker_info"}"#);
    let answer = story.received_as(3, "matchmaker_info").remove(0);
    let names: Vec<_> =
        answer["queues"].as_array().unwrap().iter().map(|queue| queue["queue_name"].clone()).collect();
    assert_eq!(names, [SOLO, OTHER_SOLO, PAIRS]);
    assert_eq!([&answer["queues"][0]["num_players"], &answer["queues"][2]["num_players"]], [2, 0]);
    // A search that ends changes the queue.
    story.stop(1, SOLO);
    story.wait(1);
    assert_eq!(story.received_as(3, "matchmaker_info")[0]["queues"][0]["num_players"], 1);
    // So does a round, of every queue.
    story.wait_until(FIRST_ROUND);
    story.wait(1);
    let popped = story.received_as(3, "matchmaker_info").remove(0);
    assert_eq!(popped["queues"].as_array().unwrap().len(), 3);
    assert_eq!(popped["queues"][0]["queue_pop_time"], "2026-07-01T12:02:15+00:00");
}

#[test]
fn players_are_counted_and_not_searches_and_nothing_is_sent_at_the_login() {
    let mut story = Story::of(2);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.wait(1);
    let info = story.received_as(1, "matchmaker_info").pop().unwrap();
    assert_eq!(info["queues"][0]["num_players"], 2);
    assert_eq!(info["queues"][0]["boundary_80s"], json!([[1300, 1700]]));
    let conn = story.lobby.connect();
    story.lobby.send_hello(conn, "Cem");
    assert!(!story.lobby.receive_commands(conn).contains(&"matchmaker_info".to_owned()));
}

/// Clients that ask one after the other are sent the same list, which is encoded once.
#[test]
fn a_list_of_queues_is_shared_until_a_queue_changes_or_time_has_passed() {
    let mut story = Story::of(3);
    let asked = |story: &mut Story| {
        story.send(3, r#"{"command":"matchmaker_info"}"#);
        let conn = story.conn(3);
        let messages = story.lobby.receive_messages(conn);
        let lists = messages.into_iter().filter_map(|message| match message {
            ServerMessage::MatchmakerInfo(info) => Some(info),
            _ => None,
        });
        lists.last().unwrap()
    };
    let first = asked(&mut story);
    story.lobby.advance(Duration::from_millis(200));
    assert!(Arc::ptr_eq(&first, &asked(&mut story)));
    // A lobby that is restored from a recording makes the same list again.
    let inside = story.inside();
    story.lobby.world = serde_json::from_value(inside).unwrap();
    let restored = asked(&mut story);
    assert_eq!(restored, first);
    story.lobby.advance(Duration::from_millis(50));
    let later = asked(&mut story);
    assert!(later.queues[0].queue_pop_time_delta < first.queues[0].queue_pop_time_delta);
    story.start(1, SOLO);
    let searched = asked(&mut story);
    assert_eq!((later.queues[0].num_players, searched.queues[0].num_players), (0, 1));
    assert!(Arc::ptr_eq(&searched, &asked(&mut story)));
    story.stop(1, SOLO);
    assert_eq!(asked(&mut story).queues[0].num_players, 0);
}

#[test]
fn boundaries_are_those_of_the_last_round_also_in_a_restored_lobby() {
    let mut story = Story::of(3);
    let asked = |story: &mut Story| {
        story.send(3, r#"{"command":"matchmaker_info"}"#);
        let info = story.received_as(3, "matchmaker_info").pop().unwrap();
        let queue = &info["queues"][0];
        [queue["boundary_80s"].clone(), queue["boundary_75s"].clone()]
    };
    assert_eq!(asked(&mut story), [json!([]), json!([])]);
    story.start(1, SOLO);
    let of_1500 = [json!([[1300, 1700]]), json!([[1400, 1600]])];
    assert_eq!(asked(&mut story), of_1500);
    let mut inside = story.inside();
    let rating = &mut inside["players"]["online"]["1"]["info"]["ratings"][LADDER]["rating"];
    *rating = serde_json::to_value(Rating { mean: 1750.0, deviation: 80.0 }).unwrap();
    story.lobby.world = serde_json::from_value(inside).unwrap();
    assert_eq!(asked(&mut story), of_1500);
    // The list for the last question is made again when a search begins or ends.
    story.start(2, SOLO);
    let both = [json!([[1300, 1700], [1300, 1700]]), json!([[1400, 1600], [1400, 1600]])];
    assert_eq!(asked(&mut story), both);
    story.stop(2, SOLO);
    assert_eq!(asked(&mut story), of_1500);
    story.wait_until(FIRST_ROUND);
    assert_eq!(asked(&mut story), [json!([[1550, 1950]]), json!([[1650, 1850]])]);
    let inside = story.inside();
    story.lobby.world = serde_json::from_value(inside).unwrap();
    assert_eq!(asked(&mut story), [json!([[1550, 1950]]), json!([[1650, 1850]])]);
}

#[test]
fn a_search_without_a_match_is_told_why_once_a_minute() {
    let mut store = store();
    rate(&mut store, LOGINS[1], 100.0);
    let mut story = Story::with(2, Settings::default(), store);
    story.start(1, SOLO);
    story.seen(1);
    let mut infos = Vec::new();
    for _ in 0..600 {
        story.wait(1);
        infos.extend(
            story.received_as(1, "search_info").into_iter().map(|info| (story.lobby.now().as_secs(), info)),
        );
    }
    let times: Vec<u64> = infos.iter().map(|(time, _)| *time).collect();
    assert!(times.len() > 4 && times.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{times:?}");
    let (_, first) = &infos[0];
    assert_eq!(first["state"], "start");
    assert_eq!(first["reason"], "too few players: 1 of 2 are in the queue");
    assert_eq!(first["failed_attempts"], 2);
    assert!(first["waited_seconds"].as_u64().unwrap() >= 60);
    // With an opponent who is far away, the reason is another one.
    story.start(2, SOLO);
    story.wait(180);
    let last = story.received_as(1, "search_info").pop().unwrap();
    assert!(last["reason"].as_str().unwrap().starts_with("no opponent is close enough"), "{last}");
}

#[test]
fn queues_say_how_long_a_search_takes() {
    let mut story = Story::of(4);
    story.send(3, r#"{"command":"matchmaker_info"}"#);
    let before = story.received_as(3, "matchmaker_info").remove(0);
    assert!(before["queues"][0].get("estimated_wait_seconds").is_none(), "nothing is known yet");
    story.matched(1, 2);
    story.send(3, r#"{"command":"matchmaker_info"}"#);
    let after = story.received_as(3, "matchmaker_info").pop().unwrap();
    assert_eq!(after["queues"][0]["estimated_wait_seconds"], FIRST_ROUND - 1);
    assert!(after["queues"][1].get("estimated_wait_seconds").is_none(), "another queue");
}
