//! Thousands of connections that end at once, end in steps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{Answer, ConnId, Event, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

/// A step ends 400.
const PLAYERS: usize = 450;
const STEP: Duration = Duration::from_millis(10);

fn lobby(players: usize, idle_timeout: Option<Duration>) -> (SimulatedLobby, Vec<ConnId>) {
    let logins: Vec<String> = (1..=players).map(|number| format!("player{number:04}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let settings = Settings { login_rate: 1_000_000, idle_timeout, ..Settings::default() };
    let mut lobby = SimulatedLobby::new(settings, store);
    let conns = logins.iter().map(|login| lobby.log_in(login)).collect();
    lobby.advance(Duration::from_secs(2));
    (lobby, conns)
}

#[test]
fn a_shutdown_closes_some_at_a_time_and_does_nothing_else() {
    let (mut lobby, conns) = lobby(PLAYERS, None);
    lobby.shut_down();
    conns.iter().for_each(|conn| drop(lobby.hear(*conn)));
    lobby.shut_down();
    assert_eq!((lobby.world.connection_count(), lobby.has_stopped), (50, false));
    let last = *conns.last().unwrap();
    assert!(lobby.hear(last)[0].contains("shut down for maintenance"), "everybody is told at once");
    // Whoever waits for the end is not served any more, and may go.
    lobby.say(last, r#"{"command":"ping"}"#);
    assert_eq!(lobby.hear(last), [""; 0]);
    lobby.disconnect(conns[PLAYERS - 2]);
    let late = lobby.connect();
    assert!(!lobby.is_open(late));
    lobby.shut_down();
    assert_eq!((lobby.world.connection_count(), lobby.has_stopped), (49, false));
    lobby.advance(STEP);
    assert!(lobby.has_stopped && lobby.world.connection_count() == 0);
    assert_eq!(lobby.hear(last), [""; 0], "nobody is told who has gone");
    assert_eq!(lobby.world.next_deadline(), None);
}

#[test]
fn the_silent_are_closed_some_at_a_time() {
    let (mut lobby, conns) = lobby(PLAYERS, Some(Duration::from_secs(120)));
    // They are looked for at every ping.
    let ping = Duration::from_secs(3 * 45);
    lobby.advance(ping - lobby.now() - STEP / 2);
    lobby.say(conns[0], r#"{"command":"pong"}"#);
    lobby.advance(STEP / 2);
    assert_eq!(lobby.world.connection_count(), PLAYERS - 400);
    lobby.advance(STEP);
    assert_eq!(lobby.world.connection_count(), 1, "whoever has said something stays");
}

#[test]
fn lobbies_close_some_at_a_time() {
    let (mut lobby, conns) = lobby(420, None);
    for conn in &conns {
        lobby.say(*conn, r#"{"command":"game_host","visibility":"public"}"#);
        for state in ["Idle", "Lobby"] {
            lobby.say(*conn, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
        }
    }
    lobby.advance(Duration::from_secs(2));
    lobby.shut_down();
    lobby.advance(STEP);
    lobby.advance(Duration::from_secs(2));
    assert!(lobby.has_stopped, "no game is left to wait for");
}

/// Whoever sends a message for minutes, or is not read from, is not silent.
#[test]
fn nobody_is_silent_who_sends_or_is_not_read_from() {
    const PING: Duration = Duration::from_secs(45);
    let (mut lobby, conns) = lobby(3, Some(2 * PING));
    let [slow, waiting, silent] = conns[..] else { panic!("{conns:?}") };
    lobby.holds_answers = true;
    // The database takes its time, and behind the second command nothing is read.
    for _ in 0..2 {
        lobby.say(waiting, r#"{"command":"avatar","action":"list_avatar"}"#);
    }
    for _ in 0..4 {
        lobby.handle(Event::Heard { conn: slow });
        lobby.advance(PING);
    }
    assert_eq!([slow, waiting, silent].map(|conn| lobby.is_open(conn)), [true, true, false]);
    // From now on it is read from, and has as long as everybody.
    while lobby.open_questions() > 0 {
        lobby.answer_next_with(Answer::Avatars(Vec::new()));
    }
    lobby.handle(Event::Heard { conn: slow });
    lobby.advance(PING);
    assert_eq!([slow, waiting].map(|conn| lobby.is_open(conn)), [true, true]);
    lobby.advance(2 * PING);
    assert_eq!([slow, waiting].map(|conn| lobby.is_open(conn)), [false, false]);
    // Bytes of one that has gone meanwhile change nothing.
    lobby.handle(Event::Heard { conn: slow });
}
