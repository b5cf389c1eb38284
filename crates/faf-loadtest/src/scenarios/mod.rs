//! The scenarios, one file each, with their parameters and results.

pub(crate) mod bots;
pub(crate) mod broadcast;
pub(crate) mod evening;
pub(crate) mod figures;
pub(crate) mod flood;
pub(crate) mod floor;
pub(crate) mod idle;
pub(crate) mod login;
pub(crate) mod slow;
pub(crate) mod storm;

use clap::Args;

use crate::harness::Window;
use crate::options::Setup;
use crate::report::Report;
use crate::report::sample::Sample;

/// A scenario; its fields are its flags.
pub(crate) trait Scenario: Args {
    /// Runs it, and returns its results.
    ///
    /// # Errors
    /// If a client cannot connect or log in, or if nothing happens any more.
    fn run(&self, setup: &Setup) -> anyhow::Result<Report>;
}

/// Converts bytes to megabytes.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Rows of every scenario in which messages are delivered to many clients: their number, and
/// their cost.
fn volume_rows(report: &mut Report, window: &Window) {
    let Window { sample, seconds, cpu, own_cpu } = window;
    let deliveries = sample.deliveries() as f64;
    report.row("seconds", "measured", *seconds, "s");
    report.row("deliveries", "messages delivered", deliveries, "");
    report.row("deliveries_per_second", "messages delivered a second", deliveries / seconds, "/s");
    let size = (deliveries > 0.0).then(|| sample.bytes as f64 / deliveries);
    report.row("message_size", "size of a message on the wire, mean", size, "bytes");
    let per_delivery = cpu.filter(|_| deliveries > 0.0).map(|cpu| cpu * 1e6 / deliveries);
    report.row("cpu_per_delivery", "server's processor time for each message delivered", per_delivery, "µs");
    report.row("cpu", "server's processor time", window.percent(*cpu), "% of one");
    report.row("own_cpu", "load generator's processor time", window.percent(*own_cpu), "% of one");
}

/// Rows about the clients that ping.
fn ping_rows(report: &mut Report, sample: &Sample) {
    report.row("pongs", "pings answered", sample.pong.count() as f64, "");
    report.durations("pong", "ping to pong", &sample.pong);
}
