//! Broadcasts to all clients, again and again.
//!
//! With `--joined 1`, an administrator sends notices; each is a message and a write of its own for
//! each client. With more, that many hosts change the titles of their games with every report: each
//! report carries as many `game_info`, which a server may send with one write. A host acts when the
//! last report has reached it, so that no report misses one; the delivery time then includes the
//! wait for the report.
//!
//! Some clients ping in the meantime, to measure how a broadcast affects all others.

use std::time::Duration;

use clap::Args;

use super::{Scenario, ping_rows, volume_rows};
use crate::actors::{ActorCommand, Announcer, Pinger, Retitler};
use crate::harness::{Harness, Window};
use crate::options::{LengthOptions, Setup, interval, rate, seconds};
use crate::report::Report;
use crate::swarm::Role;

/// Flags of `broadcast`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Broadcast {
    /// Number of clients that are logged in
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,

    /// 1: notices of an administrator (the first account, which needs that permission), one at a
    /// time. More: this many games that change with every report
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) joined: u32,

    /// Notices per second
    #[arg(long, default_value_t = 10.0, value_parser = rate())]
    pub(crate) rate: f64,

    /// Size of a notice, or of a `game_info` (up to about 1,000), in bytes
    #[arg(long, default_value_t = 1000)]
    pub(crate) size: usize,

    /// Number of clients that ping
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) ping_clients: u32,

    /// Interval of their pings, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2, value_parser = interval())]
    pub(crate) ping_interval: f64,

    /// Time to broadcast before the measurement, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds())]
    pub(crate) warm_up: f64,

    /// For a started server: seconds between reports, when games change
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2, value_parser = interval())]
    pub(crate) report_interval: f64,

    #[command(flatten)]
    pub(crate) length: LengthOptions,
}

impl Scenario for Broadcast {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        let mut harness = self.online(setup)?;
        let mut report = self.measure(&mut harness)?;
        harness.finish(&mut report);
        Ok(report)
    }
}

impl Broadcast {
    /// Logs all clients in.
    pub(crate) fn online(&self, setup: &Setup) -> anyhow::Result<Harness> {
        let arguments = [format!("--report-interval={}", self.report_interval)];
        let arguments = if self.joined > 1 { &arguments[..] } else { &[] };
        Harness::online(setup, arguments, self.roles(), 0..self.clients)
    }

    /// Returns the administrator first, then pingers, then hosts, then all others.
    fn roles(&self) -> Vec<Role> {
        let hosts = if self.joined > 1 { self.joined } else { 0 };
        let pingers = self.ping_clients;
        let role = |client| match client {
            0 => Role::acting(Announcer::default()),
            _ if client <= pingers => Role::acting(Pinger::new(Duration::from_secs_f64(self.ping_interval))),
            _ if client <= pingers + hosts => Role::acting(Retitler::new(self.size)),
            _ => Role::default(),
        };
        (0..self.clients).map(role).collect()
    }

    /// Measures with clients that are logged in.
    pub(crate) fn measure(&self, harness: &mut Harness) -> anyhow::Result<Report> {
        if self.joined > 1 {
            harness.swarm.send_command(ActorCommand::Retitle);
            harness.await_first_delivery()?;
        } else {
            harness.announce(self.rate, self.size)?;
        }
        harness.measure("warming up", self.warm_up, self.length.deliveries.map(|_| 1))?;
        let window = harness.measure("broadcasting", self.length.seconds, self.length.deliveries)?;
        harness.swarm.send_command(ActorCommand::Silence);
        Ok(self.report(&window))
    }

    fn report(&self, window: &Window) -> Report {
        let mut report = Report::new("broadcast");
        report.row("clients", "clients", f64::from(self.clients), "");
        let said = window.sample.said as f64;
        report.row("said", "messages to everybody", said, "");
        report.row("joined", "of them at a time", f64::from(self.joined), "");
        volume_rows(&mut report, window);
        report.durations("delivery", "delivery", &window.sample.delivery);
        ping_rows(&mut report, &window.sample);
        report.row("lost", "clients that the server has disconnected", window.sample.lost as f64, "");
        report
    }
}
