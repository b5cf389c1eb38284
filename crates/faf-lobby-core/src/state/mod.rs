//! The state of the lobby: data with its own invariants, and no rules.

mod admission;
mod client_programs;
mod failed_logins;
pub(crate) mod game;
mod game_process;
mod game_writes;
mod games;
mod initial;
mod limits;
mod losses;
mod matches;
mod output;
mod pacing;
mod parties;
mod pending;
mod players;
mod queues;
mod remembered;
mod saved_queues;
mod sessions;
mod stored;
mod timers;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use faf_protocol::{GameId, PlayerId, Secret};
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::io::{ConnId, Effect};
use crate::matchmaking::random::Random;
use crate::matchmaking::violations::Violations;
use crate::recorded::Recorded;
use crate::settings::Settings;

pub(crate) use admission::*;
pub use client_programs::*;
pub use failed_logins::*;
pub use game::*;
pub(crate) use game_process::*;
pub(crate) use game_writes::*;
pub(crate) use games::*;
pub use initial::*;
pub use limits::*;
pub(crate) use losses::*;
pub(crate) use matches::*;
pub use pacing::*;
pub(crate) use parties::*;
pub(crate) use pending::*;
pub(crate) use players::*;
pub use queues::*;
pub(crate) use remembered::*;
pub use saved_queues::*;
pub(crate) use sessions::*;
pub use stored::*;
pub(crate) use timers::*;

/// The state of the lobby. Commands and rules change it; [`World`](crate::World) drives them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Lobby {
    pub(crate) settings: Settings,
    pub(crate) now: Moment,
    pub(crate) players: Players,
    pub(crate) games: Games,
    pub(crate) parties: Parties,
    pub(crate) queues: Queues,
    pub(crate) matches: Matches,
    pub(crate) violations: Violations,
    pub(crate) losses: Losses,
    /// In the order in which they are judged.
    pub(crate) accused: VecDeque<Accused>,
    pub(crate) returning: Returning,
    pub(crate) saving: Saving,
    /// All chance of the lobby.
    pub(crate) random: Random,
    pub(crate) data: GameData,
    pub(crate) timers: Timers,
    pub(crate) failed_logins: FailedLogins,
    pub(crate) admission: Admission,
    pub(crate) unpaid: Unpaid,
    pub(crate) limits: Limits,
    /// Shared by sessions. It is not serialised: a restored lobby builds its own.
    #[serde(skip)]
    pub(crate) programs: ClientPrograms,
    /// Boxed, because the nodes of the map are half empty as a rule.
    pub(crate) sessions: BTreeMap<ConnId, Box<Session>>,
    pub(crate) pending: Pending,
    /// Connections whose command has finished because something else has, such as a write that
    /// several have waited for. Rules add them here, and the dispatcher finishes their commands
    /// within the same input.
    pub(crate) released: Vec<ConnId>,
    pub(crate) next_ping: Duration,
    /// Time of the next report of changes; `None` if there are none.
    pub(crate) next_report: Option<Duration>,
    pub(crate) lifecycle: Lifecycle,
    /// Outcomes of chance that are taken from a recording of another server, while the lobby
    /// repeats it.
    #[serde(skip)]
    pub(crate) recorded: Option<Recorded>,
    /// Effects, which the shell polls after every input until none are left.
    #[serde(skip)]
    pub(crate) effects: VecDeque<Effect>,
}

/// The phase of the server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lifecycle {
    Running,
    /// No new games. It ends with the last running game, or at this time.
    Draining {
        until: Duration,
    },
    /// Connections are closed, the last writes are made, and nothing else is done.
    Closing {
        /// Time of the next step.
        next: Duration,
        /// Time at which the rest is given up.
        until: Duration,
    },
    Stopped,
}

impl Lobby {
    /// Creates a lobby without players and games.
    pub(crate) fn new(settings: Settings, now: Moment, last_game: GameId, data: GameData, seed: u64) -> Self {
        let mut lobby = Self {
            next_ping: now.elapsed + settings.ping_interval,
            settings,
            now,
            players: Players::default(),
            games: Games::new(last_game),
            parties: Parties::default(),
            queues: Queues::default(),
            matches: Matches::default(),
            violations: Violations::default(),
            losses: Losses::default(),
            accused: VecDeque::new(),
            returning: Returning::default(),
            saving: Saving::default(),
            random: Random::from_seed(seed),
            data,
            timers: Timers::default(),
            failed_logins: FailedLogins::default(),
            admission: Admission::default(),
            unpaid: Unpaid::default(),
            limits: Limits::default(),
            programs: ClientPrograms::default(),
            sessions: BTreeMap::new(),
            pending: Pending::default(),
            released: Vec::new(),
            next_report: None,
            lifecycle: Lifecycle::Running,
            recorded: None,
            effects: VecDeque::new(),
        };
        lobby.timers.set(now.elapsed + DATA_INTERVAL, Timer::ReadData);
        lobby
    }

    /// Replaces every secret of a client.
    pub(crate) fn replace_secrets(&mut self, replace: &dyn Fn(&Secret) -> Secret) {
        for session in self.sessions.values_mut() {
            if let Some(WaitingMessage { message: Ok(message), .. }) = session.waiting.as_deref_mut() {
                message.replace_secrets(replace);
            }
        }
        for secret in self.pending.secrets().into_iter().chain(self.games.passwords()) {
            *secret = replace(secret);
        }
    }

    pub(crate) fn session(&self, conn: ConnId) -> &Session {
        self.sessions.get(&conn).expect("commands are carried out for connections that exist")
    }

    pub(crate) fn session_if_open(&self, conn: ConnId) -> Option<&Session> {
        self.sessions.get(&conn).map(|session| &**session)
    }

    pub(crate) fn session_mut(&mut self, conn: ConnId) -> &mut Session {
        self.sessions.get_mut(&conn).expect("commands are carried out for connections that exist")
    }

    /// Returns the player who has logged in on a connection; only for commands that need a login.
    pub(crate) fn player_of(&self, conn: ConnId) -> PlayerId {
        self.session(conn).player.expect("the command needs a login")
    }

    pub(crate) fn online(&mut self, player: PlayerId) -> Option<&mut OnlinePlayer> {
        self.players.get_mut(player)
    }

    /// Returns whether the lobby is closing all connections, or has closed them.
    pub(crate) fn has_stopped(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Closing { .. } | Lifecycle::Stopped)
    }

    /// Returns all connections, in order of their ids.
    pub(crate) fn connections(&self) -> impl Iterator<Item = ConnId> {
        self.connections_where(|_| true)
    }

    /// Returns the connections whose session fulfils a condition.
    pub(crate) fn connections_where(&self, holds: impl Fn(&Session) -> bool) -> impl Iterator<Item = ConnId> {
        self.sessions.iter().filter(move |(_, session)| holds(session)).map(|(conn, _)| *conn)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.lifecycle != Lifecycle::Running
    }
}
