//! Scripted sessions, as those that were recorded from the original server: one JSON object per
//! record (`golden/sessions/README.md`).

mod entries;
mod write;

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faf_protocol::{Message, WireFormat};
use serde::Deserialize;
use serde_json::Value;

use crate::compare::broker;

/// Maximum number of bytes that a record says to repeat; more is not a record. The recorded server
/// reads 10 MiB.
const GENERATED: usize = 64 << 20;

/// One recorded session.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Settings that differ from those of the other sessions, named as in the original.
    pub overrides: Value,
    /// Records in the order of the session.
    pub records: Vec<Record>,
    /// Time of each record since the session began.
    pub times: Vec<Duration>,
    /// Longest time without a record; pings and broadcasts about queues come in any pause.
    pub longest_pause: Duration,
}

/// One recorded event.
#[derive(Debug, Clone)]
pub enum Record {
    /// Everything caused by earlier records has happened.
    Barrier,
    /// A comment, or an action on the server.
    Step(String),
    /// A client connects.
    Connect(Connect),
    /// A client sends a message or bytes.
    Send(String, Sent),
    /// A client receives a message.
    Receive(String, Value),
    /// The server ends a connection.
    ClosedByServer(String),
    /// A client ends its connection.
    ClosedByClient(String),
    /// An HTTP request to the server.
    Http(Http),
    /// The contents of the database that differ from the seed.
    Database(Value),
    /// The server publishes a message to other services over the message broker.
    Publication(Publication),
    /// The key set for verifying tokens.
    Keys(Value),
    /// The server asks the policy service about a login.
    PolicyRequest(Value),
    /// The metrics are read.
    Metrics,
}

/// The parameters of a client's connection.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Name of the connection.
    pub conn: String,
    /// Wire format that the client uses.
    pub format: WireFormat,
    /// Whether the listener expects a PROXY header.
    pub proxy: bool,
    /// Source address to announce in the header; no header is sent if it is missing.
    pub source: Option<String>,
}

/// Data that a client sends.
#[derive(Debug, Clone)]
pub enum Sent {
    /// A message.
    Message(Message),
    /// Raw bytes.
    Raw(Vec<u8>),
}

/// A message to other services.
#[derive(Debug, Clone, Deserialize)]
pub struct Publication {
    /// Routing key of the message.
    pub routing_key: String,
    /// Number of the delivery mode: 1 for a transient message, 2 for one that survives a restart of
    /// the broker.
    pub delivery_mode: u8,
    /// Body of the message.
    pub body: Value,
}

/// A request to the health or control endpoint, with its response.
#[derive(Debug, Clone, Deserialize)]
pub struct Http {
    /// Path of the request.
    pub path: String,
    /// Status of the response.
    pub status: u16,
    /// Content type of the response.
    pub content_type: String,
    /// Body of the response: JSON if it is valid JSON, else text.
    pub body: Value,
}

/// In the form of [`broker::record`].
impl From<&Publication> for Value {
    fn from(Publication { routing_key, delivery_mode, body }: &Publication) -> Self {
        broker::record(routing_key, *delivery_mode, body)
    }
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    t_ms: u64,
    conn: Option<String>,
    dir: Option<Direction>,
    msg: Option<Message>,
    raw: Option<String>,
    raw_b64: Option<String>,
    generated: Option<Generated>,
    event: Option<ConnectionEvent>,
    protocol: Option<Protocol>,
    listener: Option<String>,
    proxy_v1_source: Option<String>,
    barrier: Option<Value>,
    step: Option<String>,
    db: Option<Value>,
    mq: Option<Publication>,
    http: Option<Http>,
    jwks: Option<Value>,
    policy_request: Option<Value>,
    metrics: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    C2s,
    S2c,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ConnectionEvent {
    Connect,
    ClosedByServer,
    ClosedByClient,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Json,
    Qds,
}

#[derive(Debug, Deserialize)]
struct Generated {
    prefix: String,
    repeat: String,
    count: usize,
    suffix: String,
}

/// A file that is not a transcript.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct InvalidTranscript {
    /// Number of the line, from 1.
    pub line: usize,
    /// The reason why it is not a record.
    pub reason: String,
}

impl Transcript {
    /// Parses a session.
    ///
    /// # Errors
    /// If a line is not JSON or not a record, or is about a connection that has not begun.
    pub fn read(text: &str) -> Result<Self, InvalidTranscript> {
        #[derive(Deserialize)]
        struct Head {
            meta: Meta,
        }
        #[derive(Deserialize)]
        struct Meta {
            #[serde(default)]
            config_overrides: Value,
        }

        let invalid = |line: usize, reason: String| InvalidTranscript { line: line + 1, reason };
        let mut lines = text.lines().enumerate();
        let head = lines.next().map_or("", |(_, head)| head);
        let Head { meta } = serde_json::from_str(head).map_err(|error| invalid(0, error.to_string()))?;
        let (mut records, mut times) = (Vec::new(), Vec::new());
        let (mut now, mut longest_pause, mut connected) = (0, 0, BTreeSet::new());
        for (number, line) in lines {
            let read: Line =
                serde_json::from_str(line).map_err(|error| invalid(number, error.to_string()))?;
            let time = read.t_ms;
            let record =
                record(read).ok_or_else(|| invalid(number, "a record of an unknown kind".to_owned()))?;
            match (&record, conn(&record)) {
                (Record::Connect(_), Some(name)) => drop(connected.insert(name.to_owned())),
                (_, Some(name)) if !connected.contains(name) => {
                    return Err(invalid(number, format!("{name} has not connected")));
                }
                _ => {}
            }
            if !is_routine(&record) {
                longest_pause = longest_pause.max(time.saturating_sub(now));
                now = time;
            }
            records.push(record);
            times.push(Duration::from_millis(time));
        }
        let longest_pause = Duration::from_millis(longest_pause);
        Ok(Self { overrides: meta.config_overrides, records, times, longest_pause })
    }
}

