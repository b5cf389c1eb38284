//! One evening: the schedule of events, and their effects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use faf_lobby_core::matchmaking::violations::ViolationSettings;
use faf_lobby_core::matchmaking::{MatchSettings, MatchmakingSettings};
use faf_lobby_core::{Audience, ConnId, Effect, Event, RequestId, Settings};
use faf_protocol::server_message::{Notice, NoticeStyle};
use faf_protocol::{Country, GameId, Message, PlayerId, ServerMessage, SessionNumber};

use super::COMMON_LOSSES_SHARE;
use super::coverage::Coverage;
use super::environment::{self, Environment, Wire};
use super::host_probe::probe_host;
use super::invariants::{Checker, Law, Size, Violation, is_unchanged, look};
use super::player::{Player, players};
use super::random::Random;
use super::trace::Trace;
use crate::login_probe::probe_login;

/// Time after which a player who does nothing can host, whatever happened before.
const LONGEST_LOCK: Duration = Duration::from_secs(120);

/// Parameters of an evening.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of players.
    pub players: usize,
    /// Time for which they play.
    pub length: Duration,
    /// Whether to compute a digest of all effects.
    pub is_digested: bool,
    /// Whether to keep the whole trace.
    pub is_traced: bool,
}

impl Plan {
    /// Returns the usual parameters of an evening.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            players: 100,
            length: Duration::from_secs(15 * 60),
            is_digested: false,
            is_traced: false,
        }
    }
}

/// Result of an evening in which all laws held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Counts of the events.
    pub coverage: Coverage,
    /// Digest of all effects, if requested.
    pub digest: u64,
    /// The whole trace if requested, otherwise its last lines.
    pub lines: Vec<String>,
}

/// Result of an evening in which a law was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Seed of the evening.
    pub seed: u64,
    /// Command that repeats the evening.
    pub command: String,
    /// The broken law.
    pub violation: Violation,
    /// Last lines of the trace.
    pub lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Seed {} breaks a law.\n", self.seed)?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "\n{}\n\nTo repeat it:\n{}", self.violation, self.command)
    }
}

impl std::error::Error for Failure {}

/// A scheduled event outside the lobby.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scheduled {
    /// A player connects or continues, unless the plan was replaced.
    Act { player: usize, plan: u64 },
    /// A player may do something that bots do not do.
    Misbehave { player: usize },
    /// A player closes this connection.
    Leave { conn: ConnId },
    /// The store carries out a request of the lobby with this number.
    Perform { lobby: u64, request: RequestId, then: Duration },
    /// The lobby receives the reply.
    Reply { lobby: u64, request: RequestId },
    /// A second has passed.
    Second,
}

/// A running evening.
#[derive(Debug)]
pub struct Evening {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) environment: Environment,
    pub(super) checker: Checker,
    pub(super) trace: Trace,
    pub(super) players: Vec<Player>,
    /// Games in which some players report wrong results.
    pub(super) disputed: BTreeSet<GameId>,
    pub(super) now: Duration,
    /// Whether players stop connecting.
    pub(super) is_late: bool,
    agenda: BTreeMap<(Duration, u64), Scheduled>,
    next_number: u64,
    /// Number of the current lobby; it grows with each restart.
    lobby: u64,
    last_replied: Option<RequestId>,
    pub(super) readable: BTreeSet<ConnId>,
}

