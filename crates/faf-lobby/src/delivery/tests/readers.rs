//! A fast, a slow and a stopped reader, whatever there is to read: nobody who reads is given up.

use std::sync::atomic::{AtomicUsize, Ordering};

use faf_protocol::server_message::Social;
use tokio::io::ReadHalf;
use tokio::time::{interval, sleep};

use super::*;

/// How a client reads.
#[derive(Debug, Clone, Copy)]
enum Reads {
    /// So many bytes each second.
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
    fn new(hall: &mut Hall, conn: u64, reads: Reads) -> Self {
        let (session, server, slot, stream) = hall.slot(conn, WireFormat::SimpleJson);
        hall.dispatcher.log_in(ConnId(conn));
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
            // Nothing more may come this second.
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

/// Says something to a fast, a slow, a stopped and a very slow reader, and looks at who is left when it can have been read.
async fn check(say: impl FnOnce(&mut Hall)) {
    let mut hall = Hall::new(POLICY);
    let readers = [Reads::Steadily(10_000_000), Reads::Steadily(3000), Reads::Nothing, Reads::Steadily(1)];
    let [fast, slow, stopped, trickle] =
        std::array::from_fn(|conn| Reading::new(&mut hall, conn as u64, readers[conn]));
    say(&mut hall);
    let end = notice("the end");
    hall.broadcast(end);
    // They are read from meanwhile, whatever waits for them.
    (0..4).for_each(|conn| hall.dispatcher.release(ConnId(conn), Hold::InFlight));
    hall.dispatcher.flush().await;
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
    hall.wait_for_metric("server_clients_behind 0").await;
    hall.wait_for_metric("server_bytes_behind 0").await;
    hall.wait_for_metric("server_connections_ended_total{reason=\"stalled\"} 1").await;
    hall.wait_for_metric("server_connections_ended_total{reason=\"too slow\"} 1").await;
}

#[tokio::test(start_paused = true)]
async fn a_huge_turn_ends_nobody_who_reads() {
    check(|hall| (0..3000).for_each(|number| hall.broadcast(game(number, 1)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_huge_message_ends_nobody_who_reads() {
    check(|hall| hall.broadcast(notice("x".repeat(2_000_000)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_login_with_many_foes_ends_nobody_who_reads() {
    check(|hall| {
        for conn in 0..4 {
            hall.asks(conn);
            let foes = (1..200_000).map(faf_protocol::PlayerId).collect();
            let social = ServerMessage::Social(Social { foes: Some(foes), ..Social::default() });
            hall.dispatcher.send(Audience::One(ConnId(conn)), social);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn large_turns_one_after_the_other_end_nobody_who_reads() {
    check(|hall| {
        for round in 0..20 {
            (0..200).for_each(|number| hall.broadcast(game(1000 * round + number, 1)));
        }
    })
    .await;
}

/// A large turn is kept once for all, however many are told it.
#[tokio::test]
async fn a_huge_turn_costs_little_for_each_client() {
    const CLIENTS: usize = 100;
    let (mut hall, mut delivery) = Hall::by_hand(POLICY, SOCKET);
    let _clients: Vec<_> =
        (0..CLIENTS as u64).map(|conn| hall.log_in(conn, WireFormat::SimpleJson)).collect();
    (0..3000).for_each(|number| hall.broadcast(game(number, 1)));
    hall.dispatcher.flush().await;
    while delivery.behind.clients < CLIENTS {
        delivery.run_once().await;
    }
    assert!(delivery.behind.memory < CLIENTS * 4000, "{} bytes", delivery.behind.memory);
}
