//! One evening: what happens when, and everything that follows from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use faf_lobby_core::{Audience, ConnId, Effect, Event, RequestId, Settings};
use faf_protocol::{Country, GameId, PlayerId, SessionNumber};

use super::coverage::Coverage;
use super::invariants::{Checker, Law, Size, Violation, is_unchanged, look};
use super::player::{Player, players};
use super::random::Random;
use super::surroundings::{Surroundings, Wire};
use super::trace::Trace;
use crate::login_probe::probe_login;

/// How an evening is to be.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What it follows from.
    pub seed: u64,
    /// How many players there are.
    pub players: usize,
    /// How long they play.
    pub length: Duration,
    /// Whether a digest of all effects is made.
    pub is_digested: bool,
    /// Whether everything is kept to be told.
    pub is_traced: bool,
}

impl Plan {
    /// An evening as it is usually simulated.
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

/// An evening that has gone well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What has happened.
    pub coverage: Coverage,
    /// Of all effects, if that was wanted.
    pub digest: u64,
    /// Everything that has happened, if that was wanted; else the end of it.
    pub lines: Vec<String>,
}

/// An evening in which a law was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The evening.
    pub seed: u64,
    /// What repeats it.
    pub command: String,
    /// What does not hold.
    pub violation: Violation,
    /// The last events.
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

/// What happens around the lobby at a time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Happening {
    /// A player connects or goes on, unless other plans were made since.
    Act { player: usize, plan: u64 },
    /// A player may do something that bots do not do.
    Misbehave { player: usize },
    /// A player closes this connection.
    Leave { conn: ConnId },
    /// The store carries out a request of the lobby with this number.
    Perform { lobby: u64, request: RequestId, then: Duration },
    /// The reply comes.
    Reply { lobby: u64, request: RequestId },
    /// A second has passed.
    Second,
}

/// An evening that is going on.
#[derive(Debug)]
pub struct Evening {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) around: Surroundings,
    pub(super) checker: Checker,
    pub(super) trace: Trace,
    pub(super) players: Vec<Player>,
    /// Games in which not everybody tells the truth about the results.
    pub(super) disputed: BTreeSet<GameId>,
    pub(super) now: Duration,
    /// Nobody comes any more.
    pub(super) is_late: bool,
    agenda: BTreeMap<(Duration, u64), Happening>,
    next_number: u64,
    /// How many lobbies there have been.
    lobby: u64,
    last_replied: Option<RequestId>,
    pub(super) readable: BTreeSet<ConnId>,
}

