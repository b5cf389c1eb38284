//! The number of logins per second while others are online.
//!
//! Each login receives the list of all online players, so its cost grows with their number. A login
//! is complete when the last list, that of the games, has arrived completely; then the player logs
//! out and in again.

use std::time::Duration;

use clap::Args;

use super::Scenario;
use crate::actors::searchers_only;
use crate::harness::Harness;
use crate::options::{SearchOptions, Setup, seconds};
use crate::report::Report;
use crate::swarm::Role;

/// Number of logins of one account that a server allows in a short time.
const LOGINS_EACH: u64 = 20;

/// Logins per second, more than a server is expected to reach.
const RATE: f64 = 3000.0;

/// Flags of `login`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoginRate {
    /// Number of players that stay
    #[arg(long, default_value_t = 2000)]
    pub(crate) online: u32,

    /// Length of the measurement, in seconds
    #[arg(long, default_value_t = 20.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    /// Stop after this many logins
    #[arg(long, value_name = "COUNT")]
    pub(crate) logins: Option<u64>,

    #[command(flatten)]
    pub(crate) search: SearchOptions,
}

impl Scenario for LoginRate {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        let at_once = setup.run.at_once;
        // Twice as many accounts as logins in flight, so that an account is free again when it is
        // used; and enough accounts that none logs in too often.
        let logins = self.logins.unwrap_or((self.seconds * RATE) as u64);
        let others = (2 * at_once as u32).max((logins / LOGINS_EACH) as u32);
        let searchers = self.search.searching.of(self.online);
        let searching = searchers_only();
        let role = |client| match client {
            _ if client < searchers => Role::searching(searching.searcher(client + 1, client, searchers)),
            _ => Role::default(),
        };
        let roles = (0..self.online + others).map(role).collect();
        // Matches would be games of an evening.
        let arguments = ["--queue-pop-time-max=3600".to_owned()];
        let mut harness = Harness::online(setup, &arguments, roles, 0..self.online)?;
        harness.search(searchers)?;
        harness.swarm.cycle(self.online..self.online + others, at_once, Duration::ZERO);
        harness.watch("warming up", 1, |_, sample| sample.logins.len() as u64)?;
        let what = "logging in and out";
        let window = match self.logins {
            Some(logins) => harness.watch(what, logins, |_, sample| sample.logins.len() as u64)?,
            None => harness.measure(what, self.seconds, None)?,
        };
        harness.swarm.log_out(self.online..self.online + others);
        let (sample, logins) = (&window.sample, window.sample.logins.len() as f64);
        let mut report = Report::new("login");
        report.row("online", "players who stay", f64::from(self.online), "");
        report.row("searchers", "of them search", f64::from(searchers), "");
        report.row("seconds", "measured", window.seconds, "s");
        report.row("logins", "logins", logins, "");
        report.row("logins_per_second", "logins a second", logins / window.seconds, "/s");
        let each = window.cpu.map(|cpu| cpu * 1e3 / logins);
        report.row("cpu_per_login", "server's processor time for each login, all included", each, "ms");
        let own = window.percent(window.own_cpu);
        report.row("own_cpu", "load generator's processor time", own, "% of one");
        report.durations("welcome", "to the welcome", &sample.welcome);
        report.durations("lists", "to the last list", &sample.lists);
        report.row("lost", "players that the server has disconnected", sample.lost as f64, "");
        harness.finish(&mut report);
        Ok(report)
    }
}
