//! The end of a leader, lost messages, and a lost world, as clients notice them.

use faf_protocol::WireFormat;

use super::rig::Cluster;
use crate::server::Service;

#[tokio::test]
async fn clients_keep_their_connections_when_another_core_leads() {
    let mut cluster = Cluster::start(&["Ada", "Bob"], |_| {}).await;
    let follower = cluster.add_core();
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = gateway.log_in(WireFormat::SimpleJson, "Bob").await;
    // Whether the old leader answers or the new one, there is one answer.
    ada.send(r#"{"command":"ping"}"#).await;
    cluster.kill_core(0);
    bob.send(r#"{"command":"ping"}"#).await;
    cluster.wait_for_leader(follower).await;
    for client in [&mut ada, &mut bob] {
        client.receive("pong").await;
        client.send(r#"{"command":"matchmaker_info"}"#).await;
        let next = client.receive(r#"{"command":""#).await;
        assert_eq!(next.command().as_deref(), Some("matchmaker_info"), "a second answer: {next}");
        client.check_is_served().await;
    }
    let metrics = gateway.get("/metrics").await.1;
    assert!(!metrics.contains("server_connections_ended_total{"), "{metrics}");
    assert!(metrics.contains("\nserver_gateway_epoch 2"), "{metrics}");
}

#[tokio::test]
async fn lost_effects_are_sent_again() {
    let cluster = Cluster::start(&["Ada"], |_| {}).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::SimpleJson, "Ada").await;
    for _ in 0..3 {
        cluster.nats.lose_next();
        ada.check_is_served().await;
    }
    gateway.wait_for_metric("server_gateway_repairs_total", |repairs| repairs >= 1.0).await;
    gateway.wait_for_metric("server_gateway_effects_waiting", |waiting| waiting == 0.0).await;
}

#[tokio::test]
async fn world_that_begins_again_ends_all_connections_and_welcomes_them_again() {
    let mut cluster = Cluster::start(&["Ada", "Bob"], |_| {}).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::WebSocket, "Ada").await;
    let mut waiting = gateway.connect(WireFormat::WebSocket).await;
    cluster.lose_world();
    let core = cluster.add_core();
    cluster.wait_for_leader(core).await;
    for client in [&mut ada, &mut waiting] {
        client.wait_for_end().await;
        assert!(client.was_sent_away("the lobby has begun"));
    }
    // A client that comes back at once waits until the gateway has joined.
    let mut ada = gateway.log_in(WireFormat::WebSocket, "Ada").await;
    ada.check_is_served().await;
    let metrics = gateway.get("/metrics").await.1;
    for line in [
        r#"server_gateway_ends_total{reason="the lobby has begun again"} 1"#,
        r#"server_connections_ended_total{reason="the lobby has begun again"} 2"#,
        "server_gateway_member 1.0",
        "server_gateway_connections 1.0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test]
async fn gateway_without_a_cluster_refuses_clients_politely() {
    let mut cluster = Cluster::start(&["Ada"], |_| {}).await;
    let gateway = cluster.gateway().await;
    assert_eq!(gateway.get("/ready").await.0, 200);
    assert_eq!(gateway.get("/status").await.0, 404);
    cluster.lose_world();
    cluster.nats.announce_other_world();
    gateway.wait_for_metric("server_gateway_member", |member| member == 0.0).await;
    assert_eq!(gateway.get("/ready").await.0, 503);
    let (status, health) = gateway.get("/health").await;
    assert_eq!(status, 200, "a restart would not help: {health}");
    assert!(health.contains("not a part of the cluster"), "{health}");
    let mut refused = gateway.connect(WireFormat::SimpleJson).await;
    refused.receive("The server is not ready").await;
    refused.wait_for_end().await;
    let core = cluster.add_core();
    cluster.wait_for_leader(core).await;
    gateway.wait_for_metric("server_gateway_member", |member| member == 1.0).await;
    assert_eq!(gateway.get("/ready").await.0, 200);
    gateway.log_in(WireFormat::SimpleJson, "Ada").await.check_is_served().await;
    assert!(gateway.address(Service::Http).port() > 0);
}
