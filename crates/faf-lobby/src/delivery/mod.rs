//! Delivery: from messages of the lobby to the sockets of clients.
//!
//! ```text
//!   lobby --- turn: Vec<Order> ---> Worker --- one write for each client and turn ---> sockets
//!   (never waits for a socket)         |
//!                                      +-- Backlog, for a client whose socket is full:
//!                                          merged, sent in chunks
//! ```
//!
//! A message is encoded once for every encoding in use among its receivers, which share the bytes.

mod backlog;
mod broadcasts;
mod catching_up;
mod frames;
mod pace;
mod peers;
mod relay;
mod slow_consumers;
mod snapshots;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use faf_connection::Writer;
use faf_lobby_core::{Audience, ConnId, SnapshotId};
use faf_protocol::ServerMessage;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::net::read_gate::Hold;
use crate::net::slot::{ConnectionSlot, Ending};
use crate::ops::metrics::Metrics;
use backlog::Kind;
use frames::{FrameMemory, Frames};
pub(crate) use peers::Peer;
use snapshots::SnapshotCache;
use worker::Worker;

/// Most turns of the lobby that wait for the delivery thread. When the queue is full, the
/// lobby waits.
const QUEUED_TURNS: usize = 64;

/// Limits for clients that do not keep up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowConsumerPolicy {
    /// Most bytes offered to a client at once. The rest waits until the client has read them.
    pub(crate) chunk_bytes: usize,
    /// Most bytes of all backlogs together.
    pub(crate) memory: usize,
    /// Longest time for which a client may read none of the bytes offered to it.
    pub(crate) stall_timeout: Duration,
}

/// An order to the delivery thread.
#[derive(Debug)]
enum Order {
    Connect(ConnId, Peer),
    LogIn(ConnId),
    Send(Audience, Arc<Frames>),
    SendOne(ConnId, Arc<Frames>, Kind),
    Release(ConnId, Hold),
    Close(ConnId, Box<Ending>),
    Forget(ConnId),
}

/// The lobby's end of the delivery: it collects the orders of a turn.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    connections: HashMap<ConnId, Arc<ConnectionSlot>>,
    /// Read time of the message that is being handled, at most one for each connection.
    received: HashMap<ConnId, Instant>,
    turn: Vec<Order>,
    snapshots: SnapshotCache,
    /// The last list of queues, which several clients may ask for.
    listing: Option<Arc<Frames>>,
    memory: FrameMemory,
    delivery: mpsc::Sender<Vec<Order>>,
    /// Resolves when all messages are delivered.
    delivered: oneshot::Receiver<()>,
    metrics: Arc<Metrics>,
}

impl Dispatcher {
    /// Starts the delivery thread, which ends after the dispatcher.
    ///
    /// It is a thread because a task, which yields and moves between threads, cost a tenth more
    /// per message.
    ///
    /// # Panics
    /// Outside a tokio runtime, and if the operating system refuses another thread.
    pub(crate) fn start(policy: SlowConsumerPolicy, metrics: Arc<Metrics>) -> Self {
        let (dispatcher, delivery) = Self::new(policy, metrics);
        let runtime = Handle::current();
        let thread = thread::Builder::new().name("delivery".to_owned());
        thread.spawn(move || runtime.block_on(delivery.run())).expect("a server can have one more thread");
        dispatcher
    }

    /// Returns a dispatcher whose delivery is paused, and what keeps it so.
    #[cfg(all(test, feature = "nats"))]
    pub(crate) fn paused(policy: SlowConsumerPolicy, metrics: Arc<Metrics>) -> (Self, impl Sized) {
        Self::new(policy, metrics)
    }

    /// Creates the lobby's end and the worker.
    fn new(policy: SlowConsumerPolicy, metrics: Arc<Metrics>) -> (Self, Worker) {
        let (sender, turns) = mpsc::channel(QUEUED_TURNS);
        let memory = FrameMemory::default();
        let (end, delivered) = oneshot::channel();
        let delivery = Worker::new(turns, policy, memory.clone(), Arc::clone(&metrics), end);
        let dispatcher = Self {
            connections: HashMap::new(),
            received: HashMap::new(),
            turn: Vec::new(),
            snapshots: SnapshotCache::new(memory.clone()),
            listing: None,
            memory,
            delivery: sender,
            delivered,
            metrics,
        };
        (dispatcher, delivery)
    }

    pub(crate) fn connect(&mut self, conn: ConnId, writer: Writer, slot: Arc<ConnectionSlot>) {
        self.connections.insert(conn, Arc::clone(&slot));
        self.turn.push(Order::Connect(conn, Peer::new(writer, slot)));
    }

    /// Removes a connection that has ended.
    pub(crate) fn disconnect(&mut self, conn: ConnId) {
        self.received.remove(&conn);
        if self.connections.remove(&conn).is_some() {
            self.turn.push(Order::Forget(conn));
        }
    }

