//! Snapshots: a replica as bytes, from which another core goes on.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::replica::Replica;
use crate::state_hash::hex;

/// Version of the format of snapshots.
const FORMAT: u32 = 1;

/// A snapshot of a replica, with what must be known to use it.
///
/// ```text
/// {"faf_lobby_snapshot":1,"server":"0.1.0","stream":1790000000,"position":120000,"digest":"..."}
/// {"id":..., the replica}
/// ```
#[derive(Debug)]
pub struct Snapshot {
    /// Version of the program that wrote it.
    pub server: String,
    /// Identity of the stream to which its position belongs.
    pub stream: i64,
    /// The replica.
    pub replica: Replica,
}

/// A snapshot cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It is not one, or is damaged.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
    /// It is of a newer version.
    #[error(
        "the snapshot has the format {found}, and this program reads {FORMAT}: start a core of the version that wrote it, {server}"
    )]
    Newer {
        /// Version of its format.
        found: u32,
        /// Version of the program that wrote it.
        server: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    faf_lobby_snapshot: u32,
    server: String,
    #[serde(default)]
    stream: i64,
    #[serde(default)]
    digest: String,
}

impl Snapshot {
    /// Returns a replica as bytes.
    #[must_use]
    pub fn encode(replica: &Replica, server: &str, stream: i64) -> Vec<u8> {
        let body =
            serde_json::to_vec(replica).expect("the state is JSON: its maps have text or numbers as keys");
        let digest = hex(&Sha256::digest(&body));
        let header = Header { faf_lobby_snapshot: FORMAT, server: server.to_owned(), stream, digest };
        let mut bytes = serde_json::to_vec(&header).expect("a header is JSON");
        bytes.reserve_exact(body.len() + 1);
        bytes.push(b'\n');
        bytes.extend(body);
        bytes
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// [`SnapshotError::Newer`], and [`SnapshotError::Damaged`] for anything else that is not a
    /// snapshot as it was written.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let damaged = |error: &dyn std::fmt::Display| SnapshotError::Damaged(error.to_string());
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged(&"it has no header"))?;
        let (header, body) = (&bytes[..end], &bytes[end + 1..]);
        let header: Header = serde_json::from_slice(header).map_err(|error| damaged(&error))?;
        if header.faf_lobby_snapshot > FORMAT {
            return Err(SnapshotError::Newer { found: header.faf_lobby_snapshot, server: header.server });
        }
        if hex(&Sha256::digest(body)) != header.digest {
            return Err(damaged(&"its content is not what was written"));
        }
        let replica = serde_json::from_slice(body).map_err(|error| damaged(&error))?;
        Ok(Self { server: header.server, stream: header.stream, replica })
    }
}
