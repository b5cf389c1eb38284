//! The end of the server while a match is set up, and the next one (matchmaking.md section 11).

use faf_lobby_core::MatchOutcome;
use serde_json::json;

use crate::leaving::{STAGES, Stage, bring, reply};
use crate::matchmaker::*;

/// A live game keeps the server going.
fn with_a_live_game() -> Story {
    let mut story = Story::of(3);
    story.host(3);
    story.process(3, &["Idle", "Lobby"]);
    story.game(3, "PlayerOption", r#"["3","Army",1]"#);
    story.process(3, &["Launching"]);
    story.wait(1);
    for player in 1..=3 {
        story.seen(player);
    }
    story
}

#[test]
fn a_shutdown_cancels_matches_at_every_stage_and_their_processes_are_ended() {
    for stage in STAGES {
        let mut story = with_a_live_game();
        bring(&mut story, stage);
        story.lobby.shut_down();
        reply(&mut story);
        assert_eq!(story.outcomes(), [MatchOutcome::Errored], "{stage:?}");
        assert_eq!(story.inside()["violations"], json!({}), "{stage:?}");
        for player in 1..=2 {
            let has_process = stage >= Stage::GuestStarts || player == 1 && stage != Stage::Opening;
            // The live game has the first id.
            let id = if stage == Stage::Opening { "null" } else { "2" };
            let seen = story.seen(player);
            assert_eq!(seen[0], format!("cancelled {id}"), "{stage:?}: {seen:?}");
            assert_eq!(seen.contains(&"kill: ".to_owned()), has_process, "{stage:?}: {seen:?}");
            assert!(seen.last().unwrap().starts_with("info: The server will be shutting down"), "{seen:?}");
            assert_eq!(story.activity(player), "Idle", "{stage:?}: {player}");
        }
        story.wait(70);
        assert_eq!(story.outcomes().len(), 1, "{stage:?}");
        assert!(!story.lobby.has_stopped, "the live game goes on");
        story.process(3, &["Ended"]);
        story.wait(2);
        assert!(story.lobby.has_stopped, "{stage:?}");
    }
}

#[test]
fn a_shutdown_of_a_server_without_other_games_ends_at_once() {
    for stage in STAGES {
        let mut story = Story::of(2);
        bring(&mut story, stage);
        story.lobby.shut_down();
        reply(&mut story);
        story.wait(3);
        assert!(story.lobby.has_stopped, "{stage:?}");
    }
}

#[test]
fn the_second_order_to_shut_down_cuts_everything_off() {
    for stage in STAGES {
        let mut story = Story::of(2);
        bring(&mut story, stage);
        story.lobby.shut_down();
        story.lobby.shut_down();
        reply(&mut story);
        story.wait(3);
        assert!(story.lobby.has_stopped, "{stage:?}");
    }
}

#[test]
fn a_launched_match_survives_the_end_of_the_server() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    story.process(2, &["Launching"]);
    story.lobby.shut_down();
    assert!(!story.seen(1).contains(&"kill: ".to_owned()));
    assert_eq!(story.outcomes(), [MatchOutcome::Launched]);
    story.lobby.restart();
    for player in 1..=2 {
        story.log_in(player);
        story.send(player, r#"{"command":"restore_game_session","game_id":1}"#);
        assert_eq!(story.activity(player), "Playing");
    }
    for player in 1..=2 {
        story.game(player, "GameResult", r#"[1,"victory 10"]"#);
        story.game(player, "GameResult", r#"[2,"defeat -10"]"#);
        story.game(player, "GameEnded", "[]");
        story.process(player, &["Ended"]);
    }
    story.wait(2);
    assert!(story.lobby.store.games[&faf_protocol::GameId(1)].end.is_some());
    for player in 1..=2 {
        story.assert_free(player);
    }
}

#[test]
fn after_a_restart_at_any_stage_everybody_is_free_and_nobody_is_blamed() {
    for stage in STAGES {
        let mut story = Story::of(2);
        bring(&mut story, stage);
        // The database never replies about the maps. Five seconds after the round, it stores that
        // the searches have ended.
        if stage == Stage::Opening {
            story.lobby.take_next();
        }
        story.lobby.holds_replies = false;
        story.wait(6);
        story.lobby.restart();
        for player in 1..=2 {
            story.log_in(player);
        }
        story.wait(1);
        // The processes of the old match still run, and send what they do.
        for player in 1..=2 {
            story.seen(player);
            story.process(player, &["Idle", "Lobby", "Launching", "Ended"]);
            assert_eq!(story.activity(player), "Idle", "{stage:?}");
            story.send(player, r#"{"command":"restore_game_session","game_id":1}"#);
            let seen = story.seen(player);
            let is_refused = seen.len() == 1 && seen[0].starts_with("info: The game you were connected to");
            assert!(is_refused, "{stage:?}: {seen:?}");
            story.assert_free(player);
        }
        assert_eq!(story.inside()["violations"], json!({}), "{stage:?}");
        story.assembled(1, 2);
        story.lobby.check();
    }
}

/// The stored state is older than the match: the players search again, and are matched again.
#[test]
fn after_a_restart_at_once_the_players_of_a_match_search_again() {
    for stage in STAGES {
        let mut story = Story::of(2);
        bring(&mut story, stage);
        story.lobby.holds_replies = false;
        story.lobby.restart();
        for player in 1..=2 {
            let conn = story.lobby.connect();
            story.lobby.send_hello(conn, LOGINS[player - 1]);
            let received = story.lobby.receive(conn);
            let start = r#"{"command":"search_info","queue_name":"ladder1v1","state":"start"}"#;
            assert_eq!(received.last().unwrap(), start, "{stage:?}");
        }
        story.wait(FIRST_ROUND);
        assert_eq!(story.inside()["matches"]["matches"].as_object().unwrap().len(), 1, "{stage:?}");
        assert_eq!(story.inside()["violations"], json!({}), "{stage:?}");
        story.lobby.check();
    }
}
