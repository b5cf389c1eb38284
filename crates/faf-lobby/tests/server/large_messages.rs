//! Large messages of many players at once: their memory is bounded, and every player is answered.

use std::time::Duration;

use faf_protocol::WireFormat;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::support::{HonestPlayer, TestServer, frame, soon};

const MIB: usize = 1024 * 1024;

/// Returns a ping of almost this many bytes in this format.
fn large_ping(format: WireFormat, bytes: usize) -> bytes::Bytes {
    let width = if format == WireFormat::QDataStream { 2 } else { 1 };
    frame(format, &format!(r#"{{"command":"ping","x":"{}"}}"#, "x".repeat(bytes / width - 100)))
}

/// Returns the memory of large messages that the server reports, in bytes.
async fn taken(server: &TestServer) -> usize {
    let metrics = server.get("/metrics").await.1;
    let line = metrics.lines().find_map(|line| line.strip_prefix("server_large_message_bytes "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn large_messages_wait_for_memory() {
    // The smallest valid setting.
    const MEMORY: usize = 40 * MIB;
    let server = TestServer::start_with(|settings| settings.large_message_memory = MEMORY).await;
    let honest = HonestPlayer::log_in(&server, WireFormat::WebSocket).await;
    let mut players = JoinSet::new();
    for number in 0..9 {
        let format = WireFormat::ALL[number % 3];
        let mut player = server.log_in(format, &format!("Player{number}")).await;
        players.spawn(async move {
            player.writer.write_raw(large_ping(format, 10 * MIB), 1).unwrap();
            player.receive_command("pong").await;
            player
        });
    }
    let mut most = 0;
    let mut inside = Vec::new();
    soon("all players are answered", async {
        while inside.len() < 9 {
            tokio::select! {
                player = players.join_next() => inside.push(player.unwrap().unwrap()),
                taken = taken(&server) => {
                    assert!(taken <= MEMORY, "{taken}");
                    most = most.max(taken);
                }
            }
        }
    })
    .await;
    assert!(most >= 10 * MIB - 1024, "{most}");
    honest.was_served().await;
    for player in &mut inside {
        player.check_is_served().await;
    }
    assert_eq!(taken(&server).await, 0);
}

#[tokio::test]
async fn waiting_players_hold_no_memory() {
    let server = TestServer::start().await;
    for format in WireFormat::ALL {
        let mut player = server.log_in(format, "Ada").await;
        let units = "x".repeat(3 * MIB);
        let statistics = format!(r#"{{"target":"game","command":"JsonStats","args":["{units}"]}}"#);
        // More than the rate allows at once: the server reads the next message after half a minute.
        for _ in 0..2 {
            player.writer.send_raw(frame(format, &statistics), 1).await.unwrap();
        }
        player.receive_command("notice").await;
        server.wait_for_metric("server_large_message_bytes 0").await;
    }
}

#[tokio::test]
async fn unfinished_large_messages_are_ended_for_others() {
    let server = TestServer::start_with(|settings| {
        settings.message_limit = MIB;
        settings.large_message_memory = 4 * MIB;
        settings.large_message_rate = MIB / 16;
    })
    .await;
    let honest = HonestPlayer::log_in(&server, WireFormat::SimpleJson).await;
    for format in WireFormat::ALL {
        let mut lazy = server.log_in(format, "Lazy").await;
        let large = large_ping(format, MIB);
        lazy.writer.send_raw(large.slice(..large.len() / 2), 0).await.unwrap();
        let mut next = server.log_in(format, "Next").await;
        next.writer.write_raw(large, 1).unwrap();
        next.receive_command("pong").await;
        lazy.wait_for_end().await;
    }
    server.wait_for_metric(r#"server_connections_ended_total{reason="large message too slow"} 3"#).await;
    honest.was_served().await;
}

/// Many clients that stop in the middle of a message block no others: each holds little more memory
/// than it has sent.
#[tokio::test]
async fn statistics_do_not_wait_for_unfinished_messages() {
    let server = TestServer::start_with(|settings| settings.large_message_memory = 40 * MIB).await;
    let mut held = Vec::new();
    for number in 0..30 {
        let player = server.log_in(WireFormat::SimpleJson, &format!("Held{number}")).await;
        // The full size of these messages would be seven times the available memory.
        let begun = large_ping(WireFormat::SimpleJson, 10 * MIB).slice(..20_000);
        player.writer.send_raw(begun, 0).await.unwrap();
        held.push(player);
    }
    let mut honest = server.log_in(WireFormat::SimpleJson, "Honest").await;
    let statistics = "x".repeat(40_000);
    honest.send_as_game("JsonStats", &format!(r#"["{statistics}"]"#)).await;
    honest.check_is_served().await;
    // None of them was disconnected before, because there was enough memory.
    assert!(held.iter().all(|player| player.writer.is_connected()));
    // But they do not keep memory that they do not use.
    server.wait_for_metric("server_large_message_bytes 0").await;
    server.wait_for_metric(r#"server_connections_ended_total{reason="large message too slow"} 30"#).await;
}

/// Received bytes are a sign of life, even without a whole message.
#[tokio::test]
async fn slow_sender_of_a_large_message_is_not_idle() {
    let server = TestServer::start_with(|settings| {
        settings.ping_interval = 0.1;
        settings.idle_timeout = 1.0;
        settings.large_message_rate = 1;
    })
    .await;
    for format in WireFormat::ALL {
        let mut slow = server.log_in(format, "Slow").await;
        let mut silent = server.log_in(format, "Silent").await;
        let message = large_ping(format, 60_000);
        // Sends byte by byte until a silent client was disconnected.
        let mut sent = 0;
        let sending = async {
            let mut tick = interval(Duration::from_millis(20));
            loop {
                tick.tick().await;
                slow.writer.send_raw(message.slice(sent..=sent), 0).await.unwrap();
                sent += 1;
            }
        };
        tokio::select! {
            () = sending => {}
            () = silent.wait_for_end() => {}
        }
        slow.writer.send_raw(message.slice(sent..), 1).await.unwrap();
        slow.receive_command("pong").await;
    }
}
