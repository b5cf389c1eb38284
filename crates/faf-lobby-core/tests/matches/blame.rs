//! The blame for a match that was not launched although all players were in the lobby: on which
//! players it falls, and when on nobody (games.md section 6.8, matchmaking.md sections 10 and 13).

use std::collections::BTreeSet;

use faf_lobby_core::{Event, MatchOutcome, Settings};
use faf_protocol::GameId;
use serde_json::json;

use crate::matchmaker::*;

/// Returns the players with violations.
fn blamed(story: &Story) -> BTreeSet<u32> {
    let violations = story.inside()["violations"].clone();
    violations.as_object().unwrap().keys().map(|player| player.parse().unwrap()).collect()
}

#[test]
fn without_reports_of_all_games_nobody_is_blamed() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.reaches(1, &[2]);
    story.wait(70);
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
    assert_eq!(blamed(&story), BTreeSet::new());
    assert_eq!(story.seen(1), ["cancelled 1"]);
    assert_eq!(story.seen(2), ["cancelled 1"]);
}

#[test]
fn the_host_of_connected_players_who_does_not_launch_is_blamed() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.reaches(1, &[2]);
    story.reaches(2, &[1]);
    for player in 1..=2 {
        story.game(player, "LaunchStatus", r#"["Ready"]"#);
    }
    story.wait(70);
    assert_eq!(blamed(&story), BTreeSet::from([1]));
}

#[test]
fn a_connected_guest_who_is_not_ready_is_blamed_instead_of_the_host() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.reaches(1, &[2]);
    story.reaches(2, &[1]);
    for (player, status) in [(1, "Ready"), (2, "Ready"), (2, "Missing local peers")] {
        story.game(player, "LaunchStatus", &format!(r#"["{status}"]"#));
    }
    story.wait(70);
    assert_eq!(blamed(&story), BTreeSet::from([2]));
}

/// Neither a claim nor silence shifts the blame.
#[test]
fn a_connection_that_only_one_game_reports_does_not_count() {
    for claim in [&[0, 1, 2][..], &[]] {
        let (mut story, players) = lobby_of_four();
        for (place, peers) in [&[1, 2][..], &[0, 2], &[0, 1], claim].into_iter().enumerate() {
            peers.iter().for_each(|peer| story.reaches(players[place], &[players[*peer]]));
        }
        story.wait(90);
        assert_eq!(blamed(&story), BTreeSet::from([players[3]]), "{claim:?}");
    }
}

/// A match of four single players, all of whom are in the lobby. Returns them, the host first.
fn lobby_of_four() -> (Story, [u32; 4]) {
    let mut story = Story::of(4);
    for player in 1..=4 {
        story.start(player, PAIRS);
    }
    story.wait_until(FIRST_ROUND);
    let host = story.lobby.world.game(GameId(1)).unwrap().host().0;
    let guests: Vec<u32> = (1..=4).filter(|player| *player != host).collect();
    let players = [host, guests[0], guests[1], guests[2]];
    for player in players {
        story.process(player, &["Idle", "Lobby"]);
    }
    (story, players)
}

#[test]
fn players_without_connections_are_blamed_by_the_reports_of_all_games() {
    // For each of four players, by their place: those whom the player reaches, and whom lost again.
    #[expect(clippy::type_complexity, reason = "a table")]
    let cases: [(&str, [(&[usize], &[usize]); 4], &[usize]); 6] = [
        ("one is isolated", [(&[1, 2], &[]), (&[0, 2], &[]), (&[0, 1], &[]), (&[0], &[0])], &[3]),
        (
            "two miss each other",
            [(&[1, 2, 3], &[]), (&[0, 2, 3], &[]), (&[0, 1], &[]), (&[0, 1], &[])],
            &[2, 3],
        ),
        ("two pairs", [(&[1], &[]), (&[0], &[]), (&[3], &[]), (&[2], &[])], &[0, 1, 2, 3]),
        (
            "all are connected",
            [(&[1, 2, 3], &[]), (&[0, 2, 3], &[]), (&[0, 1, 3], &[]), (&[0, 1, 2], &[])],
            &[],
        ),
        (
            "a connection is lost",
            [(&[1, 2, 3], &[]), (&[0, 2, 3], &[3]), (&[0, 1, 3], &[3]), (&[0, 1, 2], &[1, 2])],
            &[3],
        ),
        ("the host is isolated", [(&[1], &[1]), (&[2, 3], &[]), (&[1, 3], &[]), (&[1, 2], &[])], &[0]),
    ];
    for (name, reports, expected) in cases {
        let (mut story, players) = lobby_of_four();
        for (place, (reached, lost)) in reports.into_iter().enumerate() {
            for peer in reached {
                // Repetitions count once.
                story.reaches(players[place], &[players[*peer], players[*peer]]);
            }
            for peer in lost {
                story.game(players[place], "DisconnectedPeer", &format!("[{}]", players[*peer]));
            }
        }
        story.wait(90);
        let expected: BTreeSet<u32> = expected.iter().map(|place| players[*place]).collect();
        assert_eq!(blamed(&story), expected, "{name}");
    }
}

/// A report cannot shift the blame: it counts only for the game that sends it, and only about
/// players of the match.
#[test]
fn reports_about_strangers_and_oneself_and_of_others_do_not_count() {
    let mut store = store();
    store.data.queues.truncate(1);
    let mut story = Story::with(3, Settings::default(), store);
    story.assembled(1, 2);
    story.reaches(1, &[2]);
    // The guest does not reach the host, and claims to reach others.
    for peer in ["3", "99", "0", "-1", "2"] {
        story.game(2, "EstablishedPeer", &format!("[{peer}]"));
    }
    story.game(2, "DisconnectedPeer", "[1]");
    // Somebody who is not in the match.
    story.game(3, "EstablishedPeer", "[1]");
    for args in ["[]", "[null]", r#"["x"]"#, "[{}]", "[1e300]"] {
        story.game(2, "EstablishedPeer", args);
        story.game(2, "DisconnectedPeer", args);
        assert!(story.is_online(2), "{args}");
    }
    story.wait(70);
    assert_eq!(blamed(&story), BTreeSet::new());
    assert_eq!(story.outcomes(), [MatchOutcome::TimedOut]);
}

#[test]
fn a_player_whose_game_is_not_in_the_lobby_is_blamed_whatever_is_reported() {
    let mut story = Story::of(2);
    story.matched(1, 2);
    story.process(1, &["Idle", "Lobby"]);
    story.process(2, &["Idle"]);
    story.reaches(1, &[2]);
    story.reaches(2, &[1]);
    story.wait(70);
    assert_eq!(blamed(&story), BTreeSet::from([2]));
}

// --- a common cause ---

/// Logs in many more players, who do nothing.
fn crowd(story: &mut Story, number: u32) -> Vec<faf_lobby_core::ConnId> {
    (0..number)
        .map(|place| {
            let login = format!("x{place}");
            let password = format!("{login}-pw");
            let id = faf_protocol::PlayerId(1000 + place);
            story.lobby.store.add_account(faf_testkit::store::FakeAccount::new(id, login.clone(), password));
            // Few logins are admitted at once.
            story.lobby.advance(std::time::Duration::from_millis(10));
            story.lobby.log_in(&login)
        })
        .collect()
}

#[test]
fn nobody_is_blamed_when_many_players_are_lost_within_a_minute() {
    // Of 102 players, twelve are more than a tenth, and ten are not. A match that was being set up
    // then is excused until its end.
    for (lost, share, later, is_blamed) in
        [(12, 0.1, 1, false), (10, 0.1, 1, true), (12, 0.2, 1, true), (12, 0.1, 60, false)]
    {
        let mut settings = Settings::default();
        settings.matches.common_losses_share = share;
        let mut story = Story::with(2, settings, store());
        let others = crowd(&mut story, 100);
        story.assembled(1, 2);
        for conn in &others[..lost] {
            story.lobby.disconnect(*conn);
        }
        story.wait(later);
        story.process(2, &["Ended"]);
        assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft]);
        assert_eq!(blamed(&story).len(), usize::from(is_blamed), "{lost} {share} {later}");
        let seen = story.seen(2);
        assert_eq!(seen.len(), if is_blamed { 3 } else { 1 }, "{seen:?}");
    }
}

