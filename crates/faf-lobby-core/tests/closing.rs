//! Thousands of connections that end at once are closed in steps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{ConnId, Event, GameState, LogLine, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

/// More than the 400 connections that one step closes.
const PLAYERS: usize = 450;
const STEP: Duration = Duration::from_millis(10);

fn lobby(players: usize, idle_timeout: Option<Duration>) -> (SimulatedLobby, Vec<ConnId>) {
    lobby_with(players, Settings { idle_timeout, ..Settings::default() })
}

fn lobby_with(players: usize, settings: Settings) -> (SimulatedLobby, Vec<ConnId>) {
    let logins: Vec<String> = (1..=players).map(|number| format!("player{number:04}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings { login_rate: 1_000_000, ..settings }, store);
    let conns = logins.iter().map(|login| lobby.log_in(login)).collect();
    lobby.advance(Duration::from_secs(2));
    (lobby, conns)
}

#[test]
fn a_shutdown_closes_connections_in_steps_and_does_nothing_else() {
    let (mut lobby, conns) = lobby(PLAYERS, None);
    lobby.shut_down();
    conns.iter().for_each(|conn| drop(lobby.receive(*conn)));
    lobby.shut_down();
    assert_eq!((lobby.world.connection_count(), lobby.has_stopped), (50, false));
    let last = *conns.last().unwrap();
    assert!(lobby.receive(last)[0].contains("shut down for maintenance"), "everybody is told at once");
    // A connection that waits to be closed is not served any more, and may disconnect.
    lobby.send(last, r#"{"command":"ping"}"#);
    assert_eq!(lobby.receive(last), [""; 0]);
    lobby.disconnect(conns[PLAYERS - 2]);
    let late = lobby.connect();
    assert!(!lobby.is_open(late));
    lobby.shut_down();
    assert_eq!((lobby.world.connection_count(), lobby.has_stopped), (49, false));
    lobby.advance(STEP);
    assert!(lobby.has_stopped && lobby.world.connection_count() == 0);
    assert_eq!(lobby.receive(last), [""; 0], "nobody is told who has gone");
    assert_eq!(lobby.world.next_deadline(), None);
}

#[test]
fn silent_clients_are_closed_in_steps() {
    let (mut lobby, conns) = lobby(PLAYERS, Some(Duration::from_secs(120)));
    // Silent clients are looked for at every ping.
    let ping = Duration::from_secs(3 * 45);
    lobby.advance(ping - lobby.now() - STEP / 2);
    lobby.send(conns[0], r#"{"command":"pong"}"#);
    lobby.advance(STEP / 2);
    assert_eq!(lobby.world.connection_count(), PLAYERS - 400);
    lobby.advance(STEP);
    assert_eq!(lobby.world.connection_count(), 1, "a client that has sent something stays");
}

#[test]
fn lobbies_are_closed_in_steps() {
    let (mut lobby, conns) = lobby(420, None);
    for conn in &conns {
        lobby.send(*conn, r#"{"command":"game_host","visibility":"public"}"#);
        for state in ["Idle", "Lobby"] {
            lobby.send(*conn, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
        }
    }
    lobby.advance(Duration::from_secs(2));
    lobby.shut_down();
    lobby.advance(STEP);
    lobby.advance(Duration::from_secs(2));
    assert!(lobby.has_stopped, "no game is left to wait for");
}

const NOTICE: &str = "The server will be shutting down for maintenance in 30 minutes! If you're in a game you can continue to play, otherwise you will be disconnected. If you aren't reconnected automatically please wait a few minutes and try to connect again.";

fn state(lobby: &mut SimulatedLobby, conn: ConnId, state: &str) {
    lobby.send(conn, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
}

/// Starts a live game of the first two players.
fn live_game(lobby: &mut SimulatedLobby, conns: &[ConnId]) {
    let (host, guest) = (conns[0], conns[1]);
    lobby.send(host, r#"{"command":"game_host","visibility":"public"}"#);
    state(lobby, host, "Idle");
    state(lobby, host, "Lobby");
    lobby.advance(Duration::from_secs(1));
    lobby.send(guest, r#"{"command":"game_join","uid":1}"#);
    state(lobby, guest, "Idle");
    state(lobby, guest, "Lobby");
    for (player, army) in [(1, 1), (2, 2)] {
        for (key, value) in [("Army", army), ("Team", army + 1), ("StartSpot", army)] {
            let args = format!(r#"[{player},"{key}",{value}]"#);
            lobby.send(host, &format!(r#"{{"target":"game","command":"PlayerOption","args":{args}}}"#));
        }
    }
    state(lobby, host, "Launching");
    state(lobby, guest, "Launching");
    lobby.advance(Duration::from_secs(1));
}

fn cut_off(lobby: &SimulatedLobby) -> Option<usize> {
    lobby.log.iter().find_map(|line| match line {
        LogLine::GamesCutOff { games } => Some(*games),
        _ => None,
    })
}

#[test]
fn a_shutdown_may_disconnect_players_who_are_in_no_game() {
    let (mut lobby, conns) = lobby_with(
        6,
        Settings {
            shutdown_kick_idle_players: true,
            reconnect_grace_period: Duration::from_secs(300),
            ..Settings::default()
        },
    );
    live_game(&mut lobby, &conns);
    // A host who waits for guests, and one whose process is about to start.
    lobby.send(conns[2], r#"{"command":"game_host","visibility":"public"}"#);
    state(&mut lobby, conns[2], "Idle");
    state(&mut lobby, conns[2], "Lobby");
    lobby.send(conns[3], r#"{"command":"game_host","visibility":"public"}"#);
    conns.iter().for_each(|conn| drop(lobby.receive(*conn)));
    lobby.shut_down();
    for conn in &conns {
        let received = lobby.receive(*conn);
        assert!(received.iter().any(|text| text.contains(NOTICE)), "{received:?}");
        assert!(lobby.is_open(*conn), "there is time to read it");
    }
    lobby.advance(Duration::from_secs(2));
    let open: Vec<bool> = conns.iter().map(|conn| lobby.is_open(*conn)).collect();
    assert_eq!(open, [true, true, false, false, false, false]);
    lobby.check();

    // Players who would only be disconnected again cannot log in. Players of the live game can, and
    // have time to rejoin it.
    let idle = lobby.connect();
    lobby.send_hello(idle, "player0003");
    let received = lobby.receive(idle);
    assert!(
        received.len() == 1 && received[0].contains("shutting down for maintenance. Please try"),
        "{received:?}"
    );
    assert!(!lobby.is_open(idle));
    lobby.disconnect(conns[1]);
    let guest = lobby.log_in("player0002");
    lobby.advance(Duration::from_secs(5));
    assert!(lobby.is_open(guest));
    lobby.send(guest, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(lobby.world.games().next().unwrap().state(), GameState::Live);

    // After the end of the game there is nothing left to wait for.
    for conn in [conns[0], guest] {
        lobby.send(conn, r#"{"target":"game","command":"GameEnded","args":[]}"#);
        state(&mut lobby, conn, "Ended");
    }
    lobby.advance(Duration::from_secs(3));
    assert!(lobby.has_stopped);
    assert_eq!(cut_off(&lobby), None);
}

#[test]
fn thousands_are_disconnected_in_steps() {
    let settings = Settings { shutdown_kick_idle_players: true, ..Settings::default() };
    let (mut lobby, conns) = lobby_with(PLAYERS, settings);
    live_game(&mut lobby, &conns);
    lobby.shut_down();
    lobby.advance(Duration::from_secs(1));
    assert_eq!(lobby.world.connection_count(), PLAYERS - 400);
    lobby.advance(STEP);
    assert_eq!(lobby.world.connection_count(), 2);
}

#[test]
fn the_log_has_the_number_of_games_that_a_shutdown_cuts_off() {
    let (mut lobby, conns) = lobby(3, None);
    live_game(&mut lobby, &conns);
    lobby.send(conns[2], r#"{"command":"game_host","visibility":"public"}"#);
    lobby.shut_down();
    lobby.advance(Duration::from_secs(60));
    assert!(conns.iter().all(|conn| lobby.is_open(*conn)), "without the setting, everybody stays");
    assert_eq!(cut_off(&lobby), None);
    lobby.shut_down();
    assert_eq!(cut_off(&lobby), Some(1));
    let line = "live games cut off by the shutdown: 1; they are stored";
    assert!(lobby.log.iter().any(|logged| logged.to_string().starts_with(line)));
}

/// A client that sends one message for minutes, or is not being read, is not silent.
#[test]
fn a_client_that_sends_or_is_not_read_is_not_silent() {
    const PING: Duration = Duration::from_secs(45);
    let (mut lobby, conns) = lobby(3, Some(2 * PING));
    let [slow, waiting, silent] = conns[..] else { panic!("{conns:?}") };
    lobby.holds_replies = true;
    // The database takes its time, and nothing is read after the second command.
    for _ in 0..2 {
        lobby.send(waiting, r#"{"command":"avatar","action":"list_avatar"}"#);
    }
    for _ in 0..4 {
        lobby.handle(Event::Heard { conn: slow });
        lobby.advance(PING);
    }
    assert_eq!([slow, waiting, silent].map(|conn| lobby.is_open(conn)), [true, true, false]);
    // From now on it is read, and has as much time as others.
    while lobby.reply_next() {}
    lobby.handle(Event::Heard { conn: slow });
    lobby.advance(PING);
    assert_eq!([slow, waiting].map(|conn| lobby.is_open(conn)), [true, true]);
    lobby.advance(2 * PING);
    assert_eq!([slow, waiting].map(|conn| lobby.is_open(conn)), [false, false]);
    // Bytes of a connection that has been closed change nothing.
    lobby.handle(Event::Heard { conn: slow });
}

fn end_game(lobby: &mut SimulatedLobby, conns: &[ConnId]) {
    for conn in &conns[..2] {
        lobby.send(*conn, r#"{"target":"game","command":"GameEnded","args":[]}"#);
    }
}

#[test]
fn a_shutdown_tries_to_store_until_the_database_is_back() {
    let (mut lobby, conns) = lobby(2, None);
    live_game(&mut lobby, &conns);
    lobby.store.is_unavailable = true;
    end_game(&mut lobby, &conns);
    // The next attempt would come after half a minute.
    lobby.advance(Duration::from_secs(31));
    lobby.shut_down();
    lobby.shut_down();
    lobby.advance(Duration::from_secs(10));
    assert!(!lobby.has_stopped && lobby.world.connection_count() == 0);
    lobby.store.is_unavailable = false;
    lobby.advance(Duration::from_secs(1));
    assert!(lobby.has_stopped);
    assert!(lobby.store.games.values().all(|game| game.end.is_some()) && lobby.store.games.len() == 1);
    assert!(!lobby.log.iter().any(|line| matches!(line, LogLine::GamesNotStored { .. })));
}

#[test]
fn a_shutdown_tries_again_at_once_and_gives_up_after_a_minute() {
    let (mut lobby, conns) = lobby(2, None);
    live_game(&mut lobby, &conns);
    lobby.store.is_unavailable = true;
    end_game(&mut lobby, &conns);
    lobby.advance(Duration::from_secs(31));
    let mut back = lobby.clone();
    back.store.is_unavailable = false;
    back.shut_down();
    back.shut_down();
    assert!(back.has_stopped, "there is nothing left to wait for");
    lobby.shut_down();
    lobby.shut_down();
    lobby.advance(Duration::from_secs(59));
    assert!(!lobby.has_stopped);
    lobby.advance(Duration::from_secs(1));
    assert!(lobby.has_stopped);
    assert!(lobby.log.iter().any(|line| matches!(line, LogLine::GamesNotStored { games: 1 })));
}

#[test]
fn a_shutdown_waits_a_minute_for_the_reply_to_the_last_save() {
    let (mut lobby, _) = lobby(2, None);
    lobby.holds_replies = true;
    lobby.shut_down();
    lobby.shut_down();
    lobby.advance(Duration::from_secs(59));
    assert!(!lobby.has_stopped && lobby.open_requests() > 0);
    lobby.advance(Duration::from_secs(1));
    assert!(lobby.has_stopped);
}
