//! `faf-loadtest`: puts load on a server that speaks the lobby protocol, and measures its
//! performance.
//!
//! ```text
//! scenarios/     the scenarios, a file each; they run on the main thread
//!     |  orders              ^ samples: counts, histograms
//!     v                      |
//! swarm/         one or a few threads, each with thousands of clients in one event loop
//!     |          a socket, the progress of its login, its reading speed; counts messages without
//!     |          decoding them, and finds the time of sending in their bytes
//!     +- attack  hostile peers, in the same loop on a thread of its own
//!     +- actors/ the few clients that decode messages and send their own
//!
//! harness        server and swarm together: waits, watches, shows progress
//! server/        a running server, or one that is started with its own accounts; its CPU time and
//!                memory; the minimal broadcaster
//! report/        samples and histograms; a table, JSON, a picture
//! ```
//!
//! The scenario `bots` is different: bots with accounts of their own play everything there is,
//! through the connections of the crate of bots, so that an evening can be recorded.
//!
//! It works with any server of this protocol. If the server is on loopback, clients connect from
//! many loopback addresses, so that ports do not run out. Each client is an open file.

mod actors;
mod harness;
mod messages;
mod options;
mod report;
mod scenarios;
mod server;
mod swarm;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use options::{RunOptions, Setup};
use report::{Report, plot};
use scenarios::Scenario;
use scenarios::bots::Bots;
use scenarios::broadcast::Broadcast;
use scenarios::evening::{Evening, Soak};
use scenarios::figures::Figures;
use scenarios::flood::Flood;
use scenarios::floor::Floor;
use scenarios::idle::Idle;
use scenarios::login::LoginRate;
use scenarios::slow::Slow;
use scenarios::storm::Storm;
use server::floor_server::FloorServer;

/// Puts load on a lobby server, and measures its performance
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 measured or played, 1 clients could not connect or log in, or another failure, 2 wrong usage."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Memory of clients that log in and send nothing
    Idle(WithServer<Idle>),
    /// The number of logins per second
    Login(WithServer<LoginRate>),
    /// Broadcast to all clients, again and again
    Broadcast(WithServer<Broadcast>),
    /// All clients lose their connection and reconnect at once
    Storm(WithServer<Storm>),
    /// Some clients stop reading: are other clients affected?
    Slow(WithServer<Slow>),
    /// Hostile input of several kinds, and its effect on honest players
    Flood(WithServer<Flood>),
    /// An ordinary evening: players come and go, and so do games
    Evening(WithServer<Evening>),
    /// An evening for many minutes, with memory and latency over time; use --plot
    Soak(WithServer<Soak>),
    Bots(Bots),
    Floor(Floor),
    Figures(Figures),
    #[command(hide = true)]
    FloorServer(FloorServer),
}

/// A scenario, and the server on which it puts load.
#[derive(Debug, Args)]
struct WithServer<S: Args> {
    #[command(flatten)]
    scenario: S,

    #[command(flatten)]
    setup: Setup,
}

impl<S: Scenario> WithServer<S> {
    fn run(&self) -> anyhow::Result<()> {
        publish(&self.scenario.run(&self.setup)?, &self.setup.run)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the error cannot be reported.
            _ = writeln!(io::stderr(), "faf-loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Idle(scenario) => scenario.run(),
        Command::Login(scenario) => scenario.run(),
        Command::Broadcast(scenario) => scenario.run(),
        Command::Storm(scenario) => scenario.run(),
        Command::Slow(scenario) => scenario.run(),
        Command::Flood(scenario) => scenario.run(),
        Command::Evening(scenario) => scenario.run(),
        Command::Soak(scenario) => scenario.run(),
        Command::Bots(bots) => bots.run(),
        Command::Floor(floor) => publish(&floor.run()?, &floor.run),
        Command::Figures(figures) => figures.run(),
        Command::FloorServer(server) => server.run(),
    }
}

/// Publishes the results in all requested forms.
#[expect(clippy::print_stdout, reason = "the output is the product")]
fn publish(report: &Report, options: &RunOptions) -> anyhow::Result<()> {
    if options.json.as_deref() != Some(Path::new("-")) {
        print!("{}", report.table());
    }
    if let Some(file) = &options.json {
        report::write_json(&report.json(), file)?;
    }
    if let Some(file) = &options.plot {
        let picture = plot::svg(report.scenario, &report.moments)?;
        std::fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))?;
    }
    match &report.failure {
        Some(failure) => anyhow::bail!("{failure}"),
        None => Ok(()),
    }
}
