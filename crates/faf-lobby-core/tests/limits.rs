//! Limits that refuse an action which a player repeats too often, on any number of connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{ConnId, Count, Decision, Limit, Settings};
use faf_protocol::{GameId, PlayerId};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

const SECOND: Duration = Duration::from_secs(1);

fn lobby() -> SimulatedLobby {
    let logins: Vec<String> = (1..=80).map(|number| format!("player{number:02}")).collect();
    // Everyone is admitted at once.
    let settings = Settings { login_rate: 100_000, ..Settings::default() };
    SimulatedLobby::new(settings, FakeStore::with_accounts(logins.iter().map(String::as_str)))
}

fn met(lobby: &SimulatedLobby) -> Vec<Limit> {
    let limits = lobby.counts.iter().filter_map(|count| match count {
        Count::Limited(limit) => Some(*limit),
        _ => None,
    });
    limits.collect()
}

/// Returns whether a client has received a message that contains these words.
fn has_received(lobby: &mut SimulatedLobby, conn: ConnId, words: &str) -> bool {
    lobby.receive(conn).iter().any(|text| text.contains(words))
}

#[test]
fn logins_of_one_account_are_limited() {
    let mut lobby = lobby();
    let mut conns: Vec<ConnId> = Vec::new();
    for _ in 0..60 {
        let conn = lobby.connect();
        lobby.send_hello(conn, "player01");
        conns.push(conn);
    }
    let logged_in = conns.iter().position(|conn| has_received(&mut lobby, *conn, "too many logins"));
    assert_eq!(logged_in, Some(20), "the twenty-first is refused");
    assert_eq!(met(&lobby), [Limit::Logins; 40]);
    // The player who logged in last stays online, and the other clients may try again on the
    // same connection.
    assert_eq!(lobby.world.player_count(), 1);
    assert!(lobby.is_open(conns[19]) && lobby.is_open(conns[59]));
    lobby.advance(SECOND * 3);
    lobby.send_hello(conns[59], "player01");
    assert!(!lobby.is_open(conns[19]));
    // Others are not affected, and a wrong password does not count.
    (0..10).for_each(|_| {
        lobby.send(conns[58], r#"{"command":"hello","login":"player02","password":"x","unique_id":""}"#);
    });
    lobby.log_in("player02");
}

#[test]
fn hosted_games_are_limited() {
    let mut lobby = lobby();
    let (mut hosted, mut refused) = (0, 0);
    for _ in 0..6 {
        let conn = lobby.log_in("player01");
        for _ in 0..10 {
            lobby.send(conn, r#"{"command":"game_host","visibility":"public"}"#);
            lobby.send(conn, r#"{"target":"game","command":"GameState","args":["Ended"]}"#);
        }
        let messages = lobby.receive(conn);
        let count = |words: &str| messages.iter().filter(|text| text.contains(words)).count();
        hosted += count(r#"{"command":"game_launch""#);
        refused += count("You have hosted too many games in a short time");
        assert!(lobby.is_open(conn));
        lobby.disconnect(conn);
    }
    assert_eq!(hosted, 20);
    assert!(refused > 0);
    assert_eq!(met(&lobby), vec![Limit::HostedGames; refused]);
    // No game number was used up, and some seconds later the player can host again.
    lobby.advance(SECOND * 60);
    let conn = lobby.log_in("player01");
    lobby.send(conn, r#"{"command":"game_host","visibility":"public"}"#);
    assert!(has_received(&mut lobby, conn, r#""uid":21"#));
}

fn join(lobby: &mut SimulatedLobby, conn: ConnId, password: &str) {
    lobby.send(conn, &format!(r#"{{"command":"game_join","uid":1,"password":"{password}"}}"#));
}

#[test]
fn passwords_of_lobbies_cannot_be_guessed() {
    let mut lobby = lobby();
    let host = lobby.log_in("player01");
    lobby.send(host, r#"{"command":"game_host","visibility":"public","password":"secret"}"#);
    for state in ["Idle", "Lobby"] {
        lobby.send(host, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
    }
    // Ten wrong passwords by one player, on any connections.
    let mut wrong = 0;
    for _ in 0..5 {
        let conn = lobby.log_in("player02");
        for number in 0..5 {
            join(&mut lobby, conn, &format!("guess {number}"));
        }
        wrong += lobby.receive(conn).iter().filter(|text| text.contains("bad_password")).count();
        lobby.disconnect(conn);
    }
    assert_eq!(wrong, 10);
    // After that, even the right one is not checked, so that it does not show.
    let conn = lobby.log_in("player02");
    lobby.advance(SECOND * 2);
    join(&mut lobby, conn, "secret");
    let messages = lobby.receive(conn);
    assert!(messages.iter().any(|text| text.contains("too many wrong passwords")), "{messages:?}");
    assert!(!messages.iter().any(|text| text.contains("game_launch")));
    assert!(lobby.is_open(conn));
    // Once there were too many for the game, each of many accounts has a single attempt.
    let mut wrong = 0;
    for number in 3..=80 {
        let conn = lobby.log_in(&format!("player{number:02}"));
        for number in 0..5 {
            join(&mut lobby, conn, &format!("guess {number}"));
        }
        wrong += lobby.receive(conn).iter().filter(|text| text.contains("bad_password")).count();
        if number < 80 {
            lobby.disconnect(conn);
        }
    }
    assert!(wrong <= 60 + 78, "{wrong}");
    lobby.advance(SECOND * 30);
    join(&mut lobby, conn, "secret");
    assert!(has_received(&mut lobby, conn, "game_launch"));
    assert!(met(&lobby).iter().all(|limit| *limit == Limit::Passwords));
}

#[test]
fn a_player_with_the_right_password_joins_while_others_guess() {
    let mut lobby = lobby();
    let host = lobby.log_in("player01");
    lobby.send(host, r#"{"command":"game_host","visibility":"public","password":"secret"}"#);
    for state in ["Idle", "Lobby"] {
        lobby.send(host, &format!(r#"{{"target":"game","command":"GameState","args":["{state}"]}}"#));
    }
    for number in 10..=80 {
        let conn = lobby.log_in(&format!("player{number:02}"));
        (0..12).for_each(|_| join(&mut lobby, conn, "guess"));
    }
    let bob = lobby.log_in("player02");
    join(&mut lobby, bob, "secret");
    assert!(has_received(&mut lobby, bob, "game_launch"));
}

/// Plays a rated game of these two players, which takes no time.
fn play(lobby: &mut SimulatedLobby, conns: [ConnId; 2], ids: [u32; 2], uid: u32) {
    let send = |lobby: &mut SimulatedLobby, conn: ConnId, command: &str, args: &str| {
        lobby.send(conn, &format!(r#"{{"target":"game","command":"{command}","args":{args}}}"#));
    };
    lobby.send(conns[0], r#"{"command":"game_host","visibility":"public"}"#);
    send(lobby, conns[0], "GameState", r#"["Idle"]"#);
    send(lobby, conns[0], "GameState", r#"["Lobby"]"#);
    lobby.send(conns[1], &format!(r#"{{"command":"game_join","uid":{uid}}}"#));
    send(lobby, conns[1], "GameState", r#"["Idle"]"#);
    send(lobby, conns[1], "GameState", r#"["Lobby"]"#);
    for (army, id) in (1..).zip(ids) {
        for (key, value) in [("Team", army + 1), ("StartSpot", army), ("Army", army)] {
            send(lobby, conns[0], "PlayerOption", &format!(r#"[{id},"{key}",{value}]"#));
        }
    }
    for conn in conns {
        send(lobby, conn, "GameState", r#"["Launching"]"#);
    }
    for conn in conns {
        send(lobby, conn, "EnforceRating", "[]");
        send(lobby, conn, "GameResult", r#"[1,"victory 10"]"#);
        send(lobby, conn, "GameResult", r#"[2,"defeat -10"]"#);
    }
    for command in ["GameEnded", "GameState"] {
        for conn in conns {
            send(lobby, conn, command, if command == "GameState" { r#"["Ended"]"# } else { "[]" });
        }
    }
    lobby.advance(SECOND * 7);
}

fn validity(lobby: &SimulatedLobby, game: u32) -> Validity {
    lobby.store.games[&GameId(game)].end.as_ref().unwrap().validity
}

#[test]
fn rated_games_of_the_same_opponents_are_limited() {
    let mut lobby = lobby();
    let (ada, bob, cem) = (lobby.log_in("player01"), lobby.log_in("player02"), lobby.log_in("player03"));
    for game in 1..=16 {
        // It makes no difference who hosts and who wins.
        let (conns, ids) = if game % 2 == 0 { ([ada, bob], [1, 2]) } else { ([bob, ada], [2, 1]) };
        play(&mut lobby, conns, ids, game);
    }
    assert!((1..=15).all(|game| validity(&lobby, game) == Validity::Valid));
    assert_eq!(validity(&lobby, 16), Validity::OtherUnrank);
    let end = lobby.store.games[&GameId(16)].end.clone().unwrap();
    assert!(end.rated.is_none() && end.results.len() == 2, "it is played, and its results are kept");
    let why: Vec<String> = end.decisions.iter().map(Decision::to_string).collect();
    let hit = " hit  OTHER_UNRANK: players 1, 2 have had 15 rated games against each other within an hour";
    assert!(why.iter().any(|line| line == hit), "{why:#?}");
    assert_eq!(why.last().unwrap(), "not rated: OTHER_UNRANK");
    for conn in [ada, bob] {
        assert!(has_received(&mut lobby, conn, "Game 16 is not rated: you have had 15 rated games"));
    }
    assert_eq!(met(&lobby), [Limit::RatedGames]);
    // Their games against others are rated, and those against each other again a few minutes later.
    play(&mut lobby, [ada, cem], [1, 3], 17);
    lobby.advance(SECOND * 240);
    play(&mut lobby, [ada, bob], [1, 2], 18);
    assert_eq!([17, 18].map(|game| validity(&lobby, game)), [Validity::Valid; 2]);
    assert_eq!(lobby.store.games[&GameId(18)].ratings.len(), 2);
}

#[test]
fn games_that_are_unrated_for_another_reason_do_not_count() {
    let mut lobby = lobby();
    lobby.store.maps.clear();
    let conns = [lobby.log_in("player01"), lobby.log_in("player02")];
    for game in 1..=16 {
        play(&mut lobby, conns, [1, 2], game);
        assert_eq!(validity(&lobby, game), Validity::BadMap);
    }
    assert_eq!(met(&lobby), []);
}

#[test]
fn lists_of_friends_and_foes_are_bounded() {
    let mut lobby = lobby();
    let full = (1000..3000).map(PlayerId).collect();
    let more = (1000..6000).map(PlayerId).collect();
    lobby.store.account("player01").friends = full;
    lobby.store.account("player02").foes = more;
    let (ada, bob) = (lobby.log_in("player01"), lobby.log_in("player02"));
    let send = |lobby: &mut SimulatedLobby, conn, member: &str, id: u32| {
        lobby.send(conn, &format!(r#"{{"command":"social_add","{member}":{id}}}"#));
    };
    send(&mut lobby, ada, "friend", 3);
    assert!(has_received(&mut lobby, ada, "Your list of friends is full"));
    assert!(lobby.is_open(ada) && !lobby.store.account("player01").friends.contains(&PlayerId(3)));
    // The other list has room, and a player who is a friend already stays one.
    send(&mut lobby, ada, "foe", 3);
    send(&mut lobby, ada, "friend", 1000);
    assert!(!has_received(&mut lobby, ada, "full"));
    assert!(lobby.store.account("player01").foes.contains(&PlayerId(3)));
    lobby.send(ada, r#"{"command":"social_remove","friend":1000}"#);
    send(&mut lobby, ada, "friend", 4);
    assert!(lobby.store.account("player01").friends.contains(&PlayerId(4)));
    // A list that is too long already does not prevent a login, and can only get shorter.
    send(&mut lobby, bob, "foe", 3);
    assert!(has_received(&mut lobby, bob, "Your list of foes is full") && lobby.is_open(bob));
    assert_eq!(lobby.store.account("player02").foes.len(), 5000);
}
