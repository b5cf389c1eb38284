//! Players who close the game or lose the connection while a match is set up (games.md section 10,
//! matchmaking.md sections 8.5 and 9).

use faf_lobby_core::{Event, MatchOutcome};
use faf_protocol::PlayerId;
use serde_json::json;

use crate::matchmaker::*;

const VIOLATION: &str = "violation 1";

/// A phase of a match of the players 1 and 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The database is asked for the maps.
    Opening,
    /// The host's process starts.
    HostStarts,
    /// The host's process has started, and its lobby is not open.
    HostIsIdle,
    /// The guest's process starts.
    GuestStarts,
    /// The guest's process has started, and is not in the lobby.
    GuestIsIdle,
    /// Both are in the lobby.
    Assembled,
}

pub(crate) const STAGES: [Stage; 6] = [
    Stage::Opening,
    Stage::HostStarts,
    Stage::HostIsIdle,
    Stage::GuestStarts,
    Stage::GuestIsIdle,
    Stage::Assembled,
];

/// Brings two players to a stage of a match. While the match is opened, the reply of the database
/// is held back.
pub(crate) fn bring(story: &mut Story, stage: Stage) {
    if stage == Stage::Opening {
        story.start(1, SOLO);
        story.start(2, SOLO);
        story.wait_for_round(1);
        story.lobby.holds_replies = true;
        story.wait(1);
        assert_eq!(story.seen(1).last().unwrap(), "found ladder1v1");
        assert_eq!(story.lobby.open_requests(), 1);
    } else {
        story.matched(1, 2);
    }
    if stage >= Stage::HostIsIdle {
        story.process(1, &["Idle"]);
    }
    if stage >= Stage::GuestStarts {
        story.process(1, &["Lobby"]);
    }
    if stage >= Stage::GuestIsIdle {
        story.process(2, &["Idle"]);
    }
    if stage == Stage::Assembled {
        story.process(2, &["Lobby"]);
    }
    for player in 1..=2 {
        story.seen(player);
    }
}

/// Lets the database reply, if it is asked.
pub(crate) fn reply(story: &mut Story) {
    while story.lobby.reply_next() {}
    story.lobby.holds_replies = false;
}

/// Checks that a match was cancelled for a player, who is blamed or not.
fn assert_cancelled(story: &mut Story, player: u32, id: &str, is_blamed: bool, context: &str) {
    let seen = story.seen(player);
    let seen: Vec<_> = seen.iter().filter(|text| !text.contains("Peer")).collect();
    assert_eq!(*seen[0], format!("cancelled {id}"), "{context}");
    if is_blamed {
        assert_eq!(seen[1], VIOLATION, "{context}");
        assert!(seen[2].starts_with("info: You have failed to connect to 1 match lately."), "{seen:?}");
    }
    assert_eq!(seen.len(), if is_blamed { 3 } else { 1 }, "{context}: {seen:?}");
}

#[test]
fn a_player_who_closes_the_game_cancels_the_match_at_once_and_is_blamed() {
    for stage in STAGES {
        for leaver in 1..=2 {
            let has_process = stage >= Stage::GuestStarts || leaver == 1 && stage != Stage::Opening;
            if !has_process {
                continue;
            }
            let context = format!("{leaver} closes at {stage:?}");
            let mut story = Story::of(2);
            bring(&mut story, stage);
            let other = 3 - leaver;
            story.process(leaver, &["Ended"]);
            assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft], "{context}");
            assert_cancelled(&mut story, leaver, "1", true, &context);
            assert_cancelled(&mut story, other, "1", false, &context);
            assert_eq!(story.activity(leaver), "Idle", "{context}");
            // The other is free as soon as the own process has ended.
            let other_runs = stage >= Stage::GuestStarts || other == 1;
            if other_runs {
                assert_ne!(story.activity(other), "Idle", "{context}");
                story.process(other, &["Ended"]);
            }
            for player in 1..=2 {
                story.assert_free(player);
            }
            assert_eq!(story.inside()["violations"].as_object().unwrap().len(), 1, "{context}");
            story.wait(200);
            assert_eq!(story.outcomes().len(), 1, "{context}");
            assert_eq!(story.inside()["matches"]["matches"], json!({}), "{context}");
            story.lobby.check();
        }
    }
}

#[test]
fn a_lost_connection_cancels_the_match_when_the_player_is_needed() {
    for stage in STAGES {
        for leaver in 1..=2 {
            let context = format!("{leaver} is lost at {stage:?}");
            let mut story = Story::of(2);
            bring(&mut story, stage);
            let other = 3 - leaver;
            story.disconnect(leaver);
            let is_opening = stage == Stage::Opening;
            reply(&mut story);
            // A guest is not needed before the host's lobby is open.
            if leaver == 2 && stage < Stage::GuestStarts {
                assert!(story.outcomes().is_empty(), "{context}");
                story.process(1, if stage == Stage::HostIsIdle { &["Lobby"] } else { &["Idle", "Lobby"] });
                story.seen(1);
            }
            assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft], "{context}");
            if !(leaver == 2 && stage < Stage::GuestStarts) {
                let id = if is_opening { "null" } else { "1" };
                assert_cancelled(&mut story, other, id, false, &context);
            }
            if story.activity(other) != "Idle" {
                story.process(other, &["Ended"]);
            }
            story.assert_free(other);
            // The player is judged when it is known how many others were lost.
            story.log_in(leaver);
            assert_eq!(story.seen(leaver), [""; 0], "{context}");
            story.assert_free(leaver);
            assert_eq!(story.inside()["violations"], json!({}), "{context}");
            story.wait(200);
            assert_eq!(story.seen(leaver)[0], "violation 1", "{context}");
            assert_eq!(story.inside()["violations"].as_object().unwrap().len(), 1, "{context}");
            assert_eq!(story.outcomes().len(), 1, "{context}");
            assert_eq!(story.inside()["matches"]["matches"], json!({}), "{context}");
            story.lobby.check();
        }
    }
}

