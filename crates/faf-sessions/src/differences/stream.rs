//! Explains the findings of a stream without sections, piece by piece.

use std::collections::BTreeSet;

use super::{Difference, Differences, History, Used};
use crate::compare::Finding;

/// The differences that have explained findings of a stream so far.
#[derive(Debug)]
pub struct Explanation<'a> {
    differences: &'a Differences,
    /// Differences whose consequences are allowed from now on.
    held: BTreeSet<usize>,
    used: Used,
}

/// A finding, with the reason of the difference that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained<'a> {
    /// The finding.
    pub finding: Finding,
    /// Why the server differs here; `None` if nothing explains it.
    pub reason: Option<&'a str>,
}

impl<'a> Explanation<'a> {
    /// Begins with a list of differences.
    #[must_use]
    pub fn new(differences: &'a Differences) -> Self {
        Self { differences, held: BTreeSet::new(), used: Used::new() }
    }

    /// Explains the findings of one client in some pieces, each of which is a section of `history`,
    /// in which everything before it has smaller numbers.
    pub fn explain(&mut self, history: &History, findings: Vec<Finding>) -> Vec<Explained<'a>> {
        let differences = self.differences;
        // Consequences may be due to something that was itself no finding of this piece.
        let section = findings.iter().map(|finding| finding.section).max().unwrap_or(1);
        for (number, difference) in differences.0.iter().enumerate() {
            let matters = || {
                let whats = || findings.iter().map(|finding| &finding.what);
                difference.then.iter().any(|line| whats().any(|what| line.pattern.matches(what)))
                    || difference.shows.iter().any(|line| whats().any(|what| line.pattern.matches(what)))
            };
            if !difference.then.is_empty()
                && !self.held.contains(&number)
                && matters()
                && difference.has_held(history, &findings, section)
            {
                self.held.insert(number);
            }
        }
        let mut one = Vec::new();
        let left = differences.explain(history, &findings, &mut self.used, &self.held, &mut one);
        debug_assert!(left.len() <= findings.len());
        let reasons =
            one.into_iter().map(|number| number.map(|number| differences.0[number].reason.as_str()));
        findings.into_iter().zip(reasons).map(|(finding, reason)| Explained { finding, reason }).collect()
    }

    /// Returns the lines that have explained nothing, each with its reason.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        self.differences.unused(&self.used)
    }
}

impl Difference {
    /// Returns whether the difference has applied to any client in any section so far.
    pub(super) fn has_held(&self, history: &History, all: &[Finding], section: usize) -> bool {
        // Only a client that meets a condition of its own can be one for which all hold.
        let own = self.when.iter().find(|condition| !condition.is_anybody());
        let clients = own.map(|condition| condition.clients(history)).unwrap_or_default();
        let mut places: Vec<Option<&str>> = clients.into_iter().map(Some).collect();
        places.extend(all.iter().map(|finding| finding.client.as_deref()));
        places.push(None);
        places.sort_unstable();
        places.dedup();
        (1..=section).any(|section| places.iter().any(|client| self.holds(history, all, section, *client)))
    }
}
