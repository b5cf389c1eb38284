//! `GameState`: the state of a game process (games.md sections 7 and 8).

use faf_protocol::gpgnet::{GameState as ProcessState, ServerToGame};

use crate::game_commands::map_lookup::MapLookup;
use crate::game_commands::sender::Sender;
use crate::games::{Leaving, joining, persistence};
use crate::io::{FindMap, LogLine};
use crate::matches;
use crate::state::{Activity, ConnectionState, GameState, Lobby, Progress};

pub(crate) fn handle(lobby: &mut Lobby, sender: Sender, state: &ProcessState) -> Progress {
    match state {
        ProcessState::Idle => idle(lobby, sender),
        ProcessState::Lobby => ready(lobby, sender),
        ProcessState::Launching => return launching(lobby, sender),
        ProcessState::Ended => {
            joining::leave_game(lobby, sender.player, Leaving::Closed);
            return persistence::wait_for_storage(lobby, sender.game, sender.conn);
        }
        ProcessState::Other(_) => lobby.games.mark(sender.game),
    }
    Progress::Done
}

/// Handles `Idle`: the process has started. A repetition is ignored.
fn idle(lobby: &mut Lobby, sender: Sender) {
    if sender.state != ConnectionState::Initializing {
        return;
    }
    let is_draining = lobby.is_draining();
    let Some(game) = lobby.games.get_mut(sender.game) else { return };
    let (state, activity) = if game.host.id == sender.player {
        // The game may have timed out or ended before.
        if game.state != GameState::Initializing || is_draining {
            return;
        }
        game.state = GameState::Lobby;
        game.add_member(sender.player);
        (ConnectionState::Connected, Activity::Hosting)
    } else {
        (ConnectionState::Initialized, Activity::Joining)
    };
    set(lobby, sender, state, activity);
}

/// Handles `Lobby`: the process is ready to host, or to connect to others.
fn ready(lobby: &mut Lobby, sender: Sender) {
    lobby.games.mark(sender.game);
    match sender.activity {
        Activity::Hosting => host(lobby, sender),
        Activity::Joining if sender.state == ConnectionState::Initialized => join(lobby, sender),
        _ => {}
    }
}

fn host(lobby: &mut Lobby, sender: Sender) {
    let now = lobby.now.utc;
    let Some(game) = sender.hosted_lobby(lobby).filter(|game| game.hosted_at.is_none()) else { return };
    // The game is reported as open from now on.
    game.hosted_at = Some(now);
    let map = game.map.folder.clone();
    lobby.log(LogLine::GameOpened { game: sender.game });
    joining::send_to_game(lobby, sender.conn, ServerToGame::HostGame { map });
    matches::host_is_ready(lobby, sender.game);
}

fn join(lobby: &mut Lobby, sender: Sender) {
    let game = lobby.games.get(sender.game).filter(|game| game.state == GameState::Lobby);
    let host = game.and_then(|game| lobby.players.get(game.host.id)).filter(|host| {
        host.activity == Activity::Hosting
            && host.game.as_ref().is_some_and(|connection| connection.game == sender.game)
    });
    // Since the request was granted, the game may have been hidden from the player, or may have
    // been filled by others.
    let joiner = lobby
        .players
        .get(sender.player)
        .filter(|joiner| game.is_some_and(|game| game.is_visible_to(joiner) && !game.is_full()));
    let (Some(game), Some(host), Some(joiner)) = (game, host, joiner) else {
        return joining::leave_game(lobby, sender.player, Leaving::Aborted);
    };
    let (host_conn, host_id, host_login) = (host.conn, host.info.id, host.info.login.clone());
    let joiner_login = joiner.info.login.clone();
    let others = game.members.iter().filter(|member| ![host_id, sender.player].contains(member));
    let others: Vec<_> = others.filter_map(|member| lobby.players.get(*member)).collect();
    let peers: Vec<_> =
        others.iter().map(|peer| (peer.conn, peer.info.id, peer.info.login.clone())).collect();
    let connect = |login: &str, player_id, offer| ServerToGame::ConnectToPeer {
        login: login.to_owned(),
        player_id,
        offer,
    };

    // The joiner's adapter begins its session with this member's adapter.
    joining::send_to_game(
        lobby,
        sender.conn,
        ServerToGame::JoinGame { login: host_login, player_id: host_id },
    );
    joining::send_to_game(lobby, host_conn, connect(&joiner_login, sender.player, true));
    for (conn, id, login) in &peers {
        joining::send_to_game(lobby, sender.conn, connect(login, *id, true));
        joining::send_to_game(lobby, *conn, connect(&joiner_login, sender.player, false));
    }
    if let Some(game) = lobby.games.get_mut(sender.game) {
        game.add_member(sender.player);
    }
    set(lobby, sender, ConnectionState::Connected, Activity::Joining);
}

/// Handles `Launching`: the simulation begins. Only the host's message launches the game; that of
/// another player shows that the simulation begins there, too.
fn launching(lobby: &mut Lobby, sender: Sender) -> Progress {
    lobby.games.mark(sender.game);
    let Some(game) = lobby.games.get_mut(sender.game) else { return Progress::Done };
    if sender.state == ConnectionState::Connected && game.state == GameState::Lobby {
        game.launching.insert(sender.player);
    }
    if let Some(live) = sender.played_game(lobby)
        && sender.state == ConnectionState::Connected
        && live.begun.insert(sender.player)
    {
        return persistence::save_game(lobby, sender.game, Some(sender.conn));
    }
    let Some(game) = sender.hosted_lobby(lobby) else { return Progress::Done };
    let folder = game.map.folder.clone();
    if !matches::may_launch(lobby, sender.game) {
        return Progress::Done;
    }
    // The vault may have changed since the map was chosen.
    sender.request(lobby, FindMap { folder }, MapLookup::Launch)
}

fn set(lobby: &mut Lobby, sender: Sender, state: ConnectionState, activity: Activity) {
    if let Some(online) = lobby.players.get_mut(sender.player) {
        online.activity = activity;
        if let Some(connection) = &mut online.game {
            connection.state = state;
        }
    }
}
