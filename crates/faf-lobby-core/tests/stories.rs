//! Scenarios of a lobby in simulated time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{Ban, Count, LogLine, LoginMethod, Settings, Timestamp};
use faf_protocol::PlayerId;
use faf_protocol::server_message::{Avatar, LeaderboardRating, Rating};
use faf_testkit::lobby::{BEGINNING, SimulatedLobby};
use faf_testkit::store::FakeStore;

const SECOND: Duration = Duration::from_secs(1);

fn lobby() -> SimulatedLobby {
    lobby_with(Settings::default())
}

fn lobby_with(settings: Settings) -> SimulatedLobby {
    SimulatedLobby::new(settings, FakeStore::with_accounts(["Ada", "Bob", "Cem"]))
}

fn player(id: u32, login: &str, more: &str) -> String {
    format!(
        r#"{{"id":{id},"login":"{login}","country":""{more},"ratings":{{"global":{{"rating":[1500.0,500.0],"number_of_games":0}},"ladder_1v1":{{"rating":[1500.0,500.0],"number_of_games":0}}}},"global_rating":[1500.0,500.0],"ladder_rating":[1500.0,500.0],"number_of_games":0}}"#
    )
}

fn player_info(players: &[String]) -> String {
    format!(r#"{{"command":"player_info","players":[{}]}}"#, players.join(","))
}

fn notice(style: &str, text: &str) -> String {
    format!(r#"{{"command":"notice","style":"{style}","text":"{text}"}}"#)
}

fn authentication_failed(text: &str) -> String {
    format!(r#"{{"command":"authentication_failed","text":"{text}"}}"#)
}

const PONG: &str = r#"{"command":"pong"}"#;
const PING: &str = r#"{"command":"ping"}"#;
const LOGIN_FAILED: &str = r#"{"command":"authentication_failed","text":"Login not found or password incorrect. They are case sensitive."}"#;

#[test]
fn a_login_sends_everything_in_order() {
    let mut lobby = lobby();
    let ada = lobby.connect();
    lobby.send(ada, r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"1"}"#);
    assert_eq!(lobby.receive(ada), [r#"{"command":"session","session":1001}"#]);
    lobby.send_hello(ada, "Ada");
    let me = player(1, "Ada", "");
    assert_eq!(
        lobby.receive(ada),
        [
            format!(
                r#"{{"command":"welcome","me":{me},"current_time":"2026-07-01T12:00:00+00:00","id":1,"login":"Ada"}}"#
            ),
            player_info(&[me]),
            r#"{"command":"social","autojoin":[],"channels":[],"friends":[],"foes":[],"power":0}"#.to_owned(),
            r#"{"command":"game_info","games":[]}"#.to_owned(),
        ]
    );
    assert_eq!(lobby.reported, [(PlayerId(1), "machine-of-Ada".to_owned())]);
    assert!(lobby.counts.contains(&Count::LoginAccepted(LoginMethod::Password)));
    assert!(lobby.counts.contains(&Count::Version("1".to_owned())));

    // Bob receives all players; Ada receives Bob with the next report, as Bob does.
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(ada), [player_info(&[player(1, "Ada", "")])]);
    let bob = lobby.connect();
    lobby.send_hello(bob, "Bob");
    assert_eq!(lobby.receive(bob)[1], player_info(&[player(1, "Ada", ""), player(2, "Bob", "")]));
    assert_eq!(lobby.receive(ada), [""; 0]);
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(ada), [player_info(&[player(2, "Bob", "")])]);
    assert_eq!(lobby.receive(bob), [player_info(&[player(2, "Bob", "")])]);

    lobby.disconnect(bob);
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(ada), [player_info(&[player(2, "Bob", r#","state":"offline""#)])]);
    lobby.check();
}

#[test]
fn a_profile_is_sent() {
    let mut lobby = lobby();
    let account = lobby.store.account("Ada");
    account.avatar =
        Some(Avatar { url: "https://example.org/a.png".to_owned(), tooltip: "Winner".to_owned() });
    account.clan = Some("XYZ".to_owned());
    account.groups = vec!["faf_moderators_global".to_owned(), "faf_server_administrators".to_owned()];
    account.friends = [PlayerId(2)].into();
    account.foes = [PlayerId(3)].into();
    let rating = |mean, number_of_games| LeaderboardRating {
        rating: Rating { mean, deviation: 80.0 },
        number_of_games,
    };
    account.ratings =
        vec![("tmm_2v2".to_owned(), rating(1000.5, 3)), ("global".to_owned(), rating(1600.0, 9))];
    let ada = lobby.connect();
    lobby.send_hello(ada, "Ada");
    let received = lobby.receive(ada);
    assert_eq!(
        received[1],
        r#"{"command":"player_info","players":[{"id":1,"login":"Ada","avatar":{"url":"https://example.org/a.png","tooltip":"Winner"},"country":"","clan":"XYZ","ratings":{"global":{"rating":[1600.0,80.0],"number_of_games":9},"ladder_1v1":{"rating":[1500.0,500.0],"number_of_games":0},"tmm_2v2":{"rating":[1000.5,80.0],"number_of_games":3}},"global_rating":[1600.0,80.0],"ladder_rating":[1500.0,500.0],"number_of_games":9}]}"#
    );
    assert_eq!(
        received[2],
        r##"{"command":"social","autojoin":["#moderators","#XYZ_clan"],"channels":["#moderators","#XYZ_clan"],"friends":[2],"foes":[3],"power":2}"##
    );
}

#[test]
fn a_token_logs_in_too() {
    let mut lobby = lobby();
    let ada = lobby.connect();
    let send = |lobby: &mut SimulatedLobby, token: &str| {
        lobby.send(ada, &format!(r#"{{"command":"auth","token":"{token}","unique_id":"u"}}"#));
        lobby.receive(ada)
    };
    let failed = |text: &str| [authentication_failed(text)];
    assert_eq!(send(&mut lobby, "nonsense"), failed("Token signature was invalid"));
    assert_eq!(
        send(&mut lobby, "forbidden"),
        failed("Token does not have permission to login to the lobby server")
    );
    assert_eq!(send(&mut lobby, "99"), failed("Cannot find user id"));
    lobby.store.has_no_keys = true;
    assert_eq!(
        send(&mut lobby, "1"),
        failed("Your token cannot be checked right now. Please try again in a few minutes.")
    );
    lobby.store.has_no_keys = false;
    let received = send(&mut lobby, "1");
    assert_eq!(received[0], r#"{"command":"irc_password","password":"deprecated"}"#);
    assert!(received[1].starts_with(r#"{"command":"welcome""#));
    assert!(lobby.counts.contains(&Count::LoginAccepted(LoginMethod::Token)));
    let failures = lobby.counts.iter().filter(|count| **count == Count::LoginFailed(LoginMethod::Token));
    assert_eq!(failures.count(), 3);
    // The operator sees what is wrong with the token.
    let is_logged = |line: &LogLine| matches!(line, LogLine::LoginFailed { detail, .. } if detail == "it is not a number");
    assert!(lobby.log.iter().any(is_logged), "{:?}", lobby.log);
}

#[test]
fn a_wrong_password_can_be_tried_again_but_not_forever() {
    let mut lobby = lobby_with(Settings { login_attempts: 3, ..Settings::default() });
    let ada = lobby.connect();
    let wrong = r#"{"command":"hello","login":"Ada","password":"wrong","unique_id":""}"#;
    for _ in 0..3 {
        lobby.send(ada, wrong);
        assert_eq!(lobby.receive(ada), [LOGIN_FAILED]);
    }
    assert!(lobby.is_open(ada));
    lobby.send(ada, wrong);
    let text = "Too many failed logins. Please reconnect and try again.";
    assert_eq!(lobby.receive(ada), [notice("error", text), authentication_failed(text)]);
    assert!(!lobby.is_open(ada));

    let again = lobby.connect();
    lobby.send(again, r#"{"command":"hello","login":"  Ada ","password":"Ada-pw","unique_id":""}"#);
    assert_eq!(lobby.receive_commands(again), ["welcome", "player_info", "social", "game_info"]);
}

#[test]
fn banned_players_are_rejected_while_the_ban_lasts() {
    let mut lobby = lobby();
    let expires_at = Timestamp(BEGINNING.0 + (46 * 3600) * 1_000_000);
    lobby.store.account("Ada").bans = vec![Ban { reason: "Cheating".to_owned(), expires_at }];
    lobby.store.account("Bob").bans = vec![Ban { reason: "x".to_owned(), expires_at: BEGINNING }];
    lobby.store.account("Cem").bans =
        vec![Ban { reason: "x".to_owned(), expires_at: Timestamp::from_seconds(32_503_593_600) }];
    let ada = lobby.connect();
    lobby.send_hello(ada, "Ada");
    let appeal = "<br><br><i>If you would like to appeal this ban, please send an email to: moderation@faforever.com</i>";
    let text = format!("You are banned from FAF for 1 day and 22.00 hours. <br>Reason: <br>Cheating{appeal}");
    assert_eq!(
        lobby.receive(ada),
        [
            format!(
                r#"{{"command":"notice","style":"error","text":"{text}","i18n_key":"login.banned","i18n_args":["Cheating"],"expires_at":"2026-07-03T10:00:00+00:00"}}"#
            ),
            authentication_failed(&text),
        ]
    );
    assert!(!lobby.is_open(ada));
    lobby.log_in("Bob");
    let cem = lobby.connect();
    lobby.send_hello(cem, "Cem");
    let received = lobby.receive(cem);
    assert!(
        received[0].contains("banned from FAF forever.") && !received[0].contains("expires_at"),
        "{received:?}"
    );

    lobby.advance(Duration::from_secs(46 * 3600));
    lobby.log_in("Ada");
}

#[test]
fn the_new_connection_wins() {
    let mut lobby = lobby();
    let (bob, old) = (lobby.log_in("Bob"), lobby.log_in("Ada"));
    lobby.advance(SECOND);
    lobby.receive(bob);
    lobby.receive(old);
    let new = lobby.log_in("Ada");
    assert_eq!(
        lobby.receive(old),
        [
            r#"{"command":"notice","style":"kick","text":"You have been signed out because you signed in elsewhere.","reason":"signed_in_elsewhere"}"#,
            &authentication_failed("You have been signed out because you signed in elsewhere."),
        ]
    );
    assert!(!lobby.is_open(old) && lobby.is_open(new));
    // The end of the old connection, whenever it is noticed, does not affect the new one.
    lobby.handle(faf_lobby_core::Event::Disconnected { conn: old });
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(bob), [player_info(&[player(1, "Ada", "")])]);
    assert_eq!(lobby.world.player_count(), 2);
    lobby.check();
    lobby.disconnect(new);
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(bob), [player_info(&[player(1, "Ada", r#","state":"offline""#)])]);
}

#[test]
fn two_logins_of_one_account_at_the_same_time() {
    let mut lobby = lobby();
    lobby.holds_replies = true;
    let (first, second) = (lobby.connect(), lobby.connect());
    lobby.send_hello(first, "Ada");
    lobby.send_hello(second, "Ada");
    while lobby.reply_next() {}
    assert_eq!(
        lobby.receive_commands(first),
        ["welcome", "player_info", "social", "game_info", "notice", "authentication_failed"]
    );
    assert_eq!(lobby.receive_commands(second), ["welcome", "player_info", "social", "game_info"]);
    assert!(!lobby.is_open(first) && lobby.is_open(second));
    lobby.check();
}

#[test]
fn a_player_who_disconnects_during_login_is_never_reported() {
    let mut lobby = lobby();
    let bob = lobby.log_in("Bob");
    lobby.advance(SECOND);
    lobby.receive(bob);
    for answered in 0..2 {
        lobby.holds_replies = true;
        let ada = lobby.connect();
        lobby.send_hello(ada, "Ada");
        for _ in 0..answered {
            assert!(lobby.reply_next());
        }
        lobby.disconnect(ada);
        lobby.holds_replies = false;
        while lobby.reply_next() {}
        lobby.advance(SECOND);
        assert_eq!(lobby.receive(bob), [""; 0]);
        lobby.check();
    }
}

#[test]
fn a_second_login_on_the_same_connection_changes_nothing() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.advance(SECOND);
    lobby.receive(ada);
    for login in ["Ada", "Bob"] {
        lobby.send_hello(ada, login);
        assert_eq!(lobby.receive(ada), [notice("info", "You are already signed in from this location!")]);
    }
    assert_eq!(lobby.world.player_count(), 1);
    assert_eq!(lobby.world.players()[0].login, "Ada");
}

#[test]
fn a_player_who_comes_and_goes_between_reports_is_reported_offline() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.advance(SECOND);
    lobby.receive(ada);
    let bob = lobby.log_in("Bob");
    lobby.disconnect(bob);
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(ada), [player_info(&[player(2, "Bob", r#","state":"offline""#)])]);
}

#[test]
fn pings_go_both_ways() {
    let mut lobby = lobby();
    let (ada, unknown) = (lobby.log_in("Ada"), lobby.connect());
    lobby.send(unknown, r#"{"command":"ping","more":1}"#);
    lobby.send(unknown, r#"{"command":"pong"}"#);
    lobby.send(unknown, PING);
    assert_eq!(lobby.receive(unknown), [PONG, PONG]);
    lobby.send(ada, r#"{"command":"ping","target":"game"}"#);
    assert_eq!(lobby.receive(ada), [""; 0]);
    lobby.advance(Duration::from_secs(91));
    let pings = lobby.receive(ada).into_iter().filter(|text| text == PING).count();
    assert_eq!(pings, 2);
    assert_eq!(lobby.receive(unknown), [""; 0]);
    assert!(lobby.is_open(ada));
}

#[test]
fn silent_clients_are_closed_with_an_idle_timeout() {
    let idle_timeout = Some(Duration::from_secs(135));
    let mut lobby = lobby_with(Settings { idle_timeout, ..Settings::default() });
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    for _ in 0..3 {
        lobby.advance(Duration::from_secs(45));
        if lobby.is_open(bob) {
            lobby.send(bob, r#"{"command":"pong"}"#);
        }
    }
    assert!(!lobby.is_open(ada) && lobby.is_open(bob));
    lobby.check();
}

#[test]
fn a_ping_is_answered_while_a_command_waits_and_order_is_kept() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.holds_replies = true;
    lobby.send(ada, r#"{"command":"avatar","action":"list_avatar"}"#);
    lobby.send(ada, PING);
    lobby.send(ada, PING);
    assert_eq!(lobby.receive(ada), [PONG, PONG]);
    lobby.send(ada, r#"{"command":"ice_servers"}"#);
    lobby.send(ada, PING);
    assert_eq!(lobby.receive(ada), [""; 0]);
    assert!(lobby.reply_next());
    assert_eq!(
        lobby.receive(ada),
        [
            r#"{"command":"avatar","avatarlist":[]}"#,
            r#"{"command":"ice_servers","ice_servers":[],"ttl":86400}"#,
            PONG
        ]
    );
    lobby.check();
}

#[test]
fn connections_without_a_login_are_closed_after_the_timeout() {
    let mut lobby = lobby();
    let (unknown, ada) = (lobby.connect(), lobby.log_in("Ada"));
    lobby.advance(Duration::from_secs(20));
    lobby.send(unknown, PING);
    let late = lobby.connect();
    lobby.advance(Duration::from_millis(9_999));
    assert!(lobby.is_open(unknown));
    lobby.advance(Duration::from_millis(1));
    assert!(!lobby.is_open(unknown));
    assert_eq!(lobby.receive(unknown), [PONG]);
    lobby.advance(Duration::from_secs(20));
    assert!(!lobby.is_open(late) && lobby.is_open(ada));
}

#[test]
fn before_the_login_few_commands_are_allowed() {
    let mut lobby = lobby();
    for text in [
        r#"{"command":"matchmaker_info"}"#,
        r#"{"command":"GameState","target":"game","args":["Idle"]}"#,
        r#"{"command":"no_such_command"}"#,
        r#"{"command":"no \"such\" command"}"#,
        r#"{"command":"avatar"}"#,
        r#"{"command":"social_add","friend":"nobody"}"#,
    ] {
        let unknown = lobby.connect();
        lobby.send(unknown, text);
        assert!(!lobby.is_open(unknown), "{text}");
        assert_eq!(lobby.receive(unknown), [""; 0], "{text}");
    }
    let refused: Vec<_> =
        lobby.counts.iter().filter(|count| matches!(count, Count::NotLoggedIn(_))).collect();
    assert_eq!(
        refused[..3],
        [&Count::NotLoggedIn("matchmaker_info"), &Count::NotLoggedIn("other"), &Count::NotLoggedIn("other")]
    );

    let unknown = lobby.connect();
    lobby.send(unknown, r#"{"command":"create_account","login":"x"}"#);
    lobby.send(unknown, r#"{"command":"Bottleneck","target":"game","args":["ack","1"]}"#);
    lobby.send(unknown, PING);
    assert_eq!(
        lobby.receive(unknown),
        [
            notice(
                "error",
                "FAF no longer supports direct registration. Please use the website to register."
            ),
            PONG.to_owned()
        ]
    );
    lobby.send(unknown, r#"{"command":"Bottleneck"}"#);
    assert_eq!(lobby.receive_commands(unknown), ["invalid"]);
    assert!(!lobby.is_open(unknown));
}

#[test]
fn passwords_cannot_be_guessed_over_many_connections() {
    let mut lobby = lobby_with(Settings { login_attempts_per_address: 3, ..Settings::default() });
    let (here, elsewhere) = (Some("1.1.1.1".parse().unwrap()), Some("2.2.2.2".parse().unwrap()));
    let wrong = r#"{"command":"hello","login":"Ada","password":"wrong","unique_id":""}"#;
    for _ in 0..3 {
        let guesser = lobby.connect_from(here);
        lobby.send(guesser, wrong);
        assert_eq!(lobby.receive(guesser), [LOGIN_FAILED]);
    }
    let refused = "Too many failed logins from your address. Please try again in ten minutes.";
    let guesser = lobby.connect_from(here);
    lobby.send_hello(guesser, "Ada");
    assert_eq!(lobby.receive(guesser), [notice("error", refused), authentication_failed(refused)]);
    assert!(!lobby.is_open(guesser));

    let ada = lobby.connect_from(elsewhere);
    lobby.send_hello(ada, "Ada");
    assert_eq!(lobby.receive_commands(ada)[0], "welcome");
    lobby.advance(600 * SECOND);
    // The limit also holds for simultaneous attempts.
    lobby.holds_replies = true;
    for _ in 0..10 {
        let guesser = lobby.connect_from(here);
        lobby.send(guesser, wrong);
    }
    assert_eq!(lobby.open_requests(), 3);
    // Attempts without a verdict do not count, and neither do correct passwords.
    lobby.refuse_next_as_busy();
    lobby.fail_next();
    lobby.refuse_next_as_busy();
    lobby.holds_replies = false;
    for _ in 0..10 {
        let bob = lobby.connect_from(here);
        lobby.send_hello(bob, "Bob");
        assert_eq!(lobby.receive_commands(bob)[0], "welcome");
    }
}

#[test]
fn a_busy_server_reports_it_and_keeps_the_connection() {
    let mut lobby = lobby();
    let ada = lobby.connect();
    lobby.holds_replies = true;
    lobby.send_hello(ada, "Ada");
    lobby.refuse_next_as_busy();
    let busy =
        r#"{"command":"authentication_failed","text":"The server is busy. Please try again in a moment."}"#;
    assert_eq!(lobby.receive(ada), [busy]);
    let failed = |line: &&LogLine| matches!(line, LogLine::LoginFailed { reason: "busy", account, .. } if account == "Ada");
    assert_eq!(lobby.log.iter().filter(failed).count(), 1);
    lobby.holds_replies = false;
    lobby.send_hello(ada, "Ada");
    assert_eq!(lobby.receive_commands(ada)[0], "welcome");
}

#[test]
fn long_texts_are_not_repeated() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.receive(ada);
    lobby.send(ada, &format!(r#"{{"command":"{}"}}"#, "x".repeat(1_000_000)));
    assert!(lobby.receive(ada)[0].contains(&format!(r#" \"{}...\","#, "x".repeat(200))));

    let unknown = lobby.connect();
    let long = "x".repeat(1_000_000);
    lobby.send(unknown, &format!(r#"{{"command":"hello","login":"{long}","password":"","unique_id":""}}"#));
    lobby
        .send(unknown, &format!(r#"{{"command":"hello","login":"Ada","password":"{long}","unique_id":""}}"#));
    lobby.send(unknown, &format!(r#"{{"command":"auth","token":"{long}","unique_id":""}}"#));
    assert_eq!(lobby.receive_commands(unknown), ["authentication_failed"; 3]);
    lobby.send(unknown, &format!(r#"{{"command":"auth","token":"1","unique_id":"{long}"}}"#));
    assert_eq!(lobby.reported.last(), Some(&(PlayerId(1), "x".repeat(8192))));
    assert!(lobby.log.iter().all(|line| line.to_string().len() < 1000));
}

#[test]
fn a_password_that_is_not_a_text_is_not_repeated() {
    let mut lobby = lobby();
    let unknown = lobby.connect();
    lobby.send(unknown, r#"{"command":"hello","login":"Ada","password":12345678,"unique_id":""}"#);
    let answer = lobby.receive(unknown).concat();
    assert!(answer.contains("it must be a text") && !answer.contains("12345678"), "{answer}");
    assert!(!format!("{:?}", lobby.log).contains("12345678"));
}

#[test]
fn an_invalid_command_closes_the_connection_with_a_reason() {
    let mut lobby = lobby();
    for (text, answer) in [
        (r#"{"no":"command"}"#, r#"{"command":"invalid","reason":"`command`: is missing"}"#),
        (
            r#"{"command":5}"#,
            r#"{"command":"invalid","reason":"`command`: invalid type: integer `5`, expected a string"}"#,
        ),
        (
            r#"{"command":"avatar"}"#,
            r#"{"command":"invalid","request":"avatar","reason":"`action`: is missing"}"#,
        ),
        (
            r#"{"command":"admin","action":"closelobby"}"#,
            r#"{"command":"invalid","request":"admin","reason":"`user_id`: is missing"}"#,
        ),
    ] {
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        lobby.send(ada, text);
        assert_eq!(lobby.receive(ada), [answer]);
        assert!(!lobby.is_open(ada));
        assert!(lobby.is_open(bob));
        lobby.disconnect(bob);
        lobby.check();
    }
}

#[test]
fn friends_and_foes_exclude_each_other() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    let relations = |lobby: &mut SimulatedLobby| {
        let account = lobby.store.account("Ada");
        (
            account.friends.iter().map(|id| id.0).collect::<Vec<_>>(),
            account.foes.iter().map(|id| id.0).collect::<Vec<_>>(),
        )
    };
    lobby.send(ada, r#"{"command":"social_add","friend":2,"foe":3}"#);
    lobby.send(ada, r#"{"command":"social_add","foe":"3"}"#);
    lobby.send(ada, r#"{"command":"social_add"}"#);
    lobby.send(ada, r#"{"command":"social_remove"}"#);
    lobby.send(ada, r#"{"command":"social_remove","foe":2}"#);
    lobby.send(ada, r#"{"command":"social_remove","friend":999}"#);
    assert_eq!(relations(&mut lobby), (vec![2], vec![3]));
    lobby.send(ada, r#"{"command":"social_add","foe":2}"#);
    assert_eq!(relations(&mut lobby), (vec![], vec![2, 3]));
    lobby.send(ada, r#"{"command":"social_add","friend":2}"#);
    assert_eq!(relations(&mut lobby), (vec![2], vec![3]));
    assert_eq!(lobby.receive(ada), [""; 0]);
    lobby.send(ada, r#"{"command":"social_add","friend":1}"#);
    lobby.send(ada, r#"{"command":"social_add","friend":999}"#);
    assert_eq!(
        lobby.receive(ada),
        [
            notice("error", "You cannot add yourself as friend or foe."),
            notice("error", "There is no such player.")
        ]
    );
    assert!(lobby.is_open(ada));
    // A relation that exists already is not stored again.
    lobby.holds_replies = true;
    lobby.send(ada, r#"{"command":"social_add","friend":2}"#);
    assert_eq!(lobby.open_requests(), 0);
}

#[test]
fn avatars_are_listed_selected_and_reported() {
    let mut lobby = lobby();
    let moon = Avatar { url: "https://example.org/moon.png".to_owned(), tooltip: "Moon".to_owned() };
    lobby.store.account("Ada").avatars = vec![moon];
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    lobby.advance(SECOND);
    lobby.receive(ada);
    lobby.receive(bob);
    lobby.send(ada, r#"{"command":"avatar","action":"list_avatar"}"#);
    assert_eq!(
        lobby.receive(ada),
        [r#"{"command":"avatar","avatarlist":[{"url":"https://example.org/moon.png","tooltip":"Moon"}]}"#]
    );
    lobby.send(ada, r#"{"command":"avatar","action":"select","avatar":"https://example.org/sun.png"}"#);
    // A value that is not a text selects no avatar, and changes nothing else.
    for avatar in ["5", "true", "{}", r#"["https://example.org/moon.png"]"#] {
        lobby.send(ada, &format!(r#"{{"command":"avatar","action":"select","avatar":{avatar}}}"#));
    }
    assert_eq!(lobby.receive(ada), [""; 0]);
    assert!(lobby.is_open(ada));
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(bob), [""; 0]);
    lobby.send(ada, r#"{"command":"avatar","action":"select","avatar":"https://example.org/moon.png"}"#);
    lobby.advance(SECOND);
    let received = lobby.receive(bob);
    assert!(
        received[0].contains(r#""avatar":{"url":"https://example.org/moon.png","tooltip":"Moon"}"#),
        "{received:?}"
    );
    lobby.send(ada, r#"{"command":"avatar","action":"select","avatar":null}"#);
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(bob), [player_info(&[player(1, "Ada", "")])]);
}

#[test]
fn administrators_need_the_permission_for_each_action() {
    let mut lobby = lobby();
    let (ada, bob, cem) = (lobby.log_in("Ada"), lobby.log_in("Bob"), lobby.log_in("Cem"));
    lobby.advance(SECOND);
    let actions = [
        r#"{"command":"admin","action":"closeFA","user_id":2}"#,
        r#"{"command":"admin","action":"broadcast","message":"hello"}"#,
        r##"{"command":"admin","action":"join_channel","user_ids":[2,3,99],"channel":"#x"}"##,
        r#"{"command":"admin","action":"dance"}"#,
        r#"{"command":"admin","action":"closelobby","user_id":2}"#,
    ];
    for conn in [ada, bob, cem] {
        lobby.receive(conn);
    }
    for action in actions {
        lobby.send(ada, action);
    }
    for conn in [ada, bob, cem] {
        assert_eq!(lobby.receive(conn), [""; 0]);
    }
    assert_eq!(lobby.log.iter().filter(|line| matches!(line, LogLine::NoPermission { .. })).count(), 4);

    lobby.store.account("Ada").permissions =
        vec!["ADMIN_KICK_SERVER", "ADMIN_BROADCAST_MESSAGE", "ADMIN_JOIN_CHANNEL"];
    lobby.send(ada, r#"{"command":"admin","action":"broadcast","message":""}"#);
    lobby.send(ada, r#"{"command":"admin","action":"closeFA","user_id":99}"#);
    for action in actions {
        lobby.send(ada, action);
    }
    let hello = notice("info", "hello");
    let join = r##"{"command":"social","autojoin":["#x"]}"##.to_owned();
    assert_eq!(lobby.receive(ada), [hello.as_str()]);
    assert_eq!(lobby.receive(cem), [hello.clone(), join.clone()]);
    let (kill, kick) = (
        r#"{"command":"notice","style":"kill"}"#,
        r#"{"command":"notice","style":"kick","text":"You have been disconnected by an administrator.","reason":"administrator"}"#,
    );
    let failed = authentication_failed("You have been disconnected by an administrator.");
    assert_eq!(lobby.receive(bob), [kill, &hello, &join, kick, &failed]);
    assert!(!lobby.is_open(bob) && lobby.is_open(ada));
    assert_eq!(lobby.log.iter().filter(|line| matches!(line, LogLine::Admin { .. })).count(), 5);

    // Administrators can disconnect any player, including themselves.
    lobby.send(ada, r#"{"command":"admin","action":"closelobby","user_id":1}"#);
    assert!(!lobby.is_open(ada));
    lobby.check();
}

#[test]
fn unofficial_clients_are_notified_and_counted() {
    let mut lobby = lobby();
    let ada = lobby.connect();
    for user_agent in
        ["", r#","user_agent":"other","version":"0.1""#, r#","user_agent":["downlords-faf-client"]"#]
    {
        lobby.send(ada, &format!(r#"{{"command":"ask_session"{user_agent}}}"#));
        let received = lobby.receive(ada);
        assert!(
            received[0].starts_with(
                r#"{"command":"notice","style":"info","text":"You are using an unofficial client"#
            )
        );
        assert_eq!(received[1..], [r#"{"command":"session","session":1001}"#]);
    }
    lobby.disconnect(ada);
    let clients: Vec<_> =
        lobby.counts.iter().filter(|count| matches!(count, Count::ClientProgram { .. })).collect();
    // In, to `other`, back to unnamed, and out.
    assert_eq!(clients.len(), 4);
    assert!(matches!(clients[3], Count::ClientProgram { after: None, .. }));
}

#[test]
fn without_a_database_only_pings_work() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.store.is_unavailable = true;
    lobby.send(ada, PING);
    lobby.send(ada, r#"{"command":"coop_list"}"#);
    assert_eq!(
        lobby.receive(ada),
        [PONG.to_owned(), notice("error", "Unable to connect to database. Please try again later.")]
    );
    assert!(!lobby.is_open(ada));
}

#[test]
fn a_reply_nobody_waits_for_is_logged_and_ignored() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.holds_replies = true;
    lobby.expects_unknown_requests = true;
    lobby.send(ada, r#"{"command":"avatar","action":"list_avatar"}"#);
    let reply = lobby.perform_next();
    lobby.reply(reply.clone());
    assert_eq!(lobby.receive_commands(ada), ["avatar"]);
    lobby.reply(reply);
    assert_eq!(lobby.receive(ada), [""; 0]);
    assert!(lobby.is_open(ada));
    let unknown = lobby.log.iter().filter(|line| matches!(line, LogLine::UnknownRequest { .. }));
    assert_eq!(unknown.count(), 1);
    lobby.check();
}

#[test]
fn password_logins_can_be_disabled() {
    let mut lobby = lobby_with(Settings { allow_password_login: false, ..Settings::default() });
    let ada = lobby.connect();
    lobby.send_hello(ada, "Ada");
    let text = "Username password login has been disabled please use a different client to login";
    assert_eq!(lobby.receive(ada), [notice("error", text), authentication_failed(text)]);
    assert!(!lobby.is_open(ada));
}

const MAINTENANCE: &str = "The server will be shutting down for maintenance in 30 minutes! If you're in a game you can continue to play, however, you will not be able to create any new games until the server has been restarted.";
const SHUT_DOWN: &str = "The server has been shut down for maintenance but should be back online soon. If you experience any problems, please restart your client. <br/><br/>We apologize for this interruption.";

#[test]
fn a_shutdown_notifies_everyone_and_stops_without_live_games() {
    let mut lobby = lobby();
    let (ada, unknown) = (lobby.log_in("Ada"), lobby.connect());
    lobby.advance(SECOND);
    lobby.receive(ada);
    lobby.shut_down();
    assert_eq!(lobby.receive(ada), [notice("info", MAINTENANCE)]);
    lobby.send(ada, r#"{"command":"game_host"}"#);
    assert_eq!(lobby.receive(ada), [r#"{"command":"disabled","request":"game_host"}"#]);
    let bob = lobby.log_in("Bob");
    lobby.advance(SECOND);
    assert_eq!(lobby.receive(ada), [player_info(&[player(2, "Bob", "")]), notice("info", SHUT_DOWN)]);
    assert_eq!(lobby.receive(unknown), [""; 0]);
    assert!(!lobby.is_open(ada) && !lobby.is_open(bob) && !lobby.is_open(unknown));
    assert!(lobby.has_stopped);
    lobby.check();
    let late = lobby.connect();
    assert!(!lobby.is_open(late));
}

#[test]
fn a_second_shutdown_does_not_wait() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.shut_down();
    lobby.shut_down();
    assert_eq!(lobby.receive(ada), [notice("info", MAINTENANCE), notice("info", SHUT_DOWN)]);
    assert!(lobby.has_stopped);
    lobby.shut_down();
    lobby.advance(Duration::from_secs(10_000));
}

#[test]
fn the_same_events_give_the_same_effects() {
    let run = || {
        let mut lobby = lobby();
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        lobby.send(ada, r#"{"command":"social_add","friend":2}"#);
        lobby.advance(Duration::from_secs(50));
        let again = lobby.log_in("Bob");
        lobby.advance(SECOND);
        ([ada, bob, again].map(|conn| lobby.receive(conn)), format!("{:?} {:?}", lobby.log, lobby.counts))
    };
    assert_eq!(run(), run());
}
