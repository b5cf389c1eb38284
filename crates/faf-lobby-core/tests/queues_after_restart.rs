//! Parties, searches and violations over restarts of the server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod matchmaker;

use std::time::Duration;

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

/// A player hosts a game, which goes on, so that a shutdown waits for its end.
fn launch_game(story: &mut Story, player: u32) {
    story.host(player);
    story.process(player, &["Idle", "Lobby"]);
    story.game(player, "PlayerOption", &format!(r#"["{player}","Army",1]"#));
    story.process(player, &["Launching"]);
    story.seen(player);
}

/// The game ends, and with it a shutdown that has waited for it. The next server starts.
fn end_shutdown(story: &mut Story, player: u32) {
    assert!(story.lobby.world.next_deadline().is_some(), "the lobby has waited");
    story.process(player, &["Ended"]);
    story.wait(1);
    assert_eq!(story.lobby.world.next_deadline(), None, "the lobby has stopped");
    story.lobby.restart();
}

/// Returns how many members the party of a player has.
fn party_size(story: &Story, owner: u32) -> usize {
    let party = &story.inside()["parties"]["parties"][owner.to_string()];
    party["members"].as_array().map_or(1, Vec::len)
}

#[test]
fn a_shutdown_may_last_longer_than_the_restart_grace_period() {
    let mut story = Story::of(6);
    launch_game(&mut story, 3);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.start(4, SOLO);
    story.lobby.shut_down();
    // A player comes back before the end, and parties change.
    story.disconnect(4);
    assert!(come_back(&mut story, 4).is_empty());
    story.wait(1000);
    story.party(5, &[6]);
    end_shutdown(&mut story, 3);
    assert!(come_back(&mut story, 1).is_empty());
    assert_eq!(come_back(&mut story, 2), start_of(PAIRS));
    assert_eq!(come_back(&mut story, 4), start_of(SOLO));
    for player in [5, 6] {
        assert!(come_back(&mut story, player).is_empty());
    }
    assert_eq!([1, 5].map(|owner| party_size(&story, owner)), [2, 2]);
    assert_eq!(searches(&story, 1).len(), 1, "a search comes back once");
}

#[test]
fn a_shutdown_soon_after_a_start_keeps_all_searches_until_its_end() {
    let mut story = Story::of(3);
    story.start(1, SOLO);
    story.start(2, OTHER_SOLO);
    story.wait(SAVED);
    story.lobby.restart();
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
    assert!(come_back(&mut story, 3).is_empty());
    launch_game(&mut story, 3);
    story.lobby.shut_down();
    story.wait(400);
    end_shutdown(&mut story, 3);
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
    assert_eq!(come_back(&mut story, 2), start_of(OTHER_SOLO));
}

#[test]
fn a_party_that_a_shutdown_disconnects_comes_back_after_it() {
    let settings = Settings { shutdown_kick_idle_players: true, ..Settings::default() };
    let mut story = Story::with(4, settings, store());
    launch_game(&mut story, 4);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.lobby.shut_down();
    story.wait(400);
    assert!(!story.is_online(1) && !story.is_online(2));
    end_shutdown(&mut story, 4);
    assert!(come_back(&mut story, 1).is_empty());
    assert_eq!(come_back(&mut story, 2), start_of(PAIRS));
    assert_eq!(party_size(&story, 1), 2);
}

#[test]
fn after_a_crash_those_come_back_who_have_not_changed_anything_for_long() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.wait(400);
    story.lobby.restart();
    for player in [1, 2] {
        come_back(&mut story, player);
    }
    assert_eq!(party_size(&story, 1), 2);
    // The same for a search, without a round that would change it.
    let mut settings = Settings::default();
    settings.matchmaking.queue_pop_time_max = 3600.0;
    let mut story = Story::with(1, settings, store());
    story.start(1, SOLO);
    story.wait(400);
    story.lobby.restart();
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
}

#[test]
fn one_save_follows_the_other() {
    let mut story = Story::of(2);
    launch_game(&mut story, 2);
    story.start(1, SOLO);
    story.lobby.holds_replies = true;
    story.wait(SAVED);
    assert_eq!(story.lobby.open_requests(), 1, "a save is under way");
    story.lobby.shut_down();
    assert_eq!(story.lobby.open_requests(), 1);
    // The shutdown has changed something, which is saved while it waits for the game.
    story.lobby.reply_next();
    story.wait(SAVED);
    assert_eq!(story.lobby.open_requests(), 1);
    // The last save is made before the lobby stops.
    story.lobby.shut_down();
    story.wait(1);
    assert_eq!(story.lobby.open_requests(), 1);
    story.lobby.reply_next();
    assert_eq!(story.lobby.open_requests(), 1);
    assert!(story.lobby.world.next_deadline().is_some());
    story.lobby.reply_next();
    assert_eq!(story.lobby.store.saves_of_queues, 3);
    assert_eq!(story.lobby.world.next_deadline(), None);
    story.lobby.holds_replies = false;
    story.lobby.restart();
    assert_eq!(come_back(&mut story, 1), start_of(SOLO));
}

#[test]
fn a_lobby_stops_although_the_database_is_away() {
    let mut story = Story::of(1);
    story.start(1, SOLO);
    story.lobby.store.is_unavailable = true;
    story.lobby.shut_down();
    story.lobby.shut_down();
    assert_eq!(story.lobby.world.next_deadline(), None);
}

/// Returns a story in which the first player has come back after a restart, and the second one, a
/// member of the first one's party, which has searched, has not. The third has come back as well.
fn half_a_party() -> Story {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.wait(SAVED);
    story.lobby.restart();
    for player in [1, 3] {
        assert!(come_back(&mut story, player).is_empty());
    }
    story
}

#[test]
fn a_player_who_is_back_ends_a_search_for_which_others_are_missing() {
    let mut story = half_a_party();
    story.stop(1, SOLO);
    assert_eq!(come_back(&mut story.clone(), 2), start_of(PAIRS), "that was another queue");
    story.stop(1, PAIRS);
    assert!(come_back(&mut story, 2).is_empty());
    assert_eq!(party_size(&story, 1), 2);
}

#[test]
fn a_player_who_is_back_leaves_a_party_of_which_others_are_missing() {
    const LEAVE: &str = r#"{"command":"leave_party"}"#;
    let leaves: fn(&mut Story) = |story| story.send(1, LEAVE);
    let joins_another: fn(&mut Story) = |story| {
        story.party(3, &[1]);
        story.send(3, LEAVE);
    };
    let is_joined: fn(&mut Story) = |story| {
        story.party(1, &[3]);
        story.send(3, LEAVE);
    };
    for leaves in [leaves, joins_another, is_joined] {
        let mut story = half_a_party();
        leaves(&mut story);
        assert!(come_back(&mut story, 2).is_empty());
        assert_eq!(party_size(&story, 1), 1);
        assert_eq!(story.activity(1), "Idle");
    }
    // An owner who invites another player stays in the party.
    let mut story = half_a_party();
    story.invite(1, 3);
    assert_eq!(come_back(&mut story, 2), start_of(PAIRS));
}

#[test]
fn a_guest_who_gathers_a_party_is_not_taken_back_into_the_old_one() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.wait(SAVED);
    story.lobby.restart();
    for player in [2, 3] {
        come_back(&mut story, player);
    }
    story.invite(2, 3);
    come_back(&mut story, 1);
    assert_eq!(party_size(&story, 1), 1);
    story.accept(3, 2);
    assert_eq!(party_size(&story, 2), 2);
}

