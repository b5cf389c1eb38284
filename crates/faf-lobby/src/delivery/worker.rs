//! The delivery thread: it writes to the sockets itself, and keeps a backlog for a socket that
//! is full.
//!
//! **The slow-consumer rule.** A client is disconnected only if, of the bytes offered to its
//! socket, it reads none for `stall_timeout`, or too few over a longer window
//! ([`pace`](super::pace)). Bytes in its backlog never count against it, nor do messages from other
//! players' games ([`relay`](super::relay)).
//!
//! Broadcasts are written in passes over all connections, some at a time, so that answers to single
//! clients do not wait for thousands of others. Before its answer, such a client receives the
//! broadcasts that it misses. A connection that is visited late in a pass receives all broadcasts
//! since its last visit in one write, so under load each write carries more.
//!
//! A client that has fallen behind receives its backlog in chunks
//! ([`catching_up`](super::catching_up)). The memory of all backlogs
//! is bounded ([`slow_consumers`](super::slow_consumers)).

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use faf_lobby_core::{Audience, ConnId};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::backlog::{Backlog, Kind};
use super::broadcasts::Broadcasts;
use super::frames::{FrameMemory, Frames};
use super::peers::Peers;
use super::relay::Senders;
use super::{Order, SlowConsumerPolicy};
use crate::net::read_gate::Hold;
use crate::net::slot::Ending;
use crate::ops::metrics::Metrics;

/// Connections visited in one step of a pass, before answers are written: less than a
/// millisecond's work.
pub(super) const PASS_STEP_CONNECTIONS: usize = 64;

/// Most queued turns of the lobby that are executed together.
const TURNS_AT_ONCE: usize = 16;

/// Most broadcasts that are added to an empty backlog one by one. More are added as a whole.
const ONE_BY_ONE_BROADCASTS: u64 = 16;

/// Delivers messages, on a thread of its own.
pub(crate) struct Worker {
    turns: Receiver<Vec<Order>>,
    /// Clients that have read their last chunk, or are disconnected.
    pub(super) caught_up: UnboundedReceiver<ConnId>,
    /// Sender for the tasks that wait until a client has read its chunk, one for each client that
    /// is behind.
    pub(super) waiting: UnboundedSender<ConnId>,
    /// Logins that can receive more of their snapshots. They have a queue of their own, so that
    /// players do not wait for them: when thousands reconnect at once, snapshots are gigabytes.
    pub(super) initial_syncs: VecDeque<ConnId>,
    pub(super) peers: Peers,
    pub(super) broadcasts: Broadcasts,
    /// The pass over all connections, if one is under way.
    pass: Option<Pass>,
    /// Messages of this turn for single connections.
    direct: Vec<(ConnId, Arc<Frames>, Kind)>,
    /// Reasons not to read a connection that are cleared after this turn.
    releases: Vec<(ConnId, Hold)>,
    /// Connections that end after the messages of this turn.
    ending: Vec<(ConnId, End)>,
    pub(super) backlogs: Backlogs,
    /// Players whose games send messages to other players' games.
    pub(super) senders: Senders,
    pub(super) policy: SlowConsumerPolicy,
    pub(super) memory: FrameMemory,
    pub(super) metrics: Arc<Metrics>,
    /// Notifies the dispatcher when it is dropped.
    _end: oneshot::Sender<()>,
}

struct Pass {
    /// Place of the next connection in [`Peers`].
    place: usize,
    /// Number of the first broadcast that the pass need not deliver.
    end: u64,
}

enum End {
    /// Closed by the lobby, after everything that was sent.
    Closed(Box<Ending>),
    /// Lost or closed by the peer.
    Gone,
}

/// Totals of all backlogs.
pub(super) struct Backlogs {
    /// Number of clients that are behind.
    pub(super) clients: usize,
    /// Memory that the backlogs do not share, in bytes.
    pub(super) memory: usize,
    /// Time of the next check for slow clients.
    pub(super) next_check: Instant,
    /// Whether the lobby is paused because there is no memory for more.
    pub(super) is_paused: bool,
}

impl Worker {
    pub(crate) fn new(
        turns: Receiver<Vec<Order>>,
        policy: SlowConsumerPolicy,
        memory: FrameMemory,
        metrics: Arc<Metrics>,
        end: oneshot::Sender<()>,
    ) -> Self {
        let (waiting, caught_up) = unbounded_channel();
        Self {
            turns,
            caught_up,
            waiting,
            initial_syncs: VecDeque::new(),
            peers: Peers::default(),
            broadcasts: Broadcasts::default(),
            pass: None,
            direct: Vec::new(),
            releases: Vec::new(),
            ending: Vec::new(),
            backlogs: Backlogs { clients: 0, memory: 0, next_check: Instant::now(), is_paused: false },
            senders: Senders::default(),
            policy,
            memory,
            metrics,
            _end: end,
        }
    }

