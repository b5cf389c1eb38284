//! A transcript as a recording.

use std::collections::HashMap;

use faf_protocol::Message;

use super::{Record, Sent, Transcript};
use crate::recording::{Entry, Recorded, RecordedConn, Side};

impl Transcript {
    /// Returns the entries that a recording of the session has, and the names of its connections in
    /// the order of their numbers. Records that are not about a connection are left out.
    ///
    /// # Panics
    /// If a message of the transcript has no JSON text, which a value always has.
    #[must_use]
    pub fn entries(&self) -> (Vec<Recorded>, Vec<String>) {
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        let mut entries = Vec::new();
        for (record, at) in self.records.iter().zip(&self.times) {
            let numbered = |name: &str| numbers.get(name).copied();
            let entry = match record {
                Record::Connect(connect) => {
                    names.push(connect.conn.clone());
                    let conn = RecordedConn(names.len() as u64);
                    numbers.insert(connect.conn.clone(), conn);
                    let source = connect.source.as_ref().and_then(|source| source.parse().ok());
                    Some(Entry::Opened { conn, format: connect.format, address: source })
                }
                Record::Send(name, Sent::Message(message)) => {
                    numbered(name).map(|conn| Entry::FromClient { conn, message: message.clone() })
                }
                Record::Send(name, Sent::Raw(bytes)) => {
                    numbered(name).map(|conn| Entry::BytesFromClient { conn, bytes: bytes.clone() })
                }
                Record::Receive(name, message) => {
                    let message = Message::from_value(message).expect("a message is a JSON object");
                    numbered(name).map(|conn| Entry::FromServer { conn, message })
                }
                Record::ClosedByServer(name) => {
                    numbered(name).map(|conn| Entry::Closed { conn, by: Side::Server })
                }
                Record::ClosedByClient(name) => {
                    numbered(name).map(|conn| Entry::Closed { conn, by: Side::Client })
                }
                _ => None,
            };
            entries.extend(entry.map(|entry| Recorded { at: *at, entry }));
        }
        (entries, names)
    }
}
