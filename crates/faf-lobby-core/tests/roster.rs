//! The lists of online players that a player receives at login.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::{ConnId, Settings};
use faf_protocol::PlayerId;
use faf_protocol::server_message::{Avatar, PlayerList, ServerMessage};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::login_probe::probe_login;
use faf_testkit::store::FakeStore;

const PLAYERS: u32 = 300;

/// All players but the last are online and have received the lists of all others.
fn crowd() -> (SimulatedLobby, Vec<ConnId>) {
    let logins: Vec<String> = (1..=PLAYERS).map(|number| format!("player{number:03}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings { login_rate: 1_000_000, ..Settings::default() }, store);
    let conns = logins[..logins.len() - 1].iter().map(|login| lobby.log_in(login)).collect();
    lobby.advance(Duration::from_secs(1));
    (lobby, conns)
}

fn lists(messages: Vec<ServerMessage>) -> Vec<Arc<PlayerList>> {
    let lists = messages.into_iter().filter_map(|message| match message {
        ServerMessage::PlayerInfo(list) => Some(list),
        _ => None,
    });
    lists.collect()
}

/// The last player logs in, receives the lists and disconnects.
fn snapshot_of_last_player(lobby: &mut SimulatedLobby) -> Vec<Arc<PlayerList>> {
    let conn = lobby.connect();
    lobby.send_hello(conn, &format!("player{PLAYERS:03}"));
    let received = lists(lobby.receive_messages(conn));
    lobby.disconnect(conn);
    received
}

fn ids(lists: &[Arc<PlayerList>]) -> BTreeSet<PlayerId> {
    lists.iter().flat_map(|list| &list.players).map(|player| player.id).collect()
}

#[test]
fn logins_share_all_lists_but_a_few() {
    let (mut lobby, conns) = crowd();
    let first = snapshot_of_last_player(&mut lobby);
    assert_eq!(ids(&first).len(), PLAYERS as usize);
    let shared = |one: &[Arc<PlayerList>], other: &[Arc<PlayerList>]| {
        one.iter().filter(|list| other.iter().any(|other| Arc::ptr_eq(list, other))).count()
    };
    let second = snapshot_of_last_player(&mut lobby);
    assert!(shared(&first, &second) >= first.len() - 1, "{} of {}", shared(&first, &second), first.len());
    // One player leaves, and one changes.
    lobby.disconnect(conns[5]);
    let avatar = Avatar { url: "https://example.org/a.png".to_owned(), tooltip: "a".to_owned() };
    lobby.store.account("player200").avatars = vec![avatar.clone()];
    lobby.send(conns[199], r#"{"command":"avatar","action":"select","avatar":"https://example.org/a.png"}"#);
    let third = snapshot_of_last_player(&mut lobby);
    assert!(shared(&second, &third) >= first.len() - 3, "{} of {}", shared(&second, &third), first.len());
    assert_eq!(ids(&third).len(), PLAYERS as usize - 1);
    let known = third.iter().flat_map(|list| &list.players).find(|player| player.id == PlayerId(200));
    assert_eq!(known.unwrap().avatar.as_deref(), Some(&avatar));
    probe_login(&lobby.world, lobby.moment(), PlayerId(PLAYERS));
}

#[test]
fn no_list_of_changes_is_too_long_for_clients() {
    let (mut lobby, conns) = crowd();
    let text = "ä".repeat(1000);
    for number in 1..PLAYERS {
        let avatar = Avatar { url: text.clone(), tooltip: text.clone() };
        lobby.store.account(&format!("player{number:03}")).avatars = vec![avatar];
    }
    let watcher = conns[0];
    lobby.receive_messages(watcher);
    for conn in &conns {
        lobby.send(*conn, &format!(r#"{{"command":"avatar","action":"select","avatar":"{text}"}}"#));
    }
    lobby.advance(Duration::from_secs(1));
    let received = lobby.receive(watcher);
    assert!(received.len() > 5, "{} lists", received.len());
    assert!(received.iter().all(|text| text.len() < 512 * 1024));
    probe_login(&lobby.world, lobby.moment(), PlayerId(PLAYERS));
    // The lists reach their limit in bytes long before that in players.
    assert!(snapshot_of_last_player(&mut lobby).len() > 5);
}

#[test]
fn a_short_report_is_one_message() {
    let (mut lobby, conns) = crowd();
    lobby.advance(Duration::from_secs(1));
    lobby.receive_messages(conns[0]);
    conns[100..280].iter().for_each(|conn| lobby.disconnect(*conn));
    lobby.advance(Duration::from_secs(1));
    let received = lists(lobby.receive_messages(conns[0]));
    assert_eq!((received.len(), received[0].players.len()), (1, 180));
}

#[test]
fn a_url_longer_than_any_avatars_is_not_looked_up() {
    let (mut lobby, conns) = crowd();
    lobby.holds_replies = true;
    let url = "x".repeat(10_000);
    lobby.send(conns[0], &format!(r#"{{"command":"avatar","action":"select","avatar":"{url}"}}"#));
    assert!(!lobby.reply_next());
    lobby.send(conns[0], r#"{"command":"avatar","action":"select","avatar":"moon"}"#);
    assert!(lobby.reply_next());
}
