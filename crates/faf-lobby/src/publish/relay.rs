//! The relay: takes messages out of the outbox and delivers them.
//!
//! Messages are delivered in the order in which they were written, and are deleted afterwards. A
//! crash in between has them delivered again: at least once, never not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Publisher;
use crate::ops::metrics::Metrics;
use crate::store::{Store, StoreError};

/// Messages that are delivered and deleted together.
const BATCH: u32 = 100;

/// Time between two looks at the outbox when nobody says that there is something in it: a write may
/// have been carried out although the database has said that it failed.
const PERIOD: Duration = Duration::from_secs(10);

/// Pause before the database is asked again after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Says that there is something in the outbox.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicU64,
    handled: AtomicU64,
    changed: Notify,
}

impl Signal {
    /// There may be messages in the outbox.
    pub(crate) fn raise(&self) {
        self.raised.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Whether everything is delivered that was in the outbox when the signal was last raised.
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
    /// Starts with what a crash may have left in the outbox.
    pub(crate) fn start(
        store: Store,
        publisher: Publisher,
        metrics: Arc<Metrics>,
        signal: Arc<Signal>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let worker = Worker { store, publisher, metrics, signal };
        Self { stop, running: tokio::spawn(worker.run(stopped)) }
    }

    /// Delivers what is left, for so long at most; the rest follows when a server starts again.
    pub(crate) async fn finish(self, time: Duration) {
        // A relay that has failed does not mind.
        let _ = self.stop.send(());
        let mut running = self.running;
        if timeout(time, &mut running).await.is_err() {
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
    metrics: Arc<Metrics>,
    signal: Arc<Signal>,
}

impl Worker {
    async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let mut is_failing = false;
        loop {
            let raised = self.signal.raised.load(Ordering::SeqCst);
            let pause = match self.empty().await {
                Ok(()) => {
                    self.signal.handled.store(raised, Ordering::SeqCst);
                    is_failing = false;
                    PERIOD
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, "messages for other services cannot be read");
                    }
                    PAUSE
                }
            };
            tokio::select! {
                () = self.signal.changed.notified() => {}
                () = sleep(pause) => {}
                // Also if nobody is left who could stop it.
                _ = &mut stopped => break,
            }
        }
        if let Err(error) = self.empty().await {
            tracing::warn!(%error, "messages for other services are left in the database; the next server delivers them");
        }
    }

    /// Delivers everything that is in the outbox.
    async fn empty(&self) -> Result<(), StoreError> {
        loop {
            let waiting = self.store.waiting_messages(BATCH).await?;
            self.metrics.set_outbox_waiting(waiting.count);
            if waiting.messages.is_empty() {
                return Ok(());
            }
            let (numbers, messages): (Vec<i64>, Vec<_>) = waiting.messages.into_iter().unzip();
            messages.into_iter().for_each(|message| self.publisher.deliver(message));
            // Messages that are not deleted would be delivered again and again. While nothing can
            // be written, no new ones come either.
            while let Err(error) = self.store.messages_delivered(numbers.clone()).await {
                tracing::warn!(%error, "messages that were delivered cannot be deleted yet");
                sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::{GamePublications, GameWrite, Publication};
    use faf_protocol::GameId;
    use tokio::sync::broadcast::Receiver;

    use super::*;
    use crate::store::Message;
    use crate::store::sqlite::testing::{change, new_sqlite};

    /// A relay on a database, and what it delivers.
    struct Rig {
        store: Store,
        signal: Arc<Signal>,
        metrics: Arc<Metrics>,
        publisher: Publisher,
        delivered: Receiver<Message>,
    }

    impl Rig {
        fn new(store: Store) -> Self {
            let metrics = Arc::new(Metrics::new());
            let publisher = Publisher::new(Arc::clone(&metrics));
            let delivered = publisher.subscribe();
            Self { store, signal: Arc::default(), metrics, publisher, delivered }
        }

        fn start(&self) -> Relay {
            let (metrics, signal) = (Arc::clone(&self.metrics), Arc::clone(&self.signal));
            Relay::start(self.store.clone(), self.publisher.clone(), metrics, signal)
        }

        /// Puts events with these counts into the outbox.
        async fn put(&self, counts: std::ops::Range<u32>) {
            let event = |count| {
                let event = format!(r#"{{"Event":{{"playerId":1,"eventId":"e","count":{count}}}}}"#);
                serde_json::from_str::<Publication>(&event).unwrap()
            };
            let publications = GamePublications { first: counts.start, list: counts.map(event).collect() };
            self.store.store_game(GameId(1), GameWrite::Publish, publications).await.unwrap();
        }

        /// The counts of the next events that are delivered.
        async fn hear(&mut self, number: usize) -> Vec<u64> {
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
        let mut rig = Rig::new(Store::in_memory());
        // As a crash may have left them, and more than one batch.
        rig.put(0..250).await;
        let relay = rig.start();
        assert_eq!(rig.hear(250).await, (0..250).collect::<Vec<_>>());
        rig.put(250..252).await;
        rig.signal.raise();
        assert_eq!(rig.hear(2).await, [250, 251]);
        while !rig.signal.is_handled() {
            tokio::task::yield_now().await;
        }
        assert_eq!(rig.store.waiting_messages(1).await.unwrap().count, 0);
        // What comes last is delivered although nobody says so.
        rig.put(252..253).await;
        relay.finish(Duration::from_secs(60)).await;
        assert_eq!(rig.hear(1).await, [252]);
        assert_eq!(rig.store.waiting_messages(1).await.unwrap().count, 0);
        let text = rig.metrics.text().unwrap();
        assert!(text.contains("server_outbox_waiting 0"), "{text}");
        assert!(
            text.contains(r#"server_publications_total{routing_key="request.event.update"} 253"#),
            "{text}"
        );
    }

    #[tokio::test]
    async fn messages_that_cannot_be_deleted_are_delivered_once_by_a_server_and_again_by_the_next() {
        let (sqlite, _folder) = new_sqlite();
        let mut rig = Rig::new(Store::Sqlite(sqlite.clone()));
        rig.put(0..3).await;
        let full = "CREATE TRIGGER full BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END";
        change(&sqlite, full).await;
        let relay = rig.start();
        assert_eq!(rig.hear(3).await, [0, 1, 2]);
        // It is killed in between.
        relay.running.abort();
        assert!(rig.delivered.try_recv().is_err());
        change(&sqlite, "DROP TRIGGER full").await;
        let relay = rig.start();
        assert_eq!(rig.hear(3).await, [0, 1, 2]);
        relay.finish(Duration::from_secs(60)).await;
        assert!(rig.delivered.try_recv().is_err());
        assert_eq!(rig.store.waiting_messages(1).await.unwrap().count, 0);
    }
}
