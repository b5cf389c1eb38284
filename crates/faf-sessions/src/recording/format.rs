//! The lines of a recording.
//!
//! A file is a sequence of `zstd` frames. Each frame can be decompressed without the others and
//! holds whole lines, so `zstdcat FILE | jq .` shows a recording, and a file that was cut off loses
//! at most its last frame. A file may also be these lines without compression.
//!
//! The first line is the header, a [`Header`]. Every other line is a JSON object with one of these
//! sets of members:
//!
//! ```text
//! {"at":0,"utc":1782907200000000}                            the time of day
//! {"at":12,"conn":1,"opened":"simple-json","address":"192.0.2.1"}
//! {"at":15,"conn":1,"client":{"command":"ask_session"}}      a message of the client
//! {"at":16,"conn":1,"bytes":"bm8ganNvbgo="}                  bytes that are no message (Base64)
//! {"at":17,"conn":1,"server":{"command":"session","session":5}}
//! {"at":18,"conn":1,"incomplete":true}                       entries are missing from here on
//! {"at":19,"conn":1,"closed":"client"}                       or "server"
//! {"end":"next"}                                             the next file continues
//! {"end":"finished"}                                         the recording has ended
//! ```
//!
//! `at` counts microseconds since the recording began, by a clock that never jumps; `utc` counts
//! microseconds since 1970. `address` is missing unless addresses are kept. Members may come in any
//! order; unknown members are ignored. An `end` is the last line of its file.

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faf_protocol::{Message, WireFormat};
use serde::{Deserialize, Serialize};

use super::{Entry, Recorded, RecordedConn, Side};

/// Version of the format. It grows with every change that an older reader would misunderstand.
pub const FORMAT: u32 = 1;

/// Longest line of a recording, without its end: 64 MiB. The largest message is far shorter, even
/// if each of its characters has to be escaped.
pub const LINE_LIMIT: usize = 64 * 1024 * 1024;

/// The first line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format, [`FORMAT`]; always the first member.
    pub faf_tap_recording: u32,
    /// Name and version of the program that has written the file.
    pub program: String,
    /// A text that is the same in all files of one recording, and in no others.
    pub recording: String,
    /// Number of the file in its recording, from 1.
    pub file: u32,
    /// Time when the file began, in microseconds since the recording began.
    pub at: u64,
    /// The same as the time of day, in microseconds since 1970.
    pub utc: i64,
    /// Connections that are open at the beginning of the file.
    pub open: Vec<OpenConn>,
}

/// A connection that was opened before its file began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenConn {
    /// Number of the connection.
    pub conn: u64,
    /// Name of its wire format.
    pub opened: Cow<'static, str>,
    /// Address of the client, if addresses are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Whether entries of it are missing, so that none follow but its end.
    #[serde(default)]
    pub incomplete: bool,
}

/// The end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The next file continues where this one ends.
    Next,
    /// The recording has ended.
    Finished,
}

/// A line other than the header.
#[derive(Debug)]
pub(super) enum Line {
    Entry(Recorded),
    End(End),
}

/// All members that a line may have.
#[derive(Deserialize)]
struct Members<'a> {
    at: Option<u64>,
    conn: Option<u64>,
    #[serde(borrow)]
    opened: Option<Cow<'a, str>>,
    address: Option<IpAddr>,
    client: Option<Message>,
    #[serde(borrow)]
    bytes: Option<Cow<'a, str>>,
    server: Option<Message>,
    closed: Option<SideName>,
    #[serde(default)]
    incomplete: bool,
    utc: Option<i64>,
    end: Option<End>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SideName {
    Client,
    Server,
}

/// The problem with the first line of a file.
pub(super) enum HeaderProblem {
    /// It has a newer version than [`FORMAT`].
    Newer(u32),
    /// It is not a header.
    Other(String),
}

/// Reads the first line.
pub(super) fn read_header(line: &[u8]) -> Result<Header, HeaderProblem> {
    /// The only member that every version must have.
    #[derive(Deserialize)]
    struct Version {
        faf_tap_recording: u32,
    }

    let other = |error: serde_json::Error| HeaderProblem::Other(error.to_string());
    let Version { faf_tap_recording: version } = serde_json::from_slice(line).map_err(other)?;
    match version {
        FORMAT => serde_json::from_slice(line).map_err(other),
        0 => Err(HeaderProblem::Other("there is no version 0 of the format".to_owned())),
        newer => Err(HeaderProblem::Newer(newer)),
    }
}

