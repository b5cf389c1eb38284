//! Helpers for the scenarios: the players, and messages of clients and game processes.

use std::time::Duration;

use faf_lobby_core::{ConnId, Game, GameState, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Logins and ids of all players.
pub(crate) const PLAYERS: [(&str, u32); 5] = [("Ada", 1), ("Bob", 2), ("Cem", 3), ("Dan", 4), ("Eve", 5)];

pub(crate) fn lobby() -> SimulatedLobby {
    lobby_with(Settings::default())
}

pub(crate) fn lobby_with(settings: Settings) -> SimulatedLobby {
    SimulatedLobby::new(settings, FakeStore::with_accounts(PLAYERS.map(|(login, _)| login)))
}

pub(crate) fn notice(style: &str, text: &str) -> String {
    format!(r#"{{"command":"notice","style":"{style}","text":"{text}"}}"#)
}

/// Sends a message of the game process of a connection.
pub(crate) fn game(lobby: &mut SimulatedLobby, conn: ConnId, command: &str, args: &str) {
    lobby.send(conn, &format!(r#"{{"target":"game","command":"{command}","args":{args}}}"#));
}

pub(crate) fn to_game(command: &str, args: &str) -> String {
    format!(r#"{{"command":"{command}","args":{args},"target":"game"}}"#)
}

pub(crate) fn host_with(lobby: &mut SimulatedLobby, conn: ConnId, more: &str) {
    lobby.send(conn, &format!(r#"{{"command":"game_host","visibility":"public"{more}}}"#));
}

/// Hosts a game and opens its lobby.
pub(crate) fn host(lobby: &mut SimulatedLobby, conn: ConnId, more: &str) {
    host_with(lobby, conn, more);
    game(lobby, conn, "GameState", r#"["Idle"]"#);
    game(lobby, conn, "GameState", r#"["Lobby"]"#);
}

pub(crate) fn join(lobby: &mut SimulatedLobby, conn: ConnId, uid: u32) {
    lobby.send(conn, &format!(r#"{{"command":"game_join","uid":{uid}}}"#));
}

/// Joins a game and connects to all of its players.
pub(crate) fn enter(lobby: &mut SimulatedLobby, conn: ConnId, uid: u32) {
    join(lobby, conn, uid);
    game(lobby, conn, "GameState", r#"["Idle"]"#);
    game(lobby, conn, "GameState", r#"["Lobby"]"#);
}

/// The host assigns a place to a player: army and start spot, and a team.
pub(crate) fn seat(lobby: &mut SimulatedLobby, host: ConnId, player: u32, army: i64, team: i64) {
    for (key, value) in [("Faction", 1), ("Color", army), ("Team", team), ("StartSpot", army), ("Army", army)]
    {
        game(lobby, host, "PlayerOption", &format!(r#"[{player},"{key}",{value}]"#));
    }
}

/// Starts a game of Ada and Bob that has just been launched.
pub(crate) fn live_game(lobby: &mut SimulatedLobby) -> (ConnId, ConnId) {
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(lobby, ada, "");
    enter(lobby, bob, 1);
    seat(lobby, ada, 1, 1, 2);
    seat(lobby, ada, 2, 2, 3);
    game(lobby, ada, "GameState", r#"["Launching"]"#);
    game(lobby, bob, "GameState", r#"["Launching"]"#);
    (ada, bob)
}

/// Starts a live game of one player.
pub(crate) fn live_game_of(lobby: &mut SimulatedLobby, conn: ConnId) {
    host(lobby, conn, "");
    game(lobby, conn, "GameState", r#"["Launching"]"#);
}

/// Sends the results of all players, ends the game and then the processes.
pub(crate) fn finish(lobby: &mut SimulatedLobby, conns: &[ConnId], results: &[(i64, &str)]) {
    for conn in conns {
        for (army, result) in results {
            game(lobby, *conn, "GameResult", &format!(r#"[{army},"{result}"]"#));
        }
    }
    for conn in conns {
        game(lobby, *conn, "GameEnded", "[]");
    }
    for conn in conns {
        game(lobby, *conn, "GameState", r#"["Ended"]"#);
    }
    lobby.advance(SECOND * 2);
}

pub(crate) fn only_game(lobby: &SimulatedLobby) -> &Game {
    lobby.world.games().next().unwrap()
}

pub(crate) fn state(lobby: &SimulatedLobby) -> Option<GameState> {
    lobby.world.games().next().map(Game::state)
}

/// Returns `state` and `num_players` of every `game_info` that a client has received.
pub(crate) fn received_games(lobby: &mut SimulatedLobby, conn: ConnId) -> Vec<(String, u64)> {
    let games = lobby.receive(conn).into_iter().filter(|text| text.starts_with(r#"{"command":"game_info""#));
    let read = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let games = games.map(read).filter(|info| info.get("uid").is_some());
    games
        .map(|info| (info["state"].as_str().unwrap().to_owned(), info["num_players"].as_u64().unwrap()))
        .collect()
}

/// Returns the messages for the game process that a client has received.
pub(crate) fn received_orders(lobby: &mut SimulatedLobby, conn: ConnId) -> Vec<String> {
    lobby.receive(conn).into_iter().filter(|text| text.ends_with(r#""target":"game"}"#)).collect()
}
