//! [`Core`]: a replica that leads or follows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use faf_lobby_core::{ConnId, Effect, Event, Reply, Request, RequestId, Timestamp};

use crate::ids::{CoreName, Epoch, GatewayId, WorldId};
use crate::message::{CoreInput, Ignored, StreamMessage};
use crate::packet::{MissingEffects, Packet, PacketContent};
use crate::packets::{Packets, Run};
use crate::replica::{Output, Replica};
use crate::sequencer::WINDOW;
use crate::state_hash::Parts;

/// Times and intervals of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreSettings {
    /// Time without a sign of the leader after which another core leads: 2 s. A leader that does
    /// not read its own signs stops an eighth of it earlier, so clocks may differ by that much in
    /// their speed.
    pub lease: Duration,
    /// Number of messages after which replicas compare the hashes of their states: 50,000.
    pub compare_every: u64,
}

impl Default for CoreSettings {
    fn default() -> Self {
        Self { lease: Duration::from_secs(2), compare_every: 50_000 }
    }
}

/// Time between two reports of a follower, and between two reports of a leader where the lines of
/// gateways stand: 500 ms.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// Number of positions whose hashes a follower keeps until it reads those of the leader.
const KEPT_HASHES: usize = 8;

/// Number of leases for which other cores wait for the one that a leader has named: if it has
/// another version, it loads a snapshot first.
const SUCCESSOR_LEASES: u32 = 5;

/// Most reports of a follower that it waits for. While the stream is away, older ones
/// are forgotten.
const KEPT_REPORTS: usize = 64;

/// Most batches of a leader that are under way, half of what replicas take: inputs wait until an
/// earlier one was read back.
const BATCHES_UNDER_WAY: usize = WINDOW as usize / 2;

/// Most effects that are sent again for one question.
const REPEATED_EFFECTS: u64 = 10_000;

/// A core: a replica of the world, and its part in who leads.
///
/// The leader is the core that began the newest epoch in the stream. Its signs of life are its
/// batches in the stream. A follower that has read none for the time of the lease appends a report,
/// and if it reads that back, and still no sign before it, it begins the next epoch. The stream's
/// order decides between several.
///
/// Drive it with [`delivered`](Self::delivered) for every message of the stream,
/// [`handle_timeout`](Self::handle_timeout) at [`next_timeout`](Self::next_timeout), and the others
/// as they happen; after a group of calls, [`flush`](Self::flush) it and take all outputs with
/// [`poll`](Self::poll). Times are those of any monotonic clock.
#[derive(Debug)]
pub struct Core {
    name: CoreName,
    version: String,
    settings: CoreSettings,
    replica: Replica,
    role: Role,
    now: Duration,
    /// Time of the last sign of a leader, or since which there could have been one.
    heard: Duration,
    /// Time of the last report: of a follower where it stands, of a leader where gateways stand.
    reported: Option<Duration>,
    last_report: u64,
    /// The last epoch that it has asked to lead in, with the time at which it first did.
    asked_to_lead: Option<(Epoch, Duration)>,
    /// Reports that were not read back, with the times at which they were appended.
    reports: VecDeque<(u64, Duration)>,
    /// Time at which the last report was appended that was read back: everything that was in the
    /// stream by then has been read.
    read_until: Option<Duration>,
    /// Local time at which the last message was applied.
    applied: Duration,
    /// The core that the last leader has named to lead next.
    successor: Option<CoreName>,
    past: u64,
    hashes: VecDeque<(u64, Parts)>,
    last_equal: u64,
    packets: Packets,
    outputs: VecDeque<CoreOutput>,
    ignored: BTreeMap<Ignored, u64>,
}

#[derive(Debug)]
enum Role {
    Following,
    /// It has asked to lead.
    Claiming {
        since: Duration,
    },
    Leading(Box<Leading>),
    /// It does nothing more: its state differs from the leader's, or is not that of the cluster.
    Ended,
}

/// The state of a core that leads.
#[derive(Debug)]
struct Leading {
    epoch: Epoch,
    /// Time at which the last of its batches that it has read back was appended.
    confirmed: Duration,
    /// Batches that it has not read back, with the times at which they were appended.
    sent: VecDeque<(u64, Duration)>,
    last_batch: u64,
    inputs: Vec<CoreInput>,
    /// Open requests that it has made.
    asked: BTreeSet<RequestId>,
    /// Whether it has given the leadership up, which is not in the stream yet.
    is_leaving: bool,
}

