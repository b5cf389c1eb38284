//! One evening of a cluster: the schedule of events, and what processes do with them.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_cluster::{
    Core, CoreName, CoreOutput, CoreRole, CoreSettings, EndReason, Epoch, Link, LinkOutput, Nonce, Packet,
    PacketContent, Replica, Snapshot, WorldId,
};
use faf_lobby_core::matchmaking::MatchmakingSettings;
use faf_lobby_core::{ConnId, GameWrite, Reply, Request, Settings, World};

use super::faults::Odds;
use super::laws::{ClusterLaw, Violation, ensure};
use super::processes::{CoreProcess, Faults, GatewayProcess, LocalClock, Pending};
use super::reference::{MARK, Reference};
use super::stream::Stream;
use crate::lobby::BEGINNING;
use crate::simulation::coverage::Coverage;
use crate::simulation::environment::queues;
use crate::simulation::player::{Player, players_with, quick_settings};
use crate::simulation::random::Random;
use crate::simulation::trace::Trace;
use crate::store::FakeStore;

/// Time after which a process appends again what was not acknowledged: 700 ms.
const RETRY: Duration = Duration::from_millis(700);

/// Time in which a cluster in which nothing fails any more must be as it should be: the end of a
/// lease, the start of a process, and the rest of what was on its way.
const RECOVERY: Duration = Duration::from_secs(12);

/// Parameters of an evening of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct ClusterPlan {
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of players.
    pub players: usize,
    /// Time for which they play while things fail.
    pub length: Duration,
    /// Whether to keep the whole trace.
    pub is_traced: bool,
    /// An error that breaks a law, for the test of that law.
    pub sabotage: Option<Sabotage>,
}

impl ClusterPlan {
    /// Returns the usual parameters of an evening: 8 players for 60 seconds.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, players: 8, length: Duration::from_secs(60), is_traced: false, sabotage: None }
    }
}

/// An error that a correct cluster does not have, and that the laws must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// A gateway performs an effect twice.
    EffectTwice,
    /// A gateway leaves an effect out.
    EffectLost,
    /// A core does not read a message of the stream.
    MessageSkipped,
    /// The clock of leaders that are cut off stands still, so that they lead on.
    ClockStops,
    /// Packets of former leaders look as if they were of the newest epoch.
    EpochIgnored,
    /// The leader changes effects that it sends.
    EffectChanged,
    /// Replies of the store are lost.
    RepliesLost,
    /// Acknowledged batches of gateways are not in the stream.
    BatchesLost,
}

/// Result of an evening in which all laws held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSummary {
    /// Counts of the events.
    pub coverage: Coverage,
    /// Digest of everything that was stored in the stream and performed at gateways.
    pub digest: u64,
    /// The whole trace if requested, otherwise its last lines.
    pub lines: Vec<String>,
}

/// Result of an evening in which a law was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFailure {
    /// Seed of the evening.
    pub seed: u64,
    /// Command that repeats the evening.
    pub command: String,
    /// The broken law.
    pub violation: Violation,
    /// Last lines of the trace.
    pub lines: Vec<String>,
}

impl fmt::Display for ClusterFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Seed {} breaks a law of the cluster.\n", self.seed)?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "\n{}\n\nTo repeat it:\n{}", self.violation, self.command)
    }
}

impl std::error::Error for ClusterFailure {}

/// A process that appends to the stream, with the number of its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Core(usize, u64),
    Gateway(usize, u64),
}

/// A scheduled event.
#[derive(Debug)]
pub(super) enum Scheduled {
    /// A player connects or continues, unless the plan was replaced.
    Act { player: usize, plan: u64 },
    /// A player may do something that bots do not do.
    Misbehave { player: usize },
    /// A message comes to the stream. `key` is what the sender waits for.
    Append { sender: Sender, key: Option<u64>, id: String, payload: Arc<[u8]> },
    /// The stream's acknowledgement comes to the sender.
    Acknowledge { sender: Sender, key: u64 },
    /// The sender appends again what is not acknowledged.
    AppendAgain { sender: Sender },
    /// A core can read the stream up to this message.
    Read { core: usize, generation: u64, until: u64 },
    /// The timer of a core.
    CoreTimer { core: usize, generation: u64, at: Duration },
    /// The timer of a gateway.
    GatewayTimer { gateway: usize, generation: u64, at: Duration },
    /// A packet of a core comes to a gateway.
    Packet { gateway: usize, generation: u64, packet: Arc<[u8]>, epoch: Epoch },
    /// A question of a gateway comes to a core.
    Question { core: usize, generation: u64, question: Arc<[u8]> },
    /// The store carries out a request of a core.
    Perform { core: usize, generation: u64, epoch: Epoch, request: Box<Request> },
    /// A core gets a reply.
    Replied { core: usize, generation: u64, reply: Box<Reply> },
    /// The time without the stream of a core is over.
    Reconnected { core: usize, generation: u64 },
    /// A process starts.
    StartCore { core: usize },
    /// A process starts.
    StartGateway { gateway: usize },
    /// Something may fail.
    Tick,
}

