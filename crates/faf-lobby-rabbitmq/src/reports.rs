//! Reports: messages that may be lost. They are bounded, and the newest win.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Notify;

use crate::broker::Shared;
use crate::connection::{Link, explain};
use crate::counters::Counted;

/// Reports of a routing key that may wait. The lobby splits a long report into several, which come
/// one after the other within milliseconds.
const WAITING: usize = 16;

/// Makes the body of a report.
pub(crate) type MakeBody = Box<dyn FnOnce() -> Option<String> + Send>;

/// Reports that wait for the broker.
#[derive(Default)]
pub(crate) struct Reports {
    waiting: Mutex<BTreeMap<&'static str, VecDeque<MakeBody>>>,
    changed: Notify,
}

impl Reports {
    pub(crate) fn push(&self, shared: &Shared, routing_key: &'static str, body: MakeBody) {
        if shared.link.borrow().is_none() {
            return shared.counters.count(routing_key, Counted::Dropped);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = waiting.entry(routing_key).or_default();
        queue.push_back(body);
        if queue.len() > WAITING {
            queue.pop_front();
            shared.counters.count(routing_key, Counted::Dropped);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Drops everything that waits.
    pub(crate) fn clear(&self, shared: &Shared) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for (routing_key, queue) in waiting {
            shared.counters.add(routing_key, Counted::Dropped, queue.len() as u64);
        }
    }

    /// Takes the oldest report of the routing key that has the fewest, so that none starves.
    fn pop(&self) -> Option<(&'static str, MakeBody)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, queue) =
            waiting.iter_mut().filter(|(_, queue)| !queue.is_empty()).min_by_key(|(_, queue)| queue.len())?;
        queue.pop_front().map(|body| (*key, body))
    }

    /// Publishes reports over a connection until it fails. One report is on its way at a time: what
    /// a slow broker has not confirmed lies in the memory of this process.
    pub(crate) async fn publish(&self, shared: &Shared, link: &Link) -> String {
        loop {
            let changed = self.changed.notified();
            let Some((routing_key, body)) = self.pop() else {
                changed.await;
                continue;
            };
            let Some(body) = body() else { continue };
            shared.counters.count(routing_key, Counted::Published);
            let exchange = shared.settings.exchange.as_str().into();
            let properties = BasicProperties::default().with_content_type("application/json".into());
            let sent = link.reports.basic_publish(
                exchange,
                routing_key.into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                properties,
            );
            // A broker that blocks publishers lets this wait, and the supervisor notices one that
            // does not respond.
            let confirmed = match sent.await {
                Ok(confirmed) => confirmed.await,
                Err(error) => Err(error),
            };
            match confirmed {
                Ok(Confirmation::Nack(_)) => shared.counters.count(routing_key, Counted::Refused),
                Ok(_) => shared.counters.count(routing_key, Counted::Confirmed),
                Err(error) => return explain(&error),
            }
        }
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_reports_are_not_held_up_by_frequent_ones() {
        let reports = Reports::default();
        let push = |key, text: &'static str| {
            let mut waiting = reports.waiting.lock().unwrap();
            waiting.entry(key).or_default().push_back(Box::new(|| Some(text.to_owned())) as MakeBody);
        };
        for (key, text) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")] {
            push(key, text);
        }
        let order: Vec<_> = std::iter::from_fn(|| reports.pop()).map(|(_, body)| body().unwrap()).collect();
        assert_eq!(order, ["3", "1", "2", "4"]);
    }
}
