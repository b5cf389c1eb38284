//! The report as CSV (RFC 4180): a line for each group and run.

use std::fmt::Write as _;

use super::Report;

const HEADER: &str = "queue,rating,run,searches,matched,matched_elsewhere,wait_median_s,wait_90_s,quality_median,\
                      quality_10,failed_attempts";

impl Report {
    /// Returns CSV with a header. A figure that does not exist is empty.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut csv = format!("{HEADER}\r\n");
        for group in &self.groups {
            for (run, figures) in self.runs.iter().zip(&group.figures) {
                let number =
                    |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.3}"));
                let _ = write!(
                    csv,
                    "{},{},{},{},{},{},{},{},{},{},{:.3}\r\n",
                    quoted(&group.queue),
                    group.band,
                    quoted(run),
                    figures.searches,
                    figures.matched,
                    figures.elsewhere,
                    number(figures.wait_median.map(|wait| wait.as_secs_f64())),
                    number(figures.wait_90.map(|wait| wait.as_secs_f64())),
                    number(figures.quality_median),
                    number(figures.quality_10),
                    figures.failed_attempts
                );
            }
        }
        csv
    }
}

/// Quotes a text if a program might read it as more than one.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
