//! The information on games that players receive.

use faf_lobby_core::Settings;
use faf_protocol::PlayerId;
use faf_testkit::lobby::BEGINNING;

use crate::support::{
    SECOND, enter, game, host, host_with, join, live_game, lobby, lobby_with, notice, only_game,
    received_games,
};

#[test]
fn the_bounds_of_an_enforced_range_are_inclusive() {
    // New players have a displayed rating of 0.
    for (bounds, is_welcome) in [
        (r#""rating_min":0"#, true),
        (r#""rating_max":0"#, true),
        (r#""rating_min":0,"rating_max":0"#, true),
        (r#""rating_min":0.001"#, false),
        (r#""rating_max":-0.001"#, false),
    ] {
        let mut lobby = lobby();
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        host(&mut lobby, ada, &format!(r#","enforce_rating_range":true,{bounds}"#));
        lobby.advance(SECOND * 2);
        assert_eq!(!received_games(&mut lobby, bob).is_empty(), is_welcome, "{bounds}");
        join(&mut lobby, bob, 1);
        assert_eq!(lobby.receive_commands(bob).contains(&"game_launch".to_owned()), is_welcome, "{bounds}");
    }
}

/// The simulated lobby itself checks this for every report.
#[test]
fn one_report_has_players_and_games() {
    let mut lobby = lobby();
    let cem = lobby.log_in("Cem");
    lobby.advance(SECOND * 2);
    lobby.receive(cem);
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, "");
    lobby.advance(SECOND * 2);
    assert_eq!(lobby.receive_commands(cem), ["player_info", "game_info"]);
}

#[test]
fn a_game_that_is_starting_is_not_in_the_list_at_login() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host_with(&mut lobby, ada, "");
    let list = |lobby: &mut faf_testkit::lobby::SimulatedLobby, login: &str| {
        let conn = lobby.connect();
        lobby.send_hello(conn, login);
        let received = lobby.receive(conn);
        received.into_iter().find(|text| text.starts_with(r#"{"command":"game_info","games":"#)).unwrap()
    };
    assert_eq!(list(&mut lobby, "Bob"), r#"{"command":"game_info","games":[]}"#);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    assert!(list(&mut lobby, "Cem").contains(r#""uid":1"#));
}

#[test]
fn the_times_of_a_game_are_those_of_the_clock() {
    let mut lobby = lobby();
    let (ada, cem) = (lobby.log_in("Ada"), lobby.log_in("Cem"));
    lobby.advance(SECOND * 100);
    host(&mut lobby, ada, "");
    let received = |lobby: &mut faf_testkit::lobby::SimulatedLobby| {
        lobby.advance(SECOND * 2);
        let text = lobby.receive(cem).into_iter().rfind(|text| text.contains(r#""uid":1"#)).unwrap();
        let info: serde_json::Value = serde_json::from_str(&text).unwrap();
        (info["hosted_at"].clone(), info["launched_at"].clone())
    };
    let hosted = serde_json::json!("2026-07-01T12:01:40+00:00");
    assert_eq!(received(&mut lobby), (hosted.clone(), serde_json::Value::Null));
    lobby.advance(SECOND * 48);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    let launched = BEGINNING.0 as f64 / 1e6 + 150.0;
    assert_eq!(received(&mut lobby), (hosted, serde_json::json!(launched)));
}

#[test]
fn the_reason_is_sent_if_a_game_cannot_be_restored() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host_with(&mut lobby, ada, "");
    let restore = |lobby: &mut faf_testkit::lobby::SimulatedLobby, uid: u32| {
        lobby.receive(bob);
        lobby.send(bob, &format!(r#"{{"command":"restore_game_session","game_id":{uid}}}"#));
        lobby.receive(bob)
    };
    let is_over = notice("info", "The game you were connected to is no longer available");
    assert_eq!(restore(&mut lobby, 1), [is_over]);
    assert_eq!(restore(&mut lobby, 7), [notice("info", "The game you were connected to no longer exists")]);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    assert_eq!(restore(&mut lobby, 1), [notice("info", "You are not part of this game")]);
}

/// The lists may have been changed elsewhere, for example on the web site, while the host
/// was offline.
#[test]
fn a_reconnecting_host_has_the_current_friends_and_foes() {
    let mut lobby = lobby();
    let (ada, _) = live_game(&mut lobby);
    let (cem, dan) = (lobby.log_in("Cem"), lobby.log_in("Dan"));
    lobby.advance(SECOND * 2);
    assert!(!received_games(&mut lobby, cem).is_empty());
    lobby.disconnect(ada);
    lobby.store.account("Ada").foes.insert(PlayerId(3));
    let ada = lobby.log_in("Ada");
    lobby.send(ada, r#"{"command":"restore_game_session","game_id":1}"#);
    lobby.advance(SECOND * 2);
    for conn in [cem, dan] {
        lobby.receive(conn);
    }
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 2);
    assert!(received_games(&mut lobby, cem).is_empty(), "a foe does not receive the game");
    assert!(!received_games(&mut lobby, dan).is_empty());
}

#[test]
fn no_game_is_hosted_after_a_shutdown_has_begun() {
    // Before the ban is looked up, before the map is looked up, and before that answer arrives.
    for answers in 0..=2 {
        let mut lobby = lobby_with(Settings::default());
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        // Another player plays, so that the lobby waits.
        host(&mut lobby, bob, "");
        game(&mut lobby, bob, "GameState", r#"["Launching"]"#);
        lobby.receive(ada);
        lobby.holds_replies = true;
        let host_now = |lobby: &mut faf_testkit::lobby::SimulatedLobby| host_with(lobby, ada, "");
        if answers == 0 {
            lobby.shut_down();
            host_now(&mut lobby);
        } else {
            host_now(&mut lobby);
            for _ in 1..answers {
                lobby.reply_next();
            }
            lobby.shut_down();
        }
        lobby.holds_replies = false;
        while lobby.reply_next() {}
        let received = lobby.receive_commands(ada);
        assert!(received.contains(&"disabled".to_owned()), "{answers}: {received:?}");
        assert!(!received.contains(&"game_launch".to_owned()), "{answers}: {received:?}");
        assert_eq!(lobby.world.games().count(), 1, "{answers}");
    }
}

#[test]
fn army_zero_is_an_army() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    crate::support::seat(&mut lobby, ada, 1, 0, 2);
    crate::support::seat(&mut lobby, ada, 2, 1, 3);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    let launched = &lobby.store.games[&only_game(&lobby).id()].launched;
    let armies: Vec<_> = launched.players.iter().map(|player| (player.id.0, player.army)).collect();
    assert_eq!(armies, [(1, 0), (2, 1)]);
}
