//! Messages that players' games send each other through the server.
//!
//! They never count against the receiver. At most [`IN_FLIGHT_BYTES`] are in flight to one
//! receiver, that is, not taken by its socket yet. One sender may have as many of them as are still
//! free, so a single sender gets half. Every sender may have a few ([`PER_SENDER_BYTES`]), so that
//! a flood from others does not keep an honest sender from the receiver.
//!
//! If there is no room for a message, the server holds it and does not read its sender, for at most
//! [`HOLD_TIMEOUT`]. If there is no room then either, the server drops the message, and drops the
//! next ones of this sender at once until one fits again: an honest sender must not stand still
//! because the line of a receiver is dead.
//!
//! A sender at another gateway of a cluster cannot be held. So several of its messages may wait, up
//! to [`ELSEWHERE_BYTES`] and for at most [`ELSEWHERE_TIMEOUT`], and the next ones are dropped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use faf_lobby_core::ConnId;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage};
use tokio::time::Instant;

use super::backlog::{Backlog, Kind};
use super::frames::Frames;
use super::worker::Worker;
use crate::net::read_gate::Hold;

/// Bytes in flight to one receiver, which its senders share: 96 KiB.
///
/// To connect to another player, an adapter sends one message of 1 to 10 KiB with all candidates,
/// or ten to fifty messages of 300 to 600 bytes. Fifteen players who do so at once send a quarter
/// of a megabyte. The socket takes 128 KiB before any of it counts here; the rest follows as the
/// client reads.
pub(super) const IN_FLIGHT_BYTES: usize = 96 * 1024;

/// Bytes that every sender may have in flight even when others use all of
/// [`IN_FLIGHT_BYTES`]: 8 KiB, or one message of any length. Together, senders never have
/// more than twice [`IN_FLIGHT_BYTES`].
const PER_SENDER_BYTES: usize = 8 * 1024;

/// How long a message is held, and its sender not read. Adapters give each other about ten seconds.
const HOLD_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of one sender at another gateway that may wait for room: 64 KiB, twice of what an adapter
/// sends one other at once.
pub(super) const ELSEWHERE_BYTES: usize = 64 * 1024;

/// How long a message of a sender at another gateway waits: as long as adapters give each other.
const ELSEWHERE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two notices to a sender whose messages are dropped.
const NOTICE_INTERVAL: Duration = Duration::from_secs(60);

/// Messages in flight to one receiver that is behind.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Bytes of all senders.
    total: usize,
    /// Senders that have bytes in flight or were given up: at most those of one game.
    senders: Vec<Share>,
    /// Sender and size of the messages that the socket was offered last.
    offered: Vec<(ConnId, usize)>,
    /// Messages for which there is no room yet, at most one of each sender that can be held.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Share {
    sender: ConnId,
    bytes: usize,
    /// Whether one of its messages was held in vain, and none has fitted since.
    is_given_up: bool,
}

#[derive(Debug)]
struct Waiting {
    sender: ConnId,
    frames: Arc<Frames>,
    bytes: usize,
    until: Instant,
}

/// The result of adding a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelayOutcome {
    /// The message is in flight.
    Accepted,
    /// The message waits for room, and its sender is not read meanwhile.
    Held,
    /// The message is dropped, because there is no room.
    Dropped,
}

impl InFlight {
    fn share(&mut self, sender: ConnId) -> &mut Share {
        let place = self.senders.iter().position(|share| share.sender == sender);
        let place = place.unwrap_or_else(|| {
            self.senders.push(Share { sender, bytes: 0, is_given_up: false });
            self.senders.len() - 1
        });
        &mut self.senders[place]
    }

    /// Returns whether there is room for this number of bytes of a sender.
    fn has_room(&self, sender: ConnId, bytes: usize) -> bool {
        let share = self.senders.iter().find(|share| share.sender == sender);
        let before = share.map_or(0, |share| share.bytes);
        let is_little = before == 0 || before + bytes <= PER_SENDER_BYTES;
        let is_free = before + bytes <= IN_FLIGHT_BYTES.saturating_sub(self.total);
        (is_little || is_free) && self.total + bytes <= 2 * IN_FLIGHT_BYTES
    }

