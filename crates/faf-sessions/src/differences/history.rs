//! The messages of a recording, and conditions on them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use faf_protocol::{Limits, WireFormat, qdatastream};
use serde_json::Value;

use super::pattern::Pattern;
use crate::compare;
use crate::transcript::{Record, Sent, Transcript};

/// All messages that clients and services have sent or received in a recording, in order.
#[derive(Debug, Default)]
pub struct History(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    section: usize,
    who: Arc<str>,
    verb: Verb,
    /// JSON with its members in the order of their names.
    text: Arc<str>,
}

/// The direction of a message, as its client or service sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It sends it.
    Sends,
    /// It receives it.
    Receives,
}

/// Name of the broker's receivers; their messages begin with the routing key.
pub const BROKER: &str = "the broker";

/// Name of the policy service.
const POLICY_SERVICE: &str = "the policy service";

/// Text for a QDataStream block that is too long for any server to accept.
pub const TOO_LONG: &str = "a block beyond the limit";

impl History {
    /// Adds a message, a JSON object with its members in the order of their names, after all
    /// earlier ones. Sections are counted from 1.
    pub fn add(&mut self, section: usize, who: &Arc<str>, verb: Verb, text: &Arc<str>) {
        self.0.push(Entry { section, who: Arc::clone(who), verb, text: Arc::clone(text) });
    }

    /// Returns the messages of a session.
    #[must_use]
    pub fn of(transcript: &Transcript) -> Self {
        let (mut entries, mut section, mut formats) = (Vec::new(), 1, HashMap::new());
        for record in &transcript.records {
            let mut note = |who: &str, verb: Verb, text: String| {
                entries.push(Entry { section, who: who.into(), verb, text: text.into() });
            };
            match record {
                Record::Barrier => section += 1,
                Record::Connect(connect) => drop(formats.insert(connect.conn.clone(), connect.format)),
                Record::Send(conn, Sent::Message(message)) => {
                    note(conn, Verb::Sends, sorted(&message.to_string()));
                }
                Record::Send(conn, Sent::Raw(bytes)) => {
                    for text in taken_apart(formats.get(conn), bytes) {
                        note(conn, Verb::Sends, text);
                    }
                }
                Record::Receive(conn, message) => note(conn, Verb::Receives, message.to_string()),
                Record::ClosedByServer(conn) => note(conn, Verb::Receives, compare::end().to_string()),
                Record::PolicyRequest(request) => {
                    note(POLICY_SERVICE, Verb::Receives, format!("policy request {request}"));
                }
                Record::Publication(publication) => {
                    note(BROKER, Verb::Receives, format!("{} {}", publication.routing_key, publication.body));
                }
                _ => {}
            }
        }
        Self(entries)
    }
}

/// Returns the texts of the messages in sent bytes.
fn taken_apart(format: Option<&WireFormat>, bytes: &[u8]) -> Vec<String> {
    if format == Some(&WireFormat::SimpleJson) {
        return String::from_utf8_lossy(bytes).lines().map(sorted).collect();
    }
    let (mut rest, mut texts, limits) = (bytes, Vec::new(), Limits::default());
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((payload, behind)) = behind.split_at_checked(length) else {
            texts.extend((length > limits.message).then(|| TOO_LONG.to_owned()));
            break;
        };
        texts.extend(
            qdatastream::decode_payload(payload, &limits).map(|message| sorted(&message.to_string())),
        );
        rest = behind;
    }
    texts
}

/// Sorts the members of objects by name; returns other texts unchanged.
fn sorted(text: &str) -> String {
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value: Value| value.to_string())
}

/// A condition on messages of a recording.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// Whether any client can meet the condition, not only the one of the finding.
    is_anybody: bool,
    when: When,
    verb: Verb,
    pattern: Pattern,
    /// Message that the client must not have sent before.
    unless_before: Option<Pattern>,
    /// Message that no client must have sent before.
    unless_anybody_before: Option<Pattern>,
    /// Message that the client must not send in the same section.
    unless_now: Option<Pattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// In the section of the finding.
    Now,
    /// In the section of the finding or an earlier one.
    SoFar,
    /// In an earlier section.
    Before,
}

