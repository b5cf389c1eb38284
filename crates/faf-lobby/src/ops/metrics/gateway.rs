//! Figures of a gateway: whether it is a part of its cluster, and what waits between the two.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faf_lobby_cluster::{EndReason, Epoch, GatewayId};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::time::Instant;

/// Time without a packet of a leader from which a gateway is not ready: 5 s. A leader sends one
/// every half second, and a takeover takes two or three seconds.
const READY_SILENCE: Duration = Duration::from_secs(5);

/// State of a gateway, which its loop sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GatewayState {
    /// Its number in the cluster, if it has one.
    pub(crate) gateway: Option<GatewayId>,
    /// The epoch of the leader that it has heard of last.
    pub(crate) epoch: Epoch,
    /// Time of the last packet of a leader.
    pub(crate) heard: Instant,
    /// Number of inputs that wait because too many batches are not acknowledged.
    pub(crate) inputs: usize,
    /// Number of batches of inputs that the stream has not acknowledged.
    pub(crate) unacknowledged: usize,
    /// Number of effects that wait because earlier ones are missing.
    pub(crate) early: usize,
    /// Number of clients.
    pub(crate) connections: usize,
}

/// The figures, which the loop of a gateway writes and others read.
#[derive(Debug)]
pub(crate) struct GatewayFigures(Mutex<Figures>);

#[derive(Debug)]
struct Figures {
    state: GatewayState,
    repairs: u64,
    ends: [u64; EndReason::ALL.len()],
}

impl GatewayFigures {
    pub(crate) fn new() -> Arc<Self> {
        let state = GatewayState {
            gateway: None,
            epoch: Epoch::default(),
            heard: Instant::now(),
            inputs: 0,
            unacknowledged: 0,
            early: 0,
            connections: 0,
        };
        let ends = [0; EndReason::ALL.len()];
        Arc::new(Self(Mutex::new(Figures { state, repairs: 0, ends })))
    }

    pub(crate) fn set(&self, state: GatewayState) {
        self.change(|figures| figures.state = state);
    }

    /// Counts a question for missing effects.
    pub(crate) fn count_repair(&self) {
        self.change(|figures| figures.repairs += 1);
    }

    /// Counts an end of all connections.
    pub(crate) fn count_end(&self, reason: EndReason) {
        self.change(|figures| {
            for (count, of) in figures.ends.iter_mut().zip(EndReason::ALL) {
                *count += u64::from(of == reason);
            }
        });
    }

    /// Returns the reason why no client can log in, if there is one.
    pub(crate) fn problem(&self) -> Option<String> {
        let state = self.change(|figures| figures.state);
        let silent = state.heard.elapsed();
        match state.gateway {
            None => Some("the gateway is not a part of the cluster".to_owned()),
            Some(_) if silent >= READY_SILENCE => {
                Some(format!("nothing was heard of a leader for {} s", silent.as_secs()))
            }
            Some(_) => None,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Figures) -> T) -> T {
        // No code that holds the lock can leave it half changed.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads the figures at each request.
#[derive(Debug)]
pub(super) struct GatewayCollector(pub(super) Arc<GatewayFigures>);

impl Collector for GatewayCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (state, repairs, ends) = self.0.change(|figures| (figures.state, figures.repairs, figures.ends));
        let gauges = [
            (
                "member",
                "Whether the gateway is a part of its cluster: 1 or 0",
                f64::from(u8::from(state.gateway.is_some())),
            ),
            ("epoch", "Number of the leadership that the gateway has heard of last", state.epoch.0 as f64),
            ("connections", "Clients of the gateway", state.connections as f64),
            ("inputs_waiting", "Inputs that wait for the stream", state.inputs as f64),
            (
                "batches_unacknowledged",
                "Batches of inputs that the stream has not acknowledged",
                state.unacknowledged as f64,
            ),
            ("effects_waiting", "Effects that wait because earlier ones are missing", state.early as f64),
            (
                "silence_seconds",
                "Time since the last packet of a leader, in seconds",
                state.heard.elapsed().as_secs_f64(),
            ),
        ];
        for (name, help, value) in gauges {
            let name = format!("server_gateway_{name}");
            let gauge = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        let help = "Questions to the leader for effects that did not come";
        let counter = encoder.encode_descriptor("server_gateway_repairs", help, None, MetricType::Counter)?;
        ConstCounter::new(repairs).encode(counter)?;
        let help = "Times the gateway ended all connections, by reason";
        let mut family = encoder.encode_descriptor("server_gateway_ends", help, None, MetricType::Counter)?;
        for (reason, count) in EndReason::ALL.iter().zip(ends) {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason.text())])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn gateway_is_ready_while_it_hears_a_leader() {
        let figures = GatewayFigures::new();
        assert!(figures.problem().unwrap().contains("not a part"));
        let state = figures.change(|figures| figures.state);
        figures.set(GatewayState { gateway: Some(GatewayId(3)), ..state });
        assert_eq!(figures.problem(), None);
        advance(READY_SILENCE).await;
        assert_eq!(figures.problem().as_deref(), Some("nothing was heard of a leader for 5 s"));
        figures.set(GatewayState { gateway: Some(GatewayId(3)), heard: Instant::now(), ..state });
        assert_eq!(figures.problem(), None);
    }

    #[test]
    fn figures_have_names() {
        let figures = GatewayFigures::new();
        figures.count_repair();
        figures.count_end(EndReason::GivenUp);
        let mut metrics = crate::ops::metrics::Metrics::new();
        metrics.observe_gateway(figures);
        let text = metrics.text().unwrap();
        for line in [
            "server_gateway_member 0.0",
            "server_gateway_epoch 0.0",
            "server_gateway_inputs_waiting 0.0",
            "server_gateway_effects_waiting 0.0",
            "server_gateway_repairs_total 1",
            "server_gateway_ends_total{reason=\"given up by the cluster\"} 1",
            "server_gateway_ends_total{reason=\"effects were lost\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
