//! Replays a session on a server with a real broker, and reads the publications there.

use faf_protocol::Secret;
use faf_sessions::differences::{self, History, Used};
use faf_sessions::transcript::Record;
use faf_testkit::golden::sessions;
use faf_testkit::services::rabbitmq::{Client, PASSWORD, RabbitMq, USER};
use serde_json::Value;

use crate::{Over, replay_with};

/// The session with a game that is played to a rating.
const SESSION: &str = "35_rated_custom_game";

#[test]
#[ignore = "needs rabbitmq-server; .ci/run runs it"]
fn publications_of_a_rated_game_are_at_the_broker() {
    let (_, transcript) = sessions::all().into_iter().find(|(name, _)| name.contains(SESSION)).unwrap();
    let is_report = |key: &str| key.starts_with("broadcast.");
    let expected: Vec<Value> = transcript
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Publication(publication) if !is_report(&publication.routing_key) => {
                Some(publication.into())
            }
            _ => None,
        })
        .collect();
    assert!(expected.len() > 2, "{expected:?}");
    let rabbit = RabbitMq::shared();
    let vhost = rabbit.vhost();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(rabbit, &vhost).await;
        client.declare_exchange("faf-lobby").await;
        client.declare_queue("theirs", "faf-lobby", &["success.#", "request.#"]).await;
        let replayed = replay_with(&transcript, Over::Recorded, |settings| {
            settings.broker_host = "127.0.0.1".to_owned();
            settings.broker_port = rabbit.port();
            settings.broker_user = USER.to_owned();
            settings.broker_password = Secret::new(PASSWORD);
            settings.broker_vhost.clone_from(&vhost);
        });
        let replayed = replayed.await;
        assert_eq!(replayed.stopped, None);
        let history = History::of(&transcript);
        let left = differences::OWN.unexplained(&history, &replayed.findings, &mut Used::new());
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(client.waiting("theirs").await as usize, expected.len());
        let mut messages = client.consume("theirs", true).await;
        let mut published = Vec::new();
        for _ in &expected {
            let message = messages.next().await;
            let (key, is_persistent) = (&message.routing_key, message.delivery_mode == Some(2));
            published.push(faf_conformance::publication(key, is_persistent, &message.body).unwrap());
        }
        let differences = faf_sessions::compare::broker::compare(expected, published);
        assert!(differences.is_empty(), "{differences:?}");
    });
}
