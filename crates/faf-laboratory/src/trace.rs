//! [`Trace`]: the searches of an evening, and its file format: JSON Lines.
//!
//! ```text
//! {"faf_lobby_trace":1,"settings":{"queue_pop_time_max":180.0}}
//! {"at":0,"queue":{"id":1,"name":"ladder1v1","team_size":1,"rating_peak":1000}}
//! {"at":12.5,"search":{"id":1,"queue":1,"members":[{"player":7,"rating":[1100,80],"games":60}]}}
//! {"at":200,"cancel":1}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};
use std::time::Duration;

use faf_lobby_core::SearchId;
use faf_lobby_core::matchmaking::queue::{QueueId, TEAM_SIZE_MAX};
use faf_lobby_core::matchmaking::{MatchmakingSettings, Member, PopTimer};
use serde::{Deserialize, Serialize};

use crate::seconds;

/// Version of the format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// The first bytes of every trace.
pub const MAGIC: &[u8] = br#"{"faf_lobby_trace":"#;

/// All that happened in the queues of an evening, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The settings at the beginning.
    pub settings: MatchmakingSettings,
    /// The steps. Their times never go back; of those at the same time, the first came first.
    pub steps: Vec<TraceStep>,
}

/// A line of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceStep {
    /// Time on any clock; seconds in a file.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// The event.
    #[serde(flatten)]
    pub event: TraceEvent,
}

/// An event of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceEvent {
    /// The operator has changed the settings.
    Settings(MatchmakingSettings),
    /// A queue has come into being, or has changed.
    Queue(TracedQueue),
    /// A queue is gone. Its searches were cancelled before.
    QueueGone(QueueId),
    /// A party has entered a queue.
    Search(TracedSearch),
    /// The players of a search have had other ratings since about now.
    Ratings(TracedRatings),
    /// A search was cancelled, or its players have left. The other searches of players who were
    /// matched are not cancelled in this sense.
    Cancel(SearchId),
    /// A queue has played a round. Only recorded evenings have rounds.
    Round(TracedRound),
}

/// A queue in a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracedQueue {
    /// Id of the queue.
    pub id: QueueId,
    /// Its technical name.
    pub name: String,
    /// Number of players in a team, from 1 to [`TEAM_SIZE_MAX`].
    pub team_size: u32,
    /// The usual displayed rating on its leaderboard.
    pub rating_peak: f64,
    /// Its rounds before the trace began; `None` for a queue that begins now, or that has been in
    /// the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

/// The rounds of a queue that existed before the trace began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The last rounds.
    pub timer: PopTimer,
    /// Time of the next round.
    #[serde(with = "seconds")]
    pub next: Duration,
    /// The wait that was planned for it.
    #[serde(with = "seconds")]
    pub planned: Duration,
}

/// A search in a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracedSearch {
    /// Number of the search; no other has it. A round takes searches in the order of these
    /// numbers, the lowest first.
    pub id: SearchId,
    /// Its queue, which must be in the trace.
    pub queue: QueueId,
    /// The players in the order of the party; at least one.
    pub members: Vec<Member>,
    /// Its past, if it began before the trace or before a restart of the server; `None` if it
    /// begins now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Past>,
}

/// The past of a search that has begun before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// How long it has gone on.
    #[serde(with = "seconds")]
    pub waited: Duration,
    /// Number of rounds in which it found no match.
    pub failed_attempts: u32,
    /// Its quality against itself when it began.
    pub self_quality: f64,
}

/// New ratings of the players of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracedRatings {
    /// The search.
    pub search: SearchId,
    /// All its players, in the order of the party.
    pub members: Vec<Member>,
}

/// A recorded round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracedRound {
    /// The queue.
    pub queue: QueueId,
    /// When the round was due. The server plays it a little later.
    #[serde(with = "seconds")]
    pub due: Duration,
    /// Its matches.
    pub matches: Vec<TracedMatch>,
}

/// A recorded match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracedMatch {
    /// The searches of each team.
    pub teams: [Vec<SearchId>; 2],
    /// Its quality.
    pub quality: f64,
}

/// A match, with the time of its round.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayedMatch {
    /// Time of the round.
    pub at: Duration,
    /// The queue.
    pub queue: QueueId,
    /// The searches of each team.
    pub teams: [Vec<SearchId>; 2],
    /// Its quality.
    pub quality: f64,
}

