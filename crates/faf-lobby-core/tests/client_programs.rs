//! The client programs of today read everything that the lobby sends around queues and matches:
//! `golden/clients/`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod matchmaker;

use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::{MatchOutcome, Settings};
use faf_protocol::{GameId, Json};
use faf_testkit::clients::Programs;
use serde_json::Value;

use matchmaker::*;

/// Begins a story whose players' clients are all programs of today.
fn story(players: u32, change: impl Fn(&mut QueueData)) -> Story {
    let mut store = store();
    store.data.queues.iter_mut().for_each(change);
    let mut story = Story::with(0, Settings::default(), store);
    story.lobby.programs = Some(Programs::new());
    (1..=players).for_each(|player| story.log_in(player));
    story.wait(1);
    story
}

/// Checks that all programs have read everything, and that these commands were sent.
fn assert_read(story: &Story, commands: &[&str]) {
    let programs = story.lobby.programs.as_ref().unwrap();
    let violations: Vec<String> = programs.violations.iter().map(ToString::to_string).collect();
    assert_eq!(violations, [""; 0]);
    for command in commands {
        assert!(programs.received.contains_key(*command), "no {command} in {:?}", programs.received);
    }
    story.lobby.check();
}

fn launch_of(messages: &[Value]) -> Option<&Value> {
    messages.iter().find(|message| message["command"] == "game_launch")
}

#[test]
fn programs_read_the_queues_and_the_searches_of_parties() {
    let mut story = story(5, |_| {});
    for player in 1..=5 {
        story.send(player, r#"{"command":"matchmaker_info"}"#);
        story.send(player, r#"{"command":"set_party_factions","factions":["uef","seraphim"]}"#);
    }
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.start(3, SOLO);
    story.wait(1);
    story.stop(1, PAIRS);
    story.start(1, PAIRS);
    // Rounds without a match.
    story.wait_until(2 * FIRST_ROUND);
    story.send(2, r#"{"command":"leave_party"}"#);
    story.disconnect(3);
    story.wait(1);
    // A player who comes later receives no report before the own player.
    story.start(5, SOLO);
    story.log_in(6);
    story.send(6, r#"{"command":"matchmaker_info"}"#);
    story.wait(1);
    assert_read(&story, &["welcome", "matchmaker_info", "search_info", "party_invite", "update_party"]);
}

/// The .NET client drops a `search_info` with members that it does not know. It loses nothing: it
/// was told before that the search has begun.
#[test]
fn programs_read_why_a_search_goes_on() {
    let mut story = story(1, |_| {});
    story.start(1, SOLO);
    story.wait_until(4 * FIRST_ROUND);
    let infos = story.received_as(1, "search_info");
    let has_reason: Vec<bool> = infos.iter().map(|info| !info["reason"].is_null()).collect();
    assert_eq!(has_reason, [false, true]);
    let programs = story.lobby.programs.as_mut().unwrap();
    let violations = std::mem::take(&mut programs.violations);
    let violations: Vec<_> =
        violations.iter().map(|found| (found.client, found.rule, found.path.as_str())).collect();
    let extra = |path| ("dotnet", "extra", path);
    assert_eq!(violations, [extra("reason"), extra("waited_seconds"), extra("failed_attempts")]);
    assert_read(&story, &["search_info", "matchmaker_info"]);
}

#[test]
fn programs_read_a_match_from_its_beginning_to_its_end() {
    for option in [None, Some("yes")] {
        let mut story = story(3, |queue| {
            let options = option.map(|value| ("Score".to_owned(), Json::from(value)));
            queue.game_options = options.into_iter().collect();
        });
        story.start(1, SOLO);
        story.start(2, SOLO);
        story.wait_until(FIRST_ROUND);
        let of_host = story.received(1);
        let launch = launch_of(&of_host).expect("the host launches");
        assert_eq!(launch["game_options"]["Score"].as_str(), option);
        story.process(1, &["Idle", "Lobby"]);
        assert!(launch_of(&story.received(2)).is_some(), "the guest follows");
        story.process(2, &["Idle", "Lobby"]);
        story.seat(1, &[1, 2]);
        story.wait(1);
        story.process(1, &["Launching"]);
        story.wait(1);
        assert_eq!(story.received_as(3, "game_info").last().unwrap()["state"], "playing");
        story.wait(300);
        for player in 1..=2 {
            story.game(player, "GameResult", r#"[1,"victory 10"]"#);
            story.game(player, "GameResult", r#"[2,"defeat -10"]"#);
        }
        (1..=2).for_each(|player| story.process(player, &["Ended"]));
        story.wait(5);
        assert_eq!(story.outcomes(), [MatchOutcome::Launched]);
        let commands = [
            "match_found",
            "game_launch",
            "game_info",
            "HostGame",
            "JoinGame",
            "ConnectToPeer",
            "player_info",
        ];
        assert_read(&story, &commands);
    }
}

#[test]
fn programs_read_matches_that_fail_and_their_consequences() {
    let mut story = story(2, |_| {});
    for _ in 0..2 {
        (1..=2).for_each(|player| drop(story.seen(player)));
        story.matched(1, 2);
        story.wait(120);
    }
    assert!(story.lobby.world.game(GameId(1)).is_none(), "the games are over");
    story.start(1, SOLO);
    story.wait(1);
    let commands = ["match_cancelled", "search_violation", "search_timeout", "notice"];
    assert_read(&story, &commands);
}

/// The .NET client drops each `match_cancelled`, as none has the name of the queue, so that a game
/// without an id changes nothing for it. All others ignore the id.
#[test]
fn programs_read_that_a_match_without_a_game_is_cancelled() {
    let mut story = story(2, |_| {});
    story.start(1, SOLO);
    story.start(2, SOLO);
    story.lobby.holds_replies = true;
    story.wait_until(FIRST_ROUND);
    while story.lobby.fail_next() {}
    assert_eq!(story.seen(1).last().unwrap(), "cancelled null");
    let programs = story.lobby.programs.as_mut().unwrap();
    let violations = std::mem::take(&mut programs.violations);
    let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(violations, ["dotnet: match_cancelled: game_id: null: null"; 2]);
    assert_read(&story, &["match_found", "match_cancelled"]);
}
