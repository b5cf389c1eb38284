//! A server for one test, and clients for it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use faf_client::{ConnectError, Connector, Url};
use faf_connection::{Reader, Writer};
use faf_lobby::config::{Exposure, Listen, Settings};
use faf_lobby::passwords::digest;
use faf_lobby::server::{Server, Service, Shutdown};
use faf_lobby::store::facts::Facts;
use faf_lobby::store::{self, SeedFile, Store};
use faf_protocol::{Message, WireFormat};
use hyper::header::{HeaderName, HeaderValue};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any step should take, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Name of the database file in the folder of a server.
pub(crate) const DATABASE: &str = "test.sqlite";

/// A seed with two queues and a map for both.
const QUEUES: &str = r#"{
    "maps": [{"map_id": 1, "version_id": 12, "display_name": "Test map", "filename": "maps/testmap.zip",
              "version": 1, "ranked": true, "max_players": 4, "width": 256, "height": 256}],
    "map_pools": [{"id": 1, "name": "All", "maps": [{"version_id": 12, "weight": 1}]}],
    "queues": [{"id": 1, "technical_name": "ladder1v1", "featured_mod": "faf", "leaderboard": "ladder_1v1",
                "team_size": 1, "enabled": true, "pools": [{"pool": 1}]},
               {"id": 2, "technical_name": "tmm2v2", "featured_mod": "faf", "leaderboard": "global",
                "team_size": 2, "enabled": true, "pools": [{"pool": 1}]}]
}"#;

/// Awaits work that should finish soon; panics if it does not.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match timeout(TIME_LIMIT, work).await {
        Ok(done) => done,
        Err(_) => panic!("this takes too long: {what}"),
    }
}

