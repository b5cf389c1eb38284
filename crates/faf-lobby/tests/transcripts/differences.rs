//! What is deliberately otherwise than in the sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

/// The file.
pub(crate) static DIFFERENCES: LazyLock<Differences> =
    LazyLock::new(|| toml::from_str(include_str!("differences.toml")).unwrap());

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differences {
    difference: Vec<Difference>,
}

/// Differences with the same reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    reason: String,
    /// What is found, in which session.
    found: BTreeMap<String, Vec<String>>,
}

impl Differences {
    /// The sessions that differ.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &str> {
        self.difference.iter().flat_map(|difference| difference.found.keys()).map(String::as_str)
    }

    /// Whether something is expected to differ.
    pub(crate) fn has(&self, session: &str, finding: &str) -> bool {
        self.of(session).contains(finding)
    }

    /// Compares what differs with what is listed.
    pub(crate) fn check(&self, session: &str, found: &BTreeSet<String>) {
        let unreasoned = self.difference.iter().find(|difference| difference.reason.trim().is_empty());
        assert!(unreasoned.is_none(), "a difference without a reason: {unreasoned:?}");
        let listed = self.of(session);
        let mut report = String::new();
        for finding in found.iter().filter(|finding| !listed.contains(finding.as_str())) {
            report += &format!("\n  not in differences.toml: {finding}");
        }
        for finding in listed.iter().filter(|finding| !found.contains(**finding)) {
            report += &format!("\n  has gone: {finding}");
        }
        assert!(report.is_empty(), "{session} differs otherwise than stated{report}");
    }

    fn of(&self, session: &str) -> BTreeSet<&str> {
        let found = self.difference.iter().filter_map(|difference| difference.found.get(session));
        found.flatten().map(String::as_str).collect()
    }
}
