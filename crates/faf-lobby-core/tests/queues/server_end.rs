//! Searches when the server shuts down, and after the next start (matchmaking.md section 11).

use faf_lobby_core::QueueEvent;
use serde_json::json;

use crate::matchmaker::*;
use crate::stopped;

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
