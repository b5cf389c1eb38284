//! Delivery: from messages of the lobby to the sockets of clients.
//!
//! ```text
//!   lobby --- turn: Vec<Order> ---> Worker --- one write for each client and turn ---> sockets
//!   (never waits for a socket)         |
//!                                      +-- Backlog, for a client whose socket is full: merged, sent in chunks
//! ```
//!
//! A message is encoded once for every encoding that is in use among its receivers, and they share the bytes.

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

/// Turns of the lobby that may wait to be delivered. When the queue is full, the lobby waits.
const QUEUED_TURNS: usize = 64;

/// Limits for clients that do not keep up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowConsumerPolicy {
    /// Most bytes offered to a client at once. What comes after them waits until it has read them.
    pub(crate) chunk_bytes: usize,
    /// Most bytes that may wait for all clients together.
    pub(crate) memory: usize,
    /// How long a client may read nothing of what it is offered.
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

/// The lobby's end: it collects the orders of a turn.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    connections: HashMap<ConnId, Arc<ConnectionSlot>>,
    /// When messages were read that are being handled: at most one for each connection.
    received: HashMap<ConnId, Instant>,
    turn: Vec<Order>,
    snapshots: SnapshotCache,
    memory: FrameMemory,
    delivery: mpsc::Sender<Vec<Order>>,
    /// Resolves when everything is delivered.
    delivered: oneshot::Receiver<()>,
    metrics: Arc<Metrics>,
}

impl Dispatcher {
    /// Starts the delivery thread; it ends after this.
    ///
    /// A thread, because a task that yields and moves between threads cost a tenth more per message.
    ///
    /// # Panics
    /// Dependencies of a tokio runtime, and if there can be no more threads.
    pub(crate) fn start(policy: SlowConsumerPolicy, metrics: Arc<Metrics>) -> Self {
        let (dispatcher, delivery) = Self::new(policy, metrics);
        let runtime = Handle::current();
        let thread = thread::Builder::new().name("delivery".to_owned());
        thread.spawn(move || runtime.block_on(delivery.run())).expect("a server can have one more thread");
        dispatcher
    }

    /// Returns the two ends.
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

    /// Forgets a connection that has ended.
    pub(crate) fn disconnect(&mut self, conn: ConnId) {
        self.received.remove(&conn);
        if self.connections.remove(&conn).is_some() {
            self.turn.push(Order::Forget(conn));
        }
    }

    /// Closes a connection after what was sent to it.
    pub(crate) fn close(&mut self, conn: ConnId, ending: Ending) {
        self.received.remove(&conn);
        if let Some(slot) = self.connections.remove(&conn) {
            if slot.note_end() {
                self.metrics.count_ended("closed here");
            }
            self.turn.push(Order::Close(conn, Box::new(ending)));
        }
    }

    /// From now on the connection gets broadcasts.
    pub(crate) fn log_in(&mut self, conn: ConnId) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.log_in();
        }
        self.turn.push(Order::LogIn(conn));
    }

    /// A login was rejected.
    pub(crate) fn login_failed(&self, conn: ConnId) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.login_failed();
        }
    }

    /// Returns the slot of a connection, for work on its behalf.
    pub(crate) fn slot(&self, conn: ConnId) -> Option<Arc<ConnectionSlot>> {
        self.connections.get(&conn).cloned()
    }

    /// Notes when a message was read, to measure the time until it is [`done`](Self::done).
    pub(crate) fn received(&mut self, conn: ConnId, read_at: Instant) {
        if self.connections.contains_key(&conn) {
            // A message that is read while another one is being handled is not measured.
            self.received.entry(conn).or_insert(read_at);
        }
    }

    /// Notes that a message is handled.
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

    /// Removes a reason not to read a connection, after its client was sent what this turn has for it.
    pub(crate) fn release(&mut self, conn: ConnId, reason: Hold) {
        self.turn.push(Order::Release(conn, reason));
    }

    /// Adds a message to this turn. For a client whose message is being handled it is an answer.
    pub(crate) fn send(&mut self, to: Audience, message: ServerMessage) {
        self.turn.push(match to {
            Audience::One(conn) => {
                Order::SendOne(conn, Frames::new(message, &self.memory), self.kind_for(conn))
            }
            _ => Order::Send(to, Frames::new(message, &self.memory)),
        });
    }

    /// Adds a part of a list that logins share. It is encoded once for each state it is in.
    pub(crate) fn send_snapshot(&mut self, conn: ConnId, id: Option<SnapshotId>, message: ServerMessage) {
        let frames = self.snapshots.frames(id, message);
        self.turn.push(Order::SendOne(conn, frames, self.kind_for(conn)));
    }

    fn kind_for(&self, conn: ConnId) -> Kind {
        if self.received.contains_key(&conn) { Kind::Answer } else { Kind::Told }
    }

    /// Adds a message that one player's game sends to another's.
    pub(crate) fn relay(&mut self, from: ConnId, to: ConnId, message: ServerMessage) {
        self.turn.push(Order::SendOne(to, Frames::new(message, &self.memory), Kind::Relayed(from)));
    }

    /// Passes the turn to the delivery thread. Waits only if that is many turns behind.
    pub(crate) async fn flush(&mut self) {
        if !self.turn.is_empty() {
            let sent = self.delivery.send(std::mem::take(&mut self.turn)).await;
            // A lobby that nobody hears must end, so that another one can begin.
            sent.expect("the delivery thread ends after the lobby");
        }
    }

    /// Waits until everything is delivered. A session that notices the end of the lobby closes its connection,
    /// and must not do so before.
    pub(crate) async fn finish(self) {
        drop(self.delivery);
        // The worker drops its end.
        let _ = self.delivered.await;
    }
}

#[cfg(test)]
mod tests;
