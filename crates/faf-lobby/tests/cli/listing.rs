//! Lists, copies and other output for operators: accounts, games, backups, tokens.

use std::net::TcpStream;

use faf_lobby::store::facts::{Facts, GameFact};
use faf_lobby::store::{OtherProgram, Store};
use faf_protocol::PlayerId;
use serde_json::Value;

use super::support::{Operator, converse, game_of_another_program, hello, player_of_another_program, serve};

#[tokio::test]
async fn deceptive_texts_are_escaped_everywhere() {
    let operator = Operator::new();
    operator.succeed("user add Ada --password x --database a.sqlite");
    // Other programs may have stored such texts.
    let other = OtherProgram::open(&operator.path("a.sqlite")).unwrap();
    other.rename_account(PlayerId(1), "A\u{202e}da\nx").unwrap();
    let game = GameFact { validity: 11, ..game_of_another_program(7, "t\u{200b}\nforged") };
    other.add_games(&Facts { games: vec![game], ..Facts::default() }).unwrap();
    let store = Store::open_file(&operator.path("a.sqlite")).unwrap();
    store.ban("Ada", "b\u{1b}[31m\n".to_owned(), None).await.unwrap();
    drop(store);
    for command in [
        "user list",
        "user list --json",
        "game list",
        "game list --json",
        "explain game 7",
        "explain game 7 --json",
        "explain player Ada",
        "explain player Ada --json",
    ] {
        let output = operator.succeed(&format!("{command} --database a.sqlite"));
        assert!(!output.contains(['\u{202e}', '\u{200b}', '\x1b']), "{command}: {output:?}");
        assert!(
            output.contains(r"A\u{202e}da\nx") || output.contains(r"A\\u{202e}da\\nx"),
            "{command}: {output}"
        );
        assert!(
            !output.lines().any(|line| line.starts_with("forged") || line.starts_with('x')),
            "{command}: {output}"
        );
    }
}

#[test]
fn games_and_accounts_are_listed_for_programs() {
    let operator = Operator::new();
    operator.fail("game list --database a.sqlite", 4);
    assert!(!operator.path("a.sqlite").exists());
    operator.succeed("user add Ada --password x --database a.sqlite");
    operator.succeed("user add Bob --password x --database a.sqlite");
    let new = GameFact { host: PlayerId(2), validity: 13, ..game_of_another_program(8, "new") };
    let facts = Facts {
        games: vec![game_of_another_program(7, "old"), new],
        players: [(7, 1, 2), (8, 2, 2), (8, 1, 3)]
            .map(|(game, player, team)| player_of_another_program(game, player, team))
            .into(),
        ..Facts::default()
    };
    OtherProgram::open(&operator.path("a.sqlite")).unwrap().add_games(&facts).unwrap();
    let list = |flags: &str| -> Vec<u64> {
        let text = operator.succeed(&format!("game list --json --database a.sqlite {flags}"));
        let ids = text.lines().map(|line| line.parse::<Value>().unwrap()["id"].as_u64().unwrap());
        ids.collect()
    };
    assert_eq!(list(""), [8, 7]);
    assert_eq!(list("--player bob"), [8]);
    assert_eq!(list("--unrated"), [8]);
    assert_eq!(list("--limit 1"), [8]);
    let explained = operator.succeed("explain game 8 --json --database a.sqlite");
    let explained: Value = explained.parse().unwrap();
    assert_eq!(
        (&explained["validity"], &explained["players"][0]["login"]),
        (&"SINGLE_PLAYER".into(), &"Bob".into())
    );
    let users = operator.succeed("user list --json --database a.sqlite");
    assert_eq!(users.lines().next().unwrap().parse::<Value>().unwrap()["login"], "Ada");
}

#[test]
fn a_backup_is_made_while_the_server_runs() {
    let operator = Operator::new();
    let server = serve(&operator, "--database a.sqlite --open-registration");
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    operator.succeed("backup copy.sqlite --database a.sqlite");
    assert!(operator.succeed("user list --database copy.sqlite").contains("Ada"));
    assert!(operator.fail("backup copy.sqlite --database a.sqlite", 1).contains("already"));
    assert!(operator.fail("backup other.sqlite --database none.sqlite", 4).contains("no such database"));
    operator.fail("backup", 2);
    // The copy works as a database.
    let restored = serve(&operator, "--database copy.sqlite");
    let stream = TcpStream::connect(restored.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
}

#[test]
fn a_token_issued_by_the_server_logs_in() {
    let operator = Operator::new();
    operator.fail("user token Ada --database a.sqlite", 4);
    let server = serve(&operator, "--database a.sqlite");
    operator.succeed("user add Ada --password x --database a.sqlite");
    let token = operator.succeed("user token ada --days 1 --database a.sqlite");
    let token = token.trim();
    assert!(operator.fail("user token Bob --database a.sqlite", 1).contains("no account `Bob`"));
    let unseen = operator.fail("user kick Bob\u{202e} --database a.sqlite", 1);
    assert!(unseen.contains("no account `Bob\\u{202e}`"), "{unseen}");
    let auth = |token: &str| format!(r#"{{"command":"auth","token":"{token}","unique_id":"x"}}"#);
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &auth(&token[..token.len() - 6]), "authentication_failed");
    converse(&stream, &auth(token), "\"login\":\"Ada\"");
}

#[test]
fn searches_of_a_trace_are_run_with_other_settings() {
    let operator = Operator::new();
    let trace = include_str!("../../../faf-laboratory/tests/made_up.jsonl");
    std::fs::write(operator.path("trace.jsonl"), trace).unwrap();
    let replay = "matchmaking replay trace.jsonl";
    let once = operator.succeed(replay);
    assert!(once.contains("ladder1v1    all") && !once.contains("->"), "{once}");
    let compared = operator.succeed(&format!("{replay} --set queue_pop_time_max=30"));
    assert!(compared.contains("40 s -> "), "{compared}");
    assert!(operator.succeed(&format!("{replay} --format csv")).starts_with("queue,rating,run,"));
    assert!(operator.succeed(&format!("{replay} --format svg")).starts_with("<svg "));
    std::fs::write(operator.path("again.jsonl"), operator.succeed(&format!("{replay} --format trace")))
        .unwrap();
    assert_eq!(operator.succeed("matchmaking replay again.jsonl"), once);

    let error = operator.fail(&format!("{replay} --set queue_pop=30"), 2);
    assert!(error.contains("there is no setting `queue_pop`; there are"), "{error}");
    for (changes, problem) in [
        ("--set queue_pop_time_max=0", "queue_pop_time_max: 0 is not between 1 and 3600"),
        ("--set queue_pop_time_min=20 --set queue_pop_time_max=19.5", "20 is not between 1 and 19.5"),
    ] {
        let error = operator.fail(&format!("{replay} {changes}"), 2);
        assert!(error.contains(problem), "{error}");
    }
    std::fs::write(operator.path("other.txt"), "no trace").unwrap();
    let error = operator.fail("matchmaking replay other.txt", 1);
    assert!(error.contains("other.txt: this is not a recording"), "{error}");
}
