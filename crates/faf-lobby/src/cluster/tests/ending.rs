//! The end of a gateway.

use faf_protocol::WireFormat;
use tokio::net::TcpStream;

use super::rig::{Cluster, TestGateway, soon};
use crate::server::Service;

/// Waits until a gateway does not accept connections any more.
async fn wait_until_closed(gateway: &TestGateway) {
    let address = gateway.address(Service::Lobby(WireFormat::SimpleJson));
    soon("nothing listens", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn gateway_ends_when_its_last_client_has_left() {
    let cluster = Cluster::start(&["Ada", "Bob"], |settings| settings.report_interval = 0.02).await;
    let (gateway, other) = (cluster.gateway().await, cluster.gateway().await);
    let mut ada = gateway.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = other.log_in(WireFormat::WebSocket, "Bob").await;
    gateway.shutdown.request().await;
    wait_until_closed(&gateway).await;
    assert_eq!(gateway.get("/ready").await.0, 503);
    ada.check_is_served().await;
    assert!(!gateway.running.is_finished());
    drop(ada);
    gateway.wait().await.unwrap();
    // The world knows at once, and not only when the gateway is missed.
    bob.receive(r#""state":"offline""#).await;
    bob.check_is_served().await;
}

#[tokio::test]
async fn clients_that_stay_are_sent_away_when_the_time_is_up() {
    let cluster = Cluster::start(&["Ada"], |settings| settings.shutdown_grace_period = 0.2).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::WebSocket, "Ada").await;
    gateway.shutdown.request().await;
    ada.wait_for_end().await;
    assert!(ada.was_sent_away("the server is shutting down"));
    gateway.wait().await.unwrap();
}

#[tokio::test]
async fn second_request_ends_a_gateway_at_once() {
    let cluster = Cluster::start(&["Ada"], |_| {}).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::WebSocket, "Ada").await;
    gateway.shutdown.request().await;
    ada.check_is_served().await;
    gateway.shutdown.request().await;
    ada.wait_for_end().await;
    gateway.wait().await.unwrap();
}

#[tokio::test]
async fn gateway_whose_bus_fails_says_so_and_sends_its_clients_away() {
    let cluster = Cluster::start(&["Ada"], |_| {}).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::WebSocket, "Ada").await;
    cluster.nats.fail("the stream is gone");
    ada.wait_for_end().await;
    assert!(ada.was_sent_away("the server is shutting down"));
    let failure = gateway.wait().await.unwrap_err().to_string();
    assert!(failure.contains("the stream is gone"), "{failure}");
}
