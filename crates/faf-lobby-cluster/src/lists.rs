//! The lists that logins share, encoded once for all gateways.

use std::collections::HashMap;
use std::sync::Arc;

use faf_lobby_core::{SnapshotId, SnapshotList};
use faf_protocol::ServerMessage;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

use crate::effect::ContentHash;
use crate::state_hash::hex;

/// The newest text of each part of a list, with the hash of its content.
///
/// Ids of snapshots differ between replicas, so gateways know a part by its content.
#[derive(Debug, Default)]
pub(crate) struct ListCache {
    parts: HashMap<(SnapshotList, u64), Cached>,
}

#[derive(Debug)]
struct Cached {
    version: u64,
    hash: ContentHash,
    text: Arc<RawValue>,
}

impl ListCache {
    /// Returns the hash and the text of a part.
    pub(crate) fn text(&mut self, id: SnapshotId, message: &ServerMessage) -> (ContentHash, Arc<RawValue>) {
        let SnapshotId { list, chunk, version } = id;
        let is_known = self.parts.get(&(list, chunk)).is_some_and(|cached| cached.version == version);
        if !is_known {
            let text: Arc<RawValue> = to_raw_value(message).expect("messages are JSON").into();
            let hash = hex(&Sha256::digest(text.get().as_bytes())[..16]);
            self.parts.insert((list, chunk), Cached { version, hash, text });
        }
        let cached = &self.parts[&(list, chunk)];
        (cached.hash.clone(), Arc::clone(&cached.text))
    }
}
