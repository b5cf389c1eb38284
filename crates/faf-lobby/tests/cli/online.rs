//! Commands that affect players who are online.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use super::support::{Operator, converse, hello, serve};

/// Returns everything that a client receives until its connection ends.
fn receive_all(stream: &TcpStream) -> String {
    let mut received = String::new();
    let mut reader = BufReader::new(stream);
    // A reset also ends the connection.
    while reader.read_line(&mut received).is_ok_and(|read| read > 0) {}
    received
}

#[test]
fn a_ban_and_a_kick_reach_players_online() {
    let operator = Operator::new();
    let server = serve(&operator, "--database a.sqlite --open-registration");
    let user = |line: &str| operator.succeed(&format!("user {line} --database a.sqlite"));
    let log_in = || {
        let stream = TcpStream::connect(server.address("tcp://")).unwrap();
        converse(&stream, &hello("Ada", "secret"), "welcome");
        stream
    };
    let ada = log_in();
    let output = user("kick ada --reason lunch");
    assert!(output.contains("was online: the server has disconnected the player"), "{output}");
    let received = receive_all(&ada);
    assert!(
        received.contains("\"style\":\"kick\"") && received.contains("authentication_failed"),
        "{received}"
    );
    assert!(operator.fail("user kick Ada --database a.sqlite", 1).contains("is not online"));

    let ada = log_in();
    let output = user("ban ada --reason rude --days 3");
    assert!(output.contains("is banned for 3 days, and was online"), "{output}");
    assert!(receive_all(&ada).contains("You are banned from FAF"));
    assert!(user("ban ada --reason rude").contains("and is not online"));
}

#[test]
fn without_a_server_the_output_says_that_nobody_is_disconnected() {
    let operator = Operator::new();
    operator.succeed("user add Ada --password x --database a.sqlite");
    let output = operator.succeed("user ban Ada --reason rude --database a.sqlite");
    assert!(output.contains("from the next login on") && output.contains("runs elsewhere"), "{output}");
    let output = operator.fail("user kick Ada --database a.sqlite", 1);
    assert!(output.contains("nobody was disconnected; no server uses this database"), "{output}");
}
