//! The outcome of all sessions, for people and as JSON.

use std::fmt;

use faf_sessions::compare::Finding;
use faf_sessions::differences::{Differences, History, Used};
use faf_sessions::transcript::Transcript;
use serde::Serialize;
use serde_json::{Value, json};

use crate::replay::Replayed;

/// The outcome of one session.
#[derive(Debug, Clone, Serialize)]
pub struct SessionReport {
    /// Name of the session.
    pub name: String,
    /// The outcome in a word.
    pub verdict: Verdict,
    /// Why it was not played, or not to its end, or in another wire format.
    pub remarks: Vec<String>,
    /// Differences that the list explains.
    #[serde(serialize_with = "findings")]
    pub listed: Vec<Finding>,
    /// Differences that nothing explains.
    #[serde(serialize_with = "findings")]
    pub unexplained: Vec<Finding>,
}

/// The outcome of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was compared is as in the recording.
    Equal,
    /// All differences are listed.
    Listed,
    /// There are differences that are not listed, or the session could not be played to its end.
    Unexplained,
    /// It was not played.
    Skipped,
}

/// The outcome of all sessions.
#[derive(Debug, Clone, Default)]
pub struct Report(pub Vec<SessionReport>);

impl SessionReport {
    /// Creates the report of a session that was not played, with the reasons.
    #[must_use]
    pub fn skipped(name: &str, remarks: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            verdict: Verdict::Skipped,
            remarks,
            listed: Vec::new(),
            unexplained: Vec::new(),
        }
    }

    /// Creates the report of a session that was begun and could not be played.
    #[must_use]
    pub fn failed(name: &str, reason: String) -> Self {
        Self { verdict: Verdict::Unexplained, ..Self::skipped(name, vec![reason]) }
    }

    /// Creates the report of a session that was played; notes the lines of the list that have
    /// explained something.
    #[must_use]
    pub fn played(
        name: &str,
        transcript: &Transcript,
        replayed: Replayed,
        differences: &Differences,
        used: &mut Used,
    ) -> Self {
        let Replayed { findings, stopped } = replayed;
        let unexplained = differences.unexplained(&History::of(transcript), &findings, used);
        let mut left = unexplained.clone();
        // Equal findings are explained one by one.
        let listed: Vec<Finding> = findings
            .into_iter()
            .filter(|finding| match left.iter().position(|other| other == finding) {
                Some(position) => {
                    left.remove(position);
                    false
                }
                None => true,
            })
            .collect();
        let verdict = match (&stopped, unexplained.is_empty(), listed.is_empty()) {
            (None, true, true) => Verdict::Equal,
            (None, true, false) => Verdict::Listed,
            _ => Verdict::Unexplained,
        };
        let remarks = stopped.map(|reason| format!("not played to its end: {reason}"));
        Self { name: name.to_owned(), verdict, remarks: remarks.into_iter().collect(), listed, unexplained }
    }
}

impl Report {
    /// Returns the number of sessions with this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|session| session.verdict == verdict).count()
    }

    /// Returns whether nothing is unexplained, and something was compared.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.count(Verdict::Unexplained) == 0 && self.count(Verdict::Skipped) < self.0.len()
    }

    /// Returns the report as JSON: an object with the number of sessions by verdict, and all
    /// of them.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "equal": self.count(Verdict::Equal),
            "listed": self.count(Verdict::Listed),
            "unexplained": self.count(Verdict::Unexplained),
            "skipped": self.count(Verdict::Skipped),
            "sessions": self.0,
        })
    }
}

/// The last line of a report.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [equal, listed, unexplained, skipped] =
            [Verdict::Equal, Verdict::Listed, Verdict::Unexplained, Verdict::Skipped]
                .map(|verdict| self.count(verdict));
        let all = self.0.len();
        write!(
            f,
            "{all} sessions: {equal} equal, {listed} with listed differences, {unexplained} with unexplained \
             ones, {skipped} skipped"
        )
    }
}

/// The line of a session, and one for each remark and each unexplained difference.
impl fmt::Display for SessionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Equal => "equal".to_owned(),
            Verdict::Listed => format!("{} listed", self.listed.len()),
            Verdict::Unexplained => format!("{} UNEXPLAINED", self.unexplained.len()),
            Verdict::Skipped => "skipped".to_owned(),
        };
        write!(f, "{}: {verdict}", self.name)?;
        for remark in &self.remarks {
            write!(f, "\n  {remark}")?;
        }
        for finding in &self.unexplained {
            write!(f, "\n  {finding}")?;
        }
        Ok(())
    }
}

fn findings<S: serde::Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    let json = findings
        .iter()
        .map(|Finding { section, client, what }| json!({"section": section, "client": client, "what": what}));
    serializer.collect_seq(json)
}
