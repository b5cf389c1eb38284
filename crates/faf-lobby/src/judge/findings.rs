//! The differences that were found, and what explains them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::PlayerId;
use faf_sessions::compare::Finding;
use faf_sessions::differences::{BROKER, Differences, Explained, Explanation, History, Verb};
use serde_json::Value;

use super::lanes::{DIRECT, Piece, REPORTS};
use super::report::{Example, Report};

/// Number of messages that are remembered for conditions of the list of differences, and to show
/// what came before a difference.
const REMEMBERED: usize = 30_000;

/// Length of a remembered message, in bytes; the rest is cut.
const TEXT: usize = 4096;

/// Number of messages before a difference that are shown.
const SHOWN: usize = 12;

/// Number of differences of one client that are explained together at most.
const TOGETHER: usize = 1000;

/// A remembered message.
#[derive(Debug)]
struct Said {
    at: Duration,
    who: Arc<str>,
    verb: Verb,
    text: Arc<str>,
}

/// Pieces of a client whose differences have not been explained.
#[derive(Debug, Default)]
struct Waiting {
    pieces: Vec<Piece>,
    /// Number of differences in them.
    count: usize,
}

/// All differences.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    explanation: Explanation<'a>,
    said: VecDeque<Said>,
    names: BTreeMap<u64, Arc<str>>,
    waiting: BTreeMap<u64, Waiting>,
    /// Clients with waiting differences, with the time at which they are explained.
    due: VecDeque<(Duration, u64)>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(differences: &'a Differences) -> Self {
        Self {
            explanation: Explanation::new(differences),
            said: VecDeque::new(),
            names: BTreeMap::new(),
            waiting: BTreeMap::new(),
            due: VecDeque::new(),
        }
    }

    /// Notes a message of a client, or a direct message to it in the recording: JSON with its
    /// members in the order of their names.
    pub(super) fn said(&mut self, conn: u64, verb: Verb, text: &str, at: Duration) {
        let who = Arc::clone(self.names.entry(conn).or_insert_with(|| conn.to_string().into()));
        let end = text.floor_char_boundary(TEXT);
        self.said.push_back(Said { at, who, verb, text: text[..end].into() });
        if self.said.len() > REMEMBERED {
            self.said.pop_front();
        }
    }

    /// Notes that a player has been rated, which the recorded server has told other services
    /// as well.
    pub(super) fn rated(&mut self, player: PlayerId, at: Duration) {
        let text = format!(r#"success.rating.update {{"player_id":{player}}}"#).into();
        self.said.push_back(Said { at, who: BROKER.into(), verb: Verb::Receives, text });
    }

    /// Forgets a connection that has ended, and about which nothing follows.
    pub(super) fn forget(&mut self, conn: u64) {
        self.names.remove(&conn);
    }

    /// Notes pieces that differ.
    pub(super) fn note(&mut self, pieces: Vec<Piece>, now: Duration) {
        for mut piece in pieces {
            let conn = piece.conn;
            let waiting = self.waiting.entry(conn).or_insert_with(|| {
                self.due.push_back((now + REPORTS, conn));
                Waiting::default()
            });
            piece.findings.truncate(TOGETHER.saturating_sub(waiting.count));
            waiting.count += piece.findings.len();
            if piece.told.is_none() {
                // The cause of a report came before it.
                piece.from = piece.from.saturating_sub(DIRECT);
            }
            waiting.pieces.push(piece);
        }
    }

    /// Explains the differences that have waited long enough for others which belong to them.
    pub(super) fn explain(
        &mut self,
        now: Option<Duration>,
        report: &mut Report,
        player: &dyn Fn(u64) -> Option<String>,
    ) {
        while self.due.front().is_some_and(|(due, _)| now.is_none_or(|now| *due <= now)) {
            let Some((_, conn)) = self.due.pop_front() else { break };
            if let Some(waiting) = self.waiting.remove(&conn) {
                self.explain_client(conn, waiting.pieces, report, player);
            }
        }
    }

    fn explain_client(
        &mut self,
        conn: u64,
        mut pieces: Vec<Piece>,
        report: &mut Report,
        player: &dyn Fn(u64) -> Option<String>,
    ) {
        // Pieces that overlap are one section, and so is what lies between two of them.
        pieces.sort_by_key(|piece| piece.from);
        let mut spans: Vec<(Duration, Duration)> = Vec::new();
        let (mut findings, mut of_piece) = (Vec::new(), Vec::new());
        let client = conn.to_string();
        for (place, piece) in pieces.iter().enumerate() {
            match spans.last_mut() {
                Some((_, until)) if piece.from <= *until => *until = piece.until.max(*until),
                _ => spans.push((piece.from, piece.until)),
            }
            for what in &piece.findings {
                let client = Some(client.clone());
                findings.push(Finding { section: 2 * spans.len(), client, what: what.clone() });
                of_piece.push(place);
            }
        }
        let Some((_, last)) = spans.last().copied() else { return };
        let mut history = History::default();
        let mut span = 0;
        for Said { at, who, verb, text } in self.said.iter().filter(|said| said.at <= last) {
            while spans.get(span).is_some_and(|(_, until)| at > until) {
                span += 1;
            }
            let is_inside = spans.get(span).is_some_and(|(from, _)| at >= from);
            history.add(2 * span + if is_inside { 2 } else { 1 }, who, *verb, text);
        }
        let explained = self.explanation.explain(&history, findings);
        for (Explained { finding, reason }, place) in explained.into_iter().zip(of_piece) {
            let Piece { until, told, .. } = &pieces[place];
            let until = *until;
            let example = || {
                let shown =
                    |messages: &Vec<Value>| messages.iter().map(|one| cut(&one.to_string())).collect();
                Example {
                    number: 0,
                    connection: conn,
                    player: player(conn),
                    at: until.as_secs_f64(),
                    what: finding.what.clone(),
                    before: self.before(&client, until),
                    recorded: told.as_ref().map(|(recorded, _)| shown(recorded)).unwrap_or_default(),
                    ours: told.as_ref().map(|(_, ours)| shown(ours)).unwrap_or_default(),
                }
            };
            report.add(&finding.what, reason, example);
        }
    }

    /// Returns the last remembered messages of a client until a time.
    fn before(&self, client: &str, until: Duration) -> Vec<String> {
        let of_client = self.said.iter().rev().filter(|said| said.at <= until && &*said.who == client);
        let shown = of_client.take(SHOWN).map(|Said { at, verb, text, .. }| {
            let direction = match verb {
                Verb::Sends => "->",
                Verb::Receives => "<-",
            };
            format!("{:.3} {direction} {}", at.as_secs_f64(), cut(text))
        });
        let mut shown: Vec<String> = shown.collect();
        shown.reverse();
        shown
    }

    /// Returns the lines of the list of differences that have explained nothing.
    pub(super) fn unused(&self) -> Vec<String> {
        self.explanation.unused()
    }
}

/// Returns the beginning of a text.
fn cut(text: &str) -> String {
    const LENGTH: usize = 1000;
    match text.len() > LENGTH {
        true => format!("{}...", &text[..text.floor_char_boundary(LENGTH)]),
        false => text.to_owned(),
    }
}
