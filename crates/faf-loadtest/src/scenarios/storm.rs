//! All clients lose their connection at the same moment and reconnect at once, as after a failure
//! of the network.
//!
//! With `--kill-server` the started server is killed without warning and started again. With
//! `--cold` nobody was connected before. With `--database-hangs` the server cannot write to its
//! database for a while. Clients try again every tenth of a second until they are logged in, and
//! never give up.
//!
//! A few players stay and ping, unless the server is killed.

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;

use super::{Scenario, megabytes, ping_rows};
use crate::actors::{ActorCommand, Pinger};
use crate::harness::Harness;
use crate::options::{Setup, seconds};
use crate::report::Report;
use crate::swarm::Role;
use crate::swarm::marker;

/// Flags of `storm`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Storm {
    /// Number of clients that reconnect
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,

    /// Kill the server, which --start has started, and start it again
    #[arg(long, requires = "start", conflicts_with = "cold")]
    pub(crate) kill_server: bool,

    /// No clients were connected before
    #[arg(long)]
    pub(crate) cold: bool,

    /// Lock the database of the server, which --start has started, for this long
    #[arg(long, value_name = "SECONDS", requires = "start", conflicts_with = "kill_server", value_parser = seconds())]
    pub(crate) database_hangs: Option<f64>,

    /// Number of players that stay and ping, unless the server is killed
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) ping_clients: u32,

    /// Time to wait before the storm
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds())]
    pub(crate) calm: f64,
}

impl Scenario for Storm {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        let pingers = if self.kill_server { 0 } else { self.ping_clients };
        let role = |client| match client {
            _ if client < pingers => Role::acting(Pinger::new(Duration::from_millis(200))),
            _ => Role::default(),
        };
        let all = pingers..pingers + self.clients;
        let mut harness = Harness::open(setup, &[], (0..all.end).map(role).collect())?;
        harness.log_in(0..pingers)?;
        if !self.cold {
            harness.log_in(all.clone())?;
        }
        harness.settle()?;
        harness.swarm.send_command(ActorCommand::Ping);
        harness.measure("the calm before", self.calm, None)?;

        let (began, moment) = (Instant::now(), marker::now());
        if self.kill_server {
            harness.target.kill_and_restart()?;
            harness.swarm.relocate(&harness.target.endpoints);
        }
        let restarted = began.elapsed();
        let hang = |seconds| harness.target.hang_database(Duration::from_secs_f64(seconds));
        let hanging = self.database_hangs.map(hang).transpose()?;
        harness.swarm.log_out(all.clone());
        harness.swarm.log_in(all.clone(), self.clients as usize, true);
        let goal = u64::from(self.clients);
        let window = harness.watch("coming back", goal, |_, sample| {
            sample.logins.iter().filter(|login| **login >= moment).count() as u64
        })?;
        drop(hanging);
        let mut logins = window.sample.logins.clone();
        logins.sort_unstable();
        ensure!(!logins.is_empty(), "nobody has come back");
        let after = |share: f64| {
            let place = ((logins.len() as f64 * share).ceil() as usize).clamp(1, logins.len());
            logins[place - 1].saturating_sub(moment) as f64 / 1e6
        };
        let mut report = Report::new("storm");
        report.row("clients", "clients", f64::from(self.clients), "");
        if self.kill_server {
            report.row("restart", "until the server was there again", restarted.as_secs_f64(), "s");
        }
        if let Some(seconds) = self.database_hangs {
            report.row("hung", "the database hung", seconds, "s");
        }
        report.row("first", "until the first is back, with all lists", after(0.0), "s");
        report.row("half", "until half of them are", after(0.5), "s");
        report.row("most", "until 99 % are", after(0.99), "s");
        report.row("last", "until all are", after(1.0), "s");
        report.durations("lists", "from the last attempt to the last list", &window.sample.lists);
        report.row("bytes", "received meanwhile", megabytes(window.sample.bytes), "MB");
        report.row("cpu", "server's processor time", window.cpu, "s");
        report.row("own_cpu", "load generator's processor time", window.own_cpu, "s");
        report.row("retries", "attempts that came to nothing", window.sample.retries as f64, "");
        if !self.kill_server {
            ping_rows(&mut report, &window.sample);
            let lost = window.sample.lost as f64;
            report.row("lost", "clients that the server has disconnected", lost, "");
        }
        report.row("peak", "server: resident memory, at most", harness.memory(|memory| memory.peak), "MB");
        harness.finish(&mut report);
        Ok(report)
    }
}
