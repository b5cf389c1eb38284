//! A database that another process keeps locked, while many players log in.

use faf_lobby::store::OtherProgram;
use faf_protocol::WireFormat;

use super::support::{TestServer, soon};

#[tokio::test]
async fn players_are_served_while_logins_wait_for_the_database() {
    let server = TestServer::start().await;
    let mut honest = server.log_in(WireFormat::WebSocket, "Honest").await;
    for number in 0..20 {
        server.log_in(WireFormat::SimpleJson, &format!("Player{number}")).await;
    }
    server.wait_for_metric("server_user_online 1").await;
    let other = OtherProgram::open(&server.database()).unwrap();
    other.lock().unwrap();
    let mut players = Vec::new();
    for number in 0..20 {
        let mut client = server.connect(WireFormat::ALL[number % 3]).await;
        players.push(tokio::spawn(async move {
            client.log_in(&format!("Player{number}")).await;
            client
        }));
    }
    for _ in 0..100 {
        honest.check_is_served().await;
    }
    assert!(players.iter().all(|player| !player.is_finished()));
    drop(other);
    for player in players {
        let mut client = soon("a login", player).await.unwrap();
        client.check_is_served().await;
    }
    honest.check_is_served().await;
}
