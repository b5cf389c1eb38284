//! Messages of other services.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{Event, LogLine, Request, Settings};
use faf_protocol::PlayerId;
use faf_protocol::server_message::Avatar;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

const ADA: PlayerId = PlayerId(1);
const BOB: PlayerId = PlayerId(2);

fn lobby() -> SimulatedLobby {
    SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada", "Bob"]))
}

fn notify(lobby: &mut SimulatedLobby, to: Option<PlayerId>, message: &str) {
    lobby.handle(Event::Notification { to, message: message.parse().unwrap() });
}

fn avatar(name: &str) -> Avatar {
    Avatar { url: format!("https://example.org/{name}.png"), tooltip: name.to_owned() }
}

/// Selects an avatar in the database, as another service does.
fn select(lobby: &mut SimulatedLobby, login: &str, name: &str) {
    lobby.store.account(login).avatar = Some(avatar(name));
}

#[test]
fn notification_is_passed_on_as_it_is_to_its_receivers() {
    let mut lobby = lobby();
    let (ada, bob, nobody) = (lobby.log_in("Ada"), lobby.log_in("Bob"), lobby.connect());
    lobby.advance(Duration::from_secs(2));
    for conn in [ada, bob] {
        lobby.receive(conn);
    }
    let text = r#"{"command":"of_tomorrow","n":1.50,"z":{"b":1,"a":[]}}"#;
    notify(&mut lobby, Some(BOB), text);
    assert_eq!((lobby.receive(ada), lobby.receive(bob)), (vec![], vec![text.to_owned()]));
    notify(&mut lobby, None, text);
    assert_eq!((lobby.receive(ada), lobby.receive(bob)), (vec![text.to_owned()], vec![text.to_owned()]));
    assert_eq!(lobby.receive(nobody), [""; 0], "it has not logged in");
    notify(&mut lobby, Some(PlayerId(77)), text);
    assert_eq!((lobby.receive(ada), lobby.receive(bob)), (vec![], vec![]));
    assert!(
        lobby.log.iter().any(|line| matches!(line, LogLine::NotificationForNobody { player: PlayerId(77) }))
    );
    lobby.check();
}

#[test]
fn avatar_is_read_again_and_reported() {
    let mut lobby = lobby();
    let (_, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.advance(Duration::from_secs(2));
    lobby.receive(bob);
    select(&mut lobby, "Ada", "Moon");
    lobby.advance(Duration::from_secs(2));
    assert_eq!(lobby.receive(bob), [""; 0], "nobody has said so");
    lobby.handle(Event::AvatarChanged { player: ADA });
    lobby.advance(Duration::from_secs(2));
    let received = lobby.receive(bob);
    assert!(received[0].contains(r#""avatar":{"url":"https://example.org/Moon.png""#), "{received:?}");
    lobby.store.account("Ada").avatar = None;
    lobby.handle(Event::AvatarChanged { player: ADA });
    lobby.advance(Duration::from_secs(2));
    let received = lobby.receive(bob);
    assert!(received[0].contains("player_info") && !received[0].contains("avatar"), "{received:?}");
    lobby.handle(Event::AvatarChanged { player: PlayerId(77) });
    assert_eq!(lobby.open_requests(), 0, "nobody is online with this number");
    lobby.check();
}

#[test]
fn many_changes_make_one_request_at_a_time_and_the_last_one_counts() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.advance(Duration::from_secs(2));
    lobby.receive(bob);
    lobby.holds_replies = true;
    select(&mut lobby, "Ada", "Moon");
    lobby.handle(Event::AvatarChanged { player: ADA });
    let old = lobby.perform_next();
    select(&mut lobby, "Ada", "Sun");
    for _ in 0..100 {
        lobby.handle(Event::AvatarChanged { player: ADA });
    }
    assert_eq!(lobby.open_requests(), 0, "one is pending");
    lobby.reply(old);
    assert_eq!(lobby.open_requests(), 1);
    assert!(lobby.reply_next());
    lobby.advance(Duration::from_secs(2));
    let received = lobby.receive(bob);
    assert!(received.len() == 1 && received[0].contains("Sun"), "{received:?}");

    // The player selects another one while it is read.
    lobby.store.account("Ada").avatars = vec![avatar("Star")];
    lobby.handle(Event::AvatarChanged { player: ADA });
    let old = lobby.perform_next();
    lobby.send(ada, r#"{"command":"avatar","action":"select","avatar":"https://example.org/Star.png"}"#);
    assert!(lobby.reply_next());
    lobby.reply(old);
    assert!(lobby.reply_next());
    lobby.advance(Duration::from_secs(2));
    let received = lobby.receive(bob);
    assert!(received.len() == 1 && received[0].contains("Star"), "{received:?}");
    lobby.check();
}

#[test]
fn reply_for_an_earlier_login_or_a_failure_changes_nothing() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.advance(Duration::from_secs(2));
    lobby.holds_replies = true;
    select(&mut lobby, "Ada", "Moon");
    lobby.handle(Event::AvatarChanged { player: ADA });
    assert!(lobby.fail_next());
    lobby.handle(Event::AvatarChanged { player: ADA });
    let old = lobby.perform_next();
    lobby.disconnect(ada);
    lobby.holds_replies = false;
    select(&mut lobby, "Ada", "Sun");
    lobby.log_in("Ada");
    lobby.reply(old);
    lobby.advance(Duration::from_secs(2));
    let received = lobby.receive(bob);
    assert!(received.iter().all(|text| !text.contains("Moon")), "{received:?}");
    assert!(received.iter().any(|text| text.contains("Sun")), "{received:?}");
    lobby.check();
}

#[test]
fn avatar_that_changes_during_the_login_is_read_again() {
    let mut lobby = lobby();
    let bob = lobby.log_in("Bob");
    lobby.holds_replies = true;
    let ada = lobby.connect();
    lobby.send_hello(ada, "Ada");
    assert!(lobby.reply_next(), "the password");
    let old = lobby.perform_next();
    select(&mut lobby, "Ada", "Moon");
    lobby.handle(Event::AvatarChanged { player: ADA });
    lobby.reply(old);
    assert!(matches!(lobby.take_next(), Request::SignIn(..)), "the profile again");
    let _ = bob;
}
