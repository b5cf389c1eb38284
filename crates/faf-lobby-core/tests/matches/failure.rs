//! Matches that are not launched in time, and what follows for their players (matchmaking.md
//! sections 8.5, 9 and 10).

use faf_lobby_core::{GameState, MatchOutcome, Settings};
use faf_protocol::GameId;
use serde_json::json;

use crate::matchmaker::*;

fn violation(count: u32) -> [String; 2] {
    let text = match count {
        1 => "You have failed to connect to 1 match lately. Players who fail repeatedly are timed out and cannot search for a while. If".to_owned(),
        _ => format!(
            "You have failed to connect to {count} matches lately. Players who fail repeatedly are timed out and cannot search for a while. You have to wait {} minutes before you can search again. If",
            if count == 2 { 10 } else { 30 },
        ),
    };
    [
        format!("violation {count}"),
        format!(
            "info: {text} you have trouble connecting, please ask for help on https://forum.faforever.com."
        ),
    ]
}

#[test]
fn a_host_who_does_not_start_within_a_minute_is_blamed() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    story.wait(59);
    assert!(story.seen(1).is_empty() && story.seen(2).is_empty());
    story.wait(1);
    let [count, notice] = violation(1);
    assert_eq!(story.seen(1), ["cancelled 1".to_owned(), count, notice]);
    // The guest is not asked to start a game that is over (M2).
    assert_eq!(story.seen(2), ["cancelled 1"]);
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
    for player in 1..=2 {
        story.assert_free(player);
    }
    // A process that starts too late changes nothing.
    story.process(1, &["Idle", "Lobby", "Launching", "Ended"]);
    assert_eq!(story.activity(1), "Idle");
    story.wait(120);
    assert_eq!(story.outcomes().len(), 1);
    story.lobby.check();
}

#[test]
fn a_host_whose_lobby_does_not_open_within_a_minute_is_blamed() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    story.wait(30);
    story.process(1, &["Idle"]);
    story.wait(29);
    assert_eq!(story.seen(1), [""; 0]);
    story.wait(1);
    let [count, notice] = violation(1);
    assert_eq!(story.seen(1), ["cancelled 1".to_owned(), count, notice]);
    assert_eq!(story.seen(2), ["cancelled 1"]);
    assert_eq!(story.activity(2), "Idle");
    assert_eq!(story.activity(1), "Hosting", "the process runs");
    story.process(1, &["Ended"]);
    story.assert_free(1);
}

#[test]
fn a_guest_who_does_not_start_in_time_is_blamed() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    story.process(1, &["Idle", "Lobby"]);
    story.seen(1);
    story.seen(2);
    story.wait(69);
    assert!(story.outcomes().is_empty());
    story.wait(1);
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
    let [count, notice] = violation(1);
    assert_eq!(story.seen(2), ["cancelled 1".to_owned(), count, notice]);
    let seen = story.seen(1);
    assert_eq!(seen.last().unwrap(), "cancelled 1", "{seen:?}");
    story.assert_free(2);
    story.process(1, &["Ended"]);
    story.assert_free(1);
}

#[test]
fn three_guests_have_ninety_seconds_and_only_those_who_are_missing_are_blamed() {
    let mut story = Story::of(4);
    for player in 1..=4 {
        story.start(player, PAIRS);
    }
    story.wait_until(FIRST_ROUND);
    let host = story.lobby.world.game(GameId(1)).unwrap().host().0;
    let guests: Vec<u32> = (1..=4).filter(|player| *player != host).collect();
    story.process(host, &["Idle", "Lobby"]);
    story.process(guests[0], &["Idle", "Lobby"]);
    story.process(guests[1], &["Idle"]);
    for player in 1..=4 {
        story.seen(player);
    }
    story.wait(89);
    assert!(story.outcomes().is_empty());
    story.wait(1);
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
    for player in 1..=4 {
        let seen = story.seen(player);
        assert!(seen.contains(&"cancelled 1".to_owned()), "{player}: {seen:?}");
        let is_blamed = seen.contains(&"violation 1".to_owned());
        assert_eq!(is_blamed, guests[1..].contains(&player), "{player}: {seen:?}");
        story.process(player, &["Ended"]);
        story.assert_free(player);
    }
}

