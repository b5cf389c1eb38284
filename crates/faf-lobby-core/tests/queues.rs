//! Queues: how parties enter them and leave them, what everybody is told of them, and how they
//! change (matchmaking.md sections 1, 2, 4, 7, 10.3 and 11).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod matchmaker;

use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::ratings::LADDER;
use faf_lobby_core::{Event, LogLine, QueueEvent, Settings};
use faf_protocol::PlayerId;
use faf_protocol::server_message::{LeaderboardRating, Rating, ServerMessage};
use matchmaker::*;
use serde_json::json;

fn started(queue: &str) -> String {
    format!("{queue} start")
}

fn stopped(queue: &str) -> String {
    format!("{queue} stop")
}

// --- entering and leaving ---

#[test]
fn a_search_that_is_started_twice_begins_anew() {
    let mut story = Story::of(2);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.seen(1);
    story.start(1, SOLO);
    assert_eq!(story.seen(1), [stopped(SOLO), started(SOLO)]);
    assert_eq!(story.activity(1), "SearchingLadder");
    // It lost its place: the other player's search is older now, and its player hosts.
    story.wait_until(FIRST_ROUND);
    story.wait(1);
    assert_eq!(story.seen(2).last().unwrap(), "launch 1");
}

#[test]
fn two_starts_in_a_row_wait_for_each_other_and_the_second_counts() {
    let mut story = Story::of(1);
    story.lobby.holds_replies = true;
    story.start(1, SOLO);
    story.start(1, PAIRS);
    story.stop(1, SOLO);
    assert_eq!(story.seen(1), [""; 0], "nothing happens before the ban is known");
    while story.lobby.reply_next() {}
    assert_eq!(story.seen(1), [started(SOLO), started(PAIRS), stopped(SOLO)]);
    assert_eq!(story.activity(1), "SearchingLadder");
    story.stop(1, PAIRS);
    assert_eq!(story.activity(1), "Idle");
    story.lobby.check();
}

#[test]
fn a_player_searches_in_several_queues_until_the_last_search_ends() {
    let mut story = Story::of(1);
    for queue in [SOLO, OTHER_SOLO, PAIRS] {
        story.start(1, queue);
    }
    assert_eq!(story.seen(1), [started(SOLO), started(OTHER_SOLO), started(PAIRS)]);
    for (queue, activity) in [(SOLO, "SearchingLadder"), (PAIRS, "SearchingLadder"), (OTHER_SOLO, "Idle")] {
        story.stop(1, queue);
        assert_eq!(story.seen(1), [stopped(queue)]);
        assert_eq!(story.activity(1), activity);
    }
}

