//! Game connections: how players get into a game and out of it (games.md sections 7 and 10).

use faf_protocol::gpgnet::ServerToGame;
use faf_protocol::server_message::{GameLaunch, ServerMessage};
use faf_protocol::{GameId, PlayerId};

use crate::event::ConnId;
use crate::games::game::{Game, GameClock, GameState};
use crate::players::{Activity, ConnectionState, GameConnection};
use crate::timers::Timer;
use crate::world::World;

/// How a player's game connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The game process is gone; the player does not come back.
    Closed,
    /// The lobby connection is gone; the game process may live on.
    Lost,
    /// The lobby ends it: a time limit, a failure to join, a shutdown.
    Aborted,
    /// The lobby has ended the lobby connection.
    Kicked,
}

impl Leaving {
    /// Whether the lobby wants it.
    fn is_ours(self) -> bool {
        matches!(self, Self::Aborted | Self::Kicked)
    }

    /// Whether nothing can be sent to the player any more.
    fn is_gone(self) -> bool {
        matches!(self, Self::Lost | Self::Kicked)
    }
}

impl World {
    /// Makes a client start its game process. From now on, the player has a game connection.
    pub(crate) fn launch_game_process(&mut self, conn: ConnId, game: GameId) {
        let player = self.player_of(conn);
        let Some(game) = self.games.get(game) else { return };
        let id = game.id;
        let Some(online) = self.players.get_mut(player) else { return };
        let rated_games =
            online.info.ratings.get(&game.leaderboard).map_or(0, |rating| rating.number_of_games);
        let message = GameLaunch {
            args: ("/numgames".to_owned(), rated_games),
            uid: game.id,
            featured_mod: game.featured_mod.name.clone(),
            name: game.title.clone(),
            init_mode: 0,
            game_type: game.game_type(),
            rating_type: game.leaderboard.clone(),
        };
        online.activity = Activity::StartingGame;
        let deadline = self.now.elapsed + game.setup_timeout(&self.settings);
        online.game = Some(GameConnection { game: id, state: ConnectionState::Initializing, deadline });
        self.timers.set(deadline, Timer::GameConnection(conn));
        self.send(conn, ServerMessage::GameLaunch(message));
    }

    /// Ends a player's game connection, with everything that follows for the game.
    pub(crate) fn leave_game(&mut self, player: PlayerId, how: Leaving) {
        let Some(online) = self.players.get_mut(player) else { return };
        online.activity = Activity::Idle;
        let Some(connection) = online.game.take() else { return };
        let Some(game) = self.games.get_mut(connection.game) else { return };
        let id = game.id;
        if how.is_gone() && game.is_member(player) && game.state == GameState::Lobby {
            game.lose(player);
        }
        if how == Leaving::Closed {
            game.lost.remove(&player);
            // After the launch, what the host has said of players stays: their results count.
            if game.live.is_none() {
                game.slots.remove(&player);
            }
        }
        if how.is_ours() {
            self.disconnect_peers_from(player, id);
        }
        let was_member = self.remove_member(id, player, how);
        let is_abandoned = |game: &Game| game.state == GameState::Initializing && game.host.id == player;
        if self.games.get(id).is_some_and(is_abandoned) {
            self.end_unlaunched(id);
        }
        if !how.is_ours() {
            self.disconnect_peers_from(player, id);
        }
        self.games.mark(id);
        if was_member && !how.is_gone() {
            self.hide_from(player, id);
        }
    }

