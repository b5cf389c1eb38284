//! The scenarios, one file each, with their parameters and results.

pub(crate) mod broadcast;
pub(crate) mod evening;
pub(crate) mod figures;
pub(crate) mod flood;
pub(crate) mod floor;
pub(crate) mod idle;
pub(crate) mod login;
pub(crate) mod slow;
pub(crate) mod storm;

use crate::harness::Window;
use crate::report::Report;
use crate::report::sample::Sample;

/// Returns kibibytes per item, from a number of bytes for all.
fn kib_each(bytes: i64, count: u32) -> f64 {
    bytes as f64 / 1024.0 / f64::from(count.max(1))
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
    report.row("cpu", "server's processor time", cpu.map(|cpu| cpu / seconds * 100.0), "% of one");
    let own = own_cpu.map(|cpu| cpu / seconds * 100.0);
    report.row("own_cpu", "load generator's processor time", own, "% of one");
}

/// Rows about the duration of deliveries.
fn delivery_rows(report: &mut Report, sample: &Sample) {
    report.row("delivery_p50", "delivery, median", sample.delivery.quantile_ms(0.5), "ms");
    report.row("delivery_p99", "delivery, 99 %", sample.delivery.quantile_ms(0.99), "ms");
    report.row("delivery_max", "delivery, slowest", sample.delivery.max_ms(), "ms");
}

/// Rows about the clients that ping.
fn ping_rows(report: &mut Report, sample: &Sample) {
    report.row("pongs", "pings answered", sample.pong.count() as f64, "");
    report.row("pong_p50", "ping to pong, median", sample.pong.quantile_ms(0.5), "ms");
    report.row("pong_p99", "ping to pong, 99 %", sample.pong.quantile_ms(0.99), "ms");
    report.row("pong_max", "ping to pong, slowest", sample.pong.max_ms(), "ms");
}
