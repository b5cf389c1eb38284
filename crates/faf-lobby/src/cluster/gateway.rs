//! The loop of a gateway: it puts the inputs of its connections into the stream, and performs the
//! effects that come back.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_cluster::{EndReason, Epoch, GatewayEffect, GatewayId, Link, LinkOutput, Nonce, Receivers};
use faf_lobby_core::{ConnId, Event, SHUTTING_DOWN, SnapshotId, SnapshotList};
use faf_protocol::websocket::CloseCode;
use faf_protocol::{CommandError, FieldError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::bus::{Bus, BusCommand, BusEvent};
use crate::delivery::Dispatcher;
use crate::lobby::input::Input;
use crate::net::read_gate::Hold;
use crate::net::session;
use crate::net::slot::Ending;
use crate::ops::metrics::{GatewayFigures, GatewayState, Metrics};

/// Inputs of clients, and events of the bus, handled in one turn. More would delay the first ones.
const TURN_INPUTS: usize = 64;

/// Pause before batches are appended again that the stream has not stored.
const APPEND_AGAIN: Duration = Duration::from_millis(500);

/// Time limit for the last inputs to reach the stream when the gateway ends.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bits of the number of a batch; those above count the times that the gateway has joined. At a
/// thousand batches a second they are enough for 34 years.
const BATCH_BITS: u32 = 40;

/// Shutdown requests that wait for the loop. Further ones mean nothing.
const SHUTDOWN_REQUESTS: usize = 4;

/// Answer to a message that is too long for the stream.
const TOO_LONG: &str = "The message is longer than a lobby of several processes accepts.";

/// A gateway of a cluster: the [`Link`] to it, and the delivery to clients.
///
/// Its connections have the ids that the acceptor gives them, and in the cluster those of
/// [`GatewayId::connection`].
pub(crate) struct Gateway {
    link: Link,
    /// Its number while it is a part of the cluster.
    number: Option<GatewayId>,
    bus: Bus,
    dispatcher: Dispatcher,
    metrics: Arc<Metrics>,
    figures: Arc<GatewayFigures>,
    orders: GatewayOrders,
    /// Outputs of the link that wait while the delivery is paused.
    waiting: VecDeque<LinkOutput>,
    /// Time zero of the link.
    began: Instant,
    unstored: Unstored,
    ending: Life,
}

/// The ends of its channels that the loop of a gateway holds.
struct GatewayOrders {
    shutdowns: mpsc::Receiver<()>,
    grace_period: watch::Receiver<Duration>,
    /// Whether clients may come.
    is_ready: watch::Sender<bool>,
    turns: watch::Sender<()>,
    is_draining: watch::Sender<bool>,
}

/// A handle of a gateway's loop.
#[derive(Debug, Clone)]
pub(crate) struct GatewayHandle {
    shutdowns: mpsc::Sender<()>,
    grace_period: Arc<watch::Sender<Duration>>,
    is_ready: watch::Receiver<bool>,
    turns: watch::Receiver<()>,
    is_draining: watch::Receiver<bool>,
}

/// Batches whose attempts to be stored have no outcome yet, or have failed.
///
/// A gateway that joins again numbers its batches from 1 again. Outcomes of those before must not
/// count, so the bus has both numbers in one.
#[derive(Debug, Default)]
struct Unstored {
    /// Number of times the gateway has lost its place in the cluster.
    membership: u64,
    /// Number of attempts whose outcome is not known yet.
    under_way: usize,
    has_failed: bool,
    /// Time of the next attempt.
    again: Option<Instant>,
    /// Whether the log says that the stream does not store anything.
    is_told: bool,
}

/// How far a gateway is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Serving,
    /// It waits until this time for its clients to leave.
    Draining(Instant),
    /// It has no clients any more, and waits until this time for the stream.
    Leaving(Instant),
    Ended,
}