impl Evening {
    /// Prepares an evening.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let seconds = |random: &mut Random, choices: &[u64]| {
            Duration::from_secs(random.pick(choices).copied().unwrap_or_default())
        };
        let settings = Settings {
            reconnect_grace_period: seconds(&mut random, &[0, 20, 60, 120]),
            game_end_timeout: seconds(&mut random, &[10, 60, 300]),
            restart_grace_period: seconds(&mut random, &[0, 30, 120]),
            idle_timeout: Some(seconds(&mut random, &[135, 600])),
            login_timeout: Duration::from_secs(60),
            shutdown_grace_period: Duration::from_secs(90),
            login_attempts: 3,
            login_rate: random.pick(&[1, 3, 2500]).copied().unwrap_or(2500),
            matchmaking: MatchmakingSettings {
                // Nobody plays for long enough to wait for a good match.
                minimum_game_quality: *random.pick(&[-10.0, 0.4]).unwrap_or(&0.4),
                queue_pop_time_max: *random.pick(&[20.0, 60.0]).unwrap_or(&60.0),
                queue_pop_time_min: 5.0,
                ..MatchmakingSettings::default()
            },
            matches: MatchSettings {
                violations: ViolationSettings {
                    first_ban_duration: Duration::from_secs(60),
                    ban_duration: Duration::from_secs(120),
                    ..ViolationSettings::default()
                },
                common_losses_share: COMMON_LOSSES_SHARE,
                ..MatchSettings::default()
            },
            ..Settings::default()
        };
        let mut environment = Environment::new(settings, plan.players, &mut random);
        environment.refuses = random.per_mille(250);
        let players = players(plan.players, &mut random);
        let trace = Trace::new(plan.is_digested, plan.is_traced);
        Self {
            plan,
            random,
            environment,
            checker: Checker::default(),
            trace,
            players,
            disputed: BTreeSet::new(),
            now: Duration::ZERO,
            is_late: false,
            agenda: BTreeMap::new(),
            next_number: 0,
            lobby: 0,
            last_replied: None,
            readable: BTreeSet::new(),
        }
    }

    /// Plays the evening of a plan.
    ///
    /// # Errors
    /// [`Failure`] if a law is broken.
    pub fn play(plan: Plan) -> Result<Summary, Failure> {
        let mut evening = Self::new(plan);
        // A panic of the lobby also breaks a law; afterwards the evening is only used for the
        // report.
        let outcome = catch_unwind(AssertUnwindSafe(|| evening.run()));
        let outcome = outcome.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(Violation { law: Law::NeverPanics, detail: text.unwrap_or_default() })
        });
        let lines = evening.trace.lines();
        match outcome {
            Ok(()) => {
                Ok(Summary { coverage: evening.checker.coverage, digest: evening.trace.digest(), lines })
            }
            Err(violation) => {
                let Plan { seed, players, length, .. } = plan;
                let minutes = length.as_secs() / 60;
                let command = format!(
                    "cargo run -p faf-testkit --release -- simulate --seed {seed} --players {players} --minutes {minutes} --trace"
                );
                Err(Failure { seed, command, violation, lines })
            }
        }
    }

    fn run(&mut self) -> Result<(), Violation> {
        for player in 0..self.players.len() {
            let delay = self.random.millis(0..300_000);
            self.plan_act(player, delay);
            let at = self.off_the_second(delay + Duration::from_secs(1));
            self.put(at, Scheduled::Misbehave { player });
        }
        self.put(Duration::from_secs(1), Scheduled::Second);
        self.run_until(self.plan.length)?;
        self.note("the evening is over");
        self.is_late = true;
        if self.random.per_mille(400) {
            self.shut_down_gracefully()?;
        }
        // From here on nothing fails, and everyone leaves.
        self.environment.away_until = Duration::ZERO;
        self.environment.slow_until = Duration::ZERO;
        self.environment.refuses = false;
        let wires: Vec<ConnId> = self.environment.wires.keys().copied().collect();
        for conn in wires {
            self.drop_connection(conn)?;
        }
        let grace =
            self.environment.settings.restart_grace_period + self.environment.settings.reconnect_grace_period;
        self.run_until(self.now + grace + Duration::from_secs(200))?;
        // The lobby may be loading the game data, as it does from time to time; and a queue may
        // just have had a round, which the next report tells.
        for seconds in [10, 2] {
            if !self.environment.world.is_settled() {
                self.run_until(self.now + Duration::from_secs(seconds))?;
            }
        }
        self.checker.ended(self.environment.world.is_settled(), &self.environment.store)
    }

    /// Requests a shutdown, as the operator does, and starts the server again.
    fn shut_down_gracefully(&mut self) -> Result<(), Violation> {
        let until = self.now + self.environment.settings.shutdown_grace_period + Duration::from_secs(2);
        self.tell(Event::Shutdown)?;
        while !self.checker.has_stopped() && self.now < until {
            self.run_until(self.now + Duration::from_secs(1))?;
        }
        if !self.checker.has_stopped() {
            let detail = "it has not".to_owned();
            return Err(Violation { law: Law::ShutdownEnds, detail });
        }
        self.restart()
    }

    fn run_until(&mut self, until: Duration) -> Result<(), Violation> {
        loop {
            let next = self.agenda.first_key_value().map(|(key, _)| *key);
            let at = next.map_or(until, |(at, _)| at).min(until);
            if let Some(deadline) = self.environment.deadline().filter(|deadline| *deadline <= at) {
                self.now = self.now.max(deadline);
                self.environment.world.handle_timeout(self.environment.moment(self.now));
                self.apply_effects(None)?;
                self.read_all()?;
                continue;
            }
            match next.filter(|(at, _)| *at <= until) {
                None => break,
                Some(key) => {
                    let Some(scheduled) = self.agenda.remove(&key) else { continue };
                    self.now = key.0;
                    self.run_scheduled(scheduled)?;
                }
            }
        }
        self.now = until;
        Ok(())
    }

    fn run_scheduled(&mut self, scheduled: Scheduled) -> Result<(), Violation> {
        match scheduled {
            Scheduled::Act { player, plan } if self.players[player].plan == plan => self.act(player),
            Scheduled::Act { .. } => Ok(()),
            Scheduled::Misbehave { player } => self.misbehave(player),
            Scheduled::Leave { conn } => self.drop_connection(conn),
            Scheduled::Perform { lobby, request, then } => {
                if lobby == self.lobby {
                    self.environment.perform(self.now, request, &mut self.random);
                    if then.is_zero() {
                        return self.run_scheduled(Scheduled::Reply { lobby, request });
                    }
                    let at = self.off_the_second(self.now + then);
                    self.put(at, Scheduled::Reply { lobby, request });
                }
                Ok(())
            }
            Scheduled::Reply { lobby, request } => {
                let reply = if lobby == self.lobby { self.environment.reply(request) } else { None };
                let Some(reply) = reply else { return Ok(()) };
                if self.last_replied.is_some_and(|last| last > request) {
                    self.checker.coverage.count("replies out of order");
                }
                self.last_replied = Some(request);
                self.tell(Event::Replied { reply })
            }
            Scheduled::Second => self.second(),
        }
    }

    /// Runs the checks of every second, and selects failures of the environment.
    fn second(&mut self) -> Result<(), Violation> {
        self.put(self.now + Duration::from_secs(1), Scheduled::Second);
        if self.checker.is_closing() {
            return Ok(());
        }
        self.checker.second(Size::of(&self.environment.world), &self.environment.settings)?;
        let world = &self.environment.world;
        self.checker.check_shown_searches(&environment::queue_names(), |player, queue| {
            world.is_searching(player, queue)
        })?;
        self.check_idle_players()?;
        if self.now.as_secs().is_multiple_of(8) {
            self.checker.reported(&self.environment.store)?;
        }
        if self.now.as_secs().is_multiple_of(30) {
            // A player of the evening, or one who never was online.
            let player = PlayerId(self.random.within(1..self.plan.players as u64 + 2) as u32);
            probe_login(&self.environment.world, self.environment.moment(self.now), player);
        }
        self.hear_from_other_services()?;
        if self.is_late {
            return Ok(());
        }
        if self.random.per_mille(2) {
            let error = self.random.within(0..4_000_000_000) as i64 - 2_000_000_000;
            self.environment.clock_error = error;
            self.checker.coverage.count("jumps of the clock");
            self.note(format!("the wall clock jumps to an error of {error} µs"));
        }
        if self.random.per_mille(4) {
            self.environment.away_until = self.now + self.random.millis(500..30_000);
            self.note(format!("the database is away until {:?}", self.environment.away_until));
        }
        if self.random.per_mille(4) {
            self.environment.slow_until = self.now + self.random.millis(500..30_000);
            self.note(format!("the database is slow until {:?}", self.environment.slow_until));
        }
        if self.random.per_mille(1) {
            return self.restart();
        }
        if self.random.per_mille(2) {
            return self.lose_many();
        }
        if self.random.per_mille(2) {
            self.change_queues();
        }
        Ok(())
    }

    /// Other services have a message for a player or for all, or have changed an avatar.
    fn hear_from_other_services(&mut self) -> Result<(), Violation> {
        // One of these players was never online.
        let seconds = self.now.as_secs();
        let player = PlayerId((1 + seconds % (self.plan.players as u64 + 1)) as u32);
        let to = match seconds % 60 {
            0 => None,
            20 | 40 => Some(player),
            10 | 11 | 30 | 50 => return self.tell(Event::AvatarChanged { player }),
            _ => return Ok(()),
        };
        let notice = Notice::new(NoticeStyle::Info, "a message of another service");
        match Message::from_value(&ServerMessage::Notice(notice)) {
            Ok(message) => self.tell(Event::Notification { to, message }),
            Err(_) => Ok(()),
        }
    }

    /// The network fails for many players at once.
    fn lose_many(&mut self) -> Result<(), Violation> {
        self.note("the network fails for many players");
        self.checker.coverage.count("failures of the network");
        let share = self.random.within(100..1000);
        let wires: Vec<ConnId> = self.environment.wires.keys().copied().collect();
        for conn in wires {
            if self.random.per_mille(share) {
                self.drop_connection(conn)?;
            }
        }
        Ok(())
    }

    /// The operator takes a queue out of service, or puts it back, and changes its team size; the
    /// lobby notices it when it reads the data again.
    fn change_queues(&mut self) {
        self.note("the operator changes a queue");
        let choices = environment::queues();
        let Some(queue) = self.random.pick(&choices).cloned() else { return };
        let store = &mut self.environment.store;
        if store.disable_queue(queue.id).is_none() {
            store.data.queues.push(queue);
            store.data.queues.sort_by_key(|queue| queue.id);
        }
    }

    /// Checks on a copy of the lobby that players who have done nothing for a while could host
    /// games now.
    fn check_idle_players(&mut self) -> Result<(), Violation> {
        let mut copy = None;
        for number in 0..self.players.len() {
            let player = &mut self.players[number];
            let wire = player.conn.and_then(|conn| self.environment.wires.get(&conn));
            let is_read = wire.is_some_and(|wire| wire.holds.is_empty() && wire.outgoing.is_empty());
            let is_idle = player.bot.is_logged_in() && player.bot.looks_idle() && !player.is_stalled;
            if !is_idle || !is_read || player.is_odd {
                player.idle_since = None;
                continue;
            }
            let since = *player.idle_since.get_or_insert(self.now);
            let Some(conn) = player.conn.filter(|_| self.now >= since + LONGEST_LOCK) else { continue };
            let world = copy.get_or_insert_with(|| self.environment.world.clone());
            self.checker.coverage.count("idle players asked to host");
            let refusal = probe_host(world, self.environment.moment(self.now), conn);
            if let Some(text) = refusal {
                let detail = format!("player {} on connection {}: {text}", player.id, conn.0);
                return Err(Violation { law: Law::NobodyIsLockedOut, detail });
            }
        }
        Ok(())
    }

    /// Ends the server and starts another one with the stored data.
    fn restart(&mut self) -> Result<(), Violation> {
        self.note("the server is killed and started again");
        self.checker.killed(&self.environment.store)?;
        self.environment.restart(self.now);
        self.lobby += 1;
        self.last_replied = None;
        self.readable.clear();
        self.checker.resumed(look(&self.environment.world));
        for player in 0..self.players.len() {
            self.lost_connection(player);
        }
        self.apply_effects(None)
    }

    fn note(&mut self, text: impl Into<String>) {
        self.trace.note(self.now, text);
    }

    pub(super) fn put(&mut self, at: Duration, scheduled: Scheduled) {
        self.next_number += 1;
        self.agenda.insert((at, self.next_number), scheduled);
    }

    /// Moves a time off the full second. Only the lobby's reports happen on the full second, so
    /// that right after a report no change waits to be sent.
    pub(super) fn off_the_second(&self, at: Duration) -> Duration {
        let whole = Duration::from_millis(at.as_millis() as u64);
        (whole + Duration::from_micros(137)).max(self.now)
    }

    /// Schedules a player's next action after this time; it replaces the previous plan.
    pub(super) fn plan_act(&mut self, player: usize, delay: Duration) {
        let at = self.off_the_second(self.now + delay);
        self.next_number += 1;
        let plan = self.next_number;
        self.players[player].plan = plan;
        self.put(at, Scheduled::Act { player, plan });
    }

    // Actions of players.

    /// Connects a client.
    pub(super) fn connect(&mut self, player: usize) -> Result<ConnId, Violation> {
        self.environment.last_conn += 1;
        let conn = ConnId(self.environment.last_conn);
        self.environment
            .wires
            .insert(conn, Wire { player, holds: BTreeSet::new(), outgoing: VecDeque::new() });
        let session = SessionNumber(conn.0 as u32);
        self.tell(Event::Connected { conn, address: None, country: Country::UNKNOWN, session })?;
        Ok(conn)
    }

    /// Disconnects a client.
    pub(super) fn drop_connection(&mut self, conn: ConnId) -> Result<(), Violation> {
        let Some(wire) = self.environment.wires.remove(&conn) else { return Ok(()) };
        if self.players[wire.player].conn == Some(conn) {
            self.lost_connection(wire.player);
        }
        self.tell(Event::Disconnected { conn })
    }

    fn tell(&mut self, event: Event) -> Result<(), Violation> {
        let handled = event.clone();
        self.trace.event(self.now, &event);
        self.environment.world.handle(self.environment.moment(self.now), event);
        self.apply_effects(Some(&handled))?;
        self.read_all()
    }

    /// Lets the lobby read from all connections that are not held.
    pub(super) fn read_all(&mut self) -> Result<(), Violation> {
        while let Some(conn) = self.readable.pop_first() {
            let Some(wire) = self.environment.wires.get_mut(&conn).filter(|wire| wire.holds.is_empty())
            else {
                continue;
            };
            let Some(message) = wire.outgoing.pop_front() else { continue };
            self.readable.insert(conn);
            let event = Event::Received { conn, message };
            self.trace.event(self.now, &event);
            self.environment.world.handle(self.environment.moment(self.now), event.clone());
            self.apply_effects(Some(&event))?;
        }
        Ok(())
    }

    /// Checks the effects of the lobby, and applies them.
    fn apply_effects(&mut self, event: Option<&Event>) -> Result<(), Violation> {
        let mut effects = Vec::new();
        while let Some(effect) = self.environment.world.poll_effect() {
            self.trace.effect(self.now, &effect);
            effects.push(effect);
        }
        let world = &self.environment.world;
        let after = (!is_unchanged(self.checker.seen(), world)).then(|| look(world));
        self.checker.step(self.now, event, &effects, after)?;
        for effect in effects {
            match effect {
                Effect::Send { to, message } => {
                    for conn in self.receivers(&to) {
                        self.receive(conn, &message);
                    }
                }
                Effect::SendSnapshot { conn, message, .. } | Effect::Relay { to: conn, message, .. } => {
                    self.receive(conn, &message);
                }
                Effect::Hold { conn, reason } => {
                    if let Some(wire) = self.environment.wires.get_mut(&conn) {
                        wire.holds.insert(reason);
                    }
                }
                Effect::Release { conn, reason } => {
                    if let Some(wire) = self.environment.wires.get_mut(&conn) {
                        wire.holds.remove(&reason);
                        self.readable.insert(conn);
                    }
                }
                Effect::Close { conn } => {
                    if let Some(wire) = self.environment.wires.remove(&conn)
                        && self.players[wire.player].conn == Some(conn)
                    {
                        self.lost_connection(wire.player);
                    }
                }
                Effect::Request { request, .. } => {
                    let (look, then) = self.environment.delays(self.now, &request, &mut self.random);
                    let id = request.id();
                    self.environment.request(request);
                    let at = self.off_the_second(self.now + look);
                    self.put(at, Scheduled::Perform { lobby: self.lobby, request: id, then });
                }
                Effect::LoggedIn { .. }
                | Effect::Done { .. }
                | Effect::ReportLogin { .. }
                | Effect::Publish(_)
                | Effect::Queue(_)
                | Effect::Count(_)
                | Effect::Log(_)
                | Effect::Stop => {}
            }
        }
        Ok(())
    }

    /// Returns the connections whose clients process a message.
    fn receivers(&self, to: &Audience) -> Vec<ConnId> {
        let logged_in = self.players.iter().filter(|player| player.bot.is_logged_in());
        let logged_in = logged_in.filter_map(|player| player.conn);
        match to {
            Audience::One(conn) => vec![*conn],
            Audience::Several(conns) => conns.clone(),
            Audience::LoggedIn => logged_in.collect(),
            Audience::LoggedInExcept(others) => logged_in.filter(|conn| !others.contains(conn)).collect(),
        }
    }
}
