//! Who gets what: from connections of the lobby to outboxes of peers.
//!
//! ```text
//!   lobby --- turn: Vec<Order> ---> Worker --- one write for each client and turn ---> sockets
//!   (never waits for a socket)         |
//!                                      +-- Backlog, for a client whose socket is full: merged, handed over bit by bit
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
use faf_lobby_core::{Audience, ConnId};
use faf_protocol::ServerMessage;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::net::slot::{ConnectionSlot, Word};
use crate::ops::metrics::Metrics;
use backlog::Kind;
use frames::{FrameMemory, Frames};
pub(crate) use peers::Peer;
use snapshots::SnapshotCache;
use worker::Worker;

/// Turns of the lobby that may wait to be delivered. When there are more, the lobby waits, and reads nothing meanwhile.
const QUEUED_TURNS: usize = 64;

/// What one who does not keep up is granted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowConsumerPolicy {
    /// How many bytes are handed over to a client at once. What comes behind waits until it has taken them.
    pub(crate) chunk_bytes: usize,
    /// Most bytes that may be kept for all clients together.
    pub(crate) memory: usize,
    /// How long a client may take nothing of what waits for it.
    pub(crate) stall_timeout: Duration,
}

/// Something for the one who delivers.
#[derive(Debug)]
enum Order {
    Connect(ConnId, Peer),
    LogIn(ConnId),
    Send(Audience, Arc<Frames>),
    SendOne(ConnId, Arc<Frames>, Kind),
    Ready(ConnId),
    Close(ConnId),
    Forget(ConnId),
}

/// The lobby's end: collects what a turn has for clients.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    connections: HashMap<ConnId, Arc<ConnectionSlot>>,
    /// When messages were read that are being dealt with: at most one for each connection.
    received: HashMap<ConnId, Instant>,
    turn: Vec<Order>,
    lists: SnapshotCache,
    memory: FrameMemory,
    delivery: mpsc::Sender<Vec<Order>>,
    /// Told when everything is delivered.
    delivered: oneshot::Receiver<()>,
    metrics: Arc<Metrics>,
}

impl Dispatcher {
    /// Starts the thread that delivers; it ends behind this.
    ///
    /// A thread of its own is never asked to make room for others, and never moved: as a task that does so it cost a tenth
    /// more for each message.
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

    /// The two ends.
    fn new(policy: SlowConsumerPolicy, metrics: Arc<Metrics>) -> (Self, Worker) {
        let (sender, turns) = mpsc::channel(QUEUED_TURNS);
        let memory = FrameMemory::default();
        let (end, delivered) = oneshot::channel();
        let delivery = Worker::new(turns, policy, memory.clone(), Arc::clone(&metrics), end);
        let dispatcher = Self {
            connections: HashMap::new(),
            received: HashMap::new(),
            turn: Vec::new(),
            lists: SnapshotCache::new(memory.clone()),
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

    /// Ends a connection behind what was sent to it.
    pub(crate) fn close(&mut self, conn: ConnId) {
        self.received.remove(&conn);
        if let Some(slot) = self.connections.remove(&conn) {
            if slot.ends() {
                self.metrics.count_ended("closed here");
            }
            self.turn.push(Order::Close(conn));
        }
    }

    /// From now on the connection hears what everybody hears.
    pub(crate) fn log_in(&mut self, conn: ConnId) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.log_in();
        }
        self.turn.push(Order::LogIn(conn));
    }

    /// A login was not accepted.
    pub(crate) fn login_failed(&self, conn: ConnId) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.login_failed();
        }
    }

    /// The connection's place, for what is done on its behalf.
    pub(crate) fn slot(&self, conn: ConnId) -> Option<Arc<ConnectionSlot>> {
        self.connections.get(&conn).cloned()
    }

    /// Notes when a message was read; the time until it is [`done`](Self::done) counts.
    pub(crate) fn received(&mut self, conn: ConnId, read_at: Instant) {
        if self.connections.contains_key(&conn) {
            // What is read while another message is dealt with is not measured.
            self.received.entry(conn).or_insert(read_at);
        }
    }

    /// Notes that a message is dealt with.
    pub(crate) fn done(&mut self, conn: ConnId) {
        if let Some(read_at) = self.received.remove(&conn) {
            self.metrics.observe_message(read_at.elapsed());
        }
    }

    /// Tells the session that nothing of what it has read is needed any more, though it may not read again.
    pub(crate) fn wait(&self, conn: ConnId) {
        if let Some(slot) = self.connections.get(&conn) {
            slot.tell(Word::DealtWith);
        }
    }

    /// Lets the session read again, behind what this turn has for its client, and as soon as the client has taken most of what
    /// it was answered.
    pub(crate) fn ready(&mut self, conn: ConnId) {
        self.turn.push(Order::Ready(conn));
    }

    /// Adds a message to this turn. To a client of which a message is being dealt with it is an answer.
    pub(crate) fn send(&mut self, to: Audience, message: ServerMessage) {
        self.turn.push(match to {
            // What single clients are told of players and games at length, others are told, too.
            Audience::One(conn) => {
                let kind = if self.received.contains_key(&conn) { Kind::Answer } else { Kind::Told };
                Order::SendOne(conn, self.lists.frames(message), kind)
            }
            _ => Order::Send(to, Frames::new(message, &self.memory)),
        });
    }

    /// Adds a message that one player's game sends to another's.
    pub(crate) fn relay(&mut self, from: ConnId, to: ConnId, message: ServerMessage) {
        self.turn.push(Order::SendOne(to, Frames::new(message, &self.memory), Kind::Relayed(from)));
    }

    /// Hands the turn over to be delivered. Waits only if much more waits than can be delivered.
    pub(crate) async fn flush(&mut self) {
        if !self.turn.is_empty() {
            let sent = self.delivery.send(std::mem::take(&mut self.turn)).await;
            // A lobby that nobody hears of must end, so that another one can begin.
            sent.expect("the thread that delivers ends behind the lobby");
        }
    }

    /// Waits until everything that was handed over is on its way. A session that notices that the lobby has ended closes its
    /// connection, and must not do so before that.
    pub(crate) async fn finish(self) {
        drop(self.delivery);
        // It tells by being dropped.
        let _ = self.delivered.await;
    }
}

#[cfg(test)]
mod tests;
