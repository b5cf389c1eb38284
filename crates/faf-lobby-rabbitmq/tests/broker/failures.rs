use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use faf_lobby_rabbitmq::{Away, Password, Settings, State, TimeLimits};
use faf_testkit::services::rabbitmq::RabbitMq;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::support::{EXCHANGE, Fixture, about_game, deliver_all, limits, number, settings, until};

/// Checks that the messages of each game came in their order, where a message that came before may
/// come again.
fn assert_order(received: &[i64], games: i64) {
    let mut last = BTreeMap::<i64, i64>::new();
    for number in received {
        let last = last.entry(number % games).or_default();
        assert!(*number <= *last + games, "{number} comes after {last} in {received:?}");
        *last = (*last).max(*number);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn order_survives_a_broker_that_is_away_and_one_that_is_killed() {
    const GAMES: i64 = 7;
    const MESSAGES: i64 = 3000;
    let rabbit = RabbitMq::start();
    let vhost = rabbit.vhost();
    let fixture = Fixture::start_with(settings(&rabbit, &vhost));
    fixture.wait_for(State::is_connected).await;
    let client = fixture.client(&rabbit).await;
    client.declare_queue("ratings", EXCHANGE, &["success.rating.update"]).await;
    drop(client);
    rabbit.kill();
    fixture.wait_for(|state| !state.is_connected()).await;
    drop(fixture);

    // The broker is away when the server starts.
    let fixture = Fixture::start_with(settings(&rabbit, &vhost));
    let all: Vec<_> = (1..=MESSAGES).map(|number| about_game(number, number % GAMES)).collect();
    let mut delivery = fixture.broker.delivery();
    assert_eq!(delivery.deliver(all.clone()).await, Err(Away));
    let delivering = tokio::spawn(async move { deliver_all(&mut delivery, &all).await });
    rabbit.start_again();
    // It is killed in the middle.
    until(async || fixture.counts("success.rating.update").confirmed > 200).await;
    assert!(!delivering.is_finished());
    rabbit.kill();
    rabbit.start_again();
    delivering.await.unwrap();
    assert!(fixture.broker.counters().connects() >= 2);

    let client = fixture.client(&rabbit).await;
    let mut messages = client.consume("ratings", true).await;
    let mut received = Vec::new();
    let mut missing: std::collections::BTreeSet<_> = (1..=MESSAGES).collect();
    while !missing.is_empty() {
        let message = messages.next().await;
        let number = number(&message.body);
        assert_eq!(message.message_id, Some(format!("id-{number}")));
        missing.remove(&number);
        received.push(number);
    }
    assert_order(&received, GAMES);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_broker_that_never_responds_are_closed() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let fixture = Fixture::start_at(port, TimeLimits { open: Duration::from_millis(200), ..limits() });
    for _ in 0..5 {
        let accepted = timeout(Duration::from_secs(60), socket.accept()).await.unwrap();
        let mut stream = accepted.unwrap().0;
        // It ends with the attempt; a reset is an end as well.
        let ended = timeout(Duration::from_secs(60), stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "the connection is left open");
    }
    fixture.wait_for_problem("has not responded").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn stopped_broker_is_noticed_and_used_again() {
    let rabbit = RabbitMq::start();
    let fixture = Fixture::connected(&rabbit).await;
    let client = fixture.client(&rabbit).await;
    client.declare_queue("ratings", EXCHANGE, &["success.rating.update"]).await;
    rabbit.pause();
    let mut delivery = fixture.broker.delivery();
    let all: Vec<_> = (1..=20).map(|number| about_game(number, number % 3)).collect();
    // Nothing waits for it without a limit.
    let tried = timeout(Duration::from_secs(30), delivery.deliver(all.clone())).await.unwrap();
    assert_eq!(tried, Ok(vec![]));
    fixture.wait_for_problem("has not responded").await;
    assert_eq!(delivery.deliver(all.clone()).await, Err(Away));
    rabbit.resume();
    deliver_all(&mut delivery, &all).await;
    let client = fixture.client(&rabbit).await;
    let mut messages = client.consume("ratings", true).await;
    let mut received = Vec::new();
    let mut missing: std::collections::BTreeSet<_> = (1..=20).collect();
    while !missing.is_empty() {
        let number = number(&messages.next().await.body);
        missing.remove(&number);
        received.push(number);
    }
    assert_order(&received, 3);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn messages_wait_for_a_broker_that_blocks_publishers_and_come_once() {
    let rabbit = RabbitMq::start();
    let fixture = Fixture::connected(&rabbit).await;
    let client = fixture.client(&rabbit).await;
    client.declare_queue("ratings", EXCHANGE, &["success.rating.update"]).await;
    let mut messages = client.consume("ratings", true).await;
    rabbit.block();
    let mut delivery = fixture.broker.delivery();
    let all: Vec<_> = (1..=20).map(|number| about_game(number, number % 3)).collect();
    let begin = Instant::now();
    // Longer than an idle broker may take to respond.
    while begin.elapsed() < limits().respond * 3 {
        assert_eq!(delivery.deliver(all.clone()).await, Ok(vec![]));
        fixture.wait_for_problem("accepts no messages").await;
    }
    rabbit.unblock();
    deliver_all(&mut delivery, &all).await;
    fixture.wait_for(|state| state.problem().is_none()).await;
    let mut received = Vec::new();
    for _ in &all {
        received.push(number(&messages.next().await.body));
    }
    received.sort_unstable();
    assert_eq!(received, (1..=20).collect::<Vec<_>>(), "none is published twice");
    assert_eq!(fixture.broker.counters().connects(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn exchange_of_another_kind_is_named_until_it_is_removed() {
    let rabbit = RabbitMq::shared();
    let settings = settings(rabbit, &rabbit.vhost());
    let client = faf_testkit::services::rabbitmq::Client::connect(rabbit, &settings.vhost).await;
    client.declare_fanout(EXCHANGE).await;
    let fixture = Fixture::start_with(settings);
    fixture.wait_for_problem("the exchange faf-lobby exists with other properties").await;
    assert_eq!(fixture.broker.delivery().deliver(vec![about_game(1, 1)]).await, Err(Away));
    client.delete_exchange(EXCHANGE).await;
    fixture.wait_for(State::is_connected).await;
    // It is a topic exchange now, as other services declare it.
    client.declare_exchange(EXCHANGE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn exchange_that_is_deleted_is_declared_again() {
    let rabbit = RabbitMq::shared();
    let fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    client.delete_exchange(EXCHANGE).await;
    let mut delivery = fixture.broker.delivery();
    deliver_all(&mut delivery, &[about_game(1, 1)]).await;
    assert_eq!(fixture.broker.counters().connects(), 2);
    client.declare_queue("ratings", EXCHANGE, &["success.rating.update"]).await;
    let mut messages = client.consume("ratings", true).await;
    deliver_all(&mut delivery, &[about_game(2, 1)]).await;
    assert_eq!(number(&messages.next().await.body), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn wrong_password_and_virtual_host_are_named_without_the_password() {
    let rabbit = RabbitMq::shared();
    let right = settings(rabbit, &rabbit.vhost());
    let wrong = Settings { password: Password::new("hunter2"), ..right.clone() };
    let fixture = Fixture::start_with(wrong);
    let state =
        fixture.wait_for(|state| state.problem().is_some_and(|problem| problem.contains("403"))).await;
    assert!(!format!("{state:?} {:?}", fixture.broker).contains("hunter2"), "{state:?}");
    let fixture = Fixture::start_with(Settings { vhost: "/nowhere".to_owned(), ..right });
    fixture.wait_for_problem("/nowhere").await;
}