impl Leading {
    /// Returns whether no further batch may be on its way.
    fn is_full(&self) -> bool {
        self.sent.len() >= BATCHES_UNDER_WAY
    }
}

/// The role of a core, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreRole {
    /// It applies the stream, and keeps its effects back.
    Following,
    /// It leads.
    Leading,
    /// It leads as far as it knows, and waits for a sign that it still does.
    Suspended,
    /// It has ended: see [`CoreOutput::Diverged`] and those after it.
    Ended,
}

/// A follower's state differs from the leader's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The message after which the states were equal for the last time, as far as was compared.
    pub last_equal: u64,
    /// The message after which they differ.
    pub position: u64,
    /// Names of the parts that differ.
    pub parts: Vec<String>,
}

/// Something that a core asks its host to do.
#[derive(Debug, Clone, PartialEq)]
pub enum CoreOutput {
    /// Append this to the stream.
    Append {
        /// Whether it must be stored: then append it again with the same id, in order, until it is,
        /// or the core does not lead any more. Others are repeated by the core itself.
        must_be_stored: bool,
        /// Id of the message, by which the stream recognises repetitions.
        id: String,
        /// The message.
        payload: Vec<u8>,
    },
    /// Send this to one gateway.
    ToGateway(GatewayId, Vec<u8>),
    /// Send this to all gateways, and to those that want to be one.
    ToAll(Vec<u8>),
    /// Carry out a request, and return the [reply](Core::replied).
    Perform {
        /// The connection that waits for it.
        conn: Option<ConnId>,
        /// The request.
        request: Request,
    },
    /// Perform an effect that is not for gateways.
    Effect(Box<Effect>),
    /// The core leads from now on, in this epoch.
    Leads(Epoch),
    /// The core does not lead any more.
    Follows,
    /// The core has handed the leadership over, and may end after a [snapshot](Core::replica).
    HandedOver,
    /// A gateway has left, or was given up.
    GatewayLeft {
        /// The gateway.
        gateway: GatewayId,
        /// Whether it was given up.
        was_silent: bool,
    },
    /// The core has ended: its state is not the leader's.
    Diverged(Divergence),
    /// The core has ended: this other world is that of the cluster.
    OtherWorld(WorldId),
    /// The core has ended: a core of this other version leads, whose rules may be others.
    OtherVersion(String),
}

impl Core {
    /// Creates a core that follows. `version` is that of the program.
    #[must_use]
    pub fn new(
        name: CoreName,
        version: &str,
        settings: CoreSettings,
        replica: Replica,
        now: Duration,
    ) -> Self {
        Self {
            name,
            version: version.to_owned(),
            settings,
            replica,
            role: Role::Following,
            now,
            heard: now,
            reported: None,
            last_report: 0,
            asked_to_lead: None,
            reports: VecDeque::new(),
            read_until: None,
            applied: now,
            successor: None,
            past: 0,
            hashes: VecDeque::new(),
            last_equal: 0,
            packets: Packets::default(),
            outputs: VecDeque::new(),
            ignored: BTreeMap::new(),
        }
    }

    /// Leaders of other versions up to this message of the stream are of the past: only a sign
    /// after it ends this core.
    #[must_use]
    pub fn after(self, past: u64) -> Self {
        Self { past, ..self }
    }

    /// The replica.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The core's name.
    #[must_use]
    pub fn name(&self) -> &CoreName {
        &self.name
    }

    /// Returns the role.
    #[must_use]
    pub fn role(&self) -> CoreRole {
        match &self.role {
            Role::Following | Role::Claiming { .. } => CoreRole::Following,
            Role::Leading(_) if self.may_publish() => CoreRole::Leading,
            Role::Leading(_) => CoreRole::Suspended,
            Role::Ended => CoreRole::Ended,
        }
    }