#[test]
fn a_banned_or_kicked_player_cancels_the_match_like_a_lost_one() {
    for stage in STAGES {
        let mut story = Story::of(2);
        bring(&mut story, stage);
        if stage == Stage::HostStarts {
            story.lobby.handle(Event::Kicked { player: PlayerId(1), reason: String::new() });
        } else {
            story.lobby.handle(Event::Banned { player: PlayerId(1), ban: ban() });
        }
        reply(&mut story);
        assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft], "{stage:?}");
        assert!(!story.is_online(1));
        story.process(2, &["Ended"]);
        story.assert_free(2);
        story.lobby.check();
    }
}

#[test]
fn both_are_gone_before_anything_begins() {
    for stage in STAGES {
        let mut story = Story::of(3);
        bring(&mut story, stage);
        story.disconnect(2);
        story.disconnect(1);
        reply(&mut story);
        story.wait(200);
        assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft], "{stage:?}");
        assert_eq!(story.inside()["matches"]["matches"], json!({}), "{stage:?}");
        assert_eq!(story.lobby.world.games().count(), 0, "{stage:?}");
        for player in 1..=2 {
            story.log_in(player);
            story.assert_free(player);
        }
        story.lobby.check();
    }
}

/// Begins a match of four players: 1 and 2 are a party, 3 and 4 are one. Returns the players, of
/// whom the first is the host.
fn match_of_four() -> (Story, [u32; 4]) {
    let mut story = Story::of(4);
    story.party(1, &[2]);
    story.party(3, &[4]);
    story.start(1, PAIRS);
    story.start(3, PAIRS);
    story.wait_until(FIRST_ROUND);
    for player in 1..=4 {
        story.seen(player);
    }
    let host = if story.inside()["games"]["games"]["1"]["host"]["id"] == 1 { 1 } else { 3 };
    let players = if host == 1 { [1, 2, 3, 4] } else { [3, 4, 1, 2] };
    (story, players)
}

#[test]
fn one_of_four_who_leaves_is_blamed_alone_and_parties_stay_together() {
    for leaver in 0..4 {
        let (mut story, players) = match_of_four();
        story.process(players[0], &["Idle", "Lobby"]);
        for player in &players[1..] {
            story.process(*player, &["Idle", "Lobby"]);
        }
        for player in players {
            story.seen(player);
        }
        story.process(players[leaver], &["Ended"]);
        for (place, player) in players.into_iter().enumerate() {
            assert_cancelled(&mut story, player, "1", place == leaver, &format!("{leaver}: {place}"));
            story.process(player, &["Ended"]);
            story.assert_free(player);
        }
        story.wait(1);
        // The parties can search again at once.
        story.start(1, PAIRS);
        assert_eq!(story.seen(2).last().unwrap(), "tmm2v2 start");
        story.lobby.check();
    }
}

#[test]
fn all_guests_who_are_gone_when_they_are_needed_are_blamed() {
    let (mut story, [host, mate, one, other]) = match_of_four();
    story.disconnect(mate);
    story.disconnect(other);
    story.process(host, &["Idle", "Lobby"]);
    assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft]);
    story.wait(60);
    let violations = story.inside()["violations"].clone();
    let blamed: Vec<_> = violations.as_object().unwrap().keys().cloned().collect();
    let mut expected = [mate.to_string(), other.to_string()];
    expected.sort();
    assert_eq!(blamed, expected);
    // The guest who was not asked to start is free at once, the host when the process ends.
    assert!(story.seen(one).contains(&"cancelled 1".to_owned()));
    story.assert_free(one);
    story.process(host, &["Ended"]);
    story.assert_free(host);
}

/// A guest who is gone does not hide that the host has not started (M5).
#[test]
fn a_host_who_does_not_start_is_blamed_with_the_guests_who_are_gone() {
    let (mut story, [host, mate, one, other]) = match_of_four();
    story.disconnect(mate);
    story.wait(60);
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
    story.wait(60);
    let violations = story.inside()["violations"].clone();
    assert_eq!(violations[host.to_string()]["count"], 1);
    assert_eq!(violations[mate.to_string()]["count"], 1);
    assert_eq!(violations.as_object().unwrap().len(), 2);
    for player in [host, one, other] {
        story.assert_free(player);
    }
}
