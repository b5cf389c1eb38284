//! Compares an endless stream. There are no barriers, so it is cut where it is quiet.
//!
//! Each connection has one lane of direct messages, in order, and one lane for every player and
//! every game that it has been sent something about. A lane is cut when neither side has had
//! anything for it during a settle time, and the piece goes through the rules that all comparisons
//! share ([`faf_sessions::compare`]). So a reply may come late, and a report of either side may
//! merge what the other sends in two, but a lane never holds more than its last piece.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use faf_sessions::compare;
use faf_sessions::compare::queues::Queues;
use serde_json::{Value, json};

use super::heard::{Heard, State};

/// Time without messages after which the answers to a client's messages, and what belongs to them,
/// have all come: parties are reported every second.
pub(super) const DIRECT: Duration = Duration::from_millis(1200);

/// Time without messages after which a state has been reported by both sides.
pub(super) const REPORTS: Duration = Duration::from_secs(3);

/// Number of direct messages of one side at which a piece is cut although it is not quiet.
const PIECE: usize = 400;

/// Time after which a lane that is never quiet is compared all the same. By then both sides have
/// had the same many times over if they are the same.
const RESTLESS: Duration = Duration::from_secs(60);

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The recorded server.
    Recorded,
    /// This lobby.
    Ours,
}

/// A lane of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Lane {
    Direct,
    Player(u64),
    Game(u64),
    Queues,
}

/// A piece in which something differs.
#[derive(Debug)]
pub(super) struct Piece {
    /// Number of the connection.
    pub(super) conn: u64,
    /// Time of the first message.
    pub(super) from: Duration,
    /// Time of the last message.
    pub(super) until: Duration,
    /// The differences.
    pub(super) findings: Vec<String>,
    /// The messages of both sides, for direct messages.
    pub(super) told: Option<(Vec<Value>, Vec<Value>)>,
}

/// The lanes of all connections.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    clients: BTreeMap<u64, Client>,
    /// Lanes with the time at which they may be quiet, the earliest first: those of direct
    /// messages, and the others.
    due: [VecDeque<(Duration, u64, Lane)>; 2],
}

impl Lane {
    /// Time without messages after which the lane is cut.
    fn settle(self) -> Duration {
        if self == Self::Direct { DIRECT } else { REPORTS }
    }
}

/// The lanes of a connection.
#[derive(Debug, Default)]
struct Client {
    direct: Option<Direct>,
    about: HashMap<Lane, Last>,
    /// The last states of each queue, and whether a difference has to be compared.
    queues: BTreeMap<Arc<str>, [Option<Arc<State>>; 2]>,
    queues_since: Option<(Duration, Duration)>,
    has_asked_for_queues: bool,
    /// Id of the player, from `welcome`.
    me: Option<u64>,
    /// Messages that are due on each side after a login.
    due: [Due; 2],
    /// Whether the connection has ended: the last reports may have reached it or not.
    has_left: bool,
    /// Whether messages of this lobby do not count.
    is_muted: bool,
}

/// Messages that are due after a login.
#[derive(Debug, Clone, Copy, Default)]
struct Due {
    /// The list of players.
    players: bool,
    /// The list of games.
    games: bool,
    /// A report about the player of the client.
    own: bool,
}

/// Direct messages that have not been compared.
#[derive(Debug)]
struct Direct {
    from: Duration,
    last: Duration,
    messages: [VecDeque<Arc<Value>>; 2],
}

/// The last state of a player or game that each side has sent.
#[derive(Debug)]
struct Last {
    from: Duration,
    last: Duration,
    states: [Option<Arc<State>>; 2],
}

impl Lanes {
    /// Opens the lanes of a connection.
    pub(super) fn open(&mut self, conn: u64) {
        self.clients.insert(conn, Client::default());
    }

