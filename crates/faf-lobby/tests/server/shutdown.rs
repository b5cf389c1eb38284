//! Shutdown of the server.

use faf_protocol::WireFormat;
use tokio::net::TcpStream;

use super::support::{TestServer, soon};

#[tokio::test]
async fn every_client_is_notified_and_receives_sent_messages() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for format in WireFormat::ALL {
        clients.push(server.log_in(format, &format!("by-{format}")).await);
    }
    let mut visitor = server.connect(WireFormat::SimpleJson).await;
    visitor.check_is_served().await;
    let address = server.address(WireFormat::SimpleJson);
    server.request_shutdown().await;
    for client in &mut clients {
        client.receive_containing("will be shutting down for maintenance").await;
        client.receive_containing("has been shut down for maintenance").await;
        client.wait_for_end().await;
    }
    visitor.wait_for_end().await;
    drop((clients, visitor));
    server.wait().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn second_request_does_not_wait() {
    // Without it the next report, which continues the shutdown, is a minute away.
    let server = TestServer::start_with(|settings| settings.report_interval = 60.0).await;
    let mut client = server.log_in(WireFormat::WebSocket, "Ada").await;
    server.request_shutdown().await;
    client.receive_containing("will be shutting down for maintenance").await;
    server.request_shutdown().await;
    client.receive_containing("has been shut down for maintenance").await;
    client.wait_for_end().await;
    drop(client);
    server.wait().await;
}

#[tokio::test]
async fn client_that_does_not_read_delays_the_shutdown_only_briefly() {
    let server = TestServer::start().await;
    let deaf = server.log_in(WireFormat::SimpleJson, "Deaf").await;
    server.request_shutdown().await;
    // The client's socket stays open until the server has ended.
    soon("the server shuts down", server.wait()).await;
    drop(deaf);
}
