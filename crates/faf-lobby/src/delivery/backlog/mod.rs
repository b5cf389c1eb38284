//! The backlog of a client that has fallen behind: only the newest state of every game, every
//! player and every queue of the matchmaker, and everything else in order.
//!
//! A game moves to the end when it changes, so that a client never receives a game before the
//! players in it. Messages about players are kept as they are, shared with all other clients that
//! are behind, until there are so many that the same players must be in them repeatedly. Then they
//! are merged, and encoded for this client alone when they are sent. So a reconnect of thousands,
//! when merging would gain nothing, does not cost them memory or time.
//!
//! A message about queues is removed when later ones have the states of all its queues. Those that
//! are left are sent as they were encoded for everyone, and are at most as many as the queues.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use faf_lobby_core::{ConnId, lists};
use faf_protocol::server_message::{Merging, Player, PlayerList, QueueInfo, ServerMessage};
use faf_protocol::{Encoding, GameId, PlayerId};
use tokio::time::Instant;

use super::broadcasts::Turn;
use super::frames::Frames;
use super::pace::Pace;
use super::relay::InFlight;

/// Memory of an entry in addition to its frames, in bytes.
const ENTRY_COST_BYTES: usize = 128;

/// Bytes of other players' games that are offered at once: 16 KiB. The next message for the client
/// itself waits for no more than these.
const RELAY_CHUNK_BYTES: usize = 16 * 1024;

/// Most players in one merged message, so that one message takes little time. There are fewer in it
/// if their texts are long.
const PLAYERS_PER_MESSAGE: usize = 256;

/// The reason a client is sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The client's own message is being handled.
    Answer,
    /// Others have done something, or the client has logged in.
    Unsolicited,
    /// The game of the player on this connection sends it to the client's game.
    Relayed {
        /// The player's connection.
        sender: ConnId,
        /// Whether it is at another gateway, so that it cannot be held.
        is_elsewhere: bool,
    },
}

/// The messages that wait for one client.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// How fast the client reads.
    pub(super) pace: Pace,
    /// Bytes in flight from other players' games.
    pub(super) relayed: InFlight,
    encoding: Encoding,
    /// A large turn of broadcasts, ahead of everything else.
    turn: Option<Turn>,
    /// Entries by their numbers, in which order they are sent.
    entries: BTreeMap<u64, Entry>,
    next: u64,
    /// Number of the entry with the state of each game.
    games: HashMap<GameId, u64>,
    /// Numbers of the entries about players, unless these are merged.
    player_lists: VecDeque<u64>,
    /// Number of players in these entries.
    listed_players: usize,
    /// Newest states, for the one entry [`Entry::Players`].
    players: BTreeMap<PlayerId, Arc<Player>>,
    /// For the entry of each broadcast about queues, those of its queues that no later one has.
    queues: BTreeMap<u64, Vec<Arc<QueueInfo>>>,
    has_ping: bool,
    /// Number of snapshots among the entries.
    snapshots: usize,
    /// Messages of other players' games. Later messages for the client itself overtake them, so
    /// they delay nothing.
    relays: VecDeque<Relayed>,
    /// Memory of the answers among the entries, in bytes.
    answers: usize,
    /// Messages that the socket was offered last, and may not have taken yet.
    offered: Offered,
    /// Number of replaced messages since [`take_merged`](Self::take_merged).
    merged: u64,
    /// Value of [`own_memory`](Self::own_memory) when it was last added to the total.
    pub(super) counted: usize,
}

/// Messages that the socket was offered. They are kept until it has taken them, so that they count
/// as long as they take memory.
#[derive(Debug, Default)]
struct Offered {
    messages: Vec<Arc<Frames>>,
    /// Bytes that were encoded for this client alone.
    own_bytes: usize,
    /// Whether there are others than messages of other players' games.
    counts_against_client: bool,
}

#[derive(Debug)]
enum Entry {
    Message(Arc<Frames>, Kind),
    Players,
}