/// Reason why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The trace has another version of the format.
    #[error("the trace has format {0}, and only format {FORMAT} is known")]
    OtherFormat(u32),
    /// A line cannot be used.
    #[error("line {line}: {problem}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// The reason.
        problem: String,
    },
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    faf_lobby_trace: u32,
    #[serde(default)]
    settings: MatchmakingSettings,
}

impl Trace {
    /// Returns the matches of a recorded evening, in their order.
    #[must_use]
    pub fn recorded_matches(&self) -> Vec<PlayedMatch> {
        let rounds = self.steps.iter().filter_map(|step| match &step.event {
            TraceEvent::Round(round) => Some((step.at, round)),
            _ => None,
        });
        let matches = rounds.flat_map(|(at, round)| {
            round.matches.iter().map(move |found| PlayedMatch {
                at,
                queue: round.queue,
                teams: found.teams.clone(),
                quality: found.quality,
            })
        });
        matches.collect()
    }

    /// Returns whether the trace was made from a recording, and so has rounds.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.event, TraceEvent::Round(_)))
    }

    /// Writes the trace, one line for each step.
    ///
    /// # Errors
    /// If `target` fails.
    pub fn write(&self, mut target: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut target, &Header { faf_lobby_trace: FORMAT, settings: self.settings })?;
        target.write_all(b"\n")?;
        for step in &self.steps {
            serde_json::to_writer(&mut target, step)?;
            target.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Reads a trace, and checks that every line means something. Empty lines are skipped.
    ///
    /// # Errors
    /// A [`TraceError`] that names the first line that cannot be used.
    pub fn read(source: impl BufRead) -> Result<Self, TraceError> {
        let mut trace: Option<Self> = None;
        let mut check = Check::default();
        for (number, line) in (1..).zip(source.lines()) {
            let text = line?;
            if text.trim().is_empty() {
                continue;
            }
            let problem = |problem: String| TraceError::Line { line: number, problem };
            let Some(trace) = &mut trace else {
                let header: Header =
                    serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
                if header.faf_lobby_trace != FORMAT {
                    return Err(TraceError::OtherFormat(header.faf_lobby_trace));
                }
                trace = Some(Self { settings: header.settings, steps: Vec::new() });
                continue;
            };
            let step: TraceStep = serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
            check.step(&step).map_err(problem)?;
            trace.steps.push(step);
        }
        trace.ok_or_else(|| TraceError::Line { line: 1, problem: "the file is empty".to_owned() })
    }
}

/// The lines so far, as far as the next one depends on them.
#[derive(Default)]
struct Check {
    now: Duration,
    queues: BTreeSet<QueueId>,
    /// Number of players of each search.
    searches: BTreeMap<SearchId, usize>,
}

impl Check {
    fn step(&mut self, step: &TraceStep) -> Result<(), String> {
        if step.at < self.now {
            return Err("its time lies before that of the line above".to_owned());
        }
        self.now = step.at;
        match &step.event {
            TraceEvent::Settings(_) => {}
            TraceEvent::Queue(queue) => {
                if !(1..=TEAM_SIZE_MAX).contains(&queue.team_size) {
                    return Err(format!("`team_size` is not from 1 to {TEAM_SIZE_MAX}"));
                }
                self.queues.insert(queue.id);
            }
            TraceEvent::QueueGone(queue) => {
                self.queue(*queue)?;
                self.queues.remove(queue);
            }
            TraceEvent::Search(search) => {
                self.queue(search.queue)?;
                if self.searches.contains_key(&search.id) {
                    return Err(format!("another search has the number {}", search.id.0));
                }
                if search.members.is_empty() {
                    return Err("a search has at least one player".to_owned());
                }
                self.searches.insert(search.id, search.members.len());
            }
            TraceEvent::Ratings(ratings) => {
                if self.search(ratings.search)? != ratings.members.len() {
                    return Err("the search has another number of players".to_owned());
                }
            }
            TraceEvent::Cancel(search) => {
                self.search(*search)?;
            }
            TraceEvent::Round(round) => {
                self.queue(round.queue)?;
                for search in round.matches.iter().flat_map(|found| found.teams.iter().flatten()) {
                    self.search(*search)?;
                }
            }
        }
        Ok(())
    }

    fn queue(&self, queue: QueueId) -> Result<(), String> {
        if self.queues.contains(&queue) { Ok(()) } else { Err(format!("there is no queue {} here", queue.0)) }
    }

    fn search(&self, search: SearchId) -> Result<usize, String> {
        self.searches.get(&search).copied().ok_or_else(|| format!("no search {} has begun", search.0))
    }
}
