//! Players of a match who log in again, or begin something else: nothing of the old match touches
//! what they do now.

use faf_lobby_core::MatchOutcome;
use faf_protocol::GameId;
use serde_json::json;

use crate::leaving::{STAGES, Stage, bring, reply};
use crate::matchmaker::*;

#[test]
fn a_player_who_logs_in_elsewhere_is_free_and_is_told_nothing_of_the_match() {
    for stage in STAGES {
        for returning in 1..=2 {
            let context = format!("{returning} logs in again at {stage:?}");
            let mut story = Story::of(2);
            bring(&mut story, stage);
            story.lobby.holds_replies = false;
            let held = (stage == Stage::Opening).then(|| story.lobby.perform_next());
            story.log_in(returning);
            story.wait(1);
            story.seen(returning);
            assert_eq!(story.activity(returning), "Idle", "{context}");
            if let Some(held) = held {
                story.lobby.reply(held);
            }
            // The match fails without the player, now or when the player is needed.
            if returning == 2 && stage < Stage::GuestStarts {
                story.process(1, if stage == Stage::HostIsIdle { &["Lobby"] } else { &["Idle", "Lobby"] });
            }
            assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft], "{context}");
            let seen = story.seen(returning);
            assert!(seen.is_empty() || seen.len() == 2 && seen[0] == "violation 1", "{context}: {seen:?}");
            story.assert_free(returning);
            let other = 3 - returning;
            if story.activity(other) != "Idle" {
                story.process(other, &["Ended"]);
            }
            story.assert_free(other);
            story.wait(120);
            assert_eq!(story.inside()["matches"]["matches"], json!({}), "{context}");
            story.lobby.check();
        }
    }
}

/// Two queues, whose rounds come one after the other, so that a player can be in a match of the
/// second while the first is still being set up.
fn two_queues() -> Story {
    let mut story = Story::of(3);
    story.wait_until(30);
    story.lobby.store.data.queues.push(queue(4, "late1v1", 1));
    story
}

#[test]
fn a_new_match_is_not_touched_by_the_failure_of_the_old_one() {
    let mut story = two_queues();
    // `late1v1` begins at 600, and plays its rounds at 645 and 735; the ladder at 585, 675 and 765.
    story.wait_until(640);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.wait_until(675);
    assert_eq!(story.seen(2).last().unwrap(), "found ladder1v1");
    story.seen(1);
    // Bob logs in again and is matched with Cem, while Ada's process takes its time.
    story.log_in(2);
    story.start(2, "late1v1");
    story.start(3, "late1v1");
    story.process(1, &["Idle"]);
    story.wait_until(734);
    assert!(story.outcomes().is_empty());
    story.wait_until(735);
    // The old match ran out at the same time, in the same second.
    story.wait(1);
    let new = story.inside()["matches"]["of_player"]["2"].as_u64().unwrap();
    assert_eq!(new, 2, "{}", story.inside()["matches"]);
    assert_eq!(story.inside()["matches"]["of_player"]["3"], 2);
    let seen = story.seen(2);
    assert!(!seen.iter().any(|text| text.starts_with("cancelled")), "{seen:?}");
    // Cem or Bob hosts the new match, which is launched.
    let host = story.lobby.world.game(GameId(2)).unwrap().host().0;
    let guest = 5 - host;
    for player in [host, guest] {
        story.process(player, &["Idle", "Lobby"]);
    }
    // Ada's old game ends, and touches nothing.
    story.process(1, &["Ended"]);
    story.assert_free(1);
    assert_eq!(story.inside()["matches"]["of_player"][guest.to_string()], 2);
    story.seat(host, &[host, guest]);
    story.process(host, &["Launching"]);
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut, MatchOutcome::Launched]);
    assert_eq!([story.activity(2), story.activity(3)], ["Playing", "Playing"]);
    story.lobby.check();
}

/// The same with an old match that fails while the new one is being set up.
#[test]
fn a_player_of_a_new_match_who_leaves_cancels_that_one_although_an_old_one_has_failed_since() {
    let mut story = two_queues();
    story.wait_until(670);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.wait_until(676);
    story.seen(2);
    story.seen(1);
    story.log_in(2);
    story.wait_until(730);
    story.start(2, "late1v1");
    story.start(3, "late1v1");
    // Ada opens her lobby in the last second, so that the old match fails after the new one began.
    story.process(1, &["Idle"]);
    story.lobby.advance(std::time::Duration::from_millis(4_900));
    story.wait(1);
    story.seen(2);
    let found = story.inside()["matches"].clone();
    assert_eq!(found["of_player"]["2"], 2, "{found}");
    let host = story.lobby.world.game(GameId(2)).unwrap().host().0;
    story.process(host, &["Idle", "Lobby"]);
    // The guest of the new match loses the connection: the new match must fail.
    let guest = 5 - host;
    story.process(guest, &["Idle", "Lobby"]);
    story.seen(host);
    story.disconnect(guest);
    assert!(story.seen(host).contains(&"cancelled 2".to_owned()));
    story.process(host, &["Ended"]);
    story.assert_free(host);
    story.lobby.check();
}

