//! Clients that are too fast are read more slowly and lose nothing; honest ones never notice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;
use std::time::Duration;

use faf_lobby_core::{CommandClass, ConnId, Count, LogLine, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

const SECOND: Duration = Duration::from_secs(1);

fn lobby() -> SimulatedLobby {
    let logins: Vec<String> = (1..=80).map(|number| format!("player{number:02}")).collect();
    // Everyone is admitted at once.
    let settings = Settings { login_rate: 100_000, ..Settings::default() };
    SimulatedLobby::new(settings, FakeStore::with_accounts(logins.iter().map(String::as_str)))
}

fn game(lobby: &mut SimulatedLobby, conn: ConnId, command: &str, args: &str) {
    lobby.send(conn, &format!(r#"{{"target":"game","command":"{command}","args":{args}}}"#));
}

fn paced(lobby: &SimulatedLobby) -> Vec<CommandClass> {
    let paced = lobby.counts.iter().filter_map(|count| match count {
        Count::Paced(class) => Some(*class),
        _ => None,
    });
    paced.collect()
}

/// The message of a flooding client, and the limit of its class: the burst, and the number of
/// messages per number of seconds.
const FLOODS: [(CommandClass, &str, usize, u64, usize); 10] = [
    (CommandClass::Heartbeat, r#"{"command":"ping"}"#, 500, 1, 200),
    (CommandClass::Login, r#"{"command":"ask_session"}"#, 30, 1, 1),
    (CommandClass::Query, r#"{"command":"ice_servers"}"#, 60, 1, 5),
    (CommandClass::List, r#"{"command":"social_add","friend":2}"#, 60, 1, 3),
    (CommandClass::Host, r#"{"command":"game_host","visibility":"public","title":"\u00e4"}"#, 20, 2, 1),
    (CommandClass::Join, r#"{"command":"game_join","uid":99}"#, 30, 1, 1),
    (CommandClass::Party, r#"{"command":"leave_party"}"#, 60, 1, 5),
    (CommandClass::Administration, r#"{"command":"admin","action":"broadcast","message":"x"}"#, 100, 1, 50),
    (CommandClass::Game, r#"{"target":"game","command":"GameOption","args":["UnitCap",1000]}"#, 3000, 1, 200),
    (CommandClass::Statistics, r#"{"target":"game","command":"JsonStats","args":["{}"]}"#, 32, 1, 1),
];

#[test]
fn a_flood_is_read_at_its_rate() {
    for (class, command, burst, seconds, count) in FLOODS {
        let mut lobby = lobby();
        let (mallory, ada) = (lobby.log_in("player01"), lobby.log_in("player02"));
        // The login has spent some units.
        lobby.advance(SECOND * 10);
        lobby.receive(mallory);
        let flood = burst + 50 * count;
        for _ in 0..flood {
            lobby.send(mallory, command);
        }
        // The first message beyond the burst is handled, and the next one waits.
        let read = |lobby: &SimulatedLobby| flood - lobby.unread(mallory);
        assert_eq!(read(&lobby), burst + 1, "{class:?}");
        for round in 1..=10 {
            lobby.advance(SECOND * seconds as u32);
            assert_eq!(read(&lobby), burst + 1 + round * count, "{class:?} after {round} rounds");
        }
        lobby.check();
        // Other clients are not affected.
        lobby.receive(ada);
        lobby.send(ada, r#"{"command":"ping"}"#);
        assert_eq!(lobby.receive_commands(ada), ["pong"]);
        lobby.advance(SECOND * seconds as u32 * 45);
        assert_eq!(lobby.unread(mallory), 0, "{class:?}: nothing is lost");
        assert_eq!(paced(&lobby), vec![class; 50 * count], "{class:?}");
        let logged: Vec<_> =
            lobby.log.iter().filter(|line| matches!(line, LogLine::Paced { .. })).cloned().collect();
        assert_eq!(logged, [LogLine::Paced { conn: mallory, class }]);
        let notices = lobby.receive(mallory).into_iter().filter(|text| text.contains("more slowly"));
        assert_eq!(notices.count(), 1, "{class:?}: the player is told once");
        assert!(lobby.is_open(mallory));
    }
}

#[test]
fn every_message_of_a_flood_is_answered_in_order() {
    let mut lobby = lobby();
    let conn = lobby.log_in("player01");
    for _ in 0..650 {
        lobby.send(conn, r#"{"command":"ping"}"#);
    }
    lobby.send(conn, r#"{"command":"ice_servers"}"#);
    lobby.advance(SECOND * 10);
    let mut received = lobby.receive_commands(conn);
    received.retain(|command| command != "player_info");
    let expected = [vec!["pong"; 500], vec!["notice"], vec!["pong"; 150], vec!["ice_servers"]].concat();
    assert!(received == expected);
}

#[test]
fn long_messages_of_games_cost_more() {
    let mut lobby = lobby();
    let conn = lobby.log_in("player01");
    // One of four kilobytes counts as one, one of eight as 66.
    for (length, read) in [(4084, 3001), (8192, 46)] {
        let text = "x".repeat(length);
        for _ in 0..3500 {
            game(&mut lobby, conn, "IceMsg", &format!(r#"[2,"{text}"]"#));
        }
        assert_eq!(lobby.unread(conn), 3500 - read, "{length}");
        lobby.advance(SECOND * 2500);
        assert_eq!(lobby.unread(conn), 0);
    }
    let many = vec!["1"; 500_000].join(",");
    game(&mut lobby, conn, "GameOption", &format!("[{many}]"));
    for _ in 0..35 {
        game(&mut lobby, conn, "GameOption", &format!("[{many}]"));
    }
    assert!(lobby.unread(conn) > 5, "{}", lobby.unread(conn));
}

#[test]
fn a_flood_that_waits_for_the_database_is_read_completely() {
    let mut lobby = lobby();
    let conn = lobby.log_in("player01");
    lobby.holds_replies = true;
    for _ in 0..200 {
        lobby.send(conn, r#"{"command":"social_add","friend":2}"#);
        lobby.send(conn, r#"{"command":"ping"}"#);
    }
    for _ in 0..1000 {
        lobby.reply_next();
        lobby.advance(Duration::from_millis(100));
        lobby.check();
    }
    assert_eq!(lobby.unread(conn), 0);
    lobby.holds_replies = false;
    lobby.advance(SECOND * 10);
    assert!(lobby.world.is_settled());
    assert_eq!(lobby.receive_commands(conn).iter().filter(|command| *command == "pong").count(), 200);
}

#[test]
fn a_flooding_client_leaves_nothing_when_it_disconnects() {
    let mut lobby = lobby();
    for _ in 0..5 {
        let conn = lobby.log_in("player01");
        for _ in 0..2000 {
            lobby.send(conn, r#"{"command":"ping"}"#);
        }
        lobby.disconnect(conn);
    }
    lobby.advance(SECOND * 2);
    assert!(lobby.world.is_settled());
    let next = lobby.world.next_deadline().unwrap() - lobby.now();
    assert!(next > SECOND * 30, "only a ping is due, in {next:?}");
}

#[test]
fn a_host_who_sets_up_a_large_lobby_meets_no_limit() {
    let mut lobby = lobby();
    let conns: Vec<ConnId> = (1..=16).map(|number| lobby.log_in(&format!("player{number:02}"))).collect();
    lobby.send(conns[0], r#"{"command":"game_host","visibility":"public"}"#);
    for conn in &conns {
        if *conn != conns[0] {
            lobby.send(*conn, r#"{"command":"game_join","uid":1}"#);
        }
        game(&mut lobby, *conn, "GameState", r#"["Idle"]"#);
        game(&mut lobby, *conn, "GameState", r#"["Lobby"]"#);
    }
    // The host sends everything again after each change of the map, three times within a second.
    for _ in 0..3 {
        for option in 0..80 {
            game(&mut lobby, conns[0], "GameOption", &format!(r#"["Option{option}","value"]"#));
        }
        for player in 1..=16 {
            game(&mut lobby, conns[0], "ClearSlot", &format!("[{player}]"));
            game(&mut lobby, conns[0], "AIOption", &format!(r#"["AI {player}","StartSpot",{player}]"#));
            for option in 0..20 {
                game(&mut lobby, conns[0], "PlayerOption", &format!(r#"[{player},"Option{option}",1]"#));
            }
        }
    }
    // All players negotiate with each other within a few seconds.
    let candidate = "x".repeat(600);
    for round in 0..50 {
        for conn in &conns {
            for peer in 1..=16 {
                game(&mut lobby, *conn, "IceMsg", &format!(r#"[{peer},"{candidate}"]"#));
            }
        }
        if round % 10 == 0 {
            lobby.advance(SECOND);
        }
    }
    assert!(conns.iter().all(|conn| lobby.unread(*conn) == 0));
    // At the end, every process reports all armies, and sends statistics again for each army that
    // is defeated.
    let statistics = "x".repeat(60_000);
    for conn in &conns {
        for army in 1..=16 {
            game(&mut lobby, *conn, "GameResult", &format!(r#"[{army},"defeat -10"]"#));
            game(&mut lobby, *conn, "JsonStats", &format!(r#"["{statistics}"]"#));
        }
    }
    assert_eq!(paced(&lobby), []);
}

#[test]
fn players_who_click_a_lot_meet_no_limit() {
    let mut lobby = lobby();
    let conn = lobby.log_in("player01");
    for question in ["ice_servers", "matchmaker_info", "coop_list"] {
        lobby.send(conn, &format!(r#"{{"command":"{question}"}}"#));
    }
    lobby.send(conn, r#"{"command":"avatar","action":"list_avatar"}"#);
    lobby.send(conn, r#"{"command":"modvault","type":"start"}"#);
    for minute in 0..60 {
        for tick in 0..12 {
            // The Java client pings every five seconds; the player tries to join games and
            // adds friends.
            lobby.send(conn, r#"{"command":"ping"}"#);
            lobby.send(conn, r#"{"command":"game_join","uid":99}"#);
            if tick % 2 == 0 {
                lobby.send(conn, r#"{"command":"game_join","uid":98}"#);
            }
            lobby.send(conn, &format!(r#"{{"command":"social_add","friend":{}}}"#, 2 + (minute + tick) % 70));
            lobby.advance(SECOND * 5);
        }
    }
    // The mods of a joined game.
    for number in 0..50 {
        lobby.send(conn, &format!(r#"{{"command":"modvault","type":"download","uid":"mod{number}"}}"#));
    }
    assert_eq!(paced(&lobby), []);
}

#[test]
fn sixteen_households_behind_one_address_meet_no_limit() {
    let mut lobby = lobby();
    let address = "203.0.113.9".parse().ok();
    for number in 1..=64 {
        let conn = lobby.connect_from(address);
        lobby.send(conn, r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#);
        if number % 4 == 0 {
            // One player of each household has forgotten the password.
            lobby.send(conn, r#"{"command":"hello","login":"Ada","password":"wrong","unique_id":""}"#);
        }
        lobby.send_hello(conn, &format!("player{number:02}"));
        for question in ["ice_servers", "matchmaker_info"] {
            lobby.send(conn, &format!(r#"{{"command":"{question}"}}"#));
        }
    }
    assert_eq!((lobby.world.player_count(), lobby.world.waiting_logins()), (64, 0));
    assert_eq!(paced(&lobby), []);
}

/// Reconnects every half second for ten seconds, logs in if there is a login, and floods each time.
/// Returns how many messages of the flood the lobby reads.
fn read_by_one_who_reconnects(login: Option<&str>, address: Option<IpAddr>, command: &str) -> usize {
    let mut lobby = lobby();
    let mut read = 0;
    for _ in 0..20 {
        let conn = lobby.connect_from(address);
        if let Some(login) = login {
            lobby.send_hello(conn, login);
        }
        for _ in 0..600 {
            lobby.send(conn, command);
        }
        lobby.advance(SECOND / 2);
        read += 600 - lobby.unread(conn).min(600);
        lobby.disconnect(conn);
        lobby.check();
    }
    read
}

#[test]
fn a_reconnect_is_not_a_new_burst() {
    for (class, command, burst, seconds, count) in FLOODS {
        // Further logins are refused.
        let read = read_by_one_who_reconnects(Some("player01"), None, command);
        let allowed = burst + 10 * count / seconds as usize;
        // The last message of a burst is handled, and every connection begins with one message.
        assert!(read <= allowed + 21, "{class:?}: {read} instead of {allowed}");
        assert!(read >= allowed.min(burst), "{class:?}: {read}");
    }
}

#[test]
fn a_second_client_of_the_same_player_is_not_a_new_burst() {
    let mut lobby = lobby();
    let command = r#"{"command":"game_join","uid":99}"#;
    let (mut read, mut last) = (0, ConnId(0));
    for _ in 0..10 {
        // The login signs out the connection before, which has not disconnected itself.
        let conn = lobby.connect();
        lobby.send_hello(conn, "player01");
        (0..100).for_each(|_| lobby.send(conn, command));
        lobby.advance(SECOND);
        read += 100 - lobby.unread(conn);
        last = conn;
    }
    lobby.disconnect(last);
    assert!((30..=42).contains(&read), "{read}");
    // Paid spending is forgotten: a minute later the whole burst is available again.
    lobby.advance(SECOND * 90);
    let conn = lobby.log_in("player01");
    (0..100).for_each(|_| lobby.send(conn, command));
    assert_eq!(lobby.unread(conn), 100 - 31);
}

#[test]
fn a_message_sent_along_with_the_login_counts() {
    let mut lobby = lobby();
    let command = r#"{"command":"game_join","uid":99}"#;
    let conn = lobby.log_in("player01");
    (0..30).for_each(|_| lobby.send(conn, command));
    lobby.disconnect(conn);
    for _ in 0..3 {
        lobby.holds_replies = true;
        let conn = lobby.connect();
        lobby.send_hello(conn, "player01");
        lobby.send(conn, command);
        lobby.holds_replies = false;
        while lobby.reply_next() {}
        lobby.disconnect(conn);
    }
    let conn = lobby.log_in("player01");
    // One message may be read while the login is in progress.
    (0..2).for_each(|_| lobby.send(conn, command));
    lobby.advance(SECOND * 3);
    assert_eq!(lobby.unread(conn), 1, "four are owed");
    lobby.advance(SECOND);
    assert_eq!(lobby.unread(conn), 0);
    assert_eq!(paced(&lobby).len(), 5);
}

#[test]
fn before_the_login_an_address_counts() {
    let address = |text: &str| text.parse().ok();
    let command = r#"{"command":"ask_session"}"#;
    let household = read_by_one_who_reconnects(None, address("2001:db8::1"), command);
    assert!((38..=61).contains(&household), "{household}: 30, one a second, and one a connection that waits");
    let by_connection = read_by_one_who_reconnects(None, None, command);
    assert_eq!(by_connection, 20 * 31, "nobody knows from where they come");
    // Another address in the same network, and others outside of it.
    let mut lobby = lobby();
    let mut read = |from: &str| {
        let conn = lobby.connect_from(address(from));
        (0..100).for_each(|_| lobby.send(conn, command));
        let read = 100 - lobby.unread(conn);
        lobby.disconnect(conn);
        read
    };
    assert_eq!(read("2001:db8::1"), 31);
    assert_eq!(read("2001:db8::2"), 1, "and it waits");
    assert_eq!(read("2001:db8:0:1::1"), 31);
    assert_eq!(read("203.0.113.9"), 31);
    assert_eq!(read("::ffff:203.0.113.9"), 1);
}

#[test]
fn a_flood_does_not_keep_others_at_the_address_out() {
    let mut lobby = lobby();
    let address = "203.0.113.9".parse().ok();
    for _ in 0..200 {
        let conn = lobby.connect_from(address);
        (0..100).for_each(|_| lobby.send(conn, r#"{"command":"ask_session"}"#));
        lobby.disconnect(conn);
    }
    lobby.counts.clear();
    let ada = lobby.connect_from(address);
    lobby.send(ada, r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#);
    lobby.send_hello(ada, "player01");
    lobby.advance(SECOND * 4);
    let received = lobby.receive(ada);
    assert!(received.iter().any(|text| text.starts_with(r#"{"command":"welcome""#)), "{received:?}");
    // Ada was not too fast herself, and her login leaves the spending of the address behind.
    assert!(!received.iter().any(|text| text.contains("more slowly")));
    (0..30).for_each(|_| lobby.send(ada, r#"{"command":"ask_session"}"#));
    assert_eq!(lobby.unread(ada), 0);
}

#[test]
fn a_login_leaves_no_spending_at_the_address() {
    let mut lobby = lobby();
    let address = "203.0.113.9".parse().ok();
    for number in 1..=60 {
        let conn = lobby.connect_from(address);
        lobby.send(conn, r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#);
        lobby.send_hello(conn, &format!("player{number:02}"));
        lobby.disconnect(conn);
    }
    assert_eq!(paced(&lobby), []);
}

#[test]
fn an_inherited_debt_is_paid_before_the_first_answer() {
    let mut lobby = lobby();
    let address = "203.0.113.9".parse().ok();
    let mut answered = 0;
    for _ in 0..100 {
        let conn = lobby.connect_from(address);
        (0..50).for_each(|_| lobby.send(conn, r#"{"command":"ask_session"}"#));
        lobby.advance(SECOND / 10);
        answered += lobby.receive_commands(conn).iter().filter(|command| *command == "session").count();
        lobby.check();
        lobby.disconnect(conn);
    }
    // In ten seconds: the burst, the first message beyond it, and one per second.
    assert!((39..=41).contains(&answered), "{answered}");
    let conn = lobby.connect_from(address);
    lobby.send(conn, r#"{"command":"ask_session"}"#);
    lobby.advance(SECOND * 2);
    assert!(lobby.receive_commands(conn).contains(&"session".to_owned()));
}

#[test]
fn successive_connections_of_an_address_share_a_burst() {
    let mut lobby = lobby();
    let address = "203.0.113.9".parse().ok();
    let mut answered = 0;
    for _ in 0..10 {
        let conn = lobby.connect_from(address);
        (0..1000).for_each(|_| lobby.send(conn, r#"{"command":"ping"}"#));
        answered += lobby.receive_commands(conn).iter().filter(|command| *command == "pong").count();
    }
    assert_eq!(answered, 501);
    // An honest new client still gets in.
    let conn = lobby.connect_from(address);
    lobby.send_hello(conn, "player01");
    lobby.advance(SECOND * 2);
    assert_eq!(lobby.world.player_count(), 1);
}
