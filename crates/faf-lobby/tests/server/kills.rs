//! A server that is killed in the middle of a game, at every moment: acknowledged data is there
//! when the database is opened again, and the end of a game is stored completely or not at all.
//!
//! A message is acknowledged when the reply to a question that was sent after it arrives.

use std::path::Path;
use std::process::{Command, Stdio};

use faf_lobby::passwords::{digest, hash};
use faf_lobby::store::facts::{Facts, PlayerFact};
use faf_lobby::store::{OtherProgram, Store};
use faf_protocol::WireFormat;
use faf_testkit::serving::Serving;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::games::{add_map, check_stored_ratings, open_lobby, outcomes};
use super::support::{Client, DATABASE, TestServer, soon};

/// A player who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Player {
    Ada,
    Bob,
}
use Player::{Ada, Bob};

impl Player {
    fn id(self) -> u64 {
        match self {
            Ada => 1,
            Bob => 2,
        }
    }
}

/// Messages of the games of Ada and Bob from the launch on. They are rated when both have sent
/// `GameEnded`.
const GAME: [(Player, &str, &str); 10] = [
    (Ada, "GameState", r#""Launching""#),
    (Ada, "EnforceRating", ""),
    (Ada, "GameResult", r#"1,"victory 10""#),
    (Ada, "GameResult", r#"2,"defeat -10""#),
    (Bob, "GameResult", r#"1,"victory 10""#),
    (Bob, "GameResult", r#"2,"defeat -10""#),
    (Ada, "GameEnded", ""),
    (Bob, "GameEnded", ""),
    (Ada, "GameState", r#""Ended""#),
    (Bob, "GameState", r#""Ended""#),
];

const QUESTION: &str = r#"{"command":"ask_session","user_agent":"downlords-faf-client"}"#;

/// Creates a database with Ada, Bob and a map.
async fn make_database(path: &Path) {
    let store = Store::open_file(path).unwrap();
    add_map(&store).await;
    for login in ["Ada", "Bob"] {
        store.create_account(login, hash(&digest("secret")).unwrap()).await.unwrap();
    }
    // So that a test sees all messages, however late the server is killed.
    OtherProgram::open(path).unwrap().keep_messages(true).unwrap();
    assert!(store.checkpoint().await.unwrap());
}

/// A server in a process of its own, with a game in its lobby that is about to be launched.
struct Match {
    server: Option<Serving>,
    ada: Client,
    bob: Client,
    /// Number of questions of Ada and Bob that were answered.
    answers: [usize; 2],
    folder: TempDir,
}

impl Match {
    async fn begin(template: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join(DATABASE);
        std::fs::copy(template, &database).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
            command.env_remove(variable);
        }
        command.args(["--simple-json", "127.0.0.1:0", "--qdatastream", "off", "--websocket", "off"]);
        command.args(["--http", "off", "--log", "off", "--database"]).arg(&database);
        let server = Serving::start(command.stdin(Stdio::null()).stderr(Stdio::null()));
        let connect = async || {
            let stream = TcpStream::connect(server.address("tcp://")).await.unwrap();
            Client::over(stream, WireFormat::SimpleJson, "/", &[]).await.unwrap()
        };
        let (mut ada, mut bob) = (connect().await, connect().await);
        ada.log_in("Ada").await;
        bob.log_in("Bob").await;
        open_lobby(&mut ada, &mut bob).await;
        Self { server: Some(server), ada, bob, answers: [0, 0], folder }
    }

    fn client(&mut self, who: Player) -> &mut Client {
        match who {
            Ada => &mut self.ada,
            Bob => &mut self.bob,
        }
    }

    /// Sends a message of the game, and a question after it.
    async fn send(&mut self, (who, command, args): (Player, &str, &str)) {
        let client = self.client(who);
        client.play(command, args).await;
        client.send(QUESTION).await;
    }

    /// Waits until this many of a player's messages are acknowledged.
    async fn wait_for(&mut self, who: Player, count: usize) {
        while self.answers[who as usize] < count {
            self.client(who).receive_command("session").await;
            self.answers[who as usize] += 1;
        }
    }

    /// Kills the server, and reads what it sent before; returns the messages that it acknowledged.
    async fn kill(&mut self) -> Vec<(Player, &'static str, &'static str)> {
        drop(self.server.take());
        for who in [Ada, Bob] {
            let client = self.client(who);
            let answers = async {
                let mut answers = 0;
                while let Ok(message) = client.reader.read().await {
                    answers += usize::from(message.command().as_deref() == Some("session"));
                }
                answers
            };
            self.answers[who as usize] += soon("the end of a killed server", answers).await;
        }
        let of = |who: Player| GAME.into_iter().filter(move |(sender, ..)| *sender == who);
        of(Ada).take(self.answers[0]).chain(of(Bob).take(self.answers[1])).collect()
    }
}

/// Returns the data in a database that no server uses.
async fn facts(folder: &Path) -> Facts {
    Store::open_file(&folder.join(DATABASE)).unwrap().facts().await.unwrap()
}

/// Checks the data after the database is opened again.
async fn check(folder: &Path, acknowledged: &[(Player, &str, &str)]) {
    assert_eq!(OtherProgram::open(&folder.join(DATABASE)).unwrap().damage().unwrap(), None);
    let facts = facts(folder).await;
    check_messages(&facts);

    let is_acknowledged = |message| acknowledged.contains(&message);
    let is_launched = facts.games.len() == 1;
    assert!(is_launched || !is_acknowledged(GAME[0]), "the launch was acknowledged");
    assert_eq!(facts.players.len(), if is_launched { 2 } else { 0 });
    if facts.games.iter().any(|game| game.decisions.is_some()) {
        return check_end(&facts);
    }
    assert!(facts.ratings.is_empty() && facts.journal.is_empty());
    let is_undecided = |player: &PlayerFact| {
        player.result.as_deref() == Some("UNKNOWN") && player.score == Some(0) && player.after.is_none()
    };
    assert!(facts.players.iter().all(is_undecided), "{:?}", facts.players);
    if let [game] = &facts.games[..] {
        assert!(game.ended_at.is_none() && game.is_live);
        let state = serde_json::to_value(game.live.as_ref().unwrap()).unwrap();
        let live = &state["live"];
        for (who, command, args) in acknowledged.iter().copied() {
            let is_saved = match command {
                "EnforceRating" => live["enforces_rating"] == true,
                "GameEnded" => live["done"].as_array().unwrap().iter().any(|player| *player == who.id()),
                "GameResult" => {
                    let army: u64 = args.split(',').next().unwrap().parse().unwrap();
                    let reports = live["reports"].as_array().unwrap();
                    reports.iter().any(|report| report["reporter"] == who.id() && report["army"] == army)
                }
                _ => true,
            };
            assert!(is_saved, "{who:?} {command} {args} was acknowledged and is missing in {state}");
        }
    }
}

/// Checks that the messages for other services are stored together with their cause, in order: the
/// results and both ratings if the end of the game is stored, otherwise nothing.
fn check_messages(facts: &Facts) {
    let keys: Vec<_> = facts.outbox.iter().map(|(key, _)| key.as_str()).collect();
    if facts.games.iter().all(|game| game.decisions.is_none()) {
        return assert_eq!(keys, [""; 0]);
    }
    assert_eq!(keys, ["success.gameResults.create", "success.rating.update", "success.rating.update"]);
    let players = facts.outbox[1..].iter().map(|(_, body)| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["player_id"].as_u64()
    });
    assert_eq!(players.collect::<Vec<_>>(), [Some(1), Some(2)]);
}

/// Checks that results and ratings are stored.
fn check_end(facts: &Facts) {
    assert_eq!(outcomes(facts), [(1, "VICTORY"), (2, "DEFEAT")]);
    check_stored_ratings(facts);
    let game = &facts.games[0];
    assert!(game.ended_at.unwrap() >= game.launched_at && game.validity == 0 && !game.is_live);
}

/// Checks that a new server, which does not wait for players to return, ends the game with the
/// saved data and informs other services.
async fn check_next_server(folder: TempDir, acknowledged: &[(Player, &str, &str)]) {
    OtherProgram::open(&folder.path().join(DATABASE)).unwrap().keep_messages(false).unwrap();
    let server = TestServer::start_in(folder, |settings| settings.restart_grace_period = 0.0).await;
    let reports = acknowledged.iter().filter(|(_, command, _)| *command == "GameResult").count();
    if reports == 4 {
        // The game has ended before the kill or now; both are fine.
        for (key, count) in [("success.gameResults.create", 1), ("success.rating.update", 2)] {
            let series = format!(r#"server_publications_total{{routing_key="{key}"}} {count}"#);
            server.wait_for_metric(&series).await;
        }
    }
    server.request_shutdown().await;
    let folder = server.wait().await;
    let facts = facts(folder.path()).await;
    assert!(facts.games.iter().all(|game| !game.is_live));
    assert_eq!(facts.outbox, []);
    if reports == 4 {
        check_end(&facts);
    }
}

#[tokio::test]
async fn killed_after_each_message() {
    let template = tempfile::tempdir().unwrap();
    let template = template.path().join(DATABASE);
    make_database(&template).await;
    for last in 0..GAME.len() {
        let mut game = Match::begin(&template).await;
        let mut sent = [0, 0];
        for message in &GAME[..last] {
            game.send(*message).await;
            sent[message.0 as usize] += 1;
            game.wait_for(message.0, sent[message.0 as usize]).await;
        }
        // The last message is not awaited.
        game.send(GAME[last]).await;
        let acknowledged = game.kill().await;
        assert!(acknowledged.len() >= last);
        check(game.folder.path(), &acknowledged).await;
        check_next_server(game.folder, &acknowledged).await;
    }
}

#[tokio::test]
async fn killed_with_many_messages_in_flight() {
    let template = tempfile::tempdir().unwrap();
    let template = template.path().join(DATABASE);
    make_database(&template).await;
    let moments = (1..=6).map(|answers| (Ada, answers)).chain((1..=4).map(|answers| (Bob, answers)));
    for (who, answers) in moments {
        let mut game = Match::begin(&template).await;
        game.send(GAME[0]).await;
        game.wait_for(Ada, 1).await;
        for message in &GAME[1..] {
            game.send(*message).await;
        }
        game.wait_for(who, answers).await;
        let acknowledged = game.kill().await;
        check(game.folder.path(), &acknowledged).await;
        check_next_server(game.folder, &acknowledged).await;
    }
}
