//! A cluster in one process: a stream and snapshots in memory, cores, and a gateway without
//! sockets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use faf_lobby_cluster::{CoreName, CoreSettings, GatewayEffect, Link, LinkOutput, Nonce, Replica, Snapshot};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, Country, Encode, Limits, Message, SessionNumber};
use tokio::sync::{Barrier, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::{CoreLoop, CoreOptions, CoreParts, Duties};
use crate::auth::tokens::Tokens;
use crate::cluster::backend::{Backend, BackendError, Operation, StreamState};
use crate::cluster::bus::{Bus, BusCommand, BusEvent};
use crate::cluster::memory::MemoryNats;
use crate::cluster::questions::CoreStatus;
use crate::config::{Exposure, Settings};
use crate::exit_code::Failure;
use crate::lobby::host::Host;
use crate::lobby::input::{INBOX_INPUTS, Input};
use crate::lobby::requests::RequestExecutor;
use crate::ops::http::Phase;
use crate::ops::metrics::{CoreFigures, Metrics};
use crate::publish::Publisher;
use crate::store::Store;

/// A lease that never ends in a test, and one that ends soon.
pub(super) const LONG: Duration = Duration::from_secs(600);
pub(super) const SHORT: Duration = Duration::from_millis(400);

/// Time limit for anything that must happen.
const LIMIT: Duration = Duration::from_secs(60);

/// A stream and snapshots in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryBackend {
    pub(super) nats: MemoryNats,
    pub(super) snapshots: Arc<Mutex<BTreeMap<u64, Bytes>>>,
    pub(super) identity: Arc<AtomicI64>,
    pub(super) first: Arc<AtomicU64>,
    pub(super) is_away: Arc<AtomicBool>,
    /// Cores that store a snapshot wait here for each other.
    pub(super) meeting: Option<Arc<Barrier>>,
}

impl MemoryBackend {
    pub(super) fn stored(&self) -> MutexGuard<'_, BTreeMap<u64, Bytes>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends this number of messages that mean nothing.
    pub(super) fn append(&self, count: u64) {
        let bus = self.nats.gateway();
        let begin = getrandom::u64().unwrap();
        for number in 0..count {
            let id = format!("{begin}-{number}");
            let payload = Arc::from(&b"nothing"[..]);
            bus.commands.send(BusCommand::Append { number: None, id, payload }).unwrap();
        }
    }

    /// Changes all snapshots.
    pub(super) fn change_snapshots(&self, change: impl Fn(&mut Replica)) {
        for bytes in self.stored().values_mut() {
            let Snapshot { server, stream, mut replica } = Snapshot::decode(bytes).unwrap();
            change(&mut replica);
            *bytes = Snapshot::encode(&replica, &server, stream).into();
        }
    }

    fn reached<T: Send + 'static>(&self, done: T) -> Operation<'static, T> {
        let is_away = self.is_away.load(Relaxed);
        Box::pin(async move {
            if is_away { Err(BackendError::Away("the stream is away".to_owned())) } else { Ok(done) }
        })
    }
}

impl Backend for MemoryBackend {
    fn stream(&self) -> Operation<'_, StreamState> {
        self.reached(StreamState {
            identity: self.identity.load(Relaxed),
            first: self.first.load(Relaxed),
            last: self.nats.length() as u64,
        })
    }

    fn read_after(&self, position: u64) -> Operation<'_, Bus> {
        self.reached(self.nats.core(position))
    }

    fn purge_before(&self, sequence: u64) -> Operation<'_, ()> {
        self.first.store(sequence, Relaxed);
        self.reached(())
    }

    fn put_snapshot(&self, position: u64, snapshot: Bytes) -> Operation<'_, ()> {
        self.stored().insert(position, snapshot);
        let (stored, meeting) = (self.reached(()), self.meeting.clone());
        Box::pin(async move {
            if let Some(meeting) = meeting {
                meeting.wait().await;
            }
            stored.await
        })
    }

    fn snapshots(&self) -> Operation<'_, Vec<u64>> {
        self.reached(self.stored().keys().rev().copied().collect())
    }

    fn snapshot(&self, position: u64) -> Operation<'_, Bytes> {
        self.reached(self.stored()[&position].clone())
    }

    fn keep_snapshots(&self, number: usize) -> Operation<'_, ()> {
        let mut stored = self.stored();
        while stored.len() > number {
            stored.pop_first();
        }
        self.reached(())
    }
}