    /// Delivers until the lobby has ended. The lobby closes all connections before that, so the
    /// bytes that still wait then are in their outboxes.
    pub(crate) async fn run(mut self) {
        while self.run_once().await {}
    }

    /// Runs one iteration: delivers some messages, or waits if there are none. Returns whether more
    /// may come.
    pub(super) async fn run_once(&mut self) -> bool {
        // A pass or initial syncs must not wait for input.
        if self.pass.is_some() {
            self.visit_some();
        } else if self.initial_syncs.is_empty() {
            let alarm = self.next_alarm();
            tokio::select! {
                turn = self.turns.recv(), if !self.backlogs.is_paused => match turn {
                    Some(turn) => self.execute(turn),
                    None => return false,
                },
                Some(conn) = self.caught_up.recv() => {
                    self.resume(conn);
                }
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {}
            }
        }
        // Turns that have queued up are executed together, so that each client gets them in
        // one write.
        for _ in 0..TURNS_AT_ONCE {
            if self.backlogs.is_paused {
                break;
            }
            let Ok(turn) = self.turns.try_recv() else { break };
            self.execute(turn);
        }
        self.catch_up_some();
        self.finish_turn();
        true
    }

    /// Returns the time at which something is due even without input.
    fn next_alarm(&self) -> Option<Instant> {
        let check = (self.backlogs.clients > 0).then_some(self.backlogs.next_check);
        check.into_iter().chain(self.senders.next_deadline()).min()
    }

    /// Queues what a turn orders. Nothing is written or ended before the whole turn is known, so
    /// that each client gets one write, and all its messages before its end.
    fn execute(&mut self, turn: Vec<Order>) {
        for order in turn {
            match order {
                Order::Connect(conn, peer) => self.peers.insert(conn, peer),
                Order::LogIn(conn) => {
                    let end = self.broadcasts.end();
                    if let Some(peer) = self.peers.get_mut(conn) {
                        peer.next_broadcast = Some(end);
                    }
                }
                Order::Send(to, frames) => self.send(to, frames),
                Order::SendOne(conn, frames, kind) => self.send_to(conn, frames, kind),
                Order::Release(conn, reason) => self.releases.push((conn, reason)),
                Order::Close(conn, ending) => {
                    self.deliver_missed(conn);
                    self.ending.push((conn, End::Closed(ending)));
                }
                Order::Forget(conn) => self.ending.push((conn, End::Gone)),
            }
        }
    }

    fn send(&mut self, to: Audience, frames: Arc<Frames>) {
        match to {
            Audience::One(conn) => self.send_to(conn, frames, Kind::Unsolicited),
            Audience::Several(conns) => {
                conns.into_iter().for_each(|conn| self.send_to(conn, Arc::clone(&frames), Kind::Unsolicited));
            }
            Audience::LoggedIn => self.broadcasts.push(frames),
            Audience::LoggedInExcept(conns) => {
                conns.iter().for_each(|conn| self.deliver_missed(*conn));
                self.broadcasts.push(frames);
                let end = self.broadcasts.end();
                for conn in conns {
                    if let Some(peer) = self.peers.get_mut(conn)
                        && peer.next_broadcast.is_some()
                    {
                        peer.next_broadcast = Some(end);
                    }
                }
            }
        }
    }

    fn send_to(&mut self, conn: ConnId, frames: Arc<Frames>, kind: Kind) {
        self.deliver_missed(conn);
        self.direct.push((conn, frames, kind));
    }

    /// Queues the broadcasts that a connection misses, before a message for it alone.
    fn deliver_missed(&mut self, conn: ConnId) {
        let Some(next) = self.peers.get_mut(conn).and_then(|peer| peer.next_broadcast.as_mut()) else {
            return;
        };
        let missed = self.broadcasts.since(std::mem::replace(next, self.broadcasts.end()));
        self.direct.extend(missed.map(|frames| (conn, Arc::clone(frames), Kind::Unsolicited)));
    }

    /// Writes the messages for single connections, with one write for each, and starts a pass
    /// for broadcasts.
    fn finish_turn(&mut self) {
        let mut direct = std::mem::take(&mut self.direct);
        direct.sort_by_key(|(conn, ..)| *conn);
        for messages in direct.chunk_by(|(one, ..), (other, ..)| one == other) {
            if let Some(place) = self.peers.place_of(messages[0].0) {
                self.deliver(place, messages.iter().map(|(_, frames, kind)| (frames, *kind)));
            }
        }
        direct.clear();
        self.direct = direct;
        // Connections end after their last messages, and clients are read after their answers.
        for (conn, end) in std::mem::take(&mut self.ending) {
            self.end(conn, end);
        }
        for (conn, reason) in std::mem::take(&mut self.releases) {
            self.release_after_answers(conn, reason);
        }
        self.expire_holds();
        self.send_drop_notices();
        self.check_slow_consumers();
        self.metrics.set_behind(self.backlogs.clients, self.memory_in_use());
        let end = self.broadcasts.end();
        if self.pass.is_none() && !self.broadcasts.is_empty() {
            self.pass = Some(Pass { place: 0, end });
        }
    }