impl Condition {
    /// Parses `[somebody] sends|has sent|had sent|hears|has heard|had heard PATTERN [unless it has
    /// sent|it sends|somebody has sent PATTERN]`.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let exception = |text, words| match str::split_once(text, words) {
            Some((text, unless)) => (text, Some(Pattern::new(unless))),
            None => (text, None),
        };
        let (text, unless_anybody_before) = exception(text, " unless somebody has sent ");
        let (text, unless_before) = exception(text, " unless it has sent ");
        let (text, unless_now) = exception(text, " unless it sends ");
        let (is_anybody, rest) = match text.strip_prefix("somebody ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let verbs = [
            ("sends ", Verb::Sends, When::Now),
            ("has sent ", Verb::Sends, When::SoFar),
            ("had sent ", Verb::Sends, When::Before),
            ("hears ", Verb::Receives, When::Now),
            ("has heard ", Verb::Receives, When::SoFar),
            ("had heard ", Verb::Receives, When::Before),
        ];
        let found = verbs.iter().find_map(|(words, verb, when)| {
            let pattern = Pattern::new(rest.strip_prefix(words)?);
            let (unless_before, unless_now) = (unless_before.clone(), unless_now.clone());
            let unless_anybody_before = unless_anybody_before.clone();
            let (when, verb) = (*when, *verb);
            Some(Self { is_anybody, when, verb, pattern, unless_before, unless_anybody_before, unless_now })
        });
        found.ok_or_else(|| text.to_owned())
    }

    /// Returns how often a client meets the condition in a section.
    pub(super) fn count(&self, History(all): &History, section: usize, client: Option<&str>) -> usize {
        let is_it = |(position, entry): &(usize, &Entry)| {
            let is_then = match self.when {
                When::Now => entry.section == section,
                When::SoFar => entry.section <= section,
                When::Before => entry.section < section,
            };
            let sends = |other: &Entry, unless: &Pattern| {
                other.who == entry.who && other.verb == Verb::Sends && unless.matches(&other.text)
            };
            let is_preceded = |unless: &Pattern| all[..*position].iter().any(|other| sends(other, unless));
            let is_preceded_by_anybody = |unless: &Pattern| {
                all[..*position].iter().any(|other| other.verb == Verb::Sends && unless.matches(&other.text))
            };
            let is_accompanied = |unless: &Pattern| {
                all.iter().any(|other| other.section == entry.section && sends(other, unless))
            };
            is_then
                && (self.is_anybody || client == Some(&*entry.who))
                && entry.verb == self.verb
                && self.pattern.matches(&entry.text)
                && !self.unless_before.as_ref().is_some_and(is_preceded)
                && !self.unless_anybody_before.as_ref().is_some_and(is_preceded_by_anybody)
                && !self.unless_now.as_ref().is_some_and(is_accompanied)
        };
        all.iter().enumerate().filter(is_it).count()
    }

    /// Returns whether any client can meet the condition, not only the one of a finding.
    pub(super) fn is_anybody(&self) -> bool {
        self.is_anybody
    }

    /// Returns the names of the clients and services that have sent or received a message which the
    /// condition is about, at any time.
    pub(super) fn clients<'a>(&self, History(all): &'a History) -> BTreeSet<&'a str> {
        let is_it = |entry: &&Entry| entry.verb == self.verb && self.pattern.matches(&entry.text);
        all.iter().filter(is_it).map(|entry| &*entry.who).collect()
    }

    /// Returns whether the condition is about messages of the client itself in the same section.
    pub(super) fn is_immediate(&self) -> bool {
        !self.is_anybody && self.when == When::Now
    }
}

