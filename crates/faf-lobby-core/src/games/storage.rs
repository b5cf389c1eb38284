//! Storing games: one write after the other for each game, tried again until the database takes it.
//!
//! Whoever caused a write goes on when it is done, so that what a client has sent is durable before its next message is
//! dealt with; but nobody waits for a database that is away. Saves that wait become one.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use faf_protocol::{GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::commands::Progress;
use crate::effect::{Count, LogLine, Question};
use crate::event::{Answer, ConnId};
use crate::games::ending::GameEnd;
use crate::games::game::{Game, GameState};
use crate::games::launch::GameLaunched;
use crate::publication::{GamePublications, Publication};
use crate::ratings::RatingChange;
use crate::timers::Timer;
use crate::world::{Asker, World};

/// First pause before a failed write is tried again; it doubles up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Something to be stored about a game, in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GameWrite {
    /// The game was launched: its rows, and the game itself, so that it outlives the server.
    Launch(Box<GameLaunched>),
    /// The game has changed.
    Save(Box<Game>),
    /// The game is over: its results and ratings. It need not outlive the server any more.
    End(Box<GameEnd>),
    /// Something that happened in it.
    Note(Note),
    /// Nothing but publications: the game is over, and its end is stored.
    Publish,
}

/// Something that happened in a game and is only kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// A player's simulation has drifted away from the others' for the first time.
    Desync {
        /// Whose.
        player: PlayerId,
        /// Whole seconds since the launch.
        game_time: u32,
    },
    /// A commander was killed by a team mate.
    Teamkill {
        /// Who did it.
        teamkiller: PlayerId,
        /// Whose commander.
        victim: PlayerId,
        /// Seconds since the game began.
        game_time: u32,
    },
    /// A co-op mission was won.
    MissionComplete {
        /// Folder name of its map.
        map: String,
        /// Whether the secondary objectives were met.
        secondary: bool,
        /// How long it took: `HH:MM:SS`.
        time: String,
        /// Players who were in it.
        player_count: u32,
    },
}

