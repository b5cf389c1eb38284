//! The task that keeps a connection open.

use std::sync::Arc;
use std::time::Duration;

use lapin::Event;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::StreamExt;

use crate::broker::Shared;
use crate::connection::{Connection, explain};
use crate::consumers::{self, Inbox};
use crate::pauses::Pauses;
use crate::state::NO_CONSUMERS;

/// Time after which a connection counts as stable, and the next failure is followed by the first,
/// short pause.
const STABLE: Duration = Duration::from_secs(10);

/// Time limit for closing a connection.
const CLOSE: Duration = Duration::from_secs(2);

pub(crate) struct Supervisor<I> {
    shared: Arc<Shared>,
    inbox: Arc<I>,
    /// The problem that was logged last, so that it is logged once and not with every attempt.
    logged: Option<String>,
}

impl<I: Inbox> Supervisor<I> {
    pub(crate) fn new(shared: Arc<Shared>, inbox: Arc<I>) -> Self {
        Self { shared, inbox, logged: None }
    }

    /// Keeps a connection open until it is stopped.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut pauses = Pauses::new(&self.shared.limits);
        let mut number = 0;
        loop {
            number += 1;
            let limit = self.shared.limits.open;
            let opening = timeout(limit, Connection::open(&self.shared.settings, number));
            let opened = tokio::select! {
                opened = opening => opened.unwrap_or_else(|_| Err(format!("it has not responded for {limit:?}"))),
                _ = &mut stopped => return,
            };
            let problem = match opened {
                Ok(connection) => {
                    let begin = Instant::now();
                    self.is_back();
                    let ended = self.watch(&connection, &mut stopped).await;
                    self.shared.link.send_replace(None);
                    self.shared.reports.clear(&self.shared);
                    connection.close(CLOSE).await;
                    if begin.elapsed() >= STABLE {
                        pauses.reset();
                    }
                    let Some(problem) = ended else { return };
                    problem
                }
                Err(problem) => problem,
            };
            self.is_away(problem);
            tokio::select! {
                () = sleep(pauses.next()) => {}
                _ = &mut stopped => return,
            }
        }
    }

    /// Watches a connection. Returns the reason for its end; `None` if it should be closed.
    async fn watch(&self, connection: &Connection, stopped: &mut oneshot::Receiver<()>) -> Option<String> {
        let shared = &*self.shared;
        let mut events = std::pin::pin!(connection.lapin.events_listener());
        self.shared.link.send_replace(Some(Arc::clone(&connection.link)));
        let mut reports = std::pin::pin!(shared.reports.publish(shared, &connection.link));
        let mut consumers = std::pin::pin!(consumers::run(shared, &connection.lapin, &*self.inbox));
        let mut check = None;
        let mut next = Instant::now() + shared.limits.check;
        let mut is_blocked = false;
        loop {
            tokio::select! {
                _ = &mut *stopped => return None,
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        is_blocked = true;
                        tracing::warn!(reason, "the broker accepts no messages");
                        shared.state.send_modify(|state| state.blocked = Some(reason));
                    }
                    Some(Event::ConnectionUnblocked) => {
                        is_blocked = false;
                        next = Instant::now();
                        check = None;
                        tracing::info!("the broker accepts messages again");
                        shared.state.send_modify(|state| state.blocked = None);
                    }
                    Some(Event::Error(error)) if !connection.lapin.status().connected() => {
                        return Some(explain(&error));
                    }
                    Some(_) => {}
                    None => return Some("the connection has ended".to_owned()),
                },
                problem = &mut reports => return Some(problem),
                () = &mut consumers => {}
                () = connection.link.failed.notified() => {
                    return Some("a message could not be published".to_owned());
                }
                checked = async { check.as_mut().expect("see the condition").await }, if check.is_some() => {
                    check = None;
                    if let Err(problem) = checked {
                        return Some(problem);
                    }
                    next = Instant::now() + shared.limits.check;
                }
                () = sleep_until(next) => {
                    if check.is_some() && !is_blocked {
                        return Some(format!("it has not responded for {:?}", shared.limits.respond));
                    }
                    // A blocked broker does not read, but sends heartbeats, which the library
                    // watches.
                    if check.is_none() && !is_blocked {
                        check = Some(Box::pin(connection.check(&shared.settings)));
                    }
                    next = Instant::now() + shared.limits.respond;
                }
            }
        }
    }

    /// Notes that there is a connection, and logs it once.
    fn is_back(&mut self) {
        let address = self.shared.settings.address();
        self.shared.counters.count_connect();
        self.logged = None;
        tracing::info!(address, exchange = self.shared.settings.exchange, "connected to the broker");
        self.shared.state.send_modify(|state| (state.away, state.blocked) = (None, None));
    }

    /// Notes that there is no connection, and logs each reason once.
    fn is_away(&mut self, problem: String) {
        if self.logged.as_ref() != Some(&problem) {
            let address = self.shared.settings.address();
            tracing::error!(address, problem, "the broker is away; the server goes on and tries again");
        }
        self.logged = Some(problem.clone());
        self.shared.state.send_modify(|state| {
            state.away = Some(problem);
            state.blocked = None;
            state.consumers = NO_CONSUMERS;
        });
    }
}
