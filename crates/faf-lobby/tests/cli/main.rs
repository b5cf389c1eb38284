//! The command line, as operators and their scripts use it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod check;
mod database;
mod explain_player;
mod listing;
mod log;
mod online;
mod service_manager;
mod signals;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use faf_lobby::passwords::digest;
use faf_lobby::store::OtherProgram;
use faf_lobby::store::facts::{Facts, GameFact, JournalFact, PlayerFact};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use faf_testkit::golden;
use faf_testkit::serving::Serving;

use support::{
    Operator, SERVE, converse, game_of_another_program, hello, player_of_another_program, serve, text,
};

#[test]
fn help_is_found_everywhere() {
    let operator = Operator::new();
    assert!(operator.succeed("--help").contains("Exit codes: 0 success"));
    let serve = operator.succeed("serve --help");
    for part in
        ["--qdatastream", "127.0.0.1:8001", "FAF_LOBBY_QDATASTREAM", "--open-registration", "Exit codes"]
    {
        assert!(serve.contains(part), "{part} is missing in {serve}");
    }
    for command in [
        "user add",
        "user list",
        "user passwd",
        "user ban",
        "user unban",
        "user role",
        "user kick",
        "user token",
        "seed",
        "explain game",
        "explain player",
        "game list",
        "matchmaking replay",
        "backup",
        "healthcheck",
        "config",
        "check",
    ] {
        assert!(operator.succeed(&format!("{command} --help")).contains("Usage: faf-lobby"), "{command}");
    }
    // Tests are built with all parts.
    let version = concat!("faf-lobby ", env!("CARGO_PKG_VERSION"), " (mariadb, nats, rabbitmq)\n");
    assert_eq!(operator.succeed("--version"), version);
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let operator = Operator::new();
    operator.fail("--no-such-flag", 2);
    operator.fail("srve", 2);
    operator.fail("user", 2);
    operator.fail("user add", 2);
    operator.fail("seed", 2);
    operator.fail("user role Ada emperor", 2);
    operator.fail("explain", 2);
    operator.fail("explain game", 2);
    operator.fail("explain game seven", 2);
    operator.fail("explain player", 2);
    operator.fail("explain queue 7", 2);
}

#[test]
fn the_printed_configuration_is_valid_and_a_typo_is_found() {
    let operator = Operator::new();
    operator.write("good.toml", &operator.succeed("config"));
    operator.succeed("check --config good.toml");
    operator.write("typo.toml", "# comment\nping_intervall = 5\n");
    for command in ["check", "serve", "user list", ""] {
        let error = operator.fail(&format!("{command} --config typo.toml"), 3);
        assert!(
            error.contains("typo.toml, line 2") && error.contains("did you mean `ping_interval`"),
            "{error}"
        );
    }
    assert!(operator.fail("check --ping-interval never", 3).contains("flag --ping-interval"));
    let output = operator.command("check").env("FAF_LOBBY_LOG", "loud=?").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let output = operator.command("check").env("FAF_LOBBY_CONFIG", "good.toml").output().unwrap();
    assert!(output.status.success());
}

#[test]
fn open_registration_on_public_addresses_must_be_confirmed() {
    let operator = Operator::new();
    let error = operator.fail("serve --open-registration --http 0.0.0.0:0", 3);
    assert!(error.contains("0.0.0.0:0") && error.contains("anywhere"), "{error}");
    operator.succeed("check --open-registration=anywhere --http 0.0.0.0:0");
    operator.succeed("check --open-registration");
}

#[test]
fn login_pages_on_public_addresses_must_be_confirmed() {
    let operator = Operator::new();
    let error = operator.fail("serve --login-pages --http 0.0.0.0:0", 3);
    assert!(error.contains("login_pages") && error.contains("anywhere"), "{error}");
    operator.succeed("check --login-pages=anywhere --http 0.0.0.0:0");
    operator.succeed("check --login-pages");
    assert!(operator.fail("check --login-pages --http off", 3).contains("http, which is off"));
    assert!(operator.fail("check --login-pages --websocket off", 3).contains("access_url"));
    operator.succeed("check --login-pages --websocket off --access-url wss://ws.example.org/");
    for wrong in ["https://example.org/", "example.org", "wss://"] {
        assert!(operator.fail(&format!("check --access-url {wrong}"), 3).contains("access_url"), "{wrong}");
    }
}

