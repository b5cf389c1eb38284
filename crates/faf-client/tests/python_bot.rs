//! The bot of the guide, `docs/src/guide/bot.py`; ignored without Python.
//!
//! This test has no harness: it only learns at run time whether there is Python, and an ignored
//! test should be reported as ignored.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the output of a test")]

mod support;

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use faf_client::faf_connection::{Settings, open_tcp};
use faf_client::faf_protocol::{ClientMessage, ServerMessage, WireFormat};
use faf_client::{Client, Credentials};
use tokio::net::TcpListener;

const BOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/guide/bot.py");

fn main() {
    let has_python =
        Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    let (outcome, [passed, ignored]) = match has_python {
        true => {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                the_bot_reports_players_coming_and_going().await;
                the_bot_replies_to_pings().await;
            });
            ("ok", [1, 0])
        }
        false => ("ignored, python3 is missing", [0, 1]),
    };
    println!("\nrunning 1 test\ntest the_bot_of_the_guide ... {outcome}\n");
    println!(
        "test result: ok. {passed} passed; 0 failed; {ignored} ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    );
}

/// A running bot. It is killed when this is dropped.
struct Bot {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Bot {
    fn start(server: SocketAddr) -> Self {
        let mut command = Command::new("python3");
        command.arg(BOT).args([&server.ip().to_string(), &server.port().to_string(), "Bot", "secret"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn wait_for(&mut self, line: &str) {
        let mut seen = Vec::new();
        for printed in self.lines.by_ref() {
            seen.push(printed.unwrap());
            if seen.last().is_some_and(|last| last == line) {
                return;
            }
        }
        panic!("the bot ended without `{line}`: {seen:?}");
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn the_bot_reports_players_coming_and_going() {
    let lobby = support::Lobby::start().await;
    let mut bot = Bot::start(lobby.address(WireFormat::SimpleJson));
    let mut expect = |line| tokio::task::block_in_place(|| bot.wait_for(line));
    expect("logged in as Bot");
    expect("Bot is online");
    let mut ada = Client::connect(&lobby.url(WireFormat::WebSocket)).await.unwrap();
    ada.login(&Credentials::password("Ada", "secret")).await.unwrap();
    expect("Ada is online");
    drop(ada);
    expect("Ada has left");
}

async fn the_bot_replies_to_pings() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _bot = Bot::start(listener.local_addr().unwrap());
    let (stream, _) = listener.accept().await.unwrap();
    let (mut reader, writer) = open_tcp(stream, Settings::new(WireFormat::SimpleJson));
    writer.write(&ServerMessage::Ping).unwrap();
    let mut received = Vec::new();
    while received.last() != Some(&ClientMessage::Pong) {
        received.push(ClientMessage::read(reader.read().await.unwrap()).unwrap());
    }
    assert!(matches!(
        received[..],
        [ClientMessage::AskSession(_), ClientMessage::Hello(_), ClientMessage::Pong]
    ));
}
