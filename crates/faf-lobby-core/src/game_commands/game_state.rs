//! `GameState`: how far a game process has come (games.md sections 7 and 8).

use faf_protocol::gpgnet::{GameState as ProcessState, ServerToGame};

use crate::commands::Progress;
use crate::effect::LogLine;
use crate::game_commands::Sender;
use crate::game_commands::map_lookup::MapLookup;
use crate::games::{GameState, Leaving};
use crate::io::request::{FindMap, ReplyTo};
use crate::players::{Activity, ConnectionState};
use crate::world::World;

pub(crate) fn handle(world: &mut World, sender: Sender, state: &ProcessState) -> Progress {
    match state {
        ProcessState::Idle => idle(world, sender),
        ProcessState::Lobby => lobby(world, sender),
        ProcessState::Launching => return launching(world, sender),
        ProcessState::Ended => {
            world.leave_game(sender.player, Leaving::Closed);
            return world.wait_for_storage(sender.game, sender.conn);
        }
        ProcessState::Other(_) => world.games.mark(sender.game),
    }
    Progress::Done
}

/// The process has started. Said again, it means nothing.
fn idle(world: &mut World, sender: Sender) {
    if sender.state != ConnectionState::Initializing {
        return;
    }
    let is_draining = world.is_draining();
    let Some(game) = world.games.get_mut(sender.game) else { return };
    let (state, activity) = if game.host.id == sender.player {
        // The game may have timed out, or ended, before.
        if game.state != GameState::Initializing || is_draining {
            return;
        }
        game.state = GameState::Lobby;
        game.add_member(sender.player);
        (ConnectionState::Connected, Activity::Hosting)
    } else {
        (ConnectionState::Initialized, Activity::Joining)
    };
    set(world, sender, state, activity);
}

/// The process is ready to host, or to be told whom to connect to.
fn lobby(world: &mut World, sender: Sender) {
    world.games.mark(sender.game);
    match sender.activity {
        Activity::Hosting => host(world, sender),
        Activity::Joining if sender.state == ConnectionState::Initialized => join(world, sender),
        _ => {}
    }
}

fn host(world: &mut World, sender: Sender) {
    let now = world.now.utc;
    let Some(game) = world.hosted_lobby(sender).filter(|game| game.hosted_at.is_none()) else { return };
    // From now on others are told that it is open.
    game.hosted_at = Some(now);
    let map = game.map.folder.clone();
    world.log(LogLine::GameOpened { game: sender.game });
    world.send_to_game(sender.conn, ServerToGame::HostGame { map });
}

fn join(world: &mut World, sender: Sender) {
    let game = world.games.get(sender.game).filter(|game| game.state == GameState::Lobby);
    let host = game.and_then(|game| world.players.get(game.host.id)).filter(|host| {
        host.activity == Activity::Hosting
            && host.game.as_ref().is_some_and(|connection| connection.game == sender.game)
    });
    // Since the request was granted, the game may have been hidden from the player, and others may
    // have been faster.
    let joiner = world
        .players
        .get(sender.player)
        .filter(|joiner| game.is_some_and(|game| game.is_visible_to(joiner) && !game.is_full()));
    let (Some(game), Some(host), Some(joiner)) = (game, host, joiner) else {
        return world.leave_game(sender.player, Leaving::Aborted);
    };
    let (host_conn, host_id, host_login) = (host.conn, host.info.id, host.info.login.clone());
    let joiner_login = joiner.info.login.clone();
    let others = game.members.iter().filter(|member| ![host_id, sender.player].contains(member));
    let others: Vec<_> = others.filter_map(|member| world.players.get(*member)).collect();
    let peers: Vec<_> =
        others.iter().map(|peer| (peer.conn, peer.info.id, peer.info.login.clone())).collect();
    let connect = |login: &str, player_id, offer| ServerToGame::ConnectToPeer {
        login: login.to_owned(),
        player_id,
        offer,
    };

    // The adapter of the joiner begins its session with this one.
    world.send_to_game(sender.conn, ServerToGame::JoinGame { login: host_login, player_id: host_id });
    world.send_to_game(host_conn, connect(&joiner_login, sender.player, true));
    for (conn, id, login) in &peers {
        world.send_to_game(sender.conn, connect(login, *id, true));
        world.send_to_game(*conn, connect(&joiner_login, sender.player, false));
    }
    if let Some(game) = world.games.get_mut(sender.game) {
        game.add_member(sender.player);
    }
    set(world, sender, ConnectionState::Connected, Activity::Joining);
}

/// The simulation begins. Only the host's word launches the game; that of another player is the
/// sign that it does over there, too.
fn launching(world: &mut World, sender: Sender) -> Progress {
    world.games.mark(sender.game);
    let Some(game) = world.games.get_mut(sender.game) else { return Progress::Done };
    if sender.state == ConnectionState::Connected && game.state == GameState::Lobby {
        game.launching.insert(sender.player);
    }
    if let Some(live) = world.played_game(sender)
        && sender.state == ConnectionState::Connected
        && live.begun.insert(sender.player)
    {
        return world.save_game(sender.game, Some(sender.conn));
    }
    let Some(game) = world.hosted_lobby(sender) else { return Progress::Done };
    // The vault may have changed since the map was chosen.
    let request = FindMap { folder: game.map.folder.clone() };
    world.request_for_game(sender, request, MapLookup::Launch)
}

pub(super) fn launch_map_found(world: &mut World, sender: Sender, reply: ReplyTo<FindMap>) -> Progress {
    if world.hosted_lobby(sender).is_none() {
        return Progress::Done;
    }
    // If the database is away, what was known before has to do.
    world.launch(sender.game, reply.ok(), sender.conn)
}

fn set(world: &mut World, sender: Sender, state: ConnectionState, activity: Activity) {
    if let Some(online) = world.players.get_mut(sender.player) {
        online.activity = activity;
        if let Some(connection) = &mut online.game {
            connection.state = state;
        }
    }
}
