//! Clients that are behind get what waits for them bit by bit, as they take it.
//!
//! Players come before newcomers, whose lists are gigabytes when everybody comes back at once, and a `pong` comes before what
//! everybody is told.

use std::sync::Arc;

use faf_connection::Writer;
use faf_lobby_core::ConnId;
use tokio::time::Instant;

use super::backlog::{Backlog, Kind};
use super::frames::Frames;
use super::pace::Pace;
use super::relay::Fate;
use super::worker::{PASS_STEP_CONNECTIONS, Worker, bytes_in};
use crate::net::slot::Word;

/// What is handed over to clients that catch up before others get their turn, in bytes: about a millisecond's worth. As much goes
/// to newcomers besides.
const CATCH_UP_ROUND_BYTES: usize = 1024 * 1024;

/// Bytes of answers that may wait for a client that is still read from, so that nobody asks more than they read. What everybody
/// is told, at login and later, does not count, nor what other players make it read: a client that is slow in taking it is heard
/// meanwhile.
const UNREAD_ANSWERS_LIMIT_BYTES: usize = 16 * 1024;

/// So many players may be told of to a client that is behind before messages about them are merged; and so many as there are
/// connections, twice: with more, the same ones come again and again.
const MIN_PLAYERS_BEFORE_MERGING: usize = 256;

impl Worker {
    /// From now on messages for this client are kept here until it has taken what was handed over.
    pub(super) fn fall_behind(&mut self, conn: ConnId) -> Option<&mut Backlog> {
        let peer = self.peers.get_mut(conn)?;
        peer.backlog = Some(Box::new(Backlog::new(peer.writer.encoding(), peer.writer.taken())));
        if self.behind.clients == 0 {
            self.behind.next_look = Instant::now() + Pace::interval(self.policy.stall_timeout);
        }
        self.behind.clients += 1;
        self.wait_for(conn);
        self.peers.get_mut(conn)?.backlog.as_deref_mut()
    }

    fn wait_for(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else { return };
        if peer.writer.waiting() == 0 {
            // It fails only when nobody delivers any more.
            let _ = self.waiting.send(conn);
            return;
        }
        if let Some(backlog) = &mut peer.backlog {
            backlog.pace.offer(Instant::now());
        }
        let (writer, waiting) = (peer.writer.clone(), self.waiting.clone());
        tokio::spawn(async move {
            writer.wait_for_room(0).await;
            let _ = waiting.send(conn);
        });
    }

    /// Keeps messages for the connection at a place, which is behind.
    pub(super) fn keep<'a>(&mut self, place: usize, messages: impl Iterator<Item = (&'a Arc<Frames>, Kind)>) {
        let most_players = (2 * self.peers.len()).max(MIN_PLAYERS_BEFORE_MERGING);
        let is_scarce = self.memory_in_use() > self.policy.memory / 2;
        let (conn, peer) = self.peers.at(place);
        let Some(backlog) = &mut peer.backlog else { return };
        let mut dropped = Vec::new();
        for (frames, kind) in messages {
            match kind {
                Kind::Relayed(sender) => match backlog.relay(sender, frames, is_scarce) {
                    Fate::Taken => peer.writer.keep_unsent_short(),
                    Fate::Held => {
                        self.metrics.count_relay_held();
                        self.senders.hold(sender, conn);
                    }
                    Fate::Dropped => dropped.push(sender),
                },
                Kind::Answer | Kind::Told => {
                    if !(backlog.may_be_overtaken_by(frames) && is_taken_at_once(&peer.writer, frames)) {
                        backlog.push(frames, kind, most_players);
                    }
                }
            }
        }
        self.metrics.count_merged(backlog.take_merged());
        self.behind.count(backlog);
        dropped.into_iter().for_each(|sender| self.drop_relayed(sender));
    }

    /// Goes on with clients that are behind, and with newcomers.
    pub(super) fn catch_up_some(&mut self) {
        serve_round(|| {
            let conn = self.caught_up.try_recv().ok()?;
            Some(self.resume(conn))
        });
        serve_round(|| {
            let conn = self.newcomers.pop_front()?;
            Some(self.send_next(conn))
        });
    }

    /// A client that was behind has taken what was handed over. Returns how many bytes it gets now.
    pub(super) fn resume(&mut self, conn: ConnId) -> usize {
        let peer = self.peers.get_mut(conn);
        if peer.and_then(|peer| peer.backlog.as_ref()).is_some_and(|backlog| backlog.has_snapshots()) {
            self.newcomers.push_back(conn);
            return 0;
        }
        self.send_next(conn)
    }

    /// Hands over what comes next for a client that is behind, or has caught up. Returns how many bytes that is.
    fn send_next(&mut self, conn: ConnId) -> usize {
        let Some(peer) = self.peers.get_mut(conn) else { return 0 };
        let Some(backlog) = &mut peer.backlog else { return 0 };
        backlog.has_taken();
        let senders = backlog.take_in_held();
        if backlog.is_empty() {
            if backlog.is_ready {
                peer.slot.tell(Word::Ready);
            }
            self.stop_waiting(conn);
            return 0;
        }
        let front = backlog.take_front(self.policy.chunk_bytes);
        self.behind.count(backlog);
        if backlog.answers() <= UNREAD_ANSWERS_LIMIT_BYTES && std::mem::take(&mut backlog.is_ready) {
            peer.slot.tell(Word::Ready);
        }
        let is_handed_over = peer.writer.hand_over(&front, front.len() as u64).is_ok();
        senders.into_iter().for_each(|sender| self.release(sender));
        if is_handed_over {
            self.wait_for(conn);
            return bytes_in(&front);
        }
        // It is lost. The session hears of it when it reads, which it must not be kept from.
        self.stop_waiting(conn);
        self.let_read(conn);
        0
    }

    /// Forgets what waits for a client.
    pub(super) fn stop_waiting(&mut self, conn: ConnId) -> Option<Box<Backlog>> {
        let backlog = self.peers.get_mut(conn)?.backlog.take()?;
        let held = self.behind.forget(&backlog);
        held.into_iter().for_each(|sender| self.release(sender));
        Some(backlog)
    }

    /// Lets the session read again, unless much of what it was answered waits, or a message that it wants to be passed on: that is how
    /// one is slowed down who asks more than it reads, or tells others more than they read.
    pub(super) fn let_read(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else { return };
        if self.senders.keeps(conn) {
            return peer.slot.tell(Word::DealtWith);
        }
        match &mut peer.backlog {
            Some(backlog) if backlog.answers() > UNREAD_ANSWERS_LIMIT_BYTES => {
                backlog.is_ready = true;
                peer.slot.tell(Word::DealtWith);
            }
            _ => peer.slot.tell(Word::Ready),
        }
    }
}

/// Helps one client after the other, until a [`CATCH_UP_ROUND_BYTES`] or so is handed over. `serve` returns how many bytes its client got, or that nobody
/// is left.
fn serve_round(mut serve: impl FnMut() -> Option<usize>) {
    let mut handed_over = 0;
    for _ in 0..PASS_STEP_CONNECTIONS {
        let Some(bytes) = serve() else { return };
        handed_over += bytes;
        if handed_over >= CATCH_UP_ROUND_BYTES {
            return;
        }
    }
}

/// Hands over a message in front of all that waits here, if everything that was handed over before is gone.
fn is_taken_at_once(writer: &Writer, frames: &Frames) -> bool {
    let Some(frame) = frames.get(writer.encoding()) else { return false };
    writer.waiting() == 0 && writer.hand_over(std::slice::from_ref(frame), 1).is_ok()
}
