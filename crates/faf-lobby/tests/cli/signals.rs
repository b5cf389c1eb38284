//! Signals to a server: those that stop it, and the one that reloads its configuration.

use std::net::TcpStream;
use std::process::Command;

use faf_testkit::serving::Serving;

use super::support::{Operator, SERVE, converse, hello};

const PING: &str = r#"{"command":"ping"}"#;

#[test]
fn signals_ignored_at_the_start_stay_ignored() {
    let operator = Operator::new();
    // `nohup` and shells start programs this way.
    let line = format!(
        "trap '' HUP INT; exec '{}' --http off --qdatastream off --websocket off --simple-json 127.0.0.1:0 --open-registration",
        env!("CARGO_BIN_EXE_faf-lobby")
    );
    let mut command = operator.command("");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(command.get_current_dir().unwrap());
    command = shell;
    let server = Serving::start(command.stderr(std::process::Stdio::piped()));
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    server.signal("-HUP");
    server.signal("-INT");
    converse(&stream, PING, "pong");
    server.signal("-TERM");
    converse(&stream, PING, "will be shutting down");
    server.signal("-TERM");
    let (log, code) = server.wait();
    assert!(!log.contains("configuration"), "{log}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_hangup_reloads_the_settings_that_can_change() {
    let operator = Operator::new();
    operator.write("lobby.toml", "report_interval = 60\n");
    let log = std::fs::File::create(operator.path("log")).unwrap();
    let mut command = operator.command(&format!("{SERVE} --config lobby.toml --open-registration"));
    let server = Serving::start(command.stderr(log));
    // A deadline against mistakes, not a measurement: the test harness would wait forever.
    let wait_for = |part: &str| {
        let began = std::time::Instant::now();
        while !std::fs::read_to_string(operator.path("log")).unwrap().contains(part) {
            assert!(began.elapsed().as_secs() < 60, "{part} is not logged");
            std::thread::yield_now();
        }
    };
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    operator.write(
        "lobby.toml",
        "report_interval = 60\nping_interval = \"100ms\"\nlog = \"debug\"\nconnection_limit = 7\n",
    );
    server.signal("-HUP");
    // From now on the server pings at the new interval.
    converse(&stream, PING, "\"ping\"");
    for part in [
        "a setting has changed and takes effect now setting=ping_interval now=0.1",
        "a setting has changed and takes effect now setting=log",
        "a setting has changed and takes effect after a restart setting=connection_limit now=7",
    ] {
        wait_for(part);
    }
    operator.write("lobby.toml", "ping_intervall = 5\n");
    server.signal("-HUP");
    wait_for("did you mean `ping_interval`?");
    wait_for("keeps its previous configuration");
    converse(&stream, PING, "\"ping\"");
    server.signal("-TERM");
    converse(&stream, PING, "will be shutting down");
    server.signal("-TERM");
    assert_eq!(server.wait().1, Some(0));
}

#[test]
fn the_configuration_is_read_again_periodically() {
    let operator = Operator::new();
    let always = "CONFIGURATION_REFRESH_TIME: 0.05\nLOG_LEVEL: INFO\n";
    // Replaced at once, so that the server never reads half of it.
    let write = |more: &str| {
        operator.write("new.yaml", &format!("{always}{more}"));
        std::fs::rename(operator.path("new.yaml"), operator.path("faf.yaml")).unwrap();
    };
    write("");
    let log = std::fs::File::create(operator.path("log")).unwrap();
    let others =
        "--database lobby.sqlite --geoip-database= --policy-server= --jwks= --open-registration=anywhere";
    let mut command = operator.command(&format!("{SERVE} {others}"));
    command.env("CONFIGURATION_FILE", "faf.yaml").env("GEO_IP_LICENSE_KEY", "hunter2");
    let server = Serving::start(command.stderr(log));
    let logged = || std::fs::read_to_string(operator.path("log")).unwrap();
    // A deadline against mistakes, not a measurement: the test harness would wait forever.
    let wait_for = |part: &str| {
        let began = std::time::Instant::now();
        while !logged().contains(part) {
            assert!(began.elapsed().as_secs() < 60, "{part} is not logged in\n{}", logged());
            std::thread::yield_now();
        }
    };
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    write("PING_INTERVAL: 0.1\nWS_PATH: /ws\nUSE_API: true\nLOG_LEVEL: TRACE\n");
    converse(&stream, PING, "\"ping\"");
    let restart = "takes effect after a restart setting=websocket_path now=/ws";
    for part in ["takes effect now setting=log now=\"info,faf_=trace\"", restart, "has no effect key=USE_API"]
    {
        wait_for(part);
    }
    // Several readings later, nothing was said twice.
    write("PING_INTERVAL: often\n");
    wait_for("faf.yaml, line 3\" setting=PING_INTERVAL problem=\"`often` is not a number\"");
    wait_for("keeps its previous configuration");
    write("PING_INTERVAL: 0.2\nWS_PATH: /ws\nUSE_API: true\n");
    wait_for("the configuration is valid again");
    wait_for("takes effect now setting=ping_interval now=0.2");
    write("PING_INTERVAL: 0.3\nWS_PATH: /ws\nUSE_API: true\n");
    wait_for("takes effect now setting=ping_interval now=0.3");
    for once in [restart, "has no effect key=USE_API", "keeps its previous configuration"] {
        assert_eq!(logged().matches(once).count(), 1, "{once} in\n{}", logged());
    }
    assert!(!logged().contains("hunter2") && logged().contains("setting=geoip_licence_key value=***"));
    server.signal("-TERM");
    converse(&stream, PING, "will be shutting down");
    server.signal("-TERM");
    assert_eq!(server.wait().1, Some(0));
}
