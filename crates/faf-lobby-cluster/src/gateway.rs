//! [`Link`]: the part of a gateway that keeps its inputs and effects exact.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::Event;
use faf_protocol::ServerMessage;
use serde_json::value::{RawValue, to_raw_value};

use crate::effect::{Assembly, ContentHash, GatewayEffect};
use crate::ids::{Epoch, GatewayId, Nonce, WorldId};
use crate::line::KnownLists;
use crate::message::{BATCH_BYTES, FORMAT, StreamMessage};
use crate::packet::{MissingEffects, Packet, PacketContent};
use crate::replica::GATEWAY_TIMEOUT;
use crate::sequencer::WINDOW;

/// Time after which a gateway that has nothing to say appends a sign of life: 1 s.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// Time for which missing effects may still come by themselves: 20 ms.
const GAP_GRACE: Duration = Duration::from_millis(20);

/// Time after which a question without a reply is asked again: 500 ms.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Most effects that wait because earlier ones are missing. Later ones are asked for again.
const EARLY_EFFECTS: usize = 10_000;

/// Longest event of a gateway, as JSON text: 896 KiB. With the envelope around it, it fits into a
/// message of NATS, which has at most 1 MiB unless an operator allows more.
const EVENT_BYTES: usize = 896 * 1024;

/// Most bytes of batches that are appended and not acknowledged: 8 MiB.
const UNACKNOWLEDGED_BYTES: usize = 8 * 1024 * 1024;

/// A gateway's link to the cluster.
///
/// Inputs go in with [`push`](Self::push), and effects come out of [`poll`](Self::poll), each once
/// and in order, whatever the network between them loses or repeats. Times are those of any
/// monotonic clock.
#[derive(Debug)]
pub struct Link {
    name: String,
    state: State,
    now: Duration,
    /// Time of the last packet of a leader.
    heard: Duration,
    leaving: Leaving,
    outputs: VecDeque<LinkOutput>,
}

/// Whether a gateway leaves the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// It leaves after the events that wait.
    Asked,
    /// Its last batch is appended.
    Appended,
}

#[derive(Debug)]
enum State {
    Joining {
        nonce: Nonce,
        asked: Option<Duration>,
    },
    Member(Box<Member>),
    /// It waits for a new nonce.
    Outside,
}

#[derive(Debug)]
struct Member {
    gateway: GatewayId,
    world: WorldId,
    epoch: Epoch,
    // Inputs.
    events: VecDeque<Box<RawValue>>,
    last_batch: u64,
    unacknowledged: VecDeque<Batch>,
    unacknowledged_bytes: usize,
    appended: Duration,
    // Effects.
    next: u64,
    early: BTreeMap<u64, Arc<RawValue>>,
    /// Number of the first effect that is not known to exist.
    known_end: u64,
    /// The effect that is missing, and since when.
    gap_since: Option<(u64, Duration)>,
    asked: Option<Duration>,
    assembly: Assembly,
    order: KnownLists,
    lists: HashMap<ContentHash, ServerMessage>,
}

/// A batch that is not acknowledged.
#[derive(Debug)]
struct Batch {
    number: u64,
    payload: Arc<[u8]>,
}

/// Something that a gateway asks its host to do.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkOutput {
    /// Append this to the stream. The same may come again, until it is
    /// [acknowledged](Link::acknowledged).
    Append {
        /// Number to acknowledge; `None` for a message that nobody waits for.
        number: Option<u64>,
        /// Id of the message, by which the stream recognises repetitions.
        id: String,
        /// The message.
        payload: Arc<[u8]>,
    },
    /// Send this to the core that leads.
    Ask(Vec<u8>),
    /// The gateway has its number: connections may come.
    Joined(GatewayId),
    /// Perform an effect.
    Perform(Box<GatewayEffect>),
    /// End all connections, and [join](Link::join) again.
    EndAll(EndReason),
    /// All inputs are in the stream, and the gateway has left.
    Left,
}

