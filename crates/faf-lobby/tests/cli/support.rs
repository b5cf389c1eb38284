//! An operator at a command line, and servers that run as separate processes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use faf_lobby::passwords::digest;
use faf_lobby::store::facts::{GameFact, PlayerFact};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use faf_testkit::serving::Serving;

/// A separate folder for one test, in which the program runs without variables of its environment.
pub(crate) struct Operator {
    folder: tempfile::TempDir,
}

impl Operator {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        let is_setting = |name: &str| name.starts_with("FAF_LOBBY_") || name == "CONFIGURATION_FILE";
        for (variable, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Returns the standard output of a command that must succeed.
    pub(crate) fn succeed(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Returns the standard error of a command that must fail with this code.
    pub(crate) fn fail(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}", text(&output.stderr));
        text(&output.stderr)
    }

    pub(crate) fn type_password(&self, line: &str, password: &str) -> Output {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) const SERVE: &str =
    "serve --qdatastream 127.0.0.1:0 --simple-json 127.0.0.1:0 --websocket 127.0.0.1:0 --http 127.0.0.1:0";

pub(crate) fn serve(operator: &Operator, flags: &str) -> Serving {
    Serving::start(&mut operator.command(&format!("{SERVE} {flags}")))
}

/// Sends a line and reads until the server sends something with this text.
pub(crate) fn converse(stream: &TcpStream, line: &str, expected: &str) {
    let mut writer = stream;
    writer.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut received = String::new();
    while !received.contains(expected) {
        assert_ne!(reader.read_line(&mut received).unwrap(), 0, "{expected} is missing in {received}");
    }
}

pub(crate) fn hello(name: &str, password: &str) -> String {
    let digest = digest(password);
    format!(r#"{{"command":"hello","login":"{name}","password":"{digest}","unique_id":"x"}}"#)
}

/// Returns a game of account 1 that no lobby has launched: not live, without end and decisions.
pub(crate) fn game_of_another_program(id: u32, title: &str) -> GameFact {
    GameFact {
        id: GameId(id),
        launched_at: 1_782_907_200,
        ended_at: None,
        victory: "SANDBOX".to_owned(),
        featured_mod: 0,
        host: PlayerId(1),
        map_version: None,
        title: title.to_owned(),
        validity: 0,
        is_live: false,
        live: None,
        decisions: None,
    }
}

/// Returns a player of such a game, without a result.
pub(crate) fn player_of_another_program(game: u32, player: u32, team: i64) -> PlayerFact {
    PlayerFact {
        game_id: GameId(game),
        player_id: PlayerId(player),
        faction: 1,
        color: 1,
        team,
        place: 1,
        before: Rating { mean: 1500.0, deviation: 500.0 },
        after: None,
        score: None,
        has_score_time: false,
        result: Some("UNKNOWN".to_owned()),
    }
}