    /// Notes that a client has sent something: what both sides send it then belongs together.
    pub(super) fn sent(&mut self, conn: u64, command: &str, now: Duration) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        client.has_asked_for_queues |= command == "matchmaker_info";
        if !matches!(command, "ping" | "pong") {
            self.touch(conn, now);
        }
    }

    /// From now on, messages of this lobby do not count, or count again.
    pub(super) fn mute(&mut self, conn: u64, is_muted: bool) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.is_muted = is_muted;
        }
    }

    /// Notes that the connection has ended.
    pub(super) fn left(&mut self, conn: u64) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.has_left = true;
            if client.direct.is_none() && client.about.is_empty() {
                self.clients.remove(&conn);
            }
        }
    }

    /// Notes that one side has ended the connection.
    pub(super) fn ended(&mut self, conn: u64, side: Side, now: Duration) {
        self.direct(conn, side, Arc::new(compare::end()), now);
    }

    /// Notes a message of one side.
    pub(super) fn hear(&mut self, conn: u64, side: Side, heard: &Heard, now: Duration) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        if client.is_muted && side == Side::Ours {
            return;
        }
        let due = &mut client.due[side as usize];
        match heard {
            Heard::Routine => {}
            Heard::Direct(message) => {
                if message["command"] == "welcome" {
                    *due = Due { players: true, games: true, own: true };
                    client.me = message["id"].as_u64().or(client.me);
                }
                self.direct(conn, side, Arc::clone(message), now);
            }
            Heard::Players(players) => {
                let me = client.me;
                let own = players.iter().find(|(id, _)| Some(*id) == me);
                let own = own.map(|(id, _)| json!({"id": id}));
                // Whether there is a list, and then a report about the player, is significant; the
                // states of players are compared with those of all other reports.
                let is_list = std::mem::take(&mut due.players);
                let list = match (is_list, own) {
                    (true, own) => Some(own.into_iter().collect::<Vec<_>>()),
                    (false, Some(own)) if std::mem::take(&mut due.own) => Some(vec![own]),
                    (false, _) => None,
                };
                if let Some(players) = list {
                    let list = json!({"command": "player_info", "players": players});
                    self.direct(conn, side, Arc::new(list), now);
                }
                for (id, state) in players {
                    self.about(conn, side, Lane::Player(*id), state, now);
                }
            }
            Heard::Game(uid, state) => self.about(conn, side, Lane::Game(*uid), state, now),
            Heard::Games(games) => {
                if std::mem::take(&mut due.games) {
                    self.direct(conn, side, Arc::new(json!({"command": "game_info", "games": []})), now);
                }
                for (uid, state) in games {
                    self.about(conn, side, Lane::Game(*uid), state, now);
                }
            }
            Heard::Queues(queues) => {
                for queue in queues {
                    let states = client.queues.entry(Arc::clone(&queue.name)).or_default();
                    states[side as usize] = Some(Arc::clone(&queue.state));
                }
                if client.queues_since.is_none() {
                    self.due[1].push_back((now + REPORTS, conn, Lane::Queues));
                }
                client.queues_since = Some((client.queues_since.map_or(now, |(from, _)| from), now));
            }
        }
    }

    fn touch(&mut self, conn: u64, now: Duration) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        match &mut client.direct {
            Some(direct) => direct.last = now,
            None => {
                client.direct = Some(Direct { from: now, last: now, messages: Default::default() });
                self.due[0].push_back((now + DIRECT, conn, Lane::Direct));
            }
        }
    }

    fn direct(&mut self, conn: u64, side: Side, message: Arc<Value>, now: Duration) {
        self.touch(conn, now);
        if let Some(direct) = self.clients.get_mut(&conn).and_then(|client| client.direct.as_mut()) {
            direct.messages[side as usize].push_back(message);
            if direct.messages.iter().all(|messages| messages.len() >= PIECE) {
                direct.drop_equal();
            }
        }
    }

    fn about(&mut self, conn: u64, side: Side, lane: Lane, state: &Arc<State>, now: Duration) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        let about = client.about.entry(lane).or_insert_with(|| {
            self.due[1].push_back((now + REPORTS, conn, lane));
            Last { from: now, last: now, states: [None, None] }
        });
        about.last = now;
        about.states[side as usize] = Some(Arc::clone(state));
    }

    /// Compares the lanes that are quiet at this time; returns the pieces that differ.
    pub(super) fn settle(&mut self, now: Duration) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for kind in 0..self.due.len() {
            while self.due[kind].front().is_some_and(|(due, ..)| *due <= now) {
                let Some((_, conn, lane)) = self.due[kind].pop_front() else { break };
                pieces.extend(self.settle_lane(conn, lane, now, false));
            }
        }
        pieces
    }

    /// Compares all lanes that are quiet at the end of the recording. The others are left out, as
    /// the effects of the last messages may have come later.
    pub(super) fn settle_all(&mut self, now: Duration) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (_, conn, lane) in std::mem::take(&mut self.due).into_iter().flatten() {
            let Some(client) = self.clients.get_mut(&conn) else { continue };
            match lane {
                Lane::Direct => {
                    client.direct.take_if(|direct| direct.last + DIRECT > now);
                }
                Lane::Queues if client.queues_since.is_some_and(|(_, last)| last + REPORTS > now) => continue,
                Lane::Queues => {}
                about => {
                    if client.about.get(&about).is_some_and(|about| about.last + REPORTS > now) {
                        client.about.remove(&about);
                    }
                }
            }
            pieces.extend(self.settle_lane(conn, lane, now, true));
        }
        pieces
    }

    fn settle_lane(&mut self, conn: u64, lane: Lane, now: Duration, must: bool) -> Option<Piece> {
        let settle = lane.settle();
        let client = self.clients.get_mut(&conn)?;
        let (from, last) = match lane {
            Lane::Direct => client.direct.as_ref().map(|direct| (direct.from, direct.last)),
            Lane::Queues => client.queues_since,
            about => client.about.get(&about).map(|about| (about.from, about.last)),
        }?;
        let is_full = client.direct.as_ref().is_some_and(Direct::is_full) && lane == Lane::Direct;
        let is_quiet = last + settle <= now;
        if !is_quiet && !is_full && !must && from + RESTLESS > now {
            self.due[usize::from(lane != Lane::Direct)].push_back((now.max(last) + settle, conn, lane));
            return None;
        }
        let (findings, told) = match lane {
            Lane::Direct => {
                let [recorded, ours] = client.direct.take()?.messages;
                let values = |messages: VecDeque<Arc<Value>>| -> Vec<Value> {
                    messages.into_iter().map(|message| Value::clone(&message)).collect()
                };
                let (recorded, ours) = (values(recorded), values(ours));
                let findings = compare::section(recorded.clone(), ours.clone());
                (findings, Some((recorded, ours)))
            }
            Lane::Queues => {
                client.queues_since = None;
                (client.compare_queues(), None)
            }
            about => {
                let Last { states: [recorded, ours], .. } = client.about.remove(&about)?;
                let is_same = recorded.as_ref().zip(ours.as_ref()).is_some_and(|(a, b)| a.is_same_as(b));
                let findings = match is_same || client.has_left {
                    true => Vec::new(),
                    false => compare_about(about, recorded.as_deref(), ours.as_deref()),
                };
                (findings, None)
            }
        };
        if client.has_left && client.direct.is_none() && client.about.is_empty() {
            self.clients.remove(&conn);
        }
        (!findings.is_empty()).then_some(Piece { conn, from, until: last, findings, told })
    }
}

