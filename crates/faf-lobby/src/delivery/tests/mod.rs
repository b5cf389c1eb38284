use std::future::poll_fn;
use std::task::Poll;

use faf_connection::{Reader, Settings, open};
use faf_lobby_core::SnapshotList;
use faf_protocol::server_message::{
    GameInfo, GameInfoState, GameList, GameType, MatchmakerInfo, Notice, NoticeStyle, Visibility,
};
use faf_protocol::websocket::{CloseCode, Role};
use faf_protocol::{GameId, Message, WireFormat};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::*;
use crate::net::read_gate::Gate;
use crate::net::unauthenticated::tests::registry;

const POLICY: SlowConsumerPolicy =
    SlowConsumerPolicy { chunk_bytes: 65_536, memory: 100_000_000, stall_timeout: Duration::from_secs(30) };

/// Bytes that a client's socket takes in most tests.
const SOCKET_BYTES: usize = 1024;

struct Client {
    reader: Reader,
    server: Writer,
    slot: Arc<ConnectionSlot>,
    /// The server's reader, kept so that the connection stays open.
    _session: Reader,
}

impl Client {
    async fn receive(&mut self) -> Message {
        self.reader.read().await.unwrap()
    }

    async fn expect_command(&mut self, command: &str) {
        assert_eq!(self.receive().await.command().as_deref(), Some(command));
    }

    async fn expect_text(&mut self, text: &str) {
        let message = self.receive().await.to_string();
        assert!(message.contains(text), "{message} instead of {text}");
    }
}

struct Fixture {
    dispatcher: Dispatcher,
    /// Bytes that a client's socket takes.
    socket_bytes: usize,
}

impl Fixture {
    fn new(policy: SlowConsumerPolicy) -> Self {
        let (fixture, delivery) = Self::without_task(policy, SOCKET_BYTES);
        // A task instead of a thread, so that the clock can be simulated.
        tokio::spawn(delivery.run());
        fixture
    }

    /// For a test that runs the worker by itself.
    fn without_task(policy: SlowConsumerPolicy, socket_bytes: usize) -> (Self, Worker) {
        let (dispatcher, delivery) = Dispatcher::new(policy, Arc::new(Metrics::new()));
        (Self { dispatcher, socket_bytes }, delivery)
    }

    /// Connects a client in this format, without a login.
    fn connect(&mut self, conn: u64, format: WireFormat) -> Client {
        let (session, server, slot, stream) = self.slot(conn, format);
        let (reader, _) = open(stream, Settings { role: Role::Client, ..Settings::new(format) });
        Client { reader, server, slot, _session: session }
    }

    /// Returns the server's side of a connection, and the client's stream.
    fn slot(&mut self, conn: u64, format: WireFormat) -> (Reader, Writer, Arc<ConnectionSlot>, DuplexStream) {
        let (here, there) = tokio::io::duplex(self.socket_bytes);
        let (session, server) = open(here, Settings::new(format));
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let unauthenticated = registry(1, 1);
        let slot = ConnectionSlot::new(place, unauthenticated.admit(None, true).unwrap());
        self.dispatcher.connect(ConnId(conn), server.clone(), Arc::clone(&slot));
        (session, server, slot, there)
    }

    fn log_in(&mut self, conn: u64, format: WireFormat) -> Client {
        let client = self.connect(conn, format);
        self.dispatcher.log_in(ConnId(conn));
        client
    }

    /// Begins to handle a message of this client: the messages sent to it are answers.
    fn begin_message(&mut self, conn: u64) {
        self.dispatcher.hold(ConnId(conn), Hold::InFlight);
        self.dispatcher.received(ConnId(conn), Instant::now());
    }

    fn close(&mut self, conn: ConnId) {
        let ending = Ending { code: CloseCode::GoingAway, reason: "closed by this test".to_owned() };
        self.dispatcher.close(conn, ending);
    }

    fn broadcast(&mut self, message: ServerMessage) {
        self.dispatcher.send(Audience::LoggedIn, message);
    }

