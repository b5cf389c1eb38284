//! Hostile input of several kinds, and what honest players notice of it.
//!
//! | kind | attackers |
//! | --- | --- |
//! | `slowloris` | send the beginning of a message, or of an upgrade, a byte every half second, before any login |
//! | `half-open` | connect and say nothing |
//! | `connects` | connect and hang up, each as often as possible |
//! | `garbage` | send random bytes, or unknown commands without waiting for answers, before any login |
//! | `huge` | log in and send messages of nearly 10 MiB, the most a server takes |
//! | `pipeline` | log in and send right commands as fast as possible, and never read the answers |
//! | `relay` | log in, join the lobbies of honest hosts, and send these 60 KB at a time through the server |
//! | `big-reports` | log in, host, and make what everybody is told about their games as long as they can |
//! | `unfinished` | log in, send 20 KB of a message of 5 MB, and stop there; honest pings are 40 KB meanwhile |
//! | `strangers` | ping once before any login, and stay; honest players come and go meanwhile |
//! | `reconnects` | log in, spend a burst of commands, hang up, and come back |
//!
//! An attacker that is disconnected comes back half a second later. The attackers have a thread of
//! their own; where there are few processors, the server and the honest players share them with it.
//! Places for strangers run out only if there are fewer of them than attackers:
//! `--server-arg=--unauthenticated-limit=500`.
//!
//! Meanwhile honest players are logged in and ping; each hosts a lobby if the attack is on lobbies.
//! None of them may be disconnected: if one is, the exit code says so.

mod kind;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;

use super::megabytes;
use crate::actors::{Cue, LobbyHost};
use crate::options::{RunOptions, ServerOptions, interval, seconds};
use crate::report::Report;
use crate::report::sample::Lobby;
use crate::speech;
use crate::stage::Stage;
use crate::swarm::Role;
use crate::swarm::address::Endpoint;
use crate::swarm::attack::{Attack, Peer};
use kind::Kind;

/// Size of a ping while others fill the memory for large messages, in bytes: as the statistics of a
/// game.
const LARGE_PING_BYTES: usize = 40_000;

/// Honest players who come and go while strangers take places.
const VISITORS: u32 = 8;

/// How long each of them stays away: servers take no more logins of an account.
const VISIT_PAUSE: Duration = Duration::from_secs(3);

/// Hostile input of several kinds, and what honest players notice of it
#[derive(Debug, Clone, Args)]
pub(crate) struct Flood {
    /// The kind of attack
    #[arg(long, value_enum, default_value_t = Kind::All)]
    pub(crate) kind: Kind,

    /// Attackers at the same time
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,

    /// Honest players, who ping meanwhile
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) honest: u32,

    /// How often each of them pings, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2, value_parser = interval())]
    pub(crate) ping_interval: f64,

    /// How long each kind is measured
    #[arg(long, default_value_t = 10.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    /// Measure each kind until this many pings were answered, and no longer
    #[arg(long, value_name = "COUNT")]
    pub(crate) pongs: Option<u64>,

    /// With `connects`: measure until this many attempts were made
    #[arg(long, value_name = "COUNT")]
    pub(crate) attempts: Option<u64>,

    #[command(flatten)]
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

impl Flood {
    pub(crate) fn run(&self) -> anyhow::Result<Report> {
        let role = |number| match number {
            // Accounts of the others are for attackers who log in.
            _ if number < self.honest => {
                Role::acting(LobbyHost::new(number + 1, Duration::from_secs_f64(self.ping_interval)))
            }
            _ => Role::default(),
        };
        let roles = (0..self.honest + self.clients).map(role).collect();
        let mut stage = Stage::open(&self.server, &self.run, &[], roles)?;
        stage.log_in(0..self.honest)?;
        stage.settle()?;
        stage.swarm.cue(Cue::Ping);
        let mut report = Report::new("flood");
        report.row("honest", "honest players", f64::from(self.honest), "");
        report.row("attackers", "attackers", f64::from(self.clients), "");
        let calm = self.measure(&mut stage, "calm", None)?;
        report.row("calm_pong_p99", "calm: ping to pong, 99 %", calm.sample.pong.quantile_ms(0.99), "ms");
        let mut lost = calm.sample.lost_honest;
        for kind in Kind::EACH {
            if self.kind == kind || self.kind == Kind::All {
                lost += self.attack(&mut stage, kind, &mut report)?;
            }
        }
        let honest_online = stage.swarm.online() as f64;
        report.row("honest_online", "honest players who are still there", honest_online, "");
        report.row("honest_lost", "honest players who were disconnected", lost as f64, "");
        if lost > 0 {
            report.failure = Some(format!("{lost} honest players were disconnected"));
        }
        stage.finish(&mut report);
        Ok(report)
    }

    fn measure(
        &self,
        stage: &mut Stage,
        what: &'static str,
        attack: Option<&Attack>,
    ) -> anyhow::Result<crate::stage::Window> {
        let attempts = attack.and_then(|attack| Some((attack, self.attempts?)));
        match (attempts, self.pongs) {
            (Some((attack, attempts)), _) if what == Kind::Connects.name() => {
                stage.watch(what, attempts, |_, _| attack.tally.attempts.load(Ordering::Relaxed))
            }
            (_, Some(pongs)) => {
                stage.measure(what, 0.0, None)?;
                stage.watch(what, pongs, |_, sample| sample.pong.count())
            }
            _ => stage.measure(what, self.seconds, None),
        }
    }