/// A message of another player's game that waits.
#[derive(Debug)]
struct Relayed {
    /// Number among the entries: earlier entries are sent before it.
    order: u64,
    sender: ConnId,
    frames: Arc<Frames>,
}

impl Entry {
    fn is_snapshot(&self) -> bool {
        matches!(self, Self::Message(frames, _) if frames.is_snapshot())
    }
}

impl Backlog {
    /// Creates the backlog of a client whose socket has `taken` this number of bytes before.
    pub(crate) fn new(encoding: impl Into<Encoding>, taken: u64) -> Self {
        Self {
            pace: Pace::new(Instant::now(), taken),
            relayed: InFlight::default(),
            encoding: encoding.into(),
            turn: None,
            entries: BTreeMap::new(),
            next: 0,
            games: HashMap::new(),
            player_lists: VecDeque::new(),
            listed_players: 0,
            players: BTreeMap::new(),
            queues: BTreeMap::new(),
            has_ping: false,
            snapshots: 0,
            relays: VecDeque::new(),
            answers: 0,
            offered: Offered { counts_against_client: true, ..Offered::default() },
            merged: 0,
            counted: 0,
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turn.is_none() && self.entries.is_empty() && self.relays.is_empty()
    }

    /// Returns whether anything waits or is offered except messages of other players' games. These
    /// may wait for any time: they never count against their receiver.
    pub(super) fn counts_against_client(&self) -> bool {
        self.offered.counts_against_client || self.turn.is_some() || !self.entries.is_empty()
    }

    /// Returns whether a snapshot for a login waits.
    pub(crate) fn has_snapshots(&self) -> bool {
        self.snapshots > 0
    }

    /// Returns whether a message may overtake the backlog: a `pong` may if neither answers nor
    /// snapshots wait. So players see that the server is alive, however many broadcasts there are.
    pub(crate) fn may_be_overtaken_by(&self, frames: &Frames) -> bool {
        matches!(frames.message(), ServerMessage::Pong) && self.answers == 0 && !self.has_snapshots()
    }

    /// Returns the memory of the answers that wait, in bytes, without snapshots, states and
    /// messages that others have caused.
    pub(crate) fn answers(&self) -> usize {
        self.answers
    }

    /// Returns the memory that would be free without this backlog if no other client waited for the
    /// same messages, in bytes, without messages of other players' games. Visits all entries.
    pub(crate) fn freeable_memory(&self) -> usize {
        let waiting = self.entries.values().map(|entry| match entry {
            Entry::Message(frames, _) => frames.bytes(),
            Entry::Players => 0,
        });
        let turn = self.turn.iter().flat_map(Turn::rest).map(|frames| frames.bytes());
        let offered = self.offered.messages.iter().map(|frames| frames.bytes());
        self.own_memory() + waiting.chain(turn).chain(offered).sum::<usize>()
    }

    /// Returns the memory used for this client alone, in bytes. Messages are shared by all clients
    /// that wait for them.
    pub(crate) fn own_memory(&self) -> usize {
        let entries =
            self.entries.len() + self.relays.len() + self.players.len() + usize::from(self.turn.is_some());
        let offered = self.offered.messages.len() * size_of::<Arc<Frames>>() + self.offered.own_bytes;
        entries * ENTRY_COST_BYTES + offered + self.relayed.own_memory()
    }

    /// Returns the number of messages replaced by newer ones since the last call.
    pub(crate) fn take_merged(&mut self) -> u64 {
        std::mem::take(&mut self.merged)
    }

    /// Adds a large turn of broadcasts as a whole, which its receivers share. The backlog must
    /// be empty.
    pub(super) fn push_turn(&mut self, turn: Turn) {
        debug_assert!(self.is_empty(), "a turn is sent before everything else");
        self.turn = Some(turn).filter(|turn| turn.rest().next().is_some());
    }

    /// Adds a message that is not relayed. Messages about players are merged when they have more
    /// than `most_players` together.
    pub(crate) fn push(&mut self, frames: &Arc<Frames>, kind: Kind, most_players: usize) {
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
            Merging::Queues if kind == Kind::Unsolicited => self.replace_queues(frames),
            Merging::Queues | Merging::Ping | Merging::Never => {}
        }
        self.append(Entry::Message(Arc::clone(frames), kind));
    }

