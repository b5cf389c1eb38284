//! The launch of a match (matchmaking.md section 8.5).

use faf_lobby_core::ratings::LADDER;
use faf_lobby_core::{GameState, MatchOutcome};
use faf_protocol::GameId;
use serde_json::json;

use crate::matchmaker::*;

#[test]
fn a_match_is_launched_by_its_host_and_goes_on_like_any_game() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    assert_eq!([story.activity(1), story.activity(2)], ["Hosting", "Joining"]);
    story.seat(1, &[1, 2]);
    story.process(1, &["Launching"]);
    story.process(2, &["Launching"]);
    assert_eq!([story.activity(1), story.activity(2)], ["Playing", "Playing"]);
    assert_eq!(story.outcomes(), [MatchOutcome::Launched]);
    assert_eq!(story.inside()["matches"], json!({"matches": {}, "of_player": {}}));
    // No time limit of the match ends the game.
    story.wait(600);
    assert_eq!(story.lobby.world.game(GameId(1)).unwrap().state(), GameState::Live);
    for player in 1..=2 {
        assert_eq!(story.seen(player), [""; 0]);
        story.game(player, "GameResult", r#"[1,"victory 10"]"#);
        story.game(player, "GameResult", r#"[2,"defeat -10"]"#);
        story.game(player, "GameEnded", "[]");
    }
    for player in 1..=2 {
        story.process(player, &["Ended"]);
    }
    story.wait(1);
    let stored = &story.lobby.store.games[&GameId(1)];
    let rated = stored.ratings.iter().filter(|change| change.leaderboard == LADDER);
    assert_eq!(rated.count(), 2);
    assert_eq!(stored.launched.queue.map(|queue| queue.0), Some(1));
    // A player who leaves a launched game has failed nothing.
    assert_eq!(story.inside()["violations"], json!({}));
    for player in 1..=2 {
        story.assert_free(player);
    }
    story.lobby.check();
}

#[test]
fn the_game_of_a_match_has_the_arranged_places_when_the_host_sends_part_of_them() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.game(1, "PlayerOption", r#"["1","Color",9]"#);
    story.game(1, "PlayerOption", r#"["2","Color",8]"#);
    story.process(1, &["Launching"]);
    let launched = &story.lobby.store.games[&GameId(1)].launched;
    let places: Vec<_> =
        launched.players.iter().map(|player| (player.id.0, player.army, player.team)).collect();
    assert_eq!(places, [(1, 1, Some(2)), (2, 2, Some(3))]);
}

/// The game is played as the host's process has it, whatever was arranged. So that counts for the
/// results, and the arrangement is explained beside it.
#[test]
fn places_that_the_host_sends_count_and_the_arrangement_is_kept_beside_them() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    for (player, army, team) in [(1, 2, 3), (2, 1, 2)] {
        story.game(1, "PlayerOption", &format!(r#"["{player}","Army",{army}]"#));
        story.game(1, "PlayerOption", &format!(r#"["{player}","Team",{team}]"#));
    }
    story.process(1, &["Launching"]);
    let stored = &story.lobby.store.games[&GameId(1)];
    let places: Vec<_> =
        stored.launched.players.iter().map(|player| (player.id.0, player.army, player.team)).collect();
    assert_eq!(places, [(1, 2, Some(3)), (2, 1, Some(2))]);
    let made = stored.saved.as_ref().unwrap().decisions()[0].lines();
    let team = |number: usize, name: &str| made[number].starts_with(&format!("team {number}: {name} "));
    assert!(team(1, "Ada") && team(2, "Bob"), "{made:?}");
}

/// A host can cheat the others of the match by beginning without them; they must not be stuck.
#[test]
fn a_host_who_launches_without_the_others_leaves_them_free() {
    for states in [&["Idle", "Launching"][..], &["Idle", "Lobby", "Launching"]] {
        let mut story = Story::of(2);
        story.matched(1, 2);
        story.process(1, &["Idle"]);
        story.game(1, "PlayerOption", r#"["1","Army",1]"#);
        story.process(1, &states[1..]);
        story.wait(120);
        assert_eq!(story.activity(2), "Idle", "{states:?}");
        let seen = story.seen(2);
        assert!(seen.contains(&"cancelled 1".to_owned()), "the client waits for the match: {seen:?}");
        story.assert_free(2);
        story.lobby.check();
    }
}

#[test]
fn a_repeated_lobby_of_the_host_starts_the_guests_once() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    story.process(1, &["Idle", "Lobby", "Lobby", "Idle", "Lobby"]);
    assert_eq!(story.seen(2), ["launch 1"]);
    story.process(2, &["Idle", "Lobby", "Lobby"]);
    assert_eq!(story.seen(2), ["JoinGame"]);
}

/// Messages that only make sense later, or from another player, do nothing.
#[test]
fn states_of_a_process_out_of_order_change_nothing() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    // The guest has no process yet.
    story.process(2, &["Idle", "Lobby", "Launching", "Ended"]);
    assert_eq!(story.activity(2), "StartingAutomatch");
    // The host's process has not started.
    story.process(1, &["Lobby", "Launching"]);
    assert_eq!(story.activity(1), "StartingAutomatch");
    story.process(1, &["Idle", "Lobby"]);
    assert_eq!(story.seen(2), ["launch 1"]);
    // Only the host launches.
    story.process(2, &["Idle", "Lobby", "Launching"]);
    story.wait(1);
    assert!(story.outcomes().is_empty());
    assert_eq!(story.lobby.world.game(GameId(1)).unwrap().state(), GameState::Lobby);
    story.lobby.check();
}

#[test]
fn a_database_that_does_not_reply_ends_a_match_and_nobody_is_blamed() {
    // It is asked at the beginning for maps, and at the launch for the map of the game.
    for is_launch in [false, true] {
        let mut story = Story::of(2);
        if is_launch {
            story.assembled(1, 2);
            story.lobby.holds_replies = true;
            story.process(1, &["Launching"]);
        } else {
            story.start(1, SOLO);
            story.start(2, SOLO);
            story.lobby.holds_replies = true;
            story.wait_until(FIRST_ROUND);
        }
        story.wait(19);
        assert!(story.outcomes().is_empty());
        story.wait(1);
        assert_eq!(story.outcomes(), [MatchOutcome::Errored]);
        story.lobby.holds_replies = false;
        while story.lobby.reply_next() {}
        assert_eq!(story.inside()["violations"], serde_json::json!({}));
        for player in 1..=2 {
            story.process(player, &["Ended"]);
            story.assert_free(player);
        }
    }
}

#[test]
fn a_host_who_does_not_wait_for_the_others_is_blamed() {
    for states in [&["Idle", "Launching"][..], &["Idle", "Lobby", "Launching"]] {
        let mut story = Story::of(2);
        story.matched(1, 2);
        story.process(1, states);
        assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft], "{states:?}");
        assert!(story.lobby.store.games.is_empty());
        assert_eq!(story.inside()["violations"]["1"]["count"], 1);
        assert!(story.seen(2).contains(&"cancelled 1".to_owned()));
        story.process(2, &["Ended"]);
        story.assert_free(2);
    }
}

#[test]
fn a_launch_that_comes_with_the_end_of_the_time_counts() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.seat(1, &[1, 2]);
    story.wait(69);
    story.lobby.holds_replies = true;
    story.process(1, &["Launching"]);
    // The time ends while the map is looked up, which is not the fault of anybody.
    story.wait(2);
    while story.lobby.reply_next() {}
    assert_eq!(story.outcomes(), [MatchOutcome::Launched]);
    assert_eq!(story.lobby.store.games.len(), 1);
    story.lobby.holds_replies = false;
    for player in 1..=2 {
        story.process(player, &["Ended"]);
        story.assert_free(player);
    }

    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.seat(1, &[1, 2]);
    story.wait(69);
    story.process(1, &["Launching"]);
    story.wait(2);
    assert_eq!(story.outcomes(), [MatchOutcome::Launched]);
}
