//! [`Report`]: waiting time and quality by queue and rating band, for one run or several.

mod csv;
mod svg;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use faf_lobby_core::matchmaking::queue::QueueId;

use crate::run::{End, Run, RunSearch};

/// Width of a band, in rating points.
const WIDTH: i32 = 500;

/// The lowest rating of the highest band.
const HIGHEST: i32 = 2500;

/// Waiting time and quality of runs, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// A name for each run.
    pub runs: Vec<String>,
    /// The groups by queue, each queue with the group of all its searches first.
    pub groups: Vec<Group>,
}

/// Searches of one queue and one band.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Technical name of the queue.
    pub queue: String,
    /// The band.
    pub band: Band,
    /// The figures of each run.
    pub figures: Vec<Figures>,
}

/// A band of ratings. A search belongs to one by the mean of its displayed ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// All ratings.
    All,
    /// Below zero.
    Negative,
    /// From this rating to 500 points above it.
    From(i32),
    /// This rating or more.
    Highest(i32),
}

/// The figures of the searches of a group.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Number of searches.
    pub searches: usize,
    /// Number of searches that were matched.
    pub matched: usize,
    /// Number of searches that ended because a player was matched in another queue.
    pub elsewhere: usize,
    /// Waiting time of the matched: half of them waited no longer.
    pub wait_median: Option<Duration>,
    /// Waiting time of the matched: nine in ten waited no longer.
    pub wait_90: Option<Duration>,
    /// Quality of their matches: half of them were at most as good.
    pub quality_median: Option<f64>,
    /// Quality of their matches: one in ten was at most as good.
    pub quality_10: Option<f64>,
    /// Mean number of failed attempts of all searches.
    pub failed_attempts: f64,
}

impl Report {
    /// Compares runs of the same trace, each with its name.
    #[must_use]
    pub fn new(runs: &[(&str, &Run)]) -> Self {
        let names: BTreeMap<QueueId, &str> = runs
            .iter()
            .flat_map(|(_, run)| run.queues.iter().map(|(id, name)| (*id, name.as_str())))
            .collect();
        let mut keys = BTreeSet::new();
        for search in runs.iter().flat_map(|(_, run)| &run.searches) {
            keys.extend([(search.queue, Band::All), (search.queue, Band::of(search.rating))]);
        }
        let groups = keys.into_iter().map(|(queue, band)| {
            let is_in = |search: &&RunSearch| {
                search.queue == queue && (band == Band::All || band == Band::of(search.rating))
            };
            Group {
                queue: names.get(&queue).copied().unwrap_or_default().to_owned(),
                band,
                figures: runs.iter().map(|(_, run)| Figures::of(run.searches.iter().filter(is_in))).collect(),
            }
        });
        Self { runs: runs.iter().map(|(name, _)| (*name).to_owned()).collect(), groups: groups.collect() }
    }
}

impl Band {
    /// Returns the band of a rating.
    #[must_use]
    pub fn of(rating: f64) -> Self {
        // A conversion ends at the smallest and largest number.
        match rating.floor() as i32 {
            rating if rating < 0 => Self::Negative,
            rating if rating >= HIGHEST => Self::Highest(HIGHEST),
            rating => Self::From(rating / WIDTH * WIDTH),
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Negative => f.write_str("below 0"),
            Self::From(from) => write!(f, "{from} to {}", from + WIDTH),
            Self::Highest(from) => write!(f, "{from} and more"),
        }
    }
}

impl Figures {
    fn of<'a>(searches: impl Iterator<Item = &'a RunSearch>) -> Self {
        let (mut figures, mut waits, mut qualities) = (Self::default(), Vec::new(), Vec::new());
        let mut failed_attempts = 0.0;
        for search in searches {
            figures.searches += 1;
            failed_attempts += f64::from(search.failed_attempts);
            match search.end {
                End::Matched { quality } => {
                    waits.push(search.waited);
                    qualities.push(quality);
                }
                End::MatchedElsewhere => figures.elsewhere += 1,
                End::Cancelled | End::GivenUp | End::Unfinished => {}
            }
        }
        waits.sort_unstable();
        qualities.sort_unstable_by(f64::total_cmp);
        Self {
            matched: waits.len(),
            wait_median: at(&waits, 0.5),
            wait_90: at(&waits, 0.9),
            quality_median: at(&qualities, 0.5),
            quality_10: at(&qualities, 0.1),
            failed_attempts: failed_attempts / (figures.searches as f64).max(1.0),
            ..figures
        }
    }

    /// Share of the searches that were matched, in percent.
    #[must_use]
    pub fn matched_percent(&self) -> f64 {
        percent(self.matched, self.searches)
    }

    /// Share of the searches that ended with a match in another queue, in percent.
    #[must_use]
    pub fn elsewhere_percent(&self) -> f64 {
        percent(self.elsewhere, self.searches)
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / (whole as f64).max(1.0)
}

/// Returns the smallest of some sorted values that at least this share of them does not exceed.
fn at<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}