#[test]
fn accounts_are_created_and_changed() {
    let operator = Operator::new();
    let user = |line: &str| operator.succeed(&format!("user {line} --database a.sqlite"));
    assert_eq!(user("add Ada --password secret"), "account Ada was created with number 1\n");
    assert!(operator.fail("user add ADA --password x --database a.sqlite", 1).contains("already"));
    assert!(
        operator.fail("user ban Nobody --reason x --database a.sqlite", 1).contains("no account `Nobody`")
    );
    assert!(operator.type_password("user add Bob --database a.sqlite", "typed\n").status.success());
    let empty = operator.type_password("user add Cem --database a.sqlite", "\n");
    assert!(text(&empty.stderr).contains("the password is empty"));

    user("ban Ada --reason rude --days 3");
    user("role Bob moderator");
    let list = user("list");
    assert!(
        list.contains("Ada") && list.contains("banned: rude") && list.contains("faf_moderators_global"),
        "{list}"
    );
    assert!(!list.contains("Cem"));
    assert_eq!(user("unban Ada"), "1 bans of account Ada have been revoked\n");
    user("passwd Ada --password changed");

    let server = serve(&operator, "--database a.sqlite");
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "authentication_failed");
    converse(&stream, &hello("Ada", "changed"), "welcome");
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Bob", "typed"), "\"power\":1");
}

#[test]
fn a_seed_is_planted_once() {
    let operator = Operator::new();
    let seed = golden::text(&golden::seed());
    operator.write("seed.json", &seed);
    let seed: serde_json::Value = serde_json::from_str(&seed).unwrap();
    let count = |list: &str| seed[list].as_array().unwrap().len();
    let planted = operator.succeed("seed seed.json --database a.sqlite");
    let expected =
        format!("seeded {} accounts, {} maps and {} mods\n", count("users"), count("maps"), count("mods"));
    assert_eq!(planted, expected);
    assert!(operator.fail("seed seed.json --database a.sqlite", 1).contains("accounts already"));
    operator.write("wrong.json", "{\"users\": [{\"id\": 1}]}");
    assert!(operator.fail("seed wrong.json --database b.sqlite", 1).contains("line 1 column"));
    assert!(!operator.path("b.sqlite").exists());
    assert!(operator.fail("seed missing.json", 1).contains("missing.json"));
    let names = operator.succeed("user list --database a.sqlite");
    for user in seed["users"].as_array().unwrap() {
        assert!(names.contains(user["login"].as_str().unwrap()), "{user} is not in {names}");
    }
}

