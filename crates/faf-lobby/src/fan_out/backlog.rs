//! What waits for a client that has fallen behind: of every game and every player only the newest state, of all else
//! everything, in order.
//!
//! Games go to the end when they change, so that nobody hears of a game before the players in it. Messages about players are
//! kept as they are, shared with everybody else who is behind, until there are so many that the same players must be in them
//! again and again. Then they are merged, and encoded for this client alone when their turn comes. So it costs nothing that
//! thousands are behind while everybody comes back, when there is nothing to be gained by merging.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use faf_lobby_core::lists;
use faf_protocol::server_message::{Merging, Player, PlayerList, ServerMessage};
use faf_protocol::{Encoding, GameId, PlayerId};

use super::frames::Frames;

/// What an entry takes besides its bytes, in bytes; counted, so that many small messages are bounded, too.
const ENTRY_COST: usize = 128;

/// Most players in one message, so that little is made and sent at once; few, if they have much to say.
const PLAYERS: usize = 256;

/// The messages that wait for one client.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// The client may send its next message as soon as little waits for it.
    pub(crate) is_ready: bool,
    encoding: Encoding,
    /// In the order in which they are delivered.
    entries: BTreeMap<u64, Entry>,
    next: u64,
    /// Where the state of a game waits.
    games: HashMap<GameId, u64>,
    /// Where messages about players wait, unless they are merged.
    player_lists: VecDeque<u64>,
    /// How many players are in them.
    listed_players: usize,
    /// Newest states, for the one entry [`Entry::Players`].
    players: BTreeMap<PlayerId, Arc<Player>>,
    has_ping: bool,
    /// How many lists wait.
    lists: usize,
    /// Of the entries, as the limit counts them.
    cost: usize,
    /// Of those that are neither lists nor may be merged.
    answers: usize,
    /// Bytes that were made for this client alone and handed over last.
    made: usize,
    merged: u64,
}

#[derive(Debug)]
enum Entry {
    Message(Arc<Frames>),
    Players,
}

impl Entry {
    fn is_list(&self) -> bool {
        matches!(self, Self::Message(frames) if frames.is_list())
    }
}

