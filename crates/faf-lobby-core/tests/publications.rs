//! Messages to other services about players and games: the same reports that clients receive.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{ConnId, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);

fn lobby() -> SimulatedLobby {
    SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada", "Bob"]))
}

/// Routing keys and bodies of the reports since the last call.
fn reports(lobby: &mut SimulatedLobby) -> Vec<(&'static str, Value)> {
    let publications = lobby.reports.drain(..);
    publications
        .map(|sent| (sent.routing_key(), serde_json::from_str(&sent.body().unwrap()).unwrap()))
        .collect()
}

fn received(lobby: &mut SimulatedLobby, conn: ConnId, command: &str) -> Vec<Value> {
    let received = lobby.receive(conn).into_iter().map(|text| serde_json::from_str::<Value>(&text).unwrap());
    received.filter(|message| message["command"] == command).collect()
}

#[test]
fn players_are_published_as_clients_receive_them() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    assert_eq!(reports(&mut lobby), []);
    lobby.advance(SECOND);
    let players = received(&mut lobby, ada, "player_info");
    assert_eq!(reports(&mut lobby), [("broadcast.playerInfo.update", players[0].clone())]);
    lobby.advance(60 * SECOND);
    assert_eq!(reports(&mut lobby), [], "nothing has changed");

    // Reports are also published when no client is left.
    lobby.disconnect(ada);
    lobby.advance(SECOND);
    let publications = reports(&mut lobby);
    assert_eq!((publications.len(), publications[0].0), (1, "broadcast.playerInfo.update"));
    assert_eq!(publications[0].1["players"][0]["state"], "offline");
}

#[test]
fn games_are_published_in_one_list_for_any_visibility() {
    let mut lobby = lobby();
    let players = ["Ada", "Bob"].map(|login| lobby.log_in(login));
    for (conn, visibility) in players.into_iter().zip(["public", "friends"]) {
        lobby.send(conn, &format!(r#"{{"command":"game_host","visibility":"{visibility}"}}"#));
        for state in ["Idle", "Lobby"] {
            lobby.send(conn, &format!(r#"{{"command":"GameState","target":"game","args":["{state}"]}}"#));
        }
    }
    lobby.advance(SECOND);
    let publications = reports(&mut lobby);
    let keys: Vec<_> = publications.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["broadcast.playerInfo.update", "broadcast.gameInfo.update"]);
    let (_, games) = &publications[1];
    assert_eq!(games["command"], "game_info");
    let states: Vec<_> = games["games"].as_array().unwrap().iter().map(|game| &game["state"]).collect();
    assert_eq!(states, ["open", "open"]);
    // Ada receives only her own game, as it was published.
    assert_eq!(received(&mut lobby, players[0], "game_info"), [games["games"][0].clone()]);

    for conn in players {
        lobby.send(conn, r#"{"command":"GameState","target":"game","args":["Ended"]}"#);
    }
    lobby.advance(SECOND);
    let publications = reports(&mut lobby);
    assert_eq!((publications.len(), publications[0].0), (1, "broadcast.gameInfo.update"));
    let states: Vec<_> =
        publications[0].1["games"].as_array().unwrap().iter().map(|game| &game["state"]).collect();
    assert_eq!(states, ["closed", "closed"]);
    assert!(lobby.published.is_empty());
}
