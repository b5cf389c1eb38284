//! The lists of games sent at login, which are kept ready and shared by all logins.

use std::sync::Arc;

use faf_lobby_core::{ConnId, Settings};
use faf_protocol::server_message::{GameInfoState, GameList, ServerMessage};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::login_probe::probe_login;
use faf_testkit::store::FakeStore;

use crate::support::{SECOND, enter, game, host, live_game, lobby, seat};

/// The lists of games that a player receives at login.
fn lists(lobby: &mut SimulatedLobby, login: &str) -> Vec<Arc<GameList>> {
    let conn = lobby.connect();
    lobby.send_hello(conn, login);
    let games = lobby.receive_messages(conn).into_iter().filter_map(|message| match message {
        ServerMessage::GameList(list) => Some(list),
        _ => None,
    });
    let games = games.collect();
    lobby.disconnect(conn);
    games
}

fn ids(lists: &[Arc<GameList>]) -> Vec<u32> {
    lists.iter().flat_map(|list| &list.games).map(|info| info.uid.0).collect()
}

#[test]
fn logins_share_the_list_of_public_games() {
    let mut lobby = lobby();
    assert_eq!(ids(&lists(&mut lobby, "Dan")), [0; 0]);
    assert_eq!(lists(&mut lobby, "Dan").len(), 1, "there is a list, and it is empty");
    lobby.store.account("Ada").foes = [faf_protocol::PlayerId(5)].into();
    let (ada, bob, cem) = (lobby.log_in("Ada"), lobby.log_in("Bob"), lobby.log_in("Cem"));
    host(&mut lobby, ada, "");
    host(&mut lobby, bob, "");
    host(&mut lobby, cem, r#","rating_min":100,"enforce_rating_range":true"#);
    let first = lists(&mut lobby, "Dan");
    assert_eq!(ids(&first), [1, 2]);
    let second = lists(&mut lobby, "Dan");
    assert!(Arc::ptr_eq(&first[0], &second[0]));
    // A foe of one host sees the games of the others.
    assert_eq!(ids(&lists(&mut lobby, "Eve")), [2]);
    // A change of an option that is not sent keeps the list.
    game(&mut lobby, ada, "GameOption", r#"["FogOfWar","none"]"#);
    assert!(Arc::ptr_eq(&first[0], &lists(&mut lobby, "Dan")[0]));
    game(&mut lobby, ada, "GameOption", r#"["Slots","3"]"#);
    let changed = lists(&mut lobby, "Dan");
    assert_eq!((changed[0].games[0].max_players, first[0].games[0].max_players), (3, 12));
    assert!(Arc::ptr_eq(&changed[0].games[1], &first[0].games[1]));
    lobby.disconnect(ada);
    assert_eq!(ids(&lists(&mut lobby, "Eve")), [2]);
}

#[test]
fn a_new_login_receives_the_end_of_a_listed_game() {
    let mut lobby = lobby();
    let ada = lobby.log_in("Ada");
    lobby.advance(2 * SECOND);
    host(&mut lobby, ada, "");
    let bob = lobby.log_in("Bob");
    // All of this happens between two reports.
    lobby.disconnect(ada);
    lobby.advance(2 * SECOND);
    let received = lobby.receive_messages(bob).into_iter().filter_map(|message| match message {
        ServerMessage::GameInfo(game) => Some(game.state),
        _ => None,
    });
    assert_eq!(received.collect::<Vec<_>>(), [GameInfoState::Closed]);
}

#[test]
fn names_of_players_depend_on_who_is_online() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 2);
    let names = |lobby: &mut SimulatedLobby| lists(lobby, "Dan")[0].games[0].teams.0[&2].clone();
    assert_eq!(names(&mut lobby), ["Ada", "Bob"]);
    lobby.disconnect(bob);
    assert_eq!(names(&mut lobby), ["Ada"]);
    let bob = lobby.log_in("Bob");
    lobby.send(bob, r#"{"command":"restore_game_session","game_id":1}"#);
    assert_eq!(names(&mut lobby), ["Ada", "Bob"]);
}

#[test]
fn a_launch_is_listed_when_it_is_stored() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    enter(&mut lobby, bob, 1);
    seat(&mut lobby, ada, 1, 1, 2);
    seat(&mut lobby, ada, 2, 2, 3);
    lobby.holds_replies = true;
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    lobby.reply_next();
    let stored = lobby.perform_next();
    lobby.holds_replies = false;
    assert_eq!(ids(&lists(&mut lobby, "Dan")), [0; 0]);
    lobby.reply(stored);
    assert_eq!(ids(&lists(&mut lobby, "Dan")), [1]);

    // An unavailable database delays the report for one attempt only.
    let mut lobby = crate::support::lobby();
    lobby.store.is_unavailable = false;
    let (ada, _) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    lobby.holds_replies = true;
    game(&mut lobby, ada, "GameState", r#"["Launching"]"#);
    lobby.reply_next();
    let launch = lobby.take_next();
    lobby.holds_replies = false;
    assert_eq!(ids(&lists(&mut lobby, "Dan")), [0; 0]);
    lobby.reply(launch.unavailable());
    assert_eq!(ids(&lists(&mut lobby, "Dan")), [1]);
}

#[test]
fn many_games_come_in_many_lists() {
    let logins: Vec<String> = (1..=300).map(|number| format!("player{number:03}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings { login_rate: 1_000_000, ..Settings::default() }, store);
    let conns: Vec<ConnId> = logins[1..].iter().map(|login| lobby.log_in(login)).collect();
    for conn in &conns {
        host(&mut lobby, *conn, "");
    }
    let before = lists(&mut lobby, "player001");
    assert_eq!(ids(&before), (1..=299).collect::<Vec<u32>>());
    assert!(before.len() > 3, "{} lists", before.len());
    game(&mut lobby, conns[100], "GameOption", r#"["Slots","3"]"#);
    let after = lists(&mut lobby, "player001");
    let altered = before.iter().zip(&after).filter(|(before, after)| !Arc::ptr_eq(before, after));
    assert_eq!((altered.count(), after.len()), (1, before.len()));
    probe_login(&lobby.world, lobby.moment(), faf_protocol::PlayerId(1));
    conns.iter().for_each(|conn| lobby.disconnect(*conn));
    assert_eq!(ids(&lists(&mut lobby, "player001")), [0; 0]);
}

#[test]
fn a_lobby_survives_serialisation() {
    let mut lobby = lobby();
    let (ada, _) = live_game(&mut lobby);
    lobby.advance(SECOND);
    lists(&mut lobby, "Dan");
    game(&mut lobby, ada, "GameResult", r#"[1,"victory 10"]"#);
    for player in 1..=5 {
        probe_login(&lobby.world, lobby.moment(), faf_protocol::PlayerId(player));
    }
}
