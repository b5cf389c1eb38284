//! A stream that is away, and messages that do not fit into it.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use faf_connection::open;
use faf_lobby_cluster::{Epoch, FORMAT, GatewayId, Packet, PacketContent, StreamMessage, WorldId};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, Country, SessionNumber, WireFormat};
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::rig::{Cluster, soon};
use crate::cluster::bus::{Bus, BusCommand, BusEvent};
use crate::cluster::gateway::Gateway;
use crate::config::Settings;
use crate::delivery::Dispatcher;
use crate::lobby::input::Input;
use crate::net::read_gate::{Gate, Hold};
use crate::net::slot::ConnectionSlot;
use crate::net::unauthenticated::tests::registry;
use crate::ops::metrics::{GatewayFigures, Metrics};

#[tokio::test]
async fn clients_wait_while_the_stream_is_away_and_lose_nothing() {
    let cluster = Cluster::start(&["Ada", "Bob"], |_| {}).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut bob = gateway.log_in(WireFormat::WebSocket, "Bob").await;
    cluster.nats.set_away(true);
    for _ in 0..500 {
        ada.send(r#"{"command":"ping"}"#).await;
    }
    bob.send(r#"{"command":"ping"}"#).await;
    gateway.wait_for_metric("server_gateway_batches_unacknowledged", |batches| batches >= 1.0).await;
    // Each client waits until the world has handled its message, so only these are under way.
    let length = cluster.nats.length();
    cluster.nats.set_away(false);
    for _ in 0..500 {
        ada.receive("pong").await;
    }
    bob.receive("pong").await;
    assert!(cluster.nats.length() > length);
    gateway.wait_for_metric("server_gateway_batches_unacknowledged", |batches| batches == 0.0).await;
    ada.check_is_served().await;
}

#[tokio::test]
async fn message_that_is_too_long_for_the_stream_is_refused() {
    let cluster = Cluster::start(&["Ada", "Bob"], |_| {}).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut bob = gateway.log_in(WireFormat::SimpleJson, "Bob").await;
    ada.play("IceMsg", &format!(r#"2,"{}""#, "x".repeat(1_000_000))).await;
    ada.receive("longer than").await;
    ada.wait_for_end().await;
    bob.check_is_served().await;
}

/// A gateway whose stream stores nothing.
struct Stuck {
    inbox: mpsc::Sender<Input>,
    events: mpsc::Sender<BusEvent>,
    commands: mpsc::UnboundedReceiver<BusCommand>,
}

impl Stuck {
    /// Starts a gateway with one connection, which is returned as well.
    async fn start() -> (Self, (Arc<ConnectionSlot>, impl Sized)) {
        let metrics = Arc::new(Metrics::new());
        let dispatcher = Dispatcher::start(Settings::default().slow_consumers(), Arc::clone(&metrics));
        let mut stuck = Self::with(dispatcher, metrics).await;
        let connection = stuck.connect(1).await;
        (stuck, connection)
    }

    /// Sends the gateway what a leader says.
    async fn say(&self, content: PacketContent) {
        let packet = Packet { faf_lobby: FORMAT, world: WorldId(1), epoch: Epoch(1), content };
        self.events.send(BusEvent::Message(packet.encode().into())).await.unwrap();
    }

    /// Starts a gateway with this delivery, which joins.
    async fn with(dispatcher: Dispatcher, metrics: Arc<Metrics>) -> Self {
        let (commands, asked) = mpsc::unbounded_channel();
        let (events, heard) = mpsc::channel(16);
        let bus = Bus { commands, events: heard };
        let gateway = Gateway::new("test", bus, dispatcher, metrics, GatewayFigures::new(), Duration::ZERO);
        let (gateway, handle) = gateway.unwrap();
        let (inbox, inputs) = mpsc::channel(64);
        tokio::spawn(gateway.run(inputs));
        let mut stuck = Self { inbox, events, commands: asked };
        let nonce = loop {
            let Some(BusCommand::Append { payload, .. }) = stuck.commands.recv().await else { continue };
            if let Ok(StreamMessage::Join { nonce, .. }) = StreamMessage::decode(&payload) {
                break nonce;
            }
        };
        let content = PacketContent::Welcome { nonce, gateway: GatewayId(1) };
        stuck.say(content).await;
        handle.is_ready().wait_for(|is_ready| *is_ready).await.unwrap();
        stuck
    }

    /// Connects a client; returns its slot, and what keeps it connected.
    async fn connect(&mut self, number: u64) -> (Arc<ConnectionSlot>, impl Sized + use<>) {
        let (here, there) = tokio::io::duplex(1024);
        let (reader, writer) = open(here, faf_connection::Settings::new(WireFormat::SimpleJson));
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let slot = ConnectionSlot::new(permit, registry(1, 1).admit(None, true).unwrap());
        let (conn, session) = (ConnId(number), SessionNumber(1));
        let event = Event::Connected { conn, address: None, country: Country::UNKNOWN, session };
        self.inbox.send(Input::Connect(conn, writer, Arc::clone(&slot), event)).await.unwrap();
        (slot, (reader, there))
    }

    /// Number of inputs that the gateway has not taken.
    fn unread(&self) -> usize {
        self.inbox.max_capacity() - self.inbox.capacity()
    }

    /// Waits until the gateway has taken all inputs.
    async fn wait_until_read(&self) {
        soon("inputs are taken", async {
            while self.unread() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn send(&self) {
        self.inbox.send(Input::Event(Event::Heard { conn: ConnId(1) })).await.unwrap();
    }

    /// Returns the numbers of the next batch that the gateway appends.
    async fn appended(&mut self) -> u64 {
        soon("a batch", async {
            loop {
                if let Some(BusCommand::Append { number: Some(number), .. }) = self.commands.recv().await {
                    return number;
                }
            }
        })
        .await
    }
}

#[tokio::test]
async fn clients_are_not_read_while_too_much_waits_for_the_stream() {
    let (mut stuck, _connection) = Stuck::start().await;
    let mut last = 0;
    // One after the other, so that each is in a batch of its own.
    while last < 255 {
        stuck.send().await;
        stuck.wait_until_read().await;
        last = stuck.appended().await;
    }
    for _ in 0..40 {
        stuck.send().await;
    }
    // Messages of the cluster are still handled: each of these needs a place in the queue.
    for _ in 0..100 {
        soon("the gateway reads", stuck.events.send(BusEvent::Message("{}".into()))).await.unwrap();
    }
    assert_eq!(stuck.unread(), 40);
    for number in 1..=255 {
        stuck.events.send(BusEvent::Appended(number)).await.unwrap();
    }
    stuck.wait_until_read().await;
    assert_eq!(stuck.appended().await, 256);
}

#[tokio::test]
async fn client_is_read_again_when_the_world_has_handled_its_message() {
    let (mut stuck, (slot, _connection)) = Stuck::start().await;
    let gate = || slot.poll_gate(&Context::from_waker(Waker::noop()));
    // As its session does.
    slot.hold(Hold::InFlight);
    let ping = ClientMessage::read(r#"{"command":"ping"}"#.parse().unwrap());
    stuck.inbox.send(Input::Received(ConnId(1), ping, Instant::now())).await.unwrap();
    stuck.wait_until_read().await;
    // A batch that is stored is not handled yet.
    for _ in 0..2 {
        let number = stuck.appended().await;
        stuck.events.send(BusEvent::Appended(number)).await.unwrap();
    }
    assert_eq!(gate(), Gate::Held { is_handled: false });
    let conn = GatewayId(1).connection(1);
    let handled = format!(r#"{{"e":{{"Handled":{{"conn":{}}}}}}}"#, conn.0);
    let effects = vec![RawValue::from_string(handled).unwrap().into()];
    stuck.say(PacketContent::Effects { first: [(GatewayId(1), 0)].into(), effects }).await;
    soon("the client is read", async {
        while gate() != Gate::Open {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn batches_that_are_not_stored_are_appended_again_in_order() {
    let (mut stuck, _connection) = Stuck::start().await;
    let first = stuck.appended().await;
    stuck.send().await;
    stuck.wait_until_read().await;
    let second = stuck.appended().await;
    for number in [first, second] {
        stuck.events.send(BusEvent::NotAppended { number, is_full: true }).await.unwrap();
    }
    assert_eq!([stuck.appended().await, stuck.appended().await], [first, second]);
    stuck.events.send(BusEvent::Reconnected).await.unwrap();
    assert_eq!([stuck.appended().await, stuck.appended().await], [first, second]);
}

/// The delivery takes nothing any more, because its clients have very much to read.
#[tokio::test(start_paused = true)]
async fn gateway_gives_signs_of_life_while_its_delivery_is_paused() {
    let metrics = Arc::new(Metrics::new());
    let policy = Settings::default().slow_consumers();
    let (dispatcher, _worker) = Dispatcher::paused(policy, Arc::clone(&metrics));
    let mut stuck = Stuck::with(dispatcher, metrics).await;
    let mut connections = Vec::new();
    let mut last = 0;
    // Each is a turn of its own, until the queue of turns is full.
    for number in 1..=66 {
        connections.push(stuck.connect(number).await);
        last = stuck.appended().await;
        stuck.events.send(BusEvent::Appended(last)).await.unwrap();
        if number < 65 {
            stuck.wait_until_read().await;
        }
    }
    let began = Instant::now();
    for _ in 0..5 {
        let next = stuck.appended().await;
        assert_eq!(next, last + 1);
        last = next;
    }
    assert!(began.elapsed() <= Duration::from_secs(6));
    assert_eq!(stuck.unread(), 1, "it handles nothing meanwhile");
}
