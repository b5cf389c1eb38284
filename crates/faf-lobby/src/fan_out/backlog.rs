//! What waits for a client that has fallen behind: of every game and every player only the newest state, of all else
//! everything, in order.
//!
//! Games go to the end when they change, so that nobody hears of a game before the players in it. Players keep the place of
//! the first one that waits; what is said about them makes sense at any time. They are encoded when their turn comes, for
//! this client alone; until then they cost next to nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use faf_protocol::server_message::{Merging, Player, PlayerList, ServerMessage};
use faf_protocol::{GameId, PlayerId, WireFormat};

use super::frames::Frames;

/// What an entry takes besides its bytes, in bytes; counted, so that many small messages are bounded, too.
const ENTRY_COST: usize = 128;

/// Most players in one message, so that it stays well below what client libraries accept (upstream-2026.md section 3.3).
const PLAYERS: usize = 256;

/// The messages that wait for one client.
#[derive(Debug)]
pub(crate) struct Backlog {
    format: WireFormat,
    /// In the order in which they are delivered.
    entries: BTreeMap<u64, Entry>,
    next: u64,
    /// Where the state of a game waits.
    games: HashMap<GameId, u64>,
    /// Newest states, for the one entry [`Entry::Players`].
    players: BTreeMap<PlayerId, Arc<Player>>,
    has_ping: bool,
    /// Of the entries.
    cost: usize,
    /// Of what was handed over and has not been taken yet.
    handed_over: usize,
    merged: u64,
}

#[derive(Debug)]
enum Entry {
    Message { frame: Bytes, merging: Merging, cost: usize },
    Players,
}

/// The front of a backlog, to be handed over.
#[derive(Debug, Default)]
struct Front {
    frames: Vec<Bytes>,
    bytes: usize,
}

impl Front {
    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push(frame);
    }
}

impl Backlog {
    /// For a client that has not taken so many bytes of what it was told.
    pub(crate) fn new(format: WireFormat, handed_over: usize) -> Self {
        Self {
            format,
            entries: BTreeMap::new(),
            next: 0,
            games: HashMap::new(),
            players: BTreeMap::new(),
            has_ping: false,
            cost: 0,
            handed_over,
            merged: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it costs, in bytes. The bytes of lists are shared by all who log in, and those of players are not made yet.
    pub(crate) fn cost(&self) -> usize {
        self.cost + self.handed_over
    }

    /// Messages that something newer has taken the place of since this was last asked.
    pub(crate) fn take_merged(&mut self) -> u64 {
        std::mem::take(&mut self.merged)
    }

    pub(crate) fn push(&mut self, frames: &Frames) {
        let merging = frames.merging();
        match merging {
            Merging::Players => return self.push_players(frames.message()),
            Merging::Ping if std::mem::replace(&mut self.has_ping, true) => {
                self.merged += 1;
                return;
            }
            Merging::Game(game) => {
                if let Some(before) = self.games.insert(game, self.next) {
                    self.remove(before);
                    self.merged += 1;
                }
            }
            Merging::Ping | Merging::Never => {}
        }
        let Some(frame) = frames.get(self.format) else { return };
        let cost = ENTRY_COST + if frames.is_list() { 0 } else { frame.len() };
        self.append(Entry::Message { frame: frame.clone(), merging, cost }, cost);
    }

    /// Takes messages from the front, as many as fit into so many bytes and at least one. What was taken before has been
    /// delivered.
    pub(crate) fn take_front(&mut self, most: usize) -> Vec<Bytes> {
        let mut front = Front::default();
        self.handed_over = 0;
        while front.bytes < most
            && let Some((order, entry)) = self.entries.pop_first()
        {
            match entry {
                Entry::Message { frame, merging, cost } => {
                    self.cost -= cost;
                    self.handed_over += cost;
                    match merging {
                        Merging::Game(game) => drop(self.games.remove(&game)),
                        Merging::Ping => self.has_ping = false,
                        Merging::Players | Merging::Never => {}
                    }
                    front.push(frame);
                }
                Entry::Players => {
                    if let Some(frame) = self.take_players() {
                        self.handed_over += frame.len();
                        front.push(frame);
                    }
                    match self.players.is_empty() {
                        true => self.cost -= ENTRY_COST,
                        false => drop(self.entries.insert(order, Entry::Players)),
                    }
                }
            }
        }
        front.frames
    }

    fn push_players(&mut self, message: &ServerMessage) {
        let ServerMessage::PlayerInfo(list) = message else { return };
        if self.players.is_empty() && !list.players.is_empty() {
            self.append(Entry::Players, ENTRY_COST);
        }
        for player in &list.players {
            match self.players.insert(player.id, Arc::clone(player)) {
                Some(_) => self.merged += 1,
                None => self.cost += ENTRY_COST,
            }
        }
    }

    /// The first players that wait, as a message.
    fn take_players(&mut self) -> Option<Bytes> {
        let mut players = Vec::with_capacity(PLAYERS.min(self.players.len()));
        while players.len() < PLAYERS
            && let Some((_, player)) = self.players.pop_first()
        {
            players.push(player);
        }
        self.cost -= players.len() * ENTRY_COST;
        Frames::new(ServerMessage::PlayerInfo(PlayerList { players })).get(self.format).cloned()
    }

    fn append(&mut self, entry: Entry, cost: usize) {
        self.entries.insert(self.next, entry);
        self.next += 1;
        self.cost += cost;
    }

    fn remove(&mut self, order: u64) {
        if let Some(Entry::Message { cost, .. }) = self.entries.remove(&order) {
            self.cost -= cost;
        }
    }
}

#[cfg(test)]
mod tests;
