//! [`Replica`]: the world of a cluster, as every core computes it from the same stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use faf_lobby_core::{
    Audience, ClosingReasons, ConnId, Effect, Event, InitialState, LogLine, Moment, Request, RequestId,
    Settings, SnapshotId, Timestamp, World,
};
use faf_protocol::ServerMessage;
use serde::{Deserialize, Serialize};

use crate::clock::StreamClock;
use crate::effect::{GatewayEffect, Piece, Receivers, pieces};
use crate::ids::{CoreName, Epoch, GatewayId, Nonce, WorldId};
use crate::line::Line;
use crate::lists::ListCache;
use crate::message::{CoreInput, Ignored, StreamMessage};
use crate::sequencer::Sequencer;
use crate::state_hash::{Parts, hash_parts};

/// Time without a batch after which a gateway is given up, and its connections end: 45 s.
pub const GATEWAY_TIMEOUT: Duration = Duration::from_secs(45);

/// Time without a report after which a following core is forgotten: 10 s.
const FOLLOWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Most gateways at a time. Further ones are not given a number.
const GATEWAYS: usize = 64;

/// Longest name of a gateway or a core that is kept, in bytes.
const NAME_BYTES: usize = 100;

/// The world of a cluster, with what the cluster must remember beside it.
///
/// It is told every message of the stream, in order, by [`apply`](Self::apply), and nothing else
/// changes it: replicas that have applied the same messages are equal. After each message, take all
/// outputs with [`poll`](Self::poll).
#[derive(Debug, Serialize, Deserialize)]
pub struct Replica {
    id: WorldId,
    world: World,
    clock: StreamClock,
    /// Sequence number of the last message.
    position: u64,
    /// Whether this world is known to be that of the cluster: see [`StreamMessage::Begin`].
    is_settled: bool,
    epoch: Epoch,
    leader: Option<CoreName>,
    /// Version of the program of the last leader.
    leader_version: Option<String>,
    /// Sequence number of the last sign of a leader.
    sign: u64,
    /// Batches of the leader in this epoch.
    core: Sequencer<Vec<CoreInput>>,
    last_gateway: u32,
    gateways: BTreeMap<GatewayId, Gateway>,
    /// Requests of the world whose reply is not in the stream yet.
    open: BTreeMap<RequestId, OpenRequest>,
    followers: BTreeMap<CoreName, Follower>,
    #[serde(skip)]
    closing_reasons: ClosingReasons,
    #[serde(skip)]
    lists: ListCache,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

/// A gateway that has joined.
#[derive(Debug, Serialize, Deserialize)]
struct Gateway {
    name: String,
    nonce: Nonce,
    batches: Sequencer<GatewayBatch>,
    /// Time of its last batch.
    heard: Duration,
    line: Line,
    connections: BTreeSet<ConnId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct GatewayBatch {
    expects: u64,
    events: Vec<Event>,
    leaves: bool,
}

/// A request without a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenRequest {
    /// The connection that waits for it.
    pub conn: Option<ConnId>,
    /// The request.
    pub request: Request,
}

/// A core that has reported that it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    /// Version of its program.
    pub version: String,
    /// The last message that it had applied.
    pub position: u64,
    /// Time of the report.
    heard: Duration,
}

/// The state of a gateway, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayState {
    /// Its name.
    pub name: String,
    /// Number of its connections.
    pub connections: usize,
    /// Time since its last batch.
    pub silent: Duration,
    /// Number of its next effect.
    pub next_effect: u64,
    /// Number of effects that are kept for it, and their bytes.
    pub kept: (usize, usize),
}

