//! Gives up clients that take too little, and makes room when memory is short.
//!
//! All that waits for clients may take `outbox_memory`. Beyond it, slow clients are given up, first the
//! one for which most is kept. If no client is slow, everybody reads well and is only told very much;
//! then the lobby waits, and nobody is given up.

use std::cmp::Reverse;
use std::time::Duration;

use faf_lobby_core::ConnId;
use faf_protocol::ServerMessage;
use faf_protocol::server_message::{Notice, NoticeStyle};
use faf_protocol::websocket::CloseCode;
use tokio::time::Instant;

use super::pace::{Pace, Verdict};
use super::worker::Worker;
use crate::net::slot::Word;

/// How soon clients are looked at again while there is no memory for more.
const SOON: Duration = Duration::from_millis(100);

impl Worker {
    /// What all who are behind wait for, in bytes.
    pub(super) fn memory_in_use(&self) -> usize {
        self.behind.memory + self.memory.bytes()
    }

    /// Whether there is no memory for more. Once there is none, there is only when an eighth is free, so that not each message is
    /// the one too many again.
    fn is_full(&self) -> bool {
        let spare = if self.behind.holds_back { self.policy.memory / 8 } else { 0 };
        self.memory_in_use() > self.policy.memory - spare
    }

    /// Looks at all who are behind, if it is time to, and gives up who takes too little.
    pub(super) fn check_slow_consumers(&mut self) {
        if self.behind.clients == 0 {
            self.behind.holds_back = false;
            return;
        }
        let now = Instant::now();
        let is_news = self.is_full() && !self.behind.holds_back;
        if now >= self.behind.next_look || is_news {
            let interval = Pace::interval(self.policy.stall_timeout);
            self.behind.next_look = now + interval;
            let slow = self.disconnect_stalled(now);
            if self.is_full() {
                self.behind.next_look = now + SOON.min(interval);
                self.disconnect_largest(slow);
            }
        }
        let is_full = self.is_full() && self.behind.clients > 0;
        if is_full && !self.behind.holds_back {
            self.metrics.count_held_back();
            tracing::warn!(
                clients = self.behind.clients,
                "the lobby waits: as much as outbox_memory allows waits for clients, and none of them is slow so far"
            );
        }
        self.behind.holds_back = is_full;
    }

    /// Gives up who has taken too little. Returns who is slow.
    fn disconnect_stalled(&mut self, now: Instant) -> Vec<ConnId> {
        let (mut slow, mut idle) = (Vec::new(), Vec::new());
        for place in 0..self.peers.len() {
            let (conn, peer) = self.peers.at(place);
            let Some(backlog) = &mut peer.backlog else { continue };
            let waits = peer.writer.waiting() > 0 && backlog.counts_against_client();
            match backlog.pace.look(now, waits, peer.writer.taken(), self.policy.stall_timeout) {
                Verdict::Fine => {}
                Verdict::Slow => slow.push(conn),
                Verdict::Stalled => idle.push((conn, "stalled")),
                Verdict::TooSlow => idle.push((conn, "too slow")),
            }
        }
        for (conn, reason) in idle {
            self.give_up(conn, reason);
        }
        slow
    }

    /// Ends the connections of those for whom most is kept, of these, while it is too much for all together.
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
            self.give_up(conn, "memory");
        }
    }

    /// Ends the connection of a client that does not keep up. If it reads after all, it is told so.
    fn give_up(&mut self, conn: ConnId, reason: &'static str) {
        let Some(backlog) = self.stop_waiting(conn) else { return };
        let Some(peer) = self.peers.get_mut(conn) else { return };
        tracing::info!(
            conn = conn.0,
            reason,
            kept = backlog.freeable_memory(),
            "a client does not keep up and is disconnected"
        );
        if peer.slot.ends() {
            self.metrics.count_ended(reason);
        }
        if reason == "stalled" {
            // It would not take the notice either.
            peer.writer.abort();
        } else {
            let notice = ServerMessage::Notice(Notice::new(NoticeStyle::Error, TOO_SLOW));
            peer.writer.set_ending(CloseCode::Policy, "too slow");
            peer.writer.finish(peer.writer.encoding().encode(&notice).ok());
        }
        peer.slot.tell(Word::Ready);
    }
}

/// The notice to a client that is given up.
const TOO_SLOW: &str =
    "Your connection is too slow for what the server has to tell you, so it has been closed.";
