use faf_lobby_rabbitmq::{Away, KeyCounts, Outgoing, State};
use faf_testkit::services::rabbitmq::{RabbitMq, Received};

use crate::support::{EXCHANGE, Fixture, about_game, deliver_all, limits, number, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn confirmed_messages_are_in_the_queue_of_another_service() {
    let rabbit = RabbitMq::shared();
    let fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    client.declare_exchange(EXCHANGE).await;
    client.declare_queue("ratings", EXCHANGE, &["success.rating.update"]).await;
    let mut messages = client.consume("ratings", true).await;
    let mut delivery = fixture.broker.delivery();
    assert_eq!(delivery.deliver(vec![about_game(7, 1)]).await, Ok(vec![7]));
    let expected = Received {
        routing_key: "success.rating.update".to_owned(),
        body: r#"{"game_id":1,"number":7}"#.to_owned(),
        content_type: Some("application/json".to_owned()),
        message_id: Some("id-7".to_owned()),
        delivery_mode: Some(2),
    };
    assert_eq!(messages.next().await, expected);
    let counts = KeyCounts { published: 1, confirmed: 1, ..KeyCounts::default() };
    assert_eq!(fixture.counts("success.rating.update"), counts);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn messages_for_nobody_are_confirmed() {
    let fixture = Fixture::connected(RabbitMq::shared()).await;
    let mut delivery = fixture.broker.delivery();
    deliver_all(&mut delivery, &[about_game(1, 1), about_game(2, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn consumer_that_acknowledges_nothing_holds_up_nobody() {
    let rabbit = RabbitMq::shared();
    let fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    client.declare_queue("asleep", EXCHANGE, &["success.#"]).await;
    client.declare_queue("awake", EXCHANGE, &["success.#"]).await;
    let _asleep = client.consume("asleep", false).await;
    let mut awake = client.consume("awake", true).await;
    let all: Vec<_> = (1..=500).map(|number| about_game(number, number % 10)).collect();
    deliver_all(&mut fixture.broker.delivery(), &all).await;
    for _ in 1..=500 {
        awake.next().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn refused_message_holds_up_its_own_game_only() {
    let rabbit = RabbitMq::shared();
    let fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    // A queue that takes one message, and refuses all others until somebody takes that away.
    client.declare_bounded_queue("full", EXCHANGE, &["success.rating.update"], 1).await;
    client.declare_queue("events", EXCHANGE, &["request.event.update"]).await;
    let event = |number, player| Outgoing {
        routing_key: "request.event.update".to_owned(),
        body: format!(r#"{{"playerId":{player},"number":{number}}}"#),
        ..about_game(number, 0)
    };
    let all = [about_game(1, 1), about_game(2, 1), about_game(3, 1), event(4, 1), event(5, 2)];
    let mut delivery = fixture.broker.delivery();
    let mut confirmed = delivery.deliver(all.to_vec()).await.unwrap();
    confirmed.sort_unstable();
    // The second of the game is refused, and the third is not even published.
    assert_eq!(confirmed, [1, 4, 5]);
    let counts = fixture.counts("success.rating.update");
    assert_eq!((counts.published, counts.confirmed, counts.refused), (2, 1, 1));
    assert_eq!(delivery.deliver(all[1..3].to_vec()).await, Ok(vec![]));
    let mut full = client.consume("full", true).await;
    deliver_all(&mut delivery, &all[1..3]).await;
    for expected in 1..=3 {
        assert_eq!(number(&full.next().await.body), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn reports_are_published_and_are_not_persistent() {
    let rabbit = RabbitMq::shared();
    let fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    client.declare_queue("reports", EXCHANGE, &["broadcast.#"]).await;
    let mut messages = client.consume("reports", true).await;
    let reporter = fixture.broker.reporter();
    reporter.report("broadcast.gameInfo.update", || Some(r#"{"games":[]}"#.to_owned()));
    let report = messages.next().await;
    assert_eq!(
        (report.routing_key.as_str(), report.body.as_str()),
        ("broadcast.gameInfo.update", r#"{"games":[]}"#)
    );
    assert_eq!(report.content_type.as_deref(), Some("application/json"));
    assert_ne!(report.delivery_mode, Some(2));
    until(async || fixture.counts("broadcast.gameInfo.update").confirmed == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn reports_that_wait_are_bounded_and_the_newest_win() {
    let rabbit = RabbitMq::shared();
    let fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    client.declare_queue("reports", EXCHANGE, &["broadcast.#"]).await;
    let mut messages = client.consume("reports", true).await;
    // The first report holds up the task that makes their bodies.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let reporter = fixture.broker.reporter();
    reporter.report("broadcast.gameInfo.update", move || {
        tokio::task::block_in_place(|| wait.recv()).ok().map(|()| "first".to_owned())
    });
    for number in 0..100 {
        reporter.report("broadcast.playerInfo.update", move || Some(number.to_string()));
    }
    go.send(()).unwrap();
    assert_eq!(messages.next().await.body, "first");
    for number in 84..100 {
        assert_eq!(messages.next().await.body, number.to_string());
    }
    let counts = fixture.counts("broadcast.playerInfo.update");
    assert_eq!((counts.published, counts.dropped), (16, 84));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_nothing_waits() {
    // A port on which nobody listens.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let fixture = Fixture::start_at(port, limits());
    let state: State =
        fixture.wait_for(|state| state.problem().is_some_and(|problem| problem.contains("efused"))).await;
    assert!(!state.problem().unwrap().contains("hunter2"), "{state:?}");
    assert_eq!(fixture.broker.delivery().deliver(vec![about_game(1, 1)]).await, Err(Away));
    let report = || -> Option<String> { panic!("nobody needs the body") };
    fixture.broker.reporter().report("broadcast.gameInfo.update", report);
    assert_eq!(fixture.counts("broadcast.gameInfo.update").dropped, 1);
    assert_eq!(fixture.broker.counters().connects(), 0);
    fixture.broker.close(std::time::Duration::from_secs(60)).await;
}
