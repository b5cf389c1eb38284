//! The HTTP interface for operators.

use faf_protocol::WireFormat;
use serde_json::{Value, json};

use super::support::TestServer;

fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[tokio::test]
async fn it_tells_how_the_server_is() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/ready").await, (200, String::new()));
    let (status, health) = server.get("/health").await;
    assert_eq!((status, parse(&health)), (200, json!({"lobby": "ok", "database": "ok"})));
    for path in ["/", "/nothing", "/metrics/x"] {
        assert_eq!(server.get(path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn it_tells_who_is_online() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/players").await, (200, "[]".to_owned()));
    let _ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let _stranger = server.connect(WireFormat::QDataStream).await;
    let players = parse(&server.get("/players").await.1);
    assert_eq!(players[0]["login"], "Ada");
    assert_eq!(players[0]["global_rating"], json!([1500.0, 500.0]));
    assert_eq!(server.get("/games").await, (200, "[]".to_owned()));
    server.wait_for_metric("server_user_connections{user_agent=\"None\",version=\"None\"} 1").await;
    let status = parse(&server.get("/status").await.1);
    assert_eq!((&status["players"], &status["connections"]), (&json!(1), &json!(2)));
    assert!(status["uptime_seconds"].is_u64() && status["version"].is_string());
}

#[tokio::test]
async fn it_counts() {
    let server = TestServer::start().await;
    let mut client = server.log_in(WireFormat::SimpleJson, "Ada").await;
    client.say(r#"{"command":"ping"}"#).await;
    client.hear_command("pong").await;
    for line in [
        "server_lobbyconnections_total 1",
        "server_user_online 1",
        "server_user_logins_total{status=\"success\",method=\"password\"} 1",
        "server_user_connections{user_agent=\"downlords-faf-client\",version=\"test\"} 1",
        "server_user_agent_version_checks_total{version=\"test\"} 1",
        "server_messages_total{protocol=\"WebSocketProtocol\"} 0",
        "server_on_message_received_seconds_count 3",
    ] {
        server.wait_for_metric(line).await;
    }
    let mut stranger = server.connect(WireFormat::WebSocket).await;
    stranger.say(r#"{"command":"game_host"}"#).await;
    stranger.hear_end().await;
    server.wait_for_metric("server_messages_unauthenticated_total{command=\"game_host\"} 1").await;
}
