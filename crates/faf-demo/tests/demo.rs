//! The demo, as seen by a person who runs it and connects.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use faf_client::{Credentials, Url};
use faf_protocol::server_message::{GameInfoState, GameType, PlayerState, Rating, ServerMessage};
use faf_protocol::{GameId, Message, PlayerId, WireFormat};
use faf_testkit::serving::Serving;
use tokio::time::timeout;

/// Longer than anything takes, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A demo with its own folder for temporary files, which holds its database.
struct Running {
    demo: Serving,
    temporary: tempfile::TempDir,
}

impl Running {
    fn start(flags: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-demo"));
        let line =
            "--qdatastream 127.0.0.1:0 --simple-json 127.0.0.1:0 --websocket 127.0.0.1:0 --http 127.0.0.1:0";
        command.args(format!("{line} --report-interval 0.1 {flags}").split_whitespace());
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
            command.env_remove(variable);
        }
        command.current_dir(temporary.path()).env("TMPDIR", temporary.path());
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        Self { demo: Serving::start(&mut command), temporary }
    }

    fn files(&self) -> usize {
        files(self.temporary.path())
    }

    /// Ends it with a signal, and checks that no files are left.
    fn end(self, signal: &str) {
        self.demo.signal(signal);
        let (log, code) = self.demo.wait();
        assert_eq!((log.as_str(), code), ("", Some(0)));
        assert_eq!(files(self.temporary.path()), 0);
    }
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

struct Client {
    connection: faf_client::Client,
    /// The games and their states, as far as tests need them.
    games: BTreeMap<GameId, Vec<GameInfoState>>,
    ratings: BTreeMap<PlayerId, Rating>,
    has_seen: Seen,
}

/// Events that a client of a busy lobby has seen.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    whole_game: bool,
    new_rating: bool,
    searchers: bool,
    playing_match: bool,
}

impl Client {
    async fn log_in(running: &Running, format: WireFormat, credentials: Credentials) -> Self {
        let scheme = format!("{}://", format.scheme());
        let url = Url::new(format, running.demo.address(&scheme).parse().unwrap());
        let mut connection = faf_client::Client::connect(&url).await.unwrap();
        let login = timeout(TIMEOUT, connection.login(&credentials));
        login.await.expect("a login takes too long").unwrap();
        let (games, ratings) = (BTreeMap::new(), BTreeMap::new());
        Self { connection, games, ratings, has_seen: Seen::default() }
    }

    async fn send(&mut self, message: &str) {
        self.connection.send(&message.parse::<Message>().unwrap()).await.unwrap();
    }

    /// Reads until `what` has arrived, or until enough was seen.
    async fn read_until(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(&ServerMessage, &Self) -> bool,
    ) -> ServerMessage {
        let received = timeout(TIMEOUT, async {
            loop {
                let message = self.connection.read().await.unwrap();
                self.note(&message);
                if is_it(&message, self) {
                    return message;
                }
            }
        });
        received.await.unwrap_or_else(|_| panic!("this takes too long: {what}; seen: {:?}", self.has_seen))
    }

    fn note(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::MatchmakerInfo(info) => {
                self.has_seen.searchers |= info.queues.iter().any(|queue| queue.num_players > 0);
            }
            ServerMessage::GameInfo(game) => {
                let is_match = game.game_type == GameType::Matchmaker;
                self.has_seen.playing_match |= is_match && game.state == GameInfoState::Playing;
                let states = self.games.entry(game.uid).or_default();
                if states.last() != Some(&game.state) {
                    states.push(game.state);
                }
                self.has_seen.whole_game |=
                    states.ends_with(&[GameInfoState::Open, GameInfoState::Playing, GameInfoState::Closed]);
            }
            ServerMessage::PlayerInfo(list) => {
                for player in &list.players {
                    if player.state == Some(PlayerState::Offline) {
                        continue;
                    }
                    let known = self.ratings.insert(player.id, player.global_rating);
                    self.has_seen.new_rating |= known.is_some_and(|known| known != player.global_rating);
                }
            }
            _ => {}
        }
    }

    fn is_open(&self, game: GameId) -> bool {
        self.games.get(&game).and_then(|states| states.last()) == Some(&GameInfoState::Open)
    }

    async fn see_life(mut self) {
        let is_enough =
            |_: &ServerMessage, client: &Self| client.has_seen.whole_game && client.has_seen.new_rating;
        self.read_until("life in the lobby", is_enough).await;
    }
}

#[tokio::test]
async fn a_client_of_each_format_sees_games_from_their_lobby_to_new_ratings() {
    let running = Running::start("--bots 12 --speed 20 --seed 5");
    assert_eq!(running.files(), 1);
    let [qdatastream, simple_json, websocket] = WireFormat::ALL;
    // Two whose passwords are on the screen, and one with a new name.
    let first = Client::log_in(&running, qdatastream, Credentials::password("demo", "demo")).await;
    let second = Client::log_in(&running, simple_json, Credentials::password("guest1", "guest1")).await;
    let third = Client::log_in(&running, websocket, Credentials::password("NewPlayer", "anything")).await;
    tokio::join!(first.see_life(), second.see_life(), third.see_life());
    running.end("-INT");
}

