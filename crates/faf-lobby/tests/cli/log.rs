//! The log of a server that runs as a separate process.

use std::net::TcpStream;

use faf_testkit::serving::Serving;

use super::support::{Operator, SERVE, converse, hello, serve, text};

/// Stops a server and returns its log.
fn end(server: Serving) -> String {
    server.signal("-TERM");
    server.signal("-TERM");
    server.wait().0
}

#[test]
fn the_log_begins_with_the_version_and_the_configuration() {
    let operator = Operator::new();
    operator.write("lobby.toml", "policy_server = \"http://me:secret@127.0.0.1:1/\"\n");
    let log = end(serve(&operator, "--config lobby.toml --database a.sqlite"));
    let first = log.lines().next().unwrap();
    let database = operator.path("a.sqlite").canonicalize().unwrap();
    for part in [
        &format!("version={}", env!("CARGO_PKG_VERSION")),
        "parts=\"mariadb, rabbitmq\"",
        "process=",
        database.to_str().unwrap(),
    ] {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    assert!(log.contains("configured setting=database value=a.sqlite origin=\"flag --database\""), "{log}");
    assert!(log.contains("origin=\"lobby.toml, line 1\"") && !log.contains("secret"), "{log}");
}

#[test]
fn the_log_can_be_json() {
    let operator = Operator::new();
    let server = serve(&operator, "--log-format json --log debug --open-registration");
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    let log = end(server);
    assert!(log.lines().count() > 5);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let parts = ["time", "level", "target", "message"];
        assert!(parts.iter().all(|part| line[part].is_string()), "{line}");
    }
    // The fields of an event are beside them.
    let ready = log.lines().find(|line| line.contains("\"message\":\"ready\"")).unwrap();
    assert!(ready.contains("\"accounts\":0"), "{ready}");
    assert!(operator.fail("serve --log-format xml", 3).contains("not one of \"text\", \"json\""));
    let problem = operator.fail("serve --log-addresses all", 3);
    assert!(problem.contains("not one of \"none\", \"network\", \"full\""), "{problem}");
}

#[test]
fn clients_cannot_forge_lines() {
    let operator = Operator::new();
    for format in ["text", "json"] {
        let server = serve(&operator, &format!("--log trace --log-format {format} --open-registration"));
        let stream = TcpStream::connect(server.address("tcp://")).unwrap();
        let evil = r"x\n2000-01-01 ERROR forged \u001b[31m\r\u2028\u202e";
        converse(&stream, &format!(r#"{{"command":"ask_session","user_agent":"{evil}"}}"#), "session");
        converse(&stream, &hello("Ada", "secret"), "welcome");
        for message in [
            format!(r#"{{"command":"{evil}","target":"game","args":["{evil}"]}}"#),
            format!(r#"{{"command":"GameState","target":"game","args":["{evil}"]}}"#),
            format!(r#"{{"command":"avatar","action":"{evil}"}}"#),
        ] {
            converse(&stream, &format!("{message}\n{}", r#"{"command":"ping"}"#), "\n");
        }
        let log = end(server);
        let forged = log.lines().any(|line| line.starts_with("2000-01-01"));
        assert!(!forged && !log.contains(['\x1b', '\u{2028}', '\u{202e}']), "{log}");
    }
}

#[test]
fn the_banner_goes_to_standard_error() {
    let operator = Operator::new();
    let mut server = operator.command(&format!("{SERVE} --open-registration")).spawn().unwrap();
    let mut log = std::io::BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "it has ended");
    }
    server.kill().unwrap();
    assert_eq!(text(&server.wait_with_output().unwrap().stdout), "");
}