/// The reason for which a gateway ends all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// Nothing was heard of the cluster for too long.
    OutOfTouch,
    /// The cluster has given the gateway up.
    GivenUp,
    /// Effects are lost: no core has them any more.
    EffectsLost,
    /// Another world has begun.
    OtherWorld,
}

impl EndReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::OutOfTouch, Self::GivenUp, Self::EffectsLost, Self::OtherWorld];

    /// Returns the reason in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::OutOfTouch => "out of touch with the cluster",
            Self::GivenUp => "given up by the cluster",
            Self::EffectsLost => "effects were lost",
            Self::OtherWorld => "the lobby has begun again",
        }
    }
}

impl Link {
    /// Creates the link of a gateway, which joins under this name.
    #[must_use]
    pub fn new(name: &str, nonce: Nonce, now: Duration) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Joining { nonce, asked: None },
            now,
            heard: now,
            leaving: Leaving::No,
            outputs: VecDeque::new(),
        }
    }

    /// Joins again, after [`LinkOutput::EndAll`].
    pub fn join(&mut self, nonce: Nonce) {
        self.state = State::Joining { nonce, asked: None };
    }

    /// Returns the number of the gateway while it has one.
    #[must_use]
    pub fn gateway(&self) -> Option<GatewayId> {
        self.member().map(|member| member.gateway)
    }

    /// Returns the world and the epoch that it has heard of last.
    #[must_use]
    pub fn epoch(&self) -> Option<(WorldId, Epoch)> {
        self.member().map(|member| (member.world, member.epoch))
    }

    /// Returns whether so many inputs wait that no more should be read from clients.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.member().is_some_and(Member::is_full)
    }

    /// Number of events that are not appended.
    #[must_use]
    pub fn events(&self) -> usize {
        self.member().map_or(0, |member| member.events.len())
    }

    /// Number of batches that are not acknowledged, and of effects that wait for missing ones.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        self.member().map_or((0, 0), |member| (member.unacknowledged.len(), member.early.len()))
    }

    /// Time of the last packet of a leader, or since which there could have been one.
    #[must_use]
    pub fn heard(&self) -> Duration {
        self.heard
    }

    fn member(&self) -> Option<&Member> {
        if let State::Member(member) = &self.state { Some(member) } else { None }
    }

    /// Adds an event of a connection. While the gateway has no number, events are dropped.
    /// Returns false, and drops the event, if it is longer than 896 KiB as JSON text.
    pub fn push(&mut self, event: &Event) -> bool {
        let State::Member(member) = &mut self.state else { return true };
        let event = to_raw_value(event).expect("events are JSON");
        let fits = event.get().len() <= EVENT_BYTES;
        if fits {
            member.events.push_back(event);
        }
        fits
    }

    /// Appends the events that were added, unless too many batches are not acknowledged. The last
    /// batch of a gateway that leaves comes after them.
    pub fn flush(&mut self, now: Duration) {
        self.now = now;
        if let State::Member(member) = &mut self.state {
            while !member.events.is_empty() && !member.is_full() {
                let batch = member.take_batch();
                self.outputs.push_back(member.append(now, batch, false));
            }
            if self.leaving == Leaving::Asked && !member.is_full() {
                self.leaving = Leaving::Appended;
                self.outputs.push_back(member.append(now, Vec::new(), true));
            }
        }
    }

    /// Leaves the cluster after the inputs so far. [`LinkOutput::Left`] follows when all of them
    /// are in the stream.
    pub fn leave(&mut self, now: Duration) {
        self.leaving = Leaving::Asked;
        match &self.state {
            State::Member(_) => self.flush(now),
            _ => self.outputs.push_back(LinkOutput::Left),
        }
    }

    /// The stream has stored a batch.
    pub fn acknowledged(&mut self, number: u64) {
        let State::Member(member) = &mut self.state else { return };
        if let Ok(at) = member.unacknowledged.binary_search_by_key(&number, |batch| batch.number)
            && let Some(batch) = member.unacknowledged.remove(at)
        {
            member.unacknowledged_bytes -= batch.payload.len();
        }
        if self.leaving == Leaving::Appended && member.unacknowledged.is_empty() {
            self.outputs.push_back(LinkOutput::Left);
        }
    }

    /// The stream can be reached again, or has refused a batch for a reason that passes: appends
    /// everything again that is not acknowledged, in order.
    pub fn append_again(&mut self) {
        let State::Member(member) = &mut self.state else { return };
        self.outputs.extend(member.unacknowledged.iter().map(|batch| batch.output(member.gateway)));
    }

    /// Handles a packet of a core, which may be anything.
    pub fn received(&mut self, now: Duration, payload: &[u8]) {
        self.now = now;
        let Some(Packet { world, epoch, content, .. }) = Packet::decode(payload) else { return };
        if let PacketContent::Welcome { nonce, gateway } = content {
            if matches!(self.state, State::Joining { nonce: own, .. } if own == nonce) {
                self.heard = now;
                self.state = State::Member(Box::new(Member::new(gateway, world, epoch, now)));
                self.outputs.push_back(LinkOutput::Joined(gateway));
            }
            return;
        }
        let State::Member(member) = &mut self.state else { return };
        if world != member.world {
            return self.end_all(EndReason::OtherWorld);
        }
        // A leader of the past, which does not know yet that another one leads.
        if epoch < member.epoch {
            return;
        }
        member.epoch = epoch;
        self.heard = now;
        match content {
            PacketContent::Effects { first, effects } => {
                if let Some(first) = first.get(&member.gateway) {
                    member.take_effects(*first, effects);
                    self.perform();
                }
            }
            PacketContent::Standing { next, newest } => match next.get(&member.gateway) {
                Some(next) => member.known_end = member.known_end.max(*next),
                // A report from before this gateway joined may come after its number.
                None if member.gateway > newest => {}
                None => return self.end_all(EndReason::GivenUp),
            },
            // The question may have been late: what it asked for has come, and is forgotten since.
            PacketContent::Lost { gateway, first } if gateway == member.gateway && first > member.next => {
                return self.end_all(EndReason::EffectsLost);
            }
            PacketContent::Lost { .. } | PacketContent::Welcome { .. } => {}
        }
        if let State::Member(member) = &mut self.state {
            member.notice_gap(now);
        }
    }

    /// Performs the effects that are next in order.
    fn perform(&mut self) {
        let State::Member(member) = &mut self.state else { return };
        while let Some(piece) = member.early.remove(&member.next) {
            member.next += 1;
            match member.assembly.add(&piece).map(|effect| effect.map(|effect| member.with_list(effect))) {
                Ok(None) => {}
                Ok(Some(Some(effect))) => self.outputs.push_back(LinkOutput::Perform(Box::new(effect))),
                // The core and the gateway disagree about what was sent, so nothing can be trusted.
                Ok(Some(None)) | Err(_) => return self.end_all(EndReason::EffectsLost),
            }
        }
    }

    /// Runs everything that is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        match &mut self.state {
            State::Outside => {}
            State::Joining { nonce, asked } => {
                if asked.is_none_or(|asked| now >= asked + ASK_AGAIN) {
                    *asked = Some(now);
                    let join = StreamMessage::<Event>::Join { nonce: *nonce, name: self.name.clone() };
                    let id = format!("join-{}-{}", nonce.0, now.as_millis());
                    self.outputs.push_back(LinkOutput::Append {
                        number: None,
                        id,
                        payload: join.encode().into(),
                    });
                }
            }
            State::Member(member) => {
                if now >= self.heard + GATEWAY_TIMEOUT {
                    return self.end_all(EndReason::OutOfTouch);
                }
                let is_last = self.leaving == Leaving::Appended;
                if now >= member.appended + HEARTBEAT && !member.is_full() && !is_last {
                    let batch = member.take_batch();
                    self.outputs.push_back(member.append(now, batch, false));
                }
                if member.question_due().is_some_and(|due| now >= due) {
                    member.asked = Some(now);
                    let end = member.early.first_key_value().map_or(member.known_end, |(number, _)| *number);
                    let question = MissingEffects {
                        faf_lobby: FORMAT,
                        gateway: member.gateway,
                        first: member.next,
                        end,
                    };
                    self.outputs.push_back(LinkOutput::Ask(question.encode()));
                }
            }
        }
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) must be called.
    #[must_use]
    pub fn next_timeout(&self) -> Duration {
        match &self.state {
            State::Outside => self.now + HEARTBEAT,
            State::Joining { asked, .. } => asked.map_or(self.now, |asked| asked + ASK_AGAIN),
            State::Member(member) => {
                let is_quiet = member.is_full() || self.leaving == Leaving::Appended;
                let heartbeat = if is_quiet { self.now + HEARTBEAT } else { member.appended + HEARTBEAT };
                let due = heartbeat.min(self.heard + GATEWAY_TIMEOUT);
                member.question_due().map_or(due, |question| due.min(question))
            }
        }
    }

    /// Returns the next thing to do, if there is one.
    pub fn poll(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    fn end_all(&mut self, reason: EndReason) {
        self.state = State::Outside;
        // Nothing that it was to do before matters any more.
        self.outputs.clear();
        let is_leaving = self.leaving != Leaving::No;
        self.outputs.push_back(if is_leaving { LinkOutput::Left } else { LinkOutput::EndAll(reason) });
    }
}