#[test]
fn a_game_is_explained() {
    let operator = Operator::new();
    operator.fail("explain game 7 --database no/such/folder.sqlite", 4);
    operator.succeed("user add Ada --password x --database a.sqlite");
    let unknown = operator.fail("explain game 7 --database a.sqlite", 1);
    assert!(unknown.contains("game 7 is not in the database: it was never launched"), "{unknown}");

    // Another program may have stored such games.
    let other = OtherProgram::open(&operator.path("a.sqlite")).unwrap();
    let coop = GameFact { featured_mod: 25, validity: 11, ..game_of_another_program(7, "Odd \u{1b}[2J") };
    other.add_games(&Facts { games: vec![coop], ..Facts::default() }).unwrap();
    let text = operator.succeed("explain game 7 --database a.sqlite");
    assert_eq!(
        text,
        "game 7: \"Odd \\u{1b}[2J\", hosted by Ada, coop on a map that is not in the vault\n\
         launched at 2026-07-01T12:00:00+00:00, ended at an unknown time, COOP_NOT_RANKED\n\n\
         no players are stored\n\n\
         the reasons for its validity were not stored, or cannot be read\n"
    );

    let decisions = serde_json::from_str(r#"[{"not_rated":{"validity":"SINGLE_PLAYER"}}]"#).unwrap();
    let ended = GameFact {
        ended_at: Some(1_782_907_260),
        validity: 13,
        decisions: Some(decisions),
        ..game_of_another_program(8, "Alone")
    };
    let change = |leaderboard: &str, before: (f64, f64), after: (f64, f64)| JournalFact {
        game_id: GameId(8),
        player_id: PlayerId(1),
        leaderboard: leaderboard.to_owned(),
        before: Rating { mean: before.0, deviation: before.1 },
        after: Rating { mean: after.0, deviation: after.1 },
    };
    let facts = Facts {
        games: vec![ended],
        players: vec![PlayerFact {
            score: Some(3),
            result: Some("VICTORY".to_owned()),
            ..player_of_another_program(8, 1, 2)
        }],
        journal: vec![
            change("ladder_1v1", (1000.0, 100.0), (1001.5, 99.123_456)),
            change("global", (900.0, 90.0), (901.0, 90.0)),
        ],
        ..Facts::default()
    };
    other.add_games(&facts).unwrap();
    let text = operator.succeed("explain game 8 --database a.sqlite");
    for part in [
        ", ended at 2026-07-01T12:01:00+00:00, SINGLE_PLAYER\n",
        "   2  Ada (1)                         VICTORY          3  \
         ladder_1v1: 1000.00/100.00 -> 1001.50/99.12; global: 900.00/90.00 -> 901.00/90.00\n",
        "\n\nnot rated: SINGLE_PLAYER\n",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }

    let made = r#"[{"matched":{
        "queue":"tmm2v2","quality":{"teams":{"imbalance":0.1,"spread":0.2,"time_bonus":0.01,"newbie_bonus":0.0,
        "minority_bonus":0.0,"quality":0.786}},
        "teams":[[{"players":["A\u001bda"],"waited":{"secs":45,"nanos":0},"failed_attempts":2}],[]],
        "bracket":3,"min_rating":null,"max_rating":900,"rating":734.4,
        "maps":[{"name":"map_7","is_drawn":true,"entry":17,"pool_weight":1,"tokens":2,"after_vetoes":0.5,
        "after_repetition":0.5,"probability":1.0}],"unlisted":0}}]"#;
    let decisions = Some(serde_json::from_str(made).unwrap());
    let game = GameFact { ended_at: Some(1_782_907_260), decisions, ..game_of_another_program(9, "Match") };
    other.add_games(&Facts { games: vec![game], ..Facts::default() }).unwrap();
    let text = operator.succeed("explain game 9 --database a.sqlite");
    let (_, why) = text.split_once("\n\nmatched").unwrap();
    assert_eq!(
        why,
        " in the queue tmm2v2 with a quality of 0.786 (imbalance 0.100, spread 0.200, bonus for waiting 0.010, for \
         newbies 0.000, for ratings far from the peak 0.000)\n\
         team 1: A\\u{1b}da waited 45 s, with 2 rounds without a match\n\
         bracket 3, up to 900: the match has a rating of 734\n\
         map map_7 (entry 17) drawn: probability 1.000; weight 1 in the pool, times 0.500 after repetition, 0.500 \
         after vetoes with 2 tokens\n"
    );
}

#[test]
fn a_database_that_cannot_be_used_is_left_alone() {
    let operator = Operator::new();
    let damaged = "this is no database, but long enough to be taken for one".repeat(20);
    operator.write("damaged.sqlite", &damaged);
    assert!(operator.fail(&format!("{SERVE} --database damaged.sqlite"), 4).contains("restore a backup"));
    assert_eq!(std::fs::read_to_string(operator.path("damaged.sqlite")).unwrap(), damaged);

    operator.succeed("user add Ada --password x --database newer.sqlite");
    OtherProgram::open(&operator.path("newer.sqlite")).unwrap().make_newer().unwrap();
    assert!(operator.fail(&format!("{SERVE} --database newer.sqlite"), 4).contains("newer version"));
    operator.fail("user list --database no/such/folder.sqlite", 4);
}

