//! RabbitMQ as the broker: the crate `faf-lobby-rabbitmq`, with the types of this server.

use std::time::Duration;

use faf_lobby_core::{Event, Publication};
use faf_lobby_rabbitmq::{Inbox, Incoming, Outgoing, Password, Settings as Address, State, TimeLimits};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use super::Away;
use crate::config::Settings;
use crate::lobby::input::Input;
use crate::ops::metrics::Metrics;
use crate::store::{Message, Store};

/// Bytes of a message id that come from its hash: enough that two messages never get the same one
/// by chance.
const ID_BYTES: usize = 16;

/// The connection to the broker.
#[derive(Debug)]
pub(crate) struct Broker(faf_lobby_rabbitmq::Broker);

/// State of the connection.
#[derive(Debug, Clone)]
pub(crate) struct BrokerState(watch::Receiver<State>);

/// Delivers messages of the outbox.
#[derive(Debug)]
pub(crate) struct Delivery {
    delivery: faf_lobby_rabbitmq::Delivery,
    store: Store,
    /// Distinguishes the messages of this database from those of another one, when it is known.
    database: Option<[u8; 32]>,
}

/// Publishes reports.
#[derive(Debug, Clone)]
pub(crate) struct Reporter(faf_lobby_rabbitmq::Reporter);

/// Returns the problem of a name for the exchange, if it has one.
pub(crate) fn problem_of_exchange(name: &str) -> Option<String> {
    Address::problem_of_exchange(name)
}

impl Broker {
    /// Begins to connect to the broker of the configuration, if there is one.
    pub(crate) fn start(settings: &Settings, inbox: mpsc::Sender<Input>, metrics: &Metrics) -> Option<Self> {
        if settings.broker_host.is_empty() {
            return None;
        }
        let address = Address {
            host: settings.broker_host.clone(),
            port: settings.broker_port,
            user: settings.broker_user.clone(),
            password: Password::new(settings.broker_password.reveal()),
            vhost: settings.broker_vhost.clone(),
            exchange: settings.broker_exchange.clone(),
            host_name: Address::host_name(),
        };
        let broker = faf_lobby_rabbitmq::Broker::start(address, TimeLimits::default(), Lobby(inbox));
        metrics.observe_broker(broker.state(), broker.counters());
        Some(Self(broker))
    }

    /// Returns the state of the connection, which changes over time.
    pub(crate) fn state(&self) -> BrokerState {
        BrokerState(self.0.state())
    }

    /// Returns a handle for reports.
    pub(crate) fn reporter(&self) -> Reporter {
        Reporter(self.0.reporter())
    }

    /// Returns the delivery of the outbox of this database.
    pub(crate) fn delivery(&self, store: Store) -> Delivery {
        Delivery { delivery: self.0.delivery(), store, database: None }
    }

    /// Closes the connection, within a time limit.
    pub(crate) async fn close(self, time_limit: Duration) {
        self.0.close(time_limit).await;
    }
}

impl BrokerState {
    /// Returns the worst problem, in words that complete the sentence "the broker ...".
    pub(crate) fn problem(&self) -> Option<String> {
        self.0.borrow().problem()
    }
}

impl Delivery {
    /// Publishes messages of the outbox, with their numbers. Returns the numbers of those that the
    /// broker has confirmed; pass the others again.
    ///
    /// # Errors
    /// [`Away`] if there is no connection.
    pub(crate) async fn deliver(&mut self, messages: &[(i64, Message)]) -> Result<Vec<i64>, Away> {
        let database = match self.database {
            Some(database) => database,
            None => {
                // The key of the database is random and stays with it. A database that has not
                // needed it yet has none.
                let key = self.store.own_key().await.ok().flatten();
                *self.database.insert(Sha256::digest(key.unwrap_or_default()).into())
            }
        };
        let outgoing = messages.iter().map(|(number, message)| Outgoing {
            number: *number,
            id: message_id(&database, *number, message),
            routing_key: message.routing_key.clone(),
            body: message.body.clone(),
            is_persistent: message.is_persistent,
        });
        self.delivery.deliver(outgoing.collect()).await.map_err(|_| Away)
    }

    /// Waits until the state of the connection changes.
    pub(crate) async fn changed(&mut self) {
        self.delivery.changed().await;
    }
}

impl Reporter {
    pub(crate) fn report(&self, publication: &Publication) {
        // Its content is shared, so the copy is cheap.
        let publication = publication.clone();
        self.0.report(publication.routing_key(), move || match publication.body() {
            Ok(body) => Some(body),
            Err(error) => {
                tracing::error!(%error, "cannot serialize a publication");
                None
            }
        });
    }
}

/// Returns the id of a message: the same when it is published again, and another one for any other
/// message. The number alone is not enough: a database that was restored from a backup assigns
/// numbers again.
fn message_id(database: &[u8; 32], number: i64, message: &Message) -> String {
    let mut hash = Sha256::new();
    hash.update(database);
    hash.update(number.to_be_bytes());
    for text in [&message.routing_key, &message.body] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let digits: String = hash.finalize()[..ID_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{number}-{digits}")
}

/// The lobby, as receiver of messages of other services.
#[derive(Debug)]
struct Lobby(mpsc::Sender<Input>);

impl Inbox for Lobby {
    async fn take(&self, incoming: Incoming) {
        let event = match incoming {
            Incoming::Notification { to, message } => Event::Notification { to, message },
            Incoming::AvatarChanged(player) => Event::AvatarChanged { player },
        };
        // Fails only if the lobby has stopped.
        let _ = self.0.send(Input::Event(event)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_are_stable_and_unique() {
        let message = |body: &str| Message {
            exchange: "faf-lobby".to_owned(),
            routing_key: "success.rating.update".to_owned(),
            body: body.to_owned(),
            is_persistent: true,
        };
        let (ada, bob) = (message("ada"), message("bob"));
        let id = message_id(&[1; 32], 7, &ada);
        assert!(id.starts_with("7-") && id.len() == 2 + 2 * ID_BYTES, "{id}");
        assert_eq!(message_id(&[1; 32], 7, &ada), id);
        let others = [(&[2; 32], 7, &ada), (&[1; 32], 8, &ada), (&[1; 32], 7, &bob)];
        assert!(
            others.iter().all(|(database, number, message)| message_id(database, *number, message) != id)
        );
    }
}
