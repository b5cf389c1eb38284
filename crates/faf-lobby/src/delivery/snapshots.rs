//! SnapshotCache that everybody gets who logs in, encoded once for each state they are in.

use std::collections::HashMap;
use std::sync::Arc;

use faf_protocol::ServerMessage;

use super::frames::{FrameMemory, Frames};

/// SnapshotCache that the lobby may send again, by where they are in memory. They are held here, so that nothing else can be there.
#[derive(Debug, Default)]
pub(crate) struct SnapshotCache {
    known: HashMap<usize, Arc<Frames>>,
    memory: FrameMemory,
}

impl SnapshotCache {
    pub(crate) fn new(memory: FrameMemory) -> Self {
        Self { known: HashMap::new(), memory }
    }

    /// The message as it was encoded before, if it is a list.
    pub(crate) fn frames(&mut self, message: ServerMessage) -> Arc<Frames> {
        let Some(place) = place(&message) else { return Frames::new(message, &self.memory) };
        if let Some(known) = self.known.get(&place) {
            return Arc::clone(known);
        }
        let frames = Frames::of_snapshot(message, &self.memory);
        // There are few of them, and a new one makes another one old as a rule.
        self.known.retain(|_, frames| {
            let is_current = is_current(frames.message());
            if !is_current {
                frames.retire();
            }
            is_current
        });
        self.known.insert(place, Arc::clone(&frames));
        frames
    }
}

fn place(message: &ServerMessage) -> Option<usize> {
    match message {
        ServerMessage::PlayerInfo(list) => Some(Arc::as_ptr(list) as usize),
        ServerMessage::GameList(list) => Some(Arc::as_ptr(list) as usize),
        _ => None,
    }
}

/// Whether anybody but us holds it; the lobby does, as long as it may send it again.
fn is_current(message: &ServerMessage) -> bool {
    match message {
        ServerMessage::PlayerInfo(list) => Arc::strong_count(list) > 1,
        ServerMessage::GameList(list) => Arc::strong_count(list) > 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::WireFormat;
    use faf_protocol::server_message::{GameList, PlayerList};

    use super::*;

    #[test]
    fn a_list_is_encoded_once_for_all_and_forgotten_when_it_is_old() {
        let mut lists = SnapshotCache::default();
        let players = Arc::new(PlayerList::default());
        let games = Arc::new(GameList::default());
        let first = lists.frames(ServerMessage::PlayerInfo(Arc::clone(&players)));
        let frame = first.get(WireFormat::SimpleJson).unwrap().as_ptr();
        let again = lists.frames(ServerMessage::PlayerInfo(Arc::clone(&players)));
        assert_eq!(again.get(WireFormat::SimpleJson).unwrap().as_ptr(), frame);
        assert!(again.is_snapshot());
        lists.frames(ServerMessage::GameList(Arc::clone(&games)));
        assert_eq!(lists.known.len(), 2);
        drop(players);
        for _ in 0..10 {
            lists.frames(ServerMessage::PlayerInfo(Arc::default()));
        }
        // The list of games, and the newest one.
        assert_eq!(lists.known.len(), 2);
    }

    #[test]
    fn other_messages_are_none() {
        let mut lists = SnapshotCache::default();
        assert!(!lists.frames(ServerMessage::Ping).is_snapshot());
        assert!(lists.known.is_empty());
    }
}