/// A running evening of a cluster.
#[derive(Debug)]
pub struct ClusterEvening {
    pub(super) plan: ClusterPlan,
    pub(super) random: Random,
    pub(super) odds: Odds,
    pub(super) now: Duration,
    pub(super) stream: Stream,
    pub(super) cores: Vec<CoreProcess>,
    pub(super) gateways: Vec<GatewayProcess>,
    pub(super) players: Vec<Player>,
    /// The gateway of each player's connection.
    pub(super) places: Vec<usize>,
    /// Connections that were left open when a player connected again.
    pub(super) old_wires: Vec<Option<(usize, ConnId)>>,
    /// Players with whom something has happened that they have not reacted to.
    pub(super) touched: BTreeSet<usize>,
    /// Players who were sent a `pong`.
    pub(super) ponged: BTreeSet<usize>,
    /// Players who have logged in.
    pub(super) welcomed: BTreeSet<usize>,
    pub(super) coverage: Coverage,
    pub(super) trace: Trace,
    pub(super) store: FakeStore,
    pub(super) snapshots: Vec<Vec<u8>>,
    /// Whether nothing fails any more.
    pub(super) is_calm: bool,
    /// Whether players stop connecting.
    pub(super) is_late: bool,
    /// The newest epoch of which its leader knows.
    pub(super) newest: Epoch,
    reference: Reference,
    settings: Settings,
    beginning: FakeStore,
    agenda: BTreeMap<(Duration, u64), Scheduled>,
    next_number: u64,
    leaders: BTreeMap<Epoch, String>,
    carried_out: BTreeSet<faf_lobby_core::RequestId>,
    digest: u64,
}

