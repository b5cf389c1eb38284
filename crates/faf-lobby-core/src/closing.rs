//! The end of many connections at once: a shutdown, and clients that have fallen silent.
//!
//! Whoever goes leaves a game and is told of, so thousands of ends would keep the lobby busy for too long. They come in steps, and
//! between these everybody else is served.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage};

use crate::effect::{Effect, LogLine};
use crate::event::ConnId;
use crate::games::{Game, GameState, Leaving};
use crate::players::{Activity, OnlinePlayer};
use crate::refusal::farewell;
use crate::session::Session;
use crate::texts;
use crate::timers::Timer;
use crate::world::{Lifecycle, World};

/// Connections that are ended in a step: some milliseconds of work.
const AT_ONCE: usize = 400;

/// How often those who are in no game are sent away during a shutdown; time to read why.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Time between two steps.
const STEP: Duration = Duration::from_millis(10);

impl World {
    /// The operator wants the server to end.
    pub(crate) fn shutdown(&mut self) {
        match self.lifecycle {
            Lifecycle::Running => {
                self.log(LogLine::Shutdown { step: "shutting down: no new games" });
                let grace_period = self.settings.shutdown_grace_period;
                self.lifecycle = Lifecycle::Draining { until: self.now.elapsed + grace_period };
                self.close_lobbies();
                let kicks_idle = self.settings.shutdown_kick_idle_players;
                let text = texts::shutting_down(grace_period, kicks_idle);
                self.broadcast(ServerMessage::Notice(Notice::new(NoticeStyle::Info, text)));
                if kicks_idle {
                    self.timers.set(self.now.elapsed + IDLE_PAUSE, Timer::CloseIdle);
                }
            }
            Lifecycle::Draining { .. } => self.stop(),
            Lifecycle::Closing { .. } | Lifecycle::Stopped => {}
        }
    }

    /// Ends games that are not live yet, and tells the clients of everybody who is or wants to be in one.
    pub(crate) fn close_lobbies(&mut self) {
        let is_early = |player: &&OnlinePlayer| {
            let game = player.game.as_ref().and_then(|own| self.games.get(own.game));
            game.is_some_and(|game| matches!(game.state, GameState::Initializing | GameState::Lobby))
        };
        let early = self.players.iter().filter(is_early);
        let inside: Vec<_> = early.map(|player| (player.conn, player.info.id)).take(AT_ONCE).collect();
        if inside.len() == AT_ONCE {
            self.timers.set(self.now.elapsed + STEP, Timer::CloseLobbies);
        }
        let conns = inside.iter().map(|(conn, _)| *conn).collect();
        self.send_several(conns, ServerMessage::Notice(Notice::without_text(NoticeStyle::Kill)));
        for (_, player) in inside {
            self.leave_game(player, Leaving::Aborted);
        }
    }

    /// Ends everything. Games that are live stay as they are stored, and go on when a lobby begins with them.
    pub(crate) fn stop(&mut self) {
        self.log(LogLine::Shutdown { step: "shutting down: closing all connections" });
        let games = self.games.iter().filter(|game| game.state() == GameState::Live).count();
        if games > 0 {
            self.log(LogLine::GamesCutOff { games });
        }
        self.broadcast(ServerMessage::Notice(Notice::new(NoticeStyle::Info, texts::SHUT_DOWN)));
        self.close_some();
    }

    /// Whether somebody may come, or stay without being in a game: not while those who are in no game are sent away. Who has
    /// lost the connection to a live game may come back to it.
    pub(crate) fn is_welcome_now(&self, player: PlayerId) -> bool {
        let sends_away = self.is_draining() && self.settings.shutdown_kick_idle_players;
        !sends_away || self.games.iter().any(|game| game.awaits(player))
    }

    /// Sends those away who are in no game, because the server shuts down.
    pub(crate) fn close_idle(&mut self) {
        if !matches!(self.lifecycle, Lifecycle::Draining { .. }) {
            return;
        }
        let awaited: BTreeSet<PlayerId> = self.games.iter().flat_map(Game::awaited).collect();
        let is_idle =
            |player: &&OnlinePlayer| player.activity == Activity::Idle && !awaited.contains(&player.info.id);
        let idle: Vec<_> =
            self.players.iter().filter(is_idle).map(|player| player.conn).take(AT_ONCE).collect();
        let pause = if idle.len() == AT_ONCE { STEP } else { IDLE_PAUSE };
        self.timers.set(self.now.elapsed + pause, Timer::CloseIdle);
        for conn in idle {
            self.log(LogLine::SentAway { conn });
            self.close(conn);
        }
    }

    /// A step of the end of everything. Nothing else happens in the lobby any more.
    pub(crate) fn close_some(&mut self) {
        self.lifecycle = Lifecycle::Closing { next: self.now.elapsed + STEP };
        for conn in self.connections().take(AT_ONCE).collect::<Vec<_>>() {
            self.close(conn);
        }
        // Nobody is told of anybody any more.
        self.players.forget_changes();
        self.games.take_changes();
        if self.connection_count() == 0 {
            self.lifecycle = Lifecycle::Stopped;
            self.emit(Effect::Stop);
        }
    }

    /// Ends the connection of a player who must not come back by itself, behind what it is told.
    pub(crate) fn turn_out(&mut self, conn: ConnId, notice: Notice) {
        for message in farewell(notice) {
            self.send(conn, message);
        }
        self.close(conn);
    }

    /// Ends connections of which nothing was heard for too long, though they were read from.
    pub(crate) fn close_silent(&mut self) {
        let Some(timeout) = self.settings.idle_timeout else { return };
        let now = self.now.elapsed;
        let is_silent = |session: &Session| {
            session.player.is_some() && session.holds.is_empty() && session.last_heard + timeout <= now
        };
        let silent: Vec<ConnId> = self.connections_where(is_silent).take(AT_ONCE).collect();
        if silent.len() == AT_ONCE {
            self.timers.set(now + STEP, Timer::CloseSilent);
        }
        for conn in silent {
            self.log(LogLine::Refused { conn, reason: "the client is silent".to_owned() });
            self.close(conn);
        }
    }
}