impl Backlog {
    pub(crate) fn new(encoding: impl Into<Encoding>) -> Self {
        Self {
            is_ready: false,
            encoding: encoding.into(),
            entries: BTreeMap::new(),
            next: 0,
            games: HashMap::new(),
            player_lists: VecDeque::new(),
            listed_players: 0,
            players: BTreeMap::new(),
            has_ping: false,
            lists: 0,
            cost: 0,
            answers: 0,
            made: 0,
            merged: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a list waits that everybody gets who logs in.
    pub(crate) fn has_lists(&self) -> bool {
        self.lists > 0
    }

    /// Whether a message may overtake all that waits: `pong` may, if what waits is no answer but what everybody is told. So players
    /// hear that the server is there, however much there is to tell.
    pub(crate) fn lets_pass(&self, frames: &Frames) -> bool {
        matches!(frames.message(), ServerMessage::Pong) && self.answers == 0 && !self.has_lists()
    }

    /// How far the client is behind, in bytes. Of messages about players and lists only that they wait counts: their bytes are
    /// shared by all who are told, and what was merged is not more than there are players.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// How much waits that is neither a list nor a state that a newer one would take the place of, in bytes: answers, above all.
    pub(crate) fn answers(&self) -> usize {
        self.answers
    }

    /// What would be free if nobody else waited for the same, in bytes. Looks at everything that waits.
    pub(crate) fn greed(&self) -> usize {
        let frames = self.entries.values().map(|entry| match entry {
            Entry::Message(frames) => frames.bytes(),
            Entry::Players => 0,
        });
        self.own_memory() + frames.sum::<usize>()
    }

    /// What is kept for this client alone, in bytes. Messages are shared by all who wait for them.
    pub(crate) fn own_memory(&self) -> usize {
        (self.entries.len() + self.players.len()) * ENTRY_COST + self.made
    }

    /// Messages that something newer has taken the place of since this was last asked.
    pub(crate) fn take_merged(&mut self) -> u64 {
        std::mem::take(&mut self.merged)
    }

    /// Adds a message. Messages about players are merged when more than so many are in those that wait.
    pub(crate) fn push(&mut self, frames: &Arc<Frames>, most_players: usize) {
        match frames.merging() {
            Merging::Players => return self.push_players(frames, most_players),
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
        self.append(Entry::Message(Arc::clone(frames)));
    }

    /// Takes messages from the front, as many as fit into so many bytes and at least one. The client has taken what was taken
    /// before.
    pub(crate) fn take_front(&mut self, most: usize) -> Vec<Bytes> {
        let (mut front, mut bytes) = (Vec::new(), 0);
        self.made = 0;
        while bytes < most
            && let Some((order, entry)) = self.entries.pop_first()
        {
            self.count_no_longer(&entry);
            let frame = match entry {
                Entry::Message(frames) => {
                    match frames.merging() {
                        Merging::Game(game) => drop(self.games.remove(&game)),
                        Merging::Ping => self.has_ping = false,
                        Merging::Players => {
                            self.player_lists.pop_front();
                            self.listed_players -= players_in(&frames).len();
                        }
                        Merging::Never => {}
                    }
                    frames.get(self.encoding).cloned()
                }
                Entry::Players => {
                    let frame = self.take_players();
                    self.made += frame.as_ref().map_or(0, Bytes::len);
                    if !self.players.is_empty() {
                        self.entries.insert(order, Entry::Players);
                        self.cost += ENTRY_COST;
                    }
                    frame
                }
            };
            bytes += frame.as_ref().map_or(0, Bytes::len);
            front.extend(frame);
        }
        front
    }

    fn push_players(&mut self, frames: &Arc<Frames>, most_players: usize) {
        if !self.players.is_empty() {
            return self.merge(frames);
        }
        self.player_lists.push_back(self.next);
        self.listed_players += players_in(frames).len();
        self.append(Entry::Message(Arc::clone(frames)));
        if self.listed_players > most_players {
            self.merge_players();
        }
    }

    /// Makes one entry of all messages about players, in place of the first: what is said about players makes sense at any
    /// time.
    fn merge_players(&mut self) {
        let orders = std::mem::take(&mut self.player_lists);
        self.listed_players = 0;
        for order in &orders {
            if let Some(Entry::Message(frames)) = self.remove(*order) {
                self.merge(&frames);
            }
        }
        if let Some(first) = orders.front().filter(|_| !self.players.is_empty()) {
            self.entries.insert(*first, Entry::Players);
            self.cost += ENTRY_COST;
        }
    }

    fn merge(&mut self, frames: &Frames) {
        for player in players_in(frames) {
            if self.players.insert(player.id, Arc::clone(player)).is_some() {
                self.merged += 1;
            }
        }
    }

    /// The first players that were merged, as a message.
    fn take_players(&mut self) -> Option<Bytes> {
        let mut players = Vec::with_capacity(PLAYERS.min(self.players.len()));
        let mut bytes = 0;
        while players.len() < PLAYERS
            && let Some(next) = self.players.first_entry()
        {
            bytes += lists::player_bytes(next.get());
            if lists::is_too_long(bytes) && !players.is_empty() {
                break;
            }
            players.push(next.remove());
        }
        let message = ServerMessage::PlayerInfo(Arc::new(PlayerList { players }));
        self.encoding.encode(&message).ok()
    }

    fn append(&mut self, entry: Entry) {
        self.cost += self.entry_cost(&entry);
        self.answers += self.answer_cost(&entry);
        self.lists += usize::from(entry.is_list());
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    fn remove(&mut self, order: u64) -> Option<Entry> {
        let entry = self.entries.remove(&order)?;
        self.count_no_longer(&entry);
        Some(entry)
    }

    fn count_no_longer(&mut self, entry: &Entry) {
        self.cost -= self.entry_cost(entry);
        self.answers -= self.answer_cost(entry);
        self.lists -= usize::from(entry.is_list());
    }

    fn entry_cost(&self, entry: &Entry) -> usize {
        match entry {
            Entry::Message(frames) if !frames.is_list() && frames.merging() != Merging::Players => {
                ENTRY_COST + frames.get(self.encoding).map_or(0, Bytes::len)
            }
            Entry::Message(_) | Entry::Players => ENTRY_COST,
        }
    }

    fn answer_cost(&self, entry: &Entry) -> usize {
        match entry {
            Entry::Message(frames) if !frames.is_list() && frames.merging() == Merging::Never => {
                self.entry_cost(entry)
            }
            Entry::Message(_) | Entry::Players => 0,
        }
    }
}

fn players_in(frames: &Frames) -> &[Arc<Player>] {
    match frames.message() {
        ServerMessage::PlayerInfo(list) => &list.players,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