    /// Attacks, and returns how many honest players were disconnected.
    fn attack(&self, stage: &mut Stage, kind: Kind, report: &mut Report) -> anyhow::Result<u64> {
        let lobbies = self.prepare(stage, kind)?;
        let attack = Attack::begin(self.peers(stage, kind, &lobbies), self.run.per_address)?;
        let window = self.measure(stage, kind.name(), Some(&attack))?;
        let name = kind.name();
        let tally = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed) as f64;
        let sample = &window.sample;
        let mut row = |key: &str, label: &str, value: Option<f64>, unit: &'static str| {
            report.row(format!("{name}_{key}"), format!("{name}: {label}"), value, unit);
        };
        row("pong_p50", "ping to pong, median", sample.pong.quantile_ms(0.5), "ms");
        row("pong_p99", "ping to pong, 99 %", sample.pong.quantile_ms(0.99), "ms");
        row("pong_max", "ping to pong, slowest", sample.pong.max_ms(), "ms");
        let unanswered = sample.pings.saturating_sub(sample.pong.count());
        row("unanswered", "pings without an answer in this time", Some(unanswered as f64), "");
        if kind == Kind::Strangers {
            row("logins", "logins meanwhile", Some(sample.logins.len() as f64), "");
            row("login_p99", "login until all lists are there, 99 %", sample.lists.quantile_ms(0.99), "ms");
        }
        row("attempts", "attempts to connect", Some(tally(&attack.tally.attempts)), "");
        row("connected", "connections", Some(tally(&attack.tally.connected)), "");
        row("ended", "ended by the server", Some(tally(&attack.tally.ended)), "");
        row("sent", "bytes sent", Some(tally(&attack.tally.bytes) / 1e6), "MB");
        let cpu = window.cpu.map(|cpu| cpu / window.seconds * 100.0);
        row("cpu", "server's processor time", cpu, "% of one");
        let memory = stage.target.process.and_then(crate::server::process::Process::memory);
        let peak = memory.map(|memory| megabytes(memory.peak));
        row("peak", "server's memory, at most so far", peak, "MB");
        let lost = sample.lost_honest;
        drop(attack);
        self.clear_up(stage, kind);
        Ok(lost)
    }

    /// Has the honest players do what the attack needs; returns the lobbies that are attacked.
    fn prepare(&self, stage: &mut Stage, kind: Kind) -> anyhow::Result<Vec<Lobby>> {
        match kind {
            Kind::Relay => {
                stage.swarm.cue(Cue::OpenLobby);
                let honest = u64::from(self.honest);
                let opened = stage.watch("opening lobbies", honest, |_, seen| seen.lobbies.len() as u64)?;
                return Ok(opened.sample.lobbies);
            }
            Kind::Unfinished => stage.swarm.cue(Cue::PingSize(LARGE_PING_BYTES)),
            Kind::Strangers => stage.swarm.cycle(self.visitors(), VISITORS as usize, VISIT_PAUSE),
            _ => {}
        }
        Ok(Vec::new())
    }

    fn clear_up(&self, stage: &Stage, kind: Kind) {
        match kind {
            Kind::Relay => stage.swarm.cue(Cue::CloseLobby),
            Kind::Unfinished => stage.swarm.cue(Cue::PingSize(0)),
            Kind::Strangers => stage.swarm.log_out(self.visitors()),
            _ => {}
        }
    }

    /// Honest players who come and go; strangers need no accounts, so theirs are free.
    fn visitors(&self) -> std::ops::Range<u32> {
        self.honest..self.honest + self.clients.min(VISITORS)
    }

    fn peers(&self, stage: &Stage, kind: Kind, lobbies: &[Lobby]) -> Vec<Peer> {
        let endpoints = &stage.target.endpoints;
        // Attackers with the same to say share it.
        let mut bodies: HashMap<_, Arc<[u8]>> = HashMap::new();
        let peer = |number: u32| {
            let place = number as usize % endpoints.len();
            let turn = number as usize / endpoints.len();
            let victim = (!lobbies.is_empty()).then(|| lobbies[turn % lobbies.len()]);
            // Only garbage is of two kinds.
            let is_odd = kind == Kind::Garbage && turn % 2 == 1;
            let body = bodies
                .entry((place, is_odd, victim.map(|lobby| lobby.game)))
                .or_insert_with(|| kind.body(endpoints[place].format(), is_odd, victim));
            Peer {
                to: endpoints[place].address,
                greeting: self.greeting(stage, kind, &endpoints[place], number, victim),
                body: Arc::clone(body),
                manner: kind.manner(),
            }
        };
        (0..self.clients).map(peer).collect()
    }

    /// The first bytes: the upgrade, the login, and the messages after it. Attackers do not wait
    /// for the answers.
    fn greeting(
        &self,
        stage: &Stage,
        kind: Kind,
        endpoint: &Endpoint,
        number: u32,
        victim: Option<Lobby>,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        if endpoint.format().has_upgrade() && kind.upgrades(number) {
            bytes = speech::upgrade(&endpoint.url);
        }
        let login = kind.logs_in().then(|| stage.swarm.login_messages(self.honest + number));
        for message in login.into_iter().flatten().chain(kind.opening(victim)) {
            speech::say(endpoint.format(), &message, &mut bytes);
        }
        bytes
    }
}
