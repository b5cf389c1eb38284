//! The thread that delivers: it writes to the sockets itself, and keeps what they do not take.
//!
//! Broadcasts are handed over in passes over all connections, some at a time, so that answers to single clients do not wait
//! for thousands of others; such a client gets the broadcasts it misses in front of its answer. Whoever is visited late in a
//! pass gets all that has been said meanwhile in one write: the more there is to do, the more is saved.
//!
//! Who is behind gets what waits bit by bit. Players come before newcomers, whose lists are gigabytes when everybody comes back
//! at once, and a `pong` comes before what everybody is told.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use faf_connection::Writer;
use faf_lobby_core::{Audience, ConnId};
use faf_protocol::ServerMessage;
use faf_protocol::server_message::{Notice, NoticeStyle};
use faf_protocol::websocket::CloseCode;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::backlog::Backlog;
use super::broadcasts::Broadcasts;
use super::catching_up::{CaughtUp, catch_up};
use super::frames::{FrameMemory, Frames};
use super::peers::Peers;
use super::{Order, Patience};
use crate::metrics::Metrics;
use crate::seat::Word;

/// Connections that are visited in a pass before others get their turn: less than a millisecond's worth.
const VISITS: usize = 64;

/// Turns of the lobby that are taken together, if they wait.
const TURNS: usize = 16;

/// What is handed over to a client at once that catches up, in bytes.
const FRONT: usize = 64 * 1024;

/// What is handed over to clients that catch up before others get their turn, in bytes: about a millisecond's worth. As much goes
/// to newcomers besides.
const SHARE: usize = 1024 * 1024;

/// Bytes of answers that may wait for a client that is still read from, so that nobody asks more than they read. What everybody
/// is told, at login and later, does not count: a client that is slow in taking it is heard meanwhile.
const ASKING: usize = 16 * 1024;

/// So many players may be told of to a client that is behind before messages about them are merged; and so many as there are
/// connections, twice: with more, the same ones come again and again.
const FEW_PLAYERS: usize = 256;

/// Delivers messages.
pub(crate) struct Delivery {
    turns: Receiver<Vec<Order>>,
    caught_up: UnboundedReceiver<(ConnId, CaughtUp)>,
    /// For those who wait for a client; one for each that is behind.
    waiting: UnboundedSender<(ConnId, CaughtUp)>,
    /// Who could get more of the lists that newcomers are told. They take turns among themselves: when thousands come back at once,
    /// that is gigabytes, and those who are there already do not wait for them.
    newcomers: VecDeque<ConnId>,
    peers: Peers,
    broadcasts: Broadcasts,
    /// Where the pass over all connections is, if one goes on, and up to which broadcast it delivers at least.
    pass: Option<Pass>,
    /// Messages of this turn for single connections.
    direct: Vec<(ConnId, Arc<Frames>)>,
    /// Connections that may be read from behind this turn.
    ready: Vec<ConnId>,
    /// Connections that end behind this turn.
    ending: Vec<(ConnId, End)>,
    behind: Behind,
    patience: Patience,
    memory: FrameMemory,
    metrics: Arc<Metrics>,
    /// Dropped with everything else at the end, which is noticed.
    _end: oneshot::Sender<()>,
}

struct Pass {
    place: usize,
    end: u64,
}

#[derive(Clone, Copy)]
enum End {
    /// Here, behind what was sent.
    Closed,
    /// It is gone.
    Gone,
}

/// All that waits for clients that are behind.
#[derive(Default)]
struct Behind {
    clients: usize,
    /// What is kept for each of them alone, in bytes.
    memory: usize,
}

impl Delivery {
    pub(crate) fn new(
        turns: Receiver<Vec<Order>>,
        patience: Patience,
        memory: FrameMemory,
        metrics: Arc<Metrics>,
        end: oneshot::Sender<()>,
    ) -> Self {
        let (waiting, caught_up) = unbounded_channel();
        Self {
            turns,
            caught_up,
            waiting,
            newcomers: VecDeque::new(),
            peers: Peers::default(),
            broadcasts: Broadcasts::default(),
            pass: None,
            direct: Vec::new(),
            ready: Vec::new(),
            ending: Vec::new(),
            behind: Behind::default(),
            patience,
            memory,
            metrics,
            _end: end,
        }
    }

