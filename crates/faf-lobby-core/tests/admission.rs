//! Admission of logins when thousands of players reconnect at once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use faf_lobby_core::{ConnId, Count, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn lobby(players: u32, login_rate: u32) -> SimulatedLobby {
    let logins: Vec<String> = (1..=players).map(login).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    // Longer than any of these scenarios waits on purpose.
    let login_timeout = SECOND * 300;
    SimulatedLobby::new(Settings { login_rate, login_timeout, ..Settings::default() }, store)
}

fn login(number: u32) -> String {
    format!("player{number:03}")
}

/// Connects from an address and logs in with the right password.
fn come(lobby: &mut SimulatedLobby, number: u32, address: &str) -> ConnId {
    let conn = lobby.connect_from(address.parse().ok());
    lobby.send_hello(conn, &login(number));
    conn
}

fn is_in(lobby: &mut SimulatedLobby, conn: ConnId) -> bool {
    lobby.receive_commands(conn).contains(&"welcome".to_owned())
}

/// The number of sign-in requests in flight.
fn sign_ins(lobby: &SimulatedLobby) -> usize {
    lobby.world.pending_requests().iter().filter(|(_, request)| request.starts_with("SignIn")).count()
}

#[test]
fn players_are_admitted_at_the_set_rate() {
    let mut lobby = lobby(300, 100);
    for number in 1..=300 {
        come(&mut lobby, number, "1.1.1.1");
    }
    // The logins of a fiftieth of a second at once, the rest one after the other.
    assert_eq!((lobby.world.player_count(), lobby.world.waiting_logins()), (2, 298));
    assert_eq!(lobby.counts.iter().filter(|count| **count == Count::LoginWaits).count(), 298);
    lobby.advance(SECOND);
    assert_eq!(lobby.world.player_count(), 102);
    lobby.advance(SECOND);
    assert_eq!(lobby.world.player_count(), 202);
    lobby.advance(SECOND);
    assert_eq!((lobby.world.player_count(), lobby.world.waiting_logins()), (300, 0));
    lobby.advance(SECOND);
    assert!(lobby.world.is_settled());
}

#[test]
fn sign_ins_in_flight_are_limited() {
    let mut lobby = lobby(100, 1_000_000);
    lobby.holds_replies = true;
    for number in 1..=100 {
        come(&mut lobby, number, "1.1.1.1");
    }
    (0..100).for_each(|_| assert!(lobby.reply_next()));
    assert_eq!((sign_ins(&lobby), lobby.world.waiting_logins()), (64, 36));
    // Each answer admits one more, whether its player can be signed in or not.
    lobby.reply_next();
    assert_eq!((sign_ins(&lobby), lobby.world.waiting_logins()), (64, 35));
    lobby.fail_next();
    assert_eq!((sign_ins(&lobby), lobby.world.waiting_logins()), (64, 34));
    // The database still has to answer for connections that have ended.
    for conn in 3..=5 {
        lobby.disconnect(ConnId(conn));
    }
    assert_eq!((sign_ins(&lobby), lobby.world.waiting_logins()), (64, 34));
    while lobby.reply_next() {}
    lobby.advance(SECOND);
    assert!(lobby.world.is_settled());
    assert_eq!(lobby.world.player_count(), 96);
}

#[test]
fn addresses_take_turns() {
    let mut lobby = lobby(60, 10);
    // The queue is empty, so the first one is admitted at once.
    come(&mut lobby, 1, "9.9.9.9");
    let crowd: Vec<ConnId> =
        (2..=40).map(|number| come(&mut lobby, number, &format!("2001:db8::{number}"))).collect();
    let (ada, bob) = (come(&mut lobby, 50, "1.1.1.1"), come(&mut lobby, 51, "2001:db8:0:1::1"));
    lobby.advance(SECOND / 2);
    // A client with one connection does not wait behind forty.
    assert!(is_in(&mut lobby, ada) && is_in(&mut lobby, bob));
    let (first, later) = crowd.split_at(3);
    assert!(first.iter().all(|conn| is_in(&mut lobby, *conn)), "in the order they came");
    assert!(!later.iter().any(|conn| is_in(&mut lobby, *conn)));
}

