//! Receives messages that are not kept.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::{coop, unconstrained};
use tokio_stream::Stream;

use crate::connection::Connection;
use crate::link::Link;
use crate::names::Subject;
use crate::publishing::PublishError;
use crate::stamps::Stamp;

/// Most publishers whose counts are remembered for each subject.
const MOST_PUBLISHERS: usize = 64;

/// Messages of some subjects, in order. Dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    connection: Connection,
    subjects: Vec<Subject>,
    /// Count of the last message of each publisher, for each subject.
    counts: Vec<HashMap<u64, u64>>,
    /// End of the current connection.
    over: watch::Receiver<bool>,
    /// It is subscribed over the current connection.
    is_current: bool,
    /// Number of the last connection.
    last: u64,
    sources: Vec<Source>,
    /// A message that is returned after the report that others before it are missing.
    held: Option<Received>,
}

/// The messages of one subject, and the next of them.
#[derive(Debug)]
struct Source {
    subscriber: Subscriber,
    next: Option<(Message, Option<Stamp>)>,
}

/// Something that a subscription received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message {
        /// Its subject.
        subject: Subject,
        /// Its content.
        payload: Bytes,
    },
    /// Messages of a publisher are missing before the next one: the receiver was too slow, or the
    /// connection was away. This is noticed with the next message of this publisher and subject.
    Lost {
        /// Their subject.
        subject: Subject,
        /// Their number.
        messages: u64,
    },
    /// There is another connection. Messages that were published in between are missing.
    Interrupted,
}

impl Connection {
    /// Subscribes to subjects. Messages that one connection publishes from when this returns are
    /// received in their order, over all subjects; those of several publishers in any order.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn subscribe(&self, subjects: Vec<Subject>) -> Result<Subscription, PublishError> {
        let shared = self.shared();
        let link = shared.link().ok_or_else(|| PublishError::Away(shared.away()))?;
        let counts = vec![HashMap::new(); subjects.len()];
        let mut subscription = Subscription {
            connection: self.clone(),
            subjects,
            counts,
            over: link.over.subscribe(),
            is_current: false,
            last: link.number,
            sources: Vec::new(),
            held: None,
        };
        subscription.begin(&link).await.map_err(PublishError::Away)?;
        Ok(subscription)
    }
}

impl Subscription {
    /// Waits for the next message, or the report of a loss; `None` when the connection is closed.
    /// May be cancelled and called again.
    pub async fn next(&mut self) -> Option<Received> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        // The sources are read outside of the budget: see `poll_message`.
        coop::consume_budget().await;
        if !self.is_current {
            return self.resume().await;
        }
        let mut over = self.over.clone();
        let received = tokio::select! {
            biased;
            received = poll_fn(|context| self.poll_message(context)) => received,
            _ = over.wait_for(|over| *over) => None,
        };
        let Some((index, message, stamp)) = received else {
            self.is_current = false;
            self.sources.clear();
            return self.resume().await;
        };
        let subject = self.subjects[index].clone();
        let missing = stamp.map_or(0, |stamp| self.missing(index, stamp));
        let message = Received::Message { subject: subject.clone(), payload: message.payload };
        if missing == 0 {
            return Some(message);
        }
        self.connection.shared().counters.count_lost(missing);
        self.held = Some(message);
        Some(Received::Lost { subject, messages: missing })
    }

    /// Subscribes over the next connection.
    async fn resume(&mut self) -> Option<Received> {
        loop {
            let link = self.connection.shared().next_link(self.last).await?;
            self.last = link.number;
            if self.begin(&link).await.is_ok() {
                return Some(Received::Interrupted);
            }
        }
    }

    async fn begin(&mut self, link: &Link) -> Result<(), String> {
        let names = &self.connection.shared().names;
        let subjects: Vec<_> = self.subjects.iter().map(|subject| names.subject(subject)).collect();
        let subscribers = link.subscribe(&subjects).await?;
        self.sources = subscribers.into_iter().map(|subscriber| Source { subscriber, next: None }).collect();
        self.over = link.over.subscribe();
        self.is_current = true;
        Ok(())
    }

    /// Returns the next message; `None` if the connection has ended.
    ///
    /// The library puts messages into the queues of their subjects in the order in which they come.
    /// So when the next message of one subject is known and another queue is found empty after
    /// that, that queue's next message is a later one. A budget would make a queue look empty.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<(usize, Message, Option<Stamp>)>> {
        let mut has_ended = false;
        loop {
            let mut has_found = false;
            for source in self.sources.iter_mut().filter(|source| source.next.is_none()) {
                let subscriber = &mut source.subscriber;
                let next = poll_fn(|context| Pin::new(&mut *subscriber).poll_next(context));
                match pin!(unconstrained(next)).poll(context) {
                    Poll::Ready(Some(message)) => {
                        let stamp = message.reply.as_ref().and_then(|reply| Stamp::read(reply));
                        source.next = Some((message, stamp));
                        has_found = true;
                    }
                    Poll::Ready(None) => has_ended = true,
                    Poll::Pending => {}
                }
            }
            if !has_found {
                break;
            }
        }
        match self.first() {
            Some(index) => {
                let (message, stamp) = self.sources[index].next.take().expect("it was found there");
                Poll::Ready(Some((index, message, stamp)))
            }
            None if has_ended || self.sources.is_empty() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Returns the source with a message that no other one precedes.
    fn first(&self) -> Option<usize> {
        let mut first: Option<(usize, Option<Stamp>)> = None;
        for (index, source) in self.sources.iter().enumerate() {
            let Some((_, stamp)) = &source.next else { continue };
            let is_earlier = match (first, stamp) {
                (None, _) => true,
                (Some((_, Some(first))), Some(stamp)) => {
                    first.publisher == stamp.publisher && stamp.order < first.order
                }
                _ => false,
            };
            if is_earlier {
                first = Some((index, *stamp));
            }
        }
        first.map(|(index, _)| index)
    }

    /// Returns the number of messages that are missing before one.
    fn missing(&mut self, index: usize, stamp: Stamp) -> u64 {
        let counts = &mut self.counts[index];
        if counts.len() >= MOST_PUBLISHERS && !counts.contains_key(&stamp.publisher) {
            counts.clear();
        }
        let last = counts.insert(stamp.publisher, stamp.count);
        last.map_or(0, |last| stamp.count.saturating_sub(last + 1))
    }
}
