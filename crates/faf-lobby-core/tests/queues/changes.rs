//! Queues that change while players search in them (matchmaking.md section 2).

use faf_lobby_core::QueueEvent;

use crate::matchmaker::*;
use crate::{started, stopped};

#[test]
fn queues_are_read_again_every_ten_minutes() {
    let mut story = Story::of(2);
    story.start(1, SOLO);
    story.start(2, PAIRS);
    let queues = &mut story.lobby.store.data.queues;
    queues.remove(0);
    queues.push(queue(9, "new1v1", 1));
    queues[1].game_options.insert("Share".to_owned(), "ShareUntilDeath".into());
    story.seen(1);
    story.seen(2);
    story.wait_until(599);
    assert_eq!(story.seen(1), [""; 0]);
    story.wait_until(601);
    assert_eq!(story.seen(1), [stopped(SOLO)]);
    assert_eq!(story.activity(1), "Idle");
    assert_eq!(story.seen(2), [""; 0], "the others go on");
    assert_eq!(story.activity(2), "SearchingLadder");
    story.start(1, SOLO);
    assert_eq!(story.seen(1), [r#"error: There is no matchmaker queue "ladder1v1" on this server."#]);
    story.start(1, "new1v1");
    assert_eq!(story.seen(1), [started("new1v1")]);
    story.start(2, "new1v1");
    // Its first round comes half the longest wait later.
    story.wait_until(600 + FIRST_ROUND - 1);
    assert!(!story.seen(1).contains(&"found new1v1".to_owned()));
    story.wait_until(600 + FIRST_ROUND);
    assert_eq!(story.seen(1)[0], "found new1v1");
    story.lobby.check();
}

#[test]
fn a_queue_with_another_name_or_leaderboard_loses_its_searches() {
    for change in ["name", "leaderboard"] {
        let mut story = Story::of(1);
        story.start(1, SOLO);
        story.seen(1);
        match change {
            "name" => story.lobby.store.data.queues[0].name = "renamed".to_owned(),
            _ => story.lobby.store.data.queues[0].leaderboard = "global".to_owned(),
        }
        story.wait_until(601);
        assert_eq!(story.seen(1), [stopped(SOLO)], "{change}");
        assert_eq!(story.activity(1), "Idle", "{change}");
    }
}

/// A party of two in a queue that has become one of single players could never play.
#[test]
fn a_queue_with_smaller_teams_loses_the_searches_that_no_longer_fit() {
    let mut story = Story::of(3);
    story.party(1, &[2]);
    story.start(1, PAIRS);
    story.start(3, PAIRS);
    for player in 1..=3 {
        story.seen(player);
    }
    story.lobby.store.data.queues[2].team_size = 1;
    story.wait_until(601);
    for player in 1..=2 {
        assert_eq!(story.seen(player), [stopped(PAIRS)]);
        assert_eq!(story.activity(player), "Idle");
    }
    assert_eq!(story.seen(3), [""; 0]);
    assert_eq!(story.activity(3), "SearchingLadder");
    story.start(1, PAIRS);
    assert_eq!(story.seen(1), ["error: Your party is too large to join that queue!"]);
    story.wait(300);
    story.lobby.check();
}

#[test]
fn a_queue_that_returns_has_one_rhythm() {
    let mut story = Story::of(1);
    let solo = story.lobby.store.data.queues.remove(0);
    story.wait_until(601);
    story.lobby.store.data.queues.insert(0, solo);
    story.wait_until(1201);
    story.lobby.queue_events.clear();
    story.wait_until(1800);
    let popped = story.lobby.queue_events.iter();
    let popped = popped.filter(|event| matches!(event, QueueEvent::Popped(popped) if popped.queue.0 == 1));
    // At 1245, 1335, and so on.
    assert_eq!(popped.count(), 7);
}

#[test]
fn a_database_that_is_away_changes_no_queue() {
    let mut story = Story::of(1);
    story.start(1, SOLO);
    story.seen(1);
    story.lobby.store.is_unavailable = true;
    story.wait_until(601);
    assert_eq!(story.seen(1), [""; 0]);
    assert_eq!(story.activity(1), "SearchingLadder");
}
