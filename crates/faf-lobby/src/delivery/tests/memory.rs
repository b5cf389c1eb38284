//! Behaviour when all backlogs together exceed the memory limit.

use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Of the clients that read nothing, the one with the largest backlog is disconnected first, and no
/// more than necessary.
#[tokio::test(start_paused = true)]
async fn slow_client_with_the_largest_backlog_is_disconnected() {
    let mut fixture = Fixture::new(SlowConsumerPolicy { memory: 300_000, ..POLICY });
    let mut clients: Vec<_> = (0..3).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    for (conn, count) in [(0, 120), (1, 130), (2, 80)] {
        for _ in 0..count {
            fixture.dispatcher.send(Audience::One(ConnId(conn)), notice("x".repeat(1000)));
        }
        fixture.dispatcher.flush().await;
    }
    sleep(4 * SECOND).await;
    assert!(clients.iter().all(|client| client.server.is_connected()), "no client counts as slow so soon");
    sleep(8 * SECOND).await;
    fixture.wait_for_metric("server_connections_ended_total{reason=\"memory\"} 1").await;
    let connected: Vec<_> = clients.iter().map(|client| client.server.is_connected()).collect();
    assert_eq!(connected, [true, false, true]);
    for _ in 0..80 {
        clients[2].expect_command("notice").await;
    }
}

/// Current snapshots cost nothing more. Outdated ones are kept only for clients that have not
/// read them.
#[tokio::test(start_paused = true)]
async fn outdated_snapshots_count() {
    let mut fixture = Fixture::new(SlowConsumerPolicy { memory: 100_000, ..POLICY });
    let mut clients: Vec<_> = (0..2).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    for number in 0..61 {
        let ServerMessage::GameInfo(game) = game(number, 1) else { panic!() };
        let list = ServerMessage::GameList(Arc::new(GameList { games: vec![game; 20] }));
        // In the end, every list replaces the one before.
        let chunk = if number <= 30 { number } else { 30 };
        let id = Some(SnapshotId { list: SnapshotList::Games, chunk: chunk.into(), version: number.into() });
        for conn in [0, 1] {
            fixture.dispatcher.send_snapshot(ConnId(conn), id, list.clone());
        }
        fixture.dispatcher.flush().await;
        clients[1].expect_command("game_info").await;
        if number == 30 {
            sleep(10 * SECOND).await;
            assert!(clients[0].server.is_connected());
        }
    }
    fixture.wait_for_metric("server_connections_ended_total{reason=\"memory\"} 1").await;
    assert!(!clients[0].server.is_connected() && clients[1].server.is_connected());
}

/// All clients read well and are sent more than fits into memory: the lobby waits, no client is
/// disconnected, and nothing is lost.
#[tokio::test(start_paused = true)]
async fn lobby_waits_for_clients_that_read_well() {
    const MESSAGES: usize = 200;
    let mut fixture = Fixture::new(SlowConsumerPolicy { memory: 200_000, ..POLICY });
    let mut clients: Vec<_> = (0..3).map(|conn| fixture.log_in(conn, WireFormat::SimpleJson)).collect();
    let listeners = clients.drain(..).map(|mut client| {
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                client.expect_text(&format!("<{number}>")).await;
                // 30 kB/s.
                sleep(SECOND).await;
            }
            client.server.is_connected()
        })
    });
    let listeners: Vec<_> = listeners.collect();
    let start = Instant::now();
    for number in 0..MESSAGES {
        fixture.broadcast(notice(format!("<{number}>{}", "x".repeat(30_000))));
        fixture.dispatcher.flush().await;
    }
    assert!(start.elapsed() > SECOND * 60, "the lobby was too fast: {:?}", start.elapsed());
    for listener in listeners {
        assert!(listener.await.unwrap());
    }
    fixture.wait_for_metric("server_clients_behind 0").await;
    let text = fixture.dispatcher.metrics.text().unwrap();
    assert!(!text.contains("server_connections_ended_total{"), "{text}");
    assert!(!text.contains("server_delivery_held_back_total 0"), "{text}");
}
