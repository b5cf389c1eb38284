//! The results of a scenario, for people and for programs.

pub(crate) mod histogram;
pub(crate) mod plot;
pub(crate) mod sample;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::report::histogram::Histogram;

/// A moment of a run, for the plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// Time since the scenario began.
    pub(crate) at: Duration,
    /// Messages per second.
    pub(crate) messages: f64,
    pub(crate) online: usize,
    /// Median latency in milliseconds: of deliveries, or otherwise of pings.
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    /// Resident memory of the server, in bytes.
    pub(crate) memory: Option<u64>,
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    key: String,
    label: String,
    /// `None` if unknown: blank in the table, null in JSON.
    value: Option<f64>,
    unit: &'static str,
}

/// All results of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    rows: Vec<Row>,
    pub(crate) moments: Vec<Moment>,
    /// An outcome that makes the run a failure, with its own exit code.
    pub(crate) failure: Option<String>,
}

impl Report {
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self { scenario, rows: Vec::new(), moments: Vec::new(), failure: None }
    }

    /// Adds a result; the key is its name in JSON, without the unit.
    pub(crate) fn row(
        &mut self,
        key: impl Into<String>,
        label: impl Into<String>,
        value: impl Into<Option<f64>>,
        unit: &'static str,
    ) {
        self.rows.push(Row { key: key.into(), label: label.into(), value: value.into(), unit });
    }

    /// Adds the median, the 99th percentile and the maximum of some durations, in milliseconds.
    pub(crate) fn durations(&mut self, key: &str, label: &str, durations: &Histogram) {
        self.row(format!("{key}_p50"), format!("{label}, median"), durations.quantile_ms(0.5), "ms");
        self.row(format!("{key}_p99"), format!("{label}, 99 %"), durations.quantile_ms(0.99), "ms");
        self.row(format!("{key}_max"), format!("{label}, slowest"), durations.max_ms(), "ms");
    }

    /// Returns the result with this key.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.key == key)?.value
    }

    pub(crate) fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or_default();
        let mut table = format!("{}\n", self.scenario);
        for Row { label, value, unit, .. } in &self.rows {
            let value = value.map_or_else(|| "-".to_owned(), figure);
            let line = format!("  {label:<width$}  {value:>12} {unit}");
            table.push_str(line.trim_end());
            table.push('\n');
        }
        table
    }

    pub(crate) fn json(&self) -> Value {
        let results: serde_json::Map<_, _> = self
            .rows
            .iter()
            .map(|row| (row.key.clone(), json!({"value": row.value, "unit": row.unit})))
            .collect();
        let moments: Vec<_> = self
            .moments
            .iter()
            .map(|moment| {
                json!({
                    "at_s": moment.at.as_secs_f64(), "messages_per_s": moment.messages, "online": moment.online,
                    "p50_ms": moment.p50, "p99_ms": moment.p99, "memory_bytes": moment.memory,
                })
            })
            .collect();
        json!({"scenario": self.scenario, "results": results, "moments": moments})
    }
}

/// Writes JSON to a file, or prints it for `-`.
#[expect(clippy::print_stdout, reason = "the output is the product")]
pub(crate) fn write_json(json: &Value, file: &Path) -> anyhow::Result<()> {
    if file == Path::new("-") {
        println!("{json}");
        return Ok(());
    }
    std::fs::write(file, format!("{json}\n")).with_context(|| format!("cannot write {}", file.display()))
}

/// Formats a number with as many digits as are significant, and with separators of thousands.
pub(crate) fn figure(value: f64) -> String {
    // Three significant digits are enough to compare two runs.
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        whole if whole.fract() == 0.0 => 0,
        small if small >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_many_digits_as_say_something() {
        let figures = [0.0, 0.1234, 1.234, 12.34, 123.4, 1234.0, -1_234_567.0, 999.6].map(figure);
        assert_eq!(figures, ["0", "0.123", "1.23", "12.3", "123", "1,234", "-1,234,567", "1,000"]);
    }

    #[test]
    fn unknown_figures_are_blank() {
        let mut report = Report::new("idle");
        report.row("clients", "clients", 10_000.0, "");
        report.row("cpu", "processor", None, "µs");
        assert_eq!(report.table(), "idle\n  clients          10,000\n  processor             - µs\n");
        let json = report.json();
        assert_eq!(json["results"]["clients"]["value"], 10_000.0);
        assert_eq!(json["results"]["cpu"]["value"], Value::Null);
        assert_eq!((report.number("clients"), report.number("cpu")), (Some(10_000.0), None));
    }
}