impl Member {
    fn new(gateway: GatewayId, world: WorldId, epoch: Epoch, now: Duration) -> Self {
        Self {
            gateway,
            world,
            epoch,
            events: VecDeque::new(),
            last_batch: 0,
            unacknowledged: VecDeque::new(),
            unacknowledged_bytes: 0,
            appended: now,
            next: 0,
            early: BTreeMap::new(),
            known_end: 0,
            gap_since: None,
            asked: None,
            assembly: Assembly::default(),
            order: KnownLists::default(),
            lists: HashMap::new(),
        }
    }

    fn is_full(&self) -> bool {
        let first = self.unacknowledged.front().map_or(self.last_batch + 1, |batch| batch.number);
        self.last_batch + 1 - first >= WINDOW - 1 || self.unacknowledged_bytes >= UNACKNOWLEDGED_BYTES
    }

    /// Takes as many events as one batch may have.
    fn take_batch(&mut self) -> Vec<Box<RawValue>> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        while let Some(event) =
            self.events.pop_front_if(|event| bytes == 0 || bytes + event.get().len() <= BATCH_BYTES)
        {
            bytes += event.get().len();
            batch.push(event);
        }
        batch
    }

    fn append(&mut self, now: Duration, events: Vec<Box<RawValue>>, leaves: bool) -> LinkOutput {
        self.last_batch += 1;
        self.appended = now;
        let (gateway, number, expects) = (self.gateway, self.last_batch, self.next);
        let message = StreamMessage::Gateway { gateway, number, expects, events, leaves };
        let batch = Batch { number, payload: message.encode().into() };
        let output = batch.output(gateway);
        self.unacknowledged_bytes += batch.payload.len();
        self.unacknowledged.push_back(batch);
        output
    }

    fn take_effects(&mut self, first: u64, effects: Vec<Arc<RawValue>>) {
        self.known_end = self.known_end.max(first + effects.len() as u64);
        for (number, piece) in (first..).zip(effects) {
            if number >= self.next && (self.early.len() < EARLY_EFFECTS || number == self.next) {
                self.early.insert(number, piece);
            }
        }
    }

    fn notice_gap(&mut self, now: Duration) {
        if self.next >= self.known_end {
            (self.gap_since, self.asked) = (None, None);
        } else if self.gap_since.is_none_or(|(at, _)| at != self.next) {
            self.gap_since = Some((self.next, now));
            self.asked = None;
        }
    }

    /// Time at which missing effects are asked for.
    fn question_due(&self) -> Option<Duration> {
        let since = self.gap_since?.1 + GAP_GRACE;
        Some(self.asked.map_or(since, |asked| asked + ASK_AGAIN))
    }

    /// Adds the content to a list that the gateway was sent before; `None` if it was not.
    fn with_list(&mut self, effect: GatewayEffect) -> Option<GatewayEffect> {
        let GatewayEffect::SendList { conn, hash: Some(hash), message } = effect else { return Some(effect) };
        let message = match message {
            Some(message) => {
                if let Some(forgotten) = self.order.add(&hash) {
                    self.lists.remove(&forgotten);
                }
                self.lists.insert(hash.clone(), message.clone());
                message
            }
            None => self.lists.get(&hash)?.clone(),
        };
        Some(GatewayEffect::SendList { conn, hash: Some(hash), message: Some(message) })
    }
}

