//! Players of an ordinary evening: hosts, guests, and visitors.
//!
//! A host opens the lobby of a game, changes options in it, seats those who come, launches when all are there or the lobby has
//! been open for long, plays, reports who has won, and hosts again after a pause. A guest joins the next game that is open,
//! and leaves when it is over. Both send the candidates of their ICE adapters to each other through the server. A visitor
//! comes and goes.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use faf_protocol::Message;
use serde_json::{Value, json};

use super::{Actor, Cue, Cues};
use crate::speech::{game_host, of_game};

/// Candidates that an ICE adapter sends to each peer.
const CANDIDATES: u32 = 3;

/// What the candidates of an adapter look like, about.
const CANDIDATE: usize = 350;

/// How long an evening takes for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tempo {
    /// Guests of a game.
    pub(crate) guests: usize,
    /// Between changes that a host makes in a lobby.
    pub(crate) chatter: Duration,
    /// A lobby waits so long for guests.
    pub(crate) lobby: Duration,
    pub(crate) game: Duration,
    /// A visitor stays so long, and stays away so long.
    pub(crate) visit: Duration,
}

impl Tempo {
    /// From half of it to one and a half, so that not everybody does the same at the same time.
    fn about(duration: Duration) -> Duration {
        duration.mul_f64(0.5 + fastrand::f64())
    }
}

/// What the players of one thread know of each other's games.
#[derive(Debug, Default)]
pub(crate) struct Plaza {
    /// Games that are open, as often as they have free seats.
    open: VecDeque<u64>,
    /// Games that are not over.
    games: HashMap<u64, Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Live,
}

/// Somebody who hosts one game after the other.
#[derive(Debug)]
pub(crate) struct Host {
    tempo: Tempo,
    me: u32,
    plays: bool,
    game: Option<Hosted>,
    next: Instant,
}

#[derive(Debug)]
struct Hosted {
    uid: u64,
    players: Vec<i64>,
    opened: Option<Instant>,
    /// When a live game ends.
    ends: Option<Instant>,
    /// Guests who have a seat.
    seated: usize,
}

impl Host {
    /// The account of this number hosts.
    pub(crate) fn new(me: u32, tempo: Tempo) -> Self {
        Self { tempo, me, plays: false, game: None, next: Instant::now() }
    }

    fn seat(player: i64, seat: usize, cues: &mut Cues) {
        let team = 2 + seat % 2;
        for (key, value) in
            [("Faction", 1), ("Color", seat), ("Team", team), ("StartSpot", seat), ("Army", seat)]
        {
            cues.say.push(of_game("PlayerOption", &json!([player.to_string(), key, value])));
        }
    }

    fn host(&mut self, cues: &mut Cues) {
        cues.say.push(game_host("2v2 all welcome", "scmp_007").to_string());
        self.next = cues.now + self.tempo.lobby;
    }

    /// The lobby is open: every option is told, as a real game does.
    fn open(&mut self, cues: &mut Cues) {
        let Some(game) = &mut self.game else { return };
        game.opened = Some(cues.now);
        cues.sample.games += 1;
        for (key, value) in [
            ("Slots", json!(8)),
            ("Victory", json!("demoralization")),
            ("TeamSpawn", json!("fixed")),
            ("TeamLock", json!("locked")),
            ("FogOfWar", json!("explored")),
            ("CheatsEnabled", json!("false")),
            ("PrebuiltUnits", json!("Off")),
            ("NoRushOption", json!("Off")),
            ("RestrictedCategories", json!(0)),
        ] {
            cues.say.push(of_game("GameOption", &json!([key, value])));
        }
        cues.say.push(of_game("GameMods", &json!(["activated", 0])));
        Self::seat(i64::from(self.me), 1, cues);
        cues.plaza.games.insert(game.uid, Stage::Open);
        for _ in 0..self.tempo.guests {
            cues.plaza.open.push_back(game.uid);
        }
        self.next = cues.now + Tempo::about(self.tempo.chatter);
    }

    fn launch(&mut self, cues: &mut Cues) {
        let Some(game) = &mut self.game else { return };
        let ends = cues.now + Tempo::about(self.tempo.game);
        game.ends = Some(ends);
        cues.say.push(of_game("GameState", &json!(["Launching"])));
        cues.plaza.open.retain(|uid| *uid != game.uid);
        cues.plaza.games.insert(game.uid, Stage::Live);
        self.next = ends;
    }

    fn end(&mut self, cues: &mut Cues) {
        let Some(game) = self.game.take() else { return };
        for seat in 1..=game.seated + 1 {
            let outcome = if seat % 2 == 1 { "victory 10" } else { "defeat -10" };
            cues.say.push(of_game("GameResult", &json!([seat, outcome])));
        }
        cues.say.push(of_game("GameEnded", &json!([])));
        cues.say.push(of_game("GameState", &json!(["Ended"])));
        cues.plaza.games.remove(&game.uid);
        self.next = cues.now + Tempo::about(self.tempo.chatter);
    }
}

impl Actor for Host {
    fn logged_in(&mut self, cues: &mut Cues) {
        self.game = None;
        if self.plays {
            self.host(cues);
            cues.wake = Some(self.next);
        }
    }

