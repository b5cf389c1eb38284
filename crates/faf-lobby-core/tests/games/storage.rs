//! State that survives a restart, an unavailable database and a shutdown.

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{Count, GameState};
use faf_protocol::GameId;

use crate::support::{
    SECOND, enter, finish, game, host, host_with, live_game, live_game_of, lobby, received_orders, state,
    to_game,
};

#[test]
fn live_games_survive_a_restart() {
    let mut lobby = lobby();
    let (ada, _) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    lobby.restart();
    lobby.advance(SECOND * 10);
    let bob = lobby.connect();
    lobby.send_hello(bob, "Bob");
    assert!(lobby.receive(bob).last().unwrap().contains(r#""state":"playing""#));
    lobby.send(bob, r#"{"command":"restore_game_session","game_id":1}"#);
    game(&mut lobby, bob, "GameResult", r#"[2,"defeat -10"]"#);
    game(&mut lobby, bob, "GameEnded", "[]");
    assert_eq!(state(&lobby), Some(GameState::Live), "Ada may still come back");
    lobby.advance(SECOND * 300);
    let end = lobby.store.games[&GameId(1)].end.clone().unwrap();
    assert_eq!((end.validity, end.rated.is_some()), (Validity::Valid, true));
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive(bob).last().unwrap().contains("PLAYING"));
}

#[test]
fn an_unavailable_database_loses_nothing() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    lobby.store.is_unavailable = true;
    finish(&mut lobby, &[ada, bob], &[(1, "draw 0"), (2, "mutual_draw 0")]);
    assert!(lobby.store.games[&GameId(1)].end.is_none());
    assert!(lobby.counts.contains(&Count::GameNotStored));
    lobby.store.is_unavailable = false;
    lobby.advance(SECOND * 61);
    let stored = &lobby.store.games[&GameId(1)];
    assert_eq!((stored.end.is_some(), stored.ratings.len()), (true, 2));
    assert_eq!(lobby.world.games().count(), 0);
}

#[test]
fn an_unavailable_database_does_not_fill_the_memory() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.store.is_unavailable = true;
    for round in 0..200 {
        game(&mut lobby, ada, "GameResult", &format!(r#"[1,"victory {round}"]"#));
        game(&mut lobby, bob, "TeamkillHappened", r#"[10,1,"Ada",2,"Bob"]"#);
        game(&mut lobby, bob, "Desync", "[]");
    }
    let size = serde_json::to_string(&lobby.world).unwrap().len();
    assert!(size < 100_000, "{size} bytes");
}

#[test]
fn achievements_are_counted_once() {
    let army = |name: &str| {
        let units = [
            "air",
            "land",
            "naval",
            "experimental",
            "cdr",
            "tech1",
            "tech2",
            "tech3",
            "engineer",
            "transportation",
            "sacu",
        ];
        let units: serde_json::Map<_, _> =
            units.iter().map(|unit| ((*unit).to_owned(), serde_json::json!({}))).collect();
        serde_json::json!({"type": "Human", "name": name, "faction": 1, "general": {"score": 1}, "units": units, "blueprints": {}})
    };
    let stats = serde_json::json!({"stats": [army("Ada"), army("Bob")]}).to_string();
    let args = serde_json::json!([stats]).to_string();
    let mut lobby = lobby();
    let (ada, _) = live_game(&mut lobby);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    // Published when it is stored that they were counted, and not again after a kill.
    lobby.holds_replies = true;
    game(&mut lobby, ada, "JsonStats", &args);
    assert!(lobby.published.is_empty());
    lobby.holds_replies = false;
    while lobby.reply_next() {}
    let count = lobby.published.len();
    assert!(count > 0);
    lobby.restart();
    let ada = lobby.log_in("Ada");
    lobby.send(ada, r#"{"command":"restore_game_session","game_id":1}"#);
    game(&mut lobby, ada, "JsonStats", &args);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    assert_eq!(lobby.published.len(), count);
    assert!(lobby.published.iter().all(|publication| publication.body.contains("\"playerId\":1")));
}

#[test]
fn a_shutdown_closes_lobbies_and_waits_for_live_games() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    let (cem, dan) = (lobby.log_in("Cem"), lobby.log_in("Dan"));
    host(&mut lobby, cem, "");
    enter(&mut lobby, dan, 2);
    lobby.receive(cem);
    lobby.receive(dan);
    lobby.shut_down();
    assert!(lobby.receive(cem)[0].contains(r#""style":"kill""#));
    assert!(lobby.receive(dan).contains(&to_game("DisconnectFromPeer", "[3]")));
    host_with(&mut lobby, cem, "");
    assert_eq!(lobby.receive(cem), [r#"{"command":"disabled","request":"game_host"}"#]);
    lobby.advance(SECOND * 200);
    assert!(!lobby.has_stopped);
    finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
    assert!(lobby.has_stopped);
    assert_eq!(lobby.store.games[&GameId(1)].ratings.len(), 2);

    // A game that is still starting does not open any more.
    let mut lobby = crate::support::lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    live_game_of(&mut lobby, bob);
    host_with(&mut lobby, ada, "");
    lobby.shut_down();
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    assert!(received_orders(&mut lobby, ada).is_empty());
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 2);
    assert!(lobby.has_stopped);

    // A second shutdown does not wait, and the game can be restored.
    let mut lobby = crate::support::lobby();
    live_game(&mut lobby);
    lobby.shut_down();
    lobby.shut_down();
    assert!(lobby.has_stopped);
    let stored = &lobby.store.games[&GameId(1)];
    assert!(stored.end.is_none());
    assert_eq!(stored.saved.as_ref().unwrap().members().len(), 2);
}
