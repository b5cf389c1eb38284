//! The state of the lobby: data with its own invariants, and no rules.

pub(crate) mod admission;
pub(crate) mod client_programs;
pub(crate) mod failed_logins;
pub(crate) mod game;
pub(crate) mod game_process;
pub(crate) mod game_writes;
pub(crate) mod games;
pub(crate) mod initial;
pub(crate) mod limits;
mod output;
pub(crate) mod pacing;
pub(crate) mod parties;
pub(crate) mod pending;
pub(crate) mod players;
pub(crate) mod remembered;
pub(crate) mod sessions;
pub(crate) mod stored;
pub(crate) mod timers;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use faf_protocol::{GameId, PlayerId, Secret};
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::io::conn::ConnId;
use crate::io::effect::Effect;
use crate::settings::Settings;
use crate::state::admission::Admission;
use crate::state::client_programs::ClientPrograms;
use crate::state::failed_logins::FailedLogins;
use crate::state::games::Games;
use crate::state::initial::{DATA_INTERVAL, GameData};
use crate::state::limits::Limits;
use crate::state::pacing::Unpaid;
use crate::state::parties::Parties;
use crate::state::pending::Pending;
use crate::state::players::{OnlinePlayer, Players};
use crate::state::sessions::{Session, WaitingMessage};
use crate::state::timers::{Timer, Timers};

/// The state of the lobby. Commands and rules change it; [`World`](crate::World) drives them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Lobby {
    pub(crate) settings: Settings,
    pub(crate) now: Moment,
    pub(crate) players: Players,
    pub(crate) games: Games,
    pub(crate) parties: Parties,
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
    /// Connections are closed, the next of them at this time, and nothing else is done.
    Closing {
        next: Duration,
    },
    Stopped,
}

impl Lobby {
    /// Creates a lobby without players and games.
    pub(crate) fn new(settings: Settings, now: Moment, last_game: GameId, data: GameData) -> Self {
        let mut lobby = Self {
            next_ping: now.elapsed + settings.ping_interval,
            settings,
            now,
            players: Players::default(),
            games: Games::new(last_game),
            parties: Parties::default(),
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
