//! The queue of writes about one game.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::io::conn::ConnId;
use crate::io::publication::Publication;
use crate::state::stored::GameWrite;

/// The writes about one game. The first is under way, or waits to be tried again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Storage {
    pub(crate) writes: VecDeque<Write>,
    pub(crate) failures: u32,
    /// Publications for when the first write is stored.
    pub(crate) unpublished: Vec<Publication>,
    /// Number of publications that writes of the game have carried so far, including these.
    #[serde(default)]
    pub(crate) published: u32,
}

/// A write that waits for those before it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) what: What,
    /// Connections that go on when it is done.
    pub(crate) waiting: Vec<ConnId>,
}

/// The content of a write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum What {
    /// The game as it is when its turn has come.
    Save,
    Other(GameWrite),
}

impl Write {
    /// Returns whether publications go with it: only with a write that also stores whose
    /// achievements were counted, so that none are counted twice after a crash.
    pub(crate) fn carries_publications(&self) -> bool {
        matches!(self.what, What::Save | What::Other(GameWrite::End(_) | GameWrite::Publish))
    }
}

impl Storage {
    /// Whether a launch is being stored that has not failed before.
    pub(crate) fn is_first_try_of_launch(&self) -> bool {
        let first = self.writes.front().map(|first| &first.what);
        self.failures == 0 && matches!(first, Some(What::Other(GameWrite::Launch(_))))
    }

    /// Adds a write after all others, in place of a save that has not begun: this one will be
    /// newer, or is the end.
    pub(crate) fn push(&mut self, what: What, waiting: Option<ConnId>) {
        let mut write = Write { what, waiting: waiting.into_iter().collect() };
        let makes_saves_needless = matches!(write.what, What::Save | What::Other(GameWrite::End(_)));
        let save = self.writes.iter().skip(1).position(|queued| matches!(queued.what, What::Save));
        if let Some(save) =
            save.filter(|_| makes_saves_needless).and_then(|place| self.writes.remove(place + 1))
        {
            write.waiting.extend(save.waiting);
        }
        self.writes.push_back(write);
    }
}