/// A core that runs.
pub(super) struct Running {
    pub(super) name: CoreName,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) metrics: Arc<Metrics>,
    asks: mpsc::Sender<oneshot::Sender<CoreStatus>>,
    task: JoinHandle<Result<(), Failure>>,
}

/// Options of a core with this name.
pub(super) fn options(name: &str, lease: Duration) -> CoreOptions {
    CoreOptions {
        name: CoreName(name.to_owned()),
        version: "0.1.0".to_owned(),
        world: faf_lobby_core::Settings::default(),
        times: CoreSettings { lease, ..CoreSettings::default() },
        snapshot_every: 1_000_000,
        evidence: PathBuf::from("/nonexistent"),
        takes_over: false,
    }
}

impl Running {
    /// Starts a core.
    pub(super) fn start(options: CoreOptions, backend: &MemoryBackend, store: &Store) -> Self {
        let settings = Settings { open_registration: Exposure::OnLoopback, ..Settings::default() };
        let (inbox, inputs) = mpsc::channel(INBOX_INPUTS);
        let (asks, status) = mpsc::channel(1);
        let figures = Arc::<CoreFigures>::default();
        let mut metrics = Metrics::new();
        metrics.observe_core(Arc::clone(&figures));
        let metrics = Arc::new(metrics);
        let outbox = Arc::<crate::publish::Signal>::default();
        let tokens = Arc::new(Tokens::new(&settings));
        let requests = RequestExecutor::new(&settings, store, tokens, Arc::clone(&outbox));
        let publisher = Publisher::new(None, Arc::clone(&metrics));
        let host = Host::new(&settings, &metrics, &Arc::default(), publisher);
        let duties = Duties {
            store: store.clone(),
            settings,
            metrics: Arc::clone(&metrics),
            outbox,
            inbox: inbox.clone(),
            broker: watch::channel(None).0,
        };
        let name = options.name.clone();
        let parts = CoreParts {
            options,
            backend: Arc::new(backend.clone()),
            store: store.clone(),
            requests,
            host,
            duties,
            figures,
            phase: watch::channel(Phase::Starting).0,
            inbox: inputs,
            status,
        };
        let task = tokio::spawn(async move { CoreLoop::start(parts).await?.run().await });
        Self { name, inbox, metrics, asks, task }
    }

    /// Returns its status, once it has begun.
    pub(super) async fn status(&self) -> CoreStatus {
        let (reply, status) = oneshot::channel();
        self.asks.send(reply).await.expect("the core runs");
        timeout(LIMIT, status).await.expect("it answers").expect("the core runs")
    }