impl Direct {
    fn is_full(&self) -> bool {
        self.messages.iter().any(|messages| messages.len() >= 2 * PIECE)
    }

    /// Forgets messages at the beginning that are the same on both sides, if they need nothing that
    /// comes after them.
    fn drop_equal(&mut self) {
        let [recorded, ours] = &mut self.messages;
        while let (Some(one), Some(other)) = (recorded.front(), ours.front()) {
            let is_login = one["command"] == "welcome";
            if is_login || !compare::section(vec![Value::clone(one)], vec![Value::clone(other)]).is_empty() {
                break;
            }
            recorded.pop_front();
            ours.pop_front();
        }
    }
}

impl Client {
    /// Compares the queues as the client knows them on both sides.
    fn compare_queues(&self) -> Vec<String> {
        let is_same = |states: &[Option<Arc<State>>; 2]| match states {
            [Some(recorded), Some(ours)] => recorded.is_same_as(ours),
            [recorded, ours] => recorded.is_none() && ours.is_none(),
        };
        let different = self.queues.values().filter(|states| !is_same(states));
        let (mut recorded, mut ours) = (Vec::new(), Vec::new());
        for [of_recorded, of_ours] in different {
            recorded.extend(of_recorded.as_ref().map(|state| state.value.clone()));
            ours.extend(of_ours.as_ref().map(|state| state.value.clone()));
        }
        let known = |queues: Vec<Value>| {
            let mut known = Queues::default();
            known.take(&[json!({"command": "matchmaker_info", "queues": queues})]);
            known
        };
        known(recorded).compare(&known(ours), self.has_asked_for_queues)
    }
}

/// Compares the last state of a player or a game.
fn compare_about(lane: Lane, recorded: Option<&State>, ours: Option<&State>) -> Vec<String> {
    let (command, list) = match lane {
        Lane::Game(_) => ("game_info", "games"),
        _ => ("player_info", "players"),
    };
    let body = |state: Option<&State>| {
        let states: Vec<&Value> = state.into_iter().map(|state| &state.value).collect();
        json!({"command": command, list: states})
    };
    compare::broadcasts(&[body(recorded)], &[body(ours)])
}