/// The reason for which a gateway cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayFailure {
    #[error("the connection to the cluster has ended: {0}")]
    Bus(String),
    #[error("the system provides no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl GatewayHandle {
    /// Asks the gateway to shut down: when its clients have left, or at once the second time.
    pub(crate) fn shut_down(&self) {
        // Fails if enough requests wait already, or the gateway has ended.
        let _ = self.shutdowns.try_send(());
    }

    /// Changes the longest time for which a shutdown waits for clients. One that has begun keeps
    /// the time that it began with.
    pub(crate) fn set_grace_period(&self, grace_period: Duration) {
        self.grace_period.send_replace(grace_period);
    }

    /// Waits until the loop has made another turn, which takes a second at most, and returns true;
    /// returns false if it has ended.
    pub(crate) async fn beats(&self) -> bool {
        let mut turns = self.turns.clone();
        turns.mark_unchanged();
        turns.changed().await.is_ok()
    }

    /// Returns whether clients may come, which changes over time.
    pub(crate) fn is_ready(&self) -> watch::Receiver<bool> {
        self.is_ready.clone()
    }

    /// Waits until the gateway accepts no more clients because it shuts down.
    pub(crate) async fn draining(&self) {
        // It also fails if the gateway has ended.
        let _ = self.is_draining.clone().wait_for(|is_draining| *is_draining).await;
    }
}

/// Returns both ends of the channels of a loop. A shutdown waits for clients for this time.
fn orders(grace_period: Duration) -> (GatewayOrders, GatewayHandle) {
    let (shutdowns, requested) = mpsc::channel(SHUTDOWN_REQUESTS);
    let (grace_period, grace) = watch::channel(grace_period);
    let (is_ready, ready) = watch::channel(false);
    let (turns, turned) = watch::channel(());
    let (is_draining, draining) = watch::channel(false);
    let orders = GatewayOrders { shutdowns: requested, grace_period: grace, is_ready, turns, is_draining };
    let handle = GatewayHandle {
        shutdowns,
        grace_period: Arc::new(grace_period),
        is_ready: ready,
        turns: turned,
        is_draining: draining,
    };
    (orders, handle)
}

/// Returns a random number by which the gateway recognises the answer to its request to join.
fn nonce() -> Result<Nonce, GatewayFailure> {
    Ok(Nonce(getrandom::u64()?))
}

impl Gateway {
    /// Creates a gateway, which joins under this name.
    ///
    /// # Errors
    /// [`GatewayFailure::Random`].
    pub(crate) fn new(
        name: &str,
        bus: Bus,
        dispatcher: Dispatcher,
        metrics: Arc<Metrics>,
        figures: Arc<GatewayFigures>,
        grace_period: Duration,
    ) -> Result<(Self, GatewayHandle), GatewayFailure> {
        let (orders, handle) = orders(grace_period);
        let gateway = Self {
            link: Link::new(name, nonce()?, Duration::ZERO),
            number: None,
            bus,
            dispatcher,
            metrics,
            figures,
            orders,
            waiting: VecDeque::new(),
            began: Instant::now(),
            unstored: Unstored::default(),
            ending: Life::Serving,
        };
        Ok((gateway, handle))
    }