#[test]
fn a_guest_who_is_lost_before_being_asked_to_start_cancels_the_new_match_after_an_old_one_failed() {
    let mut story = two_queues();
    story.wait_until(670);
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.wait_until(676);
    story.log_in(2);
    story.wait_until(733);
    story.start(3, "late1v1");
    story.start(2, "late1v1");
    story.wait_until(735);
    // Now the old match of Ada and Bob has failed, and Bob is the guest of Cem.
    story.wait(1);
    for player in 1..=3 {
        story.seen(player);
    }
    assert_eq!(story.lobby.world.game(GameId(2)).unwrap().host().0, 3);
    story.disconnect(2);
    story.process(3, &["Idle", "Lobby"]);
    assert_eq!(story.seen(3).last().unwrap(), "cancelled 2", "the guest is known to be gone");
    story.lobby.check();
}

#[test]
fn a_player_of_a_cancelled_match_may_be_matched_again_while_the_old_one_is_remembered() {
    let mut story = Story::of(2);
    story.wait_until(80);
    story.assembled(1, 2);
    story.wait(20);
    story.process(2, &["Ended"]);
    story.process(1, &["Ended"]);
    story.seen(1);
    story.seen(2);
    // The old match is remembered for a minute. The next round is 70 seconds from now, so the
    // players are matched in another queue, which is asked more often.
    assert_eq!(story.inside()["matches"]["matches"]["1"]["phase"], "Cancelled");
    let mut settings = faf_lobby_core::Settings::default();
    settings.matchmaking.queue_pop_desired_matches = 0.1;
    story.lobby.handle(faf_lobby_core::Event::Reconfigured { settings: Box::new(settings) });
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.wait(45);
    assert_eq!(story.inside()["matches"]["matches"]["1"]["phase"], "Cancelled");
    story.wait(30);
    let game = story.inside()["matches"]["of_player"]["1"].as_u64().unwrap();
    assert_eq!(game, 2);
    assert_eq!(story.inside()["matches"]["of_player"]["2"], 2);
    for player in 1..=2 {
        story.process(player, &["Idle", "Lobby"]);
    }
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft, MatchOutcome::Launched]);
    story.lobby.check();
}

/// The guest's process is given up ten seconds before the match (M3).
#[test]
fn a_guest_who_has_begun_something_else_is_not_sent_that_the_match_is_cancelled() {
    for what in ["host", "search"] {
        let mut story = Story::of(2);
        story.matched(1, 2);
        story.process(1, &["Idle", "Lobby"]);
        story.wait(61);
        assert_eq!(story.activity(2), "Idle", "the process has not started in a minute");
        story.seen(2);
        if what == "host" {
            story.host(2);
            assert_eq!(story.seen(2), ["launch 2"]);
        } else {
            story.start(2, OTHER_SOLO);
            assert_eq!(story.seen(2), ["other1v1 start"]);
        }
        story.wait(9);
        let seen = story.seen(2);
        assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
        assert_eq!(seen[0], "violation 1", "{what}: {seen:?}");
        assert_eq!(story.activity(2), if what == "host" { "StartingGame" } else { "SearchingLadder" });
        story.lobby.check();
    }
}

#[test]
fn a_blamed_player_who_logs_in_again_is_still_timed_out() {
    let mut story = Story::of(2);
    for _ in 0..2 {
        story.assembled(1, 2);
        story.disconnect(2);
        story.process(1, &["Ended"]);
        story.log_in(2);
        story.wait(60);
        story.seen(1);
        story.seen(2);
    }
    story.start(2, SOLO);
    assert_eq!(story.seen(2)[0], "search_timeout");
    assert_eq!(story.activity(2), "Idle");
}

/// The game of a match is restored like any other after a lost connection.
#[test]
fn a_player_returns_to_the_launched_game_of_a_match() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    story.process(2, &["Launching"]);
    story.disconnect(2);
    story.log_in(2);
    story.send(2, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(story.activity(2), "Playing");
    assert_eq!(story.inside()["violations"], json!({}));
}

/// Until the launch, a match cannot be returned to.
#[test]
fn a_player_cannot_return_to_a_match_that_has_failed() {
    let mut story = Story::of(2);
    bring(&mut story, Stage::Assembled);
    story.disconnect(2);
    story.log_in(2);
    story.seen(2);
    story.send(2, r#"{"command":"restore_game_session","game_id":1}"#);
    let seen = story.seen(2);
    assert!(seen.len() == 1 && seen[0].starts_with("info: The game you were connected to"), "{seen:?}");
    assert_eq!(story.activity(2), "Idle");
    reply(&mut story);
}

/// Otherwise the player could make one more match fail.
#[test]
fn a_player_who_is_timed_out_meanwhile_searches_no_more() {
    let mut story = Story::of(2);
    for round in 1..=2 {
        story.matched(1, 2);
        story.process(1, &["Idle", "Lobby"]);
        // The guest's process does not start, and is given up before the match is.
        story.wait(60);
        story.seen(2);
        story.start(2, SOLO);
        assert_eq!(story.seen(2), [format!("{SOLO} start")]);
        story.wait(10);
        let seen = story.seen(2);
        assert_eq!(seen[0], format!("violation {round}"));
        let is_searching = story.activity(2) == "SearchingLadder";
        assert_eq!(is_searching, round == 1);
        assert_eq!(seen.contains(&format!("{SOLO} stop")), round == 2);
        story.stop(2, SOLO);
        story.process(1, &["Ended"]);
        story.seen(1);
        story.seen(2);
    }
}
