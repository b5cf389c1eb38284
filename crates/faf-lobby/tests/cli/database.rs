//! The database from the operator's side: its owner, its permissions, and files that are
//! not databases.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use super::support::{Operator, SERVE, converse, hello, serve, text};

#[test]
fn a_second_server_refuses_or_waits_and_other_commands_work() {
    let operator = Operator::new();
    let first = serve(&operator, "--database a.sqlite --open-registration");
    let second = operator.fail(&format!("{SERVE} --database a.sqlite"), 7);
    assert!(second.contains(&format!("process {}", first.process())), "{second}");
    operator.succeed("user add Bob --password x --database a.sqlite");
    // Also while the first server waits for the end of its games.
    let stream = TcpStream::connect(first.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    first.signal("-TERM");
    converse(&stream, r#"{"command":"ping"}"#, "will be shutting down");
    operator.fail(&format!("{SERVE} --database ./a.sqlite"), 7);

    let waiting = operator.command(&format!("{SERVE} --database a.sqlite --wait-for-database 60"));
    let waiting = std::thread::spawn(move || faf_testkit::serving::Serving::start(&mut { waiting }));
    first.signal("-TERM");
    assert_eq!(first.wait().1, Some(0));
    let second = waiting.join().unwrap();
    second.signal("-TERM");
    second.signal("-TERM");
    assert_eq!(second.wait().1, Some(0));
}

#[test]
fn created_files_are_readable_by_the_owner_only() {
    let operator = Operator::new();
    let server = serve(&operator, "--database a.sqlite --recording recordings --open-registration");
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    let mut files = vec!["a.sqlite", "a.sqlite-wal", "a.sqlite-shm", "a.sqlite.lock"]
        .into_iter()
        .map(|name| operator.path(name))
        .collect::<Vec<_>>();
    let recordings = std::fs::read_dir(operator.path("recordings")).unwrap();
    files.extend(recordings.map(|entry| entry.unwrap().path()));
    assert!(files.len() > 4, "nothing is recorded");
    for file in files {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let mode = std::fs::metadata(operator.path("recordings")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_database_in_memory_is_rejected() {
    let operator = Operator::new();
    for command in ["serve", "user list", "check"] {
        let problem = operator.fail(&format!("{command} --database :memory:"), 3);
        assert!(problem.contains("the database cannot be in memory"), "{problem}");
    }
    assert!(!operator.path(":memory:").exists());
    let output = operator.command("serve").env("FAF_LOBBY_DATABASE", ":memory:").output().unwrap();
    assert!(text(&output.stderr).contains("FAF_LOBBY_DATABASE"), "{}", text(&output.stderr));
}

#[test]
fn only_serve_user_add_and_seed_create_a_missing_database() {
    let operator = Operator::new();
    for command in [
        "user list",
        "user ban Ada --reason x",
        "user kick Ada",
        "user unban Ada",
        "user passwd Ada --password x",
        "user role Ada player",
        "user token Ada",
        "game list",
        "explain game 1",
        "explain player Ada",
        "backup copy.sqlite",
    ] {
        let problem = operator.fail(&format!("{command} --database mistyped.sqlite"), 4);
        assert!(problem.contains("no such database") || problem.contains("no database"), "{problem}");
        assert!(!operator.path("mistyped.sqlite").exists(), "{command}");
    }
    assert!(!operator.path("copy.sqlite").exists());
    operator.succeed("user add Ada --password x --database new.sqlite");
}
