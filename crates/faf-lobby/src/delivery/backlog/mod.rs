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
use faf_lobby_core::{ConnId, lists};
use faf_protocol::server_message::{Merging, Player, PlayerList, ServerMessage};
use faf_protocol::{Encoding, GameId, PlayerId};
use tokio::time::Instant;

use super::broadcasts::Turn;
use super::frames::Frames;
use super::pace::Pace;
use super::relay::InFlight;

/// What an entry takes besides its bytes, in bytes.
const ENTRY_COST_BYTES: usize = 128;

/// Bytes of messages of other players' games that are handed over at once: 16 KiB. Whatever comes next for the client itself
/// waits for no more than these.
const RELAY_CHUNK_BYTES: usize = 16 * 1024;

/// Most players in one message, so that little is made and sent at once; few, if they have much to say.
const PLAYERS_PER_MESSAGE: usize = 256;

/// Why a client is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its own message is being dealt with.
    Answer,
    /// Others have done something, or it has logged in.
    Told,
    /// The game on this connection has something to say to its game.
    Relayed(ConnId),
}

/// The messages that wait for one client.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// How much it takes.
    pub(super) pace: Pace,
    /// What other players' games say to its game.
    pub(super) relayed: InFlight,
    encoding: Encoding,
    /// A large turn of broadcasts, in front of all else.
    turn: Option<Turn>,
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
    /// Messages of other players' games. What comes later for the client itself overtakes them, so that they delay nothing.
    relays: VecDeque<Relayed>,
    /// What the answers take that wait, in bytes.
    answers: usize,
    /// What was handed over last and may not have been taken yet.
    handed_over: HandedOver,
    merged: u64,
    /// What was counted of [`own_memory`](Self::own_memory) last.
    pub(super) counted: usize,
}

/// What was handed over is held here, so that it counts as long as it takes memory.
#[derive(Debug, Default)]
struct HandedOver {
    messages: Vec<Arc<Frames>>,
    /// Bytes that were made for this client alone.
    made: usize,
    /// Something else was handed over than messages of other players' games.
    is_owed: bool,
}

#[derive(Debug)]
enum Entry {
    Message(Arc<Frames>, Kind),
    Players,
}

/// A message of another player's game that waits.
#[derive(Debug)]
struct Relayed {
    /// Its number among the entries: it does not overtake those that were there before it.
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
    /// For a client that has `taken` so many bytes before.
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
            has_ping: false,
            lists: 0,
            relays: VecDeque::new(),
            answers: 0,
            handed_over: HandedOver { is_owed: true, ..HandedOver::default() },
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

    /// Whether anything was handed over or waits but messages of other players' games. Those may wait for any time: they never count
    /// against the one who is to read them.
    pub(super) fn counts_against_client(&self) -> bool {
        self.handed_over.is_owed || self.turn.is_some() || !self.entries.is_empty()
    }

    /// Whether a list waits that everybody gets who logs in.
    pub(crate) fn has_snapshots(&self) -> bool {
        self.lists > 0
    }

    /// Whether a message may overtake all that waits: `pong` may, if what waits is no answer but what everybody is told. So players
    /// hear that the server is there, however much there is to tell.
    pub(crate) fn may_be_overtaken_by(&self, frames: &Frames) -> bool {
        matches!(frames.message(), ServerMessage::Pong) && self.answers == 0 && !self.has_snapshots()
    }

    /// How much waits of what the client was answered, in bytes: neither lists and states nor what others have made it read.
    pub(crate) fn answers(&self) -> usize {
        self.answers
    }

    /// What would be free if nobody else waited for the same, in bytes; without what other players' games have said. Looks at
    /// everything that waits.
    pub(crate) fn freeable_memory(&self) -> usize {
        let waiting = self.entries.values().map(|entry| match entry {
            Entry::Message(frames, _) => frames.bytes(),
            Entry::Players => 0,
        });
        let turn = self.turn.iter().flat_map(Turn::rest).map(|frames| frames.bytes());
        let handed_over = self.handed_over.messages.iter().map(|frames| frames.bytes());
        self.own_memory() + waiting.chain(turn).chain(handed_over).sum::<usize>()
    }

    /// What is kept for this client alone, in bytes. Messages are shared by all who wait for them.
    pub(crate) fn own_memory(&self) -> usize {
        let entries =
            self.entries.len() + self.relays.len() + self.players.len() + usize::from(self.turn.is_some());
        let handed_over = self.handed_over.messages.len() * size_of::<Arc<Frames>>() + self.handed_over.made;
        entries * ENTRY_COST_BYTES + handed_over + self.relayed.own_memory()
    }

    /// Messages that something newer has taken the place of since this was last asked.
    pub(crate) fn take_merged(&mut self) -> u64 {
        std::mem::take(&mut self.merged)
    }

