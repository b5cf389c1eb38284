//! Fast, slow and stopped readers: a client that reads is never disconnected, however much is sent.

use std::sync::atomic::{AtomicUsize, Ordering};

use faf_protocol::server_message::Social;
use tokio::io::ReadHalf;
use tokio::time::{interval, sleep};

use super::*;

/// How a client reads.
#[derive(Debug, Clone, Copy)]
enum Reads {
    /// Bytes per second.
    Steadily(usize),
    Nothing,
}

/// A client that counts what it reads. The clock is simulated.
struct Reading {
    server: Writer,
    slot: Arc<ConnectionSlot>,
    received: Arc<AtomicUsize>,
    _session: Reader,
}

impl Reading {
    fn new(fixture: &mut Fixture, conn: u64, reads: Reads) -> Self {
        let (session, server, slot, stream) = fixture.slot(conn, WireFormat::SimpleJson);
        fixture.dispatcher.log_in(ConnId(conn));
        let received = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&received);
        tokio::spawn(async move {
            let (mut stream, _write) = tokio::io::split(stream);
            match reads {
                Reads::Steadily(rate) => read(&mut stream, rate, &counter).await,
                Reads::Nothing => sleep(Duration::from_secs(1_000_000)).await,
            }
        });
        Self { server, slot, received, _session: session }
    }

    fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

async fn read(stream: &mut ReadHalf<DuplexStream>, rate: usize, counter: &AtomicUsize) {
    let mut seconds = interval(Duration::from_secs(1));
    let mut buffer = vec![0; 65_536];
    loop {
        seconds.tick().await;
        let mut left = rate;
        while left > 0 {
            let most = left.min(buffer.len());
            // There may be nothing more in this second.
            let Ok(read) = timeout(Duration::from_millis(1), stream.read(&mut buffer[..most])).await else {
                break;
            };
            match read {
                Ok(read) if read > 0 => {
                    left -= read;
                    counter.fetch_add(read, Ordering::Relaxed);
                }
                _ => return,
            }
        }
    }
}

/// Sends messages to a fast, a slow, a stopped and a very slow reader, and checks which of them are
/// still connected when the messages can have been read.
async fn check(send: impl FnOnce(&mut Fixture)) {
    let mut fixture = Fixture::new(POLICY);
    let readers = [Reads::Steadily(10_000_000), Reads::Steadily(3000), Reads::Nothing, Reads::Steadily(1)];
    let [fast, slow, stopped, trickle] =
        std::array::from_fn(|conn| Reading::new(&mut fixture, conn as u64, readers[conn]));
    send(&mut fixture);
    let end = notice("the end");
    fixture.broadcast(end);
    // Meanwhile the server reads them, however much waits for them.
    (0..4).for_each(|conn| fixture.dispatcher.release(ConnId(conn), Hold::InFlight));
    fixture.dispatcher.flush().await;
    for reader in [&fast, &slow, &stopped, &trickle] {
        assert_eq!(handled(&reader.slot).await, Gate::Open);
    }
    sleep(Duration::from_secs(20)).await;
    assert!(stopped.server.is_connected());
    let total = fast.received();
    assert!(total > 1_000_000, "{total} bytes");
    sleep(Duration::from_secs(20)).await;
    assert!(!stopped.server.is_connected());
    sleep(Duration::from_secs(100)).await;
    assert!(!trickle.server.is_connected(), "one byte a second is too little");
    assert!(trickle.received() > 100);
    sleep(Duration::from_secs(total as u64 / 3000)).await;
    assert!(fast.server.is_connected() && slow.server.is_connected());
    assert_eq!((fast.received(), slow.received()), (total, total));
    fixture.wait_for_metric("server_clients_behind 0").await;
    fixture.wait_for_metric("server_bytes_behind 0").await;
    fixture.wait_for_metric("server_connections_ended_total{reason=\"stalled\"} 1").await;
    fixture.wait_for_metric("server_connections_ended_total{reason=\"too slow\"} 1").await;
}

#[tokio::test(start_paused = true)]
async fn huge_turn_disconnects_no_reader() {
    check(|fixture| (0..3000).for_each(|number| fixture.broadcast(game(number, 1)))).await;
}

#[tokio::test(start_paused = true)]
async fn huge_message_disconnects_no_reader() {
    check(|fixture| fixture.broadcast(notice("x".repeat(2_000_000)))).await;
}

#[tokio::test(start_paused = true)]
async fn login_with_many_foes_disconnects_no_reader() {
    check(|fixture| {
        for conn in 0..4 {
            fixture.begin_message(conn);
            let foes = (1..200_000).map(faf_protocol::PlayerId).collect();
            let social = ServerMessage::Social(Social { foes: Some(foes), ..Social::default() });
            fixture.dispatcher.send(Audience::One(ConnId(conn)), social);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn consecutive_large_turns_disconnect_no_reader() {
    check(|fixture| {
        for round in 0..20 {
            (0..200).for_each(|number| fixture.broadcast(game(1000 * round + number, 1)));
        }
    })
    .await;
}

/// A large turn is kept once for all its receivers.
#[tokio::test]
async fn huge_turn_costs_little_memory_per_client() {
    const CLIENTS: usize = 100;
    let (mut fixture, mut delivery) = Fixture::without_task(POLICY, SOCKET_BYTES);
    let _clients: Vec<_> =
        (0..CLIENTS as u64).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    (0..3000).for_each(|number| fixture.broadcast(game(number, 1)));
    fixture.dispatcher.flush().await;
    while delivery.backlogs.clients < CLIENTS {
        delivery.run_once().await;
    }
    assert!(delivery.backlogs.memory < CLIENTS * 4000, "{} bytes", delivery.backlogs.memory);
}
