//! A client that has fallen behind receives its backlog in chunks, as it reads them.
//!
//! Players come before logins, whose snapshots are gigabytes when everyone reconnects at once. A
//! `pong` comes before broadcasts.

use std::sync::Arc;

use faf_connection::Writer;
use faf_lobby_core::ConnId;
use tokio::time::Instant;

use super::backlog::{Backlog, Kind};
use super::frames::Frames;
use super::pace::Pace;
use super::relay::RelayOutcome;
use super::worker::{PASS_STEP_CONNECTIONS, Worker, bytes_in};
use crate::net::read_gate::Hold;

/// Bytes written in one iteration to players who catch up: about a millisecond's work. Logins get
/// the same again.
const CATCH_UP_ROUND_BYTES: usize = 1024 * 1024;

/// Bytes of answers that may wait for a client before the server stops reading it, so that no
/// client asks for more than it reads. Snapshots, broadcasts and messages of other players do not
/// count: a client that is slow to read these is still read.
const UNREAD_ANSWERS_LIMIT_BYTES: usize = 16 * 1024;

/// Players in the waiting messages of a client before these are merged, or twice the number of
/// connections if that is more. Beyond that, the same players must be in them repeatedly.
const MIN_PLAYERS_BEFORE_MERGING: usize = 256;

impl Worker {
    /// Begins a backlog for a client whose socket is full.
    pub(super) fn fall_behind(&mut self, conn: ConnId) -> Option<&mut Backlog> {
        let peer = self.peers.get_mut(conn)?;
        peer.backlog = Some(Box::new(Backlog::new(peer.writer.encoding(), peer.writer.taken())));
        if self.backlogs.clients == 0 {
            self.backlogs.next_check = Instant::now() + Pace::interval(self.policy.stall_timeout);
        }
        self.backlogs.clients += 1;
        self.wait_for(conn);
        self.peers.get_mut(conn)?.backlog.as_deref_mut()
    }

    /// Reports the client as caught up when its socket has taken everything that it was offered.
    fn wait_for(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else { return };
        if peer.writer.waiting() == 0 {
            // Fails only after the worker has ended.
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

    /// Adds messages to the backlog of the connection at a place.
    pub(super) fn keep<'a>(&mut self, place: usize, messages: impl Iterator<Item = (&'a Arc<Frames>, Kind)>) {
        let most_players = (2 * self.peers.len()).max(MIN_PLAYERS_BEFORE_MERGING);
        let is_scarce = self.memory_in_use() > self.policy.memory / 2;
        let (conn, peer) = self.peers.at(place);
        let Some(backlog) = &mut peer.backlog else { return };
        // Senders are dropped and held after the loop, because they are other peers.
        let (mut dropped, mut held) = (Vec::new(), Vec::new());
        for (frames, kind) in messages {
            match kind {
                Kind::Relayed { sender, is_elsewhere } => {
                    match backlog.relay(sender, is_elsewhere, frames, is_scarce) {
                        RelayOutcome::Accepted => peer.writer.keep_unsent_short(),
                        RelayOutcome::Held => held.push((sender, is_elsewhere)),
                        RelayOutcome::Dropped => dropped.push(sender),
                    }
                }
                Kind::Answer | Kind::Unsolicited => {
                    if !(backlog.may_be_overtaken_by(frames) && is_taken_at_once(&peer.writer, frames)) {
                        backlog.push(frames, kind, most_players);
                    }
                }
            }
        }
        self.metrics.count_merged(backlog.take_merged());
        self.backlogs.count(backlog);
        dropped.into_iter().for_each(|sender| self.drop_relayed(sender));
        held.into_iter().for_each(|(sender, is_elsewhere)| self.hold(sender, is_elsewhere, conn));
    }

    /// Writes the next chunks to players who are behind, and to logins.
    pub(super) fn catch_up_some(&mut self) {
        serve_round(|| {
            let conn = self.caught_up.try_recv().ok()?;
            Some(self.resume(conn))
        });
        serve_round(|| {
            let conn = self.initial_syncs.pop_front()?;
            Some(self.send_next(conn))
        });
    }

    /// Continues with a client that has read its last chunk. Returns the number of bytes written.
    pub(super) fn resume(&mut self, conn: ConnId) -> usize {
        let peer = self.peers.get_mut(conn);
        if peer.and_then(|peer| peer.backlog.as_ref()).is_some_and(|backlog| backlog.has_snapshots()) {
            self.initial_syncs.push_back(conn);
            return 0;
        }
        self.send_next(conn)
    }

    /// Writes the next chunk to a client that is behind, or ends its backlog. Returns the size of
    /// the chunk in bytes.
    fn send_next(&mut self, conn: ConnId) -> usize {
        let Some(peer) = self.peers.get_mut(conn) else { return 0 };
        let Some(backlog) = &mut peer.backlog else { return 0 };
        backlog.confirm_taken();
        let senders = backlog.admit_held();
        if backlog.is_empty() {
            self.stop_waiting(conn);
            return 0;
        }
        let front = backlog.take_front(self.policy.chunk_bytes);
        self.backlogs.count(backlog);
        if backlog.answers() <= UNREAD_ANSWERS_LIMIT_BYTES {
            peer.slot.release(Hold::OwesAnswers);
        }
        let is_written = peer.writer.try_write(&front, front.len() as u64).is_ok();
        senders.into_iter().for_each(|sender| self.release(sender));
        if is_written {
            self.wait_for(conn);
            return bytes_in(&front);
        }
        // The connection is lost. The session notices that when it reads.
        self.stop_waiting(conn);
        0
    }

    /// Removes the backlog of a client and returns it.
    pub(super) fn stop_waiting(&mut self, conn: ConnId) -> Option<Box<Backlog>> {
        let peer = self.peers.get_mut(conn)?;
        let backlog = peer.backlog.take()?;
        peer.slot.release(Hold::OwesAnswers);
        let held = self.backlogs.forget(&backlog);
        held.into_iter().for_each(|sender| self.release(sender));
        Some(backlog)
    }

    /// Removes a reason not to read a connection. If too many of its answers wait, that becomes
    /// another reason first: a client that asks for more than it reads is slowed down.
    pub(super) fn release_after_answers(&mut self, conn: ConnId, reason: Hold) {
        let Some(peer) = self.peers.get_mut(conn) else { return };
        if peer.backlog.as_ref().is_some_and(|backlog| backlog.answers() > UNREAD_ANSWERS_LIMIT_BYTES) {
            peer.slot.hold(Hold::OwesAnswers);
        }
        peer.slot.release(reason);
    }
}

/// Serves one client after the other, until about [`CATCH_UP_ROUND_BYTES`] are written. `serve`
/// returns the number of bytes written to its client, or `None` if no client is left.
fn serve_round(mut serve: impl FnMut() -> Option<usize>) {
    let mut written = 0;
    for _ in 0..PASS_STEP_CONNECTIONS {
        let Some(bytes) = serve() else { return };
        written += bytes;
        if written >= CATCH_UP_ROUND_BYTES {
            return;
        }
    }
}

/// Writes a message ahead of the backlog if the socket has taken everything before it. Returns
/// whether it did.
fn is_taken_at_once(writer: &Writer, frames: &Frames) -> bool {
    let Some(frame) = frames.get(writer.encoding()) else { return false };
    writer.waiting() == 0 && writer.try_write(std::slice::from_ref(frame), 1).is_ok()
}
