use faf_lobby_rabbitmq::{BODY_LIMIT, Incoming, KeyCounts, State};
use faf_protocol::PlayerId;
use faf_testkit::services::rabbitmq::{Client, RabbitMq, integer, text};

use crate::support::{EXCHANGE, Fixture, about_game, deliver_all, settings, until};

const NOTIFY: &str = "request.client.notify";
const AVATAR: &str = "success.player_avatar.update";
const NOTICE: &[u8] = br#"{"command":"notice","style":"info","text":"Hi"}"#;

fn notice(to: Option<u32>) -> Incoming {
    let message = std::str::from_utf8(NOTICE).expect("it is UTF-8").parse().expect("it is a message");
    Incoming::Notification { to: to.map(PlayerId), message }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn usable_messages_are_passed_on_and_all_others_dropped() {
    let rabbit = RabbitMq::shared();
    let mut fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    fixture.wait_for(State::is_consuming).await;
    let huge = vec![b'x'; 3 * 1024 * 1024];
    let long = format!(r#"{{"command":"x","t":"{}"}}"#, "y".repeat(BODY_LIMIT));
    let bad: [(&[_], &[u8]); 8] = [
        (&[], b"not JSON"),
        (&[], b"[1]"),
        (&[], b"{}"),
        (&[], br#"{"command":7}"#),
        (&[], &huge),
        (&[], long.as_bytes()),
        (&[("user-id", text("Ada"))], NOTICE),
        (&[("channel", text("#aeolus"))], NOTICE),
    ];
    for (headers, body) in bad {
        client.publish(EXCHANGE, NOTIFY, headers, body).await;
    }
    client.publish(EXCHANGE, NOTIFY, &[], NOTICE).await;
    client.publish(EXCHANGE, NOTIFY, &[("user-id", integer(7))], NOTICE).await;
    client.publish(EXCHANGE, NOTIFY, &[("user-id", text("8"))], NOTICE).await;
    assert_eq!(fixture.receive().await, notice(None));
    assert_eq!(fixture.receive().await, notice(Some(7)));
    assert_eq!(fixture.receive().await, notice(Some(8)));
    client.publish(EXCHANGE, AVATAR, &[], br#"{"player_id":true,"avatar_id":5}"#).await;
    client.publish(EXCHANGE, AVATAR, &[], br#"{"player_id":9,"avatar_id":5}"#).await;
    assert_eq!(fixture.receive().await, Incoming::AvatarChanged(PlayerId(9)));
    until(async || fixture.counts(NOTIFY) == KeyCounts { dropped: 8, consumed: 3, ..KeyCounts::default() })
        .await;
    until(async || fixture.counts(AVATAR).consumed == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn inbox_that_takes_nothing_holds_up_only_the_messages_of_others() {
    let rabbit = RabbitMq::shared();
    let mut fixture = Fixture::connected(rabbit).await;
    let client = fixture.client(rabbit).await;
    fixture.wait_for(State::is_consuming).await;
    for _ in 0..100 {
        client.publish(EXCHANGE, NOTIFY, &[("user-id", integer(7))], NOTICE).await;
    }
    // One is in the inbox, and one waits for room.
    until(async || fixture.counts(NOTIFY).consumed == 1).await;
    deliver_all(&mut fixture.broker.delivery(), &[about_game(1, 1)]).await;
    assert_eq!(fixture.counts(NOTIFY).consumed, 1);
    for _ in 0..100 {
        assert_eq!(fixture.receive().await, notice(Some(7)));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn second_server_of_the_same_name_waits_for_the_queues() {
    let rabbit = RabbitMq::shared();
    let mut first = Fixture::connected(rabbit).await;
    let client = first.client(rabbit).await;
    first.wait_for(State::is_consuming).await;
    let mut second = Fixture::start_with(first.settings.clone());
    second.wait_for_problem("faf-lobby.lobby.client.notify.test: 405").await;
    assert!(second.broker.state().borrow().is_connected());
    // It publishes all the same.
    deliver_all(&mut second.broker.delivery(), &[about_game(1, 1)]).await;
    client.publish(EXCHANGE, NOTIFY, &[], NOTICE).await;
    assert_eq!(first.receive().await, notice(None));
    assert!(second.incoming.try_recv().is_err());
    drop(first.incoming);
    first.broker.close(std::time::Duration::from_secs(60)).await;
    second.wait_for(|state| state.problem().is_none()).await;
    client.publish(EXCHANGE, NOTIFY, &[], NOTICE).await;
    assert_eq!(second.receive().await, notice(None));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn own_queue_with_other_arguments_is_named_until_it_is_removed() {
    const QUEUE: &str = "faf-lobby.lobby.client.notify.test";
    let rabbit = RabbitMq::shared();
    let settings = settings(rabbit, &rabbit.vhost());
    let client = Client::connect(rabbit, &settings.vhost).await;
    client.declare_exchange(EXCHANGE).await;
    client.declare_bounded_queue(QUEUE, EXCHANGE, &[], 7).await;
    let mut fixture = Fixture::start_with(settings);
    fixture.wait_for_problem(&format!("{QUEUE}: 405")).await;
    // Everything else goes on.
    deliver_all(&mut fixture.broker.delivery(), &[about_game(1, 1)]).await;
    let changed = Ok(Incoming::AvatarChanged(PlayerId(9)));
    let mut incoming = async || {
        client.publish(EXCHANGE, AVATAR, &[], br#"{"player_id":9}"#).await;
        fixture.incoming.try_recv() == changed
    };
    while !incoming().await {}
    client.delete_queue(QUEUE).await;
    fixture.wait_for(|state| state.problem().is_none()).await;
    client.publish(EXCHANGE, NOTIFY, &[], NOTICE).await;
    while fixture.receive().await != notice(None) {}
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
async fn consumers_are_there_again_after_a_restart_of_the_broker() {
    let rabbit = RabbitMq::start();
    let mut fixture = Fixture::connected(&rabbit).await;
    fixture.wait_for(State::is_consuming).await;
    rabbit.kill();
    fixture.wait_for(|state| !state.is_connected()).await;
    rabbit.start_again();
    let client = fixture.client(&rabbit).await;
    fixture.wait_for(State::is_consuming).await;
    client.publish(EXCHANGE, NOTIFY, &[], NOTICE).await;
    assert_eq!(fixture.receive().await, notice(None));
    client.publish(EXCHANGE, AVATAR, &[], br#"{"player_id":9}"#).await;
    assert_eq!(fixture.receive().await, Incoming::AvatarChanged(PlayerId(9)));
}
