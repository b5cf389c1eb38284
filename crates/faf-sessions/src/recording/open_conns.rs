//! The connections that are open at a point of a recording.

use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::WireFormat;

use super::format::OpenConn;
use super::{Entry, RecordedConn, Side};

/// Connections that may be open at the same time: a million. No server has as many.
const LIMIT: usize = 1_000_000;

/// The open connections, and whether entries of them are missing.
#[derive(Debug, Default)]
pub(super) struct OpenConns(BTreeMap<RecordedConn, IsIncomplete>);

type IsIncomplete = bool;

impl OpenConns {
    /// Follows an entry. Returns whether it counts: of an incomplete connection, only the end does.
    ///
    /// # Errors
    /// The problem, in words, if the entry contradicts those before.
    pub(super) fn follow(&mut self, entry: &Entry) -> Result<bool, String> {
        match entry {
            Entry::Clock { .. } => Ok(true),
            Entry::Opened { conn, .. } => {
                if self.0.len() == LIMIT {
                    return Err(format!("more than {LIMIT} connections are open"));
                }
                match self.0.insert(*conn, false) {
                    None => Ok(true),
                    Some(_) => Err(format!("connection {} begins twice", conn.0)),
                }
            }
            Entry::Closed { conn, .. } => self.0.remove(conn).map(|_| true).ok_or_else(|| unknown(*conn)),
            Entry::Incomplete { conn } => {
                let is_incomplete = self.0.get_mut(conn).ok_or_else(|| unknown(*conn))?;
                Ok(!std::mem::replace(is_incomplete, true))
            }
            Entry::FromClient { conn, .. }
            | Entry::FromServer { conn, .. }
            | Entry::BytesFromClient { conn, .. } => {
                self.0.get(conn).map(|is_incomplete| !is_incomplete).ok_or_else(|| unknown(*conn))
            }
        }
    }

    /// Follows a gap, after which these connections are open. Returns the entries that say so.
    ///
    /// # Errors
    /// As [`follow`](Self::follow).
    pub(super) fn after_a_gap(&mut self, open: &[OpenConn]) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        let still_open: BTreeSet<_> = open.iter().map(|open| RecordedConn(open.conn)).collect();
        for (conn, is_incomplete) in &self.0 {
            if !is_incomplete {
                entries.push(Entry::Incomplete { conn: *conn });
            }
            // Nothing tells which side has ended it.
            if !still_open.contains(conn) {
                entries.push(Entry::Closed { conn: *conn, by: Side::Client });
            }
        }
        for open in open.iter().filter(|open| !self.0.contains_key(&RecordedConn(open.conn))) {
            let format: WireFormat = open.opened.parse()?;
            let conn = RecordedConn(open.conn);
            entries.push(Entry::Opened { conn, format, address: open.address });
            entries.push(Entry::Incomplete { conn });
        }
        for entry in &entries {
            self.follow(entry)?;
        }
        Ok(entries)
    }
}

fn unknown(conn: RecordedConn) -> String {
    format!("connection {} has not begun", conn.0)
}
