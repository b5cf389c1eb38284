//! Figures of the process, under the names that all client libraries of Prometheus use.
//!
//! They come from `/proc`, which only Linux has; elsewhere there are none of them.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Ticks in a second of processor time in `/proc/self/stat`. Linux shows 100 to programs on all
/// processors that Rust's standard library supports, whatever the kernel counts in.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads the figures at each request.
#[derive(Debug)]
pub(super) struct Process {
    start_time: f64,
}

impl Process {
    pub(super) fn new() -> Self {
        let start_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Self { start_time }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat))
        {
            let help = "Processor time of the process, in user and in kernel mode";
            let encoder =
                encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?;
            ConstCounter::new(seconds).encode(encoder)?;
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let memory = |field| kibibytes(&status, field).map(|kibibytes| kibibytes.saturating_mul(1024));
        let gauges = [
            ("process_resident_memory_bytes", "Memory of the process that is in RAM", memory("VmRSS")),
            ("process_virtual_memory_bytes", "Address space of the process", memory("VmSize")),
            ("process_open_fds", "Open files of the process, connections included", open_files()),
            ("process_max_fds", "Most files that the process may open", max_files()),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)?;
        }
        let help = "When the server was started, in Unix seconds";
        let encoder =
            encoder.encode_descriptor("process_start_time_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.start_time).encode(encoder)
    }
}

/// Returns the processor time in the text of `/proc/self/stat`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the name of the program in parentheses, which may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(kernel) as f64 / TICKS_PER_SECOND)
}

/// Returns a field of the text of `/proc/self/status`, such as `VmRSS:     5372 kB`.
fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    rest.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

fn open_files() -> Option<u64> {
    let folder = "/proc/self/fd";
    // Since Linux 6.2, the size of the folder is the number of files in it; before, it is zero, and
    // they must be counted.
    let files = fs::metadata(folder).ok()?.len();
    if files > 0 { Some(files) } else { Some(fs::read_dir(folder).ok()?.count() as u64) }
}

fn max_files() -> Option<u64> {
    rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 12345 1000 10";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (a"), None);
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_read_by_name() {
        let status = "Name:\tfaf-lobby\nVmSize:\t   20480 kB\nVmRSS:\t    5372 kB\nThreads:\t3\n";
        assert_eq!(kibibytes(status, "VmRSS"), Some(5372));
        assert_eq!(kibibytes(status, "Threads"), None);
        assert_eq!(kibibytes(status, "Vm"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn figures_follow_the_process() {
        let metrics = Metrics::new();
        let figure = |name: &str| -> f64 {
            let text = metrics.text().unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is missing in\n{text}")).parse().unwrap()
        };
        let before = figure("process_open_fds");
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        // Tests that run at the same time open and close files as well.
        assert!(figure("process_open_fds") > before + 20.0);
        drop(files);
        assert!(figure("process_max_fds") >= before);
        assert!(figure("process_resident_memory_bytes") > 1_000_000.0);
        assert!(figure("process_virtual_memory_bytes") > figure("process_resident_memory_bytes"));
        let busy = figure("process_cpu_seconds_total");
        while figure("process_cpu_seconds_total") <= busy {}
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..60.0).contains(&(now - figure("process_start_time_seconds"))));
    }
}
