//! How the server ends.

use faf_protocol::WireFormat;
use tokio::net::TcpStream;

use super::support::{TestServer, soon};

#[tokio::test]
async fn everybody_is_told_and_gets_what_was_sent() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for format in WireFormat::ALL {
        clients.push(server.log_in(format, &format!("by-{format}")).await);
    }
    let mut stranger = server.connect(WireFormat::SimpleJson).await;
    stranger.check_is_served().await;
    let address = server.address(WireFormat::SimpleJson);
    server.request_shutdown().await;
    for client in &mut clients {
        client.hear_of("will be shutting down for maintenance").await;
        client.hear_of("has been shut down for maintenance").await;
        client.hear_end().await;
    }
    stranger.hear_end().await;
    drop((clients, stranger));
    server.wait().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_second_request_does_not_wait() {
    // Without it the next report, at which the shutdown goes on, is a minute away.
    let server = TestServer::start_with(|settings| settings.report_interval = 60.0).await;
    let mut client = server.log_in(WireFormat::WebSocket, "Ada").await;
    server.request_shutdown().await;
    client.hear_of("will be shutting down for maintenance").await;
    server.request_shutdown().await;
    client.hear_of("has been shut down for maintenance").await;
    client.hear_end().await;
    drop(client);
    server.wait().await;
}

#[tokio::test]
async fn somebody_who_does_not_read_does_not_hold_it_up_for_long() {
    let server = TestServer::start().await;
    let deaf = server.log_in(WireFormat::SimpleJson, "Deaf").await;
    server.request_shutdown().await;
    // The client's end stays open until the server has gone.
    soon("the server shuts down", server.wait()).await;
    drop(deaf);
}
