//! Game connections: how players get into a game and out of it (games.md sections 7 and 10).

use faf_protocol::gpgnet::ServerToGame;
use faf_protocol::server_message::ServerMessage;
use faf_protocol::{GameId, PlayerId};

use crate::games::{ending, persistence, visibility};
use crate::io::ConnId;
use crate::matches;
use crate::state::{Activity, ConnectionState, Game, GameClock, GameConnection, GameState, Lobby, Timer};

/// The way in which a player's game connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The game process has ended; the player does not return.
    Closed,
    /// The lobby connection was lost; the game process may go on.
    Lost,
    /// The lobby ends the game connection: a time limit, a failure to join, a shutdown.
    Aborted,
    /// The lobby has ended the lobby connection.
    Kicked,
}

impl Leaving {
    /// Returns whether the lobby ends it.
    fn is_ours(self) -> bool {
        matches!(self, Self::Aborted | Self::Kicked)
    }

    /// Returns whether nothing can be sent to the player any more.
    fn is_gone(self) -> bool {
        matches!(self, Self::Lost | Self::Kicked)
    }
}

/// Makes a client start its game process. From now on, the player has a game connection.
pub(crate) fn launch_game_process(lobby: &mut Lobby, conn: ConnId, game: GameId) {
    let player = lobby.player_of(conn);
    let Some(game) = lobby.games.get(game) else { return };
    let id = game.id;
    let Some(online) = lobby.players.get_mut(player) else { return };
    let message = game.launch_message(player, online.games_on(&game.leaderboard));
    if game.arranged.is_none() {
        online.activity = Activity::StartingGame;
    }
    let deadline = lobby.now.elapsed + game.setup_timeout(&lobby.settings);
    online.game = Some(GameConnection { game: id, state: ConnectionState::Initializing, deadline });
    lobby.timers.set(deadline, Timer::GameConnection(conn));
    lobby.send(conn, ServerMessage::GameLaunch(message));
}

/// Ends a player's game connection, with all consequences for the game.
pub(crate) fn leave_game(lobby: &mut Lobby, player: PlayerId, how: Leaving) {
    let Some(online) = lobby.players.get_mut(player) else { return };
    online.activity = Activity::Idle;
    let Some(connection) = online.game.take() else { return };
    let Some(game) = lobby.games.get_mut(connection.game) else { return };
    let id = game.id;
    if how.is_gone() && game.is_member(player) && game.state == GameState::Lobby {
        game.lose(player);
    }
    if how == Leaving::Closed {
        game.lost.remove(&player);
        // After the launch, the host's options of players stay: their results count.
        if game.live.is_none() {
            game.slots.remove(&player);
        }
    }
    if how.is_ours() {
        disconnect_peers_from(lobby, player, id);
    }
    let was_member = remove_member(lobby, id, player, how);
    let is_abandoned = |game: &Game| game.state == GameState::Initializing && game.host.id == player;
    if lobby.games.get(id).is_some_and(is_abandoned) {
        ending::end_unlaunched(lobby, id);
    }
    if !how.is_ours() {
        disconnect_peers_from(lobby, player, id);
    }
    lobby.games.mark(id);
    if was_member && !how.is_gone() {
        visibility::hide_from(lobby, player, id);
    }
    matches::player_left(lobby, id, player, how);
}

/// Removes a player from a game, which may end it; returns whether the player was in it.
fn remove_member(lobby: &mut Lobby, id: GameId, player: PlayerId, how: Leaving) -> bool {
    let (now, grace) = (lobby.now, lobby.settings.reconnect_grace_period);
    let Some(game) = lobby.games.get_mut(id) else { return false };
    let Some(place) = game.members.iter().position(|member| *member == player) else { return false };
    game.members.remove(place);
    game.launching.remove(&player);
    if game.state == GameState::Live
        && let Some(live) = &mut game.live
    {
        if live.is_played_by(player) {
            live.record_message(now.elapsed);
        }
        let plays_on = how.is_gone() && live.player(player).is_some() && live.is_played_by(player);
        if how == Leaving::Closed {
            live.done.insert(player);
        }
        if plays_on && !grace.is_zero() {
            live.awaited.insert(player, now.elapsed + grace);
            lobby.timers.set(now.elapsed + grace, Timer::Awaited(id));
        }
    }
    ending::check_end(lobby, id, Some(player));
    persistence::save_game(lobby, id, None);
    true
}

