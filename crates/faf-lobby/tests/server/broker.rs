//! The whole server with a real broker.

use std::collections::BTreeSet;

use faf_lobby::config::Settings;
use faf_lobby::store::{SeedFile, Store};
use faf_protocol::{PlayerId, Secret, WireFormat};
use faf_testkit::services::rabbitmq::{Client as Service, Messages, PASSWORD, RabbitMq, USER, integer};
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use super::games::{add_map, expected_ratings, open_lobby, receive_ratings, report};
use super::support::{Client, DATABASE, HonestPlayer, TestServer};

const EXCHANGE: &str = "faf-lobby";

/// Ada, who has been granted two avatars and has selected none.
const AVATARS: &str = r#"{
    "users": [{"id": 1, "login": "Ada", "password": "secret", "avatars": [{"avatar_id": 5}]}],
    "avatars": [{"id": 5, "url": "https://example.org/moon.png", "tooltip": "Moon"}]
}"#;

/// Returns a change of settings: the server uses a virtual host of this broker.
fn broker(rabbit: &RabbitMq, vhost: &str) -> impl FnOnce(&mut Settings) + use<> {
    let (port, vhost) = (rabbit.port(), vhost.to_owned());
    move |settings| {
        settings.broker_host = "127.0.0.1".to_owned();
        settings.broker_port = port;
        settings.broker_user = USER.to_owned();
        settings.broker_password = Secret::new(PASSWORD);
        settings.broker_vhost = vhost;
    }
}

/// Binds a queue of another service, and consumes it.
async fn queue(service: &Service, keys: &[&str]) -> Messages {
    service.declare_exchange(EXCHANGE).await;
    service.declare_queue("theirs", EXCHANGE, keys).await;
    service.consume("theirs", true).await
}

