//! The queue of writes about one game.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::io::{ConnId, Publication};
use crate::state::GameWrite;

/// The writes about one game. The first is in flight, or waits to be tried again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Storage {
    pub(crate) writes: VecDeque<Write>,
    pub(crate) failures: u32,
    /// Publications that wait until the first write is stored.
    pub(crate) unpublished: Vec<Publication>,
    /// Number of publications that writes of the game have carried so far, including these.
    #[serde(default)]
    pub(crate) published: u32,
}

/// A queued write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) what: Content,
    /// Connections that continue when it is stored.
    pub(crate) waiting: Vec<ConnId>,
}

/// The content of a write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Content {
    /// The game as it is when the write begins.
    Save,
    Other(GameWrite),
}

impl Write {
    /// Returns whether the write carries publications: only if it also stores whose achievements
    /// were counted, so that none are counted twice after a crash.
    pub(crate) fn carries_publications(&self) -> bool {
        matches!(self.what, Content::Save | Content::Other(GameWrite::End(_) | GameWrite::Publish))
    }
}

impl Storage {
    /// Returns whether a launch is being stored that has not failed before.
    pub(crate) fn is_first_try_of_launch(&self) -> bool {
        let first = self.writes.front().map(|first| &first.what);
        self.failures == 0 && matches!(first, Some(Content::Other(GameWrite::Launch(_))))
    }

    /// Adds a write after all others. It replaces a save that has not begun, because it is newer,
    /// or is the end.
    pub(crate) fn push(&mut self, what: Content, waiting: Option<ConnId>) {
        let mut write = Write { what, waiting: waiting.into_iter().collect() };
        let makes_saves_needless = matches!(write.what, Content::Save | Content::Other(GameWrite::End(_)));
        let save = self.writes.iter().skip(1).position(|queued| matches!(queued.what, Content::Save));
        if let Some(save) =
            save.filter(|_| makes_saves_needless).and_then(|place| self.writes.remove(place + 1))
        {
            write.waiting.extend(save.waiting);
        }
        self.writes.push_back(write);
    }
}
