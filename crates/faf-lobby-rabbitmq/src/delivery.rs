//! Delivery of messages that must not be lost: each is published until the broker has confirmed it.

use std::sync::Arc;

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::broker::Shared;
use crate::connection::Link;
use crate::counters::Counted;
use crate::lanes::Lanes;

/// Messages that may be on their way at the same time: enough for a broker on another machine, and
/// little for the memory of either side.
const WINDOW: usize = 512;

/// AMQP's number for messages that survive a restart of the broker in a durable queue.
const PERSISTENT: u8 = 2;

/// A message to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Number of the message, which gives the order.
    pub number: i64,
    /// Id of the message for receivers, at most 255 bytes. It is the same when the message is
    /// published again.
    pub id: String,
    /// Routing key, at most 255 bytes.
    pub routing_key: String,
    /// JSON text of the message.
    pub body: String,
    /// Whether the message survives a restart of the broker.
    pub is_persistent: bool,
}

/// There is no connection to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker is away")]
pub struct Away;

/// Delivers messages, each at least once.
///
/// A message follows all earlier ones of its game (`game_id` in its body) and of its player
/// (`player_id` or `playerId`): it is published when they are confirmed. A message that may have
/// been published before a connection was lost is published again with the same id.
#[derive(Debug)]
pub struct Delivery {
    shared: Arc<Shared>,
    link: watch::Receiver<Option<Arc<Link>>>,
    /// Number of the connection on which messages are on their way.
    connection: u64,
    lanes: Lanes,
    on_their_way: JoinSet<(i64, String, Outcome)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Confirmed,
    Refused,
    Lost,
}

impl Delivery {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let link = shared.link.subscribe();
        Self { shared, link, connection: 0, lanes: Lanes::default(), on_their_way: JoinSet::new() }
    }

    /// Publishes messages, and returns the numbers of those that the broker has confirmed, in the
    /// order of the confirmations. Returns before all are confirmed if the broker has refused some,
    /// has confirmed none for a while, or the connection is lost.
    ///
    /// Unconfirmed messages are kept, at most as many as were passed: pass them again to go on.
    /// Those that are still on their way are not published a second time.
    ///
    /// # Errors
    /// [`Away`] if there is no connection. Nothing is published then.
    pub async fn deliver(&mut self, messages: Vec<Outgoing>) -> Result<Vec<i64>, Away> {
        let mut confirmed = Vec::new();
        let Some(link) = self.link.borrow_and_update().clone() else { return Err(Away) };
        if link.number != self.connection {
            // A confirmation that came just before the connection was lost counts.
            while let Some(Ok((number, key, outcome))) = self.on_their_way.try_join_next() {
                self.note(number, &key, outcome, &mut confirmed);
            }
            self.on_their_way = JoinSet::new();
            self.lanes.restart();
            self.connection = link.number;
        }
        self.lanes.retry();
        for message in messages {
            self.lanes.add(message);
        }
        let mut quiet = Instant::now() + self.shared.limits.quiet;
        loop {
            while self.on_their_way.len() < WINDOW
                && let Some(message) = self.lanes.next()
            {
                // Only one message of each lane is on its way, so the tasks need no order.
                let (shared, link, message) = (Arc::clone(&self.shared), Arc::clone(&link), message.clone());
                self.on_their_way.spawn(async move { publish(&shared, &link, message).await });
            }
            tokio::select! {
                biased;
                outcome = self.on_their_way.join_next() => match outcome {
                    None => break,
                    Some(Err(_)) => link.failed.notify_one(),
                    Some(Ok((number, key, outcome))) => {
                        self.note(number, &key, outcome, &mut confirmed);
                        match outcome {
                            Outcome::Confirmed => quiet = Instant::now() + self.shared.limits.quiet,
                            Outcome::Refused => {}
                            Outcome::Lost => link.failed.notify_one(),
                        }
                    }
                },
                // The connection is lost. Its confirmations are read before.
                _ = self.link.changed() => break,
                () = sleep_until(quiet) => break,
            }
        }
        Ok(confirmed)
    }

    /// Waits until the state of the connection changes.
    pub async fn changed(&mut self) {
        // Fails only if the broker's handle is gone, together with its task.
        if self.link.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn note(&mut self, number: i64, routing_key: &str, outcome: Outcome, confirmed: &mut Vec<i64>) {
        match outcome {
            Outcome::Confirmed => {
                self.shared.counters.count(routing_key, Counted::Confirmed);
                self.lanes.confirmed(number);
                confirmed.push(number);
            }
            Outcome::Refused => {
                self.shared.counters.count(routing_key, Counted::Refused);
                self.lanes.refused(number);
            }
            // It is published again over the next connection.
            Outcome::Lost => {}
        }
    }
}

/// Publishes a message, and waits for its confirmation.
///
/// There is no time limit: publishing the message again would only add a second one. A broker that
/// blocks publishers lets this wait, and the supervisor notices one that does not respond.
async fn publish(shared: &Shared, link: &Link, message: Outgoing) -> (i64, String, Outcome) {
    let Outgoing { number, id, routing_key, body, is_persistent } = message;
    let mut properties =
        BasicProperties::default().with_content_type("application/json".into()).with_message_id(short(&id));
    if is_persistent {
        properties = properties.with_delivery_mode(PERSISTENT);
    }
    let exchange = shared.settings.exchange.as_str().into();
    let options = BasicPublishOptions::default();
    let sent = link
        .delivery
        .basic_publish(exchange, short(&routing_key), options, body.as_bytes(), properties)
        .await;
    shared.counters.count(&routing_key, Counted::Published);
    let confirmed = match sent {
        Ok(confirmation) => confirmation.await,
        Err(error) => Err(error),
    };
    let outcome = match confirmed {
        Ok(Confirmation::Nack(_)) => Outcome::Refused,
        Ok(_) => Outcome::Confirmed,
        Err(_) => Outcome::Lost,
    };
    (number, routing_key, outcome)
}

/// Returns a text as AMQP's short string, which has at most 255 bytes.
fn short(text: &str) -> lapin::types::ShortString {
    text[..text.floor_char_boundary(255)].into()
}
