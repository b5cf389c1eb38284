//! Matches between players who dislike each other: foes play no part in the matchmaker
//! (matchmaking.md section 4).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod matchmaker;

use faf_lobby_core::Settings;
use faf_protocol::PlayerId;
use matchmaker::*;

#[test]
fn a_foe_of_the_host_plays_the_match_and_sees_its_game() {
    let mut store = store();
    store.account("Ada").foes = [PlayerId(2), PlayerId(3)].into();
    let mut story = Story::with(3, Settings::default(), store);
    let game = story.matched(1, 2);
    story.process(1, &["Idle", "Lobby"]);
    story.wait(1);
    assert_eq!(story.received_as(3, "game_info").len(), 0, "it is hidden from the host's other foes");
    let shown = story.received_as(2, "game_info");
    assert!(shown.iter().any(|info| info["uid"] == game && info["state"] == "open"), "{shown:?}");
    story.process(2, &["Idle", "Lobby"]);
    assert_eq!(story.seen(2), ["JoinGame"]);
}
