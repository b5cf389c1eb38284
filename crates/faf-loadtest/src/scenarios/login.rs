//! How many players can log in each second while others are online.
//!
//! Each gets the list of all who are online, so that a login costs the more the more there are. A
//! login is complete when the last list, the one of games, is there to its end; then the player
//! logs out and in again.

use std::time::Duration;

use clap::Args;

use crate::options::{RunOptions, ServerOptions, seconds};
use crate::report::Report;
use crate::stage::Stage;
use crate::swarm::Role;

/// Logins of one account that a server allows in a short time.
const LOGINS_EACH: u64 = 20;

/// More logins a second than a server is expected to reach.
const RATE: f64 = 3000.0;

/// How many players can log in each second
#[derive(Debug, Clone, Args)]
pub(crate) struct LoginRate {
    /// Players who stay
    #[arg(long, default_value_t = 2000)]
    pub(crate) online: u32,

    /// How long to measure
    #[arg(long, default_value_t = 20.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    /// Measure until this many have logged in, and no longer
    #[arg(long, value_name = "COUNT")]
    pub(crate) logins: Option<u64>,

    #[command(flatten)]
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

impl LoginRate {
    pub(crate) fn run(&self) -> anyhow::Result<Report> {
        // Twice as many as log in at once, so that a name is free again when it is used; and enough
        // that none of them logs in too often.
        let logins = self.logins.unwrap_or((self.seconds * RATE) as u64);
        let others = (2 * self.run.at_once as u32).max((logins / LOGINS_EACH) as u32);
        let roles = (0..self.online + others).map(|_| Role::default()).collect();
        let mut stage = Stage::open(&self.server, &self.run, &[], roles)?;
        stage.log_in(0..self.online)?;
        stage.settle()?;
        stage.swarm.cycle(self.online..self.online + others, self.run.at_once, Duration::ZERO);
        stage.watch("warming up", 1, |_, sample| sample.logins.len() as u64)?;
        let what = "logging in and out";
        let window = match self.logins {
            Some(logins) => stage.watch(what, logins, |_, sample| sample.logins.len() as u64)?,
            None => stage.measure(what, self.seconds, None)?,
        };
        stage.swarm.log_out(self.online..self.online + others);
        let (sample, logins) = (&window.sample, window.sample.logins.len() as f64);
        let mut report = Report::new("login");
        report.row("online", "players who stay", f64::from(self.online), "");
        report.row("seconds", "measured", window.seconds, "s");
        report.row("logins", "logins", logins, "");
        report.row("logins_per_second", "logins a second", logins / window.seconds, "/s");
        let each = window.cpu.map(|cpu| cpu * 1e3 / logins);
        report.row("cpu_per_login", "server's processor time for each login, all included", each, "ms");
        let own = window.own_cpu.map(|cpu| cpu / window.seconds * 100.0);
        report.row("own_cpu", "load generator's processor time", own, "% of one");
        for (key, label, histogram) in [
            (["welcome_p50", "welcome_p99", "welcome_max"], "to the welcome", &sample.welcome),
            (["lists_p50", "lists_p99", "lists_max"], "to the last list", &sample.lists),
        ] {
            report.row(key[0], format!("{label}, median"), histogram.quantile_ms(0.5), "ms");
            report.row(key[1], format!("{label}, 99 %"), histogram.quantile_ms(0.99), "ms");
            report.row(key[2], format!("{label}, slowest"), histogram.max_ms(), "ms");
        }
        report.row("lost", "players that the server has disconnected", sample.lost as f64, "");
        stage.finish(&mut report);
        Ok(report)
    }
}
