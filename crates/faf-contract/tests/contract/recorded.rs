//! The messages of the golden sessions, with their members in the order of the wire.

use faf_contract::Direction;
use faf_protocol::Message;
use faf_testkit::golden;
use serde::Deserialize;

/// One message of a session.
pub(crate) struct Exchange {
    /// The session and the connection.
    pub(crate) conn: (String, String),
    pub(crate) direction: Direction,
    pub(crate) message: Message,
    /// Whether the server refuses it: its next word on the connection is an error, or the end.
    pub(crate) is_refused: bool,
    /// Whether the client also sends bytes that are not one message.
    pub(crate) is_raw: bool,
}

#[derive(Deserialize)]
struct Record {
    conn: Option<String>,
    dir: Option<Side>,
    msg: Option<Message>,
    event: Option<String>,
    raw: Option<String>,
    raw_b64: Option<String>,
    generated: Option<serde_json::Value>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Side {
    C2s,
    S2c,
}

/// Returns the messages of all sessions that are JSON objects.
pub(crate) fn all() -> Vec<Exchange> {
    golden::files("sessions", "jsonl").iter().flat_map(|file| session(&golden::text(file), file)).collect()
}

fn session(text: &str, file: &std::path::Path) -> Vec<Exchange> {
    // A message that is not an object is no message of the contract.
    let records: Vec<Record> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(records.len() > 2, "{}", file.display());
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_raw = |conn: &str| {
        let mut of_conn = records.iter().filter(|record| record.conn.as_deref() == Some(conn));
        of_conn.any(|record| {
            record.raw.is_some()
                || record.generated.is_some()
                || (record.raw_b64.is_some() && record.msg.is_none())
        })
    };
    let exchange = |(index, record): (usize, &Record)| {
        let (conn, side, message) = (record.conn.as_ref()?, record.dir.as_ref()?, record.msg.as_ref()?);
        let is_from_client = *side == Side::C2s;
        Some(Exchange {
            conn: (name.clone(), conn.clone()),
            direction: if is_from_client { Direction::ToServer } else { Direction::ToClient },
            message: message.clone(),
            is_refused: is_from_client && is_refused(conn, &records[index + 1..]),
            is_raw: is_raw(conn),
        })
    };
    records.iter().enumerate().filter_map(exchange).collect()
}

fn is_refused(conn: &str, later: &[Record]) -> bool {
    for record in later.iter().filter(|record| record.conn.as_deref() == Some(conn)) {
        match (&record.event, &record.dir, &record.msg) {
            (Some(event), ..) if event == "closed_by_server" => return true,
            (_, Some(Side::C2s), _) => return false,
            (_, Some(Side::S2c), Some(message)) if is_error(message) => return true,
            _ => {}
        }
    }
    false
}

fn is_error(message: &Message) -> bool {
    match message.command().as_deref() {
        Some("invalid" | "authentication_failed" | "disabled") => true,
        Some("notice") => matches!(message.field::<String>("style").as_deref(), Ok("error" | "kick")),
        _ => false,
    }
}
