//! Figures of the process, under the names of Prometheus libraries. They are read from `/proc` at
//! each request; where that does not exist, they are missing.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Ticks per second of times in `/proc`. The kernel converts them to this rate, whatever its own.
const TICKS: f64 = 100.0;

/// Reads the figures.
#[derive(Debug)]
pub(super) struct Process {
    started: f64,
}

impl Process {
    /// A process that has started now.
    pub(super) fn new() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: started.as_secs_f64() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = read("/proc/self/status");
        let stat = read("/proc/self/stat");
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory", kibibytes(&status, "VmRSS:")),
            ("process_virtual_memory_bytes", "Virtual memory", kibibytes(&status, "VmSize:")),
            ("process_open_fds", "Open files", open_files()),
            (
                "process_max_fds",
                "Limit of open files",
                rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(now, _)| now),
            ),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)?;
        }
        if let Some(seconds) = cpu_seconds(&stat) {
            let help = "Time of all processors, in seconds";
            let encoder =
                encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(encoder)?;
        }
        let help = "Start of the process, in Unix seconds";
        let encoder =
            encoder.encode_descriptor("process_start_time_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.started).encode(encoder)
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Returns a size from the status of a process, in bytes.
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn open_files() -> Option<u64> {
    const FILES: &str = "/proc/self/fd";

    // Linux 6.2 and later give the number as the size of the folder. Otherwise, they are counted.
    match std::fs::metadata(FILES).ok()?.len() {
        0 => std::fs::read_dir(FILES).ok().map(|files| files.count() as u64),
        open => Some(open),
    }
}

/// Returns the time of all processors that a process has taken, from its `stat`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the name, which may contain anything; the third one follows the last
    // bracket. The 14th and 15th are the times in the program and in the kernel.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_proc() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 10 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(kibibytes("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!((cpu_seconds(""), kibibytes("", "VmRSS:")), (None, None));
        assert!(open_files().unwrap() >= 3);
    }
}