#[test]
fn the_game_of_a_cancelled_match_is_reported_as_closed() {
    let mut story = Story::of(3);
    story.assembled(1, 2);
    story.wait(2);
    story.received_as(3, "game_info");
    story.wait(70);
    let shown = story.received_as(3, "game_info").pop().unwrap();
    assert_eq!([&shown["uid"], &shown["state"]], [&json!(1), &json!("closed")]);
    for player in 1..=2 {
        story.process(player, &["Ended"]);
    }
    story.wait(1);
    assert!(story.lobby.world.game(GameId(1)).is_none(), "it is forgotten");
    assert!(story.lobby.store.games.is_empty(), "nothing of it is stored");
}

#[test]
fn a_process_that_does_not_end_after_the_match_is_given_up_after_a_minute() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.wait(70);
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
    for (player, state) in [(1, "HOSTING"), (2, "JOINING")] {
        story.seen(player);
        story.host(player);
        assert_eq!(story.seen(player), [format!("error: Can't host a game while in state {state}")]);
    }
    story.wait(59);
    assert_eq!([story.activity(1), story.activity(2)], ["Hosting", "Joining"]);
    story.wait(1);
    for player in 1..=2 {
        story.assert_free(player);
        // A message of the old process is not taken for something of a new game.
        story.process(player, &["Launching"]);
        assert_eq!(story.activity(player), "Idle");
    }
    story.lobby.check();
}

/// The first process that ends does not change what the others do.
#[test]
fn the_host_of_a_cancelled_match_may_play_again_before_the_others_have_ended() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.wait(70);
    story.process(1, &["Ended"]);
    story.host(1);
    assert_eq!(story.seen(1).last().unwrap(), "launch 2");
    story.process(1, &["Idle", "Lobby"]);
    story.wait(61);
    assert_eq!(story.activity(1), "Hosting", "the end of the old match touches the new game");
    assert_eq!(story.lobby.world.game(GameId(2)).unwrap().state(), GameState::Lobby);
    assert_eq!(story.activity(2), "Idle");
}

#[test]
fn violations_add_up_to_time_outs_that_end() {
    let mut story = Story::of(2);
    for (count, wait) in [(1, 0), (2, 600), (3, 1800), (4, 1800)] {
        story.matched(1, 2);
        let mut seen = Vec::new();
        while seen.is_empty() {
            story.wait(1);
            seen = story.seen(1);
        }
        let [text, notice] = violation(count);
        assert_eq!(seen[1..], [text, notice]);
        story.seen(2);
        if wait > 0 {
            story.start(1, SOLO);
            let timeout = story.received_as(1, "search_timeout").remove(0);
            let expires = story.lobby.moment().utc.after(std::time::Duration::from_secs(wait)).to_string();
            assert_eq!(timeout["timeouts"], json!([{"player": 1, "expires_at": expires}]));
            story.wait(wait - 1);
            story.start(1, SOLO);
            assert_eq!(story.seen(1)[0], "search_timeout");
            story.wait(1);
        }
    }
    // An hour after the last one, they are forgotten.
    story.wait(3600);
    story.matched(1, 2);
    story.wait(60);
    assert!(story.seen(1).contains(&"violation 1".to_owned()));
}

#[test]
fn expired_violations_do_not_stay_in_memory() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    story.wait(60);
    assert_eq!(story.inside()["violations"].as_object().unwrap().len(), 1);
    story.wait(4200);
    assert_eq!(story.inside()["violations"], json!({}));
}

#[test]
fn the_time_of_the_violation_is_sent_as_text() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    story.wait(60);
    let violation = story.received_as(1, "search_violation").remove(0);
    let expected = json!({"command": "search_violation", "count": 1, "time": "2026-07-01T12:01:45+00:00"});
    assert_eq!(violation, expected);
}

#[test]
fn without_violations_a_failed_match_only_is_cancelled() {
    let mut settings = Settings::default();
    settings.matches.violations.enabled = false;
    let mut story = Story::with(2, settings, store());
    story.matched(1, 2);
    story.wait(60);
    assert_eq!(story.seen(1), ["cancelled 1"]);
    assert_eq!(story.inside()["violations"], json!({}));
}
