//! Memory of clients that log in and send nothing.
//!
//! Memory of the server is its anonymous memory before the first login and after the last, when all
//! is quiet. Memory of the kernel (buffers of TCP, and objects such as sockets) is that of the
//! whole machine: it includes both ends of a connection, and any other activity.
//!
//! With `--searching`, a share of the clients then searches in queues that have no rounds, and the
//! memory is taken once more.

use clap::Args;

use super::{Scenario, megabytes};
use crate::actors::searchers_only;
use crate::harness::Harness;
use crate::options::{SearchOptions, Setup, seconds};
use crate::report::Report;
use crate::server::process::{KernelMemory, Memory, Process};
use crate::swarm::Role;

/// Flags of `idle`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Idle {
    /// Number of clients that log in
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) clients: u32,

    /// Time for which they stay, in seconds, for the plot
    #[arg(long, default_value_t = 2.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    #[command(flatten)]
    pub(crate) search: SearchOptions,
}

/// Returns the memory of the server and of the kernel at this moment.
fn memory(harness: &Harness) -> (Option<Memory>, Option<KernelMemory>) {
    (harness.target.process.and_then(Process::memory), KernelMemory::now())
}

impl Scenario for Idle {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        let searchers = self.search.searching.of(self.clients - 1);
        let searching = searchers_only();
        let role = |client: u32| match client {
            1.. if client <= searchers => {
                Role::searching(searching.searcher(client + 1, client - 1, searchers))
            }
            _ => Role::default(),
        };
        let roles = (0..self.clients).map(role).collect();
        // The server sends no pings during the measurement, and makes no matches. Nor does it send
        // reports, without which nobody would learn that a party is complete.
        let mut arguments = vec!["--ping-interval=3600".to_owned(), "--queue-pop-time-max=3600".to_owned()];
        if searchers == 0 {
            arguments.push("--report-interval=3600".to_owned());
        }
        // The first login makes a server allocate memory that is not needed again.
        let mut harness = Harness::online(setup, &arguments, roles, 0..1)?;
        let (server_before, kernel_before) = memory(&harness);
        harness.log_in(1..self.clients)?;
        harness.settle()?;
        let (server_after, kernel_after) = memory(&harness);
        let connections = f64::from(self.clients - 1);
        let each = |before: Option<u64>, after: Option<u64>| {
            Some((after?.cast_signed() - before?.cast_signed()) as f64 / 1024.0 / connections)
        };
        let server = |what: fn(Memory) -> u64| each(server_before.map(what), server_after.map(what));
        let kernel = |what: fn(KernelMemory) -> u64| each(kernel_before.map(what), kernel_after.map(what));
        let mut report = Report::new("idle");
        report.row("connections", "connections after the first", connections, "");
        let user = server(|memory| memory.anonymous);
        report.row("user_memory", "server: anonymous memory of each", user, "KiB");
        report.row("resident", "server: resident memory of each", server(|memory| memory.resident), "KiB");
        report.row("kernel_tcp", "kernel: TCP buffers of each", kernel(|memory| memory.tcp), "KiB");
        let slab = kernel(|memory| memory.slab);
        report.row("kernel_slab", "kernel: sockets and other objects of each", slab, "KiB");
        if searchers > 0 {
            harness.search(searchers)?;
            let (server_searching, _) = memory(&harness);
            let grown = |after: Option<Memory>, before: Option<Memory>| {
                let (after, before) = (after?.anonymous, before?.anonymous);
                Some((after.cast_signed() - before.cast_signed()) as f64 / 1024.0)
            };
            let each = grown(server_searching, server_before).map(|grown| grown / connections);
            report.row("searchers", "of them search", f64::from(searchers), "");
            report.row("searching_memory", "server: anonymous memory of each then", each, "KiB");
            let of_search = grown(server_searching, server_after).map(|grown| grown / f64::from(searchers));
            report.row("search_memory", "server: anonymous memory for each that searches", of_search, "KiB");
        }
        let total = server_after.map(|memory| megabytes(memory.anonymous));
        report.row("total", "server: anonymous memory, all", total, "MB");
        let peak = server_after.map(|memory| megabytes(memory.peak));
        report.row("peak", "server: resident memory, at most", peak, "MB");
        harness.measure("idle", self.seconds, None)?;
        harness.finish(&mut report);
        Ok(report)
    }
}
