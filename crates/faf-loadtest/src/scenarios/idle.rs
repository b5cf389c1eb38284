//! Memory of clients that log in and send nothing.
//!
//! Memory of the server is its anonymous memory before the first login and after the last, when all
//! is quiet. Memory of the kernel (buffers of TCP, and objects such as sockets) is that of the
//! whole machine: it includes both ends of a connection, and any other activity.

use clap::Args;

use super::{kib_each, megabytes};
use crate::harness::Harness;
use crate::options::{RunOptions, ServerOptions, seconds};
use crate::report::Report;
use crate::server::process::{KernelMemory, Memory, Process};
use crate::swarm::Role;

/// Memory of clients that log in and send nothing
#[derive(Debug, Clone, Args)]
pub(crate) struct Idle {
    /// Number of clients that log in
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) clients: u32,

    /// Time for which they stay, in seconds, for the plot
    #[arg(long, default_value_t = 2.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    #[command(flatten)]
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// Memory of the server and of the kernel at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    server: Option<Memory>,
    kernel: Option<KernelMemory>,
}

impl Usage {
    pub(crate) fn now(harness: &Harness) -> Self {
        let server = harness.target.process.and_then(Process::memory);
        Self { server, kernel: KernelMemory::now() }
    }
}

impl Idle {
    pub(crate) fn run(&self) -> anyhow::Result<Report> {
        let roles = (0..self.clients).map(|_| Role::default()).collect();
        // The server sends no reports or pings during the measurement.
        let arguments = ["--report-interval=3600", "--ping-interval=3600"].map(str::to_owned);
        let mut harness = Harness::open(&self.server, &self.run, &arguments, roles)?;
        // The first login makes a server allocate memory that is not needed again.
        harness.log_in(0..1)?;
        harness.settle()?;
        let before = Usage::now(&harness);
        harness.log_in(1..self.clients)?;
        harness.settle()?;
        let mut report = Self::report(self.clients - 1, before, Usage::now(&harness));
        harness.measure("idle", self.seconds, None)?;
        harness.finish(&mut report);
        Ok(report)
    }

    /// Returns the memory that this number of connections has added.
    pub(crate) fn report(connections: u32, before: Usage, after: Usage) -> Report {
        let mut report = Report::new("idle");
        let each = |before: Option<u64>, after: Option<u64>| {
            Some(kib_each(after?.cast_signed() - before?.cast_signed(), connections))
        };
        let server = |what: fn(Memory) -> u64| each(before.server.map(what), after.server.map(what));
        let kernel = |what: fn(KernelMemory) -> u64| each(before.kernel.map(what), after.kernel.map(what));
        report.row("connections", "connections after the first", f64::from(connections), "");
        let user = server(|memory| memory.anonymous);
        report.row("user_memory", "server: anonymous memory of each", user, "KiB");
        report.row("resident", "server: resident memory of each", server(|memory| memory.resident), "KiB");
        report.row("kernel_tcp", "kernel: TCP buffers of each", kernel(|memory| memory.tcp), "KiB");
        report.row(
            "kernel_slab",
            "kernel: sockets and other objects of each",
            kernel(|memory| memory.slab),
            "KiB",
        );
        let total = after.server.map(|memory| megabytes(memory.anonymous));
        report.row("total", "server: anonymous memory, all", total, "MB");
        let peak = after.server.map(|memory| megabytes(memory.peak));
        report.row("peak", "server: resident memory, at most", peak, "MB");
        report
    }
}
