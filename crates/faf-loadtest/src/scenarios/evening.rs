//! An ordinary evening: players come and go, games are hosted, joined, played and over, and all
//! clients receive that.
//!
//! Of the clients, `--games` host one game after the other, `--guests` times as many join them, a
//! share of `--visitors` comes and goes, a share is `--searching` in queues and plays the matches,
//! some ping, and the rest listens. A host changes something
//! every `--chatter` seconds while the lobby is open, launches when all guests have joined or after
//! `--lobby` seconds, and plays for about `--game` seconds. Hosts and guests send each other
//! candidates of their ICE adapters through the server. The pinging clients measure how the server
//! copes.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;

use super::{Scenario, ping_rows, volume_rows};
use crate::actors::{self, ActorCommand, Pinger, Tempo};
use crate::harness::Harness;
use crate::options::{LengthOptions, SearchOptions, Setup, within};
use crate::report::Report;
use crate::swarm::Role;

/// Rounds of the queues are frequent, so that a short evening has some.
const POP_TIMES: [&str; 2] = ["--queue-pop-time-max=20", "--queue-pop-time-min=5"];

/// Flags of `evening`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Evening {
    #[command(flatten)]
    pub(crate) mix: Mix,

    #[command(flatten)]
    pub(crate) length: LengthOptions,
}

/// Flags of `soak`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Soak {
    /// Length of the run, in minutes
    #[arg(long, default_value_t = 60.0, value_parser = within(0.0, 1440.0))]
    pub(crate) minutes: f64,

    #[command(flatten)]
    pub(crate) mix: Mix,
}

/// The clients of an evening and their roles.
#[derive(Debug, Clone, Args)]
pub(crate) struct Mix {
    /// Total number of clients
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,

    /// Number of games at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 300)]
    pub(crate) games: u32,

    /// Share of clients that come and go, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = within(0.0, 100.0))]
    pub(crate) visitors: f64,

    /// Number of clients that ping
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) ping_clients: u32,

    #[command(flatten)]
    pub(crate) search: SearchOptions,

    #[command(flatten)]
    pub(crate) tempo: Tempo,
}

impl Scenario for Evening {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        self.mix.run(setup, "evening", self.length)
    }
}

impl Scenario for Soak {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        self.mix.run(setup, "soak", LengthOptions { seconds: self.minutes * 60.0, deliveries: None })
    }
}

impl Mix {
    fn run(&self, setup: &Setup, name: &'static str, length: LengthOptions) -> anyhow::Result<Report> {
        let arguments = POP_TIMES.map(str::to_owned);
        let mut harness = Harness::online(setup, &arguments, self.roles()?, 0..self.clients)?;
        let before = harness.memory(|memory| memory.anonymous);
        harness.swarm.send_command(ActorCommand::Ping);
        harness.swarm.send_command(ActorCommand::Play);
        let window = harness.measure(name, length.seconds, length.deliveries)?;
        let after = harness.memory(|memory| memory.anonymous);
        let peak = harness.memory(|memory| memory.peak);
        harness.swarm.send_command(ActorCommand::Silence);
        let sample = &window.sample;
        let mut report = Report::new(name);
        report.row("clients", "clients", f64::from(self.clients), "");
        report.row("games", "lobbies that opened", sample.games as f64, "");
        report.row("logins", "logins", sample.logins.len() as f64, "");
        report.row("said", "messages sent by hosts and guests", sample.said as f64, "");
        report.row("searchers", "players who search", f64::from(self.searchers()), "");
        report.row("searches", "players told that a search has begun", sample.searches as f64, "");
        report.row("matched", "players told of a match", sample.matched as f64, "");
        volume_rows(&mut report, &window);
        let each = window.cpu.map(|cpu| cpu * 1e6 / window.seconds / f64::from(self.clients));
        report.row("cpu_per_client", "server's processor time for each client, a second", each, "µs");
        ping_rows(&mut report, sample);
        let lists = sample.lists.quantile_ms(0.99);
        report.row("lists_p99", "login to the last list, 99 %", lists, "ms");
        report.row("memory_before", "server: anonymous memory before", before, "MB");
        report.row("memory_after", "server: anonymous memory after", after, "MB");
        report.row("peak", "server: resident memory, at most", peak, "MB");
        report.row("lost", "clients that the server has disconnected", sample.lost as f64, "");
        harness.finish(&mut report);
        Ok(report)
    }

    fn searchers(&self) -> u32 {
        self.search.searching.of(self.clients)
    }

    /// Returns pingers first, then hosts, guests, visitors and searching players, then those that
    /// only listen.
    fn roles(&self) -> anyhow::Result<Vec<Role>> {
        let evening = actors::Evening::new(self.tempo);
        let pingers = self.ping_clients;
        let hosts = pingers + self.games;
        let guests = hosts + self.games * self.tempo.guests;
        let visitors = guests + (f64::from(self.clients) * self.visitors / 100.0) as u32;
        let all_search = self.searchers();
        let searchers = visitors + all_search;
        ensure!(
            searchers <= self.clients,
            "{} clients are too few: {pingers} ping, {} games have a host and {} guests each, {} come and go, {all_search} \
             search; take more --clients or fewer --games",
            self.clients,
            self.games,
            self.tempo.guests,
            visitors - guests
        );
        let role = |client| match client {
            _ if client < pingers => Role::acting(Pinger::new(Duration::from_millis(200))),
            _ if client < hosts => Role::acting(evening.host(client + 1)),
            _ if client < guests => Role::acting(evening.guest(client + 1)),
            _ if client < visitors => Role::acting(evening.visitor(client + 1)),
            _ if client < searchers => {
                Role::searching(evening.searcher(client + 1, client - visitors, all_search))
            }
            _ => Role::default(),
        };
        Ok((0..self.clients).map(role).collect())
    }
}
