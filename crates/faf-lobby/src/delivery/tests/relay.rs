//! Messages between players' games may slow down the sender, and never the receiver.

use faf_protocol::PlayerId;
use faf_protocol::gpgnet::ServerToGame;
use tokio::time::sleep;

use super::*;
use crate::delivery::relay::{ELSEWHERE_BYTES, IN_FLIGHT_BYTES};

const SECOND: Duration = Duration::from_secs(1);
const RECEIVER: u64 = 1000;

fn ice(sender: u64, text: impl Into<String>) -> ServerMessage {
    let message = text.into().as_str().into();
    ServerMessage::Game(ServerToGame::IceMsg { sender_id: PlayerId(sender as u32), message }.into())
}

/// Does what the server does with a message from one player's game to another's.
fn relay(fixture: &mut Fixture, from: u64, to: u64, text: impl Into<String>) {
    fixture.begin_message(from);
    fixture.dispatcher.relay(ConnId(from), ConnId(to), ice(from, text));
    fixture.dispatcher.release(ConnId(from), Hold::InFlight);
    fixture.dispatcher.done(ConnId(from));
}

/// Sends until a message is held, and returns the number of messages sent.
async fn flood(fixture: &mut Fixture, sender: &Client, from: u64, text: &str) -> usize {
    for sent in 1..1000 {
        relay(fixture, from, RECEIVER, text);
        fixture.dispatcher.flush().await;
        if handled(&sender.slot).await != Gate::Open {
            return sent;
        }
    }
    panic!("nothing is held")
}

#[tokio::test(start_paused = true)]
async fn flood_is_held_and_then_dropped_and_everything_else_goes_on() {
    let mut fixture = Fixture::new(POLICY);
    let mut receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
    let mut flooder = fixture.log_in(1, WireFormat::SimpleJson);
    let mut honest = fixture.log_in(2, WireFormat::SimpleJson);
    let text = "x".repeat(4000);
    let sent = flood(&mut fixture, &flooder, 1, &text).await;
    assert!((IN_FLIGHT_BYTES / 2..IN_FLIGHT_BYTES).contains(&(sent * text.len())), "{sent}");
    // Half of the room is left for others.
    for _ in 0..5 {
        relay(&mut fixture, 2, RECEIVER, "y".repeat(4000));
        fixture.dispatcher.flush().await;
        assert_eq!(handled(&honest.slot).await, Gate::Open);
    }
    // After a short while the flooder is read again and receives a notice, and its further messages
    // are dropped at once.
    opened(&flooder.slot).await;
    flooder.expect_text("more than that player's connection takes").await;
    for _ in 0..50 {
        relay(&mut fixture, 1, RECEIVER, &text);
        fixture.dispatcher.flush().await;
        assert_eq!(handled(&flooder.slot).await, Gate::Open);
    }
    fixture.wait_for_metric("server_relay_dropped_total{reason=\"the receiver is behind\"} 51").await;
    fixture.wait_for_metric("server_relay_held_total 1").await;
    // The receiver itself is still read, receives its answers in time, and can send to others.
    fixture.begin_message(RECEIVER);
    fixture.dispatcher.send(Audience::One(ConnId(RECEIVER)), notice("answer"));
    fixture.dispatcher.release(ConnId(RECEIVER), Hold::InFlight);
    relay(&mut fixture, RECEIVER, 2, "from the receiver");
    fixture.dispatcher.flush().await;
    assert_eq!(handled(&receiver.slot).await, Gate::Open);
    honest.expect_text("from the receiver").await;
    // The messages in flight arrive in their order. The answer overtakes most of them.
    let mut received = Vec::new();
    while received.len() < sent + 5 {
        let message = receiver.receive().await.to_string();
        received.extend(["xxx", "yyy", "answer"].into_iter().filter(|text| message.contains(text)));
    }
    assert!(
        received.iter().position(|text| *text == "answer").is_some_and(|place| place < 5),
        "{received:?}"
    );
    received.retain(|text| *text != "answer");
    assert_eq!(received, [vec!["xxx"; sent - 1], vec!["yyy"; 5]].concat());
    fixture.wait_for_metric("server_clients_behind 0").await;
    // Then there is room again.
    relay(&mut fixture, 1, RECEIVER, "again");
    fixture.dispatcher.flush().await;
    receiver.expect_text("again").await;
    // The flooder receives one notice, not one for each message.
    fixture.broadcast(ServerMessage::Ping);
    fixture.dispatcher.flush().await;
    flooder.expect_command("ping").await;
    assert!(receiver.server.is_connected());
}

