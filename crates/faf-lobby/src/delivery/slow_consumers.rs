//! Slow consumers: the worker disconnects clients that read too little, and frees memory when it
//! is short.
//!
//! All backlogs together may take `outbox_memory`. Beyond it, slow clients are disconnected, the
//! largest backlog first. If no client is slow, there is just very much to send: then the lobby is
//! paused, and no client is disconnected.

use std::cmp::Reverse;
use std::time::Duration;

use faf_lobby_core::ConnId;
use faf_protocol::ServerMessage;
use faf_protocol::server_message::{Notice, NoticeStyle};
use faf_protocol::websocket::CloseCode;
use tokio::time::Instant;

use super::pace::{Pace, Verdict};
use super::worker::Worker;

/// Time between two checks of all clients while memory is short.
const SHORT_MEMORY_INTERVAL: Duration = Duration::from_millis(100);

impl Worker {
    /// Returns the memory of all backlogs, in bytes.
    pub(super) fn memory_in_use(&self) -> usize {
        self.backlogs.memory + self.memory.bytes()
    }

    /// Returns whether memory is short. While the lobby is paused, an eighth must be free for it to
    /// go on, so that it is not paused for every single message.
    fn is_full(&self) -> bool {
        let spare = if self.backlogs.is_paused { self.policy.memory / 8 } else { 0 };
        self.memory_in_use() > self.policy.memory - spare
    }

    /// Checks all clients that are behind, if it is time to, and disconnects those that read
    /// too little.
    pub(super) fn check_slow_consumers(&mut self) {
        if self.backlogs.clients == 0 {
            self.backlogs.is_paused = false;
            return;
        }
        let now = Instant::now();
        let has_become_full = self.is_full() && !self.backlogs.is_paused;
        if now >= self.backlogs.next_check || has_become_full {
            let interval = Pace::interval(self.policy.stall_timeout);
            self.backlogs.next_check = now + interval;
            let slow = self.disconnect_stalled(now);
            if self.is_full() {
                self.backlogs.next_check = now + SHORT_MEMORY_INTERVAL.min(interval);
                self.disconnect_largest(slow);
            }
        }
        let is_full = self.is_full() && self.backlogs.clients > 0;
        if is_full && !self.backlogs.is_paused {
            self.metrics.count_held_back();
            tracing::warn!(
                clients = self.backlogs.clients,
                "the lobby is paused: backlogs take outbox_memory, and no client is slow so far"
            );
        }
        self.backlogs.is_paused = is_full;
    }

    /// Disconnects clients that have read too little. Returns those that are slow.
    fn disconnect_stalled(&mut self, now: Instant) -> Vec<ConnId> {
        let (mut slow, mut too_slow) = (Vec::new(), Vec::new());
        for place in 0..self.peers.len() {
            let (conn, peer) = self.peers.at(place);
            let Some(backlog) = &mut peer.backlog else { continue };
            let waits = peer.writer.waiting() > 0 && backlog.counts_against_client();
            match backlog.pace.check(now, waits, peer.writer.taken(), self.policy.stall_timeout) {
                Verdict::Fine => {}
                Verdict::Slow => slow.push(conn),
                Verdict::Stalled => too_slow.push((conn, "stalled")),
                Verdict::TooSlow => too_slow.push((conn, "too slow")),
            }
        }
        for (conn, reason) in too_slow {
            self.disconnect(conn, reason);
        }
        slow
    }

    /// Disconnects slow clients, those with the largest backlogs first, while memory is short.
    fn disconnect_largest(&mut self, slow: Vec<ConnId>) {
        let mut slow: Vec<_> = slow
            .into_iter()
            .filter_map(|conn| Some((self.peers.get_mut(conn)?.backlog.as_ref()?.freeable_memory(), conn)))
            .collect();
        slow.sort_unstable_by_key(|slow| Reverse(*slow));
        for (_, conn) in slow {
            if !self.is_full() {
                return;
            }
            self.disconnect(conn, "memory");
        }
    }

    /// Disconnects a client that does not keep up, with a notice if it reads at all.
    fn disconnect(&mut self, conn: ConnId, reason: &'static str) {
        let Some(backlog) = self.stop_waiting(conn) else { return };
        let Some(peer) = self.peers.get_mut(conn) else { return };
        tracing::info!(
            conn = conn.0,
            reason,
            kept = backlog.freeable_memory(),
            "a client does not keep up and is disconnected"
        );
        if peer.slot.note_end() {
            self.metrics.count_ended(reason);
        }
        if reason == "stalled" {
            // The client would not read the notice either.
            peer.writer.abort();
        } else {
            let notice = ServerMessage::Notice(Notice::new(NoticeStyle::Error, TOO_SLOW));
            peer.writer.set_ending(CloseCode::Policy, "too slow");
            peer.writer.finish(peer.writer.encoding().encode(&notice).ok());
        }
        peer.slot.end();
    }
}

/// Notice to a client that is disconnected.
const TOO_SLOW: &str =
    "Your connection is too slow for what the server has to tell you, so it has been closed.";
