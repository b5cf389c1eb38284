//! Parties, searches and violations over restarts of the server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod matchmaker;

use faf_lobby_core::Settings;
use matchmaker::*;
use serde_json::Value;

/// Time after which changes are saved.
const SAVED: u64 = 6;

fn start_of(queue: &str) -> Vec<String> {
    vec![format!("{queue} start")]
}

/// Logs a player in again, and returns what follows the login.
fn come_back(story: &mut Story, player: u32) -> Vec<String> {
    let conn = story.lobby.connect();
    story.lobby.send_hello(conn, LOGINS[player as usize - 1]);
    story.set_conn(player, conn);
    let seen = story.seen(player);
    seen.into_iter().filter(|message| !["welcome", "social"].contains(&message.as_str())).collect()
}

/// Returns players and failed attempts of all searches in a queue, in their order.
fn searches(story: &Story, queue: u32) -> Vec<(Value, Value)> {
    let searches = &story.inside()["queues"]["queues"][queue.to_string()]["searches"];
    let searches = searches.as_object().unwrap().values();
    searches.map(|search| (search["players"].clone(), search["failed_attempts"].clone())).collect()
}

#[test]
fn searches_keep_their_place_and_their_failed_attempts() {
    let mut story = Story::with(3, Settings::default(), {
        let mut store = store();
        // Nobody matches anybody.
        for (login, mean) in [("Ada", 3000.0), ("Bob", 1500.0), ("Cem", 100.0)] {
            rate(&mut store, login, mean);
        }
        store
    });
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.wait_until(FIRST_ROUND + SAVED);
    story.lobby.restart();
    // A new search does not come before one that is expected back.
    assert!(come_back(&mut story, 3).is_empty());
    story.start(3, SOLO);
    assert_eq!(come_back(&mut story, 2), start_of(SOLO));
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
    let expected = [(1, 1), (2, 1), (3, 0)].map(|(player, failed)| (vec![player].into(), failed.into()));
    assert_eq!(searches(&story, 1), expected);
    assert_eq!(story.activity(1), "SearchingLadder");
    // It is a search like any other.
    story.seen(1);
    story.stop(1, SOLO);
    assert_eq!(story.seen(1), [format!("{SOLO} stop")]);
    assert_eq!(story.activity(1), "Idle");
    // It is restored once.
    story.disconnect(1);
    assert!(come_back(&mut story, 1).is_empty());
}

#[test]
fn a_party_comes_back_with_its_search_when_all_members_are_back() {
    let mut story = Story::of(2);
    story.party(1, &[2]);
    story.send(2, r#"{"command":"set_party_factions","factions":["aeon"]}"#);
    story.start(1, PAIRS);
    story.wait(SAVED);
    story.lobby.restart();
    assert!(come_back(&mut story, 2).is_empty());
    assert_eq!(story.activity(2), "Idle");
    assert_eq!(come_back(&mut story, 1), start_of(PAIRS));
    assert_eq!(story.seen(2), start_of(PAIRS));
    story.wait(1);
    let party = &story.received_as(1, "update_party")[0];
    assert_eq!(party["owner"], 1);
    assert_eq!(party["members"][1]["player"], 2);
    assert_eq!(party["members"][1]["factions"], serde_json::json!(["aeon"]));
}

#[test]
fn a_shutdown_ends_searches_but_they_come_back_after_it() {
    let mut story = Story::of(1);
    story.start(1, SOLO);
    story.seen(1);
    story.lobby.shut_down();
    assert_eq!(story.seen(1)[0], format!("{SOLO} stop"));
    story.lobby.restart();
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
}

#[test]
fn a_search_is_not_restored_if_its_player_does_something_else() {
    let mut story = Story::of(2);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.start(1, SOLO);
    story.wait(SAVED);
    story.lobby.restart();
    come_back(&mut story, 2);
    story.host(2);
    assert_eq!(story.seen(2), ["launch 1"]);
    assert!(come_back(&mut story, 1).is_empty());
    assert_eq!(story.activity(1), "Idle");
    // The search is dropped, and does not come back when the player is free again.
    story.process(2, &["Ended"]);
    story.disconnect(2);
    assert!(come_back(&mut story, 2).is_empty());
    assert!(searches(&story, 3).is_empty());
}

#[test]
fn nothing_comes_back_after_the_restart_grace_period() {
    let mut story = Story::of(2);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.stop(2, SOLO);
    story.wait(SAVED);
    story.lobby.restart();
    story.wait(300);
    assert!(come_back(&mut story, 1).is_empty());
    // The same if the server was away for so long.
    story.start(1, SOLO);
    story.wait(SAVED);
    story.lobby.clock_error += 301_000_000;
    story.lobby.restart();
    assert!(come_back(&mut story, 1).is_empty());
    // A search that was ended before the restart is not there either.
    assert!(come_back(&mut story, 2).is_empty());
}

#[test]
fn a_second_restart_loses_no_search_of_a_player_who_was_not_back_yet() {
    let mut story = Story::of(2);
    story.start(1, SOLO);
    story.start(2, OTHER_SOLO);
    story.wait(SAVED);
    story.lobby.restart();
    assert_eq!(come_back(&mut story, 2), start_of(OTHER_SOLO));
    story.wait(SAVED);
    story.lobby.restart();
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
    assert_eq!(come_back(&mut story, 2), start_of(OTHER_SOLO));
}

#[test]
fn violations_survive_and_a_match_in_preparation_is_nobodys_fault() {
    let mut story = Story::of(2);
    // The guest makes a match fail, and another one is being set up when the server is killed.
    story.assembled(1, 2);
    story.process(2, &["Ended"]);
    assert!(story.seen(2).contains(&"violation 1".to_owned()));
    story.process(1, &["Ended"]);
    story.seen(1);
    story.assembled(1, 2);
    story.wait(SAVED);
    story.lobby.restart();
    for player in [1, 2] {
        assert!(come_back(&mut story, player).is_empty());
        story.assert_free(player);
    }
    let violations = story.inside()["violations"].clone();
    assert_eq!(violations["2"]["count"], 1);
    assert_eq!(violations.as_object().unwrap().len(), 1);
}

#[test]
fn saving_is_repeated_until_the_database_is_back() {
    let mut story = Story::of(1);
    story.lobby.store.is_unavailable = true;
    story.lobby.holds_replies = true;
    story.start(1, SOLO);
    // The look-up of the ban fails as well, so the search begins while the database is there.
    story.lobby.store.is_unavailable = false;
    story.lobby.holds_replies = false;
    story.lobby.reply_next();
    assert_eq!(story.activity(1), "SearchingLadder");
    story.lobby.store.is_unavailable = true;
    story.wait(20);
    story.lobby.store.is_unavailable = false;
    story.wait(SAVED);
    story.lobby.restart();
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
}

#[test]
fn nothing_is_saved_while_nothing_changes() {
    let mut story = Story::of(1);
    story.wait(600);
    let saves = |story: &Story| story.lobby.store.saves_of_queues;
    assert_eq!(saves(&story), 0, "rounds of empty queues are not saved");
    story.start(1, SOLO);
    story.stop(1, SOLO);
    story.wait(600);
    assert_eq!(saves(&story), 1, "changes of five seconds are saved together");
}
