//! The lower bound of the cost of a broadcast on this machine: a process that writes bytes to
//! sockets and does nothing else.
//!
//! The same clients measure it in the same way as a server, for comparison: both costs depend on
//! the machine, their ratio hardly does.

use clap::{Args, ValueEnum};
use faf_testkit::serving::Serving;

use super::volume_rows;
use crate::harness::Harness;
use crate::options::{LengthOptions, RunOptions, rate, seconds};
use crate::report::Report;
use crate::server::Target;
use crate::server::floor_server::FloorServer;
use crate::swarm::Role;
use crate::swarm::credentials::Credentials;

/// The lower bound of the cost of a broadcast on this machine
#[derive(Debug, Clone, Args)]
pub(crate) struct Floor {
    /// Number of connected clients
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,

    /// Number of messages at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) joined: u32,

    /// Whether simultaneous messages are one write each, or one together
    #[arg(long, value_enum, default_value_t = Write::Each)]
    pub(crate) write: Write,

    /// Number of broadcasts per second
    #[arg(long, default_value_t = 10.0, value_parser = rate())]
    pub(crate) rate: f64,

    /// Size of a message, in bytes
    #[arg(long, default_value_t = 1000)]
    pub(crate) size: usize,

    /// Time to broadcast before the measurement, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds())]
    pub(crate) warm_up: f64,

    #[command(flatten)]
    pub(crate) length: LengthOptions,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// The way in which simultaneous messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Write {
    Each,
    Joined,
}

impl Floor {
    pub(crate) fn run(&self) -> anyhow::Result<Report> {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        let server = FloorServer { rate: self.rate, joined: self.joined, size: self.size, write: self.write };
        let serving = Serving::start(command.arg("floor-server").args(server.arguments()));
        let target = Target::floor(&serving)?;
        let roles = (0..self.clients).map(|_| Role::default()).collect();
        let mut harness = Harness::with(target, Credentials::default(), &self.run, roles)?;
        harness.log_in(0..self.clients)?;
        harness.watch("waiting for the first", 1, |_, sample| sample.delivery.count())?;
        harness.measure("warming up", self.warm_up, self.length.deliveries.map(|_| 1))?;
        let window = harness.measure("the floor", self.length.seconds, self.length.deliveries)?;
        let mut report = Report::new("floor");
        report.row("clients", "clients", f64::from(self.clients), "");
        report.row("joined", "messages at a time", f64::from(self.joined), "");
        volume_rows(&mut report, &window);
        report.durations("delivery", "delivery", &window.sample.delivery);
        report.row("lost", "clients that were disconnected", window.sample.lost as f64, "");
        harness.finish(&mut report);
        Ok(report)
    }
}
