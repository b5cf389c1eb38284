use std::future::poll_fn;
use std::task::Poll;

use faf_connection::{Reader, Settings, open};
use faf_lobby_core::SnapshotList;
use faf_protocol::server_message::{
    GameInfo, GameInfoState, GameList, GameType, Notice, NoticeStyle, Visibility,
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

/// What a client's socket takes in most tests, in bytes.
const SOCKET: usize = 1024;

struct Client {
    reader: Reader,
    server: Writer,
    slot: Arc<ConnectionSlot>,
    /// Drained by the tests; the session would read from it.
    _session: Reader,
}

impl Client {
    async fn hear(&mut self) -> Message {
        self.reader.read().await.unwrap()
    }

    async fn hears(&mut self, command: &str) {
        assert_eq!(self.hear().await.command().as_deref(), Some(command));
    }

    async fn hears_text(&mut self, text: &str) {
        let message = self.hear().await.to_string();
        assert!(message.contains(text), "{message} instead of {text}");
    }
}

struct Hall {
    dispatcher: Dispatcher,
    /// What a client's socket takes, in bytes.
    socket: usize,
}

impl Hall {
    fn new(policy: SlowConsumerPolicy) -> Self {
        let (hall, delivery) = Self::by_hand(policy, SOCKET);
        // Not a thread, so that the clock can be simulated.
        tokio::spawn(delivery.run());
        hall
    }

    /// For a test that delivers round by round.
    fn by_hand(policy: SlowConsumerPolicy, socket: usize) -> (Self, Worker) {
        let (dispatcher, delivery) = Dispatcher::new(policy, Arc::new(Metrics::new()));
        (Self { dispatcher, socket }, delivery)
    }

    /// A client in this format; it is not logged in.
    fn connect(&mut self, conn: u64, format: WireFormat) -> Client {
        let (session, server, slot, stream) = self.slot(conn, format);
        let (reader, _) = open(stream, Settings { role: Role::Client, ..Settings::new(format) });
        Client { reader, server, slot, _session: session }
    }

    /// The server's side of a connection, and the client's stream.
    fn slot(&mut self, conn: u64, format: WireFormat) -> (Reader, Writer, Arc<ConnectionSlot>, DuplexStream) {
        let (here, there) = tokio::io::duplex(self.socket);
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

    /// A message of this client is being dealt with: what it is sent is an answer.
    fn asks(&mut self, conn: u64) {
        self.dispatcher.hold(ConnId(conn), Hold::InFlight);
        self.dispatcher.received(ConnId(conn), Instant::now());
    }

    fn close(&mut self, conn: ConnId) {
        let ending = Ending { code: CloseCode::GoingAway, reason: "a part of this test".to_owned() };
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
async fn everybody_who_is_logged_in_hears_a_broadcast_in_their_format() {
    let mut hall = Hall::new(POLICY);
    let formats = WireFormat::ALL.into_iter().chain(WireFormat::ALL);
    let mut clients: Vec<_> = (0..).zip(formats).map(|(conn, format)| hall.log_in(conn, format)).collect();
    let mut stranger = hall.connect(6, WireFormat::SimpleJson);
    hall.close(ConnId(1));
    hall.broadcast(ServerMessage::Ping);
    hall.dispatcher.send(Audience::Several(vec![ConnId(0), ConnId(5), ConnId(77)]), ServerMessage::Pong);
    hall.close(ConnId(6));
    hall.dispatcher.flush().await;
    for (number, client) in clients.iter_mut().enumerate() {
        match number {
            1 => assert!(client.reader.read().await.is_err()),
            0 | 5 => {
                client.hears("ping").await;
                client.hears("pong").await;
            }
            _ => client.hears("ping").await,
        }
    }
    assert!(stranger.reader.read().await.is_err());
}

#[tokio::test]
async fn broadcast_is_encoded_once_for_all_receivers_of_a_format() {
    // Handed over at once, and kept in three backlogs.
    for chunk_bytes in [POLICY.chunk_bytes, 1] {
        let (mut hall, mut delivery) = Hall::by_hand(SlowConsumerPolicy { chunk_bytes, ..POLICY }, SOCKET);
        let mut clients = [1, 2, 3].map(|conn| hall.log_in(conn, WireFormat::SimpleJson));
        let message = notice("x".repeat(100));
        hall.broadcast(message.clone());
        hall.dispatcher.flush().await;
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
            client.hears("notice").await;
        }
    }
}

#[tokio::test]
async fn some_can_be_left_out() {
    let mut hall = Hall::new(POLICY);
    let mut clients: Vec<_> = (0..5).map(|conn| hall.log_in(conn, WireFormat::SimpleJson)).collect();
    hall.close(ConnId(0));
    let but = [4, 2, 4, 0, 77].map(ConnId).to_vec();
    hall.broadcast(notice("first"));
    hall.dispatcher.send(Audience::LoggedInExcept(but), ServerMessage::Ping);
    hall.dispatcher.send(Audience::LoggedInExcept(Vec::new()), ServerMessage::Pong);
    hall.dispatcher.flush().await;
    for (number, client) in clients.iter_mut().enumerate().skip(1) {
        client.hears("notice").await;
        if [1, 3].contains(&number) {
            client.hears("ping").await;
        }
        client.hears("pong").await;
    }
}

/// Whoever goes gives the place to somebody else, and each hears everything once, whatever a pass is doing.
#[tokio::test]
async fn connections_come_and_go_while_everybody_is_told() {
    let mut hall = Hall::new(POLICY);
    let mut clients: Vec<_> = (0..500).map(|conn| hall.log_in(conn, WireFormat::SimpleJson)).collect();
    for round in 0..20_u64 {
        hall.broadcast(notice(format!("<{round}>")));
        hall.dispatcher.flush().await;
        tokio::task::yield_now().await;
        for gone in [round * 3, 499 - round] {
            hall.dispatcher.disconnect(ConnId(gone));
        }
        hall.dispatcher.send(Audience::One(ConnId(200)), ServerMessage::Pong);
    }
    hall.dispatcher.flush().await;
    for (conn, client) in clients.iter_mut().enumerate() {
        let conn = conn as u64;
        if (conn < 60 && conn.is_multiple_of(3)) || conn >= 480 {
            continue;
        }
        for round in 0..20 {
            client.hears_text(&format!("<{round}>")).await;
            if conn == 200 {
                client.hears("pong").await;
            }
        }
    }
}

#[tokio::test]
async fn a_turn_keeps_its_order_for_each() {
    let mut hall = Hall::new(POLICY);
    let mut ada = hall.log_in(1, WireFormat::SimpleJson);
    let mut bob = hall.log_in(2, WireFormat::WebSocket);
    for number in 0..5 {
        hall.broadcast(notice(format!("all {number}")));
        hall.dispatcher.send(Audience::One(ConnId(1)), notice(format!("Ada {number}")));
        hall.dispatcher.send(Audience::Several(vec![ConnId(2), ConnId(1)]), notice(format!("both {number}")));
    }
    hall.dispatcher.flush().await;
    for number in 0..5 {
        ada.hears_text(&format!("all {number}")).await;
        ada.hears_text(&format!("Ada {number}")).await;
        ada.hears_text(&format!("both {number}")).await;
        bob.hears_text(&format!("all {number}")).await;
        bob.hears_text(&format!("both {number}")).await;
    }
}

#[tokio::test]
async fn whoever_has_fallen_behind_hears_of_the_newest_state_only_and_of_all_else() {
    let mut hall = Hall::new(POLICY);
    let mut slow = hall.log_in(1, WireFormat::SimpleJson);
    let mut good = hall.log_in(2, WireFormat::SimpleJson);
    hall.broadcast(notice("x".repeat(2 * SOCKET)));
    hall.dispatcher.flush().await;
    good.hears("notice").await;
    for round in 0..500 {
        hall.broadcast(game(7, round));
        hall.broadcast(game(8, round));
        if round % 100 == 0 {
            hall.broadcast(notice(format!("<{round}>")));
        }
        hall.dispatcher.flush().await;
        good.hears("game_info").await;
        good.hears("game_info").await;
        if round % 100 == 0 {
            good.hears_text(&format!("<{round}>")).await;
        }
    }
    slow.hears("notice").await;
    for round in 0..5 {
        slow.hears_text(&format!("<{}>", round * 100)).await;
    }
    for _ in 0..2 {
        slow.hears_text("\"num_players\":499").await;
    }
    hall.wait_for_metric("server_messages_merged_total 998").await;
    hall.wait_for_metric("server_clients_behind 0").await;
    hall.wait_for_metric("server_bytes_behind 0").await;
}

/// So many that they are not handed over at once.
fn many_games() -> Vec<ServerMessage> {
    (0..300).map(|number| game(number, 1)).collect()
}

#[tokio::test]
async fn a_pong_waits_for_answers_and_lists_but_not_for_what_everybody_is_told() {
    let mut hall = Hall::new(POLICY);
    let [mut told, mut asking, mut newcomer] =
        [1, 2, 3].map(|conn| hall.log_in(conn, WireFormat::SimpleJson));
    many_games().into_iter().for_each(|game| hall.broadcast(game));
    hall.asks(2);
    hall.dispatcher.send(Audience::One(ConnId(2)), notice("answer"));
    hall.dispatcher.send_snapshot(ConnId(3), None, ServerMessage::PlayerInfo(Arc::default()));
    for conn in [1, 2, 3] {
        hall.dispatcher.send(Audience::One(ConnId(conn)), ServerMessage::Pong);
    }
    hall.dispatcher.flush().await;
    told.hears("pong").await;
    for client in [&mut told, &mut asking, &mut newcomer] {
        for _ in 0..300 {
            client.hears("game_info").await;
        }
    }
    asking.hears("notice").await;
    asking.hears("pong").await;
    newcomer.hears("player_info").await;
    newcomer.hears("pong").await;
    hall.wait_for_metric("server_clients_behind 0").await;
}

#[tokio::test]
async fn whoever_reads_nothing_gets_no_pongs_in_front() {
    let mut hall = Hall::new(POLICY);
    let mut client = hall.log_in(1, WireFormat::SimpleJson);
    many_games().into_iter().for_each(|game| hall.broadcast(game));
    hall.dispatcher.flush().await;
    hall.wait_for_metric("server_clients_behind 1").await;
    while client.server.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        hall.dispatcher.send(Audience::One(ConnId(1)), ServerMessage::Pong);
    }
    hall.dispatcher.flush().await;
    for _ in 0..300 {
        client.hears("game_info").await;
    }
    for _ in 0..3 {
        client.hears("pong").await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_nothing_for_too_long_is_disconnected() {
    let mut hall = Hall::new(POLICY);
    let stalled = hall.log_in(1, WireFormat::SimpleJson);
    let (_session, slow, _seat, mut stream) = hall.slot(2, WireFormat::SimpleJson);
    hall.dispatcher.log_in(ConnId(2));
    hall.broadcast(notice("x".repeat(4 * SOCKET)));
    hall.dispatcher.flush().await;
    // The other one takes some of it now and then. The clock is simulated.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stream.read_exact(&mut [0; 100]).await.unwrap();
    }
    assert!(!stalled.server.is_connected());
    assert!(slow.is_connected());
    hall.wait_for_metric("server_connections_ended_total{reason=\"stalled\"} 1").await;
}

/// When everybody comes back at once, their lists are gigabytes.
#[tokio::test(start_paused = true)]
async fn players_do_not_wait_for_lists_of_logins() {
    const LOGINS: u64 = 50;
    let (mut hall, mut delivery) = Hall::by_hand(POLICY, 16_000_000);
    let _logins: Vec<_> = (1..=LOGINS).map(|conn| hall.connect(conn, WireFormat::SimpleJson)).collect();
    let mut player = hall.log_in(0, WireFormat::SimpleJson);
    let games = many_games().into_iter().map(|game| match game {
        ServerMessage::GameInfo(game) => game,
        other => panic!("{other:?}"),
    });
    let list = ServerMessage::GameList(Arc::new(GameList { games: games.collect() }));
    let id = Some(SnapshotId { list: SnapshotList::Games, chunk: 0, version: 1 });
    for conn in (1..=LOGINS).cycle().take(10 * LOGINS as usize) {
        hall.dispatcher.send_snapshot(ConnId(conn), id, list.clone());
    }
    hall.dispatcher.flush().await;
    many_games().into_iter().for_each(|game| hall.broadcast(game));
    hall.dispatcher.flush().await;
    // Two rounds take everything in, and in a few more the player gets some 64 KiB each. All lists would take fifty.
    for _ in 0..6 {
        delivery.run_once().await;
    }
    for _ in 0..300 {
        timeout(Duration::from_secs(1), player.hears("game_info")).await.expect("the player has everything");
    }
    hall.wait_for_metric("server_clients_behind 50").await;
    tokio::spawn(delivery.run());
    hall.wait_for_metric("server_clients_behind 0").await;
}

#[tokio::test]
async fn what_was_handed_over_is_delivered_before_the_end() {
    let mut hall = Hall::new(POLICY);
    let clients: Vec<_> = (0..300).map(|conn| hall.log_in(conn, WireFormat::SimpleJson)).collect();
    hall.broadcast(notice("bye"));
    (0..300).for_each(|conn| hall.close(ConnId(conn)));
    hall.dispatcher.flush().await;
    hall.dispatcher.finish().await;
    for mut client in clients {
        assert!(!client.server.is_connected());
        client.hears("notice").await;
        assert!(client.reader.read().await.is_err());
    }
}

#[tokio::test]
async fn whoever_asks_more_than_it_reads_is_not_read_from() {
    let mut hall = Hall::new(POLICY);
    let mut client = hall.log_in(1, WireFormat::SimpleJson);
    hall.asks(1);
    let slot = Arc::clone(&client.slot);
    hall.dispatcher.send(Audience::One(ConnId(1)), notice("x".repeat(3 * SOCKET)));
    hall.dispatcher.release(ConnId(1), Hold::InFlight);
    hall.dispatcher.flush().await;
    hall.wait_for_metric("server_clients_behind 1").await;
    // It is behind, but its pings count.
    assert_eq!(handled(&slot).await, Gate::Open);
    hall.asks(1);
    hall.dispatcher.send(Audience::One(ConnId(1)), notice("x".repeat(20_000)));
    hall.dispatcher.release(ConnId(1), Hold::InFlight);
    hall.dispatcher.flush().await;
    assert_eq!(handled(&slot).await, Gate::Held { is_handled: true });
    client.hears("notice").await;
    client.hears("notice").await;
    opened(&slot).await;
}

#[tokio::test]
async fn whoever_is_slow_in_taking_what_everybody_is_told_is_read_from() {
    let mut hall = Hall::new(POLICY);
    let client = hall.log_in(1, WireFormat::SimpleJson);
    hall.asks(1);
    for number in 0..200 {
        hall.dispatcher.send_snapshot(ConnId(1), None, ServerMessage::PlayerInfo(Arc::default()));
        hall.broadcast(game(number, 1));
        hall.broadcast(notice("x".repeat(1000)));
    }
    hall.dispatcher.release(ConnId(1), Hold::InFlight);
    hall.dispatcher.flush().await;
    hall.wait_for_metric("server_clients_behind 1").await;
    assert_eq!(handled(&client.slot).await, Gate::Open);
}

/// It is read from again, so that its session hears of the end.
#[tokio::test]
async fn whoever_is_lost_while_not_being_read_from_is_noticed() {
    let mut hall = Hall::new(POLICY);
    let client = hall.log_in(1, WireFormat::SimpleJson);
    hall.asks(1);
    for _ in 0..3 {
        hall.dispatcher.send(Audience::One(ConnId(1)), notice("x".repeat(80_000)));
    }
    hall.dispatcher.release(ConnId(1), Hold::InFlight);
    hall.dispatcher.flush().await;
    let Client { reader, slot, _session, .. } = client;
    assert_eq!(handled(&slot).await, Gate::Held { is_handled: true });
    drop(reader);
    opened(&slot).await;
    hall.wait_for_metric("server_clients_behind 0").await;
}

#[tokio::test]
async fn what_waits_is_sent_before_a_connection_is_closed() {
    let mut hall = Hall::new(POLICY);
    let mut client = hall.log_in(1, WireFormat::WebSocket);
    for number in 0..20 {
        hall.broadcast(notice(format!("<{number}>{}", "x".repeat(SOCKET))));
        hall.dispatcher.flush().await;
    }
    hall.wait_for_metric("server_clients_behind 1").await;
    hall.dispatcher.send(Audience::One(ConnId(1)), notice("bye"));
    hall.close(ConnId(1));
    hall.dispatcher.flush().await;
    for number in 0..20 {
        client.hears_text(&format!("<{number}>")).await;
    }
    client.hears_text("bye").await;
    assert!(client.reader.read().await.is_err());
    hall.wait_for_metric("server_clients_behind 0").await;
}

mod memory;
mod readers;
mod relay;
