//! Commands that this server does not offer: no error for those that clients send on their own, a
//! notice for those that a player triggers, and for unknown ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use faf_lobby_core::Settings;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

fn lobby() -> SimulatedLobby {
    SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada"]))
}

fn notice(style: &str, text: &str) -> String {
    format!(r#"{{"command":"notice","style":"{style}","text":"{text}"}}"#)
}

#[test]
fn outdated_clients_cannot_play() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    for (text, answer) in [
        (
            r#"{"command":"restore_game_session","game_id":1}"#,
            notice("info", "The game you were connected to no longer exists"),
        ),
        (r#"{"command":"matchmaker_info"}"#, r#"{"command":"matchmaker_info","queues":[]}"#.to_owned()),
        (
            r#"{"command":"InitiateTest","target":"connectivity","args":[6112]}"#,
            notice(
                "error",
                "Your client version is no longer supported. Please update to the newest version: https://faforever.com",
            ),
        ),
    ] {
        lobby.send(ada, text);
        assert_eq!(lobby.receive(ada), [answer]);
    }
    for text in [
        r#"{"command":"game_host","visibility":"public"}"#,
        r#"{"command":"game_join","uid":1}"#,
        r#"{"command":"restore_game_session","game_id":1}"#,
        r#"{"command":"game_matchmaking","state":"start"}"#,
    ] {
        lobby.send(ada, text);
        assert_eq!(
            lobby.receive(ada),
            [notice("error", "Cannot join game. Please update your client to the newest version.")]
        );
    }
    lobby.send(ada, r#"{"command":"match_ready"}"#);
    lobby.send(ada, r#"{"command":"GameState","target":"game","args":["Idle"]}"#);
    assert_eq!(lobby.receive(ada), [""; 0]);
    assert!(lobby.is_open(ada));
}

/// Sent after every login, when a game starts, when the party changes.
#[test]
fn commands_that_clients_send_on_their_own_are_accepted() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    for silent in [
        r#"{"command":"set_player_vetoes","vetoes":[]}"#,
        r#"{"command":"game_matchmaking","queue_name":"ladder1v1","state":"stop"}"#,
        r#"{"command":"game_matchmaking","state":"stop"}"#,
        r#"{"command":"match_ready"}"#,
    ] {
        lobby.send(ada, silent);
        assert_eq!(lobby.receive(ada), [""; 0], "{silent}");
    }
    // A search that cannot begin is refused as usual. The same holds while the server shuts down.
    let unknown = notice("error", r#"There is no matchmaker queue \"ladder1v1\" on this server."#);
    lobby.send(ada, r#"{"command":"game_matchmaking","queue_name":"ladder1v1","state":"start"}"#);
    assert_eq!(lobby.receive(ada), std::slice::from_ref(&unknown));
    lobby.shut_down();
    lobby.receive(ada);
    lobby.send(ada, r#"{"command":"game_matchmaking","state":"stop"}"#);
    assert_eq!(lobby.receive(ada), [""; 0]);
    lobby.send(ada, r#"{"command":"game_matchmaking","state":"start"}"#);
    assert_eq!(lobby.receive(ada), [unknown]);
    assert!(lobby.is_open(ada));
    lobby.check();
}

#[test]
fn unknown_commands_close_the_connection_only_before_the_login() {
    let mut lobby = lobby();
    let (ada, stranger) = (lobby.log_in("Ada"), lobby.connect());
    for command in ["unready_party", "is_ready_response", "request", "Ping", "Bottleneck", "no_such_command"]
    {
        lobby.send(ada, &format!(r#"{{"command":"{command}"}}"#));
        let text =
            format!(r#"This server does not know the command \"{command}\", which your client has sent."#);
        assert_eq!(lobby.receive(ada), [notice("info", &text)]);
    }
    lobby.send(stranger, r#"{"command":"unready_party"}"#);
    assert_eq!(lobby.receive(stranger), [""; 0]);
    assert!(!lobby.is_open(stranger));
    // A message without a command is invalid.
    lobby.send(ada, r#"{"no":"command"}"#);
    assert_eq!(lobby.receive_commands(ada), ["invalid"]);
    assert!(!lobby.is_open(ada));
    lobby.check();
}