/// Returns the name of the connection that a record is about.
fn conn(record: &Record) -> Option<&str> {
    match record {
        Record::Connect(connect) => Some(&connect.conn),
        Record::Send(conn, _)
        | Record::Receive(conn, _)
        | Record::ClosedByServer(conn)
        | Record::ClosedByClient(conn) => Some(conn),
        _ => None,
    }
}

/// Returns whether a record is a ping, the answer to one, or a broadcast about queues.
fn is_routine(record: &Record) -> bool {
    let is_routine = |command: Option<&str>| matches!(command, Some("ping" | "pong" | "matchmaker_info"));
    match record {
        Record::Receive(_, message) => is_routine(message["command"].as_str()),
        Record::Send(_, Sent::Message(message)) => is_routine(message.command().as_deref()),
        _ => false,
    }
}

fn record(line: Line) -> Option<Record> {
    Some(match line {
        Line { barrier: Some(_), .. } => Record::Barrier,
        Line { step: Some(step), .. } => Record::Step(step),
        Line { http: Some(http), .. } => Record::Http(http),
        Line { db: Some(tables), .. } => Record::Database(tables),
        Line { mq: Some(publication), .. } => Record::Publication(publication),
        Line { jwks: Some(keys), .. } => Record::Keys(keys),
        Line { policy_request: Some(request), .. } => Record::PolicyRequest(request),
        Line { metrics: Some(_), .. } => Record::Metrics,
        Line { event: Some(event), .. } => match event {
            ConnectionEvent::Connect => Record::Connect(Connect {
                conn: line.conn?,
                format: match line.protocol? {
                    Protocol::Json => WireFormat::SimpleJson,
                    Protocol::Qds => WireFormat::QDataStream,
                },
                proxy: line.listener.is_some_and(|listener| listener == "proxy"),
                source: line.proxy_v1_source,
            }),
            ConnectionEvent::ClosedByServer => Record::ClosedByServer(line.conn?),
            ConnectionEvent::ClosedByClient => Record::ClosedByClient(line.conn?),
        },
        Line { dir: Some(Direction::S2c), .. } => {
            Record::Receive(line.conn?, serde_json::from_str(line.msg?.as_str()).ok()?)
        }
        Line { dir: Some(Direction::C2s), .. } => Record::Send(
            line.conn?,
            // If there are bytes, they are the frame of the message.
            match (line.raw, line.raw_b64, line.generated, line.msg) {
                (Some(text), ..) => Sent::Raw(text.into_bytes()),
                (_, Some(bytes), ..) => Sent::Raw(STANDARD.decode(bytes).ok()?),
                (_, _, Some(Generated { prefix, repeat, count, suffix }), _) => {
                    repeat.len().checked_mul(count).filter(|length| *length <= GENERATED)?;
                    Sent::Raw([prefix, repeat.repeat(count), suffix].concat().into_bytes())
                }
                (.., Some(message)) => Sent::Message(message),
                _ => return None,
            },
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_session_is_refused_with_the_line() {
        let connect = r#"{"conn":"A","event":"connect","protocol":"json"}"#;
        let after = |line: &str| format!("{{\"meta\":{{}}}}\n{connect}\n{line}");
        for (text, line, reason) in [
            (String::new(), 1, "EOF"),
            ("{}".to_owned(), 1, "missing field `meta`"),
            (after("nonsense"), 3, "expected"),
            (after("\n{}"), 3, "EOF"),
            (after(r#"{"barrier":"set"#), 3, "EOF"),
            (after(r#"{"conn":"A","dir":"s2c"}"#), 3, "unknown kind"),
            (after(r#"{"conn":"A","dir":"c2s","raw_b64":"?"}"#), 3, "unknown kind"),
            (after(r#"{"conn":"B","dir":"s2c","msg":{}}"#), 3, "B has not connected"),
            (
                after(
                    r#"{"conn":"A","dir":"c2s","generated":{"prefix":"","repeat":"a","count":1e30,"suffix":""}}"#,
                ),
                3,
                "invalid type",
            ),
            (
                after(
                    r#"{"conn":"A","dir":"c2s","generated":{"prefix":"","repeat":"aa","count":9223372036854775808,"suffix":""}}"#,
                ),
                3,
                "unknown kind",
            ),
        ] {
            let error = Transcript::read(&text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.reason.contains(reason), "{error}: {text}");
        }
        assert!(Transcript::read(&after(r#"{"barrier":"settled"}"#)).is_ok());
    }
}
