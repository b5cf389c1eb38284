//! Hostile input of several kinds, and its effect on honest players.
//!
//! | kind | attackers |
//! | --- | --- |
//! | `slowloris` | send the beginning of a message, or of an upgrade, one byte every half second |
//! | `half-open` | connect and send nothing |
//! | `connects` | connect and disconnect, as often as possible |
//! | `garbage` | send random bytes, or unknown commands without waiting for answers |
//! | `huge` | log in and send messages of nearly 10 MiB, the most a server accepts |
//! | `pipeline` | log in and send valid commands as fast as possible, and never read the answers |
//! | `relay` | log in, join lobbies of honest hosts, and send them 60 KB at a time |
//! | `big-reports` | log in, host, and make the reports about their games as long as possible |
//! | `unfinished` | log in, send 20 KB of a message of 5 MB, and stop; honest pings have 40 KB |
//! | `unauthenticated` | ping once without a login, and stay; honest players come and go |
//! | `reconnects` | log in, spend a burst of commands, disconnect, and reconnect |
//!
//! `slowloris` and `garbage` act before any login.
//!
//! An attacker that is disconnected reconnects half a second later. The attackers have their own
//! thread; on a machine with few processors, the server and the honest players share them with it.
//! Places for connections without a login run out only if there are fewer of them than attackers:
//! `--server-arg=--unauthenticated-limit=500`.
//!
//! The honest players are logged in and ping; each hosts a lobby if the attack is on lobbies. If
//! one of them is disconnected, the run fails with its own exit code.

mod kind;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Scenario;
use crate::actors::{ActorCommand, LobbyHost};
use crate::harness::{Harness, Window};
use crate::messages;
use crate::options::{Setup, interval, seconds};
use crate::report::Report;
use crate::report::sample::Lobby;
use crate::swarm::Role;
use crate::swarm::address::Endpoint;
use crate::swarm::attack::{Attack, Peer};
use kind::Kind;

/// Size of a ping while attackers fill the memory for large messages, in bytes: that of a
/// game's statistics.
const LARGE_PING_BYTES: usize = 40_000;

/// Number of honest players that come and go while connections without a login take places.
const VISITORS: u32 = 8;

/// Time for which each of them stays away: servers allow no more logins of an account.
const VISIT_PAUSE: Duration = Duration::from_secs(3);

/// Flags of `flood`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Flood {
    /// The kind of attack
    #[arg(long, value_enum, default_value_t = Kind::All)]
    pub(crate) kind: Kind,

    /// Number of attackers at the same time
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,

    /// Number of honest players, which ping
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) honest: u32,

    /// Interval of their pings, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2, value_parser = interval())]
    pub(crate) ping_interval: f64,

    /// Length of the measurement of each kind, in seconds
    #[arg(long, default_value_t = 10.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    /// Stop each kind after this many answered pings
    #[arg(long, value_name = "COUNT")]
    pub(crate) pongs: Option<u64>,

    /// With `connects`: stop after this many attempts
    #[arg(long, value_name = "COUNT")]
    pub(crate) attempts: Option<u64>,
}

impl Scenario for Flood {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        let role = |number| match number {
            // The accounts of all others belong to attackers that log in.
            _ if number < self.honest => {
                Role::acting(LobbyHost::new(number + 1, Duration::from_secs_f64(self.ping_interval)))
            }
            _ => Role::default(),
        };
        let roles = (0..self.honest + self.clients).map(role).collect();
        let mut harness = Harness::online(setup, &[], roles, 0..self.honest)?;
        harness.swarm.send_command(ActorCommand::Ping);
        let mut report = Report::new("flood");
        report.row("honest", "honest players", f64::from(self.honest), "");
        report.row("attackers", "attackers", f64::from(self.clients), "");
        let calm = self.measure(&mut harness, "calm", None)?;
        report.row("calm_pong_p99", "calm: ping to pong, 99 %", calm.sample.pong.quantile_ms(0.99), "ms");
        let mut lost = calm.sample.lost_honest;
        for kind in Kind::value_variants().iter().copied().filter(|kind| *kind != Kind::All) {
            if self.kind == kind || self.kind == Kind::All {
                lost += self.attack(&mut harness, kind, setup.run.per_address, &mut report)?;
            }
        }
        let honest_online = harness.swarm.online() as f64;
        report.row("honest_online", "honest players who are still there", honest_online, "");
        report.row("honest_lost", "honest players who were disconnected", lost as f64, "");
        if lost > 0 {
            report.failure = Some(format!("{lost} honest players were disconnected"));
        }
        harness.finish(&mut report);
        Ok(report)
    }
}

impl Flood {
    fn measure(&self, harness: &mut Harness, what: &str, attack: Option<&Attack>) -> anyhow::Result<Window> {
        let attempts = attack.and_then(|attack| Some((attack, self.attempts?)));
        match (attempts, self.pongs) {
            (Some((attack, attempts)), _) if what == Kind::Connects.name() => {
                harness.watch(what, attempts, |_, _| attack.tally().attempts)
            }
            (_, Some(pongs)) => {
                harness.measure(what, 0.0, None)?;
                harness.watch(what, pongs, |_, sample| sample.pong.count())
            }
            _ => harness.measure(what, self.seconds, None),
        }
    }