#[test]
fn an_occupied_port_is_named() {
    let operator = Operator::new();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let error = operator.fail(&format!("{SERVE} --simple-json {address}"), 5);
    assert!(error.contains(&address) && error.contains("is another server running?"), "{error}");
    assert!(
        operator.fail(&format!("{SERVE} --http no-such-host.invalid:80"), 5).contains("no-such-host.invalid")
    );
}

#[test]
fn without_a_command_the_server_runs_until_a_signal() {
    let operator = Operator::new();
    let flags = "--websocket 127.0.0.1:0 --qdatastream off --http off --simple-json 127.0.0.1:0";
    let server = Serving::start(&mut operator.command(flags));
    let banner = server.banner();
    assert!(!banner.contains("qdatastream://") && !banner.contains("http://"), "{banner}");
    assert!(banner.contains("user add NAME"), "{banner}");
    assert!(operator.path("faf-lobby.sqlite").exists());
    server.signal("-TERM");
    let (log, code) = server.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("listening") && log.contains("stopped"), "{log}");
}

#[test]
fn the_first_signal_drains_and_the_second_stops() {
    let operator = Operator::new();
    let server = serve(&operator, "--open-registration --report-interval 60");
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    server.signal("-INT");
    let ping = r#"{"command":"ping"}"#;
    converse(&stream, ping, "will be shutting down");
    converse(&stream, ping, "pong");
    server.signal("-TERM");
    converse(&stream, ping, "has been shut down");
    drop(stream);
    assert_eq!(server.wait().1, Some(0));
}

