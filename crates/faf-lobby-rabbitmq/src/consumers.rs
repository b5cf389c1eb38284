//! The server's own queues, and their consumers.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt;

use crate::broker::Shared;
use crate::connection::{channel, respond};
use crate::counters::Counted;
use crate::incoming::{self, Incoming};
use crate::pace::Pace;
use crate::pauses::Pauses;
use crate::state::ConsumerState;

/// Messages that the broker sends ahead. Each may be as large as the broker allows, since the
/// library collects a message before anybody can see its size.
const PREFETCH: u16 = 8;

/// Time between two log lines about messages that are dropped.
const LOG_PAUSE: Duration = Duration::from_secs(60);

/// Receives the messages of other services.
pub trait Inbox: Send + Sync + 'static {
    /// Takes a message, and returns when it is taken: the next one waits until then.
    fn take(&self, incoming: Incoming) -> impl Future<Output = ()> + Send;
}

/// A queue of the server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Notifications,
    Avatars,
}

impl Purpose {
    fn routing_key(self) -> &'static str {
        match self {
            Self::Notifications => "request.client.notify",
            Self::Avatars => "success.player_avatar.update",
        }
    }

    fn queue(self, shared: &Shared) -> String {
        let purpose = match self {
            Self::Notifications => "client.notify",
            Self::Avatars => "player_avatar.update",
        };
        format!("{}.lobby.{purpose}.{}", shared.settings.exchange, shared.settings.host_name)
    }

    fn read(self, delivery: &Delivery) -> Result<Incoming, &'static str> {
        match self {
            Self::Notifications => {
                incoming::notification(delivery.properties.headers().as_ref(), &delivery.data)
            }
            Self::Avatars => incoming::avatar_changed(&delivery.data),
        }
    }
}

/// Consumes all queues over a connection; returns only if that fails for good.
pub(crate) async fn run(shared: &Shared, connection: &lapin::Connection, inbox: &impl Inbox) {
    tokio::join!(
        keep_consuming(shared, connection, inbox, Purpose::Notifications),
        keep_consuming(shared, connection, inbox, Purpose::Avatars),
    );
    std::future::pending::<()>().await;
}

/// Consumes a queue. If that fails while the connection lives, it is tried again: another server
/// may use the queue, or somebody has deleted it.
async fn keep_consuming(
    shared: &Shared,
    connection: &lapin::Connection,
    inbox: &impl Inbox,
    purpose: Purpose,
) {
    let queue = purpose.queue(shared);
    let mut pauses = Pauses::new(&shared.limits);
    let mut dropped = DropLog::default();
    let mut logged = None;
    loop {
        let began = Instant::now();
        let Err(problem) = consume(shared, connection, inbox, purpose, &queue, &mut dropped).await;
        if !connection.status().connected() {
            return;
        }
        if logged.as_ref() != Some(&problem) {
            tracing::error!(
                queue,
                problem,
                "a queue of the broker cannot be consumed; the server tries again"
            );
        }
        note(shared, purpose, ConsumerState::Failed(format!("{queue}: {problem}")));
        logged = Some(problem);
        if began.elapsed() > shared.limits.longest_pause {
            pauses.reset();
        }
        sleep(pauses.next()).await;
    }
}

fn note(shared: &Shared, purpose: Purpose, consumer: ConsumerState) {
    shared.state.send_modify(|state| state.consumers[purpose as usize] = consumer);
}

/// Declares and consumes a queue until that fails.
async fn consume(
    shared: &Shared,
    connection: &lapin::Connection,
    inbox: &impl Inbox,
    purpose: Purpose,
    queue: &str,
    dropped: &mut DropLog,
) -> Result<std::convert::Infallible, String> {
    let key = purpose.routing_key();
    let channel = channel(connection).await?;
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    respond(channel.queue_declare(queue.into(), options, FieldTable::default())).await?;
    let exchange = shared.settings.exchange.as_str().into();
    let bound = channel.queue_bind(
        queue.into(),
        exchange,
        key.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    respond(bound).await?;
    respond(channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
    let consumer =
        channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = respond(consumer).await?;
    note(shared, purpose, ConsumerState::Running);
    let mut pace = Pace::new();
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery.map_err(|error| crate::connection::explain(&error))?;
        match purpose.read(&delivery) {
            Ok(incoming) => {
                let is_to_all = matches!(incoming, Incoming::Notification { to: None, .. });
                pace.wait(delivery.data.len(), is_to_all).await;
                inbox.take(incoming).await;
                shared.counters.count(key, Counted::Consumed);
            }
            Err(reason) => {
                shared.counters.count(key, Counted::Dropped);
                dropped.log(key, reason);
            }
        }
        respond(delivery.acker.ack(BasicAckOptions::default())).await?;
    }
    Err("the broker has ended it".to_owned())
}

/// Logs dropped messages, not more often than once in a while.
#[derive(Debug, Default)]
struct DropLog {
    last: Option<Instant>,
    /// Number of messages since then that were not logged.
    silent: u64,
}

impl DropLog {
    fn log(&mut self, routing_key: &str, reason: &str) {
        if self.last.is_some_and(|last| last.elapsed() < LOG_PAUSE) {
            self.silent += 1;
            return;
        }
        let others = std::mem::take(&mut self.silent);
        tracing::warn!(routing_key, reason, others, "a message of another service is dropped");
        self.last = Some(Instant::now());
    }
}
