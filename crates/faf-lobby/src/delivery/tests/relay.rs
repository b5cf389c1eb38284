//! What players' games say to each other costs the sender, and never the receiver.

use faf_protocol::PlayerId;
use faf_protocol::gpgnet::ServerToGame;
use tokio::time::sleep;

use super::*;
use crate::delivery::relay::IN_FLIGHT_BYTES;

const SECOND: Duration = Duration::from_secs(1);
const RECEIVER: u64 = 1000;

fn ice(sender: u64, text: impl Into<String>) -> ServerMessage {
    let message = text.into().as_str().into();
    ServerMessage::Game(ServerToGame::IceMsg { sender_id: PlayerId(sender as u32), message }.into())
}

/// What the server does for a message of one player's game to another's.
fn relay(hall: &mut Hall, from: u64, to: u64, text: impl Into<String>) {
    hall.asks(from);
    hall.dispatcher.relay(ConnId(from), ConnId(to), ice(from, text));
    hall.dispatcher.release(ConnId(from), Hold::InFlight);
    hall.dispatcher.done(ConnId(from));
}

/// Sends until a message is held, and returns how many were sent.
async fn flood(hall: &mut Hall, sender: &Client, from: u64, text: &str) -> usize {
    for sent in 1..1000 {
        relay(hall, from, RECEIVER, text);
        hall.dispatcher.flush().await;
        if handled(&sender.slot).await != Gate::Open {
            return sent;
        }
    }
    panic!("nothing is held")
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_held_and_then_dropped_and_everything_else_goes_on() {
    let mut hall = Hall::new(POLICY);
    let mut receiver = hall.log_in(RECEIVER, WireFormat::SimpleJson);
    let mut flooder = hall.log_in(1, WireFormat::SimpleJson);
    let mut honest = hall.log_in(2, WireFormat::SimpleJson);
    let text = "x".repeat(4000);
    let sent = flood(&mut hall, &flooder, 1, &text).await;
    assert!((IN_FLIGHT_BYTES / 2..IN_FLIGHT_BYTES).contains(&(sent * text.len())), "{sent}");
    // Half of what may be under way is left for others.
    for _ in 0..5 {
        relay(&mut hall, 2, RECEIVER, "y".repeat(4000));
        hall.dispatcher.flush().await;
        assert_eq!(handled(&honest.slot).await, Gate::Open);
    }
    // After a short while the flooder is read again, is told why, and further messages are dropped at once.
    opened(&flooder.slot).await;
    flooder.hears_text("more than that player's connection takes").await;
    for _ in 0..50 {
        relay(&mut hall, 1, RECEIVER, &text);
        hall.dispatcher.flush().await;
        assert_eq!(handled(&flooder.slot).await, Gate::Open);
    }
    hall.wait_for_metric("server_relay_dropped_total{reason=\"the receiver is behind\"} 51").await;
    hall.wait_for_metric("server_relay_held_total 1").await;
    // The receiver itself is neither muted nor late nor ended: it asks, tells others, and hears what everybody hears.
    hall.asks(RECEIVER);
    hall.dispatcher.send(Audience::One(ConnId(RECEIVER)), notice("answer"));
    hall.dispatcher.release(ConnId(RECEIVER), Hold::InFlight);
    relay(&mut hall, RECEIVER, 2, "from the receiver");
    hall.dispatcher.flush().await;
    assert_eq!(handled(&receiver.slot).await, Gate::Open);
    honest.hears_text("from the receiver").await;
    // The messages that were under way, in their order; the answer overtakes most of them.
    let mut heard = Vec::new();
    while heard.len() < sent + 5 {
        let message = receiver.hear().await.to_string();
        heard.extend(["xxx", "yyy", "answer"].into_iter().filter(|text| message.contains(text)));
    }
    assert!(heard.iter().position(|text| *text == "answer").is_some_and(|place| place < 5), "{heard:?}");
    heard.retain(|text| *text != "answer");
    assert_eq!(heard, [vec!["xxx"; sent - 1], vec!["yyy"; 5]].concat());
    hall.wait_for_metric("server_clients_behind 0").await;
    // Then there is room again.
    relay(&mut hall, 1, RECEIVER, "again");
    hall.dispatcher.flush().await;
    receiver.hears_text("again").await;
    // The flooder is told once, not once for each.
    hall.broadcast(ServerMessage::Ping);
    hall.dispatcher.flush().await;
    flooder.hears("ping").await;
    assert!(receiver.server.is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_held_message_is_delivered_as_soon_as_there_is_room() {
    let mut hall = Hall::new(POLICY);
    let mut receiver = hall.log_in(RECEIVER, WireFormat::SimpleJson);
    let sender = hall.log_in(1, WireFormat::SimpleJson);
    let text = "x".repeat(10_000);
    let sent = flood(&mut hall, &sender, 1, &text).await;
    for _ in 0..sent {
        receiver.hears_text("xxx").await;
    }
    opened(&sender.slot).await;
    assert!(!hall.dispatcher.metrics.text().unwrap().contains("server_relay_dropped_total{"));
    // The time for which it was held is over; the next message has its own.
    let sent = flood(&mut hall, &sender, 1, &text).await;
    sleep(Duration::from_millis(1900)).await;
    for _ in 0..sent {
        receiver.hears_text("xxx").await;
    }
    opened(&sender.slot).await;
    assert!(!hall.dispatcher.metrics.text().unwrap().contains("server_relay_dropped_total{"));
}

#[tokio::test(start_paused = true)]
async fn many_flooders_leave_room_for_one_more() {
    let mut hall = Hall::new(POLICY);
    let _receiver = hall.log_in(RECEIVER, WireFormat::SimpleJson);
    let text = "x".repeat(1000);
    for from in 1..=14 {
        let flooder = hall.log_in(from, WireFormat::SimpleJson);
        flood(&mut hall, &flooder, from, &text).await;
    }
    let honest = hall.log_in(15, WireFormat::SimpleJson);
    for _ in 0..3 {
        relay(&mut hall, 15, RECEIVER, "candidate".repeat(50));
        hall.dispatcher.flush().await;
        assert_eq!(handled(&honest.slot).await, Gate::Open);
    }
    hall.wait_for_metric("server_clients_behind 1").await;
}

/// The receiver's own commands are not delayed: however much waits of what others' games say, answers come before it, but not before
/// what was there when they were given.
#[tokio::test(start_paused = true)]
async fn answers_overtake_what_other_games_say() {
    let mut hall = Hall::new(POLICY);
    let mut receiver = hall.log_in(RECEIVER, WireFormat::SimpleJson);
    let text = "x".repeat(4000);
    for from in 1..=10 {
        let flooder = hall.log_in(from, WireFormat::SimpleJson);
        flood(&mut hall, &flooder, from, &text).await;
    }
    hall.asks(RECEIVER);
    hall.dispatcher.send(Audience::One(ConnId(RECEIVER)), notice("answer"));
    relay(&mut hall, 11, RECEIVER, "later");
    hall.dispatcher.flush().await;
    let mut before = 0;
    loop {
        let message = receiver.hear().await.to_string();
        assert!(!message.contains("later"), "the answer is overtaken");
        if message.contains("answer") {
            break;
        }
        before += message.len();
    }
    // What was handed over at first, and once more what is handed over at once.
    assert!(before < 40 * 1024, "{before} bytes of other players came first");
}

/// Sixteen players negotiate at once, with fifty candidates each for everybody else, and one of them reads slowly.
#[tokio::test(start_paused = true)]
async fn an_honest_exchange_loses_nothing() {
    const PLAYERS: u64 = 16;
    const CANDIDATES: usize = 50;
    let (mut hall, delivery) = Hall::by_hand(POLICY, 65_536);
    tokio::spawn(delivery.run());
    let mut clients: Vec<_> = (1..=PLAYERS).map(|conn| hall.log_in(conn, WireFormat::SimpleJson)).collect();
    let slots: Vec<_> = clients.iter().map(|client| Arc::clone(&client.slot)).collect();
    let listeners = clients.drain(..).enumerate().map(|(place, mut client)| {
        tokio::spawn(async move {
            for _ in 0..CANDIDATES * (PLAYERS as usize - 1) {
                client.hears_text("candidate").await;
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
                relay(&mut hall, from, to, &candidate);
                hall.dispatcher.flush().await;
                let slot = &slots[from as usize - 1];
                // As a session does, it says nothing more until it may.
                opened(slot).await;
            }
        }
    }
    for listener in listeners {
        listener.await.unwrap();
    }
    let text = hall.dispatcher.metrics.text().unwrap();
    assert!(!text.contains("server_relay_dropped_total{"), "{text}");
}

/// That a receiver does not take what other players' games send it is no reason to end it. What the lobby itself says is.
#[tokio::test(start_paused = true)]
async fn relayed_messages_alone_never_end_their_receiver() {
    let mut hall = Hall::new(POLICY);
    let receiver = hall.log_in(RECEIVER, WireFormat::SimpleJson);
    let flooder = hall.log_in(1, WireFormat::SimpleJson);
    flood(&mut hall, &flooder, 1, &"x".repeat(4000)).await;
    sleep(SECOND * 3600).await;
    assert!(receiver.server.is_connected());
    hall.broadcast(ServerMessage::Ping);
    hall.dispatcher.flush().await;
    sleep(SECOND * 40).await;
    assert!(!receiver.server.is_connected());
    hall.wait_for_metric("server_connections_ended_total{reason=\"stalled\"} 1").await;
}

/// Nobody stands still because a receiver has gone.
#[tokio::test(start_paused = true)]
async fn a_sender_is_released_when_the_receiver_goes() {
    let mut hall = Hall::new(POLICY);
    let disconnect = |hall: &mut Hall, conn| hall.dispatcher.disconnect(conn);
    for (end, sender) in [(Hall::close as fn(&mut Hall, ConnId), 1), (disconnect, 2)] {
        let _receiver = hall.log_in(RECEIVER, WireFormat::SimpleJson);
        let client = hall.log_in(sender, WireFormat::SimpleJson);
        flood(&mut hall, &client, sender, &"x".repeat(4000)).await;
        end(&mut hall, ConnId(RECEIVER));
        hall.dispatcher.flush().await;
        timeout(SECOND, opened(&client.slot)).await.unwrap();
    }
}

/// When memory is short, relayed messages are the first that are not kept, so that nobody is ended for them.
#[tokio::test(start_paused = true)]
async fn relayed_messages_never_fill_the_memory() {
    let mut hall = Hall::new(SlowConsumerPolicy { memory: 200_000, ..POLICY });
    let receivers: Vec<_> =
        (RECEIVER..RECEIVER + 20).map(|conn| hall.log_in(conn, WireFormat::SimpleJson)).collect();
    let _sender = hall.log_in(1, WireFormat::SimpleJson);
    for _ in 0..10 {
        for to in RECEIVER..RECEIVER + 20 {
            relay(&mut hall, 1, to, "x".repeat(4000));
        }
        hall.dispatcher.flush().await;
        sleep(SECOND * 3).await;
    }
    assert!(receivers.iter().all(|receiver| receiver.server.is_connected()));
    let text = hall.dispatcher.metrics.text().unwrap();
    assert!(text.contains("server_delivery_held_back_total 0"), "{text}");
}
