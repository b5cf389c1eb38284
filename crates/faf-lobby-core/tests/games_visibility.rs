//! Who is told of games, and when: stories that the simulation has found.

use std::time::Duration;

use faf_lobby_core::{ConnId, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

const EMPTY_LIST: &str = r#"{"command":"game_info","games":[]}"#;

fn lobby() -> SimulatedLobby {
    SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada", "Bob", "Cem"]))
}

fn state(lobby: &mut SimulatedLobby, conn: ConnId, state: &str) {
    lobby.say(conn, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
}

fn host(lobby: &mut SimulatedLobby, conn: ConnId) {
    lobby.say(conn, r#"{"command":"game_host","visibility":"public"}"#);
    state(lobby, conn, "Idle");
    state(lobby, conn, "Lobby");
    lobby.advance(Duration::from_secs(1));
}

fn list_of(lobby: &mut SimulatedLobby, login: &str) -> String {
    let conn = lobby.connect();
    lobby.say_hello(conn, login);
    let heard = lobby.hear(conn);
    heard.into_iter().find(|text| text.contains(r#""games":["#)).unwrap_or_default()
}

#[test]
fn who_becomes_a_foe_while_offline_does_not_find_the_game_later() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada);
    lobby.say(ada, r#"{"command":"social_add","foe":2}"#);
    assert_eq!(list_of(&mut lobby, "Bob"), EMPTY_LIST);
    assert_ne!(list_of(&mut lobby, "Cem"), EMPTY_LIST);
}

#[test]
fn who_becomes_a_foe_during_a_game_does_not_find_it_after_a_kill() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada);
    lobby.say(ada, r#"{"target":"game","command":"PlayerOption","args":[1,"Army",1]}"#);
    state(&mut lobby, ada, "Launching");
    lobby.say(ada, r#"{"command":"social_add","foe":2}"#);
    lobby.restart();
    assert_eq!(list_of(&mut lobby, "Bob"), EMPTY_LIST);
    assert_ne!(list_of(&mut lobby, "Cem"), EMPTY_LIST);
}

#[test]
fn a_guest_hears_of_the_host_before_anybody_else() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada);
    lobby.say(bob, r#"{"command":"game_join","uid":1}"#);
    lobby.hear(bob);
    lobby.say(ada, r#"{"target":"game","command":"IceMsg","args":[2,"early"]}"#);
    assert!(lobby.hear(bob).is_empty());
}