impl Batch {
    fn output(&self, gateway: GatewayId) -> LinkOutput {
        let id = format!("g{}-{}", gateway.0, self.number);
        LinkOutput::Append { number: Some(self.number), id, payload: Arc::clone(&self.payload) }
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::ConnId;
    use faf_protocol::{CommandError, FieldError};

    use super::*;

    /// Returns a link that has joined, after its first output.
    fn joined() -> Link {
        let mut link = Link::new("test", Nonce(1), Duration::ZERO);
        let content = PacketContent::Welcome { nonce: Nonce(1), gateway: GatewayId(7) };
        link.received(Duration::ZERO, &Packet::new(WorldId(1), Epoch(1), content).encode());
        assert_eq!(link.poll(), Some(LinkOutput::Joined(GatewayId(7))));
        link
    }

    fn event(text_bytes: usize) -> Event {
        let error = FieldError { field: None, reason: "x".repeat(text_bytes) };
        Event::Received { conn: ConnId(1), message: Err(CommandError { command: None, error }) }
    }

    /// Takes the batches to append: their numbers, and those of gateways that leave.
    fn appended(link: &mut Link) -> Vec<(u64, bool)> {
        let mut batches = Vec::new();
        while let Some(LinkOutput::Append { number: Some(number), payload, .. }) = link.poll() {
            let Ok(StreamMessage::Gateway { leaves, .. }) = StreamMessage::decode(&payload) else { panic!() };
            batches.push((number, leaves));
        }
        batches
    }

    #[test]
    fn event_that_fits_into_no_message_is_refused() {
        let mut link = joined();
        assert!(!link.push(&event(EVENT_BYTES)));
        assert!(link.push(&event(EVENT_BYTES - 1024)));
        link.flush(Duration::ZERO);
        let Some(LinkOutput::Append { payload, .. }) = link.poll() else { panic!() };
        assert!(payload.len() < 1024 * 1024);
    }

    #[test]
    fn gateway_leaves_after_all_of_its_inputs() {
        let mut link = joined();
        // More than may be under way at once.
        for _ in 0..20 {
            link.push(&event(EVENT_BYTES - 1024));
        }
        link.leave(Duration::ZERO);
        let mut batches = appended(&mut link);
        assert!(batches.len() < 20 && link.is_full());
        let mut acknowledged = 0;
        while acknowledged < batches.len() {
            link.acknowledged(batches[acknowledged].0);
            acknowledged += 1;
            assert_eq!(link.outputs.front(), (acknowledged == 21).then_some(&LinkOutput::Left));
            link.flush(Duration::ZERO);
            batches.extend(appended(&mut link));
        }
        let last = batches.iter().map(|(_, leaves)| *leaves);
        assert!(last.eq((1..=21).map(|number| number == 21)), "{batches:?}");
    }
}