    /// Visits the next connections of the pass.
    fn visit_some(&mut self) {
        let Some(Pass { place, end }) = self.pass else { return };
        let next = (place + PASS_STEP_CONNECTIONS).min(self.peers.len());
        for place in place..next {
            self.visit(place);
        }
        self.pass = Some(Pass { place: next, end });
        if next >= self.peers.len() {
            self.broadcasts.forget_before(end);
            self.pass = None;
        }
    }

    /// Delivers all broadcasts that the connection at a place misses.
    fn visit(&mut self, place: usize) {
        let end = self.broadcasts.end();
        let (conn, peer) = self.peers.at(place);
        // The connection has no login, or has all broadcasts.
        let Some(next) = peer.next_broadcast.filter(|next| *next != end) else { return };
        peer.next_broadcast = Some(end);
        if peer.backlog.is_none() {
            let pieces = self.broadcasts.pieces_since(next, peer.writer.encoding());
            if bytes_in(pieces) <= self.policy.chunk_bytes {
                if let Ok(false) = peer.writer.try_write(pieces, end - next) {
                    self.fall_behind(conn);
                }
                return;
            }
            self.fall_behind(conn);
        }
        self.keep_broadcasts(place, next);
    }

    /// Adds all broadcasts from a number on to the backlog of the connection at a place.
    fn keep_broadcasts(&mut self, place: usize, next: u64) {
        let (_, peer) = self.peers.at(place);
        let Some(backlog) = peer.backlog.as_mut() else { return };
        if backlog.is_empty() && self.broadcasts.end() - next > ONE_BY_ONE_BROADCASTS {
            // The client may not be slow: there is just much to send. A shared turn costs no memory
            // per message.
            backlog.push_turn(self.broadcasts.turn_since(next));
            return self.backlogs.count(backlog);
        }
        let missed: Vec<_> = self.broadcasts.since(next).cloned().collect();
        self.keep(place, missed.iter().map(|frames| (frames, Kind::Unsolicited)));
    }

    /// Delivers messages to the connection at a place, after all earlier ones.
    pub(super) fn deliver<'a>(
        &mut self,
        place: usize,
        messages: impl Iterator<Item = (&'a Arc<Frames>, Kind)> + Clone,
    ) {
        let (conn, peer) = self.peers.at(place);
        if peer.backlog.is_none() {
            let encoding = peer.writer.encoding();
            // Encoding a snapshot takes time, so the snapshot goes to the backlog. Then only this
            // login waits for it, and not every client of this turn.
            if !messages.clone().any(|(frames, _)| frames.takes_time(encoding)) {
                let pieces: Vec<Bytes> =
                    messages.clone().filter_map(|(frames, _)| frames.get(encoding)).cloned().collect();
                if bytes_in(&pieces) <= self.policy.chunk_bytes {
                    if let Ok(false) = peer.writer.try_write(&pieces, pieces.len() as u64)
                        && let Some(backlog) = self.fall_behind(conn)
                    {
                        backlog.note_offered(messages);
                    }
                    return;
                }
            }
            self.fall_behind(conn);
        }
        self.keep(place, messages);
    }

    fn end(&mut self, conn: ConnId, end: End) {
        let Some((place, mut peer)) = self.peers.remove(conn) else { return };
        let backlog = peer.backlog.as_deref();
        let held = backlog.map(|backlog| self.backlogs.forget(backlog)).unwrap_or_default();
        match end {
            End::Closed(ending) => peer.close(&ending),
            End::Gone => {}
        }
        self.senders.forget(conn);
        held.into_iter().for_each(|sender| self.release(sender));
        // The last connection has moved to this place, which the pass has visited already.
        if self.pass.as_ref().is_some_and(|pass| place < pass.place) && place < self.peers.len() {
            self.visit(place);
        }
    }
}

impl Backlogs {
    /// Updates the total after a change of a backlog.
    pub(super) fn count(&mut self, backlog: &mut Backlog) {
        let memory = backlog.own_memory();
        self.memory = self.memory + memory - std::mem::replace(&mut backlog.counted, memory);
    }

    /// Subtracts the backlog of a client. Returns the senders whose messages to it were held, which
    /// must be released.
    pub(super) fn forget(&mut self, backlog: &Backlog) -> Vec<ConnId> {
        self.clients -= 1;
        self.memory -= backlog.counted;
        backlog.relayed.held().collect()
    }
}

pub(super) fn bytes_in(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}