pub(crate) struct TestServer {
    addresses: Vec<(Service, SocketAddr)>,
    shutdown: Shutdown,
    store: Store,
    running: tokio::task::JoinHandle<Result<(), faf_lobby::exit_code::Failure>>,
    folder: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a server on which the first login creates an account.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), change).await
    }

    /// Starts a server with the queues `ladder1v1` and `tmm2v2`, which have a round every second.
    pub(crate) async fn start_with_queues() -> Self {
        Self::start_with_queues_and(|_| {}).await
    }

    /// Starts such a server with other settings.
    pub(crate) async fn start_with_queues_and(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join(DATABASE)).unwrap();
        store.seed(SeedFile::parse(QUEUES).unwrap()).await.unwrap();
        drop(store);
        Self::start_in(folder, |settings| {
            (settings.queue_pop_time_max, settings.queue_pop_time_min) = (1.0, 1.0);
            change(settings);
        })
        .await
    }

    /// Starts a server on the database in this folder.
    pub(crate) async fn start_in(folder: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let free = || Listen::one("127.0.0.1:0").unwrap();
        let mut settings = Settings {
            qdatastream: free(),
            simple_json: free(),
            websocket: free(),
            http: free(),
            database: folder.path().join(DATABASE).into(),
            open_registration: Exposure::OnLoopback,
            report_interval: 0.02,
            ..Settings::default()
        };
        change(&mut settings);
        let server = Server::start(settings).await.unwrap();
        let addresses = server.listening().iter().map(|l| (l.service, l.address)).collect();
        let (shutdown, store) = (server.shutdown(), server.store().clone());
        Self { addresses, shutdown, store, running: tokio::spawn(server.wait()), folder }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns everything that is stored.
    pub(crate) async fn facts(&self) -> Facts {
        self.store.facts().await.unwrap()
    }

    /// Returns the path of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    pub(crate) fn address(&self, format: WireFormat) -> SocketAddr {
        self.addresses_of(Service::Lobby(format))[0]
    }

    /// Returns all addresses of a service, in the order of the settings.
    pub(crate) fn addresses_of(&self, service: Service) -> Vec<SocketAddr> {
        self.addresses.iter().filter(|(of, _)| *of == service).map(|(_, address)| *address).collect()
    }

    pub(crate) async fn connect(&self, format: WireFormat) -> Client {
        let stream = TcpStream::connect(self.address(format)).await.unwrap();
        Client::over(stream, format, "/", &[]).await.unwrap()
    }

    /// Returns a client that has logged in and has read all messages of the login.
    pub(crate) async fn log_in(&self, format: WireFormat, name: &str) -> Client {
        let mut client = self.connect(format).await;
        client.log_in(name).await;
        client
    }

    /// Sends bytes and the end of the stream, and waits until the server has closed its side;
    /// returns the bytes it has sent.
    pub(crate) async fn send_raw(&self, format: WireFormat, bytes: &[u8]) -> Vec<u8> {
        let stream = TcpStream::connect(self.address(format)).await.unwrap();
        soon("the server ends a connection", send_and_end(stream, bytes)).await
    }

    /// Returns the status and the body of an HTTP response.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        get(self.addresses_of(Service::Http)[0], path).await
    }

    /// Waits until a series of the metrics has a value.
    pub(crate) async fn wait_for_metric(&self, line: &str) {
        soon(line, async {
            while !self.get("/metrics").await.1.lines().any(|found| found == line) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) async fn make_administrator(&self, name: &str) {
        self.store.set_role(name, store::Role::Administrator).await.unwrap();
    }

    pub(crate) async fn unban(&self, name: &str) {
        self.store.unban(name).await.unwrap();
    }

    pub(crate) async fn ban(&self, name: &str, reason: &str) {
        self.store.ban(name, reason.to_owned(), None).await.unwrap();
    }

    pub(crate) async fn request_shutdown(&self) {
        self.shutdown.request().await;
    }

    /// Waits until the server has shut down; returns the folder with its database.
    pub(crate) async fn wait(self) -> TempDir {
        soon("the server shuts down", self.running).await.unwrap().unwrap();
        self.folder
    }
}

/// Returns the status and the body of an HTTP response.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an HTTP answer", stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Sends bytes and the end of the stream; returns all received bytes. A reset counts as an end.
async fn send_and_end(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    // The server may close the connection before it has read everything.
    if stream.write_all(bytes).await.is_ok() {
        let _ = stream.shutdown().await;
    }
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

pub(crate) struct Client {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

impl Client {
    /// Creates a client on a stream; for WebSocket, it first upgrades at this path with
    /// these headers.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        format: WireFormat,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Self, ConnectError> {
        let url = Url::new(format, "127.0.0.1:1".parse().unwrap());
        let url = if format.has_upgrade() { url.with_path(path).unwrap() } else { url };
        let connector = Connector { headers: headers.to_vec(), ..Connector::default() };
        let client = soon("an upgrade", connector.connect_over(stream, &url)).await?;
        let (reader, writer) = client.into_connection();
        Ok(Self { reader, writer })
    }

    /// The future does not borrow the client, so that it can be awaited in a task.
    pub(crate) fn send(&self, message: &str) -> impl Future<Output = ()> + use<> {
        let (message, writer): (Message, _) = (message.parse().unwrap(), self.writer.clone());
        async move { soon(message.as_str(), writer.send(&message)).await.unwrap() }
    }

    /// Returns the next message.
    pub(crate) async fn receive(&mut self) -> Message {
        soon("a message", self.reader.read()).await.unwrap()
    }

    /// Returns the next message with this command; drops those before it.
    pub(crate) async fn receive_command(&mut self, command: &str) -> Message {
        soon(command, async {
            loop {
                let message = self.reader.read().await.unwrap_or_else(|error| panic!("{command}: {error}"));
                if message.command().as_deref() == Some(command) {
                    return message;
                }
            }
        })
        .await
    }

    /// Returns the next message that contains this text.
    pub(crate) async fn receive_containing(&mut self, text: &str) -> Message {
        soon(text, async {
            loop {
                let message = self.reader.read().await.unwrap_or_else(|error| panic!("{text}: {error}"));
                if message.as_str().contains(text) {
                    return message;
                }
            }
        })
        .await
    }

    /// Logs in; returns the welcome.
    pub(crate) async fn log_in(&mut self, name: &str) -> Message {
        self.log_in_and_look(name).await.0
    }

    /// Logs in; returns the welcome and the list of games, which is the last message of a login.
    pub(crate) async fn log_in_and_look(&mut self, name: &str) -> (Message, Message) {
        self.send(r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"test"}"#).await;
        self.send_hello(name).await;
        let welcome = self.receive_command("welcome").await;
        (welcome, self.receive_command("game_info").await)
    }

    /// Sends `hello` with the password that all accounts have.
    pub(crate) fn send_hello(&self, name: &str) -> impl Future<Output = ()> + use<> {
        let password = digest("secret");
        self.send(&format!(
            r#"{{"command":"hello","login":"{name}","password":"{password}","unique_id":"machine"}}"#
        ))
    }

    /// Sends a command as the player's game.
    pub(crate) async fn play(&self, command: &str, args: &str) {
        self.send(&format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#)).await;
    }

    /// Waits until all sent messages are handled.
    pub(crate) async fn settle(&mut self) {
        self.send(r#"{"command":"ask_session","user_agent":"downlords-faf-client"}"#).await;
        self.receive_command("session").await;
    }

    /// Sends a command as the game process.
    pub(crate) async fn send_as_game(&self, command: &str, args: &str) {
        self.send(&format!(r#"{{"target":"game","command":"{command}","args":{args}}}"#)).await;
    }

    /// Hosts a game and opens its lobby; returns its id. Members of the request are given as JSON.
    pub(crate) async fn host(&mut self, request: &str) -> u64 {
        self.send(&format!(r#"{{"command":"game_host",{request}}}"#)).await;
        let launch = self.receive_command("game_launch").await;
        let launch: serde_json::Value = serde_json::from_str(launch.as_str()).unwrap();
        self.send_as_game("GameState", r#"["Idle"]"#).await;
        self.send_as_game("GameState", r#"["Lobby"]"#).await;
        self.receive_command("HostGame").await;
        launch["uid"].as_u64().unwrap()
    }

    /// Enters a queue of the matchmaker.
    pub(crate) async fn search(&self, queue: &str) {
        self.send(&format!(r#"{{"command":"game_matchmaking","state":"start","queue_name":"{queue}"}}"#))
            .await;
    }

    /// Gives a player an army and a team, as the host of a game.
    pub(crate) async fn seat(&self, player: u64, army: u8, team: u8) {
        for (key, value) in [("Army", army), ("StartSpot", army), ("Team", team)] {
            self.send_as_game("PlayerOption", &format!(r#"[{player},"{key}",{value}]"#)).await;
        }
    }

    /// Checks that the server still replies.
    pub(crate) async fn check_is_served(&mut self) {
        self.send(r#"{"command":"ping"}"#).await;
        self.receive_command("pong").await;
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn wait_for_end(&mut self) {
        soon("the end of a connection", async { while self.reader.read().await.is_ok() {} }).await;
    }
}

/// A player who sends pings all the time.
pub(crate) struct HonestPlayer {
    enough: Arc<AtomicBool>,
    pinging: tokio::task::JoinHandle<usize>,
}

impl HonestPlayer {
    pub(crate) async fn log_in(server: &TestServer, format: WireFormat) -> Self {
        let mut client = server.log_in(format, "Honest").await;
        let enough = Arc::new(AtomicBool::new(false));
        let is_enough = Arc::clone(&enough);
        let pinging = tokio::spawn(async move {
            let mut pongs = 0;
            while !is_enough.load(Ordering::Relaxed) {
                client.check_is_served().await;
                pongs += 1;
                // Leaves time for other tasks on this machine.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            client.check_is_served().await;
            pongs
        });
        Self { enough, pinging }
    }

    /// Checks that every ping was answered.
    pub(crate) async fn was_served(self) {
        self.enough.store(true, Ordering::Relaxed);
        assert!(self.pinging.await.unwrap() > 0);
    }
}

/// Returns the text as a client sends it, whether it is a message or not.
pub(crate) fn frame(format: WireFormat, text: &str) -> Bytes {
    match format {
        WireFormat::SimpleJson => format!("{text}\n").into(),
        WireFormat::QDataStream => {
            let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let length = u32::try_from(units.len()).unwrap();
            [&(length + 4).to_be_bytes()[..], &length.to_be_bytes(), &units].concat().into()
        }
        WireFormat::WebSocket => {
            // A masked text frame; a mask of zeros changes nothing.
            let header = match u16::try_from(text.len()) {
                Ok(short @ 0..126) => vec![0x80 | short as u8],
                Ok(length) => [&[0x80 | 126][..], &length.to_be_bytes()].concat(),
                Err(_) => [&[0x80 | 127][..], &(text.len() as u64).to_be_bytes()].concat(),
            };
            [&[0x81][..], &header, &[0; 4], text.as_bytes()].concat().into()
        }
    }
}