    /// Adds a large turn of broadcasts as a whole, which all who are told it share. Only if nothing waits.
    pub(super) fn push_turn(&mut self, turn: Turn) {
        debug_assert!(self.is_empty(), "a turn stands in front of all else");
        self.turn = Some(turn).filter(|turn| turn.rest().next().is_some());
    }

    /// Adds a message that is not relayed. Messages about players are merged when more than so many are in those that wait.
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
            Merging::Ping | Merging::Never => {}
        }
        self.append(Entry::Message(Arc::clone(frames), kind));
    }

    /// Adds a message of another player's game for which there is room.
    pub(super) fn append_relayed(&mut self, sender: ConnId, frames: &Arc<Frames>) {
        // What waits is encoded, so that its memory counts.
        frames.get(self.encoding);
        self.relays.push_back(Relayed { order: self.next, sender, frames: Arc::clone(frames) });
        self.next += 1;
    }

    /// Notes what was handed over when nothing waited here.
    pub(super) fn note_handed_over<'a>(&mut self, messages: impl Iterator<Item = (&'a Arc<Frames>, Kind)>) {
        self.handed_over.is_owed = false;
        for (frames, kind) in messages {
            match kind {
                Kind::Relayed(sender) => {
                    let bytes = frames.get(self.encoding).map_or(0, Bytes::len);
                    self.relayed.add(sender, bytes);
                    self.relayed.hand_over(sender, bytes);
                }
                Kind::Answer | Kind::Told => self.handed_over.is_owed = true,
            }
        }
    }

    /// The client has taken what was handed over.
    pub(super) fn has_taken(&mut self) {
        self.handed_over = HandedOver::default();
        self.relayed.is_taken();
    }

    /// Takes messages from the front to be handed over, until there are so many bytes and at least one. The client
    /// [`has_taken`](Self::has_taken) what was taken before.
    pub(crate) fn take_front(&mut self, most: usize) -> Vec<Bytes> {
        let (mut front, mut bytes) = (Vec::new(), 0);
        while bytes < most
            && let Some(frames) = self.turn.as_mut().and_then(Turn::take_first)
        {
            self.handed_over.is_owed = true;
            let frame = frames.get(self.encoding).cloned();
            bytes += frame.as_ref().map_or(0, Bytes::len);
            front.extend(frame);
            self.handed_over.messages.push(frames);
        }
        self.turn = self.turn.take().filter(|turn| turn.rest().next().is_some());
        while bytes < most
            && let Some((order, entry)) = self.entries.pop_first()
        {
            self.count_no_longer(&entry);
            self.handed_over.is_owed = true;
            let frame = match entry {
                Entry::Message(frames, _) => {
                    match frames.merging() {
                        Merging::Game(game) => drop(self.games.remove(&game)),
                        Merging::Ping => self.has_ping = false,
                        Merging::Players => {
                            self.player_lists.pop_front();
                            self.listed_players -= players_in(&frames).len();
                        }
                        Merging::Never => {}
                    }
                    let frame = frames.get(self.encoding).cloned();
                    self.handed_over.messages.push(frames);
                    frame
                }
                Entry::Players => {
                    let frame = self.take_players();
                    self.handed_over.made += frame.as_ref().map_or(0, Bytes::len);
                    if !self.players.is_empty() {
                        self.entries.insert(order, Entry::Players);
                    }
                    frame
                }
            };
            bytes += frame.as_ref().map_or(0, Bytes::len);
            front.extend(frame);
        }
        self.take_relayed(&mut front);
        front
    }

    /// Adds the first of the messages of other players' games, unless something waits that was there before them.
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
            self.relayed.hand_over(sender, length);
            bytes += length;
            front.extend(frame);
            self.handed_over.messages.push(frames);
        }
    }

    fn push_players(&mut self, frames: &Arc<Frames>, most_players: usize) {
        if !self.players.is_empty() {
            return self.merge(frames);
        }
        self.player_lists.push_back(self.next);
        self.listed_players += players_in(frames).len();
        self.append(Entry::Message(Arc::clone(frames), Kind::Told));
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

    /// The first players that were merged, as a message.
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
            // What waits is encoded, so that its memory counts. Snapshots take time, and players may be merged before they are.
            frames.get(self.encoding);
        }
        self.answers += self.answer_cost(&entry);
        self.lists += usize::from(entry.is_snapshot());
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    fn remove(&mut self, order: u64) -> Option<Entry> {
        let entry = self.entries.remove(&order)?;
        self.count_no_longer(&entry);
        Some(entry)
    }

    fn count_no_longer(&mut self, entry: &Entry) {
        self.answers -= self.answer_cost(entry);
        self.lists -= usize::from(entry.is_snapshot());
    }

    /// Snapshots, states and `social`, which has all friends and foes, come with the login, however often a client asks.
    fn answer_cost(&self, entry: &Entry) -> usize {
        let Entry::Message(frames, Kind::Answer) = entry else { return 0 };
        let is_answer = !frames.is_snapshot()
            && frames.merging() == Merging::Never
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
