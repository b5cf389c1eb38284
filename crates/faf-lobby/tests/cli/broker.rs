//! The broker at the command line.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::support::{Operator, SERVE, serve, text};

#[test]
fn password_of_the_broker_is_never_shown() {
    let operator = Operator::new();
    // Nobody listens there.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    operator.write(
        "lobby.toml",
        &format!("broker_host = \"127.0.0.1\"\nbroker_port = {port}\nbroker_password = \"hunter2\"\n"),
    );
    let flags = "--config lobby.toml --database a.sqlite";
    let effective = operator.succeed("config --effective --config lobby.toml");
    assert!(effective.contains("# broker_password = ***"), "{effective}");
    let check = operator.run("check --config lobby.toml");
    assert!(check.status.success() && text(&check.stderr).contains("cannot be reached now"), "{check:?}");
    let server = serve(&operator, &format!("{flags} --log trace"));
    let begin = Instant::now();
    let mut body = String::new();
    while !body.contains("efused") {
        assert!(begin.elapsed() < Duration::from_secs(60), "{body}");
        body = health(&server.address("http://"));
    }
    assert!(!body.contains("hunter2"), "{body}");
    server.signal("-TERM");
    server.signal("-TERM");
    let log = server.wait().0;
    assert_eq!(log.matches("the broker is away").count(), 1, "{log}");
    assert!(log.contains("setting=broker_password value=***"), "{log}");
    for shown in [effective, text(&check.stderr), log] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let problem = operator.fail(&format!("{SERVE} --broker-host amqp://faf:hunter2@127.0.0.1"), 3);
    assert!(problem.contains("not a URL") && !problem.contains("hunter2"), "{problem}");
    operator.write("wrong.toml", "broker_password = 12345\n");
    let problem = operator.fail("config --effective --config wrong.toml", 3);
    assert!(problem.contains("broker_password") && !problem.contains("12345"), "{problem}");
}

/// Returns the response of `/health`.
fn health(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}