    async fn wait_for_metric(&self, line: &str) {
        while !self.dispatcher.metrics.text().unwrap().lines().any(|found| found == line) {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until the last message of the client is handled, and returns what its session may do then.
async fn handled(slot: &ConnectionSlot) -> Gate {
    let gate = poll_fn(|cx| match slot.poll_gate(cx) {
        Gate::Held { is_handled: false } => Poll::Pending,
        gate => Poll::Ready(gate),
    });
    gate.await
}

/// Waits until the next message may be read.
async fn opened(slot: &ConnectionSlot) {
    poll_fn(|cx| if slot.poll_gate(cx) == Gate::Open { Poll::Ready(()) } else { Poll::Pending }).await;
}

fn notice(text: impl Into<String>) -> ServerMessage {
    ServerMessage::Notice(Notice::new(NoticeStyle::Info, text))
}

fn game(uid: u32, num_players: usize) -> ServerMessage {
    ServerMessage::GameInfo(Arc::new(GameInfo {
        visibility: Visibility::Public,
        password_protected: false,
        uid: GameId(uid),
        title: "t".to_owned(),
        state: GameInfoState::Open,
        game_type: GameType::Custom,
        featured_mod: "faf".to_owned(),
        sim_mods: Default::default(),
        mapname: "m".to_owned(),
        map_file_path: "m".to_owned(),
        host: "Ada".to_owned(),
        num_players,
        max_players: 8,
        hosted_at: None,
        launched_at: None,
        rating_type: "global".to_owned(),
        rating_min: None,
        rating_max: None,
        enforce_rating_range: false,
        teams_ids: Vec::new(),
        teams: Default::default(),
    }))
}

#[tokio::test]
async fn a_list_of_queues_for_several_clients_is_encoded_once() {
    let (mut fixture, _delivery) = Fixture::without_task(POLICY, SOCKET_BYTES);
    let list = || Arc::new(MatchmakerInfo { queues: Vec::new() });
    let (one, other) = (list(), list());
    for (conn, info) in [(1, &one), (2, &one), (3, &other), (4, &one)] {
        let info = ServerMessage::MatchmakerInfo(Arc::clone(info));
        fixture.dispatcher.send(Audience::One(ConnId(conn)), info);
    }
    let frames: Vec<_> = fixture
        .dispatcher
        .turn
        .iter()
        .filter_map(|order| match order {
            Order::SendOne(_, frames, _) => Some(frames),
            _ => None,
        })
        .collect();
    let shared: Vec<_> = frames.iter().map(|other| Arc::ptr_eq(frames[0], other)).collect();
    // A list that has changed in the meantime is another one, even if it says the same.
    assert_eq!(shared, [true, true, false, false]);
}

#[tokio::test]
async fn logged_in_clients_receive_broadcasts_in_their_format() {
    let mut fixture = Fixture::new(POLICY);
    let formats = WireFormat::ALL.into_iter().chain(WireFormat::ALL);
    let mut clients: Vec<_> = (0..).zip(formats).map(|(conn, format)| fixture.log_in(conn, format)).collect();
    let mut unauthenticated = fixture.connect(6, WireFormat::SimpleJson);
    fixture.close(ConnId(1));
    fixture.broadcast(ServerMessage::Ping);
    fixture.dispatcher.send(Audience::Several(vec![ConnId(0), ConnId(5), ConnId(77)]), ServerMessage::Pong);
    fixture.close(ConnId(6));
    fixture.dispatcher.flush().await;
    for (number, client) in clients.iter_mut().enumerate() {
        match number {
            1 => assert!(client.reader.read().await.is_err()),
            0 | 5 => {
                client.expect_command("ping").await;
                client.expect_command("pong").await;
            }
            _ => client.expect_command("ping").await,
        }
    }
    assert!(unauthenticated.reader.read().await.is_err());
}

#[tokio::test]
async fn broadcast_is_encoded_once_for_all_receivers_of_a_format() {
    // Handed over at once, and kept in three backlogs.
    for chunk_bytes in [POLICY.chunk_bytes, 1] {
        let (mut fixture, mut delivery) =
            Fixture::without_task(SlowConsumerPolicy { chunk_bytes, ..POLICY }, SOCKET_BYTES);
        let mut clients = [1, 2, 3].map(|conn| fixture.log_in(conn, WireFormat::SimpleJson));
        let message = notice("x".repeat(100));
        fixture.broadcast(message.clone());
        fixture.dispatcher.flush().await;
        delivery.run_once().await;
        let frames = Arc::clone(delivery.broadcasts.since(0).next().unwrap());
        while !delivery.broadcasts.is_empty() {
            delivery.run_once().await;
        }
        // Each encoding counts its bytes.
        let frame = WireFormat::SimpleJson.encode(&message).unwrap();
        assert_eq!(delivery.memory.bytes(), frame.len());
        assert_eq!(frames.bytes(), frame.len());
        for client in &mut clients {
            client.expect_command("notice").await;
        }
    }
}

#[tokio::test]
async fn broadcast_can_leave_out_clients() {
    let mut fixture = Fixture::new(POLICY);
    let mut clients: Vec<_> = (0..5).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    fixture.close(ConnId(0));
    let but = [4, 2, 4, 0, 77].map(ConnId).to_vec();
    fixture.broadcast(notice("first"));
    fixture.dispatcher.send(Audience::LoggedInExcept(but), ServerMessage::Ping);
    fixture.dispatcher.send(Audience::LoggedInExcept(Vec::new()), ServerMessage::Pong);
    fixture.dispatcher.flush().await;
    for (number, client) in clients.iter_mut().enumerate().skip(1) {
        client.expect_command("notice").await;
        if [1, 3].contains(&number) {
            client.expect_command("ping").await;
        }
        client.expect_command("pong").await;
    }
}

/// Another connection takes the place of each that ends, and each receives every broadcast once,
/// even during a pass.
#[tokio::test]
async fn every_broadcast_arrives_once_while_connections_end() {
    let mut fixture = Fixture::new(POLICY);
    let mut clients: Vec<_> = (0..500).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    for round in 0..20_u64 {
        fixture.broadcast(notice(format!("<{round}>")));
        fixture.dispatcher.flush().await;
        tokio::task::yield_now().await;
        for gone in [round * 3, 499 - round] {
            fixture.dispatcher.disconnect(ConnId(gone));
        }
        fixture.dispatcher.send(Audience::One(ConnId(200)), ServerMessage::Pong);
    }
    fixture.dispatcher.flush().await;
    for (conn, client) in clients.iter_mut().enumerate() {
        let conn = conn as u64;
        if (conn < 60 && conn.is_multiple_of(3)) || conn >= 480 {
            continue;
        }
        for round in 0..20 {
            client.expect_text(&format!("<{round}>")).await;
            if conn == 200 {
                client.expect_command("pong").await;
            }
        }
    }
}

#[tokio::test]
async fn messages_of_a_turn_keep_their_order_for_each_client() {
    let mut fixture = Fixture::new(POLICY);
    let mut ada = fixture.log_in(1, WireFormat::SimpleJson);
    let mut bob = fixture.log_in(2, WireFormat::WebSocket);
    for number in 0..5 {
        fixture.broadcast(notice(format!("all {number}")));
        fixture.dispatcher.send(Audience::One(ConnId(1)), notice(format!("Ada {number}")));
        fixture
            .dispatcher
            .send(Audience::Several(vec![ConnId(2), ConnId(1)]), notice(format!("both {number}")));
    }
    fixture.dispatcher.flush().await;
    for number in 0..5 {
        ada.expect_text(&format!("all {number}")).await;
        ada.expect_text(&format!("Ada {number}")).await;
        ada.expect_text(&format!("both {number}")).await;
        bob.expect_text(&format!("all {number}")).await;
        bob.expect_text(&format!("both {number}")).await;
    }
}

#[tokio::test]
async fn client_that_is_behind_receives_the_newest_states_and_everything_else() {
    let mut fixture = Fixture::new(POLICY);
    let mut slow = fixture.log_in(1, WireFormat::SimpleJson);
    let mut good = fixture.log_in(2, WireFormat::SimpleJson);
    fixture.broadcast(notice("x".repeat(2 * SOCKET_BYTES)));
    fixture.dispatcher.flush().await;
    good.expect_command("notice").await;
    for round in 0..500 {
        fixture.broadcast(game(7, round));
        fixture.broadcast(game(8, round));
        if round % 100 == 0 {
            fixture.broadcast(notice(format!("<{round}>")));
        }
        fixture.dispatcher.flush().await;
        good.expect_command("game_info").await;
        good.expect_command("game_info").await;
        if round % 100 == 0 {
            good.expect_text(&format!("<{round}>")).await;
        }
    }
    slow.expect_command("notice").await;
    for round in 0..5 {
        slow.expect_text(&format!("<{}>", round * 100)).await;
    }
    for _ in 0..2 {
        slow.expect_text("\"num_players\":499").await;
    }
    fixture.wait_for_metric("server_messages_merged_total 998").await;
    fixture.wait_for_metric("server_clients_behind 0").await;
    fixture.wait_for_metric("server_bytes_behind 0").await;
}

/// Too many to be offered at once.
fn many_games() -> Vec<ServerMessage> {
    (0..300).map(|number| game(number, 1)).collect()
}

#[tokio::test]
async fn pong_waits_for_answers_and_snapshots_but_not_for_broadcasts() {
    let mut fixture = Fixture::new(POLICY);
    let [mut receiving, mut asking, mut logging_in] =
        [1, 2, 3].map(|conn| fixture.log_in(conn, WireFormat::SimpleJson));
    many_games().into_iter().for_each(|game| fixture.broadcast(game));
    fixture.begin_message(2);
    fixture.dispatcher.send(Audience::One(ConnId(2)), notice("answer"));
    fixture.dispatcher.send_snapshot(ConnId(3), None, ServerMessage::PlayerInfo(Arc::default()));
    for conn in [1, 2, 3] {
        fixture.dispatcher.send(Audience::One(ConnId(conn)), ServerMessage::Pong);
    }
    fixture.dispatcher.flush().await;
    receiving.expect_command("pong").await;
    for client in [&mut receiving, &mut asking, &mut logging_in] {
        for _ in 0..300 {
            client.expect_command("game_info").await;
        }
    }
    asking.expect_command("notice").await;
    asking.expect_command("pong").await;
    logging_in.expect_command("player_info").await;
    logging_in.expect_command("pong").await;
    fixture.wait_for_metric("server_clients_behind 0").await;
}

#[tokio::test]
async fn pongs_do_not_overtake_for_a_client_that_reads_nothing() {
    let mut fixture = Fixture::new(POLICY);
    let mut client = fixture.log_in(1, WireFormat::SimpleJson);
    many_games().into_iter().for_each(|game| fixture.broadcast(game));
    fixture.dispatcher.flush().await;
    fixture.wait_for_metric("server_clients_behind 1").await;
    while client.server.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        fixture.dispatcher.send(Audience::One(ConnId(1)), ServerMessage::Pong);
    }
    fixture.dispatcher.flush().await;
    for _ in 0..300 {
        client.expect_command("game_info").await;
    }
    for _ in 0..3 {
        client.expect_command("pong").await;
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_reads_nothing_for_too_long_is_disconnected() {
    let mut fixture = Fixture::new(POLICY);
    let stalled = fixture.log_in(1, WireFormat::SimpleJson);
    let (_session, slow, _slot, mut stream) = fixture.slot(2, WireFormat::SimpleJson);
    fixture.dispatcher.log_in(ConnId(2));
    fixture.broadcast(notice("x".repeat(4 * SOCKET_BYTES)));
    fixture.dispatcher.flush().await;
    // The other client takes a few bytes now and then. The clock is simulated.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stream.read_exact(&mut [0; 100]).await.unwrap();
    }
    assert!(!stalled.server.is_connected());
    assert!(slow.is_connected());
    fixture.wait_for_metric("server_connections_ended_total{reason=\"stalled\"} 1").await;
}

/// When everyone reconnects at once, the snapshots are gigabytes.
#[tokio::test(start_paused = true)]
async fn players_do_not_wait_for_snapshots_of_logins() {
    const LOGINS: u64 = 50;
    let (mut fixture, mut delivery) = Fixture::without_task(POLICY, 16_000_000);
    let _logins: Vec<_> = (1..=LOGINS).map(|conn| fixture.connect(conn, WireFormat::SimpleJson)).collect();
    let mut player = fixture.log_in(0, WireFormat::SimpleJson);
    let games = many_games().into_iter().map(|game| match game {
        ServerMessage::GameInfo(game) => game,
        other => panic!("{other:?}"),
    });
    let list = ServerMessage::GameList(Arc::new(GameList { games: games.collect() }));
    let id = Some(SnapshotId { list: SnapshotList::Games, chunk: 0, version: 1 });
    for conn in (1..=LOGINS).cycle().take(10 * LOGINS as usize) {
        fixture.dispatcher.send_snapshot(ConnId(conn), id, list.clone());
    }
    fixture.dispatcher.flush().await;
    many_games().into_iter().for_each(|game| fixture.broadcast(game));
    fixture.dispatcher.flush().await;
    // Two iterations receive the turns, and each further one sends 64 KiB to the player. All
    // snapshots would take fifty.
    for _ in 0..6 {
        delivery.run_once().await;
    }
    for _ in 0..300 {
        timeout(Duration::from_secs(1), player.expect_command("game_info"))
            .await
            .expect("the player has everything");
    }
    fixture.wait_for_metric("server_clients_behind 50").await;
    tokio::spawn(delivery.run());
    fixture.wait_for_metric("server_clients_behind 0").await;
}

#[tokio::test]
async fn messages_are_delivered_before_the_end() {
    let mut fixture = Fixture::new(POLICY);
    let clients: Vec<_> = (0..300).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    fixture.broadcast(notice("bye"));
    (0..300).for_each(|conn| fixture.close(ConnId(conn)));
    fixture.dispatcher.flush().await;
    fixture.dispatcher.finish().await;
    for mut client in clients {
        assert!(!client.server.is_connected());
        client.expect_command("notice").await;
        assert!(client.reader.read().await.is_err());
    }
}

#[tokio::test]
async fn client_that_asks_for_more_than_it_reads_is_not_read() {
    let mut fixture = Fixture::new(POLICY);
    let mut client = fixture.log_in(1, WireFormat::SimpleJson);
    fixture.begin_message(1);
    let slot = Arc::clone(&client.slot);
    fixture.dispatcher.send(Audience::One(ConnId(1)), notice("x".repeat(3 * SOCKET_BYTES)));
    fixture.dispatcher.release(ConnId(1), Hold::InFlight);
    fixture.dispatcher.flush().await;
    fixture.wait_for_metric("server_clients_behind 1").await;
    // The client is behind, but owes few enough answers to be read.
    assert_eq!(handled(&slot).await, Gate::Open);
    fixture.begin_message(1);
    fixture.dispatcher.send(Audience::One(ConnId(1)), notice("x".repeat(20_000)));
    fixture.dispatcher.release(ConnId(1), Hold::InFlight);
    fixture.dispatcher.flush().await;
    assert_eq!(handled(&slot).await, Gate::Held { is_handled: true });
    client.expect_command("notice").await;
    client.expect_command("notice").await;
    opened(&slot).await;
}

#[tokio::test]
async fn slow_broadcast_receiver_is_still_read() {
    let mut fixture = Fixture::new(POLICY);
    let client = fixture.log_in(1, WireFormat::SimpleJson);
    fixture.begin_message(1);
    for number in 0..200 {
        fixture.dispatcher.send_snapshot(ConnId(1), None, ServerMessage::PlayerInfo(Arc::default()));
        fixture.broadcast(game(number, 1));
        fixture.broadcast(notice("x".repeat(1000)));
    }
    fixture.dispatcher.release(ConnId(1), Hold::InFlight);
    fixture.dispatcher.flush().await;
    fixture.wait_for_metric("server_clients_behind 1").await;
    assert_eq!(handled(&client.slot).await, Gate::Open);
}

/// The client is read again, so that its session notices the end.
#[tokio::test]
async fn connection_lost_while_not_being_read_is_noticed() {
    let mut fixture = Fixture::new(POLICY);
    let client = fixture.log_in(1, WireFormat::SimpleJson);
    fixture.begin_message(1);
    for _ in 0..3 {
        fixture.dispatcher.send(Audience::One(ConnId(1)), notice("x".repeat(80_000)));
    }
    fixture.dispatcher.release(ConnId(1), Hold::InFlight);
    fixture.dispatcher.flush().await;
    let Client { reader, slot, _session, .. } = client;
    assert_eq!(handled(&slot).await, Gate::Held { is_handled: true });
    drop(reader);
    opened(&slot).await;
    fixture.wait_for_metric("server_clients_behind 0").await;
}

#[tokio::test]
async fn backlog_is_sent_before_a_connection_is_closed() {
    let mut fixture = Fixture::new(POLICY);
    let mut client = fixture.log_in(1, WireFormat::WebSocket);
    for number in 0..20 {
        fixture.broadcast(notice(format!("<{number}>{}", "x".repeat(SOCKET_BYTES))));
        fixture.dispatcher.flush().await;
    }
    fixture.wait_for_metric("server_clients_behind 1").await;
    fixture.dispatcher.send(Audience::One(ConnId(1)), notice("bye"));
    fixture.close(ConnId(1));
    fixture.dispatcher.flush().await;
    for number in 0..20 {
        client.expect_text(&format!("<{number}>")).await;
    }
    client.expect_text("bye").await;
    assert!(client.reader.read().await.is_err());
    fixture.wait_for_metric("server_clients_behind 0").await;
}

mod memory;
mod readers;
mod relay;
