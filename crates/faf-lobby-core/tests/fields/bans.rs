//! A banned player cannot play a game, even if the ban came after the login.

use faf_lobby_core::{Ban, ConnId};
use faf_testkit::lobby::SimulatedLobby;

use crate::support::{SECOND, host, host_with, join, lobby, state};

/// Bans Bob, who is online, for the next minute.
fn ban_bob(lobby: &mut SimulatedLobby) {
    let expires_at = lobby.moment().utc.after(SECOND * 60);
    lobby.store.account("Bob").bans = vec![Ban { reason: "spam".to_owned(), expires_at }];
}

fn check_rejected(lobby: &mut SimulatedLobby, conn: ConnId) {
    let received = lobby.receive(conn).join("\n");
    assert!(received.contains("You are banned") && received.contains("spam"), "{received}");
    assert!(!received.contains("game_launch"), "{received}");
}

#[test]
fn a_banned_player_cannot_host() {
    let mut lobby = lobby();
    let bob = lobby.log_in("Bob");
    ban_bob(&mut lobby);
    host_with(&mut lobby, bob, "");
    check_rejected(&mut lobby, bob);
    assert_eq!(state(&lobby), None);
}

#[test]
fn a_banned_player_cannot_join() {
    let mut lobby = lobby();
    let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
    host(&mut lobby, ada, "");
    ban_bob(&mut lobby);
    lobby.receive(bob);
    join(&mut lobby, bob, 1);
    check_rejected(&mut lobby, bob);
}

#[test]
fn an_expired_ban_has_no_effect() {
    let mut lobby = lobby();
    let bob = lobby.log_in("Bob");
    ban_bob(&mut lobby);
    lobby.advance(SECOND * 60);
    lobby.receive(bob);
    host_with(&mut lobby, bob, "");
    assert!(lobby.receive_commands(bob).contains(&"game_launch".to_owned()));
}
