//! Ports as FAF's server has them: probes, control and metrics (ops.md sections 5 to 7).

use std::net::SocketAddr;

use faf_lobby::config::{Listen, Settings};
use faf_lobby::server::{Server, Service};
use faf_protocol::WireFormat;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::support::{TestServer, get, soon};

fn free() -> Listen {
    Listen::one("127.0.0.1:0").unwrap()
}

async fn start() -> TestServer {
    TestServer::start_with(|settings| {
        (settings.health, settings.control, settings.metrics) = (free(), free(), free());
    })
    .await
}

#[tokio::test]
async fn each_port_has_its_paths_and_no_others() {
    let server = start().await;
    let _ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let at = |service| server.addresses_of(service)[0];
    let status = async |service, path| get(at(service), path).await.0;
    assert_eq!(get(at(Service::Health), "/ready").await, (200, String::new()));
    for path in ["/", "/players", "/metrics"] {
        assert_eq!(status(Service::Health, path).await, 404, "{path}");
    }
    let players: Value = serde_json::from_str(&get(at(Service::Control), "/players").await.1).unwrap();
    assert_eq!((&players[0]["command"], &players[0]["login"]), (&Value::Null, &"Ada".into()));
    assert_eq!(get(at(Service::Control), "/games").await, (200, "[]".to_owned()));
    for path in ["/", "/ready", "/metrics", "/events"] {
        assert_eq!(status(Service::Control, path).await, 404, "{path}");
    }
    // The one path of that port that FAF's server does not have.
    let health = get(at(Service::Metrics), "/health").await;
    assert!(health.0 == 200 && health.1.contains("\"lobby\":\"ok\""), "{}", health.1);
    for path in ["/", "/metrics", "/anything/else?x"] {
        let (status, text) = get(at(Service::Metrics), path).await;
        assert!(status == 200 && text.contains("\nserver_user_online "), "{path}: {text}");
    }
}

#[tokio::test]
async fn probes_succeed_while_the_server_drains_and_fail_in_its_last_phase() {
    let server = start().await;
    let mut ada = server.log_in(WireFormat::SimpleJson, "Ada").await;
    // A client that never reads keeps the last phase going for some seconds.
    let deaf = server.log_in(WireFormat::SimpleJson, "Deaf").await;
    ada.host(r#""visibility":"public""#).await;
    ada.seat(1, 1, 2).await;
    ada.play("GameState", r#""Launching""#).await;
    ada.settle().await;
    let probes = [Service::Health, Service::Http].map(|service| server.addresses_of(service)[0]);
    server.request_shutdown().await;
    ada.receive_containing("will be shutting down for maintenance").await;
    for address in probes {
        assert_eq!(get(address, "/ready").await.0, 200);
    }
    server.request_shutdown().await;
    ada.receive_containing("has been shut down for maintenance").await;
    for address in probes {
        soon("the probe fails", async { while get(address, "/ready").await.0 != 503 {} }).await;
    }
    drop((ada, deaf));
    server.wait().await;
}

#[tokio::test]
async fn a_server_that_waits_for_its_database_is_not_ready() {
    let first = TestServer::start().await;
    let address: SocketAddr = {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap()
    };
    let settings = Settings {
        health: Listen::one(&address.to_string()).unwrap(),
        websocket: free(),
        qdatastream: Listen::default(),
        simple_json: Listen::default(),
        http: Listen::default(),
        database: first.database().into(),
        wait_for_database: 3600.0,
        ..Settings::default()
    };
    let second = tokio::spawn(Server::start(settings));
    soon("the port is open", async { while TcpStream::connect(address).await.is_err() {} }).await;
    assert_eq!(get(address, "/ready").await.0, 503);
    first.request_shutdown().await;
    let _folder = first.wait().await;
    let second = soon("the second server starts", second).await.unwrap().unwrap();
    assert_eq!(get(address, "/ready").await.0, 200);
    second.shutdown().request().await;
    soon("the second server ends", second.wait()).await.unwrap();
}