    /// Takes a player out of a game, which may end it; tells whether the player was in it.
    fn remove_member(&mut self, id: GameId, player: PlayerId, how: Leaving) -> bool {
        let (now, grace) = (self.now, self.settings.reconnect_grace_period);
        let Some(game) = self.games.get_mut(id) else { return false };
        let Some(place) = game.members.iter().position(|member| *member == player) else { return false };
        game.members.remove(place);
        game.launching.remove(&player);
        if game.state == GameState::Live
            && let Some(live) = &mut game.live
        {
            if live.is_played_by(player) {
                live.hear(now.elapsed);
            }
            let plays_on = how.is_gone() && live.player(player).is_some() && live.is_played_by(player);
            if how == Leaving::Closed {
                live.done.insert(player);
            }
            if plays_on && !grace.is_zero() {
                live.awaited.insert(player, now.elapsed + grace);
                self.timers.set(now.elapsed + grace, Timer::Awaited(id));
            }
        }
        self.check_end(id, Some(player));
        self.save_game(id, None);
        true
    }

    /// Tells all others in a lobby to drop a player, who may not have come to all of them yet.
    fn disconnect_peers_from(&mut self, player: PlayerId, game: GameId) {
        let Some(game) = self.games.get(game).filter(|game| game.state == GameState::Lobby) else { return };
        let others = game.members.iter().filter(|member| **member != player);
        let peers = others.filter_map(|member| self.players.get(*member)).map(|peer| peer.conn).collect();
        let command = ServerToGame::DisconnectFromPeer { player_id: player };
        self.send_several(peers, ServerMessage::Game(command.into()));
    }

    pub(crate) fn send_to_game(&mut self, conn: ConnId, command: ServerToGame) {
        self.send(conn, ServerMessage::Game(command.into()));
    }

    /// The game process has not started in time.
    pub(crate) fn game_connection_timed_out(&mut self, conn: ConnId) {
        let Some(player) = self.session_if_open(conn).and_then(|session| session.player) else { return };
        let connection = self.players.get(player).and_then(|online| online.game.as_ref());
        // By now it may be another one, which has more time.
        let is_late = |connection: &GameConnection| {
            connection.state == ConnectionState::Initializing && connection.deadline <= self.now.elapsed
        };
        if connection.is_some_and(is_late) {
            self.leave_game(player, Leaving::Aborted);
        }
    }

    /// The host's game has not started in time.
    pub(crate) fn game_setup_timed_out(&mut self, game: GameId) {
        if self.games.get(game).is_some_and(|game| game.state == GameState::Initializing) {
            self.end_unlaunched(game);
        }
    }

    /// Players have not come back in time.
    pub(crate) fn stop_awaiting(&mut self, id: GameId) {
        let now = self.now.elapsed;
        let Some(live) = self.games.get_mut(id).and_then(|game| game.live.as_mut()) else { return };
        let before = live.awaited.len();
        live.awaited.retain(|_, until| *until > now);
        if live.awaited.len() < before || before == 0 {
            self.check_end(id, None);
            self.save_game(id, None);
        }
    }

    /// Waits for the players of a game that was live when the lobby last ended.
    pub(crate) fn resume_game(&mut self, mut game: Game) {
        let Some(live) = &mut game.live else { return };
        if game.state != GameState::Live {
            return;
        }
        let now = self.now;
        let until = now.elapsed + self.settings.restart_grace_period;
        // The game went on while the lobby did not.
        let base = live.last_heard.max(now.utc.since(live.launched_at));
        live.clock = GameClock::new(base, now.elapsed);
        // By the clock of the lobby before. Those who come back begin it anew.
        live.overdue = None;
        // Older versions did not store whose processes had begun, so all are taken to have. A game of
        // this version names at least the host's process, which launched it.
        if live.begun.is_empty() {
            live.begun = live.players.iter().map(|player| player.id).collect();
        }
        let members = std::mem::take(&mut game.members);
        let awaited = members.into_iter().chain(live.awaited.keys().copied());
        let plays = |player: &PlayerId| live.players.iter().any(|candidate| candidate.id == *player);
        live.awaited = awaited.filter(plays).map(|player| (player, until)).collect();
        let due = if live.awaited.is_empty() { self.now.elapsed } else { until };
        self.timers.set(due, Timer::Awaited(game.id));
        self.games.insert(game);
    }
}
