//! Bans and time-outs keep players out of queues (matchmaking.md section 10.3).

use faf_lobby_core::{Event, Settings};
use serde_json::json;

use crate::matchmaker::*;
use crate::{started, stopped};

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
fn a_timed_out_party_that_searches_again_ends_its_search() {
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
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(story.activity(1), "Idle", "the client shows no search");
    assert_eq!(story.inside()["queues"]["queues"]["1"]["players"], 0);
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