    /// Notes that a message is in flight.
    pub(super) fn add(&mut self, sender: ConnId, bytes: usize) {
        self.total += bytes;
        let share = self.share(sender);
        share.bytes += bytes;
        share.is_given_up = false;
    }

    /// Notes that the socket was offered a message.
    pub(super) fn note_offered(&mut self, sender: ConnId, bytes: usize) {
        self.offered.push((sender, bytes));
    }

    /// Notes that the socket has taken all offered messages.
    pub(super) fn confirm_taken(&mut self) {
        for (sender, bytes) in std::mem::take(&mut self.offered) {
            self.total -= bytes;
            self.share(sender).bytes -= bytes;
        }
        self.senders.retain(|share| share.bytes > 0 || share.is_given_up);
    }

    /// Accepts, holds or drops a message. With `is_scarce`, memory is short and every message
    /// is dropped.
    fn try_add(
        &mut self,
        sender: ConnId,
        is_elsewhere: bool,
        frames: &Arc<Frames>,
        bytes: usize,
        is_scarce: bool,
    ) -> RelayOutcome {
        let of_sender = || self.waiting.iter().filter(|waiting| waiting.sender == sender);
        let is_waiting = of_sender().next().is_some();
        let waits: usize = of_sender().map(|waiting| waiting.bytes).sum();
        if self.has_room(sender, bytes) && !is_waiting && !is_scarce {
            self.add(sender, bytes);
            return RelayOutcome::Accepted;
        }
        let may_wait = !is_waiting || (is_elsewhere && waits + bytes <= ELSEWHERE_BYTES);
        if !may_wait || is_scarce || self.share(sender).is_given_up {
            return RelayOutcome::Dropped;
        }
        let until = Instant::now() + time_limit(is_elsewhere);
        self.waiting.push_back(Waiting { sender, frames: Arc::clone(frames), bytes, until });
        RelayOutcome::Held
    }

    /// Removes and returns the next held message for which there is room now.
    fn next_with_room(&mut self) -> Option<(ConnId, Arc<Frames>)> {
        // Messages of one sender stay in their order.
        let mut without_room = Vec::new();
        let place = self.waiting.iter().position(|Waiting { sender, bytes, .. }| {
            if without_room.contains(sender) {
                return false;
            }
            let has_room = self.has_room(*sender, *bytes);
            if !has_room {
                without_room.push(*sender);
            }
            has_room
        })?;
        let Waiting { sender, frames, bytes, .. } = self.waiting.remove(place)?;
        self.add(sender, bytes);
        Some((sender, frames))
    }

    /// Gives up the messages of a sender that have waited for too long, and returns whether there
    /// were any.
    fn give_up(&mut self, sender: ConnId, now: Instant) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.sender != sender || waiting.until > now);
        let was_waiting = self.waiting.len() < before;
        if was_waiting {
            self.share(sender).is_given_up = true;
        }
        was_waiting
    }

    /// Returns the senders whose messages are held.
    pub(super) fn held(&self) -> impl Iterator<Item = ConnId> {
        self.waiting.iter().map(|waiting| waiting.sender)
    }

    /// Returns the memory of this bookkeeping, in bytes.
    pub(super) fn own_memory(&self) -> usize {
        (self.waiting.len() + self.senders.len() + self.offered.len()) * size_of::<Waiting>()
    }
}

/// The senders whose messages were held or dropped.
#[derive(Debug, Default)]
pub(super) struct Senders {
    /// Deadline, receiver and sender of each held message, the earliest one first.
    deadlines: VecDeque<(Instant, ConnId, ConnId)>,
    /// The same for messages of senders at other gateways.
    deadlines_elsewhere: VecDeque<(Instant, ConnId, ConnId)>,
    /// Time of the last notice to each sender that messages were dropped.
    notified: HashMap<ConnId, Instant>,
    /// Senders whose messages were dropped in this iteration.
    to_notify: Vec<ConnId>,
}

