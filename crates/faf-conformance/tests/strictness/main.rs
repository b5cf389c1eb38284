//! The rules of comparison are strict: a recording is changed in every way that the rules care
//! about, one change at a time, and each change must be found.
//!
//! Changes that the rules do not care about are listed in [`ignored`], with the number of the rule
//! in `golden/sessions/README.md`; a line there that ignores nothing fails as well. A sample of all
//! changes goes through the list of deliberate differences, which must not explain them, unless a
//! change is just what an entry is about: [`explained`].

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod explained;
mod ignored;
mod mutation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use faf_sessions::compare;
use faf_sessions::differences::{self, History, Used};
use faf_sessions::transcript::{Record, Sent, Transcript};
use faf_testkit::golden::sessions;

use mutation::{Known, Mutation, mutations};

/// One in so many changes goes through the list of deliberate differences.
const SAMPLE: usize = 4;

#[test]
fn every_change_of_a_recording_is_found() {
    let outcome = Mutex::new(Outcome::default());
    // The changes are made in the order of the sessions, so that they are always the same ones.
    let (sender, receiver) = mpsc::sync_channel::<Change>(100);
    let receiver = Mutex::new(receiver);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Ok(change) = { receiver.lock().unwrap().recv() } {
                    let (result, explained) = change.try_out();
                    outcome.lock().unwrap().add(&change, result, explained);
                }
            });
        }
        let (mut known, mut number) = (Known::default(), 0);
        for (name, transcript) in sessions::all() {
            let history = Arc::new(History::of(&transcript));
            for section in sections(&transcript) {
                let section = Arc::new(section);
                let recorded = Arc::new(section.with(&transcript, &section.records));
                assert_eq!(
                    compare::transcripts(&recorded, &recorded),
                    [],
                    "{name}, section {}",
                    section.number
                );
                for mutation in mutations(&section.records, &section.clients, &mut known) {
                    number += 1;
                    let changed = section.with(&transcript, &mutation.records);
                    let (name, history) =
                        (name.clone(), (number % SAMPLE == 0).then(|| Arc::clone(&history)));
                    let (section, recorded) = (Arc::clone(&section), Arc::clone(&recorded));
                    sender.send(Change { name, section, recorded, mutation, changed, history }).unwrap();
                }
            }
        }
        drop(sender);
    });
    let Outcome { count, missed, ignored, explained } = outcome.into_inner().unwrap();
    assert!(count > 10_000, "{count} changes");
    assert!(missed.is_empty(), "of {count} changes, nobody notices\n{}", shown(&missed));
    assert!(
        explained.is_empty(),
        "of {count} changes, the list of differences explains\n{}",
        shown(&explained)
    );
    let unused: Vec<&str> = ignored::RULES.iter().copied().filter(|rule| !ignored.contains(rule)).collect();
    assert!(unused.is_empty(), "rules that ignore nothing: {unused:?}");
}

/// Kinds of changes, each with its number and one of them.
type Kinds = BTreeMap<String, (usize, String)>;

fn shown(kinds: &Kinds) -> String {
    let lines = kinds.iter().map(|(what, (count, example))| format!("{what}: {count}, as in {example}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A change of a session.
struct Change {
    name: String,
    section: Arc<Section>,
    recorded: Arc<Transcript>,
    mutation: Mutation,
    changed: Transcript,
    /// All messages of the session, if the change is one of the sample.
    history: Option<Arc<History>>,
}

impl Change {
    /// Returns what came of the change, and the deliberate differences that explain it.
    fn try_out(&self) -> (Found, Vec<String>) {
        let mut findings = compare::transcripts(&self.recorded, &self.changed);
        if findings.is_empty() {
            return (
                ignored::rule(&self.section, &self.mutation).map_or(Found::No, Found::Ignored),
                Vec::new(),
            );
        }
        let Some(history) = &self.history else { return (Found::Yes, Vec::new()) };
        for finding in &mut findings {
            finding.section = self.section.number;
        }
        let mut used = Used::new();
        let left = differences::OWN.unexplained(history, &findings, &mut used);
        let used = if left.is_empty() { used } else { Used::new() };
        (Found::Yes, used.into_iter().map(|(_, line)| line).collect())
    }
}

/// The outcome of a change.
#[derive(Clone, Copy)]
enum Found {
    Yes,
    No,
    /// The rule that ignores it.
    Ignored(&'static str),
}

/// The outcome of many changes.
#[derive(Debug, Default)]
struct Outcome {
    count: usize,
    /// Changes that were not found and should have been.
    missed: Kinds,
    /// Changes that a deliberate difference explains and should not.
    explained: Kinds,
    /// Rules that have ignored a change.
    ignored: BTreeSet<&'static str>,
}

impl Outcome {
    fn add(&mut self, change: &Change, found: Found, explained: Vec<String>) {
        let Mutation { kind, place, .. } = &change.mutation;
        let example = format!("{}, section {}", change.name, change.section.number);
        self.count += 1;
        match found {
            Found::Yes => {}
            Found::No => {
                self.missed.entry(format!("{kind:?} {place}")).or_insert((0, example.clone())).0 += 1;
            }
            Found::Ignored(rule) => drop(self.ignored.insert(rule)),
        }
        for line in explained.into_iter().filter(|line| !explained::is_right(line, *kind)) {
            let what = format!("{line} <- {kind:?} {place}");
            self.explained.entry(what).or_insert((0, example.clone())).0 += 1;
        }
    }
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
    /// Clients that have closed their connections.
    left: BTreeSet<String>,
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
    let (mut before, mut clients, mut left) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let parts = transcript.records.split(|record| matches!(record, Record::Barrier));
    for (number, records) in parts.enumerate() {
        for record in records {
            match record {
                Record::Connect(connect) => drop(clients.insert(connect.conn.clone())),
                Record::ClosedByServer(conn) => drop(clients.remove(conn)),
                Record::ClosedByClient(conn) => {
                    clients.remove(conn);
                    left.insert(conn.clone());
                }
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
        let (before_it, clients, left) = (before.clone(), clients.clone(), left.clone());
        sections.push(Section { number, before: before_it, records, clients, left });
        before.extend(later);
    }
    sections
}