    /// Adds a message of another player's game for which there is room.
    pub(super) fn append_relayed(&mut self, sender: ConnId, frames: &Arc<Frames>) {
        // Waiting messages are encoded, so that their memory counts.
        frames.get(self.encoding);
        self.relays.push_back(Relayed { order: self.next, sender, frames: Arc::clone(frames) });
        self.next += 1;
    }

    /// Notes the messages that the socket was offered before anything waited here.
    pub(super) fn note_offered<'a>(&mut self, messages: impl Iterator<Item = (&'a Arc<Frames>, Kind)>) {
        self.offered.counts_against_client = false;
        for (frames, kind) in messages {
            match kind {
                Kind::Relayed { sender, .. } => {
                    let bytes = frames.get(self.encoding).map_or(0, Bytes::len);
                    self.relayed.add(sender, bytes);
                    self.relayed.note_offered(sender, bytes);
                }
                Kind::Answer | Kind::Unsolicited => self.offered.counts_against_client = true,
            }
        }
    }

    /// Notes that the socket has taken everything that it was offered.
    pub(super) fn confirm_taken(&mut self) {
        self.offered = Offered::default();
        self.relayed.confirm_taken();
    }

    /// Takes messages from the front to offer them, until they have at least this number of bytes.
    /// [`confirm_taken`](Self::confirm_taken) must come before.
    pub(crate) fn take_front(&mut self, least_bytes: usize) -> Vec<Bytes> {
        let (mut front, mut bytes) = (Vec::new(), 0);
        // A turn was there before all entries.
        while bytes < least_bytes
            && let Some(frames) = self.turn.as_mut().and_then(Turn::take_first)
        {
            self.offered.counts_against_client = true;
            let frame = frames.get(self.encoding).cloned();
            bytes += frame.as_ref().map_or(0, Bytes::len);
            front.extend(frame);
            self.offered.messages.push(frames);
        }
        self.turn = self.turn.take().filter(|turn| turn.rest().next().is_some());
        // Entries leave the indexes, too, so that a newer state gets a new entry.
        while bytes < least_bytes
            && let Some((order, entry)) = self.entries.pop_first()
        {
            self.uncount(&entry);
            self.offered.counts_against_client = true;
            let frame = match entry {
                Entry::Message(frames, _) => {
                    match frames.merging() {
                        Merging::Game(game) => drop(self.games.remove(&game)),
                        Merging::Ping => self.has_ping = false,
                        Merging::Players => {
                            self.player_lists.pop_front();
                            self.listed_players -= players_in(&frames).len();
                        }
                        Merging::Queues => drop(self.queues.remove(&order)),
                        Merging::Never => {}
                    }
                    let frame = frames.get(self.encoding).cloned();
                    self.offered.messages.push(frames);
                    frame
                }
                Entry::Players => {
                    let frame = self.take_players();
                    self.offered.own_bytes += frame.as_ref().map_or(0, Bytes::len);
                    if !self.players.is_empty() {
                        self.entries.insert(order, Entry::Players);
                    }
                    frame
                }
            };
            bytes += frame.as_ref().map_or(0, Bytes::len);
            front.extend(frame);
        }
        // Relayed messages have a limit of their own, so that a full chunk does not delay them.
        self.take_relayed(&mut front);
        front
    }

    /// Takes the first messages of other players' games, unless older entries wait.
    fn take_relayed(&mut self, front: &mut Vec<Bytes>) {
        let mut bytes = 0;
        while bytes < RELAY_CHUNK_BYTES
            && self.turn.is_none()
            && let Some(next) = self.relays.front()
            && self.entries.first_key_value().is_none_or(|(order, _)| next.order < *order)
            && let Some(Relayed { sender, frames, .. }) = self.relays.pop_front()
        {
            let frame = frames.get(self.encoding).cloned();
            let length = frame.as_ref().map_or(0, Bytes::len);
            self.relayed.note_offered(sender, length);
            bytes += length;
            front.extend(frame);
            self.offered.messages.push(frames);
        }
    }

    /// Removes the broadcasts about queues of which this one has the last newest state, before it
    /// is appended.
    fn replace_queues(&mut self, frames: &Frames) {
        let ServerMessage::MatchmakerInfo(info) = frames.message() else { return };
        let has = |queue: &QueueInfo| info.queues.iter().any(|new| new.queue_name == queue.queue_name);
        let outdated = self.queues.extract_if(.., |_, newest| {
            newest.retain(|queue| !has(queue));
            newest.is_empty()
        });
        for order in outdated.map(|(order, _)| order).collect::<Vec<_>>() {
            self.remove(order);
            self.merged += 1;
        }
        if !info.queues.is_empty() {
            self.queues.insert(self.next, info.queues.clone());
        }
    }

    fn push_players(&mut self, frames: &Arc<Frames>, most_players: usize) {
        if !self.players.is_empty() {
            return self.merge(frames);
        }
        self.player_lists.push_back(self.next);
        self.listed_players += players_in(frames).len();
        self.append(Entry::Message(Arc::clone(frames), Kind::Unsolicited));
        if self.listed_players > most_players {
            self.merge_players();
        }
    }

    /// Merges all messages about players to one entry, in place of the first: the order of players
    /// and other messages does not matter to a client.
    fn merge_players(&mut self) {
        let orders = std::mem::take(&mut self.player_lists);
        self.listed_players = 0;
        for order in &orders {
            if let Some(Entry::Message(frames, _)) = self.remove(*order) {
                self.merge(&frames);
            }
        }
        if let Some(first) = orders.front().filter(|_| !self.players.is_empty()) {
            self.entries.insert(*first, Entry::Players);
        }
    }

    fn merge(&mut self, frames: &Frames) {
        for player in players_in(frames) {
            if self.players.insert(player.id, Arc::clone(player)).is_some() {
                self.merged += 1;
            }
        }
    }

    /// Removes the first merged players and returns them as an encoded message.
    fn take_players(&mut self) -> Option<Bytes> {
        let mut players = Vec::with_capacity(PLAYERS_PER_MESSAGE.min(self.players.len()));
        let mut bytes = 0;
        while players.len() < PLAYERS_PER_MESSAGE
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
        if let Entry::Message(frames, _) = &entry
            && !frames.is_snapshot()
            && frames.merging() != Merging::Players
        {
            // Waiting messages are encoded, so that their memory counts. Snapshots are not, because
            // that takes time, nor are players, which may be merged.
            frames.get(self.encoding);
        }
        self.answers += self.answer_cost(&entry);
        self.snapshots += usize::from(entry.is_snapshot());
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    fn remove(&mut self, order: u64) -> Option<Entry> {
        let entry = self.entries.remove(&order)?;
        self.uncount(&entry);
        Some(entry)
    }

    fn uncount(&mut self, entry: &Entry) {
        self.answers -= self.answer_cost(entry);
        self.snapshots -= usize::from(entry.is_snapshot());
    }

    /// Returns the memory of an entry that is an answer, in bytes. Snapshots, states of games and
    /// players, and `social`, with all friends and foes, do not count: a client receives them for
    /// its login, and cannot ask for more. It can ask for the queues.
    fn answer_cost(&self, entry: &Entry) -> usize {
        let Entry::Message(frames, Kind::Answer) = entry else { return 0 };
        let is_answer = !frames.is_snapshot()
            && matches!(frames.merging(), Merging::Never | Merging::Queues)
            && !matches!(frames.message(), ServerMessage::Social(_));
        if is_answer { ENTRY_COST_BYTES + frames.get(self.encoding).map_or(0, Bytes::len) } else { 0 }
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
