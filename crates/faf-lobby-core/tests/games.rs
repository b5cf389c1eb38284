//! Custom games from host to result, told as stories in simulated time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{ConnId, Count, Game, GameState, Note, Publication, Settings};
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_protocol::{GameId, PlayerId};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

const SECOND: Duration = Duration::from_secs(1);

/// Names and numbers of everybody there is.
const PLAYERS: [(&str, u32); 5] = [("Ada", 1), ("Bob", 2), ("Cem", 3), ("Dan", 4), ("Eve", 5)];

fn lobby() -> SimulatedLobby {
    lobby_with(Settings::default())
}

fn lobby_with(settings: Settings) -> SimulatedLobby {
    SimulatedLobby::new(settings, FakeStore::with_accounts(PLAYERS.map(|(login, _)| login)))
}

fn notice(style: &str, text: &str) -> String {
    format!(r#"{{"command":"notice","style":"{style}","text":"{text}"}}"#)
}

/// What the game process behind a connection says.
fn game(lobby: &mut SimulatedLobby, conn: ConnId, command: &str, args: &str) {
    lobby.say(conn, &format!(r#"{{"target":"game","command":"{command}","args":{args}}}"#));
}

fn to_game(command: &str, args: &str) -> String {
    format!(r#"{{"command":"{command}","args":{args},"target":"game"}}"#)
}

fn host_with(lobby: &mut SimulatedLobby, conn: ConnId, more: &str) {
    lobby.say(conn, &format!(r#"{{"command":"game_host","visibility":"public"{more}}}"#));
}

/// Hosts a game and opens its lobby.
fn host(lobby: &mut SimulatedLobby, conn: ConnId, more: &str) {
    host_with(lobby, conn, more);
    game(lobby, conn, "GameState", r#"["Idle"]"#);
    game(lobby, conn, "GameState", r#"["Lobby"]"#);
}

fn join(lobby: &mut SimulatedLobby, conn: ConnId, uid: u32) {
    lobby.say(conn, &format!(r#"{{"command":"game_join","uid":{uid}}}"#));
}

/// Joins a game and connects to everybody in it.
fn enter(lobby: &mut SimulatedLobby, conn: ConnId, uid: u32) {
    join(lobby, conn, uid);
    game(lobby, conn, "GameState", r#"["Idle"]"#);
    game(lobby, conn, "GameState", r#"["Lobby"]"#);
}

/// The host gives a player a place: army and start spot, and a team.
fn seat(lobby: &mut SimulatedLobby, host: ConnId, player: u32, army: i64, team: i64) {
    for (key, value) in [("Faction", 1), ("Color", army), ("Team", team), ("StartSpot", army), ("Army", army)]
    {
        game(lobby, host, "PlayerOption", &format!(r#"[{player},"{key}",{value}]"#));
    }
}

/// Ada and Bob in a game that has just been launched.
fn live_game(lobby: &mut SimulatedLobby) -> (ConnId, ConnId) {
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(lobby, ada, "");
    enter(lobby, bob, 1);
    seat(lobby, ada, 1, 1, 2);
    seat(lobby, ada, 2, 2, 3);
    game(lobby, ada, "GameState", r#"["Launching"]"#);
    game(lobby, bob, "GameState", r#"["Launching"]"#);
    (ada, bob)
}

/// A live game of one player.
fn live_game_of(lobby: &mut SimulatedLobby, conn: ConnId) {
    host(lobby, conn, "");
    game(lobby, conn, "GameState", r#"["Launching"]"#);
}

/// Everybody says how it was, the game ends, and the processes, too.
fn finish(lobby: &mut SimulatedLobby, conns: &[ConnId], results: &[(i64, &str)]) {
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

fn only_game(lobby: &SimulatedLobby) -> &Game {
    lobby.world.games().next().unwrap()
}

fn state(lobby: &SimulatedLobby) -> Option<GameState> {
    lobby.world.games().next().map(Game::state)
}

/// `state` and `num_players` of all `game_info` that a client has heard.
fn heard_games(lobby: &mut SimulatedLobby, conn: ConnId) -> Vec<(String, u64)> {
    let games = lobby.hear(conn).into_iter().filter(|text| text.starts_with(r#"{"command":"game_info""#));
    let read = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let games = games.map(read).filter(|info| info.get("uid").is_some());
    games
        .map(|info| (info["state"].as_str().unwrap().to_owned(), info["num_players"].as_u64().unwrap()))
        .collect()
}

/// What a client has heard for its game process.
fn heard_orders(lobby: &mut SimulatedLobby, conn: ConnId) -> Vec<String> {
    lobby.hear(conn).into_iter().filter(|text| text.ends_with(r#""target":"game"}"#)).collect()
}

#[test]
fn a_game_is_hosted_and_everybody_sees_it_grow() {
    let mut lobby = lobby();
    let (ada, bob, cem) = (lobby.log_in("Ada"), lobby.log_in("Bob"), lobby.log_in("Cem"));
    lobby.advance(SECOND);
    lobby.hear(cem);
    lobby.hear(ada);
    host_with(&mut lobby, ada, r#","title":" 4v4 ","rating_min":"1000","rating_max":null"#);
    assert_eq!(
        lobby.hear(ada),
        [
            r#"{"command":"game_launch","args":["/numgames",0],"uid":1,"mod":"faf","name":"4v4","init_mode":0,"game_type":"custom","rating_type":"global"}"#
        ]
    );
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, cem), [("closed".to_owned(), 0)]);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    lobby.advance(SECOND);
    assert!(lobby.hear(cem).is_empty(), "a process that has started is nobody's business");
    lobby.hear(ada);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    assert_eq!(lobby.hear(ada), [to_game("HostGame", r#"["scmp_007"]"#)]);
    lobby.advance(SECOND);
    assert_eq!(
        lobby.hear(cem),
        [
            r#"{"command":"game_info","visibility":"public","password_protected":false,"uid":1,"title":"4v4","state":"open","game_type":"custom","featured_mod":"faf","sim_mods":{},"mapname":"scmp_007","map_file_path":"maps/scmp_007.zip","host":"Ada","num_players":0,"max_players":12,"hosted_at":"2026-07-01T12:00:03+00:00","launched_at":null,"rating_type":"global","rating_min":1000.0,"rating_max":null,"enforce_rating_range":false,"teams_ids":[],"teams":{}}"#
        ]
    );
    seat(&mut lobby, ada, 1, 1, 2);
    enter(&mut lobby, bob, 1);
    lobby.advance(SECOND);
    // The joiner counts when the host's game says so.
    assert_eq!(heard_games(&mut lobby, cem), [("open".to_owned(), 1)]);
    seat(&mut lobby, ada, 2, 2, -1);
    lobby.advance(SECOND);
    let told = lobby.hear(cem);
    assert!(told[0].ends_with(r#""teams_ids":[{"team_id":-1,"player_ids":[2]},{"team_id":2,"player_ids":[1]}],"teams":{"-1":["Bob"],"2":["Ada"]}}"#), "{told:?}");
    let newcomer = lobby.connect();
    lobby.say_hello(newcomer, "Dan");
    assert!(
        lobby
            .hear(newcomer)
            .pop()
            .unwrap()
            .starts_with(r#"{"command":"game_info","games":[{"command":"game_info","#)
    );
}

#[test]
fn whoever_joins_is_connected_to_everybody_in_order() {
    let mut lobby = lobby();
    let conns = PLAYERS.map(|(login, _)| lobby.log_in(login));
    let [ada, bob, cem, dan, _] = conns;
    host(&mut lobby, ada, "");
    lobby.hear(ada);
    enter(&mut lobby, bob, 1);
    assert_eq!(heard_orders(&mut lobby, bob), [to_game("JoinGame", r#"["Ada",1]"#)]);
    assert_eq!(heard_orders(&mut lobby, ada), [to_game("ConnectToPeer", r#"["Bob",2,true]"#)]);
    enter(&mut lobby, cem, 1);
    lobby.hear(cem);
    lobby.hear(bob);
    lobby.hear(ada);
    enter(&mut lobby, dan, 1);
    assert_eq!(
        heard_orders(&mut lobby, dan),
        [
            to_game("JoinGame", r#"["Ada",1]"#),
            to_game("ConnectToPeer", r#"["Bob",2,true]"#),
            to_game("ConnectToPeer", r#"["Cem",3,true]"#),
        ]
    );
    for (conn, offer) in [(ada, true), (bob, false), (cem, false)] {
        assert_eq!(
            heard_orders(&mut lobby, conn),
            [to_game("ConnectToPeer", &format!(r#"["Dan",4,{offer}]"#))]
        );
    }
    // Said again, it means nothing.
    game(&mut lobby, dan, "GameState", r#"["Lobby"]"#);
    game(&mut lobby, dan, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    for conn in [ada, bob, cem, dan] {
        assert!(heard_orders(&mut lobby, conn).is_empty());
    }
    assert_eq!(state(&lobby), Some(GameState::Lobby));
}

#[test]
fn guests_may_leave_and_come_back_and_the_host_may_not() {
    let mut lobby = lobby();
    let (ada, bob, cem) = (lobby.log_in("Ada"), lobby.log_in("Bob"), lobby.log_in("Cem"));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    enter(&mut lobby, cem, 1);
    seat(&mut lobby, ada, 1, 1, 1);
    seat(&mut lobby, ada, 2, 2, 1);
    seat(&mut lobby, ada, 3, 3, 1);
    lobby.hear(ada);
    lobby.hear(cem);
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    for conn in [ada, cem] {
        assert_eq!(heard_orders(&mut lobby, conn), [to_game("DisconnectFromPeer", "[2]")]);
    }
    enter(&mut lobby, bob, 1);
    lobby.advance(SECOND);
    // The host has to say again that Bob is there.
    assert_eq!(heard_games(&mut lobby, cem).last(), Some(&("open".to_owned(), 2)));
    lobby.hear(bob);
    // Cem's connection breaks, but not the game process.
    lobby.disconnect(cem);
    assert_eq!(heard_orders(&mut lobby, bob), [to_game("DisconnectFromPeer", "[3]")]);
    let cem = lobby.log_in("Cem");
    lobby.say(cem, r#"{"command":"restore_game_session","game_id":1}"#);
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, cem).last(), Some(&("open".to_owned(), 2)));
    host_with(&mut lobby, cem, "");
    assert_eq!(lobby.hear(cem), [notice("error", "Can't host a game while in state PLAYING")]);

    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    assert!(heard_orders(&mut lobby, cem).is_empty());
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, cem).last().unwrap().0, "closed");
    lobby.hear(ada);
    join(&mut lobby, ada, 1);
    assert_eq!(
        lobby.hear(ada),
        [
            r#"{"command":"game_join_failed","reason":"game_not_ready","uid":1}"#.to_owned(),
            notice("info", "The game you are trying to join is not ready.")
        ]
    );
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    game(&mut lobby, cem, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND);
    assert_eq!(lobby.world.games().count(), 0);
    host_with(&mut lobby, bob, "");
    assert!(lobby.hear_commands(bob).contains(&"game_launch".to_owned()));
}

#[test]
fn only_good_requests_make_a_game() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    let long = "x".repeat(300);
    for (request, answer) in [
        (r#","title":"ümlaut""#.to_owned(), notice("error", "Title must contain only ascii characters.")),
        (r#","title":"   ""#.to_owned(), notice("error", "Title must not be empty.")),
        (r#","title":"a\nb""#.to_owned(), notice("error", "Title must contain only ascii characters.")),
        (r#","mapname":"../x""#.to_owned(), notice("error", "This cannot be the name of a map.")),
        (
            r#","mod":"chess""#.to_owned(),
            r#"{"command":"notice","style":"error","text":"The featured mod \"chess\" is not available on this server."}"#
                .to_owned(),
        ),
        (format!(r#","mapname":"{long}""#), notice("error", "This cannot be the name of a map.")),
        (format!(r#","password":"{}""#, long.repeat(10)), notice("error", "The password is too long.")),
    ] {
        host_with(&mut lobby, ada, &request);
        assert_eq!(lobby.hear(ada), [answer]);
    }
    assert_eq!(lobby.world.games().count(), 0);
    for request in [
        r#"{"command":"game_host"}"#,
        r#"{"command":"game_host","visibility":"secret"}"#,
        r#"{"command":"game_host","visibility":"public","rating_min":"high"}"#,
        r#"{"command":"game_host","visibility":"public","rating_min":"inf"}"#,
        r#"{"command":"game_host","visibility":"public","rating_max":[]}"#,
        r#"{"command":"game_host","visibility":"public","title":5}"#,
        r#"{"command":"game_join"}"#,
        r#"{"command":"game_join","uid":"one"}"#,
        r#"{"command":"game_join","uid":null}"#,
        r#"{"command":"restore_game_session"}"#,
        r#"{"command":"restore_game_session","game_id":1.5}"#,
    ] {
        let conn = lobby.log_in("Bob");
        lobby.say(conn, request);
        assert_eq!(lobby.hear_commands(conn), ["invalid"], "{request}");
        assert!(!lobby.is_open(conn));
    }
    host_with(&mut lobby, ada, &format!(r#","title":"{long}","mod":"FAF","mapname":"SCMP_007""#));
    lobby.hear(ada);
    // Whoever is busy hears of that first, and keeps the connection.
    lobby.say(ada, r#"{"command":"game_host"}"#);
    assert_eq!(lobby.hear(ada), [notice("error", "Can't host a game while in state STARTING_GAME")]);
    let info = &lobby.world.game_infos()[0];
    assert_eq!(
        (info.title.len(), info.mapname.as_str(), info.featured_mod.as_str()),
        (128, "scmp_007", "faf")
    );
}

#[test]
fn only_welcome_players_join() {
    let mut lobby = lobby();
    lobby.store.account("Ada").foes.insert(PlayerId(3));
    lobby.store.account("Dan").ratings = vec![(
        "global".to_owned(),
        LeaderboardRating { rating: Rating { mean: 1500.0, deviation: 100.0 }, number_of_games: 7 },
    )];
    let [ada, bob, cem, dan, eve] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    let failed = |reason: &str, uid: i64, text: &str| {
        vec![
            format!(r#"{{"command":"game_join_failed","reason":"{reason}","uid":{uid}}}"#),
            notice("info", text),
        ]
    };
    join(&mut lobby, bob, 1);
    assert_eq!(lobby.hear(bob), failed("host_left_game", 1, "The host has left the game."));
    lobby.say(bob, r#"{"command":"game_join","uid":-1}"#);
    assert_eq!(lobby.hear(bob), failed("host_left_game", 0, "The host has left the game."));
    host_with(
        &mut lobby,
        ada,
        r#","password":"Secret","rating_min":1000,"rating_max":1300,"enforce_rating_range":1"#,
    );
    join(&mut lobby, dan, 1);
    assert_eq!(lobby.hear(dan), failed("game_not_ready", 1, "The game you are trying to join is not ready."));
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    join(&mut lobby, cem, 1);
    assert_eq!(lobby.hear(cem), [notice("error", "You cannot join games hosted by this player.")]);
    join(&mut lobby, eve, 1);
    assert_eq!(
        lobby.hear(eve),
        [notice("error", "Your rating is outside of the range that this game allows.")]
    );
    for password in ["", r#","password":"secret""#, r#","password":"""#, r#","password":null"#] {
        lobby.say(dan, &format!(r#"{{"command":"game_join","uid":1{password}}}"#));
        assert_eq!(lobby.hear(dan), failed("bad_password", 1, "Bad password (it's case sensitive)."));
    }
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, dan).len(), 1);
    for conn in [bob, cem, eve] {
        assert_eq!(heard_games(&mut lobby, conn), []);
    }
    lobby.say(dan, r#"{"command":"game_join","uid":"1","password":"Secret"}"#);
    assert_eq!(lobby.hear_commands(dan), ["game_launch"]);
    assert_eq!(lobby.store.join_attempts.len(), 3);
}

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
fn hidden_games_do_not_leak() {
    let mut lobby = lobby();
    lobby.store.account("Ada").friends.insert(PlayerId(2));
    let [ada, bob, cem, ..] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    lobby.say(ada, r#"{"command":"game_host","visibility":"friends"}"#);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, bob).len(), 1);
    assert_eq!(heard_games(&mut lobby, cem), []);
    // Friends come and go, and the game with them.
    lobby.say(ada, r#"{"command":"social_add","friend":3}"#);
    assert_eq!(heard_games(&mut lobby, cem), [("open".to_owned(), 0)]);
    lobby.say(ada, r#"{"command":"social_remove","friend":3}"#);
    assert_eq!(heard_games(&mut lobby, cem), [("closed".to_owned(), 0)]);
    // Whoever is inside sees it, and is told of its end on leaving.
    enter(&mut lobby, cem, 1);
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, cem), [("open".to_owned(), 0)]);
    game(&mut lobby, cem, "GameState", r#"["Ended"]"#);
    assert_eq!(heard_games(&mut lobby, cem), [("closed".to_owned(), 0)]);
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, cem), []);
    assert_eq!(heard_games(&mut lobby, bob).last().unwrap().0, "closed");

    host(&mut lobby, ada, "");
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, bob).len(), 1);
    lobby.say(ada, r#"{"command":"social_add","foe":2}"#);
    assert_eq!(heard_games(&mut lobby, bob), [("closed".to_owned(), 0)]);
    lobby.say(ada, r#"{"command":"social_remove","foe":2}"#);
    assert_eq!(heard_games(&mut lobby, bob), [("open".to_owned(), 0)]);
}

#[test]
fn options_are_the_hosts_until_the_launch() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.store.maps.insert("x".to_owned(), faf_lobby_core::MapVersion { id: 9, is_ranked: false });
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    let info = |lobby: &SimulatedLobby| lobby.world.game_infos().remove(0);
    game(&mut lobby, bob, "GameOption", r#"["Slots",2]"#);
    assert_eq!(info(&lobby).max_players, 12);
    for (args, check) in
        [(r#"["Slots","8"]"#, 8), (r#"["Slots","many"]"#, 8), (r#"["Slots",[]]"#, 8), (r#"["Slots"]"#, 8)]
    {
        game(&mut lobby, ada, "GameOption", args);
        assert_eq!(info(&lobby).max_players, check, "{args}");
    }
    game(&mut lobby, ada, "GameOption", r#"["Victory",{"not":"text"}]"#);
    assert_eq!(state(&lobby), Some(GameState::Lobby));
    game(&mut lobby, ada, "GameOption", r#"["ScenarioFile","C:\\Maps\\X\\X_scenario.lua"]"#);
    assert_eq!(info(&lobby).mapname, "x");
    game(&mut lobby, ada, "GameOption", r#"["Title"," other "]"#);
    game(&mut lobby, ada, "GameOption", r#"["Title","  "]"#);
    assert_eq!(info(&lobby).title, "other");
    game(&mut lobby, ada, "GameMods", r#"["uids","a b"]"#);
    assert_eq!(info(&lobby).sim_mods["b"], "Unknown sim mod");
    game(&mut lobby, ada, "GameMods", r#"["activated","0"]"#);
    assert!(info(&lobby).sim_mods.is_empty());
    seat(&mut lobby, ada, 1, 1, 2);
    game(&mut lobby, ada, "PlayerOption", r#"["1","Team","three"]"#);
    game(&mut lobby, ada, "PlayerOption", r#"["1","Army","1"]"#);
    assert_eq!(info(&lobby).teams_ids[0].team_id, 2);
    game(&mut lobby, ada, "AIOption", r#"["AI: Easy","Faction",1]"#);
    game(&mut lobby, ada, "ClearSlot", "[1]");
    assert_eq!(info(&lobby).teams_ids[0].team_id, -1);
    assert_eq!(info(&lobby).num_players, 1);
    // Nobody plays: the host watches an empty map. Even so the launch ends the host's rights.
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, ada, "GameOption", r#"["Slots",2]"#);
    assert_eq!((state(&lobby), info(&lobby).max_players), (Some(GameState::Live), 8));
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    assert_eq!(state(&lobby), Some(GameState::Live));
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

#[test]
fn games_that_come_and_go_are_not_told() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    for _ in 0..100 {
        host_with(&mut lobby, ada, "");
        game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    }
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, bob), []);
    assert_eq!(lobby.world.games().count(), 0);
}

#[test]
fn who_has_not_come_in_has_no_say() {
    let mut lobby = lobby();
    let [ada, bob, cem, dan, _] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 3);
    // They start their processes, and go no further.
    for late in [cem, dan] {
        join(&mut lobby, late, 1);
        game(&mut lobby, late, "GameState", r#"["Idle"]"#);
    }
    lobby.hear(ada);
    game(&mut lobby, cem, "IceMsg", r#"[1,"x"]"#);
    assert!(heard_orders(&mut lobby, ada).is_empty());
    lobby.holds_answers = true;
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    while lobby.answer_next() {}
    lobby.holds_answers = false;
    for late in [cem, dan] {
        (0..30).for_each(|_| game(&mut lobby, late, "Desync", "[]"));
        game(&mut lobby, late, "GameResult", r#"[2,"victory 10"]"#);
        // They are free for another game.
        lobby.hear(late);
        host_with(&mut lobby, late, "");
        assert_eq!(lobby.hear_commands(late), ["game_launch"]);
        game(&mut lobby, late, "GameState", r#"["Ended"]"#);
    }
    lobby.advance(SECOND * 200);
    finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
    let stored = &lobby.store.games[&GameId(1)];
    assert_eq!(
        (stored.end.as_ref().unwrap().validity, stored.ratings[0].player),
        (Validity::Valid, PlayerId(1))
    );
    assert!(stored.notes.is_empty());
}

#[test]
fn foes_do_not_slip_in() {
    // Made a foe between the request and the lobby.
    let mut lobby = lobby();
    let [ada, bob, cem, ..] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(&mut lobby, ada, "");
    join(&mut lobby, bob, 1);
    game(&mut lobby, bob, "GameState", r#"["Idle"]"#);
    lobby.say(ada, r#"{"command":"social_add","foe":2}"#);
    lobby.hear(ada);
    game(&mut lobby, bob, "GameState", r#"["Lobby"]"#);
    assert!(heard_orders(&mut lobby, ada).iter().all(|order| !order.contains("ConnectToPeer")));
    assert_eq!(only_game(&lobby).members(), [PlayerId(1)]);
    // Made a foe while the connection is lost.
    enter(&mut lobby, cem, 1);
    lobby.disconnect(cem);
    lobby.say(ada, r#"{"command":"social_add","foe":3}"#);
    let cem = lobby.log_in("Cem");
    lobby.say(cem, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(lobby.hear(cem), [notice("error", "You cannot join games hosted by this player.")]);
}

#[test]
fn the_time_of_day_does_not_matter_to_a_game() {
    for jump in [-7200, 7200] {
        let mut lobby = lobby();
        let (ada, bob) = live_game(&mut lobby);
        lobby.advance(SECOND * if jump < 0 { 3000 } else { 10 });
        lobby.clock_error = jump * 1_000_000;
        finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
        let end = lobby.store.games[&GameId(1)].end.clone().unwrap();
        let expected = if jump < 0 { Validity::Valid } else { Validity::TooShort };
        assert_eq!(end.validity, expected, "the clock jumps by {jump} s");
    }
}

#[test]
fn processes_that_do_not_start_are_given_up() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host_with(&mut lobby, ada, "");
    lobby.advance(SECOND * 29);
    assert_eq!(state(&lobby), Some(GameState::Initializing));
    lobby.advance(SECOND * 2);
    assert_eq!(lobby.world.games().count(), 0);
    assert_eq!(heard_games(&mut lobby, bob).last().unwrap().0, "closed");
    host(&mut lobby, ada, r#","mod":"coop""#);
    lobby.hear(ada);
    join(&mut lobby, bob, 2);
    lobby.advance(SECOND * 31);
    host_with(&mut lobby, bob, "");
    assert!(lobby.hear(bob).pop().unwrap().contains("STARTING_GAME"), "co-op maps take longer to load");
    lobby.advance(SECOND * 30);
    // Whoever was told to connect to Bob may forget that, although Bob never came.
    assert_eq!(heard_orders(&mut lobby, ada), [to_game("DisconnectFromPeer", "[2]")]);
    host_with(&mut lobby, bob, "");
    assert!(lobby.hear_commands(bob).contains(&"game_launch".to_owned()));
}

#[test]
fn nobody_joins_a_host_who_has_gone() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    join(&mut lobby, bob, 1);
    game(&mut lobby, bob, "GameState", r#"["Idle"]"#);
    lobby.disconnect(ada);
    lobby.hear(bob);
    game(&mut lobby, bob, "GameState", r#"["Lobby"]"#);
    assert_eq!(heard_orders(&mut lobby, bob), [""; 0]);
    host_with(&mut lobby, bob, "");
    assert!(lobby.hear_commands(bob).contains(&"game_launch".to_owned()), "Bob is free again");

    // The same for a game that is forgotten already.
    let mut lobby = self::lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    join(&mut lobby, bob, 1);
    game(&mut lobby, bob, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 5);
    game(&mut lobby, bob, "GameState", r#"["Lobby"]"#);
    lobby.hear(bob);
    host_with(&mut lobby, bob, "");
    assert_eq!(lobby.hear_commands(bob), ["game_launch"]);

    // The same for a game that has begun without the guest.
    let mut lobby = self::lobby();
    live_game(&mut lobby);
    let cem = lobby.log_in("Cem");
    join(&mut lobby, cem, 1);
    assert!(lobby.hear(cem)[0].contains("game_not_ready"));
}

/// Everything on the way of Ada's and Bob's game to its launch: who says what.
fn choreography() -> Vec<(usize, String)> {
    const ADA: usize = 0;
    const BOB: usize = 1;
    let game = |conn: usize, command: &str, args: &str| {
        (conn, format!(r#"{{"target":"game","command":"{command}","args":{args}}}"#))
    };
    vec![
        (ADA, r#"{"command":"game_host","visibility":"public"}"#.to_owned()),
        game(ADA, "GameState", r#"["Idle"]"#),
        game(ADA, "GameState", r#"["Lobby"]"#),
        game(ADA, "PlayerOption", r#"[1,"Army",1]"#),
        (BOB, r#"{"command":"game_join","uid":1}"#.to_owned()),
        game(BOB, "GameState", r#"["Idle"]"#),
        game(BOB, "GameState", r#"["Lobby"]"#),
        game(ADA, "PlayerOption", r#"[2,"Army",2]"#),
        game(ADA, "GameOption", r#"["ScenarioFile","/maps/x/x_scenario.lua"]"#),
        game(ADA, "GameMods", r#"["uids","a"]"#),
        game(ADA, "GameState", r#"["Launching"]"#),
        game(BOB, "GameResult", r#"[1,"victory 10"]"#),
        game(BOB, "GameEnded", "[]"),
        game(ADA, "GameEnded", "[]"),
    ]
}

#[test]
fn anybody_may_vanish_at_any_step() {
    let ended = r#"{"target":"game","command":"GameState","args":["Ended"]}"#;
    let steps = choreography();
    for vanishing in [0, 1] {
        for step in 0..=steps.len() {
            for is_asked in [false, true] {
                for is_lost in [false, true] {
                    let place =
                        format!("player {vanishing} before step {step}, asked {is_asked}, lost {is_lost}");
                    let mut lobby = lobby();
                    let mut conns = [lobby.log_in("Ada"), lobby.log_in("Bob")];
                    for (number, (conn, text)) in steps.iter().enumerate() {
                        // The answer to what was asked last may come when its player has gone.
                        lobby.holds_answers = is_asked && number + 1 >= step;
                        if number == step {
                            break;
                        }
                        lobby.say(conns[*conn], text);
                    }
                    match is_lost {
                        true => lobby.disconnect(conns[vanishing]),
                        false => lobby.say(conns[vanishing], ended),
                    }
                    lobby.holds_answers = false;
                    while lobby.answer_next() {}
                    lobby.check();
                    for (conn, text) in &steps[step..] {
                        if lobby.is_open(conns[*conn]) {
                            lobby.say(conns[*conn], text);
                        }
                    }
                    if is_lost {
                        conns[vanishing] = lobby.log_in(["Ada", "Bob"][vanishing]);
                    }
                    for conn in conns {
                        lobby.say(conn, ended);
                    }
                    lobby.advance(SECOND * 40);
                    lobby.check();
                    assert_eq!(lobby.world.games().count(), 0, "{place}");
                    assert!(lobby.world.is_settled(), "{place}");
                    for conn in conns {
                        lobby.hear(conn);
                        host_with(&mut lobby, conn, "");
                        assert_eq!(lobby.hear_commands(conn), ["game_launch"], "{place}");
                    }
                    for stored in lobby.store.games.values() {
                        assert!(stored.end.is_some() && stored.saved.is_none(), "{place}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_game_that_never_ends_keeps_nobody_else_waiting() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    game(&mut lobby, bob, "GameEnded", "[]");
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    host_with(&mut lobby, bob, "");
    assert!(lobby.hear_commands(bob).contains(&"game_launch".to_owned()));
    lobby.advance(SECOND * 3600 * 24);
    assert!(lobby.is_open(ada));
    assert_eq!(lobby.world.games().map(Game::state).collect::<Vec<_>>(), [GameState::Live]);
    lobby.disconnect(ada);
    lobby.advance(SECOND);
    assert_eq!(lobby.world.games().count(), 0);
}

#[test]
fn a_game_is_played_and_rated() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    let cem = lobby.log_in("Cem");
    lobby.advance(SECOND * 121);
    assert_eq!(lobby.store.games[&GameId(1)].launched.players.len(), 2);
    lobby.hear(cem);
    finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
    let stored = &lobby.store.games[&GameId(1)];
    let end = stored.end.as_ref().unwrap();
    assert_eq!((end.validity, stored.ratings.len(), stored.saved.is_none()), (Validity::Valid, 2, true));
    let lines: Vec<String> = end.decisions.iter().map(ToString::to_string).collect();
    assert_eq!(lines.last().unwrap(), "rated on global");
    let told = lobby.hear(cem).join("\n");
    assert!(told.contains(r#""rating":[1765.51188"#) && told.contains(r#""number_of_games":1"#), "{told}");
    assert!(told.contains(r#""state":"closed""#));
    let keys: Vec<_> = lobby.published.iter().map(Publication::routing_key).collect();
    assert_eq!(keys, ["success.gameResults.create", "success.rating.update", "success.rating.update"]);
    assert!(lobby.counts.contains(&Count::RatedGame("global".to_owned())));
    assert_eq!(lobby.world.games().count(), 0);
    // The next game knows of this one.
    host_with(&mut lobby, ada, "");
    assert!(lobby.hear(ada).last().unwrap().contains(r#""args":["/numgames",1],"uid":2"#));
}

#[test]
fn whoever_logs_in_while_being_rated_has_the_new_rating() {
    for is_stored_first in [false, true] {
        let mut lobby = lobby();
        let (ada, bob) = live_game(&mut lobby);
        lobby.advance(SECOND * 121);
        game(&mut lobby, bob, "GameResult", r#"[1,"victory 10"]"#);
        lobby.disconnect(ada);
        let ada = lobby.connect();
        lobby.holds_answers = true;
        // One of the two is read from the database first, and answered last.
        let sign_in = |lobby: &mut SimulatedLobby| {
            lobby.say_hello(ada, "Ada");
            lobby.answer_next();
        };
        let end = |lobby: &mut SimulatedLobby| game(lobby, bob, "GameState", r#"["Ended"]"#);
        if is_stored_first {
            end(&mut lobby);
            let late = lobby.look_at_next();
            sign_in(&mut lobby);
            lobby.answer_next();
            lobby.give_late(late);
        } else {
            sign_in(&mut lobby);
            let late = lobby.look_at_next();
            end(&mut lobby);
            lobby.answer_next();
            lobby.give_late(late);
        }
        lobby.holds_answers = false;
        while lobby.answer_next() {}
        let me = lobby.world.players().remove(0);
        assert_eq!((me.login.as_str(), me.number_of_games), ("Ada", 1), "stored first: {is_stored_first}");
        assert_eq!(me.global_rating, lobby.store.account("Ada").ratings[0].1.rating);
    }
}

#[test]
fn games_that_do_not_count_say_why() {
    let end_of = |play: &dyn Fn(&mut SimulatedLobby, ConnId, ConnId)| {
        let mut lobby = lobby();
        let (ada, bob) = live_game(&mut lobby);
        play(&mut lobby, ada, bob);
        assert_eq!(lobby.world.games().count(), 0);
        let stored = &lobby.store.games[&GameId(1)];
        let end = stored.end.as_ref().unwrap();
        assert_eq!(end.rated.is_some(), end.validity == Validity::Valid);
        (end.validity, end.results.len(), end.decisions.last().unwrap().to_string())
    };
    let results = [(1, "victory 10"), (2, "defeat -10")];
    let short = end_of(&|lobby, ada, bob| finish(lobby, &[ada, bob], &results));
    assert_eq!(short, (Validity::TooShort, 2, "not rated: TOO_SHORT".to_owned()));
    let enforced = end_of(&|lobby, ada, bob| {
        game(lobby, bob, "EnforceRating", "[]");
        finish(lobby, &[ada, bob], &results);
    });
    assert_eq!(enforced.0, Validity::Valid);
    let silent = end_of(&|lobby, ada, bob| finish(lobby, &[ada, bob], &[(9, "victory 10"), (1, "score 1")]));
    assert_eq!((silent.0, silent.1), (Validity::UnknownResult, 0));
    let apart = end_of(&|lobby, ada, bob| {
        (0..21).for_each(|_| game(lobby, ada, "Desync", "[]"));
        game(lobby, bob, "Desync", r#"["x"]"#);
        lobby.advance(SECOND * 200);
        finish(lobby, &[ada, bob], &results);
        assert_eq!(lobby.store.games[&GameId(1)].notes.len(), 2);
    });
    assert_eq!((apart.0, apart.1), (Validity::TooManyDesyncs, 0));
    let contradicting = end_of(&|lobby, ada, bob| {
        lobby.advance(SECOND * 200);
        game(lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
        game(lobby, bob, "GameResult", r#"["1","defeat -10"]"#);
        finish(lobby, &[ada, bob], &[]);
    });
    assert_eq!((contradicting.0, contradicting.1), (Validity::UnknownResult, 2));
}

#[test]
fn the_last_one_who_leaves_ends_the_game() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    lobby.hear(ada);
    lobby.disconnect(bob);
    assert!(heard_orders(&mut lobby, ada).is_empty(), "the simulation goes on without the lobby");
    lobby.advance(SECOND);
    assert_eq!(heard_games(&mut lobby, ada), [("playing".to_owned(), 1)]);
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND);
    let end = lobby.store.games[&GameId(1)].end.clone().unwrap();
    assert_eq!((end.validity, end.rated.is_some()), (Validity::Valid, true));
    // Bob is rated, though nobody could tell him.
    assert_eq!(lobby.store.account("Bob").ratings[0].1.number_of_games, 1);
}

#[test]
fn a_lost_connection_can_be_waited_for() {
    let grace = Settings { reconnect_grace_period: SECOND * 60, ..Settings::default() };
    let mut lobby = lobby_with(grace);
    let (ada, bob) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    lobby.disconnect(ada);
    lobby.disconnect(bob);
    lobby.advance(SECOND * 50);
    assert_eq!(state(&lobby), Some(GameState::Live));
    let (ada, eve) = (lobby.log_in("Ada"), lobby.log_in("Eve"));
    lobby.say(eve, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(lobby.hear(eve), [notice("info", "You are not part of this game")]);
    lobby.say(ada, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(only_game(&lobby).members(), [PlayerId(1)]);
    lobby.advance(SECOND * 20);
    assert_eq!(state(&lobby), Some(GameState::Live), "Ada is back, and Bob is not waited for any longer");
    game(&mut lobby, ada, "GameResult", r#"[2,"defeat 0"]"#);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 0"]"#);
    game(&mut lobby, ada, "GameEnded", "[]");
    lobby.advance(SECOND);
    assert_eq!(lobby.store.games[&GameId(1)].end.as_ref().unwrap().validity, Validity::Valid);
}

#[test]
fn games_outlive_the_server() {
    let mut lobby = lobby();
    let (ada, _) = live_game(&mut lobby);
    lobby.advance(SECOND * 200);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    lobby.restart();
    lobby.advance(SECOND * 10);
    let bob = lobby.connect();
    lobby.say_hello(bob, "Bob");
    assert!(lobby.hear(bob).last().unwrap().contains(r#""state":"playing""#));
    lobby.say(bob, r#"{"command":"restore_game_session","game_id":1}"#);
    game(&mut lobby, bob, "GameResult", r#"[2,"defeat -10"]"#);
    game(&mut lobby, bob, "GameEnded", "[]");
    assert_eq!(state(&lobby), Some(GameState::Live), "Ada may still come back");
    lobby.advance(SECOND * 300);
    let end = lobby.store.games[&GameId(1)].end.clone().unwrap();
    assert_eq!((end.validity, end.rated.is_some()), (Validity::Valid, true));
    host_with(&mut lobby, bob, "");
    assert!(lobby.hear(bob).last().unwrap().contains("PLAYING"));
}

#[test]
fn a_database_that_is_away_loses_nothing() {
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
fn a_database_that_is_away_does_not_fill_the_memory() {
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
    // Told when it is stored that they were counted, and not again after a kill.
    lobby.holds_answers = true;
    game(&mut lobby, ada, "JsonStats", &args);
    assert!(lobby.published.is_empty());
    lobby.holds_answers = false;
    while lobby.answer_next() {}
    let told = lobby.published.len();
    assert!(told > 0);
    lobby.restart();
    let ada = lobby.log_in("Ada");
    lobby.say(ada, r#"{"command":"restore_game_session","game_id":1}"#);
    game(&mut lobby, ada, "JsonStats", &args);
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    assert_eq!(lobby.published.len(), told);
    assert!(lobby.published.iter().all(|publication| publication.body().unwrap().contains("\"playerId\":1")));
}

#[test]
fn ice_messages_stay_in_the_game() {
    let mut lobby = lobby();
    let [ada, bob, cem, ..] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    host(&mut lobby, cem, "");
    lobby.hear(ada);
    lobby.hear(cem);
    game(&mut lobby, bob, "IceMsg", r#"["1",{"b":[1.50],"a":2}]"#);
    assert_eq!(heard_orders(&mut lobby, ada), [to_game("IceMsg", r#"[2,{"b":[1.50],"a":2}]"#)]);
    game(&mut lobby, bob, "IceMsg", &format!(r#"[1,"{}"]"#, "x".repeat(70_000)));
    assert!(heard_orders(&mut lobby, ada).is_empty());
    game(&mut lobby, bob, "IceMsg", r#"[3,"candidate"]"#);
    game(&mut lobby, bob, "IceMsg", r#"[99,"candidate"]"#);
    assert!(heard_orders(&mut lobby, cem).is_empty());
}

#[test]
fn missions_are_completed_once() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, r#","mod":"coop""#);
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 1);
    seat(&mut lobby, ada, 2, 2, 1);
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, ada, "GameEnded", "[]");
    game(&mut lobby, bob, "GameEnded", "[]");
    // The game is over, and the processes are still there.
    game(&mut lobby, bob, "OperationComplete", r#"[1,0,"soon"]"#);
    game(&mut lobby, bob, "OperationComplete", r#"[0,0,"00:10:00"]"#);
    game(&mut lobby, bob, "OperationComplete", r#"[1,"yes","00:12:34"]"#);
    game(&mut lobby, ada, "OperationComplete", r#"[1,0,"00:12:35"]"#);
    let note = Note::MissionComplete {
        map: "scmp_007".to_owned(),
        secondary: true,
        time: "00:12:34".to_owned(),
        player_count: 2,
    };
    let stored = &lobby.store.games[&GameId(1)];
    assert_eq!(stored.notes, [note]);
    assert_eq!(stored.end.as_ref().unwrap().validity, Validity::CoopNotRanked);
}

#[test]
fn a_shutdown_closes_lobbies_and_waits_for_live_games() {
    let mut lobby = lobby();
    let (ada, bob) = live_game(&mut lobby);
    let (cem, dan) = (lobby.log_in("Cem"), lobby.log_in("Dan"));
    host(&mut lobby, cem, "");
    enter(&mut lobby, dan, 2);
    lobby.hear(cem);
    lobby.hear(dan);
    lobby.shut_down();
    assert!(lobby.hear(cem)[0].contains(r#""style":"kill""#));
    assert!(lobby.hear(dan).contains(&to_game("DisconnectFromPeer", "[3]")));
    host_with(&mut lobby, cem, "");
    assert_eq!(lobby.hear(cem), [r#"{"command":"disabled","request":"game_host"}"#]);
    lobby.advance(SECOND * 200);
    assert!(!lobby.has_stopped);
    finish(&mut lobby, &[ada, bob], &[(1, "victory 10"), (2, "defeat -10")]);
    assert!(lobby.has_stopped);
    assert_eq!(lobby.store.games[&GameId(1)].ratings.len(), 2);

    // What is only being opened does not open any more.
    let mut lobby = self::lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    live_game_of(&mut lobby, bob);
    host_with(&mut lobby, ada, "");
    lobby.shut_down();
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    assert!(heard_orders(&mut lobby, ada).is_empty());
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 2);
    assert!(lobby.has_stopped);

    // Who does not want to wait finds the game again.
    let mut lobby = self::lobby();
    live_game(&mut lobby);
    lobby.shut_down();
    lobby.shut_down();
    assert!(lobby.has_stopped);
    let stored = &lobby.store.games[&GameId(1)];
    assert!(stored.end.is_none());
    assert_eq!(stored.saved.as_ref().unwrap().members().len(), 2);
}
