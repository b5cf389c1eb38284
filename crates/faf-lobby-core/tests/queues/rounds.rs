//! When queues have rounds, and the effects of a round (matchmaking.md sections 4 and 5).

use faf_lobby_core::{LogLine, QueueEvent, Settings};

use crate::matchmaker::*;
use crate::{started, stopped};

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
