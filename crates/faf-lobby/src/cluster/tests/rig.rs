//! A cluster in one process: gateways with real sockets, cores, and a stream in memory.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use faf_client::{Connector, Url};
use faf_connection::{Reader, Writer};
use faf_lobby_cluster::{Core, CoreName, CoreOutput, CoreRole, CoreSettings, Replica, WorldId};
use faf_lobby_core::{InitialState, Reply, Request, Timestamp};
use faf_protocol::{Message, WireFormat};
use faf_testkit::store::FakeStore;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::clock::utc_now;
use crate::cluster::bus::{Bus, BusCommand, BusEvent};
use crate::cluster::memory::MemoryNats;
use crate::cluster::server::GatewayServer;
use crate::config::{Exposure, Listen, Settings};
use crate::exit_code::Failure;
use crate::server::{Service, Shutdown};

/// Longer than any step should take, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Carries out the requests of the world.
pub(super) type Performer = Arc<dyn Fn(Request) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// Awaits work that should finish soon; panics if it does not.
pub(super) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match timeout(TIME_LIMIT, work).await {
        Ok(done) => done,
        Err(_) => panic!("this takes too long: {what}"),
    }
}

/// Returns settings for a server of a test, which sends reports and pings never unless the test
/// says so: they would come at any time.
pub(super) fn settings() -> Settings {
    let free = || Listen::one("127.0.0.1:0").unwrap();
    Settings {
        qdatastream: free(),
        simple_json: free(),
        websocket: free(),
        http: free(),
        open_registration: Exposure::OnLoopback,
        report_interval: 3600.0,
        ping_interval: 3600.0,
        ..Settings::default()
    }
}

/// A stream in memory, and cores.
pub(super) struct Cluster {
    pub(super) nats: MemoryNats,
    pub(super) settings: Settings,
    world: WorldId,
    /// Time at which the world began.
    begun: Timestamp,
    initial: InitialState,
    performer: Performer,
    cores: Vec<(watch::Receiver<CoreRole>, JoinHandle<()>)>,
}

impl Cluster {
    /// Starts a cluster with one core and these accounts, whose passwords are their names followed
    /// by `-pw`.
    pub(super) async fn start(logins: &[&str], change: impl FnOnce(&mut Settings)) -> Self {
        let store = FakeStore::with_accounts(logins.iter().copied());
        let initial = store.beginning();
        let store = Arc::new(Mutex::new(store));
        let performer: Performer = Arc::new(move |request| {
            let store = Arc::clone(&store);
            Box::pin(async move { store.lock().unwrap().perform(request) })
        });
        Self::start_with(initial, performer, change).await
    }

    /// Starts a cluster with one core and a database.
    pub(super) async fn start_with(
        initial: InitialState,
        performer: Performer,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let nats = MemoryNats::default();
        let world = WorldId(5);
        let mut cluster =
            Self { nats, settings, world, begun: utc_now(), initial, performer, cores: Vec::new() };
        cluster.add_core();
        cluster.wait_for_leader(0).await;
        cluster
    }

    /// Starts a core, which reads the stream from its beginning. Returns its place.
    pub(super) fn add_core(&mut self) -> usize {
        let initial = InitialState { seed: 7, ..self.initial.clone() };
        let replica = Replica::begin(self.world, self.settings.lobby(), initial, self.begun, 0);
        let name = CoreName(format!("core-{}", self.cores.len()));
        let core = Core::new(name, "0.1.0", CoreSettings::default(), replica, Duration::ZERO);
        let (role, known) = watch::channel(core.role());
        let running = run_core(core, self.nats.core(0), Arc::clone(&self.performer), role);
        self.cores.push((known, tokio::spawn(running)));
        self.cores.len() - 1
    }

    pub(super) async fn wait_for_leader(&self, place: usize) {
        let mut role = self.cores[place].0.clone();
        let leads = role.wait_for(|role| *role == CoreRole::Leading);
        soon("a core leads", leads).await.unwrap();
    }

    /// Ends a core, as a crash does.
    pub(super) fn kill_core(&self, place: usize) {
        self.cores[place].1.abort();
    }

    /// Ends all cores and forgets the stream, as if it were lost. A core that is
    /// [added](Self::add_core) then begins another world.
    pub(super) fn lose_world(&mut self) {
        self.cores.drain(..).for_each(|(_, task)| task.abort());
        self.nats.forget();
        self.world = WorldId(self.world.0 + 1);
        self.begun = utc_now();
    }

    /// Starts a gateway.
    pub(super) async fn gateway(&self) -> TestGateway {
        let server = GatewayServer::start(self.settings.clone(), self.nats.gateway());
        let server = soon("a gateway joins", server).await.unwrap();
        let addresses = server.listening().iter().map(|one| (one.service, one.address)).collect();
        let shutdown = server.shutdown();
        TestGateway { addresses, shutdown, running: tokio::spawn(server.wait()) }
    }
}