#[tokio::test(start_paused = true)]
async fn held_message_is_delivered_as_soon_as_there_is_room() {
    let mut fixture = Fixture::new(POLICY);
    let mut receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
    let sender = fixture.log_in(1, WireFormat::SimpleJson);
    let text = "x".repeat(10_000);
    let sent = flood(&mut fixture, &sender, 1, &text).await;
    for _ in 0..sent {
        receiver.expect_text("xxx").await;
    }
    opened(&sender.slot).await;
    assert!(!fixture.dispatcher.metrics.text().unwrap().contains("server_relay_dropped_total{"));
    // The next held message has a time limit of its own.
    let sent = flood(&mut fixture, &sender, 1, &text).await;
    sleep(Duration::from_millis(1900)).await;
    for _ in 0..sent {
        receiver.expect_text("xxx").await;
    }
    opened(&sender.slot).await;
    assert!(!fixture.dispatcher.metrics.text().unwrap().contains("server_relay_dropped_total{"));
}

#[tokio::test(start_paused = true)]
async fn many_flooders_leave_room_for_another_sender() {
    let mut fixture = Fixture::new(POLICY);
    let _receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
    let text = "x".repeat(1000);
    for from in 1..=14 {
        let flooder = fixture.log_in(from, WireFormat::SimpleJson);
        flood(&mut fixture, &flooder, from, &text).await;
    }
    let honest = fixture.log_in(15, WireFormat::SimpleJson);
    for _ in 0..3 {
        relay(&mut fixture, 15, RECEIVER, "candidate".repeat(50));
        fixture.dispatcher.flush().await;
        assert_eq!(handled(&honest.slot).await, Gate::Open);
    }
    fixture.wait_for_metric("server_clients_behind 1").await;
}

/// Other players' games do not delay the receiver's own commands: answers overtake relayed
/// messages, but later relayed messages do not overtake answers.
#[tokio::test(start_paused = true)]
async fn answers_overtake_relayed_messages() {
    let mut fixture = Fixture::new(POLICY);
    let mut receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
    let text = "x".repeat(4000);
    for from in 1..=10 {
        let flooder = fixture.log_in(from, WireFormat::SimpleJson);
        flood(&mut fixture, &flooder, from, &text).await;
    }
    fixture.begin_message(RECEIVER);
    fixture.dispatcher.send(Audience::One(ConnId(RECEIVER)), notice("answer"));
    relay(&mut fixture, 11, RECEIVER, "later");
    fixture.dispatcher.flush().await;
    let mut before = 0;
    loop {
        let message = receiver.receive().await.to_string();
        assert!(!message.contains("later"), "the answer is overtaken");
        if message.contains("answer") {
            break;
        }
        before += message.len();
    }
    // At most the messages that the socket has taken, and one further chunk, come first.
    assert!(before < 40 * 1024, "{before} bytes of other players came first");
}

/// Sixteen players negotiate at once, with fifty candidates each for every other player, and one of
/// them reads slowly.
#[tokio::test(start_paused = true)]
async fn honest_exchange_loses_nothing() {
    const PLAYERS: u64 = 16;
    const CANDIDATES: usize = 50;
    let (mut fixture, delivery) = Fixture::without_task(POLICY, 65_536);
    tokio::spawn(delivery.run());
    let mut clients: Vec<_> =
        (1..=PLAYERS).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    let slots: Vec<_> = clients.iter().map(|client| Arc::clone(&client.slot)).collect();
    let listeners = clients.drain(..).enumerate().map(|(place, mut client)| {
        tokio::spawn(async move {
            for _ in 0..CANDIDATES * (PLAYERS as usize - 1) {
                client.expect_text("candidate").await;
                if place == 7 {
                    // 60 kB/s.
                    sleep(Duration::from_millis(10)).await;
                }
            }
            client
        })
    });
    let listeners: Vec<_> = listeners.collect();
    let candidate = format!("candidate {}", "x".repeat(500));
    for _ in 0..CANDIDATES {
        for from in 1..=PLAYERS {
            for to in (1..=PLAYERS).filter(|to| *to != from) {
                relay(&mut fixture, from, to, &candidate);
                fixture.dispatcher.flush().await;
                let slot = &slots[from as usize - 1];
                // As a session does, this waits until the next message may be read.
                opened(slot).await;
            }
        }
    }
    for listener in listeners {
        listener.await.unwrap();
    }
    let text = fixture.dispatcher.metrics.text().unwrap();
    assert!(!text.contains("server_relay_dropped_total{"), "{text}");
}

/// A receiver is not disconnected because it does not read messages of other players' games, but
/// because it does not read messages of the lobby.
#[tokio::test(start_paused = true)]
async fn relayed_messages_alone_never_disconnect_their_receiver() {
    let mut fixture = Fixture::new(POLICY);
    let receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
    let flooder = fixture.log_in(1, WireFormat::SimpleJson);
    flood(&mut fixture, &flooder, 1, &"x".repeat(4000)).await;
    sleep(SECOND * 3600).await;
    assert!(receiver.server.is_connected());
    fixture.broadcast(ServerMessage::Ping);
    fixture.dispatcher.flush().await;
    sleep(SECOND * 40).await;
    assert!(!receiver.server.is_connected());
    fixture.wait_for_metric("server_connections_ended_total{reason=\"stalled\"} 1").await;
}

