//! Hosting, joining and leaving, until the launch.

use faf_lobby_core::{Count, GameState};
use faf_protocol::PlayerId;
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_testkit::lobby::SimulatedLobby;

use crate::support::{
    PLAYERS, SECOND, enter, game, host, host_with, join, live_game, lobby, notice, only_game, received_games,
    received_orders, seat, state, to_game,
};

#[test]
fn a_hosted_game_is_reported_as_it_grows() {
    let mut lobby = lobby();
    let (ada, bob, cem) = (lobby.log_in("Ada"), lobby.log_in("Bob"), lobby.log_in("Cem"));
    lobby.advance(SECOND);
    lobby.receive(cem);
    lobby.receive(ada);
    host_with(&mut lobby, ada, r#","title":" 4v4 ","rating_min":"1000","rating_max":null"#);
    assert_eq!(
        lobby.receive(ada),
        [
            r#"{"command":"game_launch","args":["/numgames",0],"uid":1,"mod":"faf","name":"4v4","init_mode":0,"game_type":"custom","rating_type":"global"}"#
        ]
    );
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, cem), [("closed".to_owned(), 0)]);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    lobby.advance(SECOND);
    assert!(lobby.receive(cem).is_empty(), "a process that has started is nobody's business");
    lobby.receive(ada);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    assert_eq!(lobby.receive(ada), [to_game("HostGame", r#"["scmp_007"]"#)]);
    lobby.advance(SECOND);
    assert_eq!(
        lobby.receive(cem),
        [
            r#"{"command":"game_info","visibility":"public","password_protected":false,"uid":1,"title":"4v4","state":"open","game_type":"custom","featured_mod":"faf","sim_mods":{},"mapname":"scmp_007","map_file_path":"maps/scmp_007.zip","host":"Ada","num_players":0,"max_players":12,"hosted_at":"2026-07-01T12:00:03+00:00","launched_at":null,"rating_type":"global","rating_min":1000.0,"rating_max":null,"enforce_rating_range":false,"teams_ids":[],"teams":{}}"#
        ]
    );
    seat(&mut lobby, ada, 1, 1, 2);
    enter(&mut lobby, bob, 1);
    lobby.advance(SECOND);
    // A guest counts as a player once the host's game reports them.
    assert_eq!(received_games(&mut lobby, cem), [("open".to_owned(), 1)]);
    seat(&mut lobby, ada, 2, 2, -1);
    lobby.advance(SECOND);
    let received = lobby.receive(cem);
    assert!(received[0].ends_with(r#""teams_ids":[{"team_id":-1,"player_ids":[2]},{"team_id":2,"player_ids":[1]}],"teams":{"-1":["Bob"],"2":["Ada"]}}"#), "{received:?}");
    let dan = lobby.connect();
    lobby.send_hello(dan, "Dan");
    assert!(
        lobby
            .receive(dan)
            .pop()
            .unwrap()
            .starts_with(r#"{"command":"game_info","games":[{"command":"game_info","#)
    );
}

#[test]
fn a_guest_is_connected_to_all_others_in_order() {
    let mut lobby = lobby();
    let conns = PLAYERS.map(|(login, _)| lobby.log_in(login));
    let [ada, bob, cem, dan, _] = conns;
    host(&mut lobby, ada, "");
    lobby.receive(ada);
    enter(&mut lobby, bob, 1);
    assert_eq!(received_orders(&mut lobby, bob), [to_game("JoinGame", r#"["Ada",1]"#)]);
    assert_eq!(received_orders(&mut lobby, ada), [to_game("ConnectToPeer", r#"["Bob",2,true]"#)]);
    enter(&mut lobby, cem, 1);
    lobby.receive(cem);
    lobby.receive(bob);
    lobby.receive(ada);
    enter(&mut lobby, dan, 1);
    assert_eq!(
        received_orders(&mut lobby, dan),
        [
            to_game("JoinGame", r#"["Ada",1]"#),
            to_game("ConnectToPeer", r#"["Bob",2,true]"#),
            to_game("ConnectToPeer", r#"["Cem",3,true]"#),
        ]
    );
    for (conn, offer) in [(ada, true), (bob, false), (cem, false)] {
        assert_eq!(
            received_orders(&mut lobby, conn),
            [to_game("ConnectToPeer", &format!(r#"["Dan",4,{offer}]"#))]
        );
    }
    // Repeated messages change nothing.
    game(&mut lobby, dan, "GameState", r#"["Lobby"]"#);
    game(&mut lobby, dan, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    for conn in [ada, bob, cem, dan] {
        assert!(received_orders(&mut lobby, conn).is_empty());
    }
    assert_eq!(state(&lobby), Some(GameState::Lobby));
}

#[test]
fn guests_may_leave_and_return_but_the_host_may_not() {
    let mut lobby = lobby();
    let (ada, bob, cem) = (lobby.log_in("Ada"), lobby.log_in("Bob"), lobby.log_in("Cem"));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    enter(&mut lobby, cem, 1);
    seat(&mut lobby, ada, 1, 1, 1);
    seat(&mut lobby, ada, 2, 2, 1);
    seat(&mut lobby, ada, 3, 3, 1);
    lobby.receive(ada);
    lobby.receive(cem);
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    for conn in [ada, cem] {
        assert_eq!(received_orders(&mut lobby, conn), [to_game("DisconnectFromPeer", "[2]")]);
    }
    enter(&mut lobby, bob, 1);
    lobby.advance(SECOND);
    // The host's game has to report Bob again.
    assert_eq!(received_games(&mut lobby, cem).last(), Some(&("open".to_owned(), 2)));
    lobby.receive(bob);
    // Cem's connection is lost, but the game process goes on.
    lobby.disconnect(cem);
    assert_eq!(received_orders(&mut lobby, bob), [to_game("DisconnectFromPeer", "[3]")]);
    let cem = lobby.log_in("Cem");
    lobby.send(cem, r#"{"command":"restore_game_session","game_id":1}"#);
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, cem).last(), Some(&("open".to_owned(), 2)));
    host_with(&mut lobby, cem, "");
    assert_eq!(lobby.receive(cem), [notice("error", "Can't host a game while in state PLAYING")]);

    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    assert!(received_orders(&mut lobby, cem).is_empty());
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, cem).last().unwrap().0, "closed");
    lobby.receive(ada);
    join(&mut lobby, ada, 1);
    assert_eq!(
        lobby.receive(ada),
        [
            r#"{"command":"game_join_failed","reason":"host_left_game","uid":1}"#.to_owned(),
            notice("info", "The host has left the game.")
        ]
    );
    game(&mut lobby, bob, "GameState", r#"["Ended"]"#);
    game(&mut lobby, cem, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND);
    assert_eq!(lobby.world.games().count(), 0);
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive_commands(bob).contains(&"game_launch".to_owned()));
}

#[test]
fn only_valid_requests_create_a_game() {
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
        assert_eq!(lobby.receive(ada), [answer]);
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
        lobby.send(conn, request);
        assert_eq!(lobby.receive_commands(conn), ["invalid"], "{request}");
        assert!(!lobby.is_open(conn));
    }
    host_with(&mut lobby, ada, &format!(r#","title":"{long}","mod":"FAF","mapname":"SCMP_007""#));
    lobby.receive(ada);
    // A player who is busy gets that answer first, and stays connected.
    lobby.send(ada, r#"{"command":"game_host"}"#);
    assert_eq!(lobby.receive(ada), [notice("error", "Can't host a game while in state STARTING_GAME")]);
    let info = &lobby.world.game_infos()[0];
    assert_eq!(
        (info.title.len(), info.mapname.as_str(), info.featured_mod.as_str()),
        (128, "scmp_007", "faf")
    );
}

#[test]
fn only_allowed_players_join() {
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
    assert_eq!(lobby.receive(bob), failed("host_left_game", 1, "The host has left the game."));
    lobby.send(bob, r#"{"command":"game_join","uid":-1}"#);
    assert_eq!(lobby.receive(bob), failed("host_left_game", 0, "The host has left the game."));
    host_with(
        &mut lobby,
        ada,
        r#","password":"Secret","rating_min":1000,"rating_max":1300,"enforce_rating_range":1"#,
    );
    join(&mut lobby, dan, 1);
    assert_eq!(
        lobby.receive(dan),
        failed("game_not_ready", 1, "The game you are trying to join is not ready.")
    );
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    join(&mut lobby, dan, 1);
    assert_eq!(
        lobby.receive(dan),
        failed("game_not_ready", 1, "The game you are trying to join is not ready.")
    );
    game(&mut lobby, ada, "GameState", r#"["Lobby"]"#);
    // The game is hidden from foes of the host and from players outside of the rating range.
    for hidden in [cem, eve] {
        join(&mut lobby, hidden, 1);
        assert_eq!(lobby.receive(hidden), failed("host_left_game", 1, "The host has left the game."));
    }
    for password in ["", r#","password":"secret""#, r#","password":"""#, r#","password":null"#] {
        lobby.send(dan, &format!(r#"{{"command":"game_join","uid":1{password}}}"#));
        assert_eq!(lobby.receive(dan), failed("bad_password", 1, "Bad password (it's case sensitive)."));
    }
    lobby.advance(SECOND);
    assert_eq!(received_games(&mut lobby, dan).len(), 1);
    for conn in [bob, cem, eve] {
        assert_eq!(received_games(&mut lobby, conn), []);
    }
    lobby.send(dan, r#"{"command":"game_join","uid":"1","password":"Secret"}"#);
    assert_eq!(lobby.receive_commands(dan), ["game_launch"]);
    let noted: Vec<u32> = lobby.store.joins.iter().map(|join| join.player.0).collect();
    assert_eq!(noted, [1, 4], "of the host and Dan; nothing is noted of a hidden game");
}

#[test]
fn new_foes_do_not_get_in() {
    // Bob becomes a foe between the request and the lobby.
    let mut lobby = lobby();
    let [ada, bob, cem, ..] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(&mut lobby, ada, "");
    join(&mut lobby, bob, 1);
    game(&mut lobby, bob, "GameState", r#"["Idle"]"#);
    lobby.send(ada, r#"{"command":"social_add","foe":2}"#);
    lobby.receive(ada);
    game(&mut lobby, bob, "GameState", r#"["Lobby"]"#);
    assert!(received_orders(&mut lobby, ada).iter().all(|order| !order.contains("ConnectToPeer")));
    assert_eq!(only_game(&lobby).members(), [PlayerId(1)]);
    // Cem becomes a foe while the connection is lost.
    enter(&mut lobby, cem, 1);
    lobby.disconnect(cem);
    lobby.send(ada, r#"{"command":"social_add","foe":3}"#);
    let cem = lobby.log_in("Cem");
    lobby.send(cem, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(lobby.receive(cem), [notice("info", "The game you were connected to no longer exists")]);
}

#[test]
fn only_the_host_sets_options_until_the_launch() {
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
    for slots in ["-5", "0", r#""-1""#, "17", "2147483648"] {
        game(&mut lobby, ada, "GameOption", &format!(r#"["Slots",{slots}]"#));
        assert_eq!(info(&lobby).max_players, 8, "{slots}");
    }
    game(&mut lobby, ada, "GameOption", r#"["Victory",{"not":"text"}]"#);
    assert_eq!(state(&lobby), Some(GameState::Lobby));
    game(&mut lobby, ada, "GameOption", r#"["ScenarioFile","C:\\Maps\\X\\X_scenario.lua"]"#);
    assert_eq!(info(&lobby).mapname, "x");
    game(&mut lobby, ada, "GameOption", r#"["Title"," other "]"#);
    game(&mut lobby, ada, "GameOption", r#"["Title","  "]"#);
    game(&mut lobby, ada, "GameOption", r#"["Title","two\nlines"]"#);
    assert_eq!(info(&lobby).title, "other");
    game(&mut lobby, ada, "GameMods", r#"["uids","a b"]"#);
    assert_eq!(info(&lobby).sim_mods["b"], "Unknown sim mod");
    game(&mut lobby, ada, "GameMods", r#"["uids",""]"#);
    assert!(info(&lobby).sim_mods.is_empty());
    game(&mut lobby, ada, "GameMods", r#"["uids","a b"]"#);
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
    // The host only observes, and there are no players. The launch still ends the host's rights.
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    game(&mut lobby, ada, "GameOption", r#"["Slots",2]"#);
    assert_eq!((state(&lobby), info(&lobby).max_players), (Some(GameState::Live), 8));
    game(&mut lobby, ada, "GameState", r#"["Idle"]"#);
    assert_eq!(state(&lobby), Some(GameState::Live));
}

#[test]
fn processes_that_do_not_start_are_abandoned() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host_with(&mut lobby, ada, "");
    lobby.advance(SECOND * 29);
    assert_eq!(state(&lobby), Some(GameState::Initializing));
    lobby.advance(SECOND * 2);
    assert_eq!(lobby.world.games().count(), 0);
    assert_eq!(received_games(&mut lobby, bob).last().unwrap().0, "closed");
    host(&mut lobby, ada, r#","mod":"coop""#);
    lobby.receive(ada);
    join(&mut lobby, bob, 2);
    lobby.advance(SECOND * 31);
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive(bob).pop().unwrap().contains("STARTING_GAME"), "co-op maps take longer to load");
    lobby.advance(SECOND * 30);
    // Peers that had to connect to Bob may drop that, although Bob never came.
    assert_eq!(received_orders(&mut lobby, ada), [to_game("DisconnectFromPeer", "[2]")]);
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive_commands(bob).contains(&"game_launch".to_owned()));
}

#[test]
fn nobody_joins_a_host_who_has_left() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    join(&mut lobby, bob, 1);
    game(&mut lobby, bob, "GameState", r#"["Idle"]"#);
    lobby.disconnect(ada);
    lobby.receive(bob);
    game(&mut lobby, bob, "GameState", r#"["Lobby"]"#);
    assert_eq!(received_orders(&mut lobby, bob), [""; 0]);
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive_commands(bob).contains(&"game_launch".to_owned()), "Bob is free again");

    // The same for a game that has been removed.
    let mut lobby = crate::support::lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    join(&mut lobby, bob, 1);
    game(&mut lobby, bob, "GameState", r#"["Idle"]"#);
    game(&mut lobby, ada, "GameState", r#"["Ended"]"#);
    lobby.advance(SECOND * 5);
    game(&mut lobby, bob, "GameState", r#"["Lobby"]"#);
    lobby.receive(bob);
    host_with(&mut lobby, bob, "");
    assert_eq!(lobby.receive_commands(bob), ["game_launch"]);

    // The same for a game that has begun without the guest.
    let mut lobby = crate::support::lobby();
    live_game(&mut lobby);
    let cem = lobby.log_in("Cem");
    join(&mut lobby, cem, 1);
    assert!(lobby.receive(cem)[0].contains("game_not_ready"));
}

/// All messages of Ada and Bob from hosting to the end, with their senders.
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
fn any_player_may_leave_at_any_step() {
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
                        // The last request may be answered after its player has left.
                        lobby.holds_replies = is_asked && number + 1 >= step;
                        if number == step {
                            break;
                        }
                        lobby.send(conns[*conn], text);
                    }
                    match is_lost {
                        true => lobby.disconnect(conns[vanishing]),
                        false => lobby.send(conns[vanishing], ended),
                    }
                    lobby.holds_replies = false;
                    while lobby.reply_next() {}
                    lobby.check();
                    for (conn, text) in &steps[step..] {
                        if lobby.is_open(conns[*conn]) {
                            lobby.send(conns[*conn], text);
                        }
                    }
                    if is_lost {
                        conns[vanishing] = lobby.log_in(["Ada", "Bob"][vanishing]);
                    }
                    for conn in conns {
                        lobby.send(conn, ended);
                    }
                    lobby.advance(SECOND * 130);
                    lobby.check();
                    assert_eq!(lobby.world.games().count(), 0, "{place}");
                    assert!(lobby.world.is_settled(), "{place}");
                    for conn in conns {
                        lobby.receive(conn);
                        host_with(&mut lobby, conn, "");
                        assert_eq!(lobby.receive_commands(conn), ["game_launch"], "{place}");
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
fn ice_messages_stay_in_the_game() {
    let mut lobby = lobby();
    let [ada, bob, cem, ..] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    host(&mut lobby, cem, "");
    lobby.receive(ada);
    lobby.receive(cem);
    game(&mut lobby, bob, "IceMsg", r#"["1",{"b":[1.50],"a":2}]"#);
    assert_eq!(received_orders(&mut lobby, ada), [to_game("IceMsg", r#"[2,{"b":[1.50],"a":2}]"#)]);
    game(&mut lobby, bob, "IceMsg", r#"[3,"candidate"]"#);
    game(&mut lobby, bob, "IceMsg", r#"[99,"candidate"]"#);
    assert!(received_orders(&mut lobby, cem).is_empty());
}

/// Fifty candidates in one message, as from a machine with many addresses, are relayed. Longer
/// messages are dropped and counted, and the sender is notified from time to time.
#[test]
fn the_length_of_ice_messages_is_limited() {
    let mut lobby = lobby();
    let [ada, bob, ..] = PLAYERS.map(|(login, _)| lobby.log_in(login));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    lobby.receive(ada);
    lobby.receive(bob);
    let of = |bytes: usize| format!(r#"[1,"{}"]"#, "x".repeat(bytes - 2));
    for bytes in [50 * 190, 16 * 1024] {
        game(&mut lobby, bob, "IceMsg", &of(bytes));
        assert_eq!(received_orders(&mut lobby, ada).len(), 1, "{bytes}");
    }
    for _ in 0..3 {
        for _ in 0..10 {
            game(&mut lobby, bob, "IceMsg", &of(16 * 1024 + 1));
        }
        assert!(received_orders(&mut lobby, ada).is_empty());
        let mut received = lobby.receive(bob);
        received.retain(|text| text.contains("notice"));
        assert_eq!(received.len(), 1);
        assert!(
            received[0].contains("16385 bytes") && received[0].contains("at most 16384"),
            "{}",
            received[0]
        );
        lobby.advance(SECOND * 60);
    }
    assert_eq!(lobby.counts.iter().filter(|count| **count == Count::RelayTooLong).count(), 30);
}
