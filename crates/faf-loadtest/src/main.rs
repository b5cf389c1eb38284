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
//! It works with any server of this protocol. If the server is on loopback, clients connect from
//! many loopback addresses, so that ports do not run out. Each client is an open file.

mod actors;
mod harness;
mod options;
mod report;
mod scenarios;
mod server;
mod speech;
mod swarm;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use options::RunOptions;
use report::{Report, plot};
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
    after_help = "Exit codes: 0 measured, 1 clients could not connect or log in, or another failure, 2 wrong usage."
)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    Idle(Idle),
    Login(LoginRate),
    Broadcast(Broadcast),
    Storm(Storm),
    Slow(Slow),
    Flood(Flood),
    Evening(Evening),
    Soak(Soak),
    Floor(Floor),
    Figures(Figures),
    #[command(hide = true)]
    FloorServer(FloorServer),
}

fn main() -> ExitCode {
    match run_scenario(&Arguments::parse().scenario) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the error cannot be reported.
            _ = writeln!(io::stderr(), "faf-loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_scenario(scenario: &Scenario) -> anyhow::Result<()> {
    match scenario {
        Scenario::Broadcast(scenario) => publish(&scenario.run()?, &scenario.run),
        Scenario::Idle(scenario) => publish(&scenario.run()?, &scenario.run),
        Scenario::Login(scenario) => publish(&scenario.run()?, &scenario.run),
        Scenario::Storm(scenario) => publish(&scenario.run()?, &scenario.run),
        Scenario::Slow(scenario) => publish(&scenario.run()?, &scenario.run),
        Scenario::Flood(scenario) => publish(&scenario.run()?, &scenario.run),
        Scenario::Evening(scenario) => publish(&scenario.run()?, &scenario.mix.run),
        Scenario::Soak(scenario) => publish(&scenario.run()?, &scenario.mix.run),
        Scenario::Figures(figures) => figures.run(),
        Scenario::Floor(scenario) => publish(&scenario.run()?, &scenario.run),
        Scenario::FloorServer(server) => server.run(),
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
