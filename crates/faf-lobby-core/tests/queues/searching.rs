//! Parties enter queues and leave them (matchmaking.md sections 1 and 2).

use faf_lobby_core::Event;
use faf_protocol::PlayerId;
use serde_json::json;

use crate::matchmaker::*;
use crate::{started, stopped};

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