/// Reads a line that is not the header.
///
/// # Errors
/// The problem, in words.
pub(super) fn read_line(line: &[u8]) -> Result<Line, String> {
    let members: Members<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if let Some(end) = members.end {
        return Ok(Line::End(end));
    }
    let at = Duration::from_micros(members.at.ok_or("a line without `at`")?);
    if let Some(utc) = members.utc {
        return Ok(Line::Entry(Recorded { at, entry: Entry::Clock { utc } }));
    }
    let conn = RecordedConn(members.conn.ok_or("a line of an unknown kind")?);
    let entry = if let Some(message) = members.client {
        Entry::FromClient { conn, message }
    } else if let Some(message) = members.server {
        Entry::FromServer { conn, message }
    } else if let Some(name) = members.opened {
        Entry::Opened { conn, format: name.parse()?, address: members.address }
    } else if let Some(side) = members.closed {
        Entry::Closed { conn, by: side.into() }
    } else if let Some(bytes) = members.bytes {
        let bytes = STANDARD.decode(bytes.as_bytes()).map_err(|error| format!("`bytes`: {error}"))?;
        Entry::BytesFromClient { conn, bytes }
    } else if members.incomplete {
        Entry::Incomplete { conn }
    } else {
        return Err("a line of an unknown kind".to_owned());
    };
    Ok(Line::Entry(Recorded { at, entry }))
}

impl From<SideName> for Side {
    fn from(name: SideName) -> Self {
        match name {
            SideName::Client => Self::Client,
            SideName::Server => Self::Server,
        }
    }
}

impl OpenConn {
    /// Describes an open connection.
    #[must_use]
    pub fn new(conn: RecordedConn, format: WireFormat, address: Option<IpAddr>, incomplete: bool) -> Self {
        Self { conn: conn.0, opened: Cow::Borrowed(format.name()), address, incomplete }
    }
}

/// Appends the line of an entry, with its end.
pub(super) fn write_entry(out: &mut Vec<u8>, at: Duration, entry: &Entry) {
    let at = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
    // Writing to memory does not fail.
    let _ = match entry {
        Entry::Opened { conn, format, address: None } => {
            write!(out, r#"{{"at":{at},"conn":{},"opened":"{format}"}}"#, conn.0)
        }
        Entry::Opened { conn, format, address: Some(address) } => {
            write!(out, r#"{{"at":{at},"conn":{},"opened":"{format}","address":"{address}"}}"#, conn.0)
        }
        // A message is compact JSON, in which line ends are escaped.
        Entry::FromClient { conn, message } => {
            write!(out, r#"{{"at":{at},"conn":{},"client":{message}}}"#, conn.0)
        }
        Entry::FromServer { conn, message } => {
            write!(out, r#"{{"at":{at},"conn":{},"server":{message}}}"#, conn.0)
        }
        Entry::BytesFromClient { conn, bytes } => {
            write!(out, r#"{{"at":{at},"conn":{},"bytes":"{}"}}"#, conn.0, STANDARD.encode(bytes))
        }
        Entry::Closed { conn, by } => {
            let side = match by {
                Side::Client => "client",
                Side::Server => "server",
            };
            write!(out, r#"{{"at":{at},"conn":{},"closed":"{side}"}}"#, conn.0)
        }
        Entry::Incomplete { conn } => {
            write!(out, r#"{{"at":{at},"conn":{},"incomplete":true}}"#, conn.0)
        }
        Entry::Clock { utc } => write!(out, r#"{{"at":{at},"utc":{utc}}}"#),
    };
    out.push(b'\n');
}

/// Appends the last line of a file, with its end.
pub(super) fn write_end(out: &mut Vec<u8>, end: End) {
    out.extend_from_slice(match end {
        End::Next => b"{\"end\":\"next\"}\n",
        End::Finished => b"{\"end\":\"finished\"}\n",
    });
}
