//! The reference of a cluster: a replica without faults, and a single lobby with the same inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use faf_lobby_cluster::{
    CoreInput, Epoch, GATEWAY_TIMEOUT, GatewayEffect, GatewayId, LONGEST_STEP, Nonce, Output, Receivers,
    Replica, Snapshot, StreamMessage,
};
use faf_lobby_core::{
    Audience, ClosingReasons, ConnId, Effect, Event, LogLine, Moment, RequestId, Timestamp, World,
};
use faf_protocol::{Encode, ServerMessage};

use super::laws::{ClusterLaw, Violation, ensure};
use crate::simulation::environment::queue_names;
use crate::simulation::invariants::{Checker, Size, is_unchanged, look};

/// Number of messages after which states are compared.
pub(super) const MARK: u64 = 97;

/// Most batches of one sender that are under way.
const WINDOW: u64 = 256;

/// The reference, which is told every message when the stream stores it.
///
/// The replica is the code under test on a perfect network. The single lobby gets the inputs by
/// rules of its own, as few and as simple as possible: so both find the errors of the other.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) replica: Replica,
    pub(super) checker: Checker,
    single: Single,
    /// Hashes of the pieces of every gateway's line, by number.
    pieces: BTreeMap<GatewayId, Vec<u64>>,
    /// Hashes of the state after some messages.
    marks: BTreeMap<u64, u64>,
    /// Epochs whose leader has given the leadership up.
    pub(super) given_up: BTreeSet<Epoch>,
    pub(super) silent_gateways: u64,
    pub(super) repeated: u64,
}

impl Reference {
    pub(super) fn new(replica: Replica, world: World, utc: Timestamp) -> Result<Self, Violation> {
        let mut reference = Self {
            replica,
            // The clock of the lobby moves by that much if nothing was said for longer.
            checker: Checker::of_late_timers(LONGEST_STEP),
            single: Single::new(world, utc),
            pieces: BTreeMap::new(),
            marks: BTreeMap::new(),
            given_up: BTreeSet::new(),
            silent_gateways: 0,
            repeated: 0,
        };
        reference.single.step(&mut reference.checker, None)?;
        Ok(reference)
    }

    /// Applies the next message of the stream.
    pub(super) fn apply(&mut self, sequence: u64, utc: Timestamp, payload: &[u8]) -> Result<(), Violation> {
        let epoch = self.replica.epoch();
        self.replica.apply(sequence, utc, payload);
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Own { gateway, number, piece } => self.piece(gateway, number, piece.text())?,
                Output::Shared { numbers, piece } => {
                    for (gateway, number) in numbers {
                        self.piece(gateway, number, piece.text())?;
                    }
                }
                Output::HandedOver { .. } => {
                    self.given_up.insert(epoch);
                }
                Output::Left { was_silent, .. } => self.silent_gateways += u64::from(was_silent),
                Output::Ignored(faf_lobby_cluster::Ignored::Repeated) => self.repeated += 1,
                _ => {}
            }
        }
        self.single.apply(&mut self.checker, sequence, utc, payload)?;
        if sequence.is_multiple_of(MARK) {
            self.compare_worlds()?;
            self.marks.insert(sequence, state_hash(&self.replica));
        }
        Ok(())
    }

    fn piece(&mut self, gateway: GatewayId, number: u64, text: &str) -> Result<(), Violation> {
        let pieces = self.pieces.entry(gateway).or_default();
        ensure(pieces.len() as u64 == number, ClusterLaw::SameEffects, || {
            format!("{gateway}: effect {number} comes after {} others", pieces.len())
        })?;
        pieces.push(hash(text));
        Ok(())
    }

    /// Compares the world of the replica with the single lobby.
    pub(super) fn compare_worlds(&self) -> Result<(), Violation> {
        let json = |world: &World| serde_json::to_value(world).unwrap_or_default();
        let (one, other) = (json(self.replica.world()), json(&self.single.world));
        ensure(one == other, ClusterLaw::SameWorld, || {
            let (one, other) = (one.as_object(), other.as_object());
            let members = one.into_iter().flatten();
            let differing: Vec<&String> = members
                .filter(|(name, value)| other.and_then(|other| other.get(*name)) != Some(value))
                .map(|(name, _)| name)
                .collect();
            format!("after message {}: {differing:?}", self.replica.position())
        })
    }

    /// Compares a replica, which may be some messages behind, if its position is a marked one.
    pub(super) fn compare(&self, name: &str, replica: &Replica) -> Result<(), Violation> {
        let position = replica.position();
        let known = if position == self.replica.position() {
            Some(state_hash(&self.replica))
        } else {
            self.marks.get(&position).copied()
        };
        ensure(known.is_none_or(|known| known == state_hash(replica)), ClusterLaw::SameState, || {
            let (own, other) = (self.replica.state_parts(), replica.state_parts());
            let differing: Vec<&String> = own
                .iter()
                .filter(|(part, hash)| other.get(*part) != Some(hash))
                .map(|(part, _)| part)
                .collect();
            format!("{name} after message {position}; parts if the reference is there, too: {differing:?}")
        })
    }

    /// Compares an effect that a core sends with the one under this number.
    pub(super) fn check_piece(&self, gateway: GatewayId, number: u64, text: &str) -> Result<(), Violation> {
        let known = self.pieces.get(&gateway).and_then(|pieces| pieces.get(usize::try_from(number).ok()?));
        ensure(known == Some(&hash(text)), ClusterLaw::SameEffects, || {
            format!("{gateway}, effect {number}: {}", text.chars().take(200).collect::<String>())
        })
    }

    /// Compares an effect that a gateway performs with the next one of the single lobby.
    pub(super) fn check_performed(
        &self,
        gateway: GatewayId,
        number: u64,
        effect: &GatewayEffect,
    ) -> Result<(), Violation> {
        let line = self.single.lines.get(&gateway);
        let expected = line.and_then(|line| line.get(number as usize));
        ensure(expected == Some(&fingerprint(effect)), ClusterLaw::ExactlyOnce, || {
            let known = line.map_or(0, Vec::len);
            let text: String = format!("{effect:?}").chars().take(300).collect();
            format!("{gateway} performs as number {number} of {known}: {text}")
        })
    }

    /// Number of effects that a gateway must have performed.
    pub(super) fn expected(&self, gateway: GatewayId) -> u64 {
        self.single.lines.get(&gateway).map_or(0, |line| line.len() as u64)
    }

    /// Returns whether the single lobby has nothing left to do.
    pub(super) fn is_settled(&self) -> bool {
        self.single.world.is_settled() && self.single.open.is_empty()
    }
}