    /// Attacks, and returns the number of honest players that were disconnected.
    fn attack(
        &self,
        harness: &mut Harness,
        kind: Kind,
        per_address: u32,
        report: &mut Report,
    ) -> anyhow::Result<u64> {
        let name = kind.name();
        let lobbies = self.prepare(harness, kind)?;
        let attack = Attack::begin(self.peers(harness, kind, &lobbies), per_address)?;
        let window = self.measure(harness, &name, Some(&attack))?;
        let tally = attack.tally();
        let sample = &window.sample;
        report.durations(&format!("{name}_pong"), &format!("{name}: ping to pong"), &sample.pong);
        let mut row = |key: &str, label: &str, value: Option<f64>, unit: &'static str| {
            report.row(format!("{name}_{key}"), format!("{name}: {label}"), value, unit);
        };
        let unanswered = sample.pings.saturating_sub(sample.pong.count());
        row("unanswered", "pings without an answer in this time", Some(unanswered as f64), "");
        if kind == Kind::Unauthenticated {
            row("logins", "logins meanwhile", Some(sample.logins.len() as f64), "");
            row("login_p99", "login until all lists are there, 99 %", sample.lists.quantile_ms(0.99), "ms");
        }
        row("attempts", "attempts to connect", Some(tally.attempts as f64), "");
        row("connected", "connections", Some(tally.connected as f64), "");
        row("ended", "ended by the server", Some(tally.ended as f64), "");
        row("sent", "bytes sent", Some(tally.bytes as f64 / 1e6), "MB");
        row("cpu", "server's processor time", window.percent(window.cpu), "% of one");
        row("peak", "server's memory, at most so far", harness.memory(|memory| memory.peak), "MB");
        let lost = sample.lost_honest;
        drop(attack);
        self.clear_up(harness, kind);
        Ok(lost)
    }

    /// Makes the honest players do what the attack needs, and returns the attacked lobbies.
    fn prepare(&self, harness: &mut Harness, kind: Kind) -> anyhow::Result<Vec<Lobby>> {
        match kind {
            Kind::Relay => {
                harness.swarm.send_command(ActorCommand::OpenLobby);
                let honest = u64::from(self.honest);
                let opened = harness.watch("opening lobbies", honest, |_, seen| seen.lobbies.len() as u64)?;
                return Ok(opened.sample.lobbies);
            }
            Kind::Unfinished => harness.swarm.send_command(ActorCommand::PingSize(LARGE_PING_BYTES)),
            Kind::Unauthenticated => harness.swarm.cycle(self.visitors(), VISITORS as usize, VISIT_PAUSE),
            _ => {}
        }
        Ok(Vec::new())
    }

    fn clear_up(&self, harness: &Harness, kind: Kind) {
        match kind {
            Kind::Relay => harness.swarm.send_command(ActorCommand::CloseLobby),
            Kind::Unfinished => harness.swarm.send_command(ActorCommand::PingSize(0)),
            Kind::Unauthenticated => harness.swarm.log_out(self.visitors()),
            _ => {}
        }
    }

    /// Honest players that come and go; this attack needs no accounts, so those of attackers
    /// are free.
    fn visitors(&self) -> std::ops::Range<u32> {
        self.honest..self.honest + self.clients.min(VISITORS)
    }

    fn peers(&self, harness: &Harness, kind: Kind, lobbies: &[Lobby]) -> Vec<Peer> {
        let endpoints = &harness.target.endpoints;
        // Attackers with equal messages share them.
        let mut bodies: HashMap<_, Arc<[u8]>> = HashMap::new();
        let peer = |number: u32| {
            let place = number as usize % endpoints.len();
            let turn = number as usize / endpoints.len();
            let victim = (!lobbies.is_empty()).then(|| lobbies[turn % lobbies.len()]);
            // Only garbage has two kinds.
            let is_odd = kind == Kind::Garbage && turn % 2 == 1;
            let body = bodies
                .entry((place, is_odd, victim.map(|lobby| lobby.game)))
                .or_insert_with(|| kind.body(endpoints[place].format(), is_odd, victim));
            Peer {
                to: endpoints[place].address,
                greeting: self.greeting(harness, kind, &endpoints[place], number, victim),
                body: Arc::clone(body),
                manner: kind.manner(),
            }
        };
        (0..self.clients).map(peer).collect()
    }

    /// Returns the first bytes: the upgrade, the login, and the messages after it. Attackers do not
    /// wait for answers.
    fn greeting(
        &self,
        harness: &Harness,
        kind: Kind,
        endpoint: &Endpoint,
        number: u32,
        victim: Option<Lobby>,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        if endpoint.format().has_upgrade() && kind.upgrades(number) {
            bytes = messages::upgrade(&endpoint.url);
        }
        let login = kind.logs_in().then(|| harness.swarm.login_messages(self.honest + number));
        for message in login.into_iter().flatten().chain(kind.opening(victim)) {
            messages::encode(endpoint.format(), &message, &mut bytes);
        }
        bytes
    }
}