/// Something that follows from a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// An effect, or a piece of one, for one gateway.
    Own {
        /// The gateway.
        gateway: GatewayId,
        /// Its number in the line of the gateway.
        number: u64,
        /// The piece.
        piece: RawPiece,
    },
    /// The same for all gateways.
    Shared {
        /// Its number in the line of each.
        numbers: BTreeMap<GatewayId, u64>,
        /// The piece.
        piece: RawPiece,
    },
    /// The world has made this request, which is open now.
    Request(RequestId),
    /// An effect for the host of the world: a log line, a count, a publication.
    Effect(Box<Effect>),
    /// A gateway has joined, or has asked again for its number.
    Joined {
        /// The nonce with which it has asked.
        nonce: Nonce,
        /// Its number.
        gateway: GatewayId,
    },
    /// A gateway is no longer a part of the cluster. `was_silent`: it was given up.
    Left {
        /// The gateway.
        gateway: GatewayId,
        /// Whether it had not been heard of for [`GATEWAY_TIMEOUT`].
        was_silent: bool,
    },
    /// A core leads from now on.
    Leads {
        /// The core.
        core: CoreName,
        /// Its epoch.
        epoch: Epoch,
    },
    /// Another world is that of the cluster.
    OtherWorld(WorldId),
    /// A batch of the current leader was applied.
    HeardLeader {
        /// Number of the batch in the epoch.
        number: u64,
    },
    /// A core has reported that it follows.
    Followed {
        /// The core.
        core: CoreName,
        /// Number of the report.
        number: u64,
    },
    /// The leader has given the leadership up.
    HandedOver {
        /// The core that must lead; `None` if any may.
        to: Option<CoreName>,
    },
    /// The leader's state had these hashes.
    State {
        /// After this message.
        position: u64,
        /// The hashes.
        parts: Parts,
    },
    /// The message, or a part of it, was ignored.
    Ignored(Ignored),
}

/// A piece of JSON text that is compared by its text.
#[derive(Debug, Clone)]
pub struct RawPiece(pub(crate) Piece);

