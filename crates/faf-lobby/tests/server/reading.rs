//! Large messages from others do not cause a client to be disconnected, muted or delayed.

use faf_protocol::WireFormat;
use tokio::time::timeout;

use super::support::{Client, TestServer, soon};

/// The receiver of a flood of relayed messages reads nothing for a while: the flood is queued and
/// then dropped; the receiver's own commands and the game continue. The messages are as long as
/// those that cost the sender least.
#[tokio::test]
async fn relay_flood_affects_only_its_sender() {
    let server = TestServer::start().await;
    let mut host = server.log_in(WireFormat::SimpleJson, "Host").await;
    let mut guest = server.log_in(WireFormat::WebSocket, "Guest").await;
    let game = host.host(r#""mod":"faf","visibility":"public""#).await;
    guest.send(&format!(r#"{{"command":"game_join","uid":{game}}}"#)).await;
    guest.receive_command("game_launch").await;
    guest.play("GameState", r#""Idle""#).await;
    guest.play("GameState", r#""Lobby""#).await;
    guest.receive_command("JoinGame").await;
    let flood = format!(r#"1,"{}""#, "x".repeat(4000));
    let dropped = r#"server_relay_dropped_total{reason="the receiver is behind"}"#;
    soon("messages are dropped", async {
        while !server.get("/metrics").await.1.contains(dropped) {
            for _ in 0..200 {
                guest.play("IceMsg", &flood).await;
            }
        }
    })
    .await;
    guest.receive_containing("more than that player's connection takes").await;
    // The host has read nothing yet; it sends its own command, and a message to the guest.
    host.play("GameOption", r#""Slots",7"#).await;
    host.play("IceMsg", r#"2,"still here""#).await;
    guest.receive_containing("still here").await;
    host.check_is_served().await;
    guest.check_is_served().await;
    let metrics = server.get("/metrics").await.1;
    assert!(!metrics.contains("server_connections_ended_total{"), "{metrics}");
}

/// A client that reads a broadcast of more than a megabyte stays connected.
#[tokio::test]
async fn large_broadcast_disconnects_no_reader() {
    let server = TestServer::start().await;
    let mut clients: Vec<Client> = Vec::new();
    for format in WireFormat::ALL {
        clients.push(server.log_in(format, &format!("by-{format}")).await);
    }
    server.make_administrator(&format!("by-{}", WireFormat::SimpleJson)).await;
    let text = "x".repeat(2_000_000);
    let broadcast = format!(r#"{{"command":"admin","action":"broadcast","message":"{text}"}}"#);
    let place = WireFormat::ALL.iter().position(|format| *format == WireFormat::SimpleJson).unwrap();
    let sending = clients[place].send(&broadcast);
    let sending = tokio::spawn(sending);
    for client in &mut clients {
        client.receive_containing(&text).await;
        client.check_is_served().await;
    }
    sending.await.unwrap();
    assert!(timeout(std::time::Duration::ZERO, clients[0].receive()).await.is_err());
    let metrics = server.get("/metrics").await.1;
    assert!(!metrics.contains("server_connections_ended_total{"), "{metrics}");
}
