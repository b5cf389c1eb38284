//! The server records the events of its lobby, and a replay gives the same effects.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use faf_lobby::passwords::digest;
use faf_protocol::WireFormat;

use super::support::{Client, TestServer, soon};

const FORMATS: [WireFormat; 2] = [WireFormat::WebSocket, WireFormat::QDataStream];

fn recordings(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn run(file: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
    command.arg("replay").arg(file).args(flags).output().unwrap()
}

/// Returns the output of a replay that must succeed.
fn replay(file: &Path, flags: &[&str]) -> String {
    let output = run(file, flags);
    let (printed, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {printed}{error}", file.display());
    printed
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn game(client: &Client, command: &str, args: &str) {
    client.send(&format!(r#"{{"command":"{command}","target":"game","args":{args}}}"#)).await;
}

/// Ada hosts a game with a password; Bob joins at the second attempt; they play, and Bob leaves.
async fn play(server: &TestServer) -> [Client; 2] {
    let mut visitor = server.connect(WireFormat::SimpleJson).await;
    visitor.send(r#"{"command":"auth","token":"a.secret.token","unique_id":"x"}"#).await;
    visitor.receive().await;
    let mut ada = server.log_in(FORMATS[0], "Ada").await;
    let mut bob = server.log_in(FORMATS[1], "Bob").await;
    ada.send(r#"{"command":"game_host","visibility":"public","title":"4v4","password":"game-secret"}"#).await;
    ada.receive_command("game_launch").await;
    game(&ada, "GameState", r#"["Idle"]"#).await;
    game(&ada, "GameState", r#"["Lobby"]"#).await;
    bob.receive_containing(r#""password_protected":true"#).await;
    bob.send(r#"{"command":"game_join","uid":1,"password":"wrong-secret"}"#).await;
    bob.receive_containing("bad_password").await;
    bob.send(r#"{"command":"game_join","uid":1,"password":"game-secret"}"#).await;
    bob.receive_command("game_launch").await;
    game(&bob, "GameState", r#"["Idle"]"#).await;
    game(&bob, "GameState", r#"["Lobby"]"#).await;
    ada.receive_containing("ConnectToPeer").await;
    for (player, army) in [(1, 1), (2, 2)] {
        for key in ["Faction", "Color", "StartSpot", "Army"] {
            game(&ada, "PlayerOption", &format!(r#"[{player},"{key}",{army}]"#)).await;
        }
        game(&ada, "PlayerOption", &format!(r#"[{player},"Team",{}]"#, army + 1)).await;
    }
    for client in [&ada, &bob] {
        game(client, "GameState", r#"["Launching"]"#).await;
    }
    bob.receive_containing(r#""state":"playing""#).await;
    for client in [&ada, &bob] {
        game(client, "GameResult", r#"[1,"victory 10"]"#).await;
        game(client, "GameResult", r#"[2,"defeat -10"]"#).await;
        game(client, "GameEnded", "[]").await;
        game(client, "GameState", r#"["Ended"]"#).await;
    }
    bob.receive_containing(r#""state":"closed""#).await;
    bob.check_is_served().await;
    [ada, bob]
}

fn check_no_secrets(files: &[PathBuf]) {
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        for secret in [&digest("secret"), "game-secret", "wrong-secret", "a.secret.token"] {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "{secret} is in {}", file.display());
        }
    }
}

#[tokio::test]
async fn recorded_game_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(|settings| settings.recording = folder.path().join("new")).await;
    let clients = play(&server).await;
    let [mut ada, bob] = clients;
    drop(bob);
    ada.receive_containing(r#""state":"offline""#).await;
    server.request_shutdown().await;
    ada.wait_for_end().await;
    drop(ada);
    server.wait().await;

    let files = recordings(&folder.path().join("new"));
    let [file] = &files[..] else { panic!("{files:?}") };
    check_no_secrets(&files);
    let printed = replay(file, &[]);
    for part in ["all effects are the same", "0 players online", "the recording ends: the server has ended"] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }

    // Replays up to the event at which the wrong password is refused.
    let lines = text(&std::fs::read(file).unwrap());
    let joined = lines.lines().position(|line| line.contains("\"game_join\"")).unwrap();
    let until = (joined + 1).to_string();
    let printed = replay(file, &["--until", &until, "--effects"]);
    for part in ["1 Ada", "2 Bob", "\"4v4\": Lobby, hosted by Ada, with Ada", &format!("event {until}: ")] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    assert!(!printed.contains("the recording ends"), "{printed}");
    let joining = replay(file, &["--until", &joined.to_string()]);
    assert!(joining.contains("1 pending requests") && joining.contains("AttemptJoin"), "{joining}");

    // A changed recording is detected, and has an exit code of its own.
    let changed = file.with_extension("changed");
    std::fs::write(&changed, lines.replacen("\"login\":\"Bob\"", "\"login\":\"Eve\"", 1)).unwrap();
    let output = run(&changed, &["--effects"]);
    let (printed, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(6), "{printed}{error}");
    assert!(error.contains("has other effects than recorded") && printed.contains("Eve"), "{printed}{error}");

    // A recording of another version is replayed with a warning.
    let version = concat!("\"server\":\"", env!("CARGO_PKG_VERSION"));
    std::fs::write(&changed, lines.replacen(version, "\"server\":\"0.0.1", 1)).unwrap();
    let printed = replay(&changed, &[]);
    assert!(
        printed.contains("recorded by faf-lobby 0.0.1") && printed.contains("this is faf-lobby"),
        "{printed}"
    );

    // A damaged line is named.
    std::fs::write(&changed, lines.replacen("\"n\":5,", "\"n\":5;", 1)).unwrap();
    let output = run(&changed, &[]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("line 6 is damaged"), "{error}");
    let output = run(file, &["--until", "1000000"]);
    assert!(text(&output.stderr).contains("it ends before event 1000000"));
    assert_eq!(run(&folder.path().join("none"), &[]).status.code(), Some(1));
}

#[tokio::test]
async fn all_files_of_a_recording_are_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(|settings| {
        settings.recording = folder.path().to_owned();
        settings.recording_size = 1;
        settings.recording_files = 1000;
    })
    .await;
    let [mut ada, mut bob] = play(&server).await;
    soon("several files", async {
        while recordings(folder.path()).len() < 3 {
            ada.check_is_served().await;
        }
    })
    .await;
    server.request_shutdown().await;
    bob.wait_for_end().await;
    drop((ada, bob));
    server.wait().await;
    let files = recordings(folder.path());
    check_no_secrets(&files);
    for (index, file) in files.iter().enumerate() {
        let printed = replay(file, &[]);
        let end =
            if index + 1 < files.len() { "it goes on in the next file" } else { "the server has ended" };
        assert!(printed.contains("all effects are the same") && printed.contains(end), "{printed}");
    }
}

#[tokio::test]
async fn server_runs_without_a_writable_recording_folder() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = TestServer::start_with(|settings| settings.recording = file.path().to_owned()).await;
    server.log_in(WireFormat::WebSocket, "Ada").await.check_is_served().await;
    server.request_shutdown().await;
    server.wait().await;
}