/// Runs a core until the task is aborted.
async fn run_core(mut core: Core, mut bus: Bus, performer: Performer, role: watch::Sender<CoreRole>) {
    let began = Instant::now();
    let (replied, mut replies) = mpsc::unbounded_channel();
    let mut last = 0;
    let mut unstored: VecDeque<BusCommand> = VecDeque::new();
    loop {
        tokio::select! {
            event = bus.events.recv() => {
                let now = began.elapsed();
                match event.expect("the bus outlives the core") {
                    BusEvent::Entry { sequence, time, payload } => core.delivered(now, sequence, time, &payload),
                    BusEvent::Message(payload) => core.asked(now, &payload),
                    BusEvent::Appended(stored) => unstored.retain(|command| {
                        !matches!(command, BusCommand::Append { number: Some(number), .. } if *number == stored)
                    }),
                    BusEvent::Reconnected => {
                        core.reconnected(now);
                        unstored.iter().for_each(|command| bus.commands.send(command.clone()).unwrap());
                    }
                    BusEvent::NotAppended { .. } | BusEvent::Disconnected => {}
                    BusEvent::Failed(reason) => panic!("{reason}"),
                }
            }
            Some(reply) = replies.recv() => core.replied(reply),
            () = sleep_until(began + core.next_timeout()) => core.handle_timeout(began.elapsed()),
        }
        core.flush(began.elapsed());
        while let Some(output) = core.poll() {
            match output {
                CoreOutput::Append { id, payload, .. } => {
                    last += 1;
                    let append = BusCommand::Append { number: Some(last), id, payload: payload.into() };
                    unstored.push_back(append.clone());
                    bus.commands.send(append).unwrap();
                }
                CoreOutput::ToGateway(gateway, packet) => {
                    bus.commands.send(BusCommand::ToGateway(gateway, packet.into())).unwrap();
                }
                CoreOutput::ToAll(packet) => bus.commands.send(BusCommand::ToAll(packet.into())).unwrap(),
                CoreOutput::Perform { request, .. } => {
                    let (performing, replied) = (performer(request), replied.clone());
                    tokio::spawn(async move {
                        // Fails if the core was killed.
                        let _ = replied.send(performing.await);
                    });
                }
                CoreOutput::Diverged(divergence) => panic!("{divergence:?}"),
                _ => {}
            }
        }
        role.send_replace(core.role());
    }
}

/// A running gateway.
pub(super) struct TestGateway {
    addresses: Vec<(Service, SocketAddr)>,
    pub(super) shutdown: Shutdown,
    pub(super) running: JoinHandle<Result<(), Failure>>,
}

impl TestGateway {
    pub(super) fn address(&self, of: Service) -> SocketAddr {
        self.addresses.iter().find(|(service, _)| *service == of).unwrap().1
    }

    pub(super) async fn connect(&self, format: WireFormat) -> Client {
        connect(self.address(Service::Lobby(format)), format).await
    }

    /// Returns a client that has logged in and has read all messages of the login.
    pub(super) async fn log_in(&self, format: WireFormat, name: &str) -> Client {
        let mut client = self.connect(format).await;
        client.log_in(name, &format!("{name}-pw")).await;
        client
    }

    /// Returns the status and the body of an HTTP response.
    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address(Service::Http)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an HTTP answer", stream.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until a line of the metrics fulfils a condition.
    pub(super) async fn wait_for_metric(&self, series: &str, is_right: impl Fn(f64) -> bool) {
        soon(series, async {
            loop {
                let text = self.get("/metrics").await.1;
                let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
                if value.is_some_and(&is_right) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until the gateway has shut down.
    pub(super) async fn wait(self) -> Result<(), Failure> {
        soon("the gateway ends", self.running).await.unwrap()
    }
}

pub(super) async fn connect(address: SocketAddr, format: WireFormat) -> Client {
    let raw = Arc::<Mutex<Vec<u8>>>::default();
    let stream = Recorded { stream: TcpStream::connect(address).await.unwrap(), raw: Arc::clone(&raw) };
    let url = Url::new(format, address);
    let client = soon("a connection", Connector::default().connect_over(stream, &url)).await.unwrap();
    let (reader, writer) = client.into_connection();
    Client { reader, writer, raw }
}

/// A client.
pub(super) struct Client {
    reader: Reader,
    writer: Writer,
    raw: Arc<Mutex<Vec<u8>>>,
}

/// A stream that keeps what was read from it.
struct Recorded {
    stream: TcpStream,
    raw: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.raw.lock().unwrap().extend(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Client {
    /// Returns all bytes that the client has read.
    pub(super) fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// Returns whether the server has sent a close frame for a server that goes away, with a reason
    /// that begins like this.
    pub(super) fn was_sent_away(&self, reason: &str) -> bool {
        let part = [&1001_u16.to_be_bytes()[..], reason.as_bytes()].concat();
        self.raw().windows(part.len()).any(|bytes| bytes == part)
    }

    /// Sends a command as the player's game.
    pub(super) async fn play(&self, command: &str, args: &str) {
        self.send(&format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#)).await;
    }

    pub(super) async fn send(&self, message: &str) {
        let message: Message = message.parse().unwrap();
        soon("sending", self.writer.send(&message)).await.unwrap();
    }

    /// Returns the next message that contains this text; drops those before it.
    pub(super) async fn receive(&mut self, text: &str) -> Message {
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

    pub(super) async fn log_in(&mut self, name: &str, password: &str) {
        self.send(r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"test"}"#).await;
        self.send(&format!(
            r#"{{"command":"hello","login":"{name}","password":"{password}","unique_id":"machine"}}"#
        ))
        .await;
        // The list of games is the last message of a login.
        self.receive(r#""command":"game_info""#).await;
    }

    /// Checks that the server still replies.
    pub(super) async fn check_is_served(&mut self) {
        self.send(r#"{"command":"ping"}"#).await;
        self.receive(r#""command":"pong""#).await;
    }

    /// Waits until the server has closed the connection.
    pub(super) async fn wait_for_end(&mut self) {
        soon("the end of a connection", async { while self.reader.read().await.is_ok() {} }).await;
    }
}