impl Evening {
    /// An evening that is about to begin.
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
            ..Settings::default()
        };
        let mut around = Surroundings::new(settings, plan.players, &mut random);
        around.refuses = random.per_mille(250);
        let players = players(plan.players, &mut random);
        let trace = Trace::new(plan.is_digested, plan.is_traced);
        Self {
            plan,
            random,
            around,
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
    pub fn play(plan: Plan) -> Result<Told, Failure> {
        let mut evening = Self::new(plan);
        // A panic of the lobby breaks a law, too; what is left of the evening is only looked at to tell of it.
        let outcome = catch_unwind(AssertUnwindSafe(|| evening.run()));
        let outcome = outcome.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(Violation { law: Law::NeverPanics, detail: text.unwrap_or_default() })
        });
        let lines = evening.trace.lines();
        match outcome {
            Ok(()) => Ok(Told { coverage: evening.checker.coverage, digest: evening.trace.digest(), lines }),
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
            self.put(at, Happening::Misbehave { player });
        }
        self.put(Duration::from_secs(1), Happening::Second);
        self.run_until(self.plan.length)?;
        self.note("the evening is over");
        self.is_late = true;
        if self.random.per_mille(400) {
            self.shut_down_gracefully()?;
        }
        // Nothing fails any more, and everybody leaves.
        self.around.away_until = Duration::ZERO;
        self.around.slow_until = Duration::ZERO;
        self.around.refuses = false;
        let wires: Vec<ConnId> = self.around.wires.keys().copied().collect();
        for conn in wires {
            self.drop_connection(conn)?;
        }
        let grace = self.around.settings.restart_grace_period + self.around.settings.reconnect_grace_period;
        self.run_until(self.now + grace + Duration::from_secs(200))?;
        if !self.around.world.is_settled() {
            // The lobby reads from time to time what there is to play; it may be just now.
            self.run_until(self.now + Duration::from_secs(10))?;
        }
        self.checker.ended(self.around.world.is_settled(), &self.around.store)
    }

    /// The operator ends the server, and starts it again.
    fn shut_down_gracefully(&mut self) -> Result<(), Violation> {
        let until = self.now + self.around.settings.shutdown_grace_period + Duration::from_secs(2);
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
            if let Some(deadline) = self.around.deadline().filter(|deadline| *deadline <= at) {
                self.now = self.now.max(deadline);
                self.around.world.handle_timeout(self.around.moment(self.now));
                self.carry_out(None)?;
                self.read_all()?;
                continue;
            }
            match next.filter(|(at, _)| *at <= until) {
                None => break,
                Some(key) => {
                    let Some(happening) = self.agenda.remove(&key) else { continue };
                    self.now = key.0;
                    self.happen(happening)?;
                }
            }
        }
        self.now = until;
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Act { player, plan } if self.players[player].plan == plan => self.act(player),
            Happening::Act { .. } => Ok(()),
            Happening::Misbehave { player } => self.misbehave(player),
            Happening::Leave { conn } => self.drop_connection(conn),
            Happening::Perform { lobby, request, then } => {
                if lobby == self.lobby {
                    self.around.perform(self.now, request, &mut self.random);
                    if then.is_zero() {
                        return self.happen(Happening::Reply { lobby, request });
                    }
                    let at = self.off_the_second(self.now + then);
                    self.put(at, Happening::Reply { lobby, request });
                }
                Ok(())
            }
            Happening::Reply { lobby, request } => {
                let reply = if lobby == self.lobby { self.around.reply(request) } else { None };
                let Some(reply) = reply else { return Ok(()) };
                if self.last_replied.is_some_and(|last| last > request) {
                    self.checker.coverage.count("replies out of order");
                }
                self.last_replied = Some(request);
                self.tell(Event::Replied { reply })
            }
            Happening::Second => self.second(),
        }
    }

    /// What is looked at every second, and what goes wrong around the lobby.
    fn second(&mut self) -> Result<(), Violation> {
        self.put(self.now + Duration::from_secs(1), Happening::Second);
        if self.checker.has_stopped() {
            return Ok(());
        }
        self.checker.second(Size::of(&self.around.world), &self.around.settings)?;
        if self.now.as_secs().is_multiple_of(8) {
            self.checker.reported(&self.around.store)?;
        }
        if self.now.as_secs().is_multiple_of(30) {
            // One of those there are, or somebody who never was there.
            let player = PlayerId(self.random.within(1..self.plan.players as u64 + 2) as u32);
            probe_login(&self.around.world, self.around.moment(self.now), player);
        }
        if self.is_late {
            return Ok(());
        }
        if self.random.per_mille(2) {
            let error = self.random.within(0..4_000_000_000) as i64 - 2_000_000_000;
            self.around.clock_error = error;
            self.checker.coverage.count("jumps of the clock");
            self.note(format!("the calendar jumps to {error} µs beside the truth"));
        }
        if self.random.per_mille(4) {
            self.around.away_until = self.now + self.random.millis(500..30_000);
            self.note(format!("the database is away until {:?}", self.around.away_until));
        }
        if self.random.per_mille(4) {
            self.around.slow_until = self.now + self.random.millis(500..30_000);
            self.note(format!("the database is slow until {:?}", self.around.slow_until));
        }
        if self.random.per_mille(1) {
            return self.restart();
        }
        Ok(())
    }

    /// The server is killed, or has ended, and another one begins with what is stored.
    fn restart(&mut self) -> Result<(), Violation> {
        self.note("the server is killed and started again");
        self.checker.killed(&self.around.store)?;
        self.around.restart(self.now);
        self.lobby += 1;
        self.last_replied = None;
        self.readable.clear();
        self.checker.resumed(look(&self.around.world));
        for player in 0..self.players.len() {
            self.lost_connection(player);
        }
        self.carry_out(None)
    }

    fn note(&mut self, text: impl Into<String>) {
        self.trace.note(self.now, text);
    }

    pub(super) fn put(&mut self, at: Duration, happening: Happening) {
        self.next_number += 1;
        self.agenda.insert((at, self.next_number), happening);
    }

    /// Nothing but the lobby's reports happens on the second: right after them, nothing waits to be told.
    pub(super) fn off_the_second(&self, at: Duration) -> Duration {
        let whole = Duration::from_millis(at.as_millis() as u64);
        (whole + Duration::from_micros(137)).max(self.now)
    }

    /// A player will act after this time, instead of what was planned before.
    pub(super) fn plan_act(&mut self, player: usize, delay: Duration) {
        let at = self.off_the_second(self.now + delay);
        self.next_number += 1;
        let plan = self.next_number;
        self.players[player].plan = plan;
        self.put(at, Happening::Act { player, plan });
    }

    // What players do to the lobby.

    /// A client connects.
    pub(super) fn connect(&mut self, player: usize) -> Result<ConnId, Violation> {
        self.around.last_conn += 1;
        let conn = ConnId(self.around.last_conn);
        self.around.wires.insert(conn, Wire { player, holds: BTreeSet::new(), outgoing: VecDeque::new() });
        let session = SessionNumber(conn.0 as u32);
        self.tell(Event::Connected { conn, address: None, country: Country::UNKNOWN, session })?;
        Ok(conn)
    }

    /// A connection is lost.
    pub(super) fn drop_connection(&mut self, conn: ConnId) -> Result<(), Violation> {
        let Some(wire) = self.around.wires.remove(&conn) else { return Ok(()) };
        if self.players[wire.player].conn == Some(conn) {
            self.lost_connection(wire.player);
        }
        self.tell(Event::Disconnected { conn })
    }

    fn tell(&mut self, event: Event) -> Result<(), Violation> {
        let event_told = event.clone();
        self.trace.event(self.now, &event);
        self.around.world.handle(self.around.moment(self.now), event);
        self.carry_out(Some(&event_told))?;
        self.read_all()
    }

    /// Lets the lobby read all that it can.
    pub(super) fn read_all(&mut self) -> Result<(), Violation> {
        while let Some(conn) = self.readable.pop_first() {
            let Some(wire) = self.around.wires.get_mut(&conn).filter(|wire| wire.holds.is_empty()) else {
                continue;
            };
            let Some(message) = wire.outgoing.pop_front() else { continue };
            self.readable.insert(conn);
            let event = Event::Received { conn, message };
            self.trace.event(self.now, &event);
            self.around.world.handle(self.around.moment(self.now), event.clone());
            self.carry_out(Some(&event))?;
        }
        Ok(())
    }

    /// Checks what the lobby has done, and does it.
    fn carry_out(&mut self, event: Option<&Event>) -> Result<(), Violation> {
        let mut effects = Vec::new();
        while let Some(effect) = self.around.world.poll_effect() {
            self.trace.effect(self.now, &effect);
            effects.push(effect);
        }
        let world = &self.around.world;
        let after = (!is_unchanged(self.checker.seen(), world)).then(|| look(world));
        self.checker.step(self.now, event, &effects, after)?;
        for effect in effects {
            match effect {
                Effect::Send { to, message } => {
                    for conn in self.receivers(&to) {
                        self.hear(conn, &message);
                    }
                }
                Effect::SendSnapshot { conn, message, .. } | Effect::Relay { to: conn, message, .. } => {
                    self.hear(conn, &message);
                }
                Effect::Hold { conn, reason } => {
                    if let Some(wire) = self.around.wires.get_mut(&conn) {
                        wire.holds.insert(reason);
                    }
                }
                Effect::Release { conn, reason } => {
                    if let Some(wire) = self.around.wires.get_mut(&conn) {
                        wire.holds.remove(&reason);
                        self.readable.insert(conn);
                    }
                }
                Effect::Close { conn } => {
                    if let Some(wire) = self.around.wires.remove(&conn)
                        && self.players[wire.player].conn == Some(conn)
                    {
                        self.lost_connection(wire.player);
                    }
                }
                Effect::Request { request, .. } => {
                    let (look, then) = self.around.delays(self.now, &request, &mut self.random);
                    let id = request.id();
                    self.around.request(request);
                    let at = self.off_the_second(self.now + look);
                    self.put(at, Happening::Perform { lobby: self.lobby, request: id, then });
                }
                Effect::LoggedIn { .. }
                | Effect::Done { .. }
                | Effect::ReportLogin { .. }
                | Effect::Publish(_)
                | Effect::Count(_)
                | Effect::Log(_)
                | Effect::Stop => {}
            }
        }
        Ok(())
    }

    /// The connections whose clients look at a message.
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
