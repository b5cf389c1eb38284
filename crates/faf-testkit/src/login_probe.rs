//! Logs a player in on a copy of the lobby, and checks that the login receives a true picture of
//! the lobby.
//!
//! The lobby caches the snapshots for logins. They are compared here to the current state, and to
//! the snapshots of a lobby that was serialised and deserialised and therefore has no cache.

use std::collections::BTreeMap;
use std::time::Duration;

use faf_lobby_core::{Account, Audience, ConnId, Effect, Event, Moment, Profile, Request, World};
use faf_protocol::server_message::{GameInfo, Player};
use faf_protocol::{ClientMessage, Country, Encode, GameId, PlayerId, ServerMessage, SessionNumber};

/// Number that no other connection has.
const CONN: ConnId = ConnId(u64::MAX);

/// Maximum size of a list as JSON, in bytes.
const LIST_LIMIT: usize = 512 * 1024;

/// Logs a player in on a copy of the lobby, and checks the messages that the client receives.
///
/// # Panics
/// If a message is wrong.
pub fn probe_login(world: &World, now: Moment, player: PlayerId) {
    let written = serde_json::to_string(world).expect("a world can be written");
    let restored: World = serde_json::from_str(&written).expect("a world can be read");
    let (copy, effects) = log_in(world.clone(), now, player);
    let (_, others) = log_in(restored, now, player);
    assert_eq!(effects, others, "a restored lobby has other effects");
    let mut received = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to: Audience::One(CONN), message }
        | Effect::SendSnapshot { conn: CONN, message, .. } => Some(message),
        _ => None,
    });
    if !effects.contains(&Effect::LoggedIn { conn: CONN }) {
        // The lobby has stopped.
        return;
    }
    let (mut players, mut games, mut lists) = (Vec::new(), Vec::new(), 0);
    assert!(received.any(|message| matches!(message, ServerMessage::Welcome(_))), "no welcome was sent");
    for message in received {
        let mut json = Vec::new();
        message.write_json(&mut json).expect("messages of the lobby can be encoded");
        assert!(json.len() < LIST_LIMIT, "a message has {} bytes", json.len());
        match message {
            ServerMessage::PlayerInfo(list) => players.extend(list.players.iter().map(|player| &**player)),
            ServerMessage::GameList(list) => {
                lists += 1;
                games.extend(list.games.iter().map(|game| &**game));
            }
            _ => {}
        }
    }
    let all = copy.players();
    let known: BTreeMap<PlayerId, &Player> = players.iter().map(|player| (player.id, *player)).collect();
    assert!(known.values().copied().eq(all.iter().map(|player| &**player)), "{known:?}, and not {all:?}");
    assert_eq!(known.len(), players.len(), "a player is sent twice");
    assert!(lists > 0, "there is no list of games");
    let known: BTreeMap<GameId, &GameInfo> = games.iter().map(|game| (game.uid, *game)).collect();
    assert_eq!(known.len(), games.len(), "a game is sent twice");
    for (id, game) in known {
        assert_eq!(copy.game_info(id).as_deref(), Some(game), "a game differs");
    }
}

/// Returns the lobby after the login, and all effects.
fn log_in(mut world: World, now: Moment, player: PlayerId) -> (World, Vec<Effect>) {
    let mut effects = Vec::new();
    let mut tell = |world: &mut World, now, event: Option<Event>| {
        match event {
            Some(event) => world.handle(now, event),
            None => world.handle_timeout(now),
        }
        let first = effects.len();
        while let Some(effect) = world.poll_effect() {
            effects.push(effect);
        }
        effects[first..].iter().find_map(|effect| match effect {
            Effect::Request { conn: Some(CONN), request } => Some(request.clone()),
            _ => None,
        })
    };
    let event =
        Event::Connected { conn: CONN, address: None, country: Country::UNKNOWN, session: SessionNumber(0) };
    tell(&mut world, now, Some(event));
    let request = serde_json::json!({"command": "auth", "token": "t", "unique_id": ""}).to_string();
    let message = ClientMessage::read(request.parse().expect("it is JSON"));
    let mut asked = tell(&mut world, now, Some(Event::Received { conn: CONN, message }));
    let mut now = now;
    // Queued logins come first.
    for _ in 0..100 {
        let Some(request) = asked else {
            now.elapsed += Duration::from_millis(10);
            asked = tell(&mut world, now, None);
            continue;
        };
        let is_last = matches!(request, Request::SignIn(..));
        let reply = match request {
            Request::CheckToken(ticket, _) => {
                ticket.reply(Ok(Ok(Some(Account { id: player, login: format!("{player}"), ban: None }))))
            }
            Request::SignIn(ticket, _) => ticket.reply(Ok(Box::new(profile()))),
            other => other.unavailable(),
        };
        asked = tell(&mut world, now, Some(Event::Replied { reply }));
        if is_last && asked.is_none() {
            break;
        }
    }
    // A lobby that was read from a file numbers its snapshots from the beginning.
    for effect in &mut effects {
        if let Effect::SendSnapshot { id: Some(id), .. } = effect {
            (id.chunk, id.version) = (0, 0);
        }
    }
    (world, effects)
}

fn profile() -> Profile {
    let (ratings, groups) = (Vec::new(), Vec::new());
    Profile { avatar: None, clan: None, ratings, groups, friends: Vec::new(), foes: Vec::new(), ban: None }
}
