//! Passwords of games that are not texts.

use crate::support::{game, lobby};

/// Returns the commands that a guest receives on joining with a password, and whether the
/// connection stays open.
fn join(hosted: &str, tried: &str) -> (Vec<String>, bool) {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.send(ada, &format!(r#"{{"command":"game_host","visibility":"public","password":{hosted}}}"#));
    assert!(lobby.is_open(ada), "{hosted} closes the connection");
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    lobby.receive(bob);
    lobby.send(bob, &format!(r#"{{"command":"game_join","uid":1,"password":{tried}}}"#));
    (lobby.receive_commands(bob), lobby.is_open(bob))
}

#[test]
fn a_number_is_its_text_for_the_host_and_always_wrong_for_a_guest() {
    for (hosted, tried, is_right) in [
        ("4711", r#""4711""#, true),
        (r#""4711""#, r#""4711""#, true),
        ("4711", r#""4712""#, false),
        (r#""4711""#, "4711", false),
        (r#""secret""#, "4711", false),
        (r#""secret""#, "true", false),
        (r#""secret""#, "[1]", false),
        (r#""secret""#, r#"{"a":1}"#, false),
        (r#""secret""#, "null", false),
        ("true", r#""true""#, true),
    ] {
        let (received, is_open) = join(hosted, tried);
        let expected: &[&str] = if is_right { &["game_launch"] } else { &["game_join_failed", "notice"] };
        assert_eq!(received, expected, "{hosted} hosted, {tried} tried");
        assert!(is_open, "{tried} closes the connection");
    }
}