/// A sender is not held for a receiver that is disconnected.
#[tokio::test(start_paused = true)]
async fn sender_is_released_when_the_receiver_is_disconnected() {
    let mut fixture = Fixture::new(POLICY);
    let disconnect = |fixture: &mut Fixture, conn| fixture.dispatcher.disconnect(conn);
    for (end, sender) in [(Fixture::close as fn(&mut Fixture, ConnId), 1), (disconnect, 2)] {
        let _receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
        let client = fixture.log_in(sender, WireFormat::SimpleJson);
        flood(&mut fixture, &client, sender, &"x".repeat(4000)).await;
        end(&mut fixture, ConnId(RECEIVER));
        fixture.dispatcher.flush().await;
        timeout(SECOND, opened(&client.slot)).await.unwrap();
    }
}

/// When memory is short, relayed messages are dropped first, so that no client is disconnected
/// for them.
#[tokio::test(start_paused = true)]
async fn relayed_messages_never_fill_the_memory() {
    let mut fixture = Fixture::new(SlowConsumerPolicy { memory: 200_000, ..POLICY });
    let receivers: Vec<_> =
        (RECEIVER..RECEIVER + 20).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    let _sender = fixture.log_in(1, WireFormat::SimpleJson);
    for _ in 0..10 {
        for to in RECEIVER..RECEIVER + 20 {
            relay(&mut fixture, 1, to, "x".repeat(4000));
        }
        fixture.dispatcher.flush().await;
        sleep(SECOND * 3).await;
    }
    assert!(receivers.iter().all(|receiver| receiver.server.is_connected()));
    let text = fixture.dispatcher.metrics.text().unwrap();
    assert!(text.contains("server_delivery_held_back_total 0"), "{text}");
}

/// A sender at another gateway cannot be held: its messages wait in their order, up to a bound, and
/// further ones are dropped. Neither harms the receiver, or senders here.
#[tokio::test(start_paused = true)]
async fn sender_at_another_gateway_fills_its_share_and_no_more() {
    const ELSEWHERE: u64 = 1 << 40;
    let (mut fixture, delivery) = Fixture::without_task(POLICY, 65_536);
    tokio::spawn(delivery.run());
    let mut receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
    let honest = fixture.log_in(2, WireFormat::SimpleJson);
    for number in 0..200 {
        let text = format!("{number:03}{}", "x".repeat(4000));
        fixture.dispatcher.relay(ConnId(ELSEWHERE), ConnId(RECEIVER), ice(7, text));
        fixture.dispatcher.flush().await;
    }
    relay(&mut fixture, 2, RECEIVER, "honest");
    fixture.dispatcher.flush().await;
    opened(&honest.slot).await;
    let (mut last, mut received, mut is_honest_here) = (None, 0, false);
    while let Ok(message) = timeout(SECOND, receiver.receive()).await {
        let message = message.to_string();
        is_honest_here |= message.contains("honest");
        received += message.len();
        if let Some((before, _)) = message.split_once("xxx") {
            let number: u32 = before[before.len() - 3..].parse().unwrap();
            assert!(last < Some(number), "{number} after {last:?}");
            last = Some(number);
        }
    }
    assert!(is_honest_here);
    // The bytes that the socket takes, half of those in flight, and those that may wait.
    let expected = 65_536 + IN_FLIGHT_BYTES / 2 + ELSEWHERE_BYTES;
    assert!((expected - 10_000..expected + 10_000).contains(&received), "{received}");
    assert!(receiver.server.is_connected());
    let text = fixture.dispatcher.metrics.text().unwrap();
    assert!(text.contains("server_relay_dropped_total{"), "{text}");
}

/// As in [`honest_exchange_loses_nothing`], with all senders at other gateways.
#[tokio::test(start_paused = true)]
async fn honest_exchange_between_gateways_loses_nothing() {
    const CANDIDATES: usize = 50;
    const ELSEWHERE: u64 = 1 << 40;
    let (mut fixture, delivery) = Fixture::without_task(POLICY, 65_536);
    tokio::spawn(delivery.run());
    let mut receiver = fixture.log_in(RECEIVER, WireFormat::SimpleJson);
    for _ in 0..CANDIDATES {
        for from in 1..16 {
            let message = ice(from, format!("candidate {}", "x".repeat(500)));
            fixture.dispatcher.relay(ConnId(ELSEWHERE + from), ConnId(RECEIVER), message);
        }
        fixture.dispatcher.flush().await;
    }
    for _ in 0..CANDIDATES * 15 {
        receiver.expect_text("candidate").await;
        // 60 kB/s.
        sleep(Duration::from_millis(10)).await;
    }
    let text = fixture.dispatcher.metrics.text().unwrap();
    assert!(!text.contains("server_relay_dropped_total{"), "{text}");
}
