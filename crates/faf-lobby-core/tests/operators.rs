//! Actions of an operator while players are online.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{Ban, Event, LogLine, Settings, Timestamp};
use faf_protocol::PlayerId;
use faf_testkit::lobby::{BEGINNING, SimulatedLobby};
use faf_testkit::store::FakeStore;

const ADA: PlayerId = PlayerId(1);

fn lobby() -> SimulatedLobby {
    SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada", "Bob"]))
}

/// A ban that ends this many seconds after the beginning.
fn ban(seconds: i64) -> Ban {
    Ban { reason: "rude".to_owned(), expires_at: Timestamp(BEGINNING.0 + seconds * 1_000_000) }
}

#[test]
fn a_player_banned_while_online_is_notified_and_disconnected() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.send(
        ada,
        r#"{"command":"game_host","visibility":"public","title":"t","mod":"faf","mapname":"scmp_007"}"#,
    );
    lobby.send(ada, r#"{"target":"game","command":"GameState","args":["Idle"]}"#);
    lobby.send(ada, r#"{"target":"game","command":"GameState","args":["Lobby"]}"#);
    lobby.advance(Duration::from_secs(2));
    lobby.receive(ada);
    lobby.receive(bob);

    lobby.handle(Event::Banned { player: ADA, ban: ban(-1) });
    assert!(lobby.is_open(ada), "this ban is over");
    lobby.handle(Event::Banned { player: ADA, ban: ban(3600) });
    let received = lobby.receive(ada);
    assert!(!lobby.is_open(ada));
    let text = "You are banned from FAF for 1.00 hours. <br>Reason: <br>rude";
    assert!(received[0].contains("notice") && received[0].contains(text), "{received:?}");
    assert!(received[1].contains("authentication_failed") && received[1].contains(text), "{received:?}");
    lobby.advance(Duration::from_secs(2));
    assert!(lobby.receive(bob).iter().any(|text| text.contains("\"state\":\"closed\"")));
    assert!(lobby.is_open(bob));
    lobby.check();
}

#[test]
fn a_player_banned_while_logging_in_is_rejected() {
    for is_known_late in [false, true] {
        let mut lobby = lobby();
        lobby.holds_replies = true;
        let ada = lobby.connect();
        lobby.send_hello(ada, "Ada");
        // The password was accepted, and there was no ban yet.
        assert!(lobby.reply_next());
        if is_known_late {
            let profile = lobby.perform_next();
            lobby.store.account("Ada").bans = vec![ban(3600)];
            lobby.handle(Event::Banned { player: ADA, ban: ban(3600) });
            lobby.reply(profile);
        } else {
            lobby.store.account("Ada").bans = vec![ban(3600)];
        }
        while lobby.reply_next() {}
        assert!(!lobby.is_open(ada));
        assert!(lobby.log.iter().any(|line| matches!(line, LogLine::Banned { player: ADA, .. })));
        let failed = |line: &&LogLine| matches!(line, LogLine::LoginFailed { reason: "banned", account, .. } if account == "Ada");
        assert_eq!(lobby.log.iter().filter(failed).count(), 1);
        assert_eq!(lobby.world.player_count(), 0);
    }
}

#[test]
fn a_kicked_player_receives_the_reason() {
    for (reason, text) in [("", "You have been disconnected by an administrator."), ("go", "go")] {
        let mut lobby = lobby();
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        lobby.receive(ada);
        lobby.handle(Event::Kicked { player: ADA, reason: reason.to_owned() });
        assert_eq!(
            lobby.receive(ada),
            [
                format!(r#"{{"command":"notice","style":"kick","text":"{text}","reason":"administrator"}}"#),
                format!(r#"{{"command":"authentication_failed","text":"{text}"}}"#),
            ]
        );
        assert!(!lobby.is_open(ada) && lobby.is_open(bob));
        lobby.handle(Event::Kicked { player: ADA, reason: String::new() });
        lobby.check();
    }
}

#[test]
fn new_settings_take_effect_at_once() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    let settings = Settings {
        ping_interval: Duration::from_secs(1),
        allow_password_login: false,
        www_url: "https://example.org".to_owned(),
        ..Settings::default()
    };
    lobby.handle(Event::Reconfigured { settings: Box::new(settings) });
    lobby.advance(Duration::from_secs(3));
    assert_eq!(lobby.receive_commands(ada).iter().filter(|command| *command == "ping").count(), 3);
    let bob = lobby.connect();
    lobby.send(bob, r#"{"command":"ask_session","user_agent":"mine"}"#);
    lobby.send_hello(bob, "Bob");
    let received = lobby.receive(bob).concat();
    assert!(received.contains("https://example.org") && received.contains("has been disabled"), "{received}");
}
