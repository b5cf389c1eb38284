//! A broker, a connection of the server to it, and what the server receives.

use std::time::Duration;

use faf_lobby_rabbitmq::{
    Broker, Delivery, Inbox, Incoming, KeyCounts, Outgoing, Password, Settings, State, TimeLimits,
};
use faf_testkit::services::rabbitmq::{Client, PASSWORD, RabbitMq, USER};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Time limit for anything that a test waits for.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) const EXCHANGE: &str = "faf-lobby";

pub(crate) struct Fixture {
    pub(crate) settings: Settings,
    pub(crate) broker: Broker,
    pub(crate) incoming: mpsc::Receiver<Incoming>,
}

/// Passes messages on to a test, which holds them up as long as it likes.
struct Channel(mpsc::Sender<Incoming>);

impl Inbox for Channel {
    async fn take(&self, incoming: Incoming) {
        // Fails only at the end of the test.
        let _ = self.0.send(incoming).await;
    }
}

pub(crate) fn settings(rabbit: &RabbitMq, vhost: &str) -> Settings {
    Settings {
        host: "127.0.0.1".to_owned(),
        port: rabbit.port(),
        user: USER.to_owned(),
        password: Password::new(PASSWORD),
        vhost: vhost.to_owned(),
        exchange: EXCHANGE.to_owned(),
        host_name: "test".to_owned(),
    }
}

/// Short pauses and time limits, so that tests of failures are quick.
pub(crate) fn limits() -> TimeLimits {
    TimeLimits {
        respond: Duration::from_secs(3),
        check: Duration::from_millis(300),
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(400),
        ..TimeLimits::default()
    }
}

impl Fixture {
    /// Begins to connect to a virtual host of the test's own.
    pub(crate) fn start(rabbit: &RabbitMq) -> Self {
        Self::start_with(settings(rabbit, &rabbit.vhost()))
    }

    pub(crate) fn start_with(settings: Settings) -> Self {
        Self::start_within(settings, limits())
    }

    /// Begins to connect to a port of this machine.
    pub(crate) fn start_at(port: u16, limits: TimeLimits) -> Self {
        let settings = Settings {
            host: "127.0.0.1".to_owned(),
            port,
            user: "faf".to_owned(),
            password: Password::new("hunter2"),
            vhost: "/faf-core".to_owned(),
            exchange: EXCHANGE.to_owned(),
            host_name: "test".to_owned(),
        };
        Self::start_within(settings, limits)
    }

    fn start_within(settings: Settings, limits: TimeLimits) -> Self {
        let (inbox, incoming) = mpsc::channel(1);
        let broker = Broker::start(settings.clone(), limits, Channel(inbox));
        Self { settings, broker, incoming }
    }

    /// Connects to a virtual host of the test's own.
    pub(crate) async fn connected(rabbit: &RabbitMq) -> Self {
        let fixture = Self::start(rabbit);
        fixture.wait_for(State::is_connected).await;
        fixture
    }

    /// Waits until the state fulfils a condition, and returns it.
    pub(crate) async fn wait_for(&self, condition: impl FnMut(&State) -> bool) -> State {
        let mut state = self.broker.state();
        let reached = timeout(TIMEOUT, state.wait_for(condition)).await;
        let reached = reached.unwrap_or_else(|_| panic!("still {:?}", *self.broker.state().borrow()));
        reached.expect("the broker's task lives").clone()
    }

    pub(crate) async fn wait_for_problem(&self, words: &str) {
        self.wait_for(|state| state.problem().is_some_and(|problem| problem.contains(words))).await;
    }

    pub(crate) async fn receive(&mut self) -> Incoming {
        timeout(TIMEOUT, self.incoming.recv()).await.expect("a message in time").expect("a message")
    }

    pub(crate) async fn client(&self, rabbit: &RabbitMq) -> Client {
        Client::connect(rabbit, &self.settings.vhost).await
    }

    pub(crate) fn counts(&self, key: &str) -> KeyCounts {
        self.broker.counters().by_key().find(|(name, _)| *name == key).expect("a known key").1
    }
}

/// Returns a message about a game; its body also has its number.
pub(crate) fn about_game(number: i64, game: i64) -> Outgoing {
    Outgoing {
        number,
        id: format!("id-{number}"),
        routing_key: "success.rating.update".to_owned(),
        body: format!(r#"{{"game_id":{game},"number":{number}}}"#),
        is_persistent: true,
    }
}

/// Returns the number in a body of [`about_game`].
pub(crate) fn number(body: &str) -> i64 {
    let body: serde_json::Value = serde_json::from_str(body).expect("the body is JSON");
    body["number"].as_i64().expect("it has a number")
}

/// Delivers messages as the relay does: it repeats what is not confirmed until everything is.
pub(crate) async fn deliver_all(delivery: &mut Delivery, messages: &[Outgoing]) {
    let mut rest = messages.to_vec();
    let all = async {
        while !rest.is_empty() {
            match delivery.deliver(rest.clone()).await {
                Ok(confirmed) => rest.retain(|message| !confirmed.contains(&message.number)),
                Err(_) => delivery.changed().await,
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT * 2, all).await.expect("everything is delivered");
}

/// Waits until a condition holds, which nothing announces.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, holds).await.expect("the condition holds in time");
}
