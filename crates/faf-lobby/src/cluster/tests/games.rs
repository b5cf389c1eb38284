//! Players of two gateways.

use faf_protocol::WireFormat;

use super::rig::{Client, Cluster, TestGateway, soon};

const NEVER_DROPPED: &str = "server_relay_dropped_total{";

/// Lets a host at one gateway and a guest at another open the lobby of a game.
async fn open_lobby(host: &mut Client, guest: &mut Client) {
    host.send(r#"{"command":"game_host","mod":"faf","visibility":"public"}"#).await;
    host.receive("game_launch").await;
    for state in [r#""Idle""#, r#""Lobby""#] {
        host.play("GameState", state).await;
    }
    host.receive("HostGame").await;
    guest.send(r#"{"command":"game_join","uid":1}"#).await;
    guest.receive("game_launch").await;
    for state in [r#""Idle""#, r#""Lobby""#] {
        guest.play("GameState", state).await;
    }
    guest.receive("JoinGame").await;
}

async fn two_gateways() -> (Cluster, TestGateway, TestGateway) {
    let cluster = Cluster::start(&["Ada", "Bob", "Cem"], |settings| settings.report_interval = 0.02).await;
    let (first, second) = (cluster.gateway().await, cluster.gateway().await);
    (cluster, first, second)
}

#[tokio::test]
async fn players_of_two_gateways_see_each_other_and_play() {
    let (_cluster, first, second) = two_gateways().await;
    let mut ada = first.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = second.log_in(WireFormat::SimpleJson, "Bob").await;
    ada.receive(r#""login":"Bob""#).await;
    open_lobby(&mut ada, &mut bob).await;
    for number in 0..20 {
        ada.play("IceMsg", &format!(r#"2,"from Ada {number}""#)).await;
        bob.play("IceMsg", &format!(r#"1,"from Bob {number}""#)).await;
    }
    for number in 0..20 {
        ada.receive(&format!("from Bob {number}")).await;
        bob.receive(&format!("from Ada {number}")).await;
    }
    for gateway in [&first, &second] {
        assert!(!gateway.get("/metrics").await.1.contains(NEVER_DROPPED));
    }
}

/// The flooder is at another gateway than the player it floods, who reads nothing.
#[tokio::test]
async fn flood_from_another_gateway_harms_nobody() {
    let (_cluster, first, second) = two_gateways().await;
    let mut host = first.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut guest = second.log_in(WireFormat::WebSocket, "Bob").await;
    let mut other = first.log_in(WireFormat::QDataStream, "Cem").await;
    open_lobby(&mut host, &mut guest).await;
    let flood = format!(r#"1,"{}""#, "x".repeat(4000));
    soon("messages are dropped", async {
        while !first.get("/metrics").await.1.contains(NEVER_DROPPED) {
            for _ in 0..100 {
                guest.play("IceMsg", &flood).await;
            }
            other.check_is_served().await;
        }
    })
    .await;
    guest.check_is_served().await;
    host.play("IceMsg", r#"2,"still here""#).await;
    guest.receive("still here").await;
    host.check_is_served().await;
    let metrics = first.get("/metrics").await.1;
    assert!(!metrics.contains("server_connections_ended_total{"), "{metrics}");
}
