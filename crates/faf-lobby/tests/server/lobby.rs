//! Players of all wire formats in one lobby.

use faf_protocol::WireFormat;

use super::support::TestServer;

#[tokio::test]
async fn players_of_all_formats_meet() {
    let server = TestServer::start().await;
    let mut ada = server.log_in(WireFormat::QDataStream, "Ada").await;
    let mut bob = server.log_in(WireFormat::SimpleJson, "Bob").await;
    let mut cem = server.log_in(WireFormat::WebSocket, "Cem").await;
    for client in [&mut ada, &mut bob] {
        client.receive_containing(r#""login":"Cem""#).await;
    }
    for client in [&mut ada, &mut bob, &mut cem] {
        client.check_is_served().await;
    }
    drop(bob);
    for client in [&mut ada, &mut cem] {
        let gone = client.receive_containing(r#""state":"offline""#).await;
        assert!(gone.as_str().contains(r#""login":"Bob""#));
    }
    server.wait_for_metric("server_user_online 2").await;
}

#[tokio::test]
async fn second_login_takes_over_across_formats() {
    let server = TestServer::start().await;
    let mut watcher = server.log_in(WireFormat::SimpleJson, "Watcher").await;
    let mut old = server.log_in(WireFormat::QDataStream, "Ada").await;
    let mut new = server.log_in(WireFormat::WebSocket, "ada").await;
    let kick = old.receive_command("notice").await;
    assert!(kick.as_str().contains("kick"), "{kick}");
    old.wait_for_end().await;
    new.check_is_served().await;
    watcher.check_is_served().await;
    server.wait_for_metric("server_user_online 2").await;
}

#[tokio::test]
async fn wrong_password_keeps_the_connection() {
    let server = TestServer::start().await;
    drop(server.log_in(WireFormat::SimpleJson, "Ada").await);
    let mut client = server.connect(WireFormat::WebSocket).await;
    client.send(r#"{"command":"hello","login":"Ada","password":"wrong","unique_id":""}"#).await;
    assert_eq!(client.receive().await.command().as_deref(), Some("authentication_failed"));
    client.log_in("Ada").await;
}

#[tokio::test]
async fn every_client_gets_pings() {
    let server = TestServer::start_with(|settings| settings.ping_interval = 0.05).await;
    for format in WireFormat::ALL {
        let mut client = server.log_in(format, "Ada").await;
        client.receive_command("ping").await;
        client.receive_command("ping").await;
    }
}