    /// Closes a connection after the messages that were sent to it.
    pub(crate) fn close(&mut self, conn: ConnId, ending: Ending) {
        self.received.remove(&conn);
        if let Some(slot) = self.connections.remove(&conn) {
            if slot.note_end() {
                self.metrics.count_ended("closed here");
            }
            self.turn.push(Order::Close(conn, Box::new(ending)));
        }
    }

    /// Notes that a player has logged in. From now on the connection receives broadcasts.
    pub(crate) fn log_in(&mut self, conn: ConnId) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.log_in();
        }
        self.turn.push(Order::LogIn(conn));
    }

    /// Notes that a login was rejected.
    pub(crate) fn login_failed(&self, conn: ConnId) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.login_failed();
        }
    }

    /// Returns whether a connection is open as far as the lobby knows.
    #[cfg(feature = "nats")]
    pub(crate) fn is_connected(&self, conn: ConnId) -> bool {
        self.connections.contains_key(&conn)
    }

    /// Returns all open connections.
    #[cfg(feature = "nats")]
    pub(crate) fn connections(&self) -> impl ExactSizeIterator<Item = (ConnId, &ConnectionSlot)> {
        self.connections.iter().map(|(conn, slot)| (*conn, slot.as_ref()))
    }

    /// Returns the slot of a connection, for a request on its behalf.
    pub(crate) fn slot(&self, conn: ConnId) -> Option<Arc<ConnectionSlot>> {
        self.connections.get(&conn).cloned()
    }

    /// Notes when a message was read, to measure the time until it is [`done`](Self::done).
    pub(crate) fn received(&mut self, conn: ConnId, read_at: Instant) {
        if self.connections.contains_key(&conn) {
            // A message that was read while another one is being handled is not measured.
            self.received.entry(conn).or_insert(read_at);
        }
    }

    /// Notes that a message was handled.
    pub(crate) fn done(&mut self, conn: ConnId) {
        if let Some(read_at) = self.received.remove(&conn) {
            self.metrics.observe_message(read_at.elapsed());
        }
    }

    /// Adds a reason not to read a connection.
    pub(crate) fn hold(&self, conn: ConnId, reason: Hold) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.hold(reason);
        }
    }

    /// Removes a reason not to read a connection, after its messages of this turn are sent.
    pub(crate) fn release(&mut self, conn: ConnId, reason: Hold) {
        self.turn.push(Order::Release(conn, reason));
    }

    /// Adds a message to this turn, as an answer while a message of its receiver is being handled.
    pub(crate) fn send(&mut self, to: Audience, message: ServerMessage) {
        let order = match to {
            Audience::One(conn) => {
                let frames = self.frames_of_reply(message);
                Order::SendOne(conn, frames, self.kind_for(conn))
            }
            _ => Order::Send(to, Frames::new(message, &self.memory)),
        };
        self.turn.push(order);
    }

    /// Returns the frames of a message for one client: the same again if the lobby replies with the
    /// list of queues that it has sent to others.
    fn frames_of_reply(&mut self, message: ServerMessage) -> Arc<Frames> {
        let ServerMessage::MatchmakerInfo(info) = &message else {
            return Frames::new(message, &self.memory);
        };
        let is_same = |frames: &&Arc<Frames>| match frames.message() {
            ServerMessage::MatchmakerInfo(known) => Arc::ptr_eq(known, info),
            _ => false,
        };
        if let Some(frames) = self.listing.as_ref().filter(is_same) {
            return Arc::clone(frames);
        }
        let frames = Frames::new(message, &self.memory);
        self.listing = Some(Arc::clone(&frames));
        frames
    }

    /// Adds a part of a list that logins share. Each version of the part is encoded once.
    pub(crate) fn send_snapshot(&mut self, conn: ConnId, id: Option<SnapshotId>, message: ServerMessage) {
        let frames = self.snapshots.frames(id, message);
        self.turn.push(Order::SendOne(conn, frames, self.kind_for(conn)));
    }

    fn kind_for(&self, conn: ConnId) -> Kind {
        if self.received.contains_key(&conn) { Kind::Answer } else { Kind::Unsolicited }
    }

    /// Adds a message from one player's game to another's. The sender may be at another gateway.
    pub(crate) fn relay(&mut self, from: ConnId, to: ConnId, message: ServerMessage) {
        let kind = Kind::Relayed { sender: from, is_elsewhere: !self.connections.contains_key(&from) };
        self.turn.push(Order::SendOne(to, Frames::new(message, &self.memory), kind));
    }

    /// Passes the turn to the delivery thread. Waits only if many turns wait there already.
    pub(crate) async fn flush(&mut self) {
        if !self.turn.is_empty() {
            let sent = self.delivery.send(std::mem::take(&mut self.turn)).await;
            // A lobby that cannot reach clients must end, so that a new server can start.
            sent.expect("the delivery thread ends after the lobby");
        }
    }

    /// Waits until all messages are delivered. Sessions close their connections when they notice
    /// the end of the lobby, which must not happen before.
    pub(crate) async fn finish(self) {
        drop(self.delivery);
        // The worker drops its end, which also resolves this.
        let _ = self.delivered.await;
    }
}

#[cfg(test)]
mod tests;