impl ClusterEvening {
    /// Prepares an evening.
    ///
    /// # Errors
    /// [`Violation`] if a lobby does not even begin.
    fn new(plan: ClusterPlan) -> Result<Self, Violation> {
        let mut random = Random::new(plan.seed);
        let seconds = |random: &mut Random, choices: &[u64]| {
            Duration::from_secs(random.pick(choices).copied().unwrap_or_default())
        };
        let settings = Settings {
            reconnect_grace_period: seconds(&mut random, &[0, 5, 20]),
            game_end_timeout: seconds(&mut random, &[5, 20]),
            restart_grace_period: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(135)),
            login_timeout: Duration::from_secs(60),
            login_rate: random.pick(&[3, 2500]).copied().unwrap_or(2500),
            matchmaking: MatchmakingSettings {
                minimum_game_quality: -10.0,
                queue_pop_time_max: 8.0,
                queue_pop_time_min: 2.0,
                ..MatchmakingSettings::default()
            },
            ..Settings::default()
        };
        let logins: Vec<String> = (1..=plan.players).map(|number| format!("p{number}")).collect();
        let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        store.data.queues = queues();
        store.repeats_writes = true;
        let odds = Odds::new(&mut random, plan.length);
        let players = players_with(plan.players, quick_settings(), &mut random);
        let world = World::new(
            settings.clone(),
            faf_lobby_core::Moment { elapsed: Duration::ZERO, utc: BEGINNING },
            store.beginning(),
        );
        let replica = Replica::begin(WorldId(plan.seed), settings.clone(), store.beginning(), BEGINNING, 0);
        let mut evening = Self {
            plan,
            odds,
            now: Duration::ZERO,
            stream: Stream::default(),
            cores: Vec::new(),
            gateways: Vec::new(),
            places: vec![0; players.len()],
            old_wires: vec![None; players.len()],
            players,
            touched: BTreeSet::new(),
            ponged: BTreeSet::new(),
            welcomed: BTreeSet::new(),
            coverage: Coverage::default(),
            trace: Trace::new(false, plan.is_traced),
            beginning: store.clone(),
            store,
            snapshots: Vec::new(),
            is_calm: false,
            is_late: false,
            newest: Epoch::default(),
            reference: Reference::new(replica, world, BEGINNING)?,
            settings,
            agenda: BTreeMap::new(),
            next_number: 0,
            leaders: BTreeMap::new(),
            carried_out: BTreeSet::new(),
            digest: 0,
            random,
        };
        let cores = evening.random.within(2..4) as usize;
        for core in 0..cores {
            let process = evening.new_core(core, None)?;
            evening.cores.push(process);
            evening.set_core_timer(core);
        }
        for gateway in 0..evening.random.within(1..4) as usize {
            let process = evening.new_gateway(gateway);
            evening.gateways.push(process);
            evening.set_gateway_timer(gateway);
        }
        Ok(evening)
    }

    /// Plays the evening of a plan.
    ///
    /// # Errors
    /// [`ClusterFailure`] if a law is broken.
    pub fn play(plan: ClusterPlan) -> Result<ClusterSummary, ClusterFailure> {
        let ClusterPlan { seed, players, length, .. } = plan;
        let seconds = length.as_secs();
        let failure = |violation, lines| ClusterFailure {
            seed,
            command: format!(
                "cargo run -p faf-testkit --release -- simulate-cluster --seed {seed} --players {players} --seconds {seconds} --trace"
            ),
            violation,
            lines,
        };
        let mut evening = Self::new(plan).map_err(|violation| failure(violation, Vec::new()))?;
        // A panic also breaks a law; afterwards the evening is only used for the report.
        let outcome = catch_unwind(AssertUnwindSafe(|| evening.run()));
        let outcome = outcome.unwrap_or_else(|panic| {
            Err(Violation { law: ClusterLaw::NeverPanics, detail: panic_text(&*panic) })
        });
        let lines = evening.trace.lines();
        match outcome {
            Ok(()) => {
                let digest = evening.digest;
                Ok(ClusterSummary { coverage: evening.coverage, digest, lines })
            }
            Err(violation) => Err(failure(violation, lines)),
        }
    }

    fn run(&mut self) -> Result<(), Violation> {
        for player in 0..self.players.len() {
            let delay = self.random.millis(500..8000);
            self.plan_act(player, delay);
            self.put(self.now + delay, Scheduled::Misbehave { player });
        }
        self.put(Duration::from_secs(1), Scheduled::Tick);
        self.run_until(self.plan.length + self.odds.longer)?;
        self.note("from here on nothing fails");
        self.heal()?;
        self.run_until(self.now + RECOVERY)?;
        self.check_served()?;
        self.note("everyone leaves");
        self.is_late = true;
        for gateway in 0..self.gateways.len() {
            let conns: Vec<ConnId> = self.gateways[gateway].wires.keys().copied().collect();
            for conn in conns {
                self.drop_connection(gateway, conn)?;
            }
        }
        let grace = self.settings.reconnect_grace_period + self.settings.game_end_timeout;
        self.run_until(self.now + grace + Duration::from_secs(10))?;
        for _ in 0..40 {
            // A gateway that has ended without a word is given up after some time.
            let gateways = self.reference.replica.gateways().count();
            let is_settled = self.reference.is_settled() && self.reference.checker.seen().is_empty();
            if is_settled && gateways == self.gateways.len() {
                break;
            }
            self.run_until(self.now + Duration::from_secs(3))?;
        }
        self.check_rest()
    }

    /// Checks that one core leads and everybody is served.
    fn check_served(&mut self) -> Result<(), Violation> {
        let law = ClusterLaw::EverybodyIsServed;
        let roles: Vec<CoreRole> = self.cores.iter().map(|process| process.core.role()).collect();
        let leaders = roles.iter().filter(|role| **role == CoreRole::Leading).count();
        let followers = roles.iter().filter(|role| **role == CoreRole::Following).count();
        ensure(leaders == 1 && followers + 1 == roles.len(), law, || format!("{roles:?}"))?;
        ensure(self.cores.iter().all(|process| process.core.is_ready()), law, || {
            let ready: Vec<bool> = self.cores.iter().map(|process| process.core.is_ready()).collect();
            format!("ready: {ready:?}")
        })?;
        for (at, process) in self.gateways.iter().enumerate() {
            ensure(process.id().is_some(), law, || format!("gateway process {at} is not a member"))?;
        }
        self.ponged.clear();
        let logged_in = |player: &usize| self.players[*player].bot.is_logged_in();
        self.welcomed = (0..self.players.len()).filter(logged_in).collect();
        // A player who has just left, as players do, is asked again.
        for round in 0..20 {
            if round > 2 && self.ponged.len() + self.welcomed.len() == 2 * self.players.len() {
                break;
            }
            for player in 0..self.players.len() {
                if self.players[player].conn.is_none() {
                    self.come(player)?;
                }
                if !self.ponged.contains(&player) {
                    self.ping(player)?;
                }
            }
            self.run_until(self.now + Duration::from_secs(2))?;
        }
        for (player, known) in self.players.iter().enumerate() {
            let (answered, logged_in) = (self.ponged.contains(&player), self.welcomed.contains(&player));
            ensure(answered && logged_in, law, || {
                format!("player {}: answered {answered}, logged in {logged_in}", known.id)
            })?;
        }
        self.check_stored()
    }

    /// Checks that the lobby and the store agree, if no write failed.
    fn check_stored(&mut self) -> Result<(), Violation> {
        for _ in 0..40 {
            if self.reference.replica.open_requests().is_empty() {
                break;
            }
            self.run_until(self.now + Duration::from_millis(100))?;
        }
        if self.odds.store_away > 0 || !self.reference.replica.open_requests().is_empty() {
            return Ok(());
        }
        self.reference.checker.check_knowledge(&self.store)?;
        self.coverage.count("stores compared");
        Ok(())
    }

    /// Checks that nothing is left when everyone has left.
    fn check_rest(&mut self) -> Result<(), Violation> {
        let law = ClusterLaw::NothingIsKept;
        let is_settled = self.reference.is_settled();
        self.reference.checker.ended(is_settled, &self.store)?;
        self.reference.compare_worlds()?;
        // Everything that was on its way has arrived.
        self.run_until(self.now + Duration::from_secs(3))?;
        for at in 0..self.cores.len() {
            let process = &self.cores[at];
            let replica = process.core.replica();
            self.reference.compare(&process.core.name().0, replica)?;
            ensure(replica.open_requests().is_empty(), law, || {
                format!("{} requests are open", replica.open_requests().len())
            })?;
            for (gateway, state) in replica.gateways() {
                ensure(state.kept.0 < 100, law, || format!("{:?} are kept for {gateway}", state.kept))?;
                ensure(state.connections == 0, law, || format!("{gateway} has connections"))?;
            }
            let (reports, batches) = process.core.waiting();
            ensure(reports < 4 && batches < 4, law, || format!("{reports} reports, {batches} batches"))?;
        }
        for process in &self.gateways {
            let Some(id) = process.id() else { continue };
            let (batches, effects) = process.link.waiting();
            ensure(batches < 4 && effects == 0, law, || {
                format!("{id}: {batches} batches, {effects} effects")
            })?;
            let (performed, expected) = (process.performed, self.reference.expected(id));
            ensure(performed + 20 > expected, ClusterLaw::ExactlyOnce, || {
                format!("{id} has performed {performed} of {expected} effects")
            })?;
        }
        for (what, times) in self.reference.checker.coverage.counts() {
            self.coverage.add(what, times);
        }
        self.coverage.add("messages of the stream", self.stream.last());
        self.coverage.add("gateways given up", self.reference.silent_gateways);
        self.coverage.add("repetitions ignored by replicas", self.reference.repeated);
        Ok(())
    }

    fn run_until(&mut self, until: Duration) -> Result<(), Violation> {
        while let Some((key, scheduled)) = self.agenda.pop_first() {
            if key.0 > until {
                self.agenda.insert(key, scheduled);
                break;
            }
            self.now = key.0;
            self.run_scheduled(scheduled)?;
        }
        self.now = until;
        Ok(())
    }

    fn run_scheduled(&mut self, scheduled: Scheduled) -> Result<(), Violation> {
        if self.is_void(&scheduled) {
            return Ok(());
        }
        // Everything waits for a process that stands still.
        if let Some(paused_until) = self.paused_until(&scheduled) {
            self.put(paused_until, scheduled);
            return Ok(());
        }
        match scheduled {
            Scheduled::Act { player, plan } if self.players[player].plan == plan => self.act(player),
            Scheduled::Act { .. } => Ok(()),
            Scheduled::Misbehave { player } => self.misbehave(player),
            Scheduled::Append { sender, key, id, payload } => self.store_message(sender, key, &id, &payload),
            Scheduled::Acknowledge { sender, key } => self.acknowledge(sender, key),
            Scheduled::AppendAgain { sender } => self.append_again(sender),
            Scheduled::Read { core, until, .. } => self.read(core, until),
            Scheduled::CoreTimer { core, at, .. } => {
                if self.cores[core].timer != Some(at) {
                    return Ok(());
                }
                self.cores[core].timer = None;
                self.run_core(core, |core, now| {
                    if core.next_timeout() <= now {
                        core.handle_timeout(now);
                    }
                })
            }
            Scheduled::GatewayTimer { gateway, at, .. } => {
                if self.gateways[gateway].timer != Some(at) {
                    return Ok(());
                }
                self.gateways[gateway].timer = None;
                self.run_gateway(gateway, |link, now| {
                    if link.next_timeout() <= now {
                        link.handle_timeout(now);
                    }
                })
            }
            Scheduled::Packet { gateway, packet, epoch, .. } => self.packet_arrives(gateway, &packet, epoch),
            Scheduled::Question { core, question, .. } => {
                self.run_core(core, |core, now| core.asked(now, &question))
            }
            Scheduled::Perform { core, generation, epoch, request } => {
                self.perform_request(core, generation, epoch, *request)
            }
            Scheduled::Replied { core, reply, .. } => self.run_core(core, |core, _| core.replied(*reply)),
            Scheduled::Reconnected { core, .. } => {
                self.announce(core);
                self.run_core(core, Core::reconnected)
            }
            Scheduled::StartCore { core } => self.start_core(core),
            Scheduled::StartGateway { gateway } if self.gateways[gateway].faults.is_running() => Ok(()),
            Scheduled::StartGateway { gateway } => {
                let process = self.new_gateway(gateway);
                self.gateways[gateway] = process;
                self.set_gateway_timer(gateway);
                Ok(())
            }
            Scheduled::Tick => self.tick(),
        }
    }

    /// Returns the process for which an event is.
    fn receiver(scheduled: &Scheduled) -> Option<Sender> {
        match scheduled {
            Scheduled::Acknowledge { sender, .. } | Scheduled::AppendAgain { sender } => Some(*sender),
            Scheduled::Read { core, generation, .. }
            | Scheduled::CoreTimer { core, generation, .. }
            | Scheduled::Question { core, generation, .. }
            | Scheduled::Perform { core, generation, .. }
            | Scheduled::Replied { core, generation, .. }
            | Scheduled::Reconnected { core, generation } => Some(Sender::Core(*core, *generation)),
            Scheduled::GatewayTimer { gateway, generation, .. }
            | Scheduled::Packet { gateway, generation, .. } => Some(Sender::Gateway(*gateway, *generation)),
            _ => None,
        }
    }

    /// Returns whether an event is for a process that has ended.
    fn is_void(&self, scheduled: &Scheduled) -> bool {
        Self::receiver(scheduled).is_some_and(|receiver| !self.is_current(receiver))
    }

    /// Returns the time until which the receiver of an event stands still.
    fn paused_until(&self, scheduled: &Scheduled) -> Option<Duration> {
        let faults = match scheduled {
            Scheduled::Act { player, .. } | Scheduled::Misbehave { player } => {
                self.players[*player].conn.map(|_| self.gateways[self.places[*player]].faults)
            }
            other => Self::receiver(other).map(|receiver| self.faults(receiver)),
        };
        faults.map(|faults| faults.paused_until).filter(|until| *until > self.now)
    }

    /// Returns whether a process runs and is the one that was meant.
    fn is_current(&self, sender: Sender) -> bool {
        match sender {
            Sender::Core(at, generation) => {
                self.cores[at].generation == generation && self.cores[at].faults.is_running()
            }
            Sender::Gateway(at, generation) => {
                self.gateways[at].generation == generation && self.gateways[at].faults.is_running()
            }
        }
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.trace.note(self.now, text);
    }

    /// Notes something that happens often.
    fn detail(&mut self, text: impl FnOnce() -> String) {
        if self.plan.is_traced {
            self.trace.note(self.now, text());
        }
    }

    pub(super) fn put(&mut self, at: Duration, scheduled: Scheduled) {
        self.next_number += 1;
        self.agenda.insert((at.max(self.now), self.next_number), scheduled);
    }

    /// Schedules a player's next action after this time; it replaces the previous plan.
    pub(super) fn plan_act(&mut self, player: usize, delay: Duration) {
        self.next_number += 1;
        let plan = self.next_number;
        self.players[player].plan = plan;
        self.put(self.now + delay, Scheduled::Act { player, plan });
    }

    fn add_to_digest(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    // The stream.

    /// Sends a message to the stream, which may be lost.
    fn transmit(&mut self, sender: Sender, key: Option<u64>, id: &str, payload: &Arc<[u8]>) {
        if !self.is_calm && self.random.per_mille(self.odds.append_lost) {
            self.coverage.count("appends lost");
            return;
        }
        let delay = self.delay();
        let (id, payload) = (id.to_owned(), Arc::clone(payload));
        self.put(self.now + delay, Scheduled::Append { sender, key, id, payload });
    }

    fn faults(&self, sender: Sender) -> Faults {
        match sender {
            Sender::Core(at, _) => self.cores[at].faults,
            Sender::Gateway(at, _) => self.gateways[at].faults,
        }
    }

    fn store_message(
        &mut self,
        sender: Sender,
        key: Option<u64>,
        id: &str,
        payload: &Arc<[u8]>,
    ) -> Result<(), Violation> {
        if self.now < self.stream.away_until || self.now < self.faults(sender).cut_until {
            return Ok(());
        }
        let is_lost = self.plan.sabotage == Some(Sabotage::BatchesLost)
            && matches!(sender, Sender::Gateway(..))
            && key.is_some()
            && self.random.per_mille(5);
        let recognises = self.is_calm || !self.random.per_mille(self.odds.repetition_stored);
        let stored = if is_lost { None } else { self.stream.store(self.now, id, payload, recognises) };
        match stored {
            Some(sequence) => {
                let utc = self.stream.entry(sequence).utc;
                self.detail(|| {
                    let text: String = String::from_utf8_lossy(payload).chars().take(200).collect();
                    format!("stream {sequence}: {id} {text}")
                });
                self.add_to_digest(payload);
                self.reference.apply(sequence, utc, payload)?;
                for core in 0..self.cores.len() {
                    self.announce(core);
                }
            }
            None => self.coverage.count("repetitions recognised by the stream"),
        }
        if let Some(key) = key {
            if !self.is_calm && self.random.per_mille(self.odds.acknowledgement_lost) {
                self.coverage.count("acknowledgements lost");
                return Ok(());
            }
            let delay = self.delay();
            self.put(self.now + delay, Scheduled::Acknowledge { sender, key });
        }
        Ok(())
    }

    fn acknowledge(&mut self, sender: Sender, key: u64) -> Result<(), Violation> {
        if !self.is_current(sender) || self.now < self.faults(sender).cut_until {
            return Ok(());
        }
        match sender {
            Sender::Core(at, _) => {
                self.cores[at].unacknowledged.retain(|pending| pending.key != key);
                Ok(())
            }
            Sender::Gateway(at, _) => self.run_gateway(at, |link, _| link.acknowledged(key)),
        }
    }

    fn append_again(&mut self, sender: Sender) -> Result<(), Violation> {
        if !self.is_current(sender) {
            return Ok(());
        }
        match sender {
            Sender::Core(at, _) => {
                let again: Vec<Pending> = self.cores[at].unacknowledged.iter().cloned().collect();
                for Pending { key, id, payload } in &again {
                    self.coverage.count("appends repeated");
                    self.transmit(sender, Some(*key), id, payload);
                }
                if !again.is_empty() {
                    self.put(self.now + RETRY, Scheduled::AppendAgain { sender });
                }
                Ok(())
            }
            Sender::Gateway(at, _) => {
                self.coverage.add("appends repeated", self.gateways[at].link.waiting().0 as u64);
                self.run_gateway(at, |link, _| link.append_again())?;
                self.put(self.now + RETRY, Scheduled::AppendAgain { sender });
                Ok(())
            }
        }
    }

    /// Lets a core read the stream as far as it goes, if it reaches it.
    fn announce(&mut self, core: usize) {
        let process = &self.cores[core];
        let last = self.stream.last();
        if !process.faults.is_running() || process.announced >= last {
            return;
        }
        let reachable = process.faults.cut_until.max(self.stream.away_until);
        if self.now < reachable {
            return;
        }
        let generation = process.generation;
        let is_slow = self.now < process.faults.slow_until;
        self.cores[core].announced = last;
        let mut delay = self.delay();
        if is_slow {
            delay += self.random.millis(100..1500);
        }
        self.put(self.now + delay, Scheduled::Read { core, generation, until: last });
    }

    fn read(&mut self, core: usize, until: u64) -> Result<(), Violation> {
        while self.cores[core].faults.is_running() && self.cores[core].read < until {
            let sequence = self.cores[core].read + 1;
            self.cores[core].read = sequence;
            if self.plan.sabotage == Some(Sabotage::MessageSkipped) && self.random.per_mille(1) {
                continue;
            }
            let entry = self.stream.entry(sequence);
            // A process does several things before it looks at what follows from them.
            self.run_core(core, |core, now| core.delivered(now, sequence, entry.utc, &entry.payload))?;
            if sequence.is_multiple_of(MARK) && self.cores[core].faults.is_running() {
                let process = &self.cores[core];
                if process.core.replica().position() == sequence {
                    self.reference.compare(&process.core.name().0, process.core.replica())?;
                    self.coverage.count("states compared");
                }
            }
        }
        Ok(())
    }

    // Cores.

    fn new_core(&mut self, core: usize, snapshot: Option<&[u8]>) -> Result<CoreProcess, Violation> {
        let replica = match snapshot {
            Some(bytes) => {
                Snapshot::decode(bytes)
                    .map_err(|error| Violation { law: ClusterLaw::SameState, detail: error.to_string() })?
                    .replica
            }
            None => Replica::begin(
                WorldId(self.plan.seed),
                self.settings.clone(),
                self.beginning.beginning(),
                BEGINNING,
                0,
            ),
        };
        self.next_number += 1;
        let generation = self.next_number;
        let clock = LocalClock::new(&mut self.random);
        let name = CoreName(format!("core-{core}-{generation}"));
        let read = replica.position();
        let settings = CoreSettings { compare_every: 61, ..CoreSettings::default() };
        Ok(CoreProcess {
            core: Core::new(name, "0.1.0", settings, replica, clock.shows(self.now)),
            generation,
            clock,
            faults: Faults::default(),
            read,
            announced: read,
            unacknowledged: VecDeque::new(),
            timer: None,
            is_replaced: false,
        })
    }

    fn start_core(&mut self, core: usize) -> Result<(), Violation> {
        if self.cores[core].faults.is_running() {
            return Ok(());
        }
        let snapshot = self.snapshots.last().filter(|_| self.random.per_mille(800)).cloned();
        let how = if snapshot.is_some() { "a snapshot" } else { "the beginning" };
        self.note(format!("core {core} starts from {how}"));
        self.coverage.count(match snapshot {
            Some(_) => "cores started from a snapshot",
            None => "cores started from the beginning",
        });
        let process = self.new_core(core, snapshot.as_deref())?;
        self.cores[core] = process;
        self.set_core_timer(core);
        self.announce(core);
        Ok(())
    }

    /// Lets a core do something, and does what follows from it.
    pub(super) fn run_core(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut Core, Duration),
    ) -> Result<(), Violation> {
        let process = &mut self.cores[at];
        if !process.faults.is_running() {
            return Ok(());
        }
        let now = process.clock.shows(self.now);
        let before = process.core.role();
        act(&mut process.core, now);
        process.core.flush(now);
        let after = process.core.role();
        if before == CoreRole::Leading && after == CoreRole::Suspended {
            self.coverage.count("leaders suspended");
            self.note(format!("core {at} does not know whether it leads"));
        }
        while let Some(output) = self.cores[at].core.poll() {
            if !self.cores[at].faults.is_running() {
                break;
            }
            self.core_output(at, output)?;
        }
        self.set_core_timer(at);
        Ok(())
    }

    fn core_output(&mut self, at: usize, output: CoreOutput) -> Result<(), Violation> {
        let generation = self.cores[at].generation;
        match output {
            CoreOutput::Append { must_be_stored: false, id, payload } => {
                self.transmit(Sender::Core(at, generation), None, &id, &payload.into());
                Ok(())
            }
            CoreOutput::Append { must_be_stored: true, id, payload } => {
                self.next_number += 1;
                let (key, payload) = (self.next_number, Arc::<[u8]>::from(payload));
                let sender = Sender::Core(at, generation);
                self.transmit(sender, Some(key), &id, &payload);
                let queue = &mut self.cores[at].unacknowledged;
                if queue.is_empty() {
                    self.put(self.now + RETRY, Scheduled::AppendAgain { sender });
                }
                self.cores[at].unacknowledged.push_back(Pending { key, id, payload });
                let waiting = self.cores[at].unacknowledged.len();
                ensure(waiting < 1000, ClusterLaw::NothingIsKept, || {
                    format!("core {at} waits for {waiting} acknowledgements")
                })
            }
            CoreOutput::ToGateway(gateway, packet) => {
                let to = (0..self.gateways.len()).filter(|to| self.gateways[*to].id() == Some(gateway));
                let to: Vec<usize> = to.collect();
                self.send_packet(at, packet, &to)
            }
            CoreOutput::ToAll(packet) => {
                let to: Vec<usize> = (0..self.gateways.len()).collect();
                self.send_packet(at, packet, &to)
            }
            CoreOutput::Perform { request, .. } => {
                let epoch = self.cores[at].core.replica().epoch();
                let delay = self.store_delay();
                let request = Box::new(request);
                self.put(self.now + delay, Scheduled::Perform { core: at, generation, epoch, request });
                Ok(())
            }
            CoreOutput::Effect(_) | CoreOutput::GatewayLeft { .. } => Ok(()),
            CoreOutput::Leads(epoch) => {
                let name = self.cores[at].core.name().0.clone();
                self.note(format!("{name} leads, {epoch:?}"));
                self.coverage.count("epochs");
                self.newest = self.newest.max(epoch);
                let known = self.leaders.insert(epoch, name.clone());
                ensure(known.is_none_or(|known| known == name), ClusterLaw::OneLeader, || {
                    format!("{epoch:?} has several leaders")
                })
            }
            CoreOutput::Follows => {
                self.coverage.count("leaders deposed");
                self.note(format!("core {at} does not lead any more"));
                Ok(())
            }
            CoreOutput::HandedOver => {
                self.coverage.count("planned takeovers");
                self.note(format!("core {at} has given the leadership up"));
                let process = &self.cores[at];
                if process.is_replaced {
                    self.coverage.count("upgrades");
                    self.snapshots.push(Snapshot::encode(process.core.replica(), "0.1.0", 0));
                    self.end_core(at, Duration::from_millis(1));
                }
                Ok(())
            }
            CoreOutput::Diverged(divergence) => {
                Err(Violation { law: ClusterLaw::SameState, detail: format!("core {at}: {divergence:?}") })
            }
            // All cores have one world and one version.
            CoreOutput::OtherWorld(_) | CoreOutput::OtherVersion(_) => {
                Err(Violation { law: ClusterLaw::SameState, detail: format!("core {at}: {output:?}") })
            }
        }
    }

    /// Ends a core, which starts again after some time.
    pub(super) fn end_core(&mut self, at: usize, away: Duration) {
        let starts_at = self.now + away;
        self.cores[at].faults = Faults { starts_at: Some(starts_at), ..Faults::default() };
        self.put(starts_at, Scheduled::StartCore { core: at });
    }

    fn set_core_timer(&mut self, core: usize) {
        let process = &mut self.cores[core];
        let at = process.clock.when(process.core.next_timeout()).max(self.now + Duration::from_micros(100));
        // The same time again and again would be an endless loop.
        if process.timer == Some(at) || !process.faults.is_running() {
            return;
        }
        process.timer = Some(at);
        let generation = process.generation;
        self.put(at, Scheduled::CoreTimer { core, generation, at });
    }

    /// Sends a packet to gateways: it may be lost, repeated or late.
    fn send_packet(&mut self, from: usize, packet: Vec<u8>, to: &[usize]) -> Result<(), Violation> {
        let mut packet = packet;
        let Some(read) = Packet::decode(&packet) else {
            return ensure(false, ClusterLaw::SameEffects, || "a packet cannot be read".to_owned());
        };
        let epoch = read.epoch;
        if epoch < self.newest {
            self.coverage.count("packets of former leaders");
            let given_up = self.reference.given_up.contains(&epoch);
            ensure(given_up, ClusterLaw::OneLeader, || {
                format!("core {from} sends a packet of {epoch:?}, and {:?} has a leader", self.newest)
            })?;
        }
        if let PacketContent::Effects { first, effects } = &read.content {
            for (gateway, first) in first {
                for (number, piece) in (*first..).zip(effects) {
                    self.reference.check_piece(*gateway, number, piece.get())?;
                }
            }
        }
        if self.plan.sabotage == Some(Sabotage::EffectChanged) {
            let text = String::from_utf8_lossy(&packet).replace(r#""country":"""#, r#""country":"DE""#);
            packet = text.into_bytes();
        }
        if self.plan.sabotage == Some(Sabotage::EpochIgnored) {
            let newest = Epoch(self.newest.0 + 1);
            packet = Packet { epoch: newest, ..read }.encode();
        }
        let packet: Arc<[u8]> = packet.into();
        for gateway in to.iter().copied() {
            let faults = self.gateways[gateway].faults;
            let is_lost = !self.is_calm && self.random.per_mille(self.odds.packet_lost);
            if is_lost || self.now < faults.deaf_until || !faults.is_running() {
                self.coverage.count("packets lost");
                continue;
            }
            let times = if !self.is_calm && self.random.per_mille(self.odds.packet_repeated) {
                self.coverage.count("packets repeated");
                2
            } else {
                1
            };
            for _ in 0..times {
                let mut delay = self.delay();
                if !self.is_calm && self.random.per_mille(self.odds.packet_late) {
                    self.coverage.count("packets delayed");
                    delay += self.random.millis(10..3000);
                }
                let (generation, packet) = (self.gateways[gateway].generation, Arc::clone(&packet));
                self.put(self.now + delay, Scheduled::Packet { gateway, generation, packet, epoch });
            }
        }
        Ok(())
    }

    // The store.

    fn perform_request(
        &mut self,
        core: usize,
        generation: u64,
        epoch: Epoch,
        request: Request,
    ) -> Result<(), Violation> {
        if !self.is_current(Sender::Core(core, generation)) {
            return Ok(());
        }
        if self.reference.replica.epoch() != epoch {
            self.coverage.count("requests carried out by a former leader");
            // A request that the database has already is performed; one that waits in the process
            // is not, because the process knows by now.
            if !self.odds.carries_out_late && self.cores[core].core.replica().epoch() != epoch {
                return Ok(());
            }
        }
        if !self.carried_out.insert(request.id()) {
            self.coverage.count("requests carried out twice");
        }
        let is_end =
            matches!(&request, Request::StoreGame(_, store) if matches!(store.write, GameWrite::End(_)));
        let is_away = !self.is_calm && self.random.per_mille(self.odds.store_away);
        let reply = if is_away { request.unavailable() } else { self.store.perform(request) };
        if self.plan.sabotage == Some(Sabotage::RepliesLost) && self.random.per_mille(20) {
            return Ok(());
        }
        // The replies to the ends of games come in the order in which they were rated.
        let delay = if is_end { Duration::ZERO } else { self.store_delay() };
        if !self.is_calm && self.random.per_mille(20) {
            self.coverage.count("replies repeated");
            let (later, reply) = (self.store_delay(), Box::new(reply.clone()));
            self.put(self.now + delay + later, Scheduled::Replied { core, generation, reply });
        }
        let reply = Box::new(reply);
        self.put(self.now + delay, Scheduled::Replied { core, generation, reply });
        Ok(())
    }

    // Gateways.

    pub(super) fn new_gateway(&mut self, gateway: usize) -> GatewayProcess {
        self.next_number += 1;
        let generation = self.next_number;
        let clock = LocalClock::new(&mut self.random);
        let nonce = Nonce(self.random.next());
        let sender = Sender::Gateway(gateway, generation);
        self.put(self.now + RETRY, Scheduled::AppendAgain { sender });
        GatewayProcess {
            link: Link::new(&format!("gateway-{gateway}"), nonce, clock.shows(self.now)),
            generation,
            clock,
            faults: Faults::default(),
            timer: None,
            last_conn: 0,
            performed: 0,
            wires: BTreeMap::new(),
            logged_in: BTreeSet::new(),
            readable: BTreeSet::new(),
            leaves: false,
        }
    }

    fn packet_arrives(&mut self, gateway: usize, packet: &[u8], epoch: Epoch) -> Result<(), Violation> {
        let process = &self.gateways[gateway];
        if !process.faults.is_running() || self.now < process.faults.deaf_until {
            return Ok(());
        }
        let before = process.performed;
        let known = process.link.epoch().map(|(_, epoch)| epoch);
        self.run_gateway(gateway, |link, now| link.received(now, packet))?;
        let is_old = known.is_some_and(|known| epoch < known);
        ensure(!is_old || self.gateways[gateway].performed == before, ClusterLaw::NewestEpoch, || {
            format!("gateway process {gateway} knows {known:?}, and performs effects of {epoch:?}")
        })
    }

    /// Lets a gateway do something, and does what follows from it.
    pub(super) fn run_gateway(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut Link, Duration),
    ) -> Result<(), Violation> {
        if !self.gateways[at].faults.is_running() {
            return Ok(());
        }
        let now = self.gateways[at].clock.shows(self.now);
        act(&mut self.gateways[at].link, now);
        self.go_on_with_gateway(at)
    }

    fn go_on_with_gateway(&mut self, at: usize) -> Result<(), Violation> {
        let now = self.gateways[at].clock.shows(self.now);
        self.read_clients(at);
        self.gateways[at].link.flush(now);
        while let Some(output) = self.gateways[at].link.poll() {
            self.link_output(at, output)?;
            if !self.gateways[at].faults.is_running() {
                return Ok(());
            }
        }
        self.set_gateway_timer(at);
        while let Some(player) = self.touched.pop_first() {
            self.follow(player)?;
        }
        if !self.gateways[at].readable.is_empty() && !self.gateways[at].link.is_full() {
            return self.go_on_with_gateway(at);
        }
        Ok(())
    }

    fn link_output(&mut self, at: usize, output: LinkOutput) -> Result<(), Violation> {
        let generation = self.gateways[at].generation;
        match output {
            LinkOutput::Append { number, id, payload } => {
                self.transmit(Sender::Gateway(at, generation), number, &id, &payload);
                Ok(())
            }
            LinkOutput::Ask(question) => {
                self.coverage.count("questions for missing effects");
                let question: Arc<[u8]> = question.into();
                for core in 0..self.cores.len() {
                    let is_lost = !self.is_calm && self.random.per_mille(self.odds.packet_lost);
                    if is_lost || self.now < self.gateways[at].faults.deaf_until {
                        continue;
                    }
                    let mut delay = self.delay();
                    if !self.is_calm && self.random.per_mille(self.odds.packet_late) {
                        delay += self.random.millis(10..3000);
                    }
                    let (generation, question) = (self.cores[core].generation, Arc::clone(&question));
                    self.put(self.now + delay, Scheduled::Question { core, generation, question });
                }
                Ok(())
            }
            LinkOutput::Joined(id) => {
                self.coverage.count("gateways joined");
                self.note(format!("gateway process {at} is {id}"));
                self.gateways[at].performed = 0;
                Ok(())
            }
            LinkOutput::Perform(effect) => {
                let sabotage = self.plan.sabotage;
                if sabotage == Some(Sabotage::EffectLost) && self.random.per_mille(2) {
                    return Ok(());
                }
                let times = match sabotage {
                    Some(Sabotage::EffectTwice) if self.random.per_mille(2) => 2,
                    _ => 1,
                };
                for _ in 0..times {
                    let process = &mut self.gateways[at];
                    let number = process.performed;
                    process.performed += 1;
                    let Some(id) = process.id() else {
                        let law = ClusterLaw::ExactlyOnce;
                        return ensure(false, law, || format!("gateway process {at} is not a member"));
                    };
                    self.reference.check_performed(id, number, &effect)?;
                    self.coverage.count("effects performed");
                    self.detail(|| {
                        let text: String = format!("{effect:?}").chars().take(200).collect();
                        format!("{id} performs {number}: {text}")
                    });
                    self.add_to_digest(&number.to_le_bytes());
                    self.perform(at, (*effect).clone())?;
                }
                Ok(())
            }
            LinkOutput::EndAll(reason) => {
                self.coverage.count("gateways that ended all connections");
                self.note(format!("gateway process {at} ends all connections: {}", reason.text()));
                let may = matches!(reason, EndReason::OutOfTouch | EndReason::GivenUp)
                    && self.odds.has_long_absence;
                ensure(may, ClusterLaw::MembersStay, || format!("gateway process {at}: {}", reason.text()))?;
                for (conn, player) in self.gateways[at].end_all() {
                    self.lost_connection(player, conn);
                }
                let nonce = Nonce(self.random.next());
                self.gateways[at].link.join(nonce);
                Ok(())
            }
            LinkOutput::Left => {
                self.coverage.count("gateways replaced");
                self.note(format!("gateway process {at} has left"));
                self.end_gateway(at, Duration::from_millis(1));
                Ok(())
            }
        }
    }

    /// Ends a gateway, which starts again after some time.
    pub(super) fn end_gateway(&mut self, at: usize, away: Duration) {
        let starts_at = self.now + away;
        self.gateways[at].faults = Faults { starts_at: Some(starts_at), ..Faults::default() };
        for (conn, player) in self.gateways[at].end_all() {
            self.lost_connection(player, conn);
        }
        self.put(starts_at, Scheduled::StartGateway { gateway: at });
    }

    fn set_gateway_timer(&mut self, gateway: usize) {
        let process = &mut self.gateways[gateway];
        let at = process.clock.when(process.link.next_timeout()).max(self.now + Duration::from_micros(100));
        if process.timer == Some(at) || !process.faults.is_running() {
            return;
        }
        process.timer = Some(at);
        let generation = process.generation;
        self.put(at, Scheduled::GatewayTimer { gateway, generation, at });
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