#[test]
fn players_who_are_lost_with_many_others_are_not_blamed_either() {
    let mut story = Story::of(2);
    let others = crowd(&mut story, 30);
    story.assembled(1, 2);
    for conn in &others[..20] {
        story.lobby.disconnect(*conn);
    }
    story.disconnect(2);
    assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft]);
    assert_eq!(blamed(&story), BTreeSet::new());
}

/// The first of many is not known to be one when the connection is lost.
#[test]
fn the_first_of_many_who_are_lost_is_not_blamed_either() {
    for lost in [20, 5] {
        let mut story = Story::of(2);
        let others = crowd(&mut story, 30);
        story.assembled(1, 2);
        story.disconnect(2);
        assert_eq!(story.outcomes(), [MatchOutcome::PlayerLeft]);
        story.wait(20);
        for conn in &others[..lost] {
            story.lobby.disconnect(*conn);
        }
        story.wait(39);
        assert_eq!(blamed(&story), BTreeSet::new(), "it is not decided yet");
        story.wait(2);
        assert_eq!(blamed(&story), if lost == 5 { BTreeSet::from([2]) } else { BTreeSet::new() });
    }
}

#[test]
fn nobody_is_blamed_while_the_server_shuts_down() {
    let mut story = Story::of(2);
    story.assembled(1, 2);
    story.lobby.handle(Event::Shutdown);
    for player in 1..=2 {
        story.process(player, &["Ended"]);
    }
    assert_eq!(story.outcomes(), [MatchOutcome::Errored]);
    assert_eq!(blamed(&story), BTreeSet::new());
    assert_eq!(story.inside()["matches"]["of_player"], json!({}));
}