    fn hear(&mut self, message: &Message, cues: &mut Cues) {
        match message.command().as_deref() {
            Some("game_launch") => {
                let Some(uid) = uid(message) else { return };
                self.game = Some(Hosted { uid, players: Vec::new(), opened: None, ends: None, seated: 0 });
                cues.say.push(of_game("GameState", &json!(["Idle"])));
                cues.say.push(of_game("GameState", &json!(["Lobby"])));
            }
            Some("HostGame") => {
                self.open(cues);
                cues.wake = Some(self.next);
            }
            Some("ConnectToPeer") => {
                let (Some(peer), Some(game)) = (peer(message), &mut self.game) else { return };
                game.players.push(peer);
                game.seated += 1;
                let seat = game.seated + 1;
                Self::seat(peer, seat, cues);
                send_candidates(peer, cues);
            }
            _ => {}
        }
    }

    fn due(&mut self, cues: &mut Cues) {
        if !self.plays || self.next > cues.now {
            return;
        }
        match &self.game {
            None => self.host(cues),
            Some(Hosted { opened: None, .. }) => self.next = cues.now + self.tempo.lobby,
            Some(Hosted { ends: Some(_), .. }) => self.end(cues),
            Some(Hosted { opened: Some(opened), seated, .. }) => {
                let is_full = *seated >= self.tempo.guests;
                if is_full || opened.elapsed() > self.tempo.lobby {
                    self.launch(cues);
                } else {
                    cues.say
                        .push(of_game("GameOption", &json!(["Title", format!("2v2, {seated} are there")])));
                    self.next = cues.now + Tempo::about(self.tempo.chatter);
                }
            }
        }
        cues.sample.said += cues.say.len() as u64;
        cues.wake = Some(self.next);
    }

    fn cue(&mut self, cue: Cue, cues: &mut Cues) {
        match cue {
            Cue::Play if !self.plays => {
                self.plays = true;
                // Not all at the same moment.
                self.next = cues.now + self.tempo.lobby.mul_f64(fastrand::f64());
                cues.wake = Some(self.next);
            }
            Cue::Silence => self.plays = false,
            _ => {}
        }
    }
}

/// Somebody who joins one game after the other.
#[derive(Debug)]
pub(crate) struct Guest {
    tempo: Tempo,
    plays: bool,
    game: Option<u64>,
}

impl Guest {
    pub(crate) fn new(tempo: Tempo) -> Self {
        Self { tempo, plays: false, game: None }
    }
}

impl Actor for Guest {
    fn logged_in(&mut self, cues: &mut Cues) {
        self.game = None;
        cues.wake = Some(cues.now + Tempo::about(self.tempo.chatter));
    }

    fn hear(&mut self, message: &Message, cues: &mut Cues) {
        match message.command().as_deref() {
            Some("game_launch") => {
                cues.say.push(of_game("GameState", &json!(["Idle"])));
                cues.say.push(of_game("GameState", &json!(["Lobby"])));
            }
            Some("JoinGame" | "ConnectToPeer") => {
                if let Some(peer) = peer(message) {
                    send_candidates(peer, cues);
                }
            }
            Some("notice") if self.game.is_some() => {
                // The game was full or gone.
                self.game = None;
            }
            _ => {}
        }
    }

    fn due(&mut self, cues: &mut Cues) {
        if !self.plays {
            return;
        }
        match self.game {
            None => {
                if let Some(uid) = cues.plaza.open.pop_front() {
                    self.game = Some(uid);
                    cues.say.push(json!({"command": "game_join", "uid": uid, "password": null}).to_string());
                }
            }
            Some(uid) if !cues.plaza.games.contains_key(&uid) => {
                self.game = None;
                cues.say.push(of_game("GameEnded", &json!([])));
                cues.say.push(of_game("GameState", &json!(["Ended"])));
            }
            Some(_) => {}
        }
        cues.sample.said += cues.say.len() as u64;
        cues.wake = Some(cues.now + Tempo::about(self.tempo.chatter));
    }

    fn cue(&mut self, cue: Cue, cues: &mut Cues) {
        match cue {
            Cue::Play if !self.plays => {
                self.plays = true;
                cues.wake = Some(cues.now + Tempo::about(self.tempo.chatter));
            }
            Cue::Silence => self.plays = false,
            _ => {}
        }
    }
}

/// Somebody who comes and goes.
#[derive(Debug)]
pub(crate) struct Visitor {
    tempo: Tempo,
    plays: bool,
}

impl Visitor {
    pub(crate) fn new(tempo: Tempo) -> Self {
        Self { tempo, plays: false }
    }
}

impl Actor for Visitor {
    fn logged_in(&mut self, cues: &mut Cues) {
        if self.plays {
            cues.wake = Some(cues.now + Tempo::about(self.tempo.visit));
        }
    }

    fn due(&mut self, cues: &mut Cues) {
        if self.plays {
            cues.leave = Some(Tempo::about(self.tempo.visit));
        }
    }

    fn cue(&mut self, cue: Cue, cues: &mut Cues) {
        match cue {
            Cue::Play if !self.plays => {
                self.plays = true;
                cues.wake = Some(cues.now + self.tempo.visit.mul_f64(fastrand::f64()));
            }
            Cue::Silence => self.plays = false,
            _ => {}
        }
    }
}

fn uid(message: &Message) -> Option<u64> {
    message.get("uid")?.parse().ok()
}

/// The id in `JoinGame [login, id]` and `ConnectToPeer [login, id, offer]`.
fn peer(message: &Message) -> Option<i64> {
    let args: Vec<Value> = message.field("args").ok()?;
    args.get(1)?.as_i64()
}

fn send_candidates(peer: i64, cues: &mut Cues) {
    for _ in 0..CANDIDATES {
        let candidates = json!({"destId": peer, "candidates": "c".repeat(CANDIDATE)}).to_string();
        cues.say.push(of_game("IceMsg", &json!([peer, candidates])));
    }
    cues.sample.said += u64::from(CANDIDATES);
}