    /// Runs until the gateway has left the cluster.
    ///
    /// # Errors
    /// [`GatewayFailure`]; all connections are closed then, too.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Input>) -> Result<(), GatewayFailure> {
        let ended = self.serve(&mut inbox).await;
        self.orders.is_draining.send_replace(true);
        self.orders.is_ready.send_replace(false);
        if let Err(failure) = &ended {
            tracing::error!(%failure, "the gateway ends");
            self.close_all(SHUTTING_DOWN, None);
        }
        self.dispatcher.flush().await;
        self.dispatcher.finish().await;
        // Sessions whose `Connect` was not handled must be closed, too.
        inbox.close();
        while let Some(input) = inbox.recv().await {
            if let Input::Connect(_, writer, slot, _) = input {
                session::close_late(&writer, &slot, SHUTTING_DOWN);
            }
        }
        ended
    }

    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Input>) -> Result<(), GatewayFailure> {
        let mut inputs = Vec::with_capacity(TURN_INPUTS);
        let mut heard = Vec::with_capacity(TURN_INPUTS);
        while self.ending != Life::Ended {
            let due = self.next_due();
            // While too much waits for the stream, clients are not read.
            let reads = !self.link.is_full() && !inbox.is_closed();
            tokio::select! {
                _ = inbox.recv_many(&mut inputs, TURN_INPUTS), if reads => {}
                count = self.bus.events.recv_many(&mut heard, TURN_INPUTS) => if count == 0 {
                    return Err(GatewayFailure::Bus("it was closed".to_owned()));
                },
                Some(()) = self.orders.shutdowns.recv() => self.shut_down(),
                () = sleep_until(due) => {}
            }
            for event in heard.drain(..) {
                self.hear(event)?;
            }
            for input in inputs.drain(..) {
                self.take(input);
            }
            self.finish_turn().await?;
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns the time at which something is due even if nothing comes.
    fn next_due(&self) -> Instant {
        if !self.waiting.is_empty() {
            return Instant::now();
        }
        let link = self.began + self.link.next_timeout();
        let ending = match self.ending {
            Life::Draining(until) | Life::Leaving(until) => Some(until),
            Life::Serving | Life::Ended => None,
        };
        self.unstored.again.into_iter().chain(ending).fold(link, Instant::min)
    }

    fn hear(&mut self, event: BusEvent) -> Result<(), GatewayFailure> {
        match event {
            BusEvent::Message(payload) => {
                self.link.received(self.now(), &payload);
                // Effects come before what the next message does to the connections.
                self.perform_outputs()?;
            }
            BusEvent::Appended(number) => {
                if let Some(number) = self.unstored.settle(number, true) {
                    self.link.acknowledged(number);
                }
                if std::mem::take(&mut self.unstored.is_told) {
                    tracing::info!("the stream stores inputs again");
                }
            }
            BusEvent::NotAppended { number, is_full } => {
                self.unstored.settle(number, false);
                if !std::mem::replace(&mut self.unstored.is_told, true) {
                    tracing::warn!(is_full, "the stream does not store inputs; clients may have to wait");
                }
            }
            BusEvent::Reconnected => {
                tracing::info!("the cluster can be reached again");
                self.unstored.again = Some(Instant::now());
            }
            BusEvent::Disconnected => tracing::warn!("the cluster cannot be reached"),
            BusEvent::Failed(reason) => return Err(GatewayFailure::Bus(reason)),
            // The stream is for cores.
            BusEvent::Entry { .. } => {}
        }
        Ok(())
    }

    /// Takes an input of a connection.
    fn take(&mut self, input: Input) {
        match input {
            Input::Connect(conn, writer, slot, event) => {
                if self.number.is_none() || matches!(self.ending, Life::Leaving(_)) {
                    return session::close_late(&writer, &slot, EndReason::OutOfTouch.text());
                }
                self.dispatcher.connect(conn, writer, slot);
                self.push(event);
            }
            Input::Received(conn, message, read_at) if self.dispatcher.is_connected(conn) => {
                self.dispatcher.received(conn, read_at);
                if !self.push(Event::Received { conn, message }) {
                    let error = FieldError { field: None, reason: TOO_LONG.to_owned() };
                    let message = Err(CommandError { command: None, error });
                    self.push(Event::Received { conn, message });
                }
            }
            Input::Event(event @ Event::Heard { conn }) if self.dispatcher.is_connected(conn) => {
                self.push(event);
            }
            Input::Event(event @ Event::Disconnected { conn }) if self.dispatcher.is_connected(conn) => {
                self.dispatcher.disconnect(conn);
                self.push(event);
            }
            // They are of connections that the gateway has closed, or are not for gateways.
            Input::Received(..) | Input::Event(_) | Input::Inspect(_) | Input::Settled(_) => {}
        }
    }

    /// Passes an event of a connection to the cluster. Returns false if it is too long.
    fn push(&mut self, mut event: Event) -> bool {
        let Some(number) = self.number else { return true };
        match &mut event {
            Event::Connected { conn, .. }
            | Event::Received { conn, .. }
            | Event::Heard { conn }
            | Event::Disconnected { conn } => *conn = number.connection(conn.0),
            _ => return true,
        }
        self.link.push(&event)
    }

    /// Ends a turn: runs what is due, appends the inputs, and delivers the effects.
    async fn finish_turn(&mut self) -> Result<(), GatewayFailure> {
        let now = self.now();
        if self.unstored.again.is_some_and(|again| again <= Instant::now()) {
            self.unstored.again = None;
            self.link.append_again();
        }
        if self.link.next_timeout() <= now {
            self.link.handle_timeout(now);
        }
        self.link.flush(now);
        self.perform_outputs()?;
        self.go_on_ending()?;
        self.deliver().await;
        self.show();
        Ok(())
    }

    fn perform_outputs(&mut self) -> Result<(), GatewayFailure> {
        while let Some(output) = self.waiting.pop_front().or_else(|| self.link.poll()) {
            match output {
                LinkOutput::Append { number, id, payload } => {
                    let number = self.unstored.attempt(number);
                    self.tell(BusCommand::Append { number, id, payload });
                }
                LinkOutput::Ask(question) => {
                    self.figures.count_repair();
                    self.tell(BusCommand::ToCores(question.into()));
                }
                LinkOutput::Joined(number) => {
                    tracing::info!(gateway = number.0, "joined the cluster");
                    self.number = Some(number);
                    self.tell(BusCommand::ListenAs(number));
                    self.orders.is_ready.send_replace(self.ending == Life::Serving);
                }
                LinkOutput::Perform(effect) => self.perform(*effect),
                LinkOutput::EndAll(reason) => self.end_all(reason)?,
                LinkOutput::Left => self.ending = Life::Ended,
            }
        }
        Ok(())
    }

    fn tell(&self, command: BusCommand) {
        // Fails if the bus has ended, which the next event says.
        let _ = self.bus.commands.send(command);
    }

    /// Performs an effect of the world.
    fn perform(&mut self, effect: GatewayEffect) {
        let dispatcher = &mut self.dispatcher;
        let here = |conn| here(self.number, conn);
        match effect {
            GatewayEffect::Send { to, message } => {
                let to = match to {
                    Receivers::One(conn) => Receivers::One(here(conn)),
                    Receivers::Several(conns) => Receivers::Several(conns.into_iter().map(here).collect()),
                    Receivers::LoggedIn => Receivers::LoggedIn,
                    Receivers::LoggedInExcept(conns) => {
                        Receivers::LoggedInExcept(conns.into_iter().map(here).collect())
                    }
                };
                dispatcher.send(to.into(), message);
            }
            GatewayEffect::SendList { conn, hash, message } => {
                // The link adds the message.
                if let Some(message) = message {
                    dispatcher.send_snapshot(here(conn), hash.as_deref().and_then(list_id), message);
                }
            }
            GatewayEffect::Relay { from, to, message } => dispatcher.relay(here(from), here(to), message),
            GatewayEffect::Hold { conn, reason } => dispatcher.hold(here(conn), reason.into()),
            GatewayEffect::Release { conn, reason } => dispatcher.release(here(conn), reason.into()),
            GatewayEffect::Done { conn } => dispatcher.done(here(conn)),
            GatewayEffect::Handled { conn } => dispatcher.release(here(conn), Hold::InFlight),
            GatewayEffect::LoggedIn { conn } => dispatcher.log_in(here(conn)),
            GatewayEffect::LoginFailed { conn } => dispatcher.login_failed(here(conn)),
            GatewayEffect::Close { conn, closing } => dispatcher.close(here(conn), closing.into()),
        }
    }

    /// Ends all connections, and joins again unless the gateway ends anyway.
    fn end_all(&mut self, reason: EndReason) -> Result<(), GatewayFailure> {
        let connections = self.dispatcher.connections().len();
        tracing::warn!(connections, "all connections end: {}", reason.text());
        self.figures.count_end(reason);
        self.number = None;
        self.orders.is_ready.send_replace(false);
        self.unstored.begin_membership();
        self.close_all(reason.text(), Some(reason.text()));
        self.link.join(nonce()?);
        Ok(())
    }

    /// Closes all connections, after the messages that were sent to them. They are counted under
    /// this label, or as closed here.
    fn close_all(&mut self, reason: &str, label: Option<&'static str>) {
        let mut conns = Vec::with_capacity(self.dispatcher.connections().len());
        for (conn, slot) in self.dispatcher.connections() {
            if let Some(label) = label
                && slot.note_end()
            {
                self.metrics.count_ended(label);
            }
            conns.push(conn);
        }
        for conn in conns {
            let ending = Ending { code: CloseCode::GoingAway, reason: reason.to_owned() };
            self.dispatcher.close(conn, ending);
        }
    }

    /// Begins to shut down, or does not wait for clients any longer.
    fn shut_down(&mut self) {
        let now = Instant::now();
        self.ending = match self.ending {
            Life::Serving => {
                let connections = self.dispatcher.connections().len();
                tracing::info!(connections, "stopping: no client is accepted any more");
                self.orders.is_draining.send_replace(true);
                self.orders.is_ready.send_replace(false);
                let grace_period = *self.orders.grace_period.borrow();
                Life::Draining(now + grace_period)
            }
            Life::Draining(_) => Life::Draining(now),
            Life::Leaving(_) | Life::Ended => Life::Ended,
        };
    }

    /// Takes the next step of a shutdown, if its time has come.
    fn go_on_ending(&mut self) -> Result<(), GatewayFailure> {
        match self.ending {
            Life::Draining(until) => {
                let connections = self.dispatcher.connections().len();
                if connections > 0 && Instant::now() < until {
                    return Ok(());
                }
                tracing::info!(connections, "leaving the cluster");
                self.close_all(SHUTTING_DOWN, None);
                self.ending = Life::Leaving(Instant::now() + LEAVE_TIMEOUT);
                self.link.leave(self.now());
                self.perform_outputs()
            }
            Life::Leaving(until) if Instant::now() >= until => {
                tracing::warn!("the stream has not stored the last inputs in time");
                self.ending = Life::Ended;
                Ok(())
            }
            Life::Serving | Life::Leaving(_) | Life::Ended => Ok(()),
        }
    }

    /// Passes the effects of the turn to the delivery. While it is paused, because clients have
    /// much to read, the gateway still gives signs of life.
    async fn deliver(&mut self) {
        let Self { dispatcher, link, bus, waiting, unstored, began, orders, .. } = self;
        let mut flushing = pin!(dispatcher.flush());
        loop {
            tokio::select! {
                biased;
                () = &mut flushing => return,
                () = sleep_until(*began + link.next_timeout()) => {}
            }
            link.handle_timeout(began.elapsed());
            while let Some(output) = link.poll() {
                match output {
                    LinkOutput::Append { number, id, payload } => {
                        let number = unstored.attempt(number);
                        // Fails if the bus has ended, which the next event says.
                        let _ = bus.commands.send(BusCommand::Append { number, id, payload });
                    }
                    other => waiting.push_back(other),
                }
            }
            orders.turns.send_replace(());
        }
    }

    /// Shows the state in the metrics, and that the loop runs.
    fn show(&self) {
        let (unacknowledged, early) = self.link.waiting();
        self.figures.set(GatewayState {
            gateway: self.number,
            epoch: self.link.epoch().map_or(Epoch::default(), |(_, epoch)| epoch),
            heard: self.began + self.link.heard(),
            inputs: self.link.events(),
            unacknowledged,
            early,
            connections: self.dispatcher.connections().len(),
        });
        self.orders.turns.send_replace(());
    }
}

impl Unstored {
    /// Forgets all batches, because the gateway has lost its place in the cluster.
    fn begin_membership(&mut self) {
        *self = Self { membership: self.membership + 1, is_told: self.is_told, ..Self::default() };
    }

    /// Notes an attempt to store a batch, if it has a number. Returns its number for the bus.
    fn attempt(&mut self, batch: Option<u64>) -> Option<u64> {
        self.under_way += usize::from(batch.is_some());
        Some(self.membership << BATCH_BITS | batch?)
    }

    /// Notes the outcome of an attempt. Returns the number of the batch, unless it is one from
    /// before the gateway joined again. When all outcomes are known and one was a failure, the next
    /// attempt is due after a pause, so that attempts do not pile up.
    fn settle(&mut self, number: u64, is_stored: bool) -> Option<u64> {
        if number >> BATCH_BITS != self.membership {
            return None;
        }
        self.under_way = self.under_way.saturating_sub(1);
        self.has_failed |= !is_stored;
        if self.under_way == 0 && std::mem::take(&mut self.has_failed) {
            self.again = Some(Instant::now() + APPEND_AGAIN);
        }
        Some(number & ((1 << BATCH_BITS) - 1))
    }
}

/// Returns the id that a connection of the cluster has at this gateway. One of another gateway
/// keeps its id, which no connection here has: those here are counted from 1, and the first
/// connection of a gateway in the cluster has a number beyond 40 bits.
fn here(gateway: Option<GatewayId>, conn: ConnId) -> ConnId {
    match gateway {
        Some(gateway) if GatewayId::of(conn) == gateway => ConnId(GatewayId::number(conn)),
        _ => conn,
    }
}

/// Returns an id for a list with this hash: lists with the same content share their frames.
fn list_id(hash: &str) -> Option<SnapshotId> {
    let half = |digits: Option<&str>| u64::from_str_radix(digits?, 16).ok();
    let (chunk, version) = (half(hash.get(..16))?, half(hash.get(16..))?);
    // The kind of the list is a part of the content.
    Some(SnapshotId { list: SnapshotList::Players, chunk, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_do_not_pile_up() {
        let mut unstored = Unstored::default();
        let numbers = [1, 2, 3].map(|batch| unstored.attempt(Some(batch)).unwrap());
        assert_eq!(unstored.attempt(None), None);
        assert_eq!(unstored.settle(numbers[0], false), Some(1));
        assert_eq!(unstored.settle(numbers[1], true), Some(2));
        assert_eq!(unstored.again, None, "the outcome of one is not known");
        assert_eq!(unstored.settle(numbers[2], true), Some(3));
        assert_eq!(unstored.again, Some(Instant::now() + APPEND_AGAIN));
    }

    #[test]
    fn outcomes_from_before_another_membership_do_not_count() {
        let mut unstored = Unstored::default();
        let before = unstored.attempt(Some(1)).unwrap();
        unstored.begin_membership();
        let now = unstored.attempt(Some(1)).unwrap();
        assert_eq!(unstored.settle(before, true), None);
        assert_eq!((unstored.under_way, unstored.settle(now, true)), (1, Some(1)));
    }

    #[test]
    fn connections_of_other_gateways_keep_their_ids() {
        let own = GatewayId(7);
        assert_eq!(here(Some(own), own.connection(3)), ConnId(3));
        let other = GatewayId(1).connection(3);
        assert_eq!(here(Some(own), other), other);
    }

    #[test]
    fn lists_are_known_by_their_hash() {
        let id = |hash: &str| list_id(hash).map(|id| (id.chunk, id.version));
        assert_eq!(id("00000000000000010000000000000002"), Some((1, 2)));
        for wrong in
            ["", "1", "0000000000000001000000000000000x", "\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}"]
        {
            assert_eq!(id(wrong), None, "{wrong}");
        }
    }
}
