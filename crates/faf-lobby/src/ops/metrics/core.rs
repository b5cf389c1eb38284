//! Figures of a core: its part in the cluster, and what waits around it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faf_lobby_cluster::{CoreName, CoreRole, Epoch, Ignored};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// State of a core, which its loop sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreState {
    pub(crate) role: CoreRole,
    /// Whether it leads, or has read everything and could.
    pub(crate) is_ready: bool,
    pub(crate) epoch: Epoch,
    /// The core that leads, as far as this one knows.
    pub(crate) leader: Option<CoreName>,
    /// The last message of the stream that it has applied.
    pub(crate) position: u64,
    /// Age of the oldest message that it may not have applied, if that is known.
    pub(crate) behind: Option<Duration>,
    /// Time since the last sign of the leader.
    pub(crate) leader_silent: Duration,
    /// Number of requests to the database whose reply is not in the stream.
    pub(crate) open_requests: usize,
    pub(crate) gateways: usize,
    /// Effects that gateways have not confirmed, and their bytes.
    pub(crate) kept: (usize, usize),
    /// Batches of this leader that the stream has not confirmed.
    pub(crate) unstored: usize,
    /// Messages of the stream that were ignored.
    pub(crate) ignored: BTreeMap<Ignored, u64>,
}

/// The figures, which the loop of a core writes and others read.
#[derive(Debug, Default)]
pub(crate) struct CoreFigures(Mutex<Figures>);

#[derive(Debug, Clone, Default)]
struct Figures {
    /// `None` until the core has a world.
    state: Option<CoreState>,
    takeovers: u64,
    snapshots: u64,
    snapshot_bytes: usize,
    snapshot_took: Duration,
}

impl CoreFigures {
    pub(crate) fn set(&self, state: CoreState) {
        self.change(|figures| figures.state = Some(state));
    }

    /// Returns the state; `None` until the core has a world.
    pub(crate) fn state(&self) -> Option<CoreState> {
        self.change(|figures| figures.state.clone())
    }

    /// Counts a beginning of a leadership.
    pub(crate) fn count_takeover(&self) {
        self.change(|figures| figures.takeovers += 1);
    }

    /// Counts a snapshot of this size, which has held up the loop for this time.
    pub(crate) fn count_snapshot(&self, bytes: usize, took: Duration) {
        self.change(|figures| {
            figures.snapshots += 1;
            figures.snapshot_bytes = bytes;
            figures.snapshot_took = took;
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Figures) -> T) -> T {
        // No code that holds the lock can leave it half changed.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the name of a role, for people and programs.
pub(crate) fn role_name(role: CoreRole) -> &'static str {
    match role {
        CoreRole::Leading => "leads",
        CoreRole::Suspended => "suspended",
        CoreRole::Following => "follows",
        CoreRole::Ended => "ended",
    }
}

/// Reads the figures at each request.
#[derive(Debug)]
pub(super) struct CoreCollector(pub(super) Arc<CoreFigures>);

impl Collector for CoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.change(|figures| figures.clone());
        let Some(state) = figures.state else { return Ok(()) };
        let is = |so: bool| f64::from(u8::from(so));
        let gauges = [
            ("leads", "Whether this core leads: 1 or 0", is(state.role == CoreRole::Leading)),
            ("ready", "Whether it leads, or has read everything and could: 1 or 0", is(state.is_ready)),
            ("epoch", "Number of the current leadership", state.epoch.0 as f64),
            ("position", "Number of the last message of the stream that was applied", state.position as f64),
            (
                "behind_seconds",
                "Age of the oldest message that may not be applied, in seconds; -1 if that is not known",
                state.behind.map_or(-1.0, |behind| behind.as_secs_f64()),
            ),
            (
                "leader_silence_seconds",
                "Time since the last sign of the leader, in seconds",
                state.leader_silent.as_secs_f64(),
            ),
            (
                "open_requests",
                "Requests to the database whose reply is not in the stream",
                state.open_requests as f64,
            ),
            ("gateways", "Gateways of the cluster", state.gateways as f64),
            ("kept_effects", "Effects that gateways have not confirmed", state.kept.0 as f64),
            ("kept_bytes", "Bytes of these effects", state.kept.1 as f64),
            (
                "batches_unstored",
                "Batches of this leader that the stream has not confirmed",
                state.unstored as f64,
            ),
            ("snapshot_bytes", "Size of the last snapshot of this core", figures.snapshot_bytes as f64),
            (
                "snapshot_seconds",
                "Time for which the last snapshot held up this core, in seconds",
                figures.snapshot_took.as_secs_f64(),
            ),
        ];
        for (name, help, value) in gauges {
            let name = format!("server_core_{name}");
            let gauge = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        for (name, help, value) in [
            ("takeovers", "Times that this core began to lead", figures.takeovers),
            ("snapshots", "Snapshots that this core has written", figures.snapshots),
        ] {
            let name = format!("server_core_{name}");
            let counter = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        let help = "Messages of the stream that were ignored, by reason";
        let mut family =
            encoder.encode_descriptor("server_core_messages_ignored", help, None, MetricType::Counter)?;
        for reason in Ignored::ALL {
            let count = state.ignored.get(&reason).copied().unwrap_or_default();
            let labels = [("reason", reason.name())];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