/// A wish to join a game; kept, whatever comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinAttempt {
    /// Which.
    pub game: GameId,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What is being stored about one game. The first write is under way, or waits to be tried again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Storage {
    writes: VecDeque<Write>,
    failures: u32,
    /// What other services are told when the first write is stored.
    unpublished: Vec<Publication>,
    /// How many publications of the game have gone with writes so far, with these.
    #[serde(default)]
    published: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Write {
    what: What,
    /// Connections that go on when it is done.
    waiting: Vec<ConnId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum What {
    /// The game as it is when its turn has come.
    Save,
    Other(GameWrite),
}

impl Write {
    /// Whether publications go with it: only with a write after which it is known whose achievements have been counted,
    /// so that nobody is counted twice after a crash.
    fn carries_publications(&self) -> bool {
        matches!(self.what, What::Save | What::Other(GameWrite::End(_) | GameWrite::Publish))
    }
}

impl Storage {
    /// Whether a launch is being stored that has not failed before.
    pub(crate) fn is_first_try_of_launch(&self) -> bool {
        let first = self.writes.front().map(|first| &first.what);
        self.failures == 0 && matches!(first, Some(What::Other(GameWrite::Launch(_))))
    }

    /// Adds a write behind all others, in place of a save that has not begun: this one will be newer, or is the end.
    fn push(&mut self, what: What, waiting: Option<ConnId>) {
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

impl World {
    /// Saves a live game. The connection, if there is one, waits for it; whoever has just ended the game, for the end.
    pub(crate) fn save_game(&mut self, id: GameId, waiting: Option<ConnId>) -> Progress {
        match self.games.get(id) {
            Some(game) if game.state == GameState::Live => self.push_write(id, What::Save, waiting),
            _ => waiting.map_or(Progress::Done, |conn| self.wait_for_storage(id, conn)),
        }
    }

    /// Makes a connection wait until everything about a game is stored, or has failed to be.
    pub(crate) fn wait_for_storage(&mut self, id: GameId, conn: ConnId) -> Progress {
        let storage = self.games.storage.get_mut(&id).filter(|storage| storage.failures == 0);
        match storage.and_then(|storage| storage.writes.back_mut()) {
            Some(last) => {
                last.waiting.push(conn);
                Progress::Asked
            }
            None => Progress::Done,
        }
    }

    /// Stores something about a game behind everything else about it. The connection, if there is one, waits for it.
    pub(crate) fn store(&mut self, id: GameId, write: GameWrite, waiting: Option<ConnId>) -> Progress {
        self.push_write(id, What::Other(write), waiting)
    }

    fn push_write(&mut self, id: GameId, what: What, waiting: Option<ConnId>) -> Progress {
        // While a launch is being stored, nobody is told of the game.
        self.games.touch(id);
        let storage = self.games.storage.entry(id).or_default();
        let is_idle = storage.writes.is_empty();
        // A database that is away must not hold up the players: nobody waits for more than one try.
        let waiting = waiting.filter(|_| storage.failures == 0);
        storage.push(what, waiting);
        if is_idle {
            self.ask_to_store(id);
        }
        if waiting.is_some() { Progress::Asked } else { Progress::Done }
    }

    /// Asks to store what is first.
    pub(crate) fn ask_to_store(&mut self, id: GameId) {
        let Some(storage) = self.games.storage.get_mut(&id) else { return };
        let mut game = self.games.games.get_mut(&id);
        // A save that has failed is needless once the game is over: its end is the next write.
        let is_over = game.as_ref().is_none_or(|game| game.state != GameState::Live);
        if is_over && storage.writes.len() > 1 && matches!(storage.writes[0].what, What::Save) {
            storage.writes.pop_front();
        }
        let Some(first) = storage.writes.front() else { return };
        let carries_publications = first.carries_publications();
        if carries_publications && let Some(live) = game.as_mut().and_then(|game| game.live.as_mut()) {
            live.published += live.unpublished.len() as u32;
            storage.unpublished.append(&mut live.unpublished);
            storage.published = live.published;
        }
        let list = if carries_publications { storage.unpublished.clone() } else { Vec::new() };
        let publications = GamePublications { first: storage.published - list.len() as u32, list };
        let write = match (&first.what, game) {
            (What::Other(write), _) => write.clone(),
            (What::Save, Some(game)) => GameWrite::Save(Box::new(game.clone())),
            (What::Save, None) => return,
        };
        self.ask_as(Asker::Game(id), Question::StoreGame { game: id, write, publications });
    }

    /// What was first is stored, or is not.
    pub(crate) fn stored(&mut self, id: GameId, answer: Answer) {
        let (is_done, stored) = match answer {
            Answer::GameStored(ratings) => (true, Some(ratings)),
            Answer::GameRefused => {
                self.log(LogLine::GameRefused { game: id });
                (true, None)
            }
            _ => (false, None),
        };
        let now = self.now.elapsed;
        self.games.touch(id);
        let Some(storage) = self.games.storage.get_mut(&id) else { return };
        let mut waiting = Vec::new();
        if is_done {
            let Some(first) = storage.writes.pop_front() else { return };
            storage.failures = 0;
            if first.carries_publications() {
                storage.unpublished.clear();
            }
            waiting = first.waiting;
            if storage.writes.is_empty() {
                self.games.storage.remove(&id);
            } else {
                self.ask_to_store(id);
            }
            // What other services are told of it lies in the outbox of the database by now.
            self.apply_ratings(&stored.unwrap_or_default());
            self.publish_if_over(id);
            self.games.forget_if_over(id);
        } else {
            let pause = FIRST_PAUSE.saturating_mul(1 << storage.failures.min(6)).min(LONGEST_PAUSE);
            storage.failures = storage.failures.saturating_add(1);
            for write in &mut storage.writes {
                waiting.append(&mut write.waiting);
            }
            self.count(Count::GameNotStored);
            self.timers.set(now + pause, Timer::StoreAgain(id));
        }
        for conn in waiting {
            self.conclude(conn, Ok(Progress::Done));
        }
    }

    /// Stores the publications of a game that is over and stored: no other write will take them along.
    pub(crate) fn publish_if_over(&mut self, id: GameId) {
        if self.games.storage.contains_key(&id) {
            return;
        }
        let over = self.games.get(id).filter(|game| game.state == GameState::Ended);
        if over.and_then(|game| game.live.as_ref()).is_some_and(|live| !live.unpublished.is_empty()) {
            self.store(id, GameWrite::Publish, None);
        }
    }

    /// Everybody hears of new ratings. What players see may depend on theirs.
    pub(crate) fn apply_ratings(&mut self, changes: &[RatingChange]) {
        for change in changes {
            self.rated_while_logging_in(change.player);
            let before = self.seen_by(change.player);
            self.players.rate(change.player, &change.leaderboard, change.after);
            self.tell_difference(change.player, &before);
        }
    }
}