impl History {
    /// Returns the names of all clients and services that have sent or received anything.
    pub(super) fn clients(&self) -> Vec<&str> {
        let mut clients: Vec<_> = self.0.iter().map(|entry| &*entry.who).collect();
        clients.sort_unstable();
        clients.dedup();
        clients
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A recording in which A has sent a hello, received a welcome, and sent two bad joins in the
    /// second section; B has sent bytes.
    pub(crate) fn history() -> History {
        let text = r#"{"meta":{"config_overrides":{}}}
{"t_ms":0,"conn":"A","event":"connect","protocol":"json"}
{"t_ms":0,"conn":"A","dir":"c2s","msg":{"login":"Ada","command":"hello"}}
{"t_ms":0,"conn":"A","dir":"s2c","msg":{"command":"welcome","id":1}}
{"t_ms":1,"barrier":"settled"}
{"t_ms":2,"conn":"B","event":"connect","protocol":"qds"}
{"t_ms":2,"conn":"A","dir":"c2s","msg":{"command":"game_join","uid":7}}
{"t_ms":2,"conn":"A","dir":"c2s","msg":{"command":"game_join","uid":8}}
{"t_ms":2,"conn":"B","dir":"c2s","raw_b64":"AAAADAAAAAgAUABJAE4AR/////8="}
{"t_ms":3,"conn":"B","event":"closed_by_server"}
{"t_ms":3,"mq":{"routing_key":"success.x","delivery_mode":2,"body":{"b":1,"a":2}}}"#;
        History::of(&Transcript::read(text).unwrap())
    }

    #[test]
    fn conditions_depend_on_sender_message_and_section() {
        let history = history();
        let count = |text: &str, section: usize, client: &str| {
            Condition::new(text).unwrap().count(&history, section, Some(client))
        };
        assert_eq!(count(r#"sends {"command":"hello",*}"#, 1, "A"), 1);
        assert_eq!(count(r#"sends {"command":"hello",*}"#, 2, "A"), 0);
        assert_eq!(count(r#"has sent {"command":"hello",*}"#, 2, "A"), 1);
        assert_eq!(count(r#"has sent {"command":"hello",*}"#, 2, "B"), 0);
        assert_eq!(count(r#"somebody has sent {"command":"hello",*}"#, 2, "B"), 1);
        assert_eq!(count(r#"had sent {"command":"hello",*}"#, 2, "A"), 1);
        assert_eq!(count(r#"had sent {"command":"hello",*}"#, 1, "A"), 0);
        assert_eq!(count(r#"sends {"command":"game_join",*}"#, 2, "A"), 2);
        // Both come after the hello, and one of them after the other.
        assert_eq!(
            count(r#"sends {"command":"game_join",*} unless it has sent {"command":"hello",*}"#, 2, "A"),
            0
        );
        assert_eq!(count(r#"sends {"command":"game_join",*} unless it has sent {*"uid":7}"#, 2, "A"), 1);
        assert_eq!(
            count(r#"sends {"command":"ping"} unless somebody has sent {"command":"hello",*}"#, 2, "B"),
            0
        );
        assert_eq!(count(r#"sends {"command":"ping"} unless somebody has sent {*"uid":9}"#, 2, "B"), 1);
        // In the same section, the order does not matter.
        assert_eq!(count(r#"sends {"command":"game_join","uid":7} unless it sends {*"uid":8}"#, 2, "A"), 0);
        assert_eq!(
            count(r#"sends {"command":"game_join",*} unless it sends {"command":"hello",*}"#, 2, "A"),
            2
        );
        assert_eq!(count(r#"hears {"command":"welcome",*}"#, 1, "A"), 1);
        assert_eq!(count(r#"sends {"command":"welcome",*}"#, 1, "A"), 0);
        assert_eq!(count(r#"somebody hears success.x {"a":2,"b":1}"#, 2, "A"), 1);
        // Bytes are messages, too.
        assert_eq!(count(r#"sends {"command":"ping"}"#, 2, "B"), 1);
        assert_eq!(count("sends a block beyond the limit", 2, "B"), 1);
        assert_eq!(count(r#"hears {"command":"the end"}"#, 2, "B"), 1);
    }
}
