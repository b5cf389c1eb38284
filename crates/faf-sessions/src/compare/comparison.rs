//! Compares a whole session, section by section.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::database::{self, Tables};
use super::generated_maps::GeneratedMaps;
use super::queues::Queues;
use super::{Finding, broker, forget_other_games, games, players, section};
use crate::transcript::Http;

/// The comparison of a session with its recording: give it what each client and service has
/// received in a section, then [end](Self::end_section) the section.
///
/// It remembers what one section says about a later one: queues, session numbers, generated maps,
/// and places on the map of a match.
#[derive(Debug)]
pub struct Comparison {
    section: usize,
    clients: BTreeMap<String, Known>,
    expected_maps: GeneratedMaps,
    received_maps: GeneratedMaps,
    /// Places on the map that players of matches were given, by game.
    places: BTreeSet<(u64, u64)>,
    findings: Vec<Finding>,
}

/// The messages that a client has received in one section, and should have received.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Messages of the recording.
    pub expected: Vec<Value>,
    /// Messages of the server.
    pub received: Vec<Value>,
    /// Whether the client has asked for the queues, now or before.
    pub has_asked_for_queues: bool,
    /// Whether the client has closed its connection in this section.
    pub has_left: bool,
}

/// Knowledge of a client from earlier sections.
#[derive(Debug, Default)]
struct Known {
    expected_queues: Queues,
    received_queues: Queues,
    session: Option<Value>,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            section: 1,
            clients: BTreeMap::new(),
            expected_maps: GeneratedMaps::default(),
            received_maps: GeneratedMaps::default(),
            places: BTreeSet::new(),
            findings: Vec::new(),
        }
    }
}

impl Comparison {
    /// Compares what a client has received in this section. Clients must always come in the
    /// same order.
    pub fn client(&mut self, name: &str, heard: Heard) {
        let Heard { mut expected, mut received, has_asked_for_queues, has_left } = heard;
        expected.iter_mut().for_each(|message| self.expected_maps.hide(message));
        received.iter_mut().for_each(|message| self.received_maps.hide(message));
        let known = self.clients.entry(name.to_owned()).or_default();
        known.expected_queues.take(&expected);
        known.received_queues.take(&received);
        let mut findings = known.expected_queues.compare(&known.received_queues, has_asked_for_queues);
        // The last report may have reached a client that has left, or not.
        if has_left {
            findings.clear();
            forget_other_games(&expected, &mut received);
        }
        for number in received.iter_mut().filter_map(|message| message.get_mut("session")) {
            let first = known.session.get_or_insert_with(|| number.clone());
            if first != number {
                *number = "another number than before".into();
            }
        }
        for (game, place) in received.iter().filter_map(place) {
            if !self.places.insert((game, place)) {
                findings.push(format!("place {place} of game {game} is taken"));
            }
        }
        findings.extend(section(expected, received));
        for finding in findings {
            self.note(Some(name), finding);
        }
    }

    /// Compares the publications of this section, in the form of [`broker::record`].
    pub fn publications(&mut self, mut expected: Vec<Value>, mut published: Vec<Value>) {
        expected.iter_mut().for_each(|record| self.expected_maps.hide(record));
        published.iter_mut().for_each(|record| self.received_maps.hide(record));
        for finding in broker::compare(expected, published) {
            self.note(None, finding);
        }
    }

    /// Compares recorded changes of the database with those from `before` to `now`.
    pub fn database(&mut self, recorded: &Value, before: &Tables, now: &Tables) {
        for finding in database::compare(recorded, before, now) {
            self.note(None, finding);
        }
    }

    /// Compares the responses to a request over HTTP. Of an error, only the status counts.
    pub fn page(&mut self, expected: &Http, received: &Http) {
        let path = &expected.path;
        if received.status != expected.status {
            self.note(None, format!("{path}: {} instead of {}", received.status, expected.status));
        }
        if expected.status != 200 {
            return;
        }
        let media_type = |http: &Http| http.content_type.split(';').next().map(str::to_owned);
        if media_type(received) != media_type(expected) {
            self.note(
                None,
                format!("{path}: {} instead of {}", received.content_type, expected.content_type),
            );
        }
        let (was, is) = (&expected.body, &received.body);
        let findings = match path.as_str() {
            "/players" => players(was, is),
            "/games" => games(was, is),
            _ if was == is => Vec::new(),
            _ => vec![format!("{is} instead of {was}")],
        };
        for finding in findings {
            self.note(None, format!("{path}: {finding}"));
        }
    }

    /// Compares a request to the policy service.
    pub fn policy_request(&mut self, expected: &Value, received: &Value) {
        if received != expected {
            self.note(None, format!("policy: {received} instead of {expected}"));
        }
    }

    /// Notes a difference that was found in another way.
    pub fn note(&mut self, client: Option<&str>, what: String) {
        self.findings.push(Finding { section: self.section, client: client.map(str::to_owned), what });
    }

    /// Ends a section, as a barrier does.
    pub fn end_section(&mut self) {
        self.section += 1;
    }

    /// Returns all differences.
    #[must_use]
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}

/// Returns the game and the place on its map in a `game_launch` of a match.
fn place(message: &Value) -> Option<(u64, u64)> {
    Some((message["uid"].as_u64()?, message["map_position"].as_u64()?))
}