#[test]
fn the_log_contains_no_secrets_and_addresses_only_at_trace() {
    let operator = Operator::new();
    for (level, shows_addresses) in [("info", false), ("trace", true)] {
        let server = serve(&operator, &format!("--open-registration --log {level}"));
        let stream = TcpStream::connect(server.address("tcp://")).unwrap();
        let client = stream.local_addr().unwrap();
        converse(&stream, &hello("Ada", "secret"), "welcome");
        let unauthenticated = TcpStream::connect(server.address("tcp://")).unwrap();
        converse(&unauthenticated, r#"{"command":"auth","token":"a.secret.token","unique_id":"x"}"#, "\n");
        drop((stream, unauthenticated));
        server.signal("-TERM");
        server.signal("-TERM");
        let (log, _) = server.wait();
        assert!(log.contains("Ada (1) has logged in"), "{log}");
        for secret in [&digest("secret"), "a.secret.token", "$argon2"] {
            assert!(!log.contains(secret), "{secret} is in {log}");
        }
        let mentions = log.lines().filter(|line| !line.contains("listening") && !line.contains("configured"));
        let mentions = mentions.clone().any(|line| line.contains("127.0.0.1"));
        assert_eq!(mentions, shows_addresses, "{client} in {log}");
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_server() {
    let operator = Operator::new();
    let line = "serve --qdatastream off --websocket off --http off --simple-json 127.0.0.1:0 --log debug \
                --unauthenticated-limit-per-address 10000";
    // The log goes into a pipe that takes 64 KiB.
    let server = Serving::start(&mut operator.command(line));
    let address = server.address("tcp://");
    let connect = || TcpStream::connect(&address).unwrap();
    for _ in 0..3000 {
        let mut stream = connect();
        stream.write_all(b"this is no message, and the log says so\n").unwrap();
        // Reads until the server closes the connection.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
    let mut stream = connect();
    stream.write_all(b"{\"command\":\"ping\"}\n").unwrap();
    let mut pong = String::new();
    BufReader::new(&stream).read_line(&mut pong).unwrap();
    assert_eq!(pong, "{\"command\":\"pong\"}\n");
    server.signal("-TERM");
    let (log, code) = server.wait();
    assert_eq!(code, Some(0));
    assert!(log.len() > 100_000, "too little was logged for this test: {} bytes", log.len());
}

#[test]
fn explaining_creates_no_database() {
    let operator = Operator::new();
    let problem = operator.fail("explain game 1 --database nothing.sqlite", 4);
    assert!(problem.contains("there is no database nothing.sqlite"), "{problem}");
    assert!(!operator.path("nothing.sqlite").exists());
}

#[test]
fn failed_logins_are_logged_with_the_configured_part_of_the_address() {
    for (flags, shown) in
        [("", "127.0.0.0/24"), ("--log-addresses none", "address=-"), ("--log-addresses full", "127.0.0.1 ")]
    {
        let operator = Operator::new();
        let server = serve(&operator, flags);
        let stream = TcpStream::connect(server.address("tcp://")).unwrap();
        converse(&stream, &hello("Ada\\nforged", "secret"), "authentication_failed");
        drop(stream);
        server.signal("-TERM");
        let (log, _) = server.wait();
        let line = log.lines().find(|line| line.contains("a login has failed")).unwrap();
        for part in ["INFO", r"account=Ada\nforged ", r#"reason="wrong name or password""#, shown] {
            assert!(line.contains(part), "{part} is missing in {line}");
        }
    }
    let operator = Operator::new();
    assert!(operator.fail("check --log-addresses some", 3).contains("log_addresses"));
}

/// A process is stopped for several times the idle timeout, and then reads what clients have
/// sent meanwhile.
#[cfg(target_os = "linux")]
#[test]
fn no_client_is_silent_after_the_server_was_stopped() {
    use std::time::{Duration, Instant};

    /// Idle timeout of clients.
    const IDLE: Duration = Duration::from_secs(3);

    let operator = Operator::new();
    let flags = "--open-registration --ping-interval 1.5 --idle-timeout 3 --login-timeout 5 --stall-timeout 1 \
                 --handshake-timeout 1 --game-setup-timeout 4";
    let server = serve(&operator, flags);
    let connect = || TcpStream::connect(server.address("tcp://")).unwrap();
    let (ada, unauthenticated, slow) = (connect(), connect(), connect());
    converse(&ada, &hello("Ada", "secret"), "welcome");
    converse(&slow, &hello("Bob", "secret"), "welcome");
    converse(&unauthenticated, r#"{"command":"ping"}"#, "pong");
    // One client is in the middle of a large message, and one is hosting a game.
    let large = format!("{{\"command\":\"ping\",\"x\":\"{}\"}}\n", "x".repeat(60_000));
    (&slow).write_all(&large.as_bytes()[..30_000]).unwrap();
    converse(&ada, r#"{"command":"game_host","visibility":"public"}"#, "game_launch");
    server.signal("-STOP");
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next()
    };
    while state() != Some('T') {
        std::thread::yield_now();
    }
    // All clients go on sending, and the stop takes much longer than the idle timeout.
    let stopped = Instant::now();
    (&ada)
        .write_all(
            b"{\"command\":\"pong\"}\n{\"target\":\"game\",\"command\":\"GameState\",\"args\":[\"Idle\"]}\n",
        )
        .unwrap();
    (&slow).write_all(&large.as_bytes()[30_000..]).unwrap();
    (&unauthenticated).write_all(format!("{}\n", hello("Cem", "secret")).as_bytes()).unwrap();
    while stopped.elapsed() < 2 * IDLE {
        std::thread::park_timeout(IDLE / 10);
    }
    server.signal("-CONT");
    converse(&unauthenticated, r#"{"command":"ping"}"#, "welcome");
    converse(&slow, r#"{"command":"pong"}"#, "pong");
    // A player whose process had not started in time would get an error about the game
    // lobby instead.
    converse(&ada, r#"{"target":"game","command":"GameState","args":["Lobby"]}"#, "HostGame");
}