/// Asks all others in a lobby to drop a player, whether or not all of them are connected to
/// that player.
fn disconnect_peers_from(lobby: &mut Lobby, player: PlayerId, game: GameId) {
    let Some(game) = lobby.games.get(game).filter(|game| game.state == GameState::Lobby) else { return };
    let others = game.members.iter().filter(|member| **member != player);
    let peers = others.filter_map(|member| lobby.players.conn(*member)).collect();
    let command = ServerToGame::DisconnectFromPeer { player_id: player };
    lobby.send_several(peers, ServerMessage::Game(command.into()));
}

pub(crate) fn send_to_game(lobby: &mut Lobby, conn: ConnId, command: ServerToGame) {
    lobby.send(conn, ServerMessage::Game(command.into()));
}

/// Handles a game process that has not started in time.
pub(crate) fn game_connection_timed_out(lobby: &mut Lobby, conn: ConnId) {
    let Some(player) = lobby.session_if_open(conn).and_then(|session| session.player) else { return };
    let connection = lobby.players.get(player).and_then(|online| online.game.as_ref());
    // By now it may be another one, which has more time.
    let is_late = |connection: &GameConnection| {
        connection.state == ConnectionState::Initializing && connection.deadline <= lobby.now.elapsed
    };
    if connection.is_some_and(is_late) {
        leave_game(lobby, player, Leaving::Aborted);
    }
}

/// Handles a host's game process that has not started in time.
pub(crate) fn game_setup_timed_out(lobby: &mut Lobby, game: GameId) {
    if lobby.games.get(game).is_some_and(|game| game.state == GameState::Initializing) {
        ending::end_unlaunched(lobby, game);
    }
}

/// Handles players who have not returned in time.
pub(crate) fn stop_awaiting(lobby: &mut Lobby, id: GameId) {
    let now = lobby.now.elapsed;
    let Some(live) = lobby.games.get_mut(id).and_then(|game| game.live.as_mut()) else { return };
    let before = live.awaited.len();
    live.awaited.retain(|_, until| *until > now);
    if live.awaited.len() < before || before == 0 {
        ending::check_end(lobby, id, None);
        persistence::save_game(lobby, id, None);
    }
}

/// Resumes a game that was live when the lobby last ended, and waits for its players.
pub(crate) fn resume_game(lobby: &mut Lobby, mut game: Game) {
    let Some(live) = &mut game.live else { return };
    if game.state != GameState::Live {
        return;
    }
    let now = lobby.now;
    let until = now.elapsed + lobby.settings.restart_grace_period;
    // The game went on while the lobby did not.
    let base = live.last_heard.max(now.utc.since(live.launched_at));
    live.clock = GameClock::new(base, now.elapsed);
    // It was a time of the previous lobby's clock. Players who return set it again.
    live.overdue = None;
    // Older versions did not store which processes had begun, so all count as begun. A game of this
    // version names at least the host's process, which launched it.
    if live.begun.is_empty() {
        live.begun = live.players.iter().map(|player| player.id).collect();
    }
    let members = std::mem::take(&mut game.members);
    let awaited = members.into_iter().chain(live.awaited.keys().copied());
    let plays = |player: &PlayerId| live.players.iter().any(|candidate| candidate.id == *player);
    live.awaited = awaited.filter(plays).map(|player| (player, until)).collect();
    let due = if live.awaited.is_empty() { lobby.now.elapsed } else { until };
    lobby.timers.set(due, Timer::Awaited(game.id));
    lobby.games.insert(game);
}
