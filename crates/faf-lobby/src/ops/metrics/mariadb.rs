//! Figures of MariaDB: how long its operations take, by family.

use std::fmt;
use std::sync::Arc;

use faf_lobby_mariadb::{BUCKETS, Family, FamilyTimings, Timings};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// Reads the figures at each request.
#[derive(Debug)]
pub(super) struct DatabaseTimings(pub(super) Arc<Timings>);

impl Collector for DatabaseTimings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Duration of the operations of the database, without the wait for their turn";
        let mut durations =
            encoder.encode_descriptor("server_database_seconds", help, None, MetricType::Histogram)?;
        for family in Family::ALL {
            let timings = self.0.of(*family);
            let sum = timings.total().as_secs_f64();
            durations.encode_family(&[("family", family.name())])?.encode_histogram::<NoLabelSet>(
                sum,
                timings.count(),
                &buckets(timings),
                None,
            )?;
        }
        let help = "Operations of the database that have failed";
        let mut failed =
            encoder.encode_descriptor("server_database_failed", help, None, MetricType::Counter)?;
        for family in Family::ALL {
            let labels = [("family", family.name())];
            ConstCounter::new(self.0.of(*family).failures()).encode(failed.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// Returns the upper bound of each bucket in seconds, and its number of operations.
fn buckets(timings: &FamilyTimings) -> Vec<(f64, u64)> {
    let bounds = BUCKETS.iter().map(|milliseconds| *milliseconds as f64 / 1000.0).chain([f64::INFINITY]);
    bounds.zip(timings.buckets()).collect()
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn every_family_has_its_figures() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(DatabaseTimings(Arc::default())));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            r#"server_database_seconds_bucket{le="0.001",family="games"} 0"#,
            r#"server_database_seconds_bucket{le="+Inf",family="games"} 0"#,
            r#"server_database_seconds_count{family="profiles"} 0"#,
            r#"server_database_failed_total{family="accounts"} 0"#,
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
        }
    }
}
