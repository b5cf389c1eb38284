//! The rules of comparison are strict: a recording is changed in every way that the rules care
//! about, one change at a time, and each change must be found.
//!
//! What the rules do not care about is listed in [`ignored`], with the number of the rule in
//! `golden/sessions/README.md`; a line there that ignores nothing fails as well. A sample of all
//! changes goes through the list of deliberate differences, which must not explain them;
//! [`explained`] has the few that it may.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ignored;
mod mutation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;

use faf_sessions::compare;
use faf_sessions::transcript::{Record, Sent, Transcript};
use faf_testkit::golden::sessions;

use mutation::{Known, Mutation, mutations};

#[test]
fn every_change_of_a_recording_is_found() {
    let sessions = sessions::all();
    let (queue, report) = (Mutex::new(sessions.iter()), Mutex::new(Outcome::default()));
    let work = || {
        while let Some((name, transcript)) = { queue.lock().unwrap().next() } {
            let outcome = change(name, transcript);
            report.lock().unwrap().add(outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let Outcome { count, missed, ignored } = report.into_inner().unwrap();
    assert!(count > 10_000, "{count} changes");
    let shown: Vec<String> =
        missed.iter().map(|(what, (count, example))| format!("{what}: {count}, as in {example}")).collect();
    assert!(missed.is_empty(), "of {count} changes, nobody notices\n{}", shown.join("\n"));
    let unused: Vec<&str> = ignored::RULES.iter().copied().filter(|rule| !ignored.contains(rule)).collect();
    assert!(unused.is_empty(), "rules that ignore nothing: {unused:?}");
}

/// What came of many changes.
#[derive(Debug, Default)]
struct Outcome {
    count: usize,
    /// Changes that were not found and should have been, with their number and one of them.
    missed: BTreeMap<String, (usize, String)>,
    /// Rules that have ignored a change.
    ignored: BTreeSet<&'static str>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.ignored.extend(other.ignored);
        for (what, (count, example)) in other.missed {
            self.missed.entry(what).or_insert((0, example)).0 += count;
        }
    }
}

/// Makes all changes of a session.
fn change(name: &str, transcript: &Transcript) -> Outcome {
    let (mut outcome, mut known) = (Outcome::default(), Known::new());
    for section in sections(transcript) {
        let recorded = section.with(transcript, &section.records);
        assert_eq!(compare::transcripts(&recorded, &recorded), [], "{name}, section {}", section.number);
        for mutation in mutations(&section.records, &section.clients, &mut known) {
            let Mutation { kind, place, .. } = &mutation;
            outcome.count += 1;
            let findings = compare::transcripts(&recorded, &section.with(transcript, &mutation.records));
            if findings.is_empty() {
                match ignored::rule(&section, &mutation) {
                    Some(rule) => drop(outcome.ignored.insert(rule)),
                    None => {
                        let example = format!("{name}, section {}", section.number);
                        outcome.missed.entry(format!("{kind:?} {place}")).or_insert((0, example)).0 += 1;
                    }
                }
            }
        }
    }
    outcome
}

/// The records between two barriers, and what of the earlier ones matters for the comparison.
#[derive(Debug)]
struct Section {
    /// Counted from 1.
    number: usize,
    before: Vec<Record>,
    records: Vec<Record>,
    /// Clients whose connections are open.
    clients: BTreeSet<String>,
}

impl Section {
    /// Returns a session of only this section, with other records.
    fn with(&self, transcript: &Transcript, records: &[Record]) -> Transcript {
        let records = [self.before.as_slice(), records].concat();
        let (overrides, longest_pause) = (transcript.overrides.clone(), transcript.longest_pause);
        Transcript { overrides, records, times: Vec::new(), longest_pause }
    }
}

fn sections(transcript: &Transcript) -> Vec<Section> {
    let mut sections = Vec::new();
    let (mut before, mut clients) = (Vec::new(), BTreeSet::new());
    let parts = transcript.records.split(|record| matches!(record, Record::Barrier));
    for (number, records) in parts.enumerate() {
        for record in records {
            match record {
                Record::Connect(connect) => drop(clients.insert(connect.conn.clone())),
                Record::ClosedByServer(conn) | Record::ClosedByClient(conn) => drop(clients.remove(conn)),
                _ => {}
            }
        }
        let (number, records) = (number + 1, records.to_vec());
        let matters = |record: &&Record| match record {
            Record::Connect(_) | Record::ClosedByClient(_) => true,
            Record::Send(_, Sent::Message(message)) => {
                message.command().as_deref() == Some("matchmaker_info")
            }
            _ => false,
        };
        let later: Vec<Record> = records.iter().filter(matters).cloned().collect();
        sections.push(Section { number, before: before.clone(), records, clients: clients.clone() });
        before.extend(later);
    }
    sections
}