impl Senders {
    /// Returns the earliest deadline of a held message.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let first = |deadlines: &VecDeque<(Instant, ConnId, ConnId)>| deadlines.front().map(|(at, _, _)| *at);
        first(&self.deadlines).into_iter().chain(first(&self.deadlines_elsewhere)).min()
    }

    /// Removes and returns the receiver and the sender of a message whose deadline has come.
    fn next_due(&mut self, now: Instant) -> Option<(ConnId, ConnId)> {
        let due = |(at, _, _): &mut (Instant, ConnId, ConnId)| *at <= now;
        let first = self.deadlines.pop_front_if(due);
        let (_, receiver, sender) = first.or_else(|| self.deadlines_elsewhere.pop_front_if(due))?;
        Some((receiver, sender))
    }

    pub(super) fn forget(&mut self, sender: ConnId) {
        self.notified.remove(&sender);
    }

    pub(super) fn dropped(&mut self, sender: ConnId) {
        self.to_notify.push(sender);
    }
}

impl Worker {
    /// Stops reading a sender while one of its messages waits for room at a receiver, unless it is
    /// at another gateway.
    pub(super) fn hold(&mut self, sender: ConnId, is_elsewhere: bool, receiver: ConnId) {
        self.metrics.count_relay_held();
        let until = Instant::now() + time_limit(is_elsewhere);
        if is_elsewhere {
            return self.senders.deadlines_elsewhere.push_back((until, receiver, sender));
        }
        self.senders.deadlines.push_back((until, receiver, sender));
        if let Some(peer) = self.peers.get_mut(sender) {
            peer.slot.hold(Hold::RelayFull);
        }
    }

    /// Reads a sender again, because its message no longer waits.
    pub(super) fn release(&mut self, sender: ConnId) {
        if let Some(peer) = self.peers.get_mut(sender) {
            peer.slot.release(Hold::RelayFull);
        }
    }

    /// Drops messages that were held for too long.
    pub(super) fn expire_holds(&mut self) {
        let now = Instant::now();
        while let Some((receiver, sender)) = self.senders.next_due(now) {
            let backlog = self.peers.get_mut(receiver).and_then(|peer| peer.backlog.as_mut());
            if backlog.is_some_and(|backlog| backlog.relayed.give_up(sender, now)) {
                self.drop_relayed(sender);
                self.release(sender);
            }
        }
    }

    pub(super) fn drop_relayed(&mut self, sender: ConnId) {
        self.metrics.count_relay_dropped("the receiver is behind");
        self.senders.dropped(sender);
    }

    /// Sends a notice to the senders whose messages were dropped, at most one
    /// in [`NOTICE_INTERVAL`].
    pub(super) fn send_drop_notices(&mut self) {
        for sender in std::mem::take(&mut self.senders.to_notify) {
            let Some(place) = self.peers.place_of(sender) else { continue };
            let now = Instant::now();
            if self.senders.notified.get(&sender).is_some_and(|notified| now < *notified + NOTICE_INTERVAL) {
                continue;
            }
            self.senders.notified.insert(sender, now);
            let notice = ServerMessage::Notice(Notice::new(NoticeStyle::Info, DROPPED));
            let notice = Frames::new(notice, &self.memory);
            self.deliver(place, std::iter::once((&notice, Kind::Unsolicited)));
        }
    }
}

impl Backlog {
    /// Adds a message of another player's game if there is room for it.
    pub(super) fn relay(
        &mut self,
        sender: ConnId,
        is_elsewhere: bool,
        frames: &Arc<Frames>,
        is_scarce: bool,
    ) -> RelayOutcome {
        let Some(bytes) = frames.get(self.encoding()).map(Bytes::len) else { return RelayOutcome::Accepted };
        let outcome = self.relayed.try_add(sender, is_elsewhere, frames, bytes, is_scarce);
        if outcome == RelayOutcome::Accepted {
            self.append_relayed(sender, frames);
        }
        outcome
    }

    /// Adds the held messages for which there is room now. Returns their senders.
    pub(super) fn admit_held(&mut self) -> Vec<ConnId> {
        let mut senders = Vec::new();
        while let Some((sender, frames)) = self.relayed.next_with_room() {
            self.append_relayed(sender, &frames);
            senders.push(sender);
        }
        senders
    }
}

/// Returns how long a message may wait for room.
fn time_limit(is_elsewhere: bool) -> Duration {
    if is_elsewhere { ELSEWHERE_TIMEOUT } else { HOLD_TIMEOUT }
}

/// The notice to a sender whose messages are dropped.
const DROPPED: &str = "Your game sends another player more than that player's connection takes, so some of it has been dropped. If \
                       you cannot connect to each other, try again.";