/// Returns a hash of everything that a snapshot holds.
fn state_hash(replica: &Replica) -> u64 {
    hash(Snapshot::encode(replica, "0", 0))
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns a hash of an effect, in which messages are as clients get them.
fn fingerprint(effect: &GatewayEffect) -> u64 {
    let bytes = |message: &ServerMessage| {
        let mut bytes = Vec::new();
        // An error is the same for both sides.
        let _ = message.write_json(&mut bytes);
        bytes
    };
    match effect {
        GatewayEffect::Send { to, message } => hash((0, format!("{to:?}"), bytes(message))),
        GatewayEffect::SendList { conn, message, .. } => hash((1, conn.0, message.as_ref().map(bytes))),
        GatewayEffect::Relay { from, to, message } => hash((2, from.0, to.0, bytes(message))),
        other => hash((3, format!("{other:?}"))),
    }
}

/// A single lobby, and the rules by which the stream gives it its inputs.
#[derive(Debug)]
struct Single {
    world: World,
    now: Moment,
    epoch: Epoch,
    has_leader: bool,
    /// The last message in which a leader gave a sign of life.
    sign: u64,
    batches: Batches<Vec<CoreInput>>,
    gateways: BTreeMap<GatewayId, Gateway>,
    last_gateway: u32,
    open: BTreeSet<RequestId>,
    closing: ClosingReasons,
    /// Hashes of the effects for each gateway.
    lines: BTreeMap<GatewayId, Vec<u64>>,
    /// The second of the last check.
    checked: u64,
}

#[derive(Debug)]
struct Gateway {
    nonce: Nonce,
    batches: Batches<(Vec<Event>, bool)>,
    heard: Duration,
    conns: BTreeSet<ConnId>,
}

/// Batches by their numbers, of which each counts once, in order.
#[derive(Debug)]
struct Batches<T> {
    next: u64,
    waiting: BTreeMap<u64, T>,
}

impl<T> Default for Batches<T> {
    fn default() -> Self {
        Self { next: 1, waiting: BTreeMap::new() }
    }
}

impl<T> Batches<T> {
    fn add(&mut self, number: u64, batch: T) {
        if (self.next..self.next + WINDOW).contains(&number) {
            self.waiting.entry(number).or_insert(batch);
        }
    }

    fn take(&mut self) -> Option<T> {
        let batch = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(batch)
    }
}

impl Single {
    fn new(world: World, utc: Timestamp) -> Self {
        Self {
            world,
            now: Moment { elapsed: Duration::ZERO, utc },
            epoch: Epoch::default(),
            has_leader: false,
            sign: 0,
            batches: Batches::default(),
            gateways: BTreeMap::new(),
            last_gateway: 0,
            open: BTreeSet::new(),
            closing: ClosingReasons::default(),
            lines: BTreeMap::new(),
            checked: 0,
        }
    }

    fn apply(
        &mut self,
        checker: &mut Checker,
        sequence: u64,
        utc: Timestamp,
        payload: &[u8],
    ) -> Result<(), Violation> {
        let step = utc.since(self.now.utc).min(LONGEST_STEP);
        self.now = Moment { elapsed: self.now.elapsed + step, utc };
        match StreamMessage::decode(payload) {
            Ok(StreamMessage::Join { nonce, .. })
                if !self.gateways.values().any(|gateway| gateway.nonce == nonce) =>
            {
                self.last_gateway += 1;
                let heard = self.now.elapsed;
                let gateway = Gateway { nonce, batches: Batches::default(), heard, conns: BTreeSet::new() };
                self.gateways.insert(GatewayId(self.last_gateway), gateway);
            }
            Ok(StreamMessage::Gateway { gateway: id, number, events, leaves, .. }) => {
                if let Some(gateway) = self.gateways.get_mut(&id) {
                    gateway.heard = self.now.elapsed;
                    gateway.batches.add(number, (events, leaves));
                }
                while let Some((events, leaves)) =
                    self.gateways.get_mut(&id).and_then(|gateway| gateway.batches.take())
                {
                    for event in events {
                        self.client_event(checker, id, &event)?;
                    }
                    if leaves {
                        self.end_gateway(checker, id)?;
                    }
                }
            }
            Ok(StreamMessage::Lead { epoch, after, .. })
                if epoch == self.epoch.next() && after >= self.sign =>
            {
                (self.epoch, self.sign, self.has_leader) = (epoch, sequence, true);
                self.batches = Batches::default();
            }
            Ok(StreamMessage::Core { epoch, number, inputs }) if epoch == self.epoch => {
                self.batches.add(number, inputs);
                while let Some(inputs) = self.batches.take() {
                    if self.has_leader {
                        self.sign = sequence;
                    }
                    for input in inputs {
                        match input {
                            CoreInput::Event(Event::Replied { reply }) if !self.open.remove(&reply.id()) => {}
                            CoreInput::Event(event) => self.event(checker, &event)?,
                            CoreInput::HandOver { .. } => self.has_leader = false,
                            CoreInput::State { .. } => {}
                        }
                    }
                }
            }
            _ => {}
        }
        self.timers(checker)?;
        let silent = |gateway: &Gateway| self.now.elapsed.saturating_sub(gateway.heard) >= GATEWAY_TIMEOUT;
        let silent: Vec<GatewayId> =
            self.gateways.iter().filter(|(_, gateway)| silent(gateway)).map(|(id, _)| *id).collect();
        for id in silent {
            self.end_gateway(checker, id)?;
        }
        self.check_second(checker)
    }

    /// Runs the checks of every second of the lobby's time.
    fn check_second(&mut self, checker: &mut Checker) -> Result<(), Violation> {
        let second = self.now.elapsed.as_secs();
        if std::mem::replace(&mut self.checked, second) != second {
            checker.second(Size::of(&self.world), self.world.settings())?;
            let world = &self.world;
            checker
                .check_shown_searches(&queue_names(), |player, queue| world.is_searching(player, queue))?;
        }
        Ok(())
    }

    fn client_event(&mut self, checker: &mut Checker, id: GatewayId, event: &Event) -> Result<(), Violation> {
        let Some(gateway) = self.gateways.get_mut(&id) else { return Ok(()) };
        let conn = match event {
            Event::Connected { conn, .. } => {
                gateway.conns.insert(*conn);
                *conn
            }
            Event::Disconnected { conn } if gateway.conns.remove(conn) => *conn,
            Event::Received { conn, .. } | Event::Heard { conn } if gateway.conns.contains(conn) => *conn,
            _ => return Ok(()),
        };
        let is_message = matches!(event, Event::Received { .. });
        self.event(checker, event)?;
        if is_message {
            self.send_conn(conn, &GatewayEffect::Handled { conn });
        }
        Ok(())
    }

    fn end_gateway(&mut self, checker: &mut Checker, id: GatewayId) -> Result<(), Violation> {
        let Some(gateway) = self.gateways.remove(&id) else { return Ok(()) };
        for conn in gateway.conns {
            self.event(checker, &Event::Disconnected { conn })?;
        }
        Ok(())
    }

    fn event(&mut self, checker: &mut Checker, event: &Event) -> Result<(), Violation> {
        // As a step of its own, so that the checker does not take its effects for those of the
        // event.
        self.timers(checker)?;
        self.world.handle(self.now, event.clone());
        self.step(checker, Some(event))
    }

    fn timers(&mut self, checker: &mut Checker) -> Result<(), Violation> {
        self.world.handle_timeout(self.now);
        self.step(checker, None)
    }

    fn step(&mut self, checker: &mut Checker, event: Option<&Event>) -> Result<(), Violation> {
        let effects: Vec<Effect> = std::iter::from_fn(|| self.world.poll_effect()).collect();
        let after = (!is_unchanged(checker.seen(), &self.world)).then(|| look(&self.world));
        checker.step(self.now.elapsed, event, &effects, after)?;
        for effect in effects {
            self.effect(effect);
        }
        Ok(())
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to: Audience::One(conn), message } => {
                self.send_conn(conn, &GatewayEffect::Send { to: Receivers::One(conn), message });
            }
            Effect::Send { to: Audience::Several(conns), message } => {
                let mut rest = conns.as_slice();
                while let [first, ..] = rest {
                    let id = GatewayId::of(*first);
                    let end = rest.iter().position(|conn| GatewayId::of(*conn) != id).unwrap_or(rest.len());
                    let to = Receivers::Several(rest[..end].to_vec());
                    self.send_gateway(id, &GatewayEffect::Send { to, message: message.clone() });
                    rest = &rest[end..];
                }
            }
            Effect::Send { to: Audience::LoggedIn, message } => {
                self.send_all(&GatewayEffect::Send { to: Receivers::LoggedIn, message });
            }
            Effect::Send { to: Audience::LoggedInExcept(conns), message } => {
                self.send_all(&GatewayEffect::Send { to: Receivers::LoggedInExcept(conns), message });
            }
            Effect::SendSnapshot { conn, message, .. } => {
                self.send_conn(conn, &GatewayEffect::SendList { conn, hash: None, message: Some(message) });
            }
            Effect::Relay { from, to, message } => {
                self.send_conn(to, &GatewayEffect::Relay { from, to, message });
            }
            Effect::Hold { conn, reason } => self.send_conn(conn, &GatewayEffect::Hold { conn, reason }),
            Effect::Release { conn, reason } => {
                self.send_conn(conn, &GatewayEffect::Release { conn, reason });
            }
            Effect::Done { conn } => self.send_conn(conn, &GatewayEffect::Done { conn }),
            Effect::LoggedIn { conn } => self.send_conn(conn, &GatewayEffect::LoggedIn { conn }),
            Effect::Close { conn } => {
                let closing = self.closing.of(conn, self.world.has_stopped());
                self.send_conn(conn, &GatewayEffect::Close { conn, closing });
                if let Some(gateway) = self.gateways.get_mut(&GatewayId::of(conn)) {
                    gateway.conns.remove(&conn);
                }
            }
            Effect::Request { request, .. } => {
                self.open.insert(request.id());
            }
            Effect::Log(line) => {
                self.closing.note(&line);
                if let LogLine::LoginFailed { conn, .. } = line {
                    self.send_conn(conn, &GatewayEffect::LoginFailed { conn });
                }
            }
            Effect::ReportLogin { .. }
            | Effect::Publish(_)
            | Effect::Queue(_)
            | Effect::Count(_)
            | Effect::Stop => {}
        }
    }

    fn send_conn(&mut self, conn: ConnId, effect: &GatewayEffect) {
        let id = GatewayId::of(conn);
        if self.gateways.get(&id).is_some_and(|gateway| gateway.conns.contains(&conn)) {
            self.send_gateway(id, effect);
        }
    }

    fn send_gateway(&mut self, id: GatewayId, effect: &GatewayEffect) {
        if self.gateways.contains_key(&id) {
            self.lines.entry(id).or_default().push(fingerprint(effect));
        }
    }

    fn send_all(&mut self, effect: &GatewayEffect) {
        let print = fingerprint(effect);
        for id in self.gateways.keys() {
            self.lines.entry(*id).or_default().push(print);
        }
    }
}