    /// Waits until its status is as wanted.
    pub(super) async fn until(&self, is_so: impl Fn(&CoreStatus) -> bool) -> CoreStatus {
        let began = Instant::now();
        loop {
            let status = self.status().await;
            if is_so(&status) {
                return status;
            }
            assert!(began.elapsed() < LIMIT, "{status:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until it leads.
    pub(super) async fn leads(&self) -> CoreStatus {
        self.until(|status| status.role == "leads").await
    }

    /// Ends it at once, as a crash does.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Asks it to end.
    pub(super) async fn shut_down(&self) {
        self.inbox.send(Input::Event(Event::Shutdown)).await.unwrap();
    }

    /// Waits until it has ended.
    pub(super) async fn ended(self) -> Result<(), Failure> {
        timeout(LIMIT, self.task).await.expect("it ends").unwrap()
    }
}

/// A gateway without sockets.
pub(super) struct TestGateway {
    link: Link,
    bus: Bus,
    began: Instant,
    connections: u64,
    /// Texts of the messages that clients were sent, by connection.
    pub(super) sent: BTreeMap<ConnId, Vec<String>>,
}

impl TestGateway {
    /// Joins a cluster in which a core leads, or will.
    pub(super) async fn join(backend: &MemoryBackend) -> Self {
        let link = Link::new("gateway", Nonce(getrandom::u64().unwrap()), Duration::ZERO);
        let bus = backend.nats.gateway();
        let mut gateway = Self { link, bus, began: Instant::now(), connections: 0, sent: BTreeMap::new() };
        gateway.run_until(|gateway| gateway.link.gateway().is_some()).await;
        gateway
    }

    /// Runs until this is so.
    pub(super) async fn run_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + LIMIT;
        while !is_so(self) {
            assert!(Instant::now() < until, "{:?}", self.sent);
            self.turn().await;
        }
    }

    async fn turn(&mut self) {
        let due = self.began + self.link.next_timeout();
        tokio::select! {
            event = self.bus.events.recv() => {
                let now = self.began.elapsed();
                match event.expect("the stream is there") {
                    BusEvent::Message(packet) => self.link.received(now, &packet),
                    BusEvent::Appended(number) => self.link.acknowledged(number),
                    BusEvent::NotAppended { .. } => self.link.append_again(),
                    _ => {}
                }
            }
            () = sleep_until(due) => self.link.handle_timeout(self.began.elapsed()),
        }
        self.send_all();
    }

    fn send_all(&mut self) {
        self.link.flush(self.began.elapsed());
        while let Some(output) = self.link.poll() {
            let command = match output {
                LinkOutput::Append { number, id, payload } => BusCommand::Append { number, id, payload },
                LinkOutput::Ask(question) => BusCommand::ToCores(question.into()),
                LinkOutput::Joined(gateway) => BusCommand::ListenAs(gateway),
                LinkOutput::Perform(effect) => {
                    self.perform(*effect);
                    continue;
                }
                LinkOutput::EndAll(_) | LinkOutput::Left => continue,
            };
            self.bus.commands.send(command).unwrap();
        }
    }

    fn perform(&mut self, effect: GatewayEffect) {
        match effect {
            GatewayEffect::Send { to, message } => {
                let mut text = Vec::new();
                message.write_json(&mut text).unwrap();
                let text = String::from_utf8(text).unwrap();
                match to.into() {
                    faf_lobby_core::Audience::One(conn) => self.sent.entry(conn).or_default().push(text),
                    _ => self.sent.values_mut().for_each(|sent| sent.push(text.clone())),
                }
            }
            GatewayEffect::Close { conn, closing } => {
                self.sent.entry(conn).or_default().push(format!("{closing:?}"));
            }
            _ => {}
        }
    }

    /// Connects a client, which does not log in yet.
    pub(super) fn connect(&mut self) -> ConnId {
        self.connections += 1;
        let conn = self.link.gateway().unwrap().connection(self.connections);
        let session = SessionNumber(7);
        self.link.push(&Event::Connected { conn, address: None, country: Country::UNKNOWN, session });
        self.send(conn, r#"{"command":"ask_session","user_agent":"x","version":"1"}"#);
        self.sent.insert(conn, Vec::new());
        conn
    }

    pub(super) fn send(&mut self, conn: ConnId, text: &str) {
        let message = Message::parse_text(text, &Limits::default()).unwrap();
        self.link.push(&Event::Received { conn, message: ClientMessage::read(message) });
        self.send_all();
    }

    /// Sends a login.
    pub(super) fn hello(&mut self, conn: ConnId, login: &str) {
        self.send(
            conn,
            &format!(r#"{{"command":"hello","login":"{login}","password":"{login}-pw","unique_id":"","session":7}}"#),
        );
    }

    /// Connects a client, and waits until it is logged in.
    pub(super) async fn log_in(&mut self, login: &str) -> ConnId {
        let conn = self.connect();
        self.hello(conn, login);
        self.run_until(|gateway| gateway.count(conn, "welcome") == 1).await;
        conn
    }

    /// Number of messages with this command that a client was sent.
    pub(super) fn count(&self, conn: ConnId, command: &str) -> usize {
        let command = format!(r#""command":"{command}""#);
        self.sent[&conn].iter().filter(|text| text.contains(&command)).count()
    }
}