#[test]
fn the_queue_is_named_by_mod_or_is_the_ladder_and_other_states_only_are_checked() {
    let mut story = Story::of(2);
    for (members, queue) in [
        (r#""state":"start","mod":"other1v1""#, OTHER_SOLO),
        (r#""state":"start","queue_name":null,"mod":"other1v1""#, OTHER_SOLO),
        (r#""state":"start","queue_name":"tmm2v2","mod":"other1v1""#, PAIRS),
        (r#""state":"start""#, SOLO),
        (r#""state":"start","queue_name":null,"mod":null,"faction":null"#, SOLO),
    ] {
        story.send(1, &format!(r#"{{"command":"game_matchmaking",{members}}}"#));
        assert_eq!(story.seen(1), [started(queue)], "{members}");
        story.stop(1, queue);
        story.seen(1);
    }
    // Unknown queues, and searches that do not exist, are ended in silence.
    story.stop(1, SOLO);
    story.stop(1, "borg");
    story.send(1, r#"{"command":"game_matchmaking","state":"ready"}"#);
    story.send(1, r#"{"command":"match_ready"}"#);
    assert_eq!(story.seen(1), [""; 0]);
    story.party(2, &[1]);
    story.send(1, r#"{"command":"game_matchmaking","state":"ready","queue_name":"borg"}"#);
    assert_eq!(story.seen(1), ["error: Only the party owner may enter the party into a queue."]);
    story.lobby.check();
}

#[test]
fn a_party_is_refused_for_the_first_reason_that_applies() {
    let mut story = Story::of(4);
    story.party(1, &[2, 3]);
    // Everything is wrong at once: a guest, a busy member, an unknown queue, which no party fits.
    story.host(3);
    story.seen(3);
    story.start(2, "borg");
    assert_eq!(story.seen(2), ["error: Only the party owner may enter the party into a queue."]);
    story.start(1, "borg");
    assert_eq!(story.seen(1), ["error: Can't join a queue while Cem is in state STARTING_GAME"]);
    story.process(3, &["Ended"]);
    story.start(1, "borg");
    assert_eq!(story.seen(1), [r#"error: There is no matchmaker queue "borg" on this server."#]);
    story.start(1, PAIRS);
    assert_eq!(story.seen(1), ["error: Your party is too large to join that queue!"]);
    // The first busy member in the order of the party is named.
    story.host(2);
    story.host(3);
    story.start(1, PAIRS);
    assert_eq!(story.seen(1), ["error: Can't join a queue while Bob is in state STARTING_GAME"]);
    for player in 1..=3 {
        assert!(!story.seen(player).contains(&started(PAIRS)), "{player}");
    }
    story.lobby.check();
}

/// Each state of games.md section 9, of a member and of the owner.
#[test]
fn a_member_in_any_other_state_keeps_the_party_out_of_queues() {
    let mut story = Story::of(4);
    story.party(1, &[2]);
    let refused = |story: &mut Story, login: &str, state: &str| {
        story.seen(1);
        story.start(1, PAIRS);
        let expected = format!("error: Can't join a queue while {login} is in state {state}");
        assert_eq!(story.seen(1), [expected]);
    };
    story.host(3);
    story.process(3, &["Idle", "Lobby"]);
    story.send(2, r#"{"command":"game_join","uid":1}"#);
    refused(&mut story, "Bob", "STARTING_GAME");
    story.process(2, &["Idle"]);
    refused(&mut story, "Bob", "JOINING");
    story.process(2, &["Ended"]);
    story.host(1);
    refused(&mut story, "Ada", "STARTING_GAME");
    story.process(1, &["Idle"]);
    refused(&mut story, "Ada", "HOSTING");
    story.process(1, &["Lobby"]);
    story.game(1, "PlayerOption", r#"["1","Army",1]"#);
    story.process(1, &["Launching"]);
    refused(&mut story, "Ada", "PLAYING");
    story.process(1, &["Ended"]);
    story.wait(2);
    story.seen(1);
    story.start(1, PAIRS);
    assert_eq!(story.seen(1), [started(PAIRS)]);
    story.start(3, SOLO);
    story.start(4, SOLO);
    story.lobby.check();
}

#[test]
fn any_member_stops_the_search_of_the_party() {
    let mut story = Story::of(2);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    assert_eq!(story.seen(2), [started(PAIRS)]);
    story.stop(2, PAIRS);
    for player in 1..=2 {
        assert_eq!(story.seen(player).last(), Some(&stopped(PAIRS)));
        assert_eq!(story.activity(player), "Idle");
    }
}

#[test]
fn a_member_who_goes_ends_all_searches_of_the_party_and_the_others_are_free() {
    for how in ["leave", "disconnect", "owner leaves", "owner disconnects", "banned", "elsewhere"] {
        let mut story = Story::of(2);
        story.lobby.store.data.queues.push(queue(4, "other2v2", 2));
        story.wait_until(601);
        story.party(1, &[2]);
        story.start(1, PAIRS);
        story.start(1, "other2v2");
        story.seen(1);
        story.seen(2);
        let (gone, stays) = match how {
            "leave" => {
                story.send(2, r#"{"command":"leave_party"}"#);
                (2, 1)
            }
            "owner leaves" => {
                story.send(1, r#"{"command":"leave_party"}"#);
                (1, 2)
            }
            "disconnect" => {
                story.disconnect(2);
                (2, 1)
            }
            "banned" => {
                story.lobby.handle(Event::Banned { player: PlayerId(2), ban: ban() });
                (2, 1)
            }
            "elsewhere" => {
                story.log_in(2);
                (2, 1)
            }
            _ => {
                story.disconnect(1);
                (1, 2)
            }
        };
        let seen = story.seen(stays);
        assert_eq!(seen[..2], [stopped(PAIRS), stopped("other2v2")], "{how}");
        assert_eq!(story.activity(stays), "Idle", "{how}");
        if how.contains("leave") {
            let seen = story.seen(gone);
            assert_eq!(seen[..2], [stopped(PAIRS), stopped("other2v2")], "{how}");
        }
        assert_ne!(story.activity(gone), "SearchingLadder", "{how}");
        // Nothing is left in the queues.
        assert_eq!(story.inside()["queues"]["searching"], json!({}), "{how}");
        story.wait(300);
        assert!(story.outcomes().is_empty(), "{how}");
        story.start(stays, SOLO);
        assert_eq!(story.seen(stays).last(), Some(&started(SOLO)), "{how}");
        story.lobby.check();
    }
}

/// A party object is created by a search, too (parties.md section 1).
#[test]
fn a_lone_player_who_leaves_the_party_while_searching_searches_no_more() {
    let mut story = Story::of(1);
    story.start(1, SOLO);
    story.seen(1);
    story.send(1, r#"{"command":"leave_party"}"#);
    assert_eq!(story.seen(1), [stopped(SOLO), "party 1: ".to_owned()]);
    assert_eq!(story.activity(1), "Idle");
}

#[test]
fn a_searching_party_neither_grows_nor_shrinks() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.invite(1, 3);
    story.seen(3);
    story.start(1, PAIRS);
    story.seen(1);
    story.accept(3, 1);
    assert_eq!(story.seen(3), ["error: That party is already in queue"]);
    story.invite(1, 3);
    assert_eq!(story.seen(1), ["error: Can't invite a player while in state SEARCHING_LADDER"]);
    story.send(1, r#"{"command":"kick_player_from_party","kicked_player_id":2}"#);
    assert_eq!(story.seen(1), ["error: Can't kick a player while in state SEARCHING_LADDER"]);
    story.host(1);
    assert_eq!(story.seen(1), ["error: Can't host a game while in state SEARCHING_LADDER"]);
    story.send(2, r#"{"command":"set_party_factions","factions":["aeon"]}"#);
    assert_eq!(story.activity(2), "SearchingLadder");
}

#[test]
fn the_party_may_change_while_the_ban_is_looked_up() {
    // A guest joins, and the party becomes too large.
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.invite(1, 3);
    story.lobby.holds_replies = true;
    story.start(1, PAIRS);
    story.accept(3, 1);
    while story.lobby.reply_next() {}
    assert_eq!(story.seen(1), ["error: Your party is too large to join that queue!"]);
    // A member leaves, and the rest searches.
    story.send(3, r#"{"command":"leave_party"}"#);
    story.start(1, PAIRS);
    story.send(2, r#"{"command":"leave_party"}"#);
    while story.lobby.reply_next() {}
    assert_eq!(story.seen(1), [started(PAIRS)]);
    assert!(!story.seen(2).contains(&started(PAIRS)));
    story.stop(1, PAIRS);
    story.seen(1);
    // A member begins something else.
    story.lobby.holds_replies = false;
    story.party(1, &[2]);
    story.lobby.holds_replies = true;
    story.start(1, PAIRS);
    let of_ada = story.lobby.perform_next();
    story.host(2);
    while story.lobby.reply_next() {}
    story.lobby.reply(of_ada);
    assert_eq!(story.lobby.open_requests(), 0);
    let seen = story.seen(1);
    assert_eq!(seen, ["error: Can't join a queue while Bob is in state STARTING_GAME"]);
    // Bob's search begins before the game does.
    story.process(2, &["Ended"]);
    story.seen(2);
    story.start(1, PAIRS);
    story.host(2);
    while story.lobby.reply_next() {}
    let expected = [started(PAIRS), "error: Can't host a game while in state SEARCHING_LADDER".to_owned()];
    assert_eq!(story.seen(2), expected);
    story.stop(1, PAIRS);
    story.seen(2);
    // The owner goes.
    story.start(1, PAIRS);
    story.disconnect(1);
    while story.lobby.reply_next() {}
    assert!(!story.seen(2).contains(&started(PAIRS)));
    assert_eq!(story.activity(2), "Idle");
    story.lobby.check();
}

#[test]
fn a_queue_that_goes_while_the_ban_is_looked_up_is_unknown() {
    let mut story = Story::of(1);
    story.lobby.store.data.queues.remove(0);
    story.wait_until(599);
    story.lobby.holds_replies = true;
    story.start(1, SOLO);
    story.wait(2);
    let ban = story.lobby.perform_next();
    story.lobby.reply_next();
    story.lobby.reply(ban);
    assert_eq!(story.seen(1), [r#"error: There is no matchmaker queue "ladder1v1" on this server."#]);
    assert_eq!(story.activity(1), "Idle");
}

// --- bans and time-outs ---

#[test]
fn a_banned_player_who_searches_is_sent_away_like_a_host() {
    let mut story = Story::of(2);
    story.party(1, &[2]);
    story.lobby.store.account("Ada").bans.push(ban());
    story.start(1, PAIRS);
    let seen = story.seen(1);
    assert!(seen[0].starts_with("error: You are banned from FAF"), "{seen:?}");
    assert_eq!(seen[1..], ["authentication_failed"]);
    assert!(!story.is_online(1));
    assert_eq!(story.seen(2), ["party 1: "]);
    assert_eq!(story.activity(2), "Idle");
    story.lobby.check();
}

#[test]
fn a_banned_member_is_sent_away_and_the_owner_is_told_who_it_is() {
    let mut story = Story::of(4);
    story.lobby.store.data.queues.push(queue(4, "tmm4v4", 4));
    story.wait_until(601);
    story.party(1, &[2, 3, 4]);
    story.lobby.store.account("Cem").bans.push(ban());
    story.start(1, "tmm4v4");
    let seen = story.seen(3);
    assert!(seen[0].starts_with("error: You are banned from FAF"), "{seen:?}");
    assert_eq!(seen[1..], ["authentication_failed"]);
    assert!(!story.is_online(3));
    assert_eq!(story.seen(1), ["error: Cem is banned, so your party cannot search for a match."]);
    for player in [1, 2, 4] {
        assert_eq!(story.activity(player), "Idle");
        story.wait(1);
        assert_eq!(story.seen(player), ["party 1: 1 2 4"]);
    }
    // Without the member, the party can search.
    story.start(1, "tmm4v4");
    for player in [1, 2, 4] {
        assert_eq!(story.seen(player), [started("tmm4v4")]);
    }
    story.lobby.check();
}

#[test]
fn an_expired_ban_and_that_of_a_member_who_has_left_keep_nobody_out() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    let expired = faf_lobby_core::Ban { expires_at: faf_testkit::lobby::BEGINNING, ..ban() };
    story.lobby.store.account("Ada").bans.push(expired.clone());
    story.lobby.store.account("Bob").bans.push(expired);
    story.start(1, PAIRS);
    assert_eq!(story.seen(1), [started(PAIRS)]);
    story.stop(1, PAIRS);
    story.seen(1);
    story.seen(2);
    story.lobby.store.account("Bob").bans.push(ban());
    story.lobby.holds_replies = true;
    story.start(1, PAIRS);
    story.lobby.reply_next();
    let of_bob = story.lobby.perform_next();
    story.send(2, r#"{"command":"leave_party"}"#);
    story.lobby.reply(of_bob);
    assert_eq!(story.seen(1), [started(PAIRS)]);
    assert!(story.is_online(2), "a player who searches for nothing is not looked at");
    assert_eq!(story.activity(2), "Idle");
    // A member who joins in the meantime is looked up, too.
    story.lobby.holds_replies = false;
    story.stop(1, PAIRS);
    story.invite(1, 3);
    story.lobby.store.account("Cem").bans.push(ban());
    story.lobby.holds_replies = true;
    story.start(1, PAIRS);
    story.accept(3, 1);
    while story.lobby.reply_next() {}
    assert!(!story.is_online(3));
    assert_eq!(
        story.seen(1).last().unwrap(),
        "error: Cem is banned, so your party cannot search for a match."
    );
    story.lobby.check();
}

#[test]
fn a_database_that_is_away_closes_the_connection_of_the_owner_only() {
    for failing in 0..2 {
        let mut story = Story::of(2);
        story.party(1, &[2]);
        story.lobby.holds_replies = true;
        story.start(1, PAIRS);
        for _ in 0..failing {
            story.lobby.reply_next();
        }
        story.lobby.fail_next();
        assert_eq!(story.seen(1), ["error: Unable to connect to database. Please try again later."]);
        assert!(!story.is_online(1) && story.is_online(2));
        assert_eq!(story.activity(2), "Idle");
        story.lobby.check();
    }
}

/// Makes a player fail two matches by not starting the game.
fn time_out(story: &mut Story, host: u32, guest: u32) {
    for count in 1..=2 {
        story.matched(host, guest);
        let mut seen = Vec::new();
        while seen.is_empty() {
            story.wait(1);
            seen = story.seen(host);
        }
        assert_eq!(seen[1], format!("violation {count}"), "{seen:?}");
        story.seen(guest);
    }
}

#[test]
fn a_timed_out_member_keeps_the_party_out_and_all_members_are_told() {
    let mut story = Story::of(3);
    time_out(&mut story, 2, 3);
    let until = story.lobby.moment();
    story.party(1, &[2]);
    story.start(1, PAIRS);
    for player in 1..=2 {
        let received = story.received(player);
        assert_eq!(received[0]["command"], "search_timeout");
        assert_eq!(received[0]["timeouts"].as_array().unwrap().len(), 1);
        assert_eq!(received[0]["timeouts"][0]["player"], 2);
        let expires = received[0]["timeouts"][0]["expires_at"].as_str().unwrap();
        assert!(expires.ends_with("+00:00") && expires.starts_with("2026-07-01T12:"), "{expires}");
        assert_eq!(received[1], json!({"command":"search_info","queue_name":PAIRS,"state":"stop"}));
        assert_eq!(received[2]["text"], "Player Bob is timed out for 9 minutes");
        assert_eq!(received.len(), 3);
        assert_eq!(story.activity(player), "Idle");
    }
    // A search in another queue goes on.
    story.send(2, r#"{"command":"leave_party"}"#);
    story.seen(1);
    story.seen(2);
    story.start(2, SOLO);
    assert_eq!(
        story.seen(2),
        ["search_timeout", "ladder1v1 stop", "info: Player Bob is timed out for 9 minutes"]
    );
    // A new login does not end the time-out, but the time does.
    story.disconnect(2);
    story.log_in(2);
    story.wait(1);
    story.seen(2);
    story.start(2, SOLO);
    assert_eq!(story.seen(2)[0], "search_timeout");
    let passed = story.lobby.moment().utc.since(until.utc).as_secs();
    story.wait(599 - passed);
    story.start(2, SOLO);
    assert_eq!(story.seen(2)[0], "search_timeout");
    story.wait(1);
    story.start(2, SOLO);
    assert_eq!(story.seen(2), [started(SOLO)]);
}

#[test]
fn a_timed_out_member_does_not_end_the_search_that_goes_on() {
    // A violation counts at once, so that a player can be timed out while searching.
    let mut settings = Settings::default();
    settings.matches.violations.ban_threshold = 1;
    let mut story = Story::with(2, Settings::default(), store());
    story.matched(1, 2);
    story.wait(61);
    story.seen(1);
    story.start(1, SOLO);
    story.lobby.handle(Event::Reconfigured { settings: Box::new(settings) });
    story.seen(1);
    story.start(1, SOLO);
    let seen = story.seen(1);
    assert_eq!(seen[..2], ["search_timeout".to_owned(), stopped(SOLO)]);
    assert_eq!(story.activity(1), "SearchingLadder", "states are unchanged");
    assert_eq!(story.inside()["queues"]["queues"]["1"]["players"], 1);
}

#[test]
fn violations_that_are_switched_off_keep_nobody_out() {
    let mut settings = Settings::default();
    settings.matches.violations.enabled = false;
    let mut story = Story::with(2, settings, store());
    for _ in 0..3 {
        story.matched(1, 2);
        story.wait(61);
        let seen = story.seen(1);
        assert!(seen.len() == 1 && seen[0].starts_with("cancelled"), "{seen:?}");
        story.seen(2);
    }
}

// --- the welcome ---

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

// --- what everybody is told ---

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

// --- rounds ---

#[test]
fn rounds_come_as_the_timer_plans_them() {
    let mut story = Story::of(2);
    story.start(1, SOLO);
    let waits = |story: &Story| -> Vec<u64> {
        let of_solo = |event: &QueueEvent| match event {
            QueueEvent::Popped(popped) if popped.queue.0 == 1 => Some(popped.wait.as_secs()),
            _ => None,
        };
        story.lobby.queue_events.iter().filter_map(of_solo).collect()
    };
    story.wait_until(44);
    assert!(waits(&story).is_empty());
    story.wait_until(45);
    assert_eq!(waits(&story), [90]);
    story.wait_until(134);
    assert_eq!(waits(&story).len(), 1);
    story.wait_until(135);
    assert_eq!(waits(&story), [90, 90]);
    // A search that took part has failed once for each round.
    let search = &story.inside()["queues"]["queues"]["1"]["searches"]["1"];
    assert_eq!(search["failed_attempts"], 2);
}

#[test]
fn a_full_queue_pops_sooner_but_never_within_fifteen_seconds() {
    let mut settings = Settings::default();
    settings.matchmaking.queue_pop_desired_matches = 0.01;
    let mut story = Story::with(2, settings, store());
    story.start(1, SOLO);
    story.start(2, PAIRS);
    story.wait_until(FIRST_ROUND);
    let popped: Vec<u64> = story
        .lobby
        .queue_events
        .iter()
        .filter_map(|event| match event {
            QueueEvent::Popped(popped) => Some(popped.wait.as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(popped, [15, 90, 15]);
    // A warning says so when it begins, and not at each round.
    let warned = |story: &Story| -> Vec<String> {
        let lines = story.lobby.log.iter().filter(|line| matches!(line, LogLine::RoundsHeldBack { .. }));
        lines.map(ToString::to_string).collect()
    };
    let lines = warned(&story);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(SOLO) && lines[0].contains("every 0.9 s"), "{lines:?}");
    story.wait_until(FIRST_ROUND + 46);
    assert_eq!(warned(&story).len(), 2);
}

/// Worked example of section 5: the third player's proposal is the better one.
#[test]
fn the_player_who_proposed_hosts() {
    let mut store = store();
    for (login, mean) in [("Ada", 1500.0), ("Bob", 1600.0), ("Cem", 1610.0)] {
        rate(&mut store, login, mean);
    }
    let mut story = Story::with(3, Settings::default(), store);
    for player in 1..=3 {
        story.start(player, SOLO);
    }
    story.wait_until(FIRST_ROUND);
    story.wait(1);
    assert_eq!(story.seen(3), [started(SOLO), format!("found {SOLO}"), "launch 1".to_owned()]);
    assert_eq!(story.seen(2), [started(SOLO), format!("found {SOLO}")]);
    assert_eq!(story.seen(1), [started(SOLO)]);
    assert_eq!(story.activity(1), "SearchingLadder");
    assert_eq!(story.inside()["queues"]["queues"]["1"]["players"], 1);
}

#[test]
fn a_match_ends_all_other_searches_of_its_players_for_everybody_in_them() {
    let mut story = Story::of(4);
    // Ada waits in both queues. The round of the first one takes her.
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.start(1, OTHER_SOLO);
    story.start(1, PAIRS);
    story.start(3, OTHER_SOLO);
    for player in 1..=3 {
        story.seen(player);
    }
    story.wait_until(FIRST_ROUND);
    assert_eq!(story.seen(1)[..3], [format!("found {SOLO}"), stopped(OTHER_SOLO), stopped(PAIRS)]);
    assert_eq!(story.seen(2), [format!("found {SOLO}")], "this search ends without a word");
    assert_eq!(story.seen(3), [""; 0]);
    assert_eq!(story.activity(3), "SearchingLadder");
    assert_eq!(story.inside()["queues"]["queues"]["2"]["players"], 1);
}

// --- changes of the queues ---

#[test]
fn queues_are_read_again_every_ten_minutes() {
    let mut story = Story::of(2);
    story.start(1, SOLO);
    story.start(2, PAIRS);
    let queues = &mut story.lobby.store.data.queues;
    queues.remove(0);
    queues.push(queue(9, "new1v1", 1));
    queues[1].game_options.insert("Share".to_owned(), "ShareUntilDeath".into());
    story.seen(1);
    story.seen(2);
    story.wait_until(599);
    assert_eq!(story.seen(1), [""; 0]);
    story.wait_until(601);
    assert_eq!(story.seen(1), [stopped(SOLO)]);
    assert_eq!(story.activity(1), "Idle");
    assert_eq!(story.seen(2), [""; 0], "the others go on");
    assert_eq!(story.activity(2), "SearchingLadder");
    story.start(1, SOLO);
    assert_eq!(story.seen(1), [r#"error: There is no matchmaker queue "ladder1v1" on this server."#]);
    story.start(1, "new1v1");
    assert_eq!(story.seen(1), [started("new1v1")]);
    story.start(2, "new1v1");
    // Its first round comes half the longest wait later.
    story.wait_until(600 + FIRST_ROUND - 1);
    assert!(!story.seen(1).contains(&"found new1v1".to_owned()));
    story.wait_until(600 + FIRST_ROUND);
    assert_eq!(story.seen(1)[0], "found new1v1");
    story.lobby.check();
}

#[test]
fn a_queue_with_another_name_or_leaderboard_loses_its_searches() {
    for change in ["name", "leaderboard"] {
        let mut story = Story::of(1);
        story.start(1, SOLO);
        story.seen(1);
        match change {
            "name" => story.lobby.store.data.queues[0].name = "renamed".to_owned(),
            _ => story.lobby.store.data.queues[0].leaderboard = "global".to_owned(),
        }
        story.wait_until(601);
        assert_eq!(story.seen(1), [stopped(SOLO)], "{change}");
        assert_eq!(story.activity(1), "Idle", "{change}");
    }
}

/// A party of two in a queue that has become one of single players could never play.
#[test]
fn a_queue_with_smaller_teams_loses_the_searches_that_no_longer_fit() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.start(3, PAIRS);
    for player in 1..=3 {
        story.seen(player);
    }
    story.lobby.store.data.queues[2].team_size = 1;
    story.wait_until(601);
    for player in 1..=2 {
        assert_eq!(story.seen(player), [stopped(PAIRS)]);
        assert_eq!(story.activity(player), "Idle");
    }
    assert_eq!(story.seen(3), [""; 0]);
    assert_eq!(story.activity(3), "SearchingLadder");
    story.start(1, PAIRS);
    assert_eq!(story.seen(1), ["error: Your party is too large to join that queue!"]);
    story.wait(300);
    story.lobby.check();
}

#[test]
fn a_queue_that_returns_has_one_rhythm() {
    let mut story = Story::of(1);
    let solo = story.lobby.store.data.queues.remove(0);
    story.wait_until(601);
    story.lobby.store.data.queues.insert(0, solo);
    story.wait_until(1201);
    story.lobby.queue_events.clear();
    story.wait_until(1800);
    let popped = story.lobby.queue_events.iter();
    let popped = popped.filter(|event| matches!(event, QueueEvent::Popped(popped) if popped.queue.0 == 1));
    // At 1245, 1335, and so on.
    assert_eq!(popped.count(), 7);
}

#[test]
fn a_database_that_is_away_changes_no_queue() {
    let mut story = Story::of(1);
    story.start(1, SOLO);
    story.seen(1);
    story.lobby.store.is_unavailable = true;
    story.wait_until(601);
    assert_eq!(story.seen(1), [""; 0]);
    assert_eq!(story.activity(1), "SearchingLadder");
}

// --- the end of the server ---

#[test]
fn a_shutdown_ends_all_searches_and_allows_no_new_ones() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.start(3, SOLO);
    story.host(3);
    for player in 1..=3 {
        story.seen(player);
    }
    story.lobby.shut_down();
    for (player, queue) in [(1, PAIRS), (2, PAIRS), (3, SOLO)] {
        assert_eq!(story.seen(player)[0], stopped(queue));
        assert_eq!(story.activity(player), "Idle");
    }
    story.start(3, SOLO);
    assert_eq!(story.received(3), [json!({"command":"disabled","request":"game_matchmaking"})]);
    // The other reasons come first.
    story.start(2, SOLO);
    assert_eq!(story.seen(2), ["error: Only the party owner may enter the party into a queue."]);
    story.start(3, "borg");
    assert_eq!(story.seen(3), [r#"error: There is no matchmaker queue "borg" on this server."#]);
    story.start(1, SOLO);
    assert_eq!(story.seen(1), ["error: Your party is too large to join that queue!"]);
    story.stop(3, SOLO);
    story.send(3, r#"{"command":"matchmaker_info"}"#);
    assert_eq!(story.received_as(3, "matchmaker_info"), [json!({"command":"matchmaker_info","queues":[]})]);
}

#[test]
fn a_shutdown_while_the_ban_is_looked_up_disables_the_search() {
    let mut story = Story::of(2);
    // A live game keeps the server going.
    story.host(2);
    story.process(2, &["Idle", "Lobby"]);
    story.game(2, "PlayerOption", r#"["2","Army",1]"#);
    story.process(2, &["Launching"]);
    story.lobby.holds_replies = true;
    story.start(1, SOLO);
    story.lobby.shut_down();
    story.seen(1);
    story.lobby.reply_next();
    assert_eq!(story.received(1), [json!({"command":"disabled","request":"game_matchmaking"})]);
    assert_eq!(story.activity(1), "Idle");
    story.wait(200);
    assert!(!story.lobby.queue_events.iter().any(|event| matches!(event, QueueEvent::SearchBegan { .. })));
}

/// Clients send their factions after every login.
#[test]
fn a_party_and_its_search_are_restored_although_its_members_choose_factions_first() {
    for first in [1, 2] {
        let mut story = Story::of(2);
        story.party(1, &[2]);
        story.start(1, PAIRS);
        story.wait(10);
        story.lobby.restart();
        for player in [first, 3 - first] {
            story.log_in(player);
            if player == first {
                story.send(player, r#"{"command":"set_party_factions","factions":["nomad"]}"#);
                story.wait(1);
            }
        }
        for player in 1..=2 {
            assert_eq!(story.activity(player), "SearchingLadder", "{first}");
        }
        story.wait(1);
        let party = story.received_as(1, "update_party").pop().unwrap();
        assert_eq!([&party["members"][0]["player"], &party["members"][1]["player"]], [1, 2], "{first}");
        let factions = [json!(["nomad"]), json!(["uef", "aeon", "cybran", "seraphim"])];
        let place = first as usize - 1;
        let (of_first, of_other) = (&party["members"][place], &party["members"][1 - place]);
        assert_eq!([&of_first["factions"], &of_other["factions"]], [&factions[0], &factions[1]], "{first}");
        // It is one search: a guest ends it for both.
        story.stop(2, PAIRS);
        assert_eq!([story.activity(1), story.activity(2)], ["Idle", "Idle"]);
        story.lobby.check();
    }
}

#[test]
fn a_search_is_not_restored_for_players_who_are_no_longer_one_party() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.start(3, SOLO);
    story.wait(10);
    story.lobby.restart();
    story.log_in(1);
    // Ada has other company by the time that Bob is back, and so has Cem.
    story.log_in(4);
    story.invite(1, 4);
    story.accept(4, 1);
    story.log_in(2);
    assert_eq!([story.activity(1), story.activity(2)], ["Idle", "Idle"]);
    story.wait(1);
    assert!(story.received_as(2, "update_party").is_empty());
    story.log_in(3);
    assert_eq!(story.activity(3), "SearchingLadder");
    // Nobody is expected back forever.
    story.lobby.restart();
    story.wait(301);
    for player in 1..=4 {
        story.log_in(player);
        assert_eq!(story.activity(player), "Idle");
    }
    story.lobby.check();
}

#[test]
fn searches_that_see_no_round_do_not_count_as_waiting_times() {
    let mut story = Story::of(1);
    for _ in 0..20 {
        story.start(1, SOLO);
        story.stop(1, SOLO);
    }
    let ended = |story: &Story| story.inside()["queues"]["queues"]["1"]["waiting_times"]["ended"].clone();
    assert_eq!(ended(&story), json!([]));
    story.start(1, SOLO);
    story.wait_until(FIRST_ROUND);
    story.stop(1, SOLO);
    assert_eq!(ended(&story).as_array().unwrap().len(), 1);
}

// --- bad input ---

#[test]
fn searches_that_cannot_be_read_are_refused_and_the_connection_stays() {
    let mut story = Story::of(1);
    let long = format!(r#""state":"start","queue_name":"{}""#, "x".repeat(100_000));
    for members in [
        r#""queue_name":"ladder1v1""#,
        r#""state":null"#,
        r#""state":1"#,
        r#""state":["start"]"#,
        r#""state":{}"#,
        r#""state":"start","queue_name":7"#,
        r#""state":"start","queue_name":[]"#,
        r#""state":"start","queue_name":{}"#,
        r#""state":"start","mod":true"#,
        r#""state":"start","faction":"borg""#,
        r#""state":"start","faction":0"#,
        r#""state":"start","faction":6"#,
        r#""state":"start","faction":-1"#,
        r#""state":"start","faction":1e300"#,
        r#""state":"start","faction":1.5"#,
        r#""state":"start","faction":[1]"#,
        r#""state":"start","faction":{}"#,
        r#""state":"start","queue_name":"""#,
        r#""state":"start","queue_name":"\u0000\ud83d\ude00""#,
        long.as_str(),
    ] {
        story.send(1, &format!(r#"{{"command":"game_matchmaking",{members}}}"#));
        let conn = story.conn(1);
        let answers = story.lobby.receive(conn);
        let answers: Vec<_> = answers.iter().filter(|text| text.contains(r#""style":"error""#)).collect();
        assert_eq!(answers.len(), 1, "{members}");
        assert!(answers[0].len() < 1000, "{} bytes", answers[0].len());
        assert!(story.is_online(1), "{members}");
        assert_eq!(story.activity(1), "Idle", "{members}");
    }
    // All forms of a faction that can be read.
    for faction in [r#""uef""#, r#""CYBRAN""#, "1", "5", r#""nomad""#] {
        story.send(1, &format!(r#"{{"command":"game_matchmaking","state":"start","faction":{faction}}}"#));
        assert_eq!(story.seen(1).last(), Some(&started(SOLO)), "{faction}");
    }
    story.lobby.check();
}

#[test]
fn ten_thousand_searches_in_a_row_leave_nothing_behind() {
    let mut story = Story::of(2);
    let before = story.inside().to_string().len();
    for number in 0..10_000 {
        story.start(1, [SOLO, OTHER_SOLO, PAIRS, "borg"][number % 4]);
        story.stop(1, [SOLO, OTHER_SOLO, PAIRS, "borg"][number % 4]);
        story.seen(1);
    }
    // The lobby reads them at its own pace.
    story.wait(4_100);
    story.seen(1);
    story.seen(2);
    assert_eq!(story.lobby.unread(story.conn(1)), 0);
    assert_eq!(story.activity(1), "Idle");
    assert_eq!(story.inside()["queues"]["searching"], json!({}));
    story.lobby.queue_events.clear();
    let after = story.inside().to_string().len();
    assert!(after < before + 4_000, "{before} bytes became {after}");
    story.matched(1, 2);
}

// --- why there is no match yet ---

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
