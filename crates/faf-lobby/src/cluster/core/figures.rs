//! Figures of a core, for metrics: its loop writes them, and each request reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faf_lobby_cluster::Ignored;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Figures of a core.
#[derive(Debug, Default)]
pub(crate) struct CoreFigures {
    pub(super) leads: AtomicI64,
    pub(super) is_ready: AtomicI64,
    pub(super) epoch: AtomicU64,
    pub(super) position: AtomicU64,
    /// Milliseconds for which it may not have read everything; -1 if that is not known.
    pub(super) behind: AtomicI64,
    pub(super) leader_silent: AtomicU64,
    pub(super) takeovers: AtomicU64,
    pub(super) open_requests: AtomicU64,
    pub(super) kept_effects: AtomicU64,
    pub(super) kept_bytes: AtomicU64,
    pub(super) gateways: AtomicU64,
    pub(super) batches_waiting: AtomicU64,
    snapshots: AtomicU64,
    snapshot_bytes: AtomicU64,
    /// Milliseconds for which the last snapshot held up the loop.
    snapshot_took: AtomicU64,
    pub(super) ignored: Mutex<BTreeMap<Ignored, u64>>,
}

impl CoreFigures {
    pub(super) fn wrote_snapshot(&self, bytes: usize, took: Duration) {
        self.snapshots.fetch_add(1, Relaxed);
        self.snapshot_bytes.store(bytes as u64, Relaxed);
        self.snapshot_took.store(u64::try_from(took.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Shows [`CoreFigures`] at each request.
#[derive(Debug)]
pub(crate) struct CoreCollector(pub(crate) Arc<CoreFigures>);

impl Collector for CoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = &self.0;
        let seconds = |milliseconds: i64| milliseconds as f64 / 1000.0;
        let count = |count: &AtomicU64| count.load(Relaxed) as f64;
        let millis = |count: &AtomicU64| seconds(count.load(Relaxed).try_into().unwrap_or(i64::MAX));
        let gauges: [(&str, &str, f64); 13] = [
            ("core_leads", "Whether this core leads: 1 or 0", figures.leads.load(Relaxed) as f64),
            (
                "core_ready",
                "Whether it leads, or has read everything and could",
                figures.is_ready.load(Relaxed) as f64,
            ),
            ("core_epoch", "Number of the current leadership", count(&figures.epoch)),
            (
                "core_position",
                "Sequence number of the last message of the stream that was applied",
                count(&figures.position),
            ),
            (
                "core_behind_seconds",
                "Age of the oldest message that may not be applied yet; negative if that is not known",
                seconds(figures.behind.load(Relaxed)),
            ),
            (
                "core_leader_silent_seconds",
                "Time since the last sign of the leader",
                millis(&figures.leader_silent),
            ),
            (
                "core_open_requests",
                "Requests to the database whose reply is not in the stream",
                count(&figures.open_requests),
            ),
            ("core_kept_effects", "Effects that gateways have not confirmed", count(&figures.kept_effects)),
            ("core_kept_bytes", "Bytes of these effects", count(&figures.kept_bytes)),
            ("core_gateways", "Gateways of the cluster", count(&figures.gateways)),
            (
                "core_batches_waiting",
                "Batches of this leader that the stream has not confirmed",
                count(&figures.batches_waiting),
            ),
            (
                "core_snapshot_bytes",
                "Size of the last snapshot that this core has written",
                count(&figures.snapshot_bytes),
            ),
            (
                "core_snapshot_seconds",
                "Time for which writing it held up the lobby",
                millis(&figures.snapshot_took),
            ),
        ];
        for (name, help, value) in gauges {
            let name = format!("server_{name}");
            let gauge = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        for (name, help, value) in [
            ("core_takeovers", "Times that this core began to lead", &figures.takeovers),
            ("core_snapshots", "Snapshots that this core has written", &figures.snapshots),
        ] {
            let name = format!("server_{name}");
            let counter = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            ConstCounter::new(value.load(Relaxed)).encode(counter)?;
        }
        let help = "Messages of the stream that were ignored, by reason";
        let mut family =
            encoder.encode_descriptor("server_core_messages_ignored", help, None, MetricType::Counter)?;
        let ignored = figures.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        for reason in Ignored::ALL {
            let labels = [("reason", reason.name())];
            let count = ignored.get(&reason).copied().unwrap_or_default();
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
