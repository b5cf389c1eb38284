//! The report as a table for terminals.

use std::fmt::Write as _;
use std::time::Duration;

use faf_lobby_core::escaped;

use super::{Figures, Report};

/// Characters between two columns.
const GAP: &str = "  ";

type Cell = fn(&Figures) -> String;

/// The columns of figures.
const COLUMNS: [(&str, Cell); 8] = [
    ("searches", |figures| figures.searches.to_string()),
    ("matched", |figures| format!("{:.0} %", figures.matched_percent())),
    ("elsewhere", |figures| format!("{:.0} %", figures.elsewhere_percent())),
    ("wait", |figures| wait(figures.wait_median)),
    ("wait 90 %", |figures| wait(figures.wait_90)),
    ("quality", |figures| quality(figures.quality_median)),
    ("quality 10 %", |figures| quality(figures.quality_10)),
    ("failed", |figures| format!("{:.1}", figures.failed_attempts)),
];

fn wait(wait: Option<Duration>) -> String {
    wait.map_or_else(|| "-".to_owned(), |wait| format!("{:.0} s", wait.as_secs_f64()))
}

fn quality(quality: Option<f64>) -> String {
    quality.map_or_else(|| "-".to_owned(), |quality| format!("{quality:.2}"))
}

impl Report {
    /// Returns a table. With several runs each cell has the figure of every run, in their order.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = vec![["queue", "rating"].map(str::to_owned).to_vec()];
        rows[0].extend(COLUMNS.map(|(name, _)| name.to_owned()));
        for group in &self.groups {
            let mut row = vec![escaped(&group.queue).to_string(), group.band.to_string()];
            row.extend(COLUMNS.map(|(_, cell)| {
                let cells: Vec<String> = group.figures.iter().map(cell).collect();
                // A figure that is the same in all runs is said once.
                if cells.windows(2).all(|two| two[0] == two[1]) {
                    cells.into_iter().next().unwrap_or_default()
                } else {
                    cells.join(" -> ")
                }
            }));
            rows.push(row);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
        let mut table = String::new();
        if self.runs.len() > 1 {
            let _ = writeln!(table, "{}\n", self.runs.join(" -> "));
        }
        for row in &rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Names on the left, figures on the right.
                let padding = " ".repeat(width - cell.chars().count());
                let gap = if column == 0 { "" } else { GAP };
                let _ = match column {
                    0 | 1 => write!(line, "{gap}{cell}{padding}"),
                    _ => write!(line, "{gap}{padding}{cell}"),
                };
            }
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }
}