    /// Delivers until the lobby has ended, which closes all connections before: what waits then is in their outboxes.
    pub(crate) async fn run(mut self) {
        while self.go_round().await {}
    }

    /// Delivers some of what there is, and waits if there is nothing. Answers whether more may come.
    pub(super) async fn go_round(&mut self) -> bool {
        if self.pass.is_some() {
            self.visit_some();
        } else if self.newcomers.is_empty() {
            tokio::select! {
                turn = self.turns.recv() => match turn {
                    Some(turn) => self.take_in(turn),
                    None => return false,
                },
                Some((conn, how)) = self.caught_up.recv() => {
                    self.hear_of(conn, how);
                }
            }
        }
        for _ in 0..TURNS {
            let Ok(turn) = self.turns.try_recv() else { break };
            self.take_in(turn);
        }
        self.help_some();
        self.finish_turn();
        true
    }

    fn take_in(&mut self, turn: Vec<Order>) {
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
                Order::Ready(conn) => self.ready.push(conn),
                Order::Close(conn) => {
                    self.deliver_missed(conn);
                    self.ending.push((conn, End::Closed));
                }
                Order::Forget(conn) => self.ending.push((conn, End::Gone)),
            }
        }
    }

    fn send(&mut self, to: Audience, frames: Arc<Frames>) {
        match to {
            Audience::One(conn) => self.send_to(conn, frames),
            Audience::Several(conns) => {
                conns.into_iter().for_each(|conn| self.send_to(conn, Arc::clone(&frames)));
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

    fn send_to(&mut self, conn: ConnId, frames: Arc<Frames>) {
        self.deliver_missed(conn);
        self.direct.push((conn, frames));
    }

    /// Delivers the broadcasts to a connection that it has not had its turn for yet.
    fn deliver_missed(&mut self, conn: ConnId) {
        let Some(next) = self.peers.get_mut(conn).and_then(|peer| peer.next_broadcast.as_mut()) else {
            return;
        };
        let missed = self.broadcasts.since(std::mem::replace(next, self.broadcasts.end()));
        self.direct.extend(missed.map(|frames| (conn, Arc::clone(frames))));
    }

    /// Hands over what there is for single connections, each its part at once, and starts a pass for broadcasts.
    fn finish_turn(&mut self) {
        let mut direct = std::mem::take(&mut self.direct);
        direct.sort_by_key(|(conn, _)| *conn);
        for messages in direct.chunk_by(|(one, _), (other, _)| one == other) {
            if let Some(place) = self.peers.place_of(messages[0].0) {
                self.deliver(place, messages.iter().map(|(_, frames)| frames));
            }
        }
        direct.clear();
        self.direct = direct;
        for (conn, end) in std::mem::take(&mut self.ending) {
            self.end(conn, end);
        }
        for conn in std::mem::take(&mut self.ready) {
            self.let_read(conn);
        }
        self.give_up_greediest();
        self.metrics.set_behind(self.behind.clients, self.memory_in_use());
        let end = self.broadcasts.end();
        if self.pass.is_none() && !self.broadcasts.is_empty() {
            self.pass = Some(Pass { place: 0, end });
        }
    }

    /// Goes on with the pass.
    fn visit_some(&mut self) {
        let Some(Pass { place, end }) = self.pass else { return };
        let next = (place + VISITS).min(self.peers.len());
        for place in place..next {
            self.visit(place);
        }
        self.pass = Some(Pass { place: next, end });
        if next >= self.peers.len() {
            self.broadcasts.forget_before(end);
            self.pass = None;
        }
    }

    /// Delivers to the connection at a place all broadcasts that it misses.
    fn visit(&mut self, place: usize) {
        let end = self.broadcasts.end();
        let (conn, peer) = self.peers.at(place);
        // Nobody has logged in on it, or it has them all.
        let Some(next) = peer.next_broadcast.filter(|next| *next != end) else { return };
        peer.next_broadcast = Some(end);
        if peer.backlog.is_none() {
            let pieces = self.broadcasts.pieces_since(next, peer.writer.encoding());
            if is_handed_over_at_once(pieces) {
                if let Ok(false) = peer.writer.hand_over(pieces, end - next) {
                    self.fall_behind(conn);
                }
                return;
            }
            self.fall_behind(conn);
        }
        let missed: Vec<_> = self.broadcasts.since(next).cloned().collect();
        self.keep(place, missed.iter());
    }

    /// Delivers messages to the connection at a place, behind all it has got before.
    fn deliver<'a>(&mut self, place: usize, messages: impl Iterator<Item = &'a Arc<Frames>> + Clone) {
        let (conn, peer) = self.peers.at(place);
        if peer.backlog.is_none() {
            let encoding = peer.writer.encoding();
            // To encode a list takes time. Who logs in waits for it, not everybody else who gets something this turn.
            if !messages.clone().any(|frames| frames.takes_time(encoding)) {
                let pieces: Vec<Bytes> =
                    messages.clone().filter_map(|frames| frames.get(encoding)).cloned().collect();
                if is_handed_over_at_once(&pieces) {
                    if let Ok(false) = peer.writer.hand_over(&pieces, pieces.len() as u64) {
                        self.fall_behind(conn);
                    }
                    return;
                }
            }
            self.fall_behind(conn);
        }
        self.keep(place, messages);
    }

    /// From now on messages for this client are kept here until it has taken what was handed over.
    fn fall_behind(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else { return };
        peer.backlog = Some(Box::new(Backlog::new(peer.writer.encoding())));
        self.behind.clients += 1;
        self.wait_for(conn);
    }

    fn wait_for(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else { return };
        if peer.writer.waiting() == 0 {
            // It fails only when nobody delivers any more.
            let _ = self.waiting.send((conn, CaughtUp::Drained));
            return;
        }
        let (writer, waiting, timeout) =
            (peer.writer.clone(), self.waiting.clone(), self.patience.stall_timeout);
        tokio::spawn(async move {
            let how = catch_up(&writer, timeout).await;
            let _ = waiting.send((conn, how));
        });
    }

    fn keep<'a>(&mut self, place: usize, messages: impl Iterator<Item = &'a Arc<Frames>>) {
        let most_players = (2 * self.peers.len()).max(FEW_PLAYERS);
        let (conn, peer) = self.peers.at(place);
        let Some(backlog) = &mut peer.backlog else { return };
        let before = backlog.own_memory();
        for frames in messages {
            if !(backlog.lets_pass(frames) && is_taken_at_once(&peer.writer, frames)) {
                backlog.push(frames, most_players);
            }
        }
        self.behind.memory = self.behind.memory + backlog.own_memory() - before;
        self.metrics.count_merged(backlog.take_merged());
        if backlog.cost() > self.patience.limit {
            self.give_up(conn, "too slow");
        }
    }

    /// Goes on with clients that are behind, and with newcomers.
    fn help_some(&mut self) {
        share_out(|| {
            let (conn, how) = self.caught_up.try_recv().ok()?;
            Some(self.hear_of(conn, how))
        });
        share_out(|| {
            let conn = self.newcomers.pop_front()?;
            Some(self.go_on(conn))
        });
    }

    /// A client that was behind has taken what was handed over, or has not. Answers how many bytes it gets now.
    fn hear_of(&mut self, conn: ConnId, how: CaughtUp) -> usize {
        if how == CaughtUp::Stalled {
            self.give_up(conn, "stalled");
            // It would not take the notice either.
            if let Some(peer) = self.peers.get_mut(conn) {
                peer.writer.abort();
            }
            return 0;
        }
        let peer = self.peers.get_mut(conn);
        if peer.and_then(|peer| peer.backlog.as_ref()).is_some_and(|backlog| backlog.has_lists()) {
            self.newcomers.push_back(conn);
            return 0;
        }
        self.go_on(conn)
    }

    /// Hands over what comes next for a client that is behind, or has caught up. Answers how many bytes that is.
    fn go_on(&mut self, conn: ConnId) -> usize {
        let Some(peer) = self.peers.get_mut(conn) else { return 0 };
        let Some(backlog) = &mut peer.backlog else { return 0 };
        if backlog.is_empty() {
            if backlog.is_ready {
                peer.seat.tell(Word::Ready);
            }
            self.stop_waiting(conn);
            return 0;
        }
        let before = backlog.own_memory();
        let front = backlog.take_front(FRONT);
        self.behind.memory = self.behind.memory + backlog.own_memory() - before;
        if backlog.answers() <= ASKING && std::mem::take(&mut backlog.is_ready) {
            peer.seat.tell(Word::Ready);
        }
        if peer.writer.hand_over(&front, front.len() as u64).is_ok() {
            self.wait_for(conn);
            return bytes_in(&front);
        }
        // It is lost. The session hears of it when it reads, which it must not be kept from.
        self.stop_waiting(conn);
        self.let_read(conn);
        0
    }

    /// Forgets what waits for a client.
    fn stop_waiting(&mut self, conn: ConnId) -> Option<Box<Backlog>> {
        let backlog = self.peers.get_mut(conn)?.backlog.take()?;
        self.behind.clients -= 1;
        self.behind.memory -= backlog.own_memory();
        Some(backlog)
    }

    /// Lets the session read again, unless much of what it was answered waits: that is how one is slowed down who asks more than
    /// it reads.
    fn let_read(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else { return };
        match &mut peer.backlog {
            Some(backlog) if backlog.answers() > ASKING => {
                backlog.is_ready = true;
                peer.seat.tell(Word::DealtWith);
            }
            _ => peer.seat.tell(Word::Ready),
        }
    }

    fn end(&mut self, conn: ConnId, end: End) {
        let Some((place, mut peer)) = self.peers.remove(conn) else { return };
        if let Some(backlog) = &peer.backlog {
            self.behind.clients -= 1;
            self.behind.memory -= backlog.own_memory();
        }
        match end {
            End::Closed => peer.close(),
            End::Gone => {}
        }
        // Whoever took the place may not have been visited yet, and would not be any more.
        if self.pass.as_ref().is_some_and(|pass| place < pass.place) && place < self.peers.len() {
            self.visit(place);
        }
    }

    /// What all who are behind wait for, in bytes.
    fn memory_in_use(&self) -> usize {
        self.behind.memory + self.memory.bytes()
    }

    /// Ends the connections of those for whom most is kept, while it is too much for all together.
    fn give_up_greediest(&mut self) {
        if self.memory_in_use() <= self.patience.memory {
            return;
        }
        for conn in self.peers.greediest() {
            self.give_up(conn, "memory");
            if self.memory_in_use() <= self.patience.memory {
                return;
            }
        }
    }

    /// Ends the connection of a client that does not keep up. If it reads after all, it is told so.
    fn give_up(&mut self, conn: ConnId, reason: &'static str) {
        let Some(backlog) = self.stop_waiting(conn) else { return };
        let Some(peer) = self.peers.get_mut(conn) else { return };
        tracing::info!(
            conn = conn.0,
            reason,
            kept = backlog.cost(),
            "a client does not keep up and is disconnected"
        );
        if peer.seat.ends() {
            self.metrics.count_ended(reason);
        }
        let notice = ServerMessage::Notice(Notice::new(NoticeStyle::Error, TOO_SLOW));
        peer.writer.set_ending(CloseCode::Policy, "too slow");
        peer.writer.finish(peer.writer.encoding().encode(&notice).ok());
        peer.seat.tell(Word::Ready);
    }
}

/// Whether this is handed over however little the socket takes of it. More is handed over bit by bit, so that little is in
/// outboxes, where nothing is merged.
fn is_handed_over_at_once(pieces: &[Bytes]) -> bool {
    bytes_in(pieces) <= FRONT
}

/// Helps one client after the other, until a [`SHARE`] or so is handed over. `help` answers how many bytes its client got, or that nobody
/// is left.
fn share_out(mut help: impl FnMut() -> Option<usize>) {
    let mut handed_over = 0;
    for _ in 0..VISITS {
        let Some(bytes) = help() else { return };
        handed_over += bytes;
        if handed_over >= SHARE {
            return;
        }
    }
}

/// Hands over a message in front of all that waits here, if everything that was handed over before is gone.
fn is_taken_at_once(writer: &Writer, frames: &Frames) -> bool {
    let Some(frame) = frames.get(writer.encoding()) else { return false };
    writer.waiting() == 0 && writer.hand_over(std::slice::from_ref(frame), 1).is_ok()
}

fn bytes_in(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

/// What a client is told that does not keep up.
const TOO_SLOW: &str =
    "Your connection is too slow for what the server has to tell you, so it has been closed.";
