//! Snapshots: parts of the lists that every login receives, encoded once for each version.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::{SnapshotId, SnapshotList};
use faf_protocol::ServerMessage;
use tokio::time::Instant;

use super::frames::{FrameMemory, Frames};

/// Least time of a generation. A part that no login receives in a whole generation is dropped at
/// its end.
const GENERATION: Duration = Duration::from_secs(10);

/// The newest version of every part that was sent lately.
///
/// A newer version of a part replaces the older one at once. Parts that no longer exist are not
/// used again and are dropped with their generation. So the cache holds at most the parts that the
/// logins of two generations have received.
#[derive(Debug)]
pub(crate) struct SnapshotCache {
    /// Parts used in this generation.
    recent: HashMap<Part, Cached>,
    /// Parts used in the generation before, and not since.
    old: HashMap<Part, Cached>,
    /// Beginning of this generation.
    since: Instant,
    memory: FrameMemory,
}

/// A part of a list.
type Part = (SnapshotList, u64);

#[derive(Debug)]
struct Cached {
    version: u64,
    frames: Arc<Frames>,
}

impl SnapshotCache {
    pub(crate) fn new(memory: FrameMemory) -> Self {
        Self { recent: HashMap::new(), old: HashMap::new(), since: Instant::now(), memory }
    }

    /// Returns the frames of a part, which earlier logins have received already if its version is
    /// the same. A message without an id is for one login only and is not cached.
    pub(crate) fn frames(&mut self, id: Option<SnapshotId>, message: ServerMessage) -> Arc<Frames> {
        let Some(SnapshotId { list, chunk, version }) = id else {
            let frames = Frames::of_snapshot(message, &self.memory);
            frames.retire();
            return frames;
        };
        if self.since.elapsed() >= GENERATION {
            self.begin_generation();
        }
        let part = (list, chunk);
        let known = self.recent.remove(&part).or_else(|| self.old.remove(&part));
        let cached = match known {
            Some(known) if known.version == version => known,
            outdated => {
                if let Some(outdated) = outdated {
                    outdated.frames.retire();
                }
                Cached { version, frames: Frames::of_snapshot(message, &self.memory) }
            }
        };
        let frames = Arc::clone(&cached.frames);
        self.recent.insert(part, cached);
        frames
    }

    fn begin_generation(&mut self) {
        let unused = std::mem::replace(&mut self.old, std::mem::take(&mut self.recent));
        unused.values().for_each(|cached| cached.frames.retire());
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::WireFormat;
    use tokio::time::advance;

    use super::*;

    fn id(chunk: u64, version: u64) -> Option<SnapshotId> {
        Some(SnapshotId { list: SnapshotList::Players, chunk, version })
    }

    fn cache() -> SnapshotCache {
        SnapshotCache::new(FrameMemory::default())
    }

    fn frames(cache: &mut SnapshotCache, id: Option<SnapshotId>) -> Arc<Frames> {
        cache.frames(id, ServerMessage::PlayerInfo(Arc::default()))
    }

    #[test]
    fn snapshot_is_encoded_once_for_all_logins() {
        let mut cache = cache();
        let first = frames(&mut cache, id(1, 5));
        assert!(first.is_snapshot());
        let bytes = first.get(WireFormat::SimpleJson).unwrap().as_ptr();
        let again = frames(&mut cache, id(1, 5));
        assert_eq!(again.get(WireFormat::SimpleJson).unwrap().as_ptr(), bytes);
        let games = Some(SnapshotId { list: SnapshotList::Games, chunk: 1, version: 5 });
        assert!(!Arc::ptr_eq(&frames(&mut cache, games), &first));
        assert!(!Arc::ptr_eq(&frames(&mut cache, id(1, 6)), &first));
    }

    #[test]
    fn newer_version_replaces_the_older_one_which_counts_from_then_on() {
        let mut cache = cache();
        let first = frames(&mut cache, id(1, 1));
        first.get(WireFormat::SimpleJson).unwrap();
        assert_eq!(cache.memory.bytes(), 0);
        for version in 2..100 {
            frames(&mut cache, id(1, version)).get(WireFormat::SimpleJson).unwrap();
        }
        assert_eq!(cache.recent.len() + cache.old.len(), 1);
        assert_eq!(cache.memory.bytes(), first.bytes());
        drop(first);
        assert_eq!(cache.memory.bytes(), 0);
    }

    #[test]
    fn list_for_one_login_is_not_kept() {
        let mut cache = cache();
        let own = frames(&mut cache, None);
        own.get(WireFormat::SimpleJson).unwrap();
        assert!(own.is_snapshot() && cache.recent.is_empty());
        assert_eq!(cache.memory.bytes(), own.bytes());
    }

    #[tokio::test(start_paused = true)]
    async fn cache_is_bounded_and_keeps_what_is_used() {
        let mut cache = cache();
        let kept = frames(&mut cache, id(0, 1));
        for login in 1..1000 {
            // As with games, there are always new parts, and old ones are no longer used.
            for chunk in login..login + 20 {
                frames(&mut cache, id(chunk, chunk + 1));
            }
            assert!(Arc::ptr_eq(&frames(&mut cache, id(0, 1)), &kept));
            advance(Duration::from_secs(if login % 100 == 0 { 1000 } else { 3 })).await;
            assert!(cache.recent.len() + cache.old.len() < 50, "{}", cache.recent.len() + cache.old.len());
        }
    }
}