#[test]
fn the_login_timeout_does_not_run_in_the_queue() {
    let mut lobby = lobby(600, 1);
    for number in 1..=600 {
        come(&mut lobby, number, "1.1.1.1");
    }
    lobby.advance(SECOND * 400);
    assert_eq!(lobby.world.connection_count(), 600, "nobody is gone");
    assert!((400..=402).contains(&lobby.world.player_count()));
    // Pings are answered, and other messages wait.
    let last = ConnId(600);
    lobby.receive(last);
    lobby.send(last, r#"{"command":"ping"}"#);
    assert_eq!(lobby.receive(last), [r#"{"command":"pong"}"#]);
    lobby.send_hello(last, &login(600));
    lobby.send(last, r#"{"command":"ping"}"#);
    assert_eq!(lobby.receive(last), [""; 0]);
    lobby.advance(SECOND * 201);
    let received = lobby.receive_commands(last);
    assert_eq!(received.iter().filter(|command| *command == "welcome").count(), 1);
    // The second login is handled after the first one.
    assert!(received.contains(&"notice".to_owned()) && received.contains(&"pong".to_owned()), "{received:?}");
}

#[test]
fn an_admitted_login_gets_a_fresh_timeout() {
    let mut lobby = lobby(400, 1);
    for number in 1..=400 {
        come(&mut lobby, number, "1.1.1.1");
    }
    lobby.advance(SECOND * 350);
    lobby.holds_replies = true;
    lobby.advance(SECOND * 10);
    let before = lobby.world.connection_count();
    // The database hangs.
    lobby.advance(SECOND * 280);
    assert_eq!(lobby.world.connection_count(), before);
    lobby.advance(SECOND * 100);
    assert!(lobby.world.connection_count() < before, "nobody waits for it for ever");
}

#[test]
fn a_disconnect_removes_a_login_from_the_queue() {
    let mut lobby = lobby(50, 1);
    let conns: Vec<ConnId> = (1..=50).map(|number| come(&mut lobby, number, "1.1.1.1")).collect();
    assert_eq!(lobby.world.waiting_logins(), 49);
    conns[1..49].iter().for_each(|conn| lobby.disconnect(*conn));
    assert_eq!(lobby.world.waiting_logins(), 1);
    lobby.advance(SECOND);
    assert!(is_in(&mut lobby, conns[49]));
    lobby.shut_down();
    lobby.shut_down();
    assert!(lobby.has_stopped);
}

#[test]
fn a_stopped_lobby_admits_nobody() {
    let mut lobby = lobby(50, 1);
    for number in 1..=50 {
        come(&mut lobby, number, "1.1.1.1");
    }
    lobby.shut_down();
    lobby.shut_down();
    lobby.advance(SECOND * 100);
    assert_eq!((lobby.world.connection_count(), lobby.world.waiting_logins()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_place_is_lost(
        rate in prop::sample::select(vec![1_u32, 5, 50, 1_000_000]),
        steps in prop::collection::vec((0..10_u8, any::<u16>()), 0..400),
    ) {
        let mut lobby = lobby(200, rate);
        lobby.holds_replies = true;
        let mut open: BTreeMap<u32, ConnId> = BTreeMap::new();
        for (what, choice) in steps {
            let number = 1 + u32::from(choice % 200);
            let conn = open.get(&number).copied().filter(|conn| lobby.is_open(*conn));
            match (what, conn) {
                (0..=3, None) => {
                    // Some connections have no known address.
                    let address = format!("10.0.0.{}", choice % 7).parse::<IpAddr>().ok().filter(|_| choice % 7 > 0);
                    let conn = lobby.connect_from(address);
                    lobby.send_hello(conn, &login(number));
                    open.insert(number, conn);
                }
                (0..=3, Some(conn)) => lobby.send_hello(conn, &login(1 + number % 200)),
                (4, Some(conn)) => {
                    lobby.disconnect(conn);
                    open.remove(&number);
                }
                (5..=7, _) => {
                    lobby.reply_next();
                }
                (8, _) if choice % 2 == 0 => _ = lobby.fail_next(),
                (8, _) => _ = lobby.refuse_next_as_busy(),
                (9, _) => lobby.advance(Duration::from_millis(u64::from(choice % 5000))),
                _ => {}
            }
            prop_assert!(sign_ins(&lobby) <= 64);
            prop_assert!(lobby.world.waiting_logins() <= lobby.world.connection_count());
        }
        lobby.holds_replies = false;
        while lobby.reply_next() {}
        for _ in 0..250 {
            lobby.advance(SECOND);
        }
        lobby.check();
        prop_assert_eq!(lobby.world.waiting_logins(), 0);
        prop_assert!(lobby.world.is_settled());
    }
}
