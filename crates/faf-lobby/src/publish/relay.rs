//! The relay: it delivers the messages of the outbox.
//!
//! Messages are delivered in the order in which they were written, and are deleted afterwards.
//! After a crash in between, they are delivered again: at-least-once delivery.
//!
//! With a broker, a message is delivered when the broker has confirmed it. Messages of different
//! games do not wait for one another then, so that they may be confirmed in another order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::broker::{Away, Delivery};
use super::{Broker, Publisher};
use crate::ops::metrics::Metrics;
use crate::store::{Message, Store, StoreError};

/// Messages that are delivered and deleted together.
const BATCH_MESSAGES: u32 = 100;

/// Messages that wait for the broker together. If it refuses so many, all later ones wait, too.
const BROKER_BATCH_MESSAGES: u32 = 1000;

/// Time between two checks of the outbox without a signal: a write may have succeeded although the
/// database reported a failure.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// Pause before the database is queried again after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Signals that the outbox may have new messages.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicU64,
    handled: AtomicU64,
    changed: Notify,
}

impl Signal {
    /// Wakes the relay: the outbox may have new messages.
    pub(crate) fn raise(&self) {
        self.raised.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Returns whether the relay has delivered everything that was in the outbox when the signal
    /// was last raised.
    pub(crate) fn is_handled(&self) -> bool {
        self.handled.load(Ordering::SeqCst) == self.raised.load(Ordering::SeqCst)
    }
}

/// The running relay.
#[derive(Debug)]
pub(crate) struct Relay {
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Relay {
    /// Starts the relay. It begins with the messages that a crash may have left in the outbox.
    pub(crate) fn start(
        store: Store,
        publisher: Publisher,
        broker: Option<&Broker>,
        metrics: Arc<Metrics>,
        signal: Arc<Signal>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let delivery = broker.map(|broker| broker.delivery(store.clone()));
        let worker = Worker { store, publisher, delivery, metrics, signal };
        Self { stop, running: tokio::spawn(worker.run(stopped)) }
    }

    /// Ends the relay at once. Messages that were delivered and not deleted are delivered again by
    /// the next server.
    #[cfg(feature = "nats")]
    pub(crate) fn abort(self) {
        self.running.abort();
    }

    /// Delivers the remaining messages within a time limit. If it runs out, the next server
    /// delivers the rest.
    pub(crate) async fn finish(self, time_limit: Duration) {
        // Fails only if the relay has panicked.
        let _ = self.stop.send(());
        let mut running = self.running;
        if timeout(time_limit, &mut running).await.is_err() {
            running.abort();
            tracing::warn!(
                "messages for other services are left in the database; the next server delivers them"
            );
        }
    }
}

struct Worker {
    store: Store,
    publisher: Publisher,
    delivery: Option<Delivery>,
    metrics: Arc<Metrics>,
    signal: Arc<Signal>,
}

/// Outcome of an attempt to deliver all messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    /// The outbox is empty.
    All,
    /// The broker has refused messages, or does not confirm them.
    Unconfirmed,
    /// There is no connection to the broker.
    Away,
}

impl Worker {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut is_failing = false;
        loop {
            let raised = self.signal.raised.load(Ordering::SeqCst);
            let pause = match self.drain().await {
                Ok(drained) => {
                    is_failing = false;
                    if drained == Drained::All {
                        self.signal.handled.store(raised, Ordering::SeqCst);
                    }
                    if drained == Drained::Unconfirmed { RETRY_DELAY } else { POLL_INTERVAL }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, "cannot read messages for other services");
                    }
                    RETRY_DELAY
                }
            };
            tokio::select! {
                () = self.signal.changed.notified() => {}
                () = sleep(pause) => {}
                // The broker is back.
                () = connection_changed(&mut self.delivery) => {}
                // Also resolves if the sender was dropped.
                _ = &mut stopped => break,
            }
        }
        match self.drain().await {
            Ok(Drained::All) => {}
            Ok(Drained::Unconfirmed | Drained::Away) => tracing::warn!(
                "the broker has not confirmed all messages for other services; the next server delivers them"
            ),
            Err(error) => {
                tracing::warn!(%error, "messages for other services are left in the database; the next server delivers them");
            }
        }
    }

    /// Delivers all messages in the outbox.
    async fn drain(&mut self) -> Result<Drained, StoreError> {
        let limit = if self.delivery.is_some() { BROKER_BATCH_MESSAGES } else { BATCH_MESSAGES };
        loop {
            let waiting = self.store.waiting_messages(limit).await?;
            self.metrics.set_outbox_waiting(waiting.count);
            if waiting.messages.is_empty() {
                return Ok(Drained::All);
            }
            let delivered = match &mut self.delivery {
                Some(delivery) => match confirmed(delivery, waiting.messages).await {
                    Ok(delivered) if delivered.is_empty() => return Ok(Drained::Unconfirmed),
                    Ok(delivered) => delivered,
                    Err(Away) => return Ok(Drained::Away),
                },
                None => waiting.messages,
            };
            let (numbers, messages): (Vec<i64>, Vec<_>) = delivered.into_iter().unzip();
            messages.into_iter().for_each(|message| self.publisher.deliver(message));
            // Messages that are not deleted would be delivered again and again, so this waits until
            // the database can be written. Until then there cannot be new messages either.
            while let Err(error) = self.store.messages_delivered(numbers.clone()).await {
                tracing::warn!(%error, "delivered messages cannot be deleted yet");
                sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Publishes messages at the broker, and returns those that it has confirmed, in that order.
async fn confirmed(
    delivery: &mut Delivery,
    messages: Vec<(i64, Message)>,
) -> Result<Vec<(i64, Message)>, Away> {
    let numbers = delivery.deliver(&messages).await?;
    let mut messages: BTreeMap<i64, Message> = messages.into_iter().collect();
    Ok(numbers.into_iter().filter_map(|number| messages.remove_entry(&number)).collect())
}

/// Waits until the broker comes or goes; for ever without one.
async fn connection_changed(delivery: &mut Option<Delivery>) {
    match delivery {
        Some(delivery) => delivery.changed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::{GamePublications, GameWrite, Publication};
    use faf_protocol::GameId;
    use tokio::sync::broadcast::Receiver;

    use super::*;
    use crate::store::sqlite::testing::{new_sqlite, refuse_writes};

    /// A relay's dependencies, and the messages that it delivers.
    struct Fixture {
        store: Store,
        signal: Arc<Signal>,
        metrics: Arc<Metrics>,
        publisher: Publisher,
        delivered: Receiver<Message>,
    }

    impl Fixture {
        fn new(store: Store) -> Self {
            let metrics = Arc::new(Metrics::new());
            let publisher = Publisher::new(None, Arc::clone(&metrics));
            let delivered = publisher.subscribe();
            Self { store, signal: Arc::default(), metrics, publisher, delivered }
        }

        fn start(&self) -> Relay {
            let (metrics, signal) = (Arc::clone(&self.metrics), Arc::clone(&self.signal));
            Relay::start(self.store.clone(), self.publisher.clone(), None, metrics, signal)
        }

        /// Stores events with these counts in the outbox.
        async fn put(&self, counts: std::ops::Range<u32>) {
            let event = |count| {
                let event = format!(r#"{{"Event":{{"playerId":1,"eventId":"e","count":{count}}}}}"#);
                serde_json::from_str::<Publication>(&event).unwrap()
            };
            let publications = GamePublications { first: counts.start, list: counts.map(event).collect() };
            self.store.store_game(GameId(1), GameWrite::Publish, publications).await.unwrap();
        }

        /// Receives this number of events and returns their counts.
        async fn receive(&mut self, number: usize) -> Vec<u64> {
            let mut counts = Vec::new();
            for _ in 0..number {
                let message = self.delivered.recv().await.unwrap();
                let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
                counts.push(body["count"].as_u64().unwrap());
            }
            counts
        }
    }

    #[tokio::test]
    async fn messages_are_delivered_in_order_and_deleted() {
        let mut fixture = Fixture::new(Store::in_memory());
        // As a crash may have left them, and more than one batch.
        fixture.put(0..250).await;
        let relay = fixture.start();
        assert_eq!(fixture.receive(250).await, (0..250).collect::<Vec<_>>());
        fixture.put(250..252).await;
        fixture.signal.raise();
        assert_eq!(fixture.receive(2).await, [250, 251]);
        while !fixture.signal.is_handled() {
            tokio::task::yield_now().await;
        }
        assert_eq!(fixture.store.waiting_messages(1).await.unwrap().count, 0);
        // The shutdown delivers the last message, for which there was no signal.
        fixture.put(252..253).await;
        relay.finish(Duration::from_secs(60)).await;
        assert_eq!(fixture.receive(1).await, [252]);
        assert_eq!(fixture.store.waiting_messages(1).await.unwrap().count, 0);
        let text = fixture.metrics.text().unwrap();
        assert!(text.contains("server_outbox_waiting 0"), "{text}");
        assert!(
            text.contains(r#"server_publications_total{routing_key="request.event.update"} 253"#),
            "{text}"
        );
    }

    #[tokio::test]
    async fn undeleted_messages_are_delivered_once_per_server() {
        let (sqlite, _folder) = new_sqlite();
        let mut fixture = Fixture::new(Store::Sqlite(sqlite.clone()));
        fixture.put(0..3).await;
        refuse_writes(&sqlite, true).await;
        let relay = fixture.start();
        assert_eq!(fixture.receive(3).await, [0, 1, 2]);
        // The server is killed before the messages are deleted.
        relay.running.abort();
        assert!(fixture.delivered.try_recv().is_err());
        refuse_writes(&sqlite, false).await;
        let relay = fixture.start();
        assert_eq!(fixture.receive(3).await, [0, 1, 2]);
        relay.finish(Duration::from_secs(60)).await;
        assert!(fixture.delivered.try_recv().is_err());
        assert_eq!(fixture.store.waiting_messages(1).await.unwrap().count, 0);
    }
}