    /// Returns whether it can do its part: it leads, or has read until a moment ago.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self.role() {
            CoreRole::Leading => true,
            CoreRole::Following => {
                self.read_until.is_some_and(|until| self.now <= until + 3 * REPORT_INTERVAL)
            }
            CoreRole::Suspended | CoreRole::Ended => false,
        }
    }

    /// Number of reports and of batches of the leader that were appended and not read back.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        let batches = if let Role::Leading(leading) = &self.role { leading.sent.len() } else { 0 };
        (self.reports.len(), batches)
    }

    /// Number of ignored messages by reason.
    #[must_use]
    pub fn ignored(&self) -> &BTreeMap<Ignored, u64> {
        &self.ignored
    }

    /// Returns whether it leads, and knows that nobody else can yet.
    fn may_publish(&self) -> bool {
        let Role::Leading(leading) = &self.role else { return false };
        self.now < leading.confirmed + self.settings.lease - self.settings.lease / 8
    }

    /// The next message of the stream.
    pub fn delivered(&mut self, now: Duration, sequence: u64, utc: Timestamp, payload: &[u8]) {
        self.now = now;
        if matches!(self.role, Role::Ended) {
            return;
        }
        self.replica.apply(sequence, utc, payload);
        self.applied = now;
        while let Some(output) = self.replica.poll() {
            self.take(output);
        }
        if sequence.is_multiple_of(self.settings.compare_every) {
            self.keep_hashes(sequence);
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Own { gateway, number, piece } if self.may_publish() => {
                self.packets.own(gateway, number, piece.0);
            }
            Output::Shared { numbers, piece } if self.may_publish() => self.packets.shared(numbers, piece.0),
            Output::Own { .. } | Output::Shared { .. } => {}
            Output::Request(_) => self.ask_open(),
            Output::Effect(effect) if self.may_publish() => {
                self.outputs.push_back(CoreOutput::Effect(effect));
            }
            Output::Effect(_) => {}
            Output::Joined { nonce, gateway } => {
                if self.may_publish() {
                    self.send_all(PacketContent::Welcome { nonce, gateway });
                }
            }
            Output::Left { gateway, was_silent } => {
                self.outputs.push_back(CoreOutput::GatewayLeft { gateway, was_silent });
            }
            Output::Leads { core, epoch } => self.begin_epoch(&core, epoch),
            Output::OtherWorld(world) => {
                self.role = Role::Ended;
                self.outputs.push_back(CoreOutput::OtherWorld(world));
            }
            Output::HeardLeader { number } => {
                self.heard = self.now;
                if matches!(self.role, Role::Claiming { .. }) {
                    // The leader was only late, and the order to lead comes after its sign.
                    self.role = Role::Following;
                }
                if let Role::Leading(leading) = &mut self.role {
                    while let Some((_, at)) = leading.sent.pop_front_if(|(sent, _)| *sent <= number) {
                        leading.confirmed = at;
                    }
                    // It may have been suspended, and have kept requests back.
                    self.ask_open();
                }
                self.end_if_other_version();
            }
            Output::Followed { core, number } if core == self.name => {
                while let Some((_, at)) = self.reports.pop_front_if(|(sent, _)| *sent <= number) {
                    self.read_until = Some(at);
                }
                if matches!(self.role, Role::Following)
                    && self.replica.is_settled()
                    && self.read_until.is_some_and(|until| until >= self.lease_end())
                {
                    self.claim();
                }
            }
            Output::Followed { .. } => {}
            Output::HandedOver { to } => self.handed_over(to.as_ref()),
            Output::State { position, parts } => self.compare(position, &parts),
            Output::Ignored(reason) => *self.ignored.entry(reason).or_default() += 1,
        }
    }

    fn begin_epoch(&mut self, core: &CoreName, epoch: Epoch) {
        self.successor = None;
        self.packets.clear();
        let was_leading = matches!(self.role, Role::Leading(_));
        if *core != self.name {
            self.heard = self.now;
            self.role = Role::Following;
            if was_leading {
                self.outputs.push_back(CoreOutput::Follows);
            }
            return self.end_if_other_version();
        }
        // It may have asked several times, and not know which message counts. If it was long on its
        // way, the core must first see a sign of its own before it knows that it leads.
        let since = self.asked_to_lead.filter(|(asked, _)| *asked == epoch).map_or(self.heard, |(_, at)| at);
        self.role = Role::Leading(Box::new(Leading {
            epoch,
            confirmed: since,
            sent: VecDeque::new(),
            last_batch: 0,
            inputs: Vec::new(),
            asked: BTreeSet::new(),
            is_leaving: false,
        }));
        self.heard = self.now;
        self.outputs.push_back(CoreOutput::Leads(epoch));
        self.report_standing();
        self.ask_open();
    }

    /// Ends if a core of another version leads, unless that was in the past.
    fn end_if_other_version(&mut self) {
        let version = self.replica.leader_version().unwrap_or_default();
        let is_following = matches!(self.role, Role::Following | Role::Claiming { .. });
        if is_following
            && self.replica.leader().is_some()
            && version != self.version
            && self.replica.position() > self.past
        {
            let version = version.to_owned();
            self.role = Role::Ended;
            self.outputs.push_back(CoreOutput::OtherVersion(version));
        }
    }

    /// Makes all open requests that it has not made yet.
    fn ask_open(&mut self) {
        if !self.may_publish() {
            return;
        }
        let Role::Leading(leading) = &mut self.role else { return };
        let open = self.replica.open_requests();
        leading.asked.retain(|id| open.contains_key(id));
        for (id, open) in open {
            if leading.asked.insert(*id) {
                let (conn, request) = (open.conn, open.request.clone());
                self.outputs.push_back(CoreOutput::Perform { conn, request });
            }
        }
    }

    fn handed_over(&mut self, to: Option<&CoreName>) {
        self.heard = self.now;
        self.successor = to.cloned();
        if matches!(self.role, Role::Leading(_)) {
            self.send_packets();
            self.role = Role::Following;
            self.outputs.push_back(CoreOutput::Follows);
            self.outputs.push_back(CoreOutput::HandedOver);
        } else if to.is_none_or(|to| *to == self.name) {
            self.claim();
        }
    }

    fn claim(&mut self) {
        let epoch = self.replica.epoch().next();
        self.role = Role::Claiming { since: self.now };
        if self.asked_to_lead.is_none_or(|(asked, _)| asked != epoch) {
            self.asked_to_lead = Some((epoch, self.now));
        }
        let after = self.replica.position();
        let (core, version) = (self.name.clone(), self.version.clone());
        let message = StreamMessage::<Event>::Lead { core, version, epoch, after };
        let id = format!("lead-{}-{}-{}", epoch.0, self.name, self.now.as_millis());
        self.append(id, &message);
    }

    fn append(&mut self, id: String, message: &StreamMessage<Event>) {
        let payload = message.encode();
        self.outputs.push_back(CoreOutput::Append { must_be_stored: false, id, payload });
    }

    fn keep_hashes(&mut self, position: u64) {
        let parts = self.replica.state_parts();
        if let Role::Leading(leading) = &mut self.role {
            leading.inputs.push(CoreInput::State { position, parts });
            return;
        }
        self.hashes.push_back((position, parts));
        if self.hashes.len() > KEPT_HASHES {
            self.hashes.pop_front();
        }
    }

    fn compare(&mut self, position: u64, parts: &Parts) {
        if matches!(self.role, Role::Leading(_)) {
            return;
        }
        let Some((_, own)) = self.hashes.iter().find(|(kept, _)| *kept == position) else { return };
        if own == parts {
            self.last_equal = position;
            return;
        }
        let names: BTreeSet<&String> = own.keys().chain(parts.keys()).collect();
        let differing =
            names.into_iter().filter(|name| own.get(*name) != parts.get(*name)).cloned().collect();
        self.role = Role::Ended;
        let divergence = Divergence { last_equal: self.last_equal, position, parts: differing };
        self.outputs.push_back(CoreOutput::Diverged(divergence));
    }

    /// The reply to a request that this core has made. It is ignored if the core does not lead any
    /// more: the next leader makes the request again.
    pub fn replied(&mut self, reply: Reply) {
        self.event(Event::Replied { reply });
    }

    /// An event from outside: an order of an operator, a message of another service. Returns false,
    /// and ignores it, if the core does not lead.
    pub fn event(&mut self, event: Event) -> bool {
        let Role::Leading(leading) = &mut self.role else { return false };
        leading.inputs.push(CoreInput::Event(event));
        true
    }

    /// Number of the batch with the last input that this leader was given; `None` if it does
    /// not lead. The input is a part of the world once [`batch_applied`](Self::batch_applied)
    /// is as high.
    #[must_use]
    pub fn batch_of_inputs(&self) -> Option<u64> {
        let Role::Leading(leading) = &self.role else { return None };
        Some(leading.last_batch + u64::from(!leading.inputs.is_empty()))
    }

    /// Number of this leader's last batch that is a part of the world; `None` if it does not lead.
    #[must_use]
    pub fn batch_applied(&self) -> Option<u64> {
        let Role::Leading(leading) = &self.role else { return None };
        Some(leading.sent.front().map_or(leading.last_batch, |(number, _)| number - 1))
    }

    /// Age of the oldest message of the stream that this core may not have applied: how long ago
    /// that was in the stream which it has read back. `None` before the first.
    #[must_use]
    pub fn behind(&self) -> Option<Duration> {
        match &self.role {
            Role::Leading(leading) => Some(self.now.saturating_sub(leading.confirmed)),
            _ => self.read_until.map(|until| self.now.saturating_sub(until)),
        }
    }

    /// The core to which the last leader has handed over, until one leads.
    #[must_use]
    pub fn successor(&self) -> Option<&CoreName> {
        self.successor.as_ref()
    }

    /// Time since the last sign of a leader.
    #[must_use]
    pub fn leader_silent(&self) -> Duration {
        self.now.saturating_sub(self.heard)
    }

    /// Gives the leadership up, for this core or for any. Returns whether it had it.
    pub fn transfer_leadership(&mut self, to: Option<CoreName>) -> bool {
        let Role::Leading(leading) = &mut self.role else { return false };
        if !std::mem::replace(&mut leading.is_leaving, true) {
            leading.inputs.push(CoreInput::HandOver { to });
        }
        true
    }

    /// A question of a gateway, which may be anything.
    pub fn asked(&mut self, now: Duration, payload: &[u8]) {
        self.now = now;
        let Some(MissingEffects { gateway, first, end, .. }) = MissingEffects::decode(payload) else {
            return;
        };
        if !self.may_publish() {
            return;
        }
        match self.replica.repeat(gateway, first, end.min(first.saturating_add(REPEATED_EFFECTS))) {
            Ok(pieces) => {
                for (number, piece) in (first..).zip(pieces) {
                    self.packets.own(gateway, number, piece);
                }
            }
            Err(Some(kept)) => {
                let packet = self.packet(PacketContent::Lost { gateway, first: kept });
                self.outputs.push_back(CoreOutput::ToGateway(gateway, packet));
            }
            // The next report of where lines stand tells it.
            Err(None) => {}
        }
    }

    /// The stream can be reached again: the leader has the time of a lease to give a sign.
    pub fn reconnected(&mut self, now: Duration) {
        self.now = now;
        self.heard = now;
    }

    /// Runs everything that is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        let is_report_due = self.report_due() <= now;
        match &mut self.role {
            Role::Ended => return,
            Role::Claiming { since } if now >= *since + self.settings.lease => {
                self.role = Role::Following;
                self.heard = now;
            }
            Role::Claiming { .. } | Role::Following | Role::Leading(_) => {}
        }
        if is_report_due {
            self.reported = Some(now);
            match self.role {
                Role::Leading(_) => self.report_standing(),
                _ => self.report_following(),
            }
        }
        self.flush(now);
    }

    /// Sends the effects to gateways, and appends the inputs of the leader.
    pub fn flush(&mut self, now: Duration) {
        self.now = now;
        self.send_packets();
        let is_due = self.batch_due().is_some_and(|due| now >= due);
        let Role::Leading(leading) = &mut self.role else { return };
        if leading.is_full() || (leading.inputs.is_empty() && !is_due) {
            return;
        }
        leading.last_batch += 1;
        leading.sent.push_back((leading.last_batch, now));
        let (epoch, number, inputs) =
            (leading.epoch, leading.last_batch, std::mem::take(&mut leading.inputs));
        let message = StreamMessage::<Event>::Core { epoch, number, inputs };
        let id = format!("core-{}-{number}", epoch.0);
        let payload = message.encode();
        self.outputs.push_back(CoreOutput::Append { must_be_stored: true, id, payload });
    }

    fn send_packets(&mut self) {
        if !self.may_publish() {
            return self.packets.clear();
        }
        for (gateway, Run { first, effects, .. }) in self.packets.take() {
            let packet = self.packet(PacketContent::Effects { first, effects });
            self.outputs.push_back(match gateway {
                Some(gateway) => CoreOutput::ToGateway(gateway, packet),
                None => CoreOutput::ToAll(packet),
            });
        }
    }

    fn report_standing(&mut self) {
        if self.may_publish() {
            // After the effects, so that no gateway misses what is under way.
            self.send_packets();
            let (next, newest) = (self.replica.standing(), self.replica.newest_gateway());
            self.send_all(PacketContent::Standing { next, newest });
        }
    }

    fn report_following(&mut self) {
        if !self.replica.is_settled() {
            let world = self.replica.id();
            let id = format!("begin-{:016x}-{}-{}", world.0, self.name, self.now.as_millis());
            return self.append(id, &StreamMessage::Begin { world, is_stored: true });
        }
        let position = self.replica.position();
        self.last_report += 1;
        let number = self.last_report;
        self.reports.push_back((number, self.now));
        if self.reports.len() > KEPT_REPORTS {
            self.reports.pop_front();
        }
        let (core, version) = (self.name.clone(), self.version.clone());
        let message = StreamMessage::<Event>::Follow { core, version, position, number };
        let id = format!("follow-{}-{number}", self.name);
        self.append(id, &message);
    }

    fn send_all(&mut self, content: PacketContent) {
        let packet = self.packet(content);
        self.outputs.push_back(CoreOutput::ToAll(packet));
    }

    fn packet(&self, content: PacketContent) -> Vec<u8> {
        Packet::new(self.replica.id(), self.replica.epoch(), content).encode()
    }

    /// Time at which the leader appends a batch, even an empty one: as a sign of life, or because a
    /// deadline of the world has come.
    fn batch_due(&self) -> Option<Duration> {
        let Role::Leading(leading) = &self.role else { return None };
        if leading.is_full() {
            return None;
        }
        let last = leading.sent.back().map_or(leading.confirmed, |(_, at)| *at);
        let sign = last + self.settings.lease / 4;
        // A batch that is under way moves the clock.
        if !leading.sent.is_empty() {
            return Some(sign);
        }
        let deadline = self.replica.world().next_deadline();
        let wait = deadline.map(|deadline| deadline.saturating_sub(self.replica.now().elapsed));
        Some(wait.map_or(sign, |wait| sign.min(self.applied + wait)))
    }

    /// Time at which the lease of a leader ends that gives no more sign.
    fn lease_end(&self) -> Duration {
        // Several followers ask one after the other.
        let rank = self.replica.followers().keys().position(|name| *name == self.name).unwrap_or_default();
        let grace = match (self.replica.leader(), &self.successor) {
            (Some(_), _) => self.settings.lease,
            (None, Some(successor)) if *successor != self.name => SUCCESSOR_LEASES * self.settings.lease,
            (None, _) => Duration::ZERO,
        };
        self.heard + grace + self.settings.lease / 16 * u32::try_from(rank).unwrap_or(u32::MAX)
    }

    /// Time of the next report. A follower also reports at the end of the leader's lease, to know
    /// whether it has read everything before.
    fn report_due(&self) -> Duration {
        let Some(reported) = self.reported else { return self.now };
        let end = self.lease_end();
        match self.role {
            Role::Following if reported < end => end.min(reported + REPORT_INTERVAL),
            _ => reported + REPORT_INTERVAL,
        }
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) must be called.
    #[must_use]
    pub fn next_timeout(&self) -> Duration {
        let report = self.report_due();
        let other = match &self.role {
            Role::Following => None,
            Role::Claiming { since } => Some(*since + self.settings.lease),
            Role::Leading(_) => self.batch_due(),
            Role::Ended => return self.now + REPORT_INTERVAL,
        };
        other.map_or(report, |other| other.min(report))
    }

    /// Returns the next thing to do, if there is one.
    pub fn poll(&mut self) -> Option<CoreOutput> {
        self.outputs.pop_front()
    }
}
