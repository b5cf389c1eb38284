//! What a player cannot make larger.

use faf_lobby_core::{ConnId, Settings};
use faf_protocol::GameId;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

use crate::support::{enter, game, heard_orders, host, join, live_game, lobby, seat};

#[test]
fn a_game_is_full_at_some_time() {
    let logins: Vec<String> = (1..=101).map(|number| format!("player{number:03}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let conns: Vec<ConnId> = logins.iter().map(|login| lobby.log_in(login)).collect();
    host(&mut lobby, conns[0], "");
    // Two of them want the last place.
    for conn in &conns[99..] {
        join(&mut lobby, *conn, 1);
        game(&mut lobby, *conn, "GameState", r#"["Idle"]"#);
    }
    for conn in &conns[1..99] {
        enter(&mut lobby, *conn, 1);
    }
    for (conn, orders) in [(conns[99], 99), (conns[100], 0)] {
        lobby.hear(conn);
        game(&mut lobby, conn, "GameState", r#"["Lobby"]"#);
        assert_eq!(heard_orders(&mut lobby, conn).len(), orders);
    }
    join(&mut lobby, conns[100], 1);
    assert!(lobby.hear(conns[100])[0].contains("game_not_ready"));
}

#[test]
fn numbers_stay_within_what_clients_can_read() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, r#","rating_min":-1e300,"rating_max":1e300"#);
    seat(&mut lobby, ada, 1, 1, 2);
    game(&mut lobby, ada, "PlayerOption", r#"[1,"Team",9000000000000000000]"#);
    let info = lobby.world.game_infos().remove(0);
    assert_eq!((info.rating_min, info.rating_max), (Some(-1_000_000.0), Some(1_000_000.0)));
    assert_eq!(info.teams_ids[0].team_id, 2);
}

/// A member of the only game, as it is saved.
fn saved(lobby: &SimulatedLobby, member: &str) -> serde_json::Value {
    let game = lobby.world.games().next().unwrap();
    serde_json::to_value(game).unwrap()[member].take()
}

#[test]
fn a_host_says_only_so_much() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, "");
    for number in 1..=110 {
        game(&mut lobby, ada, "PlayerOption", &format!(r#"[{number},"Team",2]"#));
        game(&mut lobby, ada, "AIOption", &format!(r#"["AI {number}","StartSpot",{number}]"#));
    }
    game(&mut lobby, ada, "ClearSlot", "[1]");
    game(&mut lobby, ada, "AIOption", &format!(r#"["{}","StartSpot",1]"#, "x".repeat(201)));
    // Of those who are known already, more may be said.
    game(&mut lobby, ada, "PlayerOption", r#"[100,"Team",3]"#);
    let slots = saved(&lobby, "slots");
    assert_eq!((slots.as_object().unwrap().len(), &slots["100"]["team"]), (100, &3.into()));
    assert_eq!(saved(&lobby, "ais").as_object().unwrap().len(), 63);

    let uids: Vec<String> = (0..150).map(|number| format!("uid-{number}")).collect();
    let too_long = "x".repeat(101);
    game(&mut lobby, ada, "GameMods", &format!(r#"["uids","{too_long} {}"]"#, uids.join(" ")));
    let mods = saved(&lobby, "mods");
    assert_eq!((mods.as_object().unwrap().len(), mods.get(&too_long)), (100, None));
}

#[test]
fn a_live_game_notes_only_so_much() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    for _ in 0..600 {
        game(&mut lobby, ada, "TeamkillHappened", r#"[10,1,"Ada",2,"Bob"]"#);
    }
    // Whoever does not play has killed nobody.
    game(&mut lobby, ada, "TeamkillHappened", r#"[10,1,"Ada",3,"Cem"]"#);
    assert_eq!(lobby.store.games[&GameId(1)].notes.len(), 500);
    for _ in 0..64 {
        game(&mut lobby, bob, "JsonStats", r#"["garbage"]"#);
    }
    lobby.log.clear();
    game(&mut lobby, bob, "JsonStats", r#"["garbage"]"#);
    assert!(lobby.log.is_empty(), "it is not even read: {:?}", lobby.log);
}
