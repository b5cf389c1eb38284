//! Some clients stop reading during broadcasts: are other clients affected?
//!
//! One run has both windows: first with all clients reading, then with the stalled clients. A
//! client that accepts no data is disconnected after some time. To see that within the run, the
//! started server gets a short time limit (`--stall-timeout`), and those clients a small buffer in
//! the kernel and small packets, which also keep the buffer on the server's side small. Together
//! they hold some 200 kB, which fill up before data is queued.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use clap::Args;

use super::{Scenario, ping_rows};
use crate::actors::{ActorCommand, Announcer, Pinger};
use crate::harness::{Harness, Window};
use crate::options::{LengthOptions, Part, Setup, rate};
use crate::report::Report;
use crate::report::histogram::Histogram;
use crate::server::process::established;
use crate::swarm::Role;
use crate::swarm::connection::Reading;

/// Flags of `slow`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Slow {
    /// Number of clients that are logged in
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) clients: u32,

    /// Number of clients that stop reading: a number, or a share such as 1%
    #[arg(long, default_value = "1%")]
    pub(crate) stalled: Part,

    /// They read on, but only one byte per second
    #[arg(long)]
    pub(crate) trickle: bool,

    /// Size of their receive buffer in the kernel from then on, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 8192)]
    pub(crate) receive_buffer: usize,

    /// For a started server: time for which a client may accept no data
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    pub(crate) stall_timeout: f64,

    /// Notices per second
    #[arg(long, default_value_t = 10.0, value_parser = rate())]
    pub(crate) rate: f64,

    /// Size of a notice, in bytes
    #[arg(long, default_value_t = 1000)]
    pub(crate) size: usize,

    /// Number of clients that ping
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) ping_clients: u32,

    /// Length of each window
    #[command(flatten)]
    pub(crate) length: LengthOptions,
}

impl Scenario for Slow {
    fn run(&self, setup: &Setup) -> anyhow::Result<Report> {
        let arguments = [format!("--stall-timeout={}", self.stall_timeout)];
        let stalled = self.stalled.of(self.clients - 1);
        let honest = self.clients - stalled;
        let role = |client| match client {
            0 => Role::acting(Announcer::default()),
            _ if client <= self.ping_clients && client < honest => {
                Role::acting(Pinger::new(Duration::from_millis(200)))
            }
            _ if client < honest => Role::default(),
            _ => Role { receive_buffer: Some(self.receive_buffer), ..Role::default() },
        };
        let roles = (0..self.clients).map(role).collect();
        let mut harness = Harness::open(setup, &arguments, roles)?;
        let others = Watched::of(&harness);
        harness.log_in(0..honest)?;
        let before = others.established();
        harness.log_in(honest..self.clients)?;
        let slow = others.established().difference(&before).copied().collect();
        harness.settle()?;

        harness.announce(self.rate, self.size)?;
        let all_read = harness.measure("everybody reads", self.length.seconds, self.length.deliveries)?;

        let reading = if self.trickle { Reading::Trickle } else { Reading::Stalled };
        harness.swarm.read(honest..self.clients, reading);
        let mut ends = Ends::new(others, slow);
        let some_stalled = self.measure_stalled(&mut harness, &mut ends)?;
        harness.swarm.send_command(ActorCommand::Silence);
        let mut report = Report::new("slow");
        report.row("clients", "clients", f64::from(self.clients), "");
        report.row("stalled", "of them stop reading", f64::from(stalled), "");
        for (key, label, Window { sample, seconds, .. }) in
            [("read", "everybody reads", &all_read), ("stalled", "some do not", &some_stalled)]
        {
            let rate = sample.deliveries() as f64 / seconds;
            let rate_label = format!("{label}: messages delivered a second");
            report.row(format!("{key}_per_second"), rate_label, rate, "/s");
            report.durations(&format!("{key}_delivery"), &format!("{label}: delivery"), &sample.delivery);
        }
        let pong = all_read.sample.pong.quantile_ms(0.99);
        report.row("read_pong_p99", "everybody reads: ping to pong, 99 %", pong, "ms");
        ping_rows(&mut report, &some_stalled.sample);
        report.row("disconnected", "stalled clients that were disconnected", ends.times.count() as f64, "");
        report.row("disconnected_p50", "after, median", ends.times.quantile_ms(0.5).map(|ms| ms / 1e3), "s");
        report.row("disconnected_max", "after, latest", ends.times.max_ms().map(|ms| ms / 1e3), "s");
        let lost = all_read.sample.lost_honest + some_stalled.sample.lost_honest;
        report.row("lost", "others that were disconnected", lost as f64, "");
        report.row("peak", "server: resident memory, at most", harness.memory(|memory| memory.peak), "MB");
        harness.finish(&mut report);
        Ok(report)
    }
}

impl Slow {
    /// Measures the second window in pieces, and checks the connections between them.
    fn measure_stalled(&self, harness: &mut Harness, ends: &mut Ends) -> anyhow::Result<Window> {
        /// Length of a piece, in seconds. A check takes time of the kernel, so it must not
        /// be frequent.
        const PIECE: f64 = 2.0;

        let (began, mut sum) = (Instant::now(), Window::default());
        let LengthOptions { seconds, deliveries } = self.length;
        while deliveries.map_or(sum.seconds < seconds, |wanted| sum.sample.deliveries() < wanted) {
            let piece = harness.measure("some do not", PIECE.min(seconds), deliveries.map(|_| 1))?;
            sum.seconds = began.elapsed().as_secs_f64();
            sum.sample.add(piece.sample);
            ends.look();
        }
        Ok(sum)
    }
}

/// Connections of a server.
#[derive(Debug)]
struct Watched(Vec<u16>);

impl Watched {
    fn of(harness: &Harness) -> Self {
        Self(harness.target.endpoints.iter().map(|endpoint| endpoint.address.port()).collect())
    }

    fn established(&self) -> HashSet<SocketAddrV4> {
        established(&self.0).unwrap_or_default()
    }
}

/// Times at which connections ended.
#[derive(Debug)]
struct Ends {
    watched: Watched,
    left: HashSet<SocketAddrV4>,
    began: Instant,
    times: Histogram,
}

impl Ends {
    fn new(watched: Watched, left: HashSet<SocketAddrV4>) -> Self {
        Self { watched, left, began: Instant::now(), times: Histogram::default() }
    }

    fn look(&mut self) {
        if self.left.is_empty() {
            return;
        }
        let established = self.watched.established();
        let (times, after) = (&mut self.times, self.began.elapsed());
        self.left.retain(|connection| {
            let is_there = established.contains(connection);
            if !is_there {
                times.record(after);
            }
            is_there
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_number_or_a_share() {
        assert_eq!("1%".parse::<Part>().unwrap().of(10_000), 100);
        assert_eq!("1%".parse::<Part>().unwrap().of(10), 1);
        assert_eq!("7".parse::<Part>().unwrap().of(5), 5);
        assert!("101%".parse::<Part>().is_err() && "x".parse::<Part>().is_err());
    }
}
