//! A process with a low limit of open files: players stay connected, and others are told that the
//! server is full.

use std::process::{Command, Stdio};

use faf_lobby::passwords::{digest, hash};
use faf_lobby::store::Store;
use faf_protocol::{Message, WireFormat};
use faf_testkit::serving::Serving;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{Client, DATABASE, soon};

/// Number of connections that fit the limit.
const CONNECTIONS: usize = 21;

async fn connect(server: &Serving) -> TcpStream {
    TcpStream::connect(server.address("tcp://")).await.unwrap()
}

async fn client(server: &Serving) -> Client {
    Client::over(connect(server).await, WireFormat::SimpleJson, "/", &[]).await.unwrap()
}

async fn get(server: &Serving, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address("http://")).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an HTTP answer", stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn clients_never_exhaust_the_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join(DATABASE);
    let store = Store::open_file(&database).unwrap();
    let password = hash(&digest("secret")).unwrap();
    for number in 0..CONNECTIONS {
        store.create_account(&format!("Player{number}"), password.clone()).await.unwrap();
    }
    assert!(store.checkpoint().await.unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_faf-lobby")]);
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
        command.env_remove(variable);
    }
    command.args(["--simple-json", "127.0.0.1:0", "--qdatastream", "off", "--websocket", "off"]);
    command.args(["--http", "127.0.0.1:0", "--log", "info", "--login-timeout", "600", "--database"]);
    command.arg(&database).stdin(Stdio::null()).stderr(Stdio::piped());
    let server = Serving::start(&mut command);
    assert!(get(&server, "/metrics").await.contains(&format!("server_connection_limit {CONNECTIONS}\n")));

    let mut players = Vec::new();
    for number in 0..CONNECTIONS - 1 {
        let mut player = client(&server).await;
        player.log_in(&format!("Player{number}")).await;
        players.push(player);
    }
    // A client that sends something takes the last place; then more silent clients connect than
    // there are files.
    let mut visitor = client(&server).await;
    visitor.check_is_served().await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(connect(&server).await);
    }
    for player in &mut players {
        player.check_is_served().await;
    }
    assert!(get(&server, "/health").await.starts_with("HTTP/1.1 200"));
    drop(crowd);
    // The crowd occupies the rejection queue until the server notices that it has left.
    soon("an explanation", async {
        loop {
            let mut words = String::new();
            if connect(&server).await.read_to_string(&mut words).await.is_ok()
                && words.contains("The server is full. Please try again in a few minutes.")
            {
                break;
            }
        }
    })
    .await;
    // When some players leave, others are accepted.
    players.truncate(10);
    let mut late = soon("a place", async {
        loop {
            let mut late = client(&server).await;
            let _ = late.writer.send(&Message::PING).await;
            if late.reader.read().await.is_ok_and(|answer| answer == Message::PONG) {
                return late;
            }
        }
    })
    .await;
    late.log_in(&format!("Player{}", CONNECTIONS - 1)).await;
    visitor.log_in(&format!("Player{}", CONNECTIONS - 2)).await;
    for player in &mut players {
        player.check_is_served().await;
    }
    server.signal("-TERM");
    server.signal("-TERM");
    let (log, code) = server.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("connection_limit is lowered to fit the limit of open files"), "{log}");
    // The process never ran out of files.
    assert!(!log.contains("ERROR"), "{log}");
}
