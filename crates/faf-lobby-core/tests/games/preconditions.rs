//! Preconditions for a game: the player is not banned, and there is a number for the game.

use faf_lobby_core::{Ban, Settings, Timestamp};
use faf_protocol::GameId;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

use crate::support::{PLAYERS, game, host, host_with, lobby};

#[test]
fn a_ban_is_checked_before_everything_else() {
    let ban = || Ban { reason: "a reason".to_owned(), expires_at: Timestamp(i64::MAX) };
    for request in [
        r#"{"command":"game_host"}"#,
        r#"{"command":"game_host","visibility":"public","title":5}"#,
        r#"{"command":"game_host","visibility":"public","title":"ümlaut","mod":"chess"}"#,
        r#"{"command":"game_join"}"#,
        r#"{"command":"game_join","uid":"one"}"#,
        r#"{"command":"game_join","uid":4711}"#,
    ] {
        let mut lobby = lobby();
        let bob = lobby.log_in("Bob");
        lobby.store.account("Bob").bans = vec![ban()];
        lobby.send(bob, request);
        let received = lobby.receive(bob).join("");
        assert!(received.contains("You are banned from FAF") && !received.contains("invalid"), "{received}");
        assert!(!lobby.is_open(bob));
        // A busy player is refused for that reason first.
        lobby.store.account("Bob").bans.clear();
        let bob = lobby.log_in("Bob");
        host_with(&mut lobby, bob, "");
        lobby.receive(bob);
        lobby.store.account("Bob").bans = vec![ban()];
        lobby.send(bob, request);
        assert!(lobby.receive(bob).join("").contains("while in state STARTING_GAME"), "{request}");
        assert!(lobby.is_open(bob));
    }
}

#[test]
fn no_number_is_given_out_twice() {
    let mut store = FakeStore::with_accounts(PLAYERS.map(|(login, _)| login));
    store.last_game = GameId(i32::MAX as u32 - 1);
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host_with(&mut lobby, ada, "");
    assert!(lobby.receive(ada)[0].contains(r#""uid":2147483647"#));
    for _ in 0..2 {
        host_with(&mut lobby, bob, "");
        let received = lobby.receive(bob).join("");
        assert!(received.contains("this server has given out all numbers of games"), "{received}");
        assert!(lobby.is_open(bob));
    }
    // The last number belongs to a game like any other.
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    lobby.send(bob, r#"{"command":"game_join","uid":2147483647}"#);
    assert!(lobby.receive(bob)[0].contains("game_launch"));

    // Neither is the number of a game that was not launched before the server was killed.
    let mut lobby = crate::support::lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, "");
    lobby.restart();
    let bob = lobby.log_in("Bob");
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive(bob)[0].contains(r#""uid":2,"#));
}
