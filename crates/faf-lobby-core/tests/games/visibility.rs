//! Visibility of games: the players who receive them, and when.

use faf_protocol::PlayerId;
use faf_testkit::lobby::SimulatedLobby;

use crate::support::{PLAYERS, SECOND, enter, game, host, host_with, join, live_game, lobby, received_games};

const EMPTY_LIST: &str = r#"{"command":"game_info","games":[]}"#;

#[test]
fn hidden_games_do_not_leak() {
    let mut lobby = lobby();
    lobby.store.account("Ada").friends.insert(PlayerId(2));
    let [ada, bob, cem, ..] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    lobby.send(ada, r#"{"command":"game_host","visibility":"friends"}"#);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, bob).len(), 1);
    assert_eq!(received_games(&mut lobby, cem), []);
    // The game appears and disappears with the friendship.
    lobby.send(ada, r#"{"command":"social_add","friend":3}"#);
    assert_eq!(received_games(&mut lobby, cem), [("open".to_owned(), 0)]);
    lobby.send(ada, r#"{"command":"social_remove","friend":3}"#);
    assert_eq!(received_games(&mut lobby, cem), [("closed".to_owned(), 0)]);
    // A player inside the game sees it, and receives its end on leaving.
    lobby.send(ada, r#"{"command":"social_add","friend":3}"#);
    enter(&mut lobby, cem, 1);
    lobby.send(ada, r#"{"command":"social_remove","friend":3}"#);
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, cem).last(), Some(&("open".to_owned(), 0)));
    game(&mut lobby, cem, "GameState", r#"["Ended"]"#);
    assert_eq!(received_games(&mut lobby, cem), [("closed".to_owned(), 0)]);
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, cem), []);
    assert_eq!(received_games(&mut lobby, bob).last().unwrap().0, "closed");

    host(&mut lobby, ada, "");
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, bob).len(), 1);
    lobby.send(ada, r#"{"command":"social_add","foe":2}"#);
    assert_eq!(received_games(&mut lobby, bob), [("closed".to_owned(), 0)]);
    lobby.send(ada, r#"{"command":"social_remove","foe":2}"#);
    assert_eq!(received_games(&mut lobby, bob), [("open".to_owned(), 0)]);
}

#[test]
fn a_hidden_game_looks_like_an_unused_number() {
    let mut lobby = lobby();
    lobby.store.account("Ada").friends.insert(PlayerId(2));
    lobby.store.account("Dan").foes.insert(PlayerId(3));
    let [ada, bob, cem, dan, _] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    lobby.send(ada, r#"{"command":"game_host","visibility":"friends"}"#);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    host(&mut lobby, dan, "");
    lobby.advance(SECOND);
    // Returns the answers and the number of database requests for each command.
    let tried = |lobby: &mut SimulatedLobby, uid: u32| {
        lobby.receive(cem);
        lobby.holds_replies = true;
        let attempts = lobby.store.joins.len();
        let mut answers = Vec::new();
        for request in [
            format!(r#"{{"command":"game_join","uid":{uid}}}"#),
            format!(r#"{{"command":"game_join","uid":{uid},"password":"x"}}"#),
            format!(r#"{{"command":"restore_game_session","game_id":{uid}}}"#),
        ] {
            lobby.send(cem, &request);
            let requests = lobby.open_requests();
            while lobby.reply_next() {}
            answers.push((requests, lobby.receive(cem)));
        }
        lobby.holds_replies = false;
        assert_eq!(lobby.store.joins.len(), attempts, "game {uid}");
        format!("{answers:?}").replace(&format!(r#"\"uid\":{uid}"#), "")
    };
    let free = tried(&mut lobby, 99);
    assert!(free.contains("host_left_game") && free.contains("no longer exists"), "{free}");
    assert_eq!(tried(&mut lobby, 1), free, "for friends only");
    assert_eq!(tried(&mut lobby, 2), free, "of a host whose foe one is");
    // Friends, and players inside the game, can join it and rejoin it.
    enter(&mut lobby, bob, 1);
    lobby.disconnect(bob);
    lobby.send(ada, r#"{"command":"social_remove","friend":2}"#);
    let bob = lobby.log_in("Bob");
    lobby.send(bob, r#"{"command":"restore_game_session","game_id":1}"#);
    assert!(lobby.receive(bob).is_empty());
    assert_eq!(lobby.world.games().next().unwrap().members().len(), 2);
}

#[test]
fn a_former_friend_does_not_get_in() {
    let mut lobby = lobby();
    lobby.store.account("Ada").friends.insert(PlayerId(2));
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.send(ada, r#"{"command":"game_host","visibility":"friends"}"#);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    join(&mut lobby, bob, 1);
    lobby.send(ada, r#"{"command":"social_remove","friend":2}"#);
    game(&mut lobby, bob, "GameState", r#"["Idle"]"#);
    game(&mut lobby, bob, "GameState", r#"["Lobby"]"#);
    assert_eq!(lobby.world.games().next().unwrap().members(), [PlayerId(1)]);
}

#[test]
fn a_game_opens_with_its_host_at_any_time_of_the_report() {
    for reported_after in [0, 1, 2] {
        let mut lobby = lobby();
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        lobby.advance(SECOND);
        lobby.receive(bob);
        host_with(&mut lobby, ada, "");
        for (step, state) in ["Idle", "Lobby"].into_iter().enumerate() {
            if step == reported_after {
                lobby.advance(SECOND);
                assert_eq!(received_games(&mut lobby, bob), [("closed".to_owned(), 0)]);
                assert_eq!(list_of(&mut lobby, "Cem"), EMPTY_LIST);
                join(&mut lobby, bob, 1);
                assert!(lobby.receive(bob).join("").contains("game_not_ready"));
            }
            game(&mut lobby, ada, "GameState", &format!(r#"["{state}"]"#));
        }
        lobby.advance(SECOND);
        assert_eq!(received_games(&mut lobby, bob), [("open".to_owned(), 0)], "{reported_after}");
        assert_ne!(list_of(&mut lobby, "Dan"), EMPTY_LIST);
    }
}

#[test]
fn games_that_end_before_a_report_are_not_reported() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    for _ in 0..15 {
        host_with(&mut lobby, ada, "");
        game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    }
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, bob), []);
    assert_eq!(lobby.world.games().count(), 0);
}

fn list_of(lobby: &mut SimulatedLobby, login: &str) -> String {
    let conn = lobby.connect();
    lobby.send_hello(conn, login);
    let received = lobby.receive(conn);
    received.into_iter().find(|text| text.contains(r#""games":["#)).unwrap_or_default()
}

#[test]
fn a_player_made_a_foe_while_offline_does_not_find_the_game() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, "");
    lobby.advance(SECOND);
    lobby.send(ada, r#"{"command":"social_add","foe":2}"#);
    assert_eq!(list_of(&mut lobby, "Bob"), EMPTY_LIST);
    assert_ne!(list_of(&mut lobby, "Cem"), EMPTY_LIST);
}

#[test]
fn a_host_who_logs_in_with_other_lists_hides_and_shows_the_game() {
    let mut lobby = lobby();
    let (ada, _) = live_game(&mut lobby);
    let cem = lobby.log_in("Cem");
    lobby.advance(SECOND);
    received_games(&mut lobby, cem);
    // The lists change after the host has lost the connection.
    lobby.disconnect(ada);
    lobby.store.account("Ada").foes.insert(PlayerId(3));
    let ada = lobby.log_in("Ada");
    assert_eq!(received_games(&mut lobby, cem), [("closed".to_owned(), 1)]);
    lobby.disconnect(ada);
    lobby.store.account("Ada").foes.remove(&PlayerId(3));
    lobby.log_in("Ada");
    assert_eq!(received_games(&mut lobby, cem), [("playing".to_owned(), 1)]);
}

#[test]
fn a_player_made_a_foe_during_a_game_does_not_find_it_after_a_kill() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, "");
    lobby.advance(SECOND);
    game(&mut lobby, ada, "PlayerOption", r#"[1,"Army",1]"#);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    lobby.send(ada, r#"{"command":"social_add","foe":2}"#);
    lobby.restart();
    assert_eq!(list_of(&mut lobby, "Bob"), EMPTY_LIST);
    assert_ne!(list_of(&mut lobby, "Cem"), EMPTY_LIST);
}

#[test]
fn a_guest_is_connected_to_the_host_first() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    lobby.advance(SECOND);
    join(&mut lobby, bob, 1);
    lobby.receive(bob);
    game(&mut lobby, ada, "IceMsg", r#"[2,"early"]"#);
    assert!(lobby.receive(bob).is_empty());
}