#[test]
fn a_party_is_not_restored_around_a_search_of_one_member() {
    let mut story = half_a_party();
    story.start(1, SOLO);
    assert!(come_back(&mut story, 2).is_empty());
    assert_eq!(party_size(&story, 1), 1);
    assert!(searches(&story, 3).is_empty());
    assert_eq!(searches(&story, 1).len(), 1);
}

#[test]
fn a_search_of_an_outdated_client_is_not_restored() {
    let mut story = half_a_party();
    story.send(1, r#"{"command":"InitiateTest","target":"connectivity","args":[6112]}"#);
    assert!(come_back(&mut story, 2).is_empty());
    assert!(searches(&story, 3).is_empty());
    assert_eq!(party_size(&story, 1), 2);
}

#[test]
fn violations_that_have_expired_are_not_saved() {
    let mut settings = Settings::default();
    settings.matches.violations.reset_time = Duration::from_secs(10);
    let mut story = Story::with(3, settings, store());
    story.assembled(1, 2);
    story.process(2, &["Ended"]);
    assert_eq!(story.inside()["violations"]["2"]["count"], 1);
    story.wait(11);
    story.start(3, SOLO);
    story.wait(SAVED);
    story.lobby.restart();
    assert_eq!(story.inside()["violations"], serde_json::json!({}));
}
