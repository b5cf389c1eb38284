//! Storing games: one write after the other for each game, tried again until the database takes it.
//!
//! Whoever caused a write goes on when it is done, so that what a client has sent is durable before its next message is
//! dealt with. Saves that wait behind another write become one.

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
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Write {
    write: GameWrite,
    /// Connections that go on when it is done.
    waiting: Vec<ConnId>,
}

impl Storage {
    /// Whether a launch is being stored that has not failed before.
    pub(crate) fn is_first_try_of_launch(&self) -> bool {
        self.failures == 0 && matches!(self.writes.front(), Some(Write { write: GameWrite::Launch(_), .. }))
    }

    fn push(&mut self, write: GameWrite, waiting: Option<ConnId>) {
        let is_under_way = self.writes.len() == 1;
        match (self.writes.back_mut(), &write) {
            (Some(last), GameWrite::Save(_)) if !is_under_way && matches!(last.write, GameWrite::Save(_)) => {
                last.write = write;
                last.waiting.extend(waiting);
            }
            _ => self.writes.push_back(Write { write, waiting: waiting.into_iter().collect() }),
        }
    }
}

impl World {
    /// Saves a live game. The connection, if there is one, waits for it; whoever has just ended the game, for the end.
    pub(crate) fn save_game(&mut self, id: GameId, waiting: Option<ConnId>) -> Progress {
        match self.games.get(id) {
            Some(game) if game.state == GameState::Live => {
                let write = GameWrite::Save(Box::new(game.clone()));
                self.store(id, write, waiting)
            }
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
        let storage = self.games.storage.entry(id).or_default();
        let is_idle = storage.writes.is_empty();
        // A database that is away must not hold up the players: nobody waits for more than one try.
        let waiting = waiting.filter(|_| storage.failures == 0);
        storage.push(write, waiting);
        if is_idle {
            self.ask_to_store(id);
        }
        if waiting.is_some() { Progress::Asked } else { Progress::Done }
    }

    /// Asks to store what is first.
    pub(crate) fn ask_to_store(&mut self, id: GameId) {
        let Some(storage) = self.games.storage.get(&id) else { return };
        let Some(first) = storage.writes.front() else { return };
        let question = Question::StoreGame { game: id, write: first.write.clone() };
        self.ask_as(Asker::Game(id), question);
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
        let Some(storage) = self.games.storage.get_mut(&id) else { return };
        let mut waiting = Vec::new();
        if is_done {
            let Some(Write { write, waiting: released }) = storage.writes.pop_front() else { return };
            waiting = released;
            storage.failures = 0;
            if storage.writes.is_empty() {
                self.games.storage.remove(&id);
            } else {
                self.ask_to_store(id);
            }
            if let (GameWrite::End(end), Some(ratings)) = (write, stored) {
                self.results_stored(id, *end, &ratings);
            }
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