/// Waits until `/health` shows this state of the broker; nothing else of the response changes.
async fn wait_for_broker(server: &TestServer, words: &str) {
    let shown = timeout(Duration::from_secs(60), async {
        loop {
            let (status, body) = server.get("/health").await;
            assert_eq!(status, 200, "{body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["database"], "ok");
            if body["broker"].as_str().unwrap().contains(words) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    shown.await.unwrap_or_else(|_| panic!("the broker is not shown as {words}"));
}

/// Ada wins a game against Bob, and both are rated.
async fn play(server: &TestServer) -> (Client, Client) {
    add_map(server.store()).await;
    let mut ada = server.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut bob = server.log_in(WireFormat::WebSocket, "Bob").await;
    open_lobby(&mut ada, &mut bob).await;
    ada.play("GameState", r#""Launching""#).await;
    ada.play("EnforceRating", "").await;
    report(&mut [&mut ada, &mut bob]).await;
    ada.play("GameEnded", "").await;
    bob.play("GameEnded", "").await;
    receive_ratings(&mut ada).await;
    (ada, bob)
}

/// Checks that the results and the ratings of that game come, in this order.
async fn receive_game(messages: &mut Messages) {
    let mut ids = BTreeSet::new();
    let mut next = async || {
        let message = messages.next().await;
        assert_eq!(message.content_type.as_deref(), Some("application/json"));
        assert_eq!(message.delivery_mode, Some(2), "{message:?}");
        assert!(ids.insert(message.message_id.unwrap()), "message ids are unique");
        let body: Value = serde_json::from_str(&message.body).unwrap();
        (message.routing_key, body)
    };
    let (key, results) = next().await;
    assert_eq!((key.as_str(), &results["game_id"]), ("success.gameResults.create", &json!(1)));
    for (player, (mean, deviation)) in [1, 2].into_iter().zip(expected_ratings()) {
        let (key, rating) = next().await;
        assert_eq!((key.as_str(), &rating["player_id"]), ("success.rating.update", &json!(player)));
        assert_eq!(rating["rating_type"], "global");
        assert_eq!(
            (&rating["new_rating_mean"], &rating["new_rating_deviation"]),
            (&json!(mean), &json!(deviation))
        );
    }
}

#[tokio::test]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn rated_game_reaches_a_queue_of_another_service() {
    let rabbit = RabbitMq::shared();
    let vhost = rabbit.vhost();
    let service = Service::connect(rabbit, &vhost).await;
    let mut messages = queue(&service, &["success.gameResults.create", "success.rating.update"]).await;
    service.declare_queue("reports", EXCHANGE, &["broadcast.#"]).await;
    let server = TestServer::start_with(broker(rabbit, &vhost)).await;
    wait_for_broker(&server, "ok").await;
    let _players = play(&server).await;
    receive_game(&mut messages).await;
    for series in [
        "server_broker_connected 1",
        "server_broker_connects_total 1",
        r#"server_broker_messages_confirmed_total{routing_key="success.rating.update"} 2"#,
        r#"server_broker_messages_refused_total{routing_key="success.rating.update"} 0"#,
        r#"server_publications_total{routing_key="success.rating.update"} 2"#,
        "server_outbox_waiting 0",
    ] {
        server.wait_for_metric(series).await;
    }
    assert_eq!(server.facts().await.outbox, [], "confirmed messages are removed");

    let mut reports = service.consume("reports", true).await;
    let mut keys = BTreeSet::new();
    while keys.len() < 2 {
        let report = reports.next().await;
        assert_ne!(report.delivery_mode, Some(2), "reports are transient");
        keys.insert(report.routing_key);
    }
    assert!(
        keys.contains("broadcast.playerInfo.update") && keys.contains("broadcast.gameInfo.update"),
        "{keys:?}"
    );
}

#[tokio::test]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn game_goes_on_while_the_broker_is_stopped_and_its_messages_come_later() {
    let rabbit = RabbitMq::start();
    let vhost = rabbit.vhost();
    let service = Service::connect(&rabbit, &vhost).await;
    drop(queue(&service, &["success.gameResults.create", "success.rating.update"]).await);
    drop(service);
    let server = TestServer::start_with(broker(&rabbit, &vhost)).await;
    wait_for_broker(&server, "ok").await;
    rabbit.pause();
    let players = play(&server).await;
    let honest = HonestPlayer::log_in(&server, WireFormat::SimpleJson).await;
    wait_for_broker(&server, "has not responded").await;
    server.wait_for_metric("server_broker_connected 0").await;
    assert_eq!(server.get("/ready").await.0, 200);
    honest.was_served().await;
    assert_eq!(server.facts().await.outbox.len(), 3, "nothing is removed before it is confirmed");

    // The next server delivers what this one could not.
    drop(players);
    server.request_shutdown().await;
    server.request_shutdown().await;
    let folder = server.wait().await;
    rabbit.resume();
    let service = Service::connect(&rabbit, &vhost).await;
    let server = TestServer::start_in(folder, broker(&rabbit, &vhost)).await;
    server.wait_for_metric("server_outbox_waiting 0").await;
    // The broker may have the messages of the first server as well: it was stopped, not killed.
    let mut messages = service.consume("theirs", true).await;
    let mut missing: BTreeSet<_> = ["results", "1", "2"].into();
    while !missing.is_empty() {
        let body: Value = serde_json::from_str(&messages.next().await.body).unwrap();
        let player = body["player_id"].as_u64().map_or("results".to_owned(), |player| player.to_string());
        missing.remove(player.as_str());
    }
    assert_eq!(server.facts().await.outbox, []);
}

#[tokio::test]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn notifications_and_avatars_of_other_services_reach_players() {
    let rabbit = RabbitMq::shared();
    let vhost = rabbit.vhost();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_file(&folder.path().join(DATABASE)).unwrap();
    store.seed(SeedFile::parse(AVATARS).unwrap()).await.unwrap();
    drop(store);
    let server = TestServer::start_in(folder, broker(rabbit, &vhost)).await;
    let mut ada = server.log_in(WireFormat::SimpleJson, "Ada").await;
    let mut bob = server.log_in(WireFormat::QDataStream, "Bob").await;
    let mut nobody = server.connect(WireFormat::WebSocket).await;
    let service = Service::connect(rabbit, &vhost).await;
    server.wait_for_metric("server_broker_consuming 1").await;
    let hello = br#"{"command":"of_tomorrow","n":1.50,"is":"there"}"#;
    service.publish(EXCHANGE, "request.client.notify", &[("user-id", integer(1))], hello).await;
    let message = ada.receive_command("of_tomorrow").await;
    assert_eq!(message.as_str().as_bytes(), hello);
    let all = br#"{"command":"notice","style":"info","text":"to all"}"#;
    for bad in [&b"nonsense"[..], b"[]", br#"{"text":"to all"}"#] {
        service.publish(EXCHANGE, "request.client.notify", &[], bad).await;
    }
    service.publish(EXCHANGE, "request.client.notify", &[], all).await;
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.receive_containing("to all").await.as_str().as_bytes(), all);
    }
    server
        .wait_for_metric(r#"server_broker_messages_dropped_total{routing_key="request.client.notify"} 3"#)
        .await;
    nobody.settle().await;

    let url = "https://example.org/moon.png";
    server.store().select_avatar(PlayerId(1), Some(url.to_owned())).await.unwrap().unwrap();
    service.publish(EXCHANGE, "success.player_avatar.update", &[], br#"{"player_id":1,"avatar_id":5}"#).await;
    let info = bob.receive_containing(url).await;
    assert!(info.as_str().contains(r#""login":"Ada""#), "{info}");
}

#[tokio::test]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn flood_of_notifications_stops_nobodys_pings() {
    let rabbit = RabbitMq::shared();
    let vhost = rabbit.vhost();
    let server = TestServer::start_with(broker(rabbit, &vhost)).await;
    server.wait_for_metric("server_broker_consuming 1").await;
    let service = Service::connect(rabbit, &vhost).await;
    let honest = HonestPlayer::log_in(&server, WireFormat::SimpleJson).await;
    let long = format!(r#"{{"command":"notice","style":"info","text":"{}"}}"#, "x".repeat(60_000));
    for _ in 0..500 {
        service.publish(EXCHANGE, "request.client.notify", &[], long.as_bytes()).await;
    }
    server
        .wait_for_metric(r#"server_broker_messages_consumed_total{routing_key="request.client.notify"} 1"#)
        .await;
    honest.was_served().await;
}