#[tokio::test]
async fn bots_search_in_queues_and_play_matches() {
    let running = Running::start("--bots 12 --speed 20 --seed 6");
    let mut client =
        Client::log_in(&running, WireFormat::SimpleJson, Credentials::password("demo", "demo")).await;
    let is_enough =
        |_: &ServerMessage, client: &Client| client.has_seen.searchers && client.has_seen.playing_match;
    client.read_until("a match", is_enough).await;
    running.end("-INT");
}

#[tokio::test]
async fn joining_client_gets_a_seat_and_the_game_begins() {
    let running = Running::start("--bots 8 --speed 20 --seed 2");
    let mut client =
        Client::log_in(&running, WireFormat::WebSocket, Credentials::password("guest2", "guest2")).await;
    let is_game_for_all = |message: &ServerMessage| match message {
        ServerMessage::GameInfo(game)
            if game.state == GameInfoState::Open
                && game.game_type != GameType::Matchmaker
                && !game.password_protected
                && (game.num_players as i64) < game.max_players
                && game.num_players > 0
                && !game.enforce_rating_range =>
        {
            Some(game.uid)
        }
        _ => None,
    };
    // Other players may be faster.
    let game = loop {
        let found = client.read_until("an open game", |message, _| is_game_for_all(message).is_some()).await;
        let game = is_game_for_all(&found).unwrap();
        client.send(&format!(r#"{{"command":"game_join","uid":{game}}}"#)).await;
        let answer = client
            .read_until("a reply", |message, _| {
                matches!(message, ServerMessage::GameLaunch(_) | ServerMessage::GameJoinFailed(_))
            })
            .await;
        if matches!(answer, ServerMessage::GameJoinFailed(_)) {
            continue;
        }
        for state in ["Idle", "Lobby"] {
            client.send(&format!(r#"{{"command":"GameState","target":"game","args":["{state}"]}}"#)).await;
        }
        let has_me = |message: &ServerMessage| match message {
            ServerMessage::GameInfo(info) if info.uid == game => {
                info.teams.0.values().flatten().any(|name| name == "guest2")
            }
            _ => false,
        };
        let seated = client
            .read_until("a seat, or a launch without us", |message, client| {
                has_me(message) || !client.is_open(game)
            })
            .await;
        if has_me(&seated) && client.is_open(game) {
            break game;
        }
        client.send(r#"{"command":"GameState","target":"game","args":["Ended"]}"#).await;
    };
    client.read_until("the game begins", |_, client| !client.is_open(game)).await;
    running.end("-TERM");
}

/// The demo prints a token for each free account, and how unmodified clients log in.
#[tokio::test]
async fn unmodified_clients_can_log_in() {
    let running = Running::start("--bots 0");
    let text = running.demo.banner().to_owned();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("demo "));
    let token =
        names.map(str::trim).find(|text| text.contains('.')).unwrap_or_else(|| panic!("no token: {text}"));
    let http = running.demo.address("http://");
    assert!(text.contains(&format!("https://hydra.faforever.com  http://{http}")), "{text}");
    let credentials = Credentials::token(token);
    drop(Client::log_in(&running, WireFormat::WebSocket, credentials).await);
    running.end("-INT");
}

#[test]
fn wrong_usage_is_refused() {
    let refused = |flags: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-demo"));
        command.args(flags.split(' ')).output().unwrap().status.code()
    };
    for flags in ["--bots 41", "--bots -1", "--speed 0", "--seed x", "--database x", "--login-pages"] {
        assert_eq!(refused(flags), Some(2), "{flags}");
    }
}

#[test]
fn demo_ignores_the_operators_files_and_refuses_other_machines() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let recordings = path("recordings");
    std::fs::create_dir(&recordings).unwrap();
    for number in 1..=9 {
        std::fs::write(recordings.join(format!("lobby-20200101T000000Z-000{number}.jsonl")), "mine").unwrap();
    }
    let command = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-demo"));
        command.args(line.split(' ')).current_dir(folder.path());
        command.env("FAF_LOBBY_RECORDING", &recordings).env("FAF_LOBBY_DATABASE", path("mine.sqlite"));
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let private = "--bots 0 --qdatastream off --websocket off --http off --simple-json 127.0.0.1:0";
    let demo = Serving::start(&mut command(private));
    demo.signal("-HUP");
    assert_eq!(demo.wait().1, Some(0));
    assert_eq!(files(&recordings), 9);
    assert!(!path("mine.sqlite").exists());

    let refused = command("--bots 0 --simple-json 0.0.0.0:0").output().unwrap();
    let problem = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3));
    assert!(problem.contains("on this machine only"), "{problem}");
}

#[tokio::test]
async fn demo_issues_tokens_and_can_be_recorded() {
    let running = Running::start("--bots 0 --recording recordings");
    let banner = running.demo.banner();
    let (_, tokens) = banner.split_once("tokens").unwrap();
    let token = tokens.lines().find_map(|line| line.trim().strip_prefix("demo ")).unwrap().trim();
    Client::log_in(&running, WireFormat::SimpleJson, Credentials::token(token)).await;
    let database = banner.lines().find_map(|line| line.trim().strip_prefix("database")).unwrap();
    let database = database.trim().trim_end_matches(", removed at the end");
    assert!(Path::new(database).exists(), "{database}");
    let recordings = running.temporary.path().join("recordings");
    assert_eq!(files(&recordings), 1);
    std::fs::remove_dir_all(recordings).unwrap();
}
