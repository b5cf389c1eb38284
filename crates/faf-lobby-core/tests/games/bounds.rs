//! Bounds on everything that a player can make larger.

use faf_lobby_core::lists::GAME_INFO_MAX;
use faf_lobby_core::validity::Validity;
use faf_lobby_core::{ConnId, GameState, LogLine, Settings, VaultMod};
use faf_protocol::{GameId, ServerMessage, WireFormat, simple_json};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

use crate::support::{
    SECOND, enter, game, host, host_with, join, live_game, lobby, notice, received_orders, seat, state,
};

#[test]
fn the_number_of_players_in_a_game_is_limited() {
    let logins: Vec<String> = (1..=25).map(|number| format!("player{number:03}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let conns: Vec<ConnId> = logins.iter().map(|login| lobby.log_in(login)).collect();
    host(&mut lobby, conns[0], "");
    // Two players compete for the last place.
    for conn in &conns[23..] {
        join(&mut lobby, *conn, 1);
        game(&mut lobby, *conn, "GameState", r#"["Idle"]"#);
    }
    for conn in &conns[1..23] {
        enter(&mut lobby, *conn, 1);
    }
    for (conn, orders) in [(conns[23], 23), (conns[24], 0)] {
        lobby.receive(conn);
        game(&mut lobby, conn, "GameState", r#"["Lobby"]"#);
        assert_eq!(received_orders(&mut lobby, conn).len(), orders);
    }
    join(&mut lobby, conns[24], 1);
    assert!(lobby.receive(conns[24])[0].contains("game_not_ready"));
}

#[test]
fn numbers_are_limited_to_the_range_of_clients() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, r#","rating_min":-1e300,"rating_max":1e300"#);
    seat(&mut lobby, ada, 1, 1, 2);
    game(&mut lobby, ada, "PlayerOption", r#"[1,"Team",9000000000000000000]"#);
    let info = lobby.world.game_infos().remove(0);
    assert_eq!((info.rating_min, info.rating_max), (Some(-1_000_000.0), Some(1_000_000.0)));
    assert_eq!(info.teams_ids[0].team_id, 2);
}

/// A member of the only game, in its stored form.
fn saved(lobby: &SimulatedLobby, member: &str) -> serde_json::Value {
    let game = lobby.world.games().next().unwrap();
    serde_json::to_value(game).unwrap()[member].take()
}

#[test]
fn slots_and_ais_are_limited() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, "");
    for number in 1..=110 {
        game(&mut lobby, ada, "PlayerOption", &format!(r#"[{number},"Team",2]"#));
        game(&mut lobby, ada, "AIOption", &format!(r#"["AI {number}","StartSpot",{number}]"#));
    }
    game(&mut lobby, ada, "ClearSlot", "[1]");
    game(&mut lobby, ada, "AIOption", &format!(r#"["{}","StartSpot",1]"#, "x".repeat(201)));
    let slots = saved(&lobby, "slots");
    // Present players keep their slots; absent ones make room.
    let known: Vec<u32> = slots.as_object().unwrap().keys().map(|id| id.parse().unwrap()).collect();
    assert_eq!(known.len(), 24);
    assert!(known.contains(&1) && known.contains(&110));
    let ais = saved(&lobby, "ais");
    assert_eq!(ais.as_object().unwrap().len(), 32);
    assert!(ais.get("x".repeat(100)).is_some(), "an AI counts, whatever its name is");
}

#[test]
fn the_memory_of_a_hosted_game_is_limited() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    host(&mut lobby, ada, "");
    let long = |text: &str, length: usize| text.repeat(length / text.len());
    for number in 0..300 {
        let key = format!("{number:03}{}", long("k", 120));
        game(&mut lobby, ada, "GameOption", &format!(r#"["{key}","{}"]"#, long("v", 4090)));
        game(&mut lobby, ada, "AIOption", &format!(r#"["{number:03}{}","StartSpot",1]"#, long("😀", 4000)));
        game(&mut lobby, ada, "PlayerOption", &format!(r#"[{number},"Team",-1]"#));
        if number % 20 == 0 {
            lobby.advance(SECOND);
        }
    }
    for key in ["CheatsEnabled", "FogOfWar", "Difficulty", "Unranked", "TeamLock", "Title", "ScenarioFile"] {
        game(&mut lobby, ada, "GameOption", &format!(r#"["{key}","{}"]"#, long("v", 200_000)));
    }
    let uids: Vec<String> = (0..10_000).map(|number| format!("{number:040}")).collect();
    game(&mut lobby, ada, "GameMods", &format!(r#"["uids","{}"]"#, uids.join(" ")));
    lobby.advance(SECOND * 600);
    assert_eq!(lobby.unread(ada), 0);
    let bytes = serde_json::to_vec(lobby.world.games().next().unwrap()).unwrap().len();
    assert!(bytes < 32 * 1024, "{bytes}");
}

/// The JSON size in bytes of the only game's `game_info`.
fn info_bytes(lobby: &SimulatedLobby) -> usize {
    let info = ServerMessage::GameInfo(lobby.world.game_infos().remove(0));
    let json = simple_json::encode(&info).unwrap().len();
    for format in WireFormat::ALL {
        let frame = format.encode(&info).unwrap().len();
        assert!(frame <= 2 * GAME_INFO_MAX + 64, "{format}: {frame}");
    }
    json
}

#[test]
fn the_largest_game_takes_some_kilobytes() {
    // Names of 20 characters whose JSON takes twelve bytes each.
    let logins: Vec<String> = ('a'..='x').map(|last| format!("{}{last}", "😀".repeat(19))).collect();
    let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let uids: Vec<String> = (0..60).map(|number| format!("{number:040}")).collect();
    let in_vault = |uid: &String| VaultMod {
        uid: uid.clone(),
        name: "\u{1}".repeat(100),
        version: 1,
        author: String::new(),
        is_ui: false,
        date: 0,
        downloads: 0,
        likes: 0.0,
        played: 0,
        description: String::new(),
        filename: String::new(),
        icon: String::new(),
    };
    uids.iter().for_each(|uid| store.add_mod(in_vault(uid)));
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let conns: Vec<ConnId> = logins.iter().map(|login| lobby.log_in(login)).collect();
    let title = r#"\""#.repeat(128);
    let map = "m".repeat(255);
    let number = "-123456.78901234567";
    let request = format!(
        r#","title":"{title}","mapname":"{map}","password":"x","rating_min":{number},"rating_max":{number}"#
    );
    host(&mut lobby, conns[0], &request);
    for conn in &conns[1..] {
        lobby.send(*conn, r#"{"command":"game_join","uid":1,"password":"x"}"#);
        game(&mut lobby, *conn, "GameState", r#"["Idle"]"#);
        game(&mut lobby, *conn, "GameState", r#"["Lobby"]"#);
    }
    game(&mut lobby, conns[0], "GameMods", &format!(r#"["uids","{}"]"#, uids.join(" ")));
    game(&mut lobby, conns[0], "GameOption", r#"["Slots",-2147483648]"#);
    for player in 1..=24 {
        seat(&mut lobby, conns[0], player, player.into(), i64::from(i32::MIN) + i64::from(player));
    }
    let info = lobby.world.game_infos().remove(0);
    assert_eq!((info.num_players, info.teams_ids.len(), info.sim_mods.len()), (24, 24, 48));
    let lobby_bytes = info_bytes(&lobby);
    assert!((10_000..=GAME_INFO_MAX).contains(&lobby_bytes), "{lobby_bytes}");
    game(&mut lobby, conns[0], "GameState", r#"["Launching"]"#);
    assert_eq!(state(&lobby), Some(GameState::Live));
    assert!((10_000..=GAME_INFO_MAX).contains(&info_bytes(&lobby)));
}

#[test]
fn an_ordinary_game_takes_two_kilobytes() {
    let logins: Vec<String> = (1..=16).map(|number| format!("SomePlayer{number:02}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let conns: Vec<ConnId> = logins.iter().map(|login| lobby.log_in(login)).collect();
    host(&mut lobby, conns[0], r#","mapname":"seton_s_clutch_-_faf_version.v0004""#);
    conns[1..].iter().for_each(|conn| enter(&mut lobby, *conn, 1));
    let uids: Vec<String> = (0..10).map(|number| format!("0f0e0d0c-0001-4000-8000-{number:012}")).collect();
    game(&mut lobby, conns[0], "GameMods", &format!(r#"["uids","{}"]"#, uids.join(" ")));
    (1..=16).for_each(|player| seat(&mut lobby, conns[0], player, player.into(), i64::from(2 + player % 2)));
    let bytes = info_bytes(&lobby);
    assert!((1000..2048).contains(&bytes), "{bytes}");
}

#[test]
fn unlisted_mods_still_count_for_the_validity() {
    let listed: Vec<String> = (0..48).map(|number| format!("ranked-{number}")).collect();
    let ranked = listed.join(" ");
    for (uids, check) in [
        (ranked.clone(), Validity::Valid),
        (format!("{ranked} unranked"), Validity::BadMod),
        (format!("ranked-0 {}", "x".repeat(41)), Validity::BadMod),
        ("ranked-0 ../../x".to_owned(), Validity::BadMod),
        (r"\u0001".to_owned(), Validity::BadMod),
    ] {
        let mut lobby = lobby();
        lobby.store.data.ranked_mods = listed.iter().cloned().collect();
        lobby.restart();
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        host(&mut lobby, ada, "");
        enter(&mut lobby, bob, 1);
        seat(&mut lobby, ada, 1, 1, 2);
        seat(&mut lobby, ada, 2, 2, 3);
        game(&mut lobby, ada, "GameMods", &format!(r#"["uids","{uids}"]"#));
        // Others receive only the listed mods.
        assert!(lobby.world.game_infos()[0].sim_mods.keys().all(|uid| uid.starts_with("ranked-")));
        game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
        assert_eq!(lobby.world.games().next().unwrap().validity(), Some(check), "{uids}");
    }
}

#[test]
fn the_name_of_the_map_is_a_valid_folder() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    for name in ["../x", "a%2fb", "a?b", "a#b", "c:x", "a\\u202eb", "<b>", "ä", "x."] {
        host_with(&mut lobby, ada, &format!(r#","mapname":"{name}""#));
        assert_eq!(lobby.receive(ada), [notice("error", "This cannot be the name of a map.")], "{name}");
    }
    host(&mut lobby, ada, r#","mapname":"neroxis_map_generator_1.8.5_abcdefgh2345w_aiea""#);
    enter(&mut lobby, bob, 1);
    let mapname = |lobby: &SimulatedLobby| lobby.world.game_infos()[0].mapname.clone();
    for name in ["a%2fb", "a?b", "a#b", "a\\u202eb", "<b>", "..", "x."] {
        lobby.log.clear();
        game(&mut lobby, ada, "GameOption", &format!(r#"["ScenarioFile","/maps/{name}/x_scenario.lua"]"#));
        assert_eq!(mapname(&lobby), "neroxis_map_generator_1.8.5_abcdefgh2345w_aiea");
        assert!(matches!(lobby.log[..], [LogLine::GameMessageIgnored { .. }]), "{:?}", lobby.log);
    }
    game(&mut lobby, ada, "GameOption", r#"["ScenarioFile","/maps/Dual Gap (v2)/x_scenario.lua"]"#);
    assert_eq!(mapname(&lobby), "dual gap (v2)");
}

#[test]
fn the_notes_of_a_live_game_are_limited() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    for _ in 0..600 {
        game(&mut lobby, ada, "TeamkillHappened", r#"[10,1,"Ada",2,"Bob"]"#);
    }
    // A victim who does not play in the game is not noted.
    game(&mut lobby, ada, "TeamkillHappened", r#"[10,1,"Ada",3,"Cem"]"#);
    assert_eq!(lobby.store.games[&GameId(1)].notes.len(), 500);
    for _ in 0..64 {
        game(&mut lobby, bob, "JsonStats", r#"["garbage"]"#);
    }
    lobby.log.clear();
    game(&mut lobby, bob, "JsonStats", r#"["garbage"]"#);
    assert!(lobby.log.is_empty(), "it is not even read: {:?}", lobby.log);
}
