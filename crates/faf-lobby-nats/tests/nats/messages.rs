//! Messages that are not kept.

use std::time::Duration;

use bytes::Bytes;
use faf_lobby_nats::{Connection, Limits, PublishError, Received, Settings, State, Subject, Subscription};
use faf_testkit::services::nats::NatsServer;
use faf_testkit::services::proxy::Proxy;

use crate::support::{connect, in_time, limits, name, settings, wait_for};

fn gateway(text: &str) -> Subject {
    Subject::Gateway(name(text))
}

async fn receive(subscription: &mut Subscription) -> Received {
    in_time(subscription.next()).await.unwrap()
}

async fn receive_text(subscription: &mut Subscription) -> String {
    match receive(subscription).await {
        Received::Message { payload, .. } => String::from_utf8(payload.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn messages_of_several_subjects_keep_their_order() {
    let settings = settings(NatsServer::shared());
    let (core, one, two) = (connect(&settings).await, connect(&settings).await, connect(&settings).await);
    let mut one = one.subscribe(vec![gateway("one"), Subject::All]).await.unwrap();
    let mut two = two.subscribe(vec![Subject::All, gateway("two")]).await.unwrap();
    let subjects =
        [gateway("one"), Subject::All, gateway("two"), Subject::All, gateway("one"), Subject::Cores];
    let number = 30_000;
    let publishing = tokio::spawn(async move {
        for index in 0..number {
            let payload = Bytes::from(index.to_string());
            let subject = &subjects[index % subjects.len()];
            while core.publish(subject, payload.clone()) == Err(PublishError::Busy) {
                tokio::task::yield_now().await;
            }
        }
        core.flush(Duration::from_secs(10)).await;
        core
    });
    for index in (0..number).filter(|index| [0, 1, 3, 4].contains(&(index % 6))) {
        assert_eq!(receive_text(&mut one).await, index.to_string());
    }
    for index in (0..number).filter(|index| [1, 2, 3].contains(&(index % 6))) {
        assert_eq!(receive_text(&mut two).await, index.to_string());
    }
    let core = publishing.await.unwrap();
    assert_eq!(core.counters().traffic().messages_out, number as u64);
    assert!(core.counters().traffic().bytes_out > number as u64);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn slow_subscriber_is_told_what_it_missed() {
    let settings = settings(NatsServer::shared());
    let core = connect(&settings).await;
    let limits = Limits { subscription_messages: 100, ..limits() };
    let slow = Connection::open(settings.clone(), limits).await.unwrap();
    let mut subscription = slow.subscribe(vec![Subject::All, gateway("slow")]).await.unwrap();
    let mut quick = core.subscribe(vec![Subject::All]).await.unwrap();
    for index in 0..1000 {
        core.publish(&Subject::All, index.to_string().into()).unwrap();
    }
    for index in 0..1000 {
        assert_eq!(receive_text(&mut quick).await, index.to_string());
    }
    // The server has sent all of them to the slow one as well; another message after them shows
    // that they have arrived, and what is missing.
    let mut other = slow.subscribe(vec![gateway("marker")]).await.unwrap();
    core.publish(&gateway("marker"), Bytes::new()).unwrap();
    receive(&mut other).await;
    for index in 0..100 {
        assert_eq!(receive_text(&mut subscription).await, index.to_string());
    }
    core.publish(&Subject::All, "last".into()).unwrap();
    assert_eq!(receive(&mut subscription).await, Received::Lost { subject: Subject::All, messages: 900 });
    assert_eq!(receive_text(&mut subscription).await, "last");
    assert_eq!(slow.counters().lost(), 900);
    core.publish(&gateway("slow"), "own".into()).unwrap();
    assert_eq!(receive_text(&mut subscription).await, "own");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn interruption_is_reported_with_the_number_of_lost_messages() {
    let server = NatsServer::start();
    let proxy = Proxy::start(server.port());
    let settings = settings(&server);
    let core = connect(&settings).await;
    let through_proxy = Settings { url: format!("nats://127.0.0.1:{}", proxy.port()), ..settings.clone() };
    // It is away until the messages are published.
    let limits = Limits { first_pause: Duration::from_secs(2), ..limits() };
    let other = Connection::open(through_proxy, limits).await.unwrap();
    let mut subscription = other.subscribe(vec![gateway("g"), Subject::All]).await.unwrap();
    core.publish(&Subject::All, "one".into()).unwrap();
    assert_eq!(receive_text(&mut subscription).await, "one");
    // The next check of the idle connection ends it.
    proxy.cut_after(1);
    wait_for(&other, |state| !state.is_connected()).await;
    for _ in 0..10 {
        core.publish(&Subject::All, "missed".into()).unwrap();
    }
    core.flush(Duration::from_secs(10)).await;
    assert_eq!(receive(&mut subscription).await, Received::Interrupted);
    core.publish(&Subject::All, "two".into()).unwrap();
    assert_eq!(receive(&mut subscription).await, Received::Lost { subject: Subject::All, messages: 10 });
    assert_eq!(receive_text(&mut subscription).await, "two");
    assert_eq!((other.counters().lost(), other.counters().reconnects()), (10, 1));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn messages_are_refused_while_the_server_is_away() {
    let server = NatsServer::start();
    let settings = settings(&server);
    let (core, other) = (connect(&settings).await, connect(&settings).await);
    let mut subscription = other.subscribe(vec![Subject::All]).await.unwrap();
    server.kill();
    wait_for(&core, |state| !state.is_connected()).await;
    let away = core.publish(&Subject::All, "never".into()).unwrap_err();
    assert!(matches!(away, PublishError::Away(_)), "{away:?}");
    wait_for(&other, |state| !state.is_connected()).await;
    server.restart();
    assert_eq!(receive(&mut subscription).await, Received::Interrupted);
    wait_for(&core, State::is_connected).await;
    core.publish(&Subject::All, "one".into()).unwrap();
    assert_eq!(receive_text(&mut subscription).await, "one");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn two_clusters_do_not_receive_each_other() {
    let server = NatsServer::shared();
    let (one, other) = (connect(&settings(server)).await, connect(&settings(server)).await);
    let mut received = one.subscribe(vec![Subject::All, gateway("g"), Subject::Cores]).await.unwrap();
    for subject in [Subject::All, gateway("g"), Subject::Cores] {
        other.publish(&subject, "foreign".into()).unwrap();
    }
    other.flush(Duration::from_secs(10)).await;
    one.publish(&Subject::All, "own".into()).unwrap();
    assert_eq!(receive_text(&mut received).await, "own");
}
