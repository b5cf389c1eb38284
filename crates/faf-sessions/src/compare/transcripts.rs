//! Compares two recordings of the same session.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::database::{TABLES, Tables};
use super::{Comparison, Finding, Heard, end, is_ping};
use crate::transcript::{Http, Record, Sent, Transcript};

/// Returns the differences of a recording from the expected one, by the same rules as those of
/// a replay. Both must have the same clients, who send the same messages; what clients send is
/// not compared.
///
/// A recording has the changes of the database, not its contents, so a row that both sessions leave
/// as it was is not seen.
#[must_use]
pub fn transcripts(expected: &Transcript, received: &Transcript) -> Vec<Finding> {
    let is_pinged = expected.overrides.get("PING_INTERVAL").is_some();
    let names: BTreeSet<&str> = [expected, received].into_iter().flat_map(clients).collect();
    let (expected, received) = (sections(expected), sections(received));
    let mut comparison = Comparison::default();
    let mut asked = BTreeSet::new();
    let nothing = Section::default();
    for number in 0..expected.len().max(received.len()) {
        let (was, is) = (expected.get(number).unwrap_or(&nothing), received.get(number).unwrap_or(&nothing));
        asked.extend(was.asked.iter().copied());
        was.services(is, &mut comparison);
        for name in &names {
            let messages = |section: &Section<'_>| section.messages.get(name).cloned().unwrap_or_default();
            let (expected, received) = (messages(was), messages(is));
            comparison.client(
                name,
                Heard {
                    expected: without_pings(expected),
                    received: without_pings(received),
                    has_asked_for_queues: asked.contains(name),
                    has_left: was.left.contains(name),
                },
            );
        }
        comparison.end_section();
    }
    for name in names.iter().filter(|_| is_pinged) {
        if is_ever_pinged(&expected, name) && !is_ever_pinged(&received, name) {
            comparison.note(Some(name), "missing ping".to_owned());
        }
    }
    comparison.into_findings()
}

/// The records between two barriers.
#[derive(Debug, Default)]
struct Section<'a> {
    messages: BTreeMap<&'a str, Vec<Value>>,
    /// Clients that asked for the queues.
    asked: BTreeSet<&'a str>,
    /// Clients that closed their connection.
    left: BTreeSet<&'a str>,
    publications: Vec<Value>,
    databases: Vec<&'a Value>,
    pages: Vec<&'a Http>,
    policy_requests: Vec<&'a Value>,
}

fn clients(transcript: &Transcript) -> impl Iterator<Item = &str> {
    transcript.records.iter().filter_map(|record| match record {
        Record::Connect(connect) => Some(connect.conn.as_str()),
        _ => None,
    })
}

fn sections(transcript: &Transcript) -> Vec<Section<'_>> {
    let (mut sections, mut here, mut left) = (Vec::new(), Section::default(), BTreeSet::new());
    for record in &transcript.records {
        match record {
            Record::Barrier => {
                here.left.clone_from(&left);
                sections.push(std::mem::take(&mut here));
            }
            Record::Receive(conn, message) => here.messages.entry(conn).or_default().push(message.clone()),
            Record::ClosedByServer(conn) => here.messages.entry(conn).or_default().push(end()),
            Record::ClosedByClient(conn) => drop(left.insert(conn.as_str())),
            Record::Send(conn, Sent::Message(message)) => {
                if message.command().as_deref() == Some("matchmaker_info") {
                    here.asked.insert(conn);
                }
            }
            Record::Publication(publication) => here.publications.push(publication.into()),
            Record::Database(changes) => here.databases.push(changes),
            Record::Http(http) => here.pages.push(http),
            Record::PolicyRequest(request) => here.policy_requests.push(request),
            Record::Send(_, Sent::Raw(_))
            | Record::Step(_)
            | Record::Connect(_)
            | Record::Keys(_)
            | Record::Metrics => {}
        }
    }
    here.left = left;
    sections.push(here);
    sections
}

impl Section<'_> {
    /// Compares everything but the messages to clients.
    fn services(&self, received: &Self, comparison: &mut Comparison) {
        comparison.publications(self.publications.clone(), received.publications.clone());
        let nothing = Value::Object(serde_json::Map::new());
        for number in 0..self.databases.len().max(received.databases.len()) {
            let at =
                |section: &Self| section.databases.get(number).map_or(&nothing, |changes| *changes).clone();
            let changes = at(received);
            let rows = |change| {
                let of_table = |(name, _): (&'static str, _)| {
                    let rows = changes.get(name).and_then(|changes| changes[change].as_array());
                    (name, rows.cloned().unwrap_or_default())
                };
                TABLES.into_iter().map(of_table).collect::<Tables>()
            };
            comparison.database(&at(self), &rows("removed_or_old"), &rows("added_or_changed"));
        }
        let pages = pairs(&self.pages, &received.pages, |page| format!("{} is not asked for", page.path));
        let requests = pairs(&self.policy_requests, &received.policy_requests, Value::to_string);
        for (page, other) in pages.0 {
            comparison.page(page, other);
        }
        for (request, other) in requests.0 {
            comparison.policy_request(request, other);
        }
        for what in pages.1.into_iter().chain(requests.1) {
            comparison.note(None, what);
        }
    }
}

/// Pairs values by their positions; returns those without a partner as findings.
fn pairs<'a, T>(
    expected: &[&'a T],
    received: &[&'a T],
    shown: impl Fn(&T) -> String,
) -> (Vec<(&'a T, &'a T)>, Vec<String>) {
    let pairs: Vec<_> = expected.iter().copied().zip(received.iter().copied()).collect();
    let missing = expected[pairs.len()..].iter().map(|value| format!("missing {}", shown(value)));
    let unexpected = received[pairs.len()..].iter().map(|value| format!("unexpected {}", shown(value)));
    let alone = missing.chain(unexpected).collect();
    (pairs, alone)
}

fn without_pings(mut messages: Vec<Value>) -> Vec<Value> {
    messages.retain(|message| !is_ping(message));
    messages
}

fn is_ever_pinged(sections: &[Section<'_>], name: &str) -> bool {
    let mut messages = sections.iter().filter_map(|section| section.messages.get(name)).flatten();
    messages.any(is_ping)
}
