//! The wall clock is set while the lobby runs. Timeouts follow the time that has passed; only dates
//! follow the clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{Ban, Settings, Timestamp};
use faf_testkit::lobby::{BEGINNING, SimulatedLobby};
use faf_testkit::store::FakeStore;

const SECOND: Duration = Duration::from_secs(1);

const PING: &str = r#"{"command":"ping"}"#;

/// Errors of the clock in seconds: up to a year, in both directions.
const JUMPS: [i64; 9] = [0, 3600, -3600, 1, -1, 86_400 * 365, -86_400 * 365, 50, 0];

fn lobby(settings: Settings) -> SimulatedLobby {
    SimulatedLobby::new(settings, FakeStore::with_accounts(["Ada", "Bob"]))
}

fn set_clock(lobby: &mut SimulatedLobby, error: i64) {
    lobby.clock_error = error * 1_000_000;
}

#[test]
fn timeouts_are_neither_shorter_nor_longer() {
    let idle_timeout = Some(135 * SECOND);
    let mut lobby = lobby(Settings { idle_timeout, ..Settings::default() });
    let ada = lobby.log_in("Ada");
    for jump in JUMPS {
        set_clock(&mut lobby, jump);
        let client = lobby.connect();
        lobby.advance(29 * SECOND);
        set_clock(&mut lobby, -jump);
        assert!(lobby.is_open(client), "{jump}");
        lobby.advance(SECOND);
        assert!(!lobby.is_open(client), "{jump}");
        // Pings keep their interval, and are answered.
        lobby.receive(ada);
        for _ in 0..4 {
            set_clock(&mut lobby, jump);
            lobby.advance(45 * SECOND);
            assert_eq!(lobby.receive(ada), [PING], "{jump}");
            lobby.send(ada, r#"{"command":"pong"}"#);
            set_clock(&mut lobby, -jump);
        }
        assert!(lobby.is_open(ada), "{jump}");
    }
    // A silent client is disconnected as soon as before.
    set_clock(&mut lobby, -86_400);
    lobby.advance(134 * SECOND);
    assert!(lobby.is_open(ada));
    lobby.advance(46 * SECOND);
    assert!(!lobby.is_open(ada));
    lobby.check();
}

#[test]
fn bans_follow_the_clock_and_failed_logins_the_time_passed() {
    let mut lobby = lobby(Settings { login_attempts_per_address: 2, ..Settings::default() });
    let expires_at = Timestamp(BEGINNING.0 + 3600 * 1_000_000);
    lobby.store.account("Ada").bans = vec![Ban { reason: "x".to_owned(), expires_at }];
    for (jump, is_banned) in [(0, true), (3601, false), (-3600, true), (1800, true), (86_400, false)] {
        set_clock(&mut lobby, jump);
        let ada = lobby.connect();
        lobby.send_hello(ada, "Ada");
        assert_eq!(lobby.is_open(ada), !is_banned, "{jump}");
    }
    let address = Some("10.0.0.1".parse().unwrap());
    let hello = |password: &str| {
        format!(r#"{{"command":"hello","login":"Bob","password":"{password}","unique_id":"x"}}"#)
    };
    let fails = |lobby: &mut SimulatedLobby, password: &str| {
        let conn = lobby.connect_from(address);
        lobby.send(conn, &hello(password));
        lobby.receive(conn).concat()
    };
    for _ in 0..2 {
        assert!(fails(&mut lobby, "wrong").contains("Login not found"));
    }
    // A jump of the clock by a day does not end the window of ten minutes.
    for jump in [86_400, -86_400, 0] {
        set_clock(&mut lobby, jump);
        assert!(fails(&mut lobby, "Bob-pw").contains("from your address"), "{jump}");
    }
    lobby.advance(600 * SECOND);
    assert!(fails(&mut lobby, "Bob-pw").contains("welcome"));
    lobby.check();
}
