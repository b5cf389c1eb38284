//! Figures of the broker.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use faf_lobby_rabbitmq::{Counters, KeyCounts, State};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

/// Reads one of the counters of a routing key.
type Read = fn(&KeyCounts) -> u64;

/// Reads the figures of the last connection at each request; none before the first.
#[derive(Debug, Clone, Default)]
pub(super) struct BrokerFigures(Arc<Mutex<Option<Connection>>>);

#[derive(Debug, Clone)]
struct Connection {
    state: watch::Receiver<State>,
    counters: Arc<Counters>,
}

impl BrokerFigures {
    /// Shows the figures of this connection from now on.
    pub(super) fn show(&self, state: watch::Receiver<State>, counters: Arc<Counters>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Connection { state, counters });
    }
}

impl Collector for BrokerFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Connection { state, counters }) = connection else { return Ok(()) };
        let help = "Whether there is a connection to the broker: 1 or 0";
        let connected =
            encoder.encode_descriptor("server_broker_connected", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(state.borrow().is_connected())).encode(connected)?;
        let help = "Whether messages of other services are received from the broker: 1 or 0";
        let consuming =
            encoder.encode_descriptor("server_broker_consuming", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(state.borrow().is_consuming())).encode(consuming)?;
        let help = "Connections to the broker that were opened";
        let connects =
            encoder.encode_descriptor("server_broker_connects", help, None, MetricType::Counter)?;
        ConstCounter::new(counters.connects()).encode(connects)?;
        let figures: [(&str, &str, Read); 5] = [
            ("published", "Messages sent to the broker, including repetitions", |counts| counts.published),
            ("confirmed", "Messages that the broker has confirmed", |counts| counts.confirmed),
            ("refused", "Messages that the broker has refused; they are sent again", |counts| counts.refused),
            (
                "dropped",
                "Reports dropped while the broker is away or slow, and unusable messages of other services",
                |counts| counts.dropped,
            ),
            ("consumed", "Messages of other services that were passed on", |counts| counts.consumed),
        ];
        for (name, help, read) in figures {
            let name = format!("server_broker_messages_{name}");
            let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            for (key, counts) in counters.by_key() {
                let labels = [("routing_key", key)];
                ConstCounter::new(read(&counts)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