impl RawPiece {
    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for RawPiece {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Replica {
    /// Begins a world after the message `position`, at this time.
    #[must_use]
    pub fn begin(
        id: WorldId,
        settings: Settings,
        initial: InitialState,
        utc: Timestamp,
        position: u64,
    ) -> Self {
        let clock = StreamClock::at(utc);
        let mut replica = Self {
            id,
            world: World::new(settings, clock.now(), initial),
            clock,
            position,
            is_settled: true,
            epoch: Epoch::default(),
            leader: None,
            leader_version: None,
            sign: position,
            core: Sequencer::default(),
            last_gateway: 0,
            gateways: BTreeMap::new(),
            open: BTreeMap::new(),
            followers: BTreeMap::new(),
            closing_reasons: ClosingReasons::default(),
            lists: ListCache::default(),
            outputs: VecDeque::new(),
        };
        replica.take_effects();
        replica
    }

    /// Marks a world that has just begun as one of several that may be that of the cluster: it is
    /// if the stream says so first of it. Until then no core leads it.
    #[must_use]
    pub fn unsettled(self) -> Self {
        Self { is_settled: false, ..self }
    }

    /// Applies the next message of the stream, which may be anything, with its time there.
    pub fn apply(&mut self, sequence: u64, utc: Timestamp, payload: &[u8]) {
        let now = self.clock.advance(utc);
        self.position = sequence;
        match StreamMessage::decode(payload) {
            Ok(message) => self.take(now, message),
            Err(reason) => self.ignore(reason),
        }
        self.world.handle_timeout(now);
        self.take_effects();
        self.give_up_silent(now);
    }

    fn take(&mut self, now: Moment, message: StreamMessage) {
        match message {
            StreamMessage::Join { nonce, name } => self.join(now, nonce, &name),
            StreamMessage::Gateway { gateway, number, expects, events, leaves } => {
                self.take_gateway_batch(now, gateway, number, GatewayBatch { expects, events, leaves });
            }
            StreamMessage::Begin { world, is_stored: true } if !self.is_settled => {
                self.is_settled = world == self.id;
                if !self.is_settled {
                    self.outputs.push_back(Output::OtherWorld(world));
                }
            }
            // Another world is too late, or is not stored yet.
            StreamMessage::Begin { .. } => {}
            // A core that had not read the last sign of the leader could not know that it is over.
            StreamMessage::Lead { core, version, epoch, after }
                if self.is_settled && epoch == self.epoch.next() && after >= self.sign =>
            {
                self.leader_version = Some(bounded(&version));
                self.lead(&core, epoch);
            }
            StreamMessage::Follow { core, version, position, number } => {
                self.follow(now, &core, &version, position);
                self.outputs.push_back(Output::Followed { core, number });
            }
            StreamMessage::Core { epoch, number, inputs } if epoch == self.epoch => {
                self.take_core_batch(now, number, inputs);
            }
            StreamMessage::Lead { .. } | StreamMessage::Core { .. } => self.ignore(Ignored::OtherEpoch),
        }
    }

    fn join(&mut self, now: Moment, nonce: Nonce, name: &str) {
        let known = self.gateways.iter().find(|(_, gateway)| gateway.nonce == nonce).map(|(id, _)| *id);
        if known.is_none() && self.gateways.len() >= GATEWAYS {
            return self.ignore(Ignored::UnknownGateway);
        }
        let gateway = known.unwrap_or_else(|| {
            self.last_gateway += 1;
            let id = GatewayId(self.last_gateway);
            let gateway = Gateway {
                name: bounded(name),
                nonce,
                batches: Sequencer::default(),
                heard: now.elapsed,
                line: Line::default(),
                connections: BTreeSet::new(),
            };
            self.gateways.insert(id, gateway);
            id
        });
        self.outputs.push_back(Output::Joined { nonce, gateway });
    }

    fn take_gateway_batch(&mut self, now: Moment, id: GatewayId, number: u64, batch: GatewayBatch) {
        let Some(gateway) = self.gateways.get_mut(&id) else { return self.ignore(Ignored::UnknownGateway) };
        gateway.heard = now.elapsed;
        if !gateway.batches.take(number, batch) {
            return self.ignore(Ignored::Repeated);
        }
        while let Some(gateway) = self.gateways.get_mut(&id)
            && let Some(GatewayBatch { expects, events, leaves }) = gateway.batches.next()
        {
            gateway.line.received_before(expects);
            for event in events {
                self.gateway_event(now, id, event);
            }
            if leaves {
                self.end_gateway(now, id, false);
            }
        }
    }

    /// Passes an event of a gateway to the world, if it is one that this gateway may send.
    fn gateway_event(&mut self, now: Moment, id: GatewayId, event: Event) {
        let Some(gateway) = self.gateways.get_mut(&id) else { return };
        let (conn, is_allowed) = match &event {
            Event::Connected { conn, .. } => {
                (*conn, GatewayId::of(*conn) == id && gateway.connections.insert(*conn))
            }
            Event::Disconnected { conn } => {
                // A connection that the lobby has closed ends at the gateway, too.
                if !gateway.connections.remove(conn) && GatewayId::of(*conn) == id {
                    return;
                }
                (*conn, GatewayId::of(*conn) == id)
            }
            Event::Received { conn, .. } | Event::Heard { conn } => {
                if !gateway.connections.contains(conn) && GatewayId::of(*conn) == id {
                    return;
                }
                (*conn, GatewayId::of(*conn) == id)
            }
            _ => (ConnId(0), false),
        };
        if !is_allowed {
            return self.ignore(Ignored::NotItsOwn);
        }
        let is_message = matches!(event, Event::Received { .. });
        self.world.handle(now, event);
        self.take_effects();
        if is_message {
            self.send_connection(conn, &GatewayEffect::<()>::Handled { conn });
        }
    }

    fn lead(&mut self, core: &CoreName, epoch: Epoch) {
        let core = CoreName(bounded(&core.0));
        self.epoch = epoch;
        self.sign = self.position;
        self.core = Sequencer::default();
        self.followers.remove(&core);
        self.leader = Some(core.clone());
        self.outputs.push_back(Output::Leads { core, epoch });
    }

    fn follow(&mut self, now: Moment, core: &CoreName, version: &str, position: u64) {
        let core = CoreName(bounded(&core.0));
        if self.leader.as_ref() != Some(&core) && self.followers.len() < GATEWAYS {
            let follower = Follower { version: bounded(version), position, heard: now.elapsed };
            self.followers.insert(core, follower);
        }
    }

    fn take_core_batch(&mut self, now: Moment, number: u64, inputs: Vec<CoreInput>) {
        if !self.core.take(number, inputs) {
            return self.ignore(Ignored::Repeated);
        }
        while let Some(inputs) = self.core.next() {
            let number = self.core.expected() - 1;
            // After it has given the leadership up, what was on its way still counts, but not as a
            // sign of life.
            if self.leader.is_some() {
                self.sign = self.position;
                self.outputs.push_back(Output::HeardLeader { number });
            }
            for input in inputs {
                self.core_input(now, input);
            }
        }
    }

    fn core_input(&mut self, now: Moment, input: CoreInput) {
        match input {
            CoreInput::Event(Event::Replied { reply }) => {
                // A request is asked again by each new leader: only the first reply counts.
                if self.open.remove(&reply.id()).is_none() {
                    return self.ignore(Ignored::Repeated);
                }
                self.world.handle(now, Event::Replied { reply });
            }
            CoreInput::Event(
                Event::Connected { .. }
                | Event::Received { .. }
                | Event::Heard { .. }
                | Event::Disconnected { .. },
            ) => return self.ignore(Ignored::NotItsOwn),
            CoreInput::Event(event) => self.world.handle(now, event),
            CoreInput::State { position, parts } => {
                self.outputs.push_back(Output::State { position, parts });
            }
            CoreInput::HandOver { to } => {
                self.leader = None;
                self.outputs.push_back(Output::HandedOver { to });
            }
        }
        self.take_effects();
    }

    /// Ends gateways of which nothing was heard, and forgets such followers.
    fn give_up_silent(&mut self, now: Moment) {
        let is_silent = |gateway: &Gateway| now.elapsed.saturating_sub(gateway.heard) >= GATEWAY_TIMEOUT;
        let silent: Vec<GatewayId> =
            self.gateways.iter().filter(|(_, gateway)| is_silent(gateway)).map(|(id, _)| *id).collect();
        for id in silent {
            self.end_gateway(now, id, true);
        }
        self.followers.retain(|_, follower| now.elapsed.saturating_sub(follower.heard) < FOLLOWER_TIMEOUT);
    }

    /// Ends all connections of a gateway.
    fn end_gateway(&mut self, now: Moment, id: GatewayId, was_silent: bool) {
        let Some(gateway) = self.gateways.remove(&id) else { return };
        for conn in gateway.connections {
            self.world.handle(now, Event::Disconnected { conn });
            self.take_effects();
        }
        self.outputs.push_back(Output::Left { gateway: id, was_silent });
    }

    fn ignore(&mut self, reason: Ignored) {
        self.outputs.push_back(Output::Ignored(reason));
    }

    /// Sorts the effects of the world: into the lines of gateways, and for the host.
    fn take_effects(&mut self) {
        while let Some(effect) = self.world.poll_effect() {
            match effect {
                Effect::Send { to: Audience::One(conn), message } => {
                    self.send_connection(
                        conn,
                        &GatewayEffect::Send { to: Receivers::One(conn), message: &message },
                    );
                }
                Effect::Send { to: Audience::Several(conns), message } => {
                    for conns in conns.chunk_by(|one, other| GatewayId::of(*one) == GatewayId::of(*other)) {
                        let to = Receivers::Several(conns.to_vec());
                        self.send_gateway(
                            GatewayId::of(conns[0]),
                            &GatewayEffect::Send { to, message: &message },
                        );
                    }
                }
                Effect::Send { to: Audience::LoggedIn, message } => {
                    self.send_all(&GatewayEffect::Send { to: Receivers::LoggedIn, message: &message });
                }
                Effect::Send { to: Audience::LoggedInExcept(conns), message } => {
                    let to = Receivers::LoggedInExcept(conns);
                    self.send_all(&GatewayEffect::Send { to, message: &message });
                }
                Effect::SendSnapshot { conn, id, message } => {
                    self.send_list(conn, id, &message);
                }
                Effect::Relay { from, to, message } => {
                    self.send_connection(to, &GatewayEffect::Relay { from, to, message: &message });
                }
                Effect::Hold { conn, reason } => {
                    self.send_connection(conn, &GatewayEffect::<()>::Hold { conn, reason });
                }
                Effect::Release { conn, reason } => {
                    self.send_connection(conn, &GatewayEffect::<()>::Release { conn, reason });
                }
                Effect::Done { conn } => self.send_connection(conn, &GatewayEffect::<()>::Done { conn }),
                Effect::LoggedIn { conn } => {
                    self.send_connection(conn, &GatewayEffect::<()>::LoggedIn { conn });
                }
                Effect::Close { conn } => {
                    let closing = self.closing_reasons.of(conn, self.world.has_stopped());
                    self.send_connection(conn, &GatewayEffect::<()>::Close { conn, closing });
                    if let Some(gateway) = self.gateways.get_mut(&GatewayId::of(conn)) {
                        gateway.connections.remove(&conn);
                    }
                }
                Effect::Request { conn, request } => {
                    let id = request.id();
                    self.open.insert(id, OpenRequest { conn, request });
                    self.outputs.push_back(Output::Request(id));
                }
                Effect::Log(line) => {
                    self.closing_reasons.note(&line);
                    if let LogLine::LoginFailed { conn, .. } = &line {
                        self.send_connection(*conn, &GatewayEffect::<()>::LoginFailed { conn: *conn });
                    }
                    self.outputs.push_back(Output::Effect(Box::new(Effect::Log(line))));
                }
                other => self.outputs.push_back(Output::Effect(Box::new(other))),
            }
        }
    }

    /// Sends a part of the lists for logins, whose content only the first login at a gateway needs.
    fn send_list(&mut self, conn: ConnId, id: Option<SnapshotId>, message: &ServerMessage) {
        let Some(id) = id else {
            let message = Some(message);
            return self.send_connection(conn, &GatewayEffect::SendList { conn, hash: None, message });
        };
        let Some(gateway) = self.gateways.get_mut(&GatewayId::of(conn)) else { return };
        // Otherwise the gateway would not get the content, and yet count as knowing it.
        if !gateway.connections.contains(&conn) {
            return;
        }
        let (hash, text) = self.lists.text(id, message);
        let is_known = gateway.line.lists.contains(&hash);
        if !is_known {
            gateway.line.lists.add(&hash);
        }
        let message = (!is_known).then_some(text);
        self.send_connection(conn, &GatewayEffect::SendList { conn, hash: Some(hash), message });
    }

    /// Adds an effect to the line of a connection's gateway, unless the connection has ended.
    fn send_connection<M: Serialize>(&mut self, conn: ConnId, effect: &GatewayEffect<M>) {
        let id = GatewayId::of(conn);
        if self.gateways.get(&id).is_some_and(|gateway| gateway.connections.contains(&conn)) {
            self.send_gateway(id, effect);
        }
    }

    fn send_gateway<M: Serialize>(&mut self, id: GatewayId, effect: &GatewayEffect<M>) {
        let Some(gateway) = self.gateways.get_mut(&id) else { return };
        for piece in pieces(effect) {
            let number = gateway.line.push(piece.clone());
            self.outputs.push_back(Output::Own { gateway: id, number, piece: RawPiece(piece) });
        }
    }

    fn send_all<M: Serialize>(&mut self, effect: &GatewayEffect<M>) {
        if self.gateways.is_empty() {
            return;
        }
        for piece in pieces(effect) {
            let numbers = self
                .gateways
                .iter_mut()
                .map(|(id, gateway)| (*id, gateway.line.push(piece.clone())))
                .collect();
            self.outputs.push_back(Output::Shared { numbers, piece: RawPiece(piece) });
        }
    }

    /// Returns the next output of the last message, if there is one.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The world's number.
    #[must_use]
    pub fn id(&self) -> WorldId {
        self.id
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Sequence number of the last message that was applied.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The time of the world.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// The current epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The core that leads; `None` before the first and after one has given the leadership up.
    #[must_use]
    pub fn leader(&self) -> Option<&CoreName> {
        self.leader.as_ref()
    }

    /// Version of the program of the last leader; `None` before the first.
    #[must_use]
    pub fn leader_version(&self) -> Option<&str> {
        self.leader_version.as_deref()
    }

    /// Returns whether this world is known to be that of the cluster.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Returns the cores that follow, by name.
    #[must_use]
    pub fn followers(&self) -> &BTreeMap<CoreName, Follower> {
        &self.followers
    }

    /// Returns the gateways.
    pub fn gateways(&self) -> impl Iterator<Item = (GatewayId, GatewayState)> {
        let now = self.clock.now().elapsed;
        self.gateways.iter().map(move |(id, gateway)| {
            let state = GatewayState {
                name: gateway.name.clone(),
                connections: gateway.connections.len(),
                silent: now.saturating_sub(gateway.heard),
                next_effect: gateway.line.next(),
                kept: gateway.line.kept(),
            };
            (*id, state)
        })
    }

    /// Returns the numbers of the next effects of all gateways.
    pub(crate) fn standing(&self) -> BTreeMap<GatewayId, u64> {
        self.gateways.iter().map(|(id, gateway)| (*id, gateway.line.next())).collect()
    }

    /// The gateway that has joined last.
    pub(crate) fn newest_gateway(&self) -> GatewayId {
        GatewayId(self.last_gateway)
    }

    /// Returns effects of a gateway's line again. Fails with the number of the first one that is
    /// kept, or with `None` if the gateway is not known.
    pub(crate) fn repeat(&self, gateway: GatewayId, from: u64, to: u64) -> Result<Vec<Piece>, Option<u64>> {
        let gateway = self.gateways.get(&gateway).ok_or(None)?;
        Ok(gateway.line.range(from, to).map_err(Some)?.cloned().collect())
    }

    /// Returns the requests whose reply is not in the stream, in the order in which they were made.
    #[must_use]
    pub fn open_requests(&self) -> &BTreeMap<RequestId, OpenRequest> {
        &self.open
    }

    /// Returns hashes of the state, part by part, which are equal in equal replicas.
    #[must_use]
    pub fn state_parts(&self) -> Parts {
        #[derive(Serialize)]
        struct Cluster<'a> {
            clock: Moment,
            epoch: Epoch,
            batches: u64,
            last_gateway: u32,
            gateways: Vec<(GatewayId, u64, u64, &'a BTreeSet<ConnId>)>,
            requests: Vec<RequestId>,
        }
        let gateways = self.gateways.iter().map(|(id, gateway)| {
            (*id, gateway.batches.expected(), gateway.line.next(), &gateway.connections)
        });
        let cluster = Cluster {
            clock: self.clock.now(),
            epoch: self.epoch,
            batches: self.core.expected(),
            last_gateway: self.last_gateway,
            gateways: gateways.collect(),
            requests: self.open.keys().copied().collect(),
        };
        let mut parts = hash_parts(&self.world);
        parts.extend(hash_parts(&cluster).into_iter().map(|(name, hash)| (format!("cluster.{name}"), hash)));
        parts
    }
}

/// Returns the beginning of a name that somebody else chose.
fn bounded(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES)].to_owned()
}
