//! Parties: the rules of parties.md that differ from the original, bad input, and bounds.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use faf_lobby_core::{ConnId, Settings};
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

const ALL: &str = r#"["uef","aeon","cybran","seraphim"]"#;

/// A lobby in which everybody has been reported to everybody.
fn lobby<const N: usize>(logins: [&str; N]) -> (SimulatedLobby, [ConnId; N]) {
    let mut lobby = SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(logins));
    let online = logins.map(|login| lobby.log_in(login));
    tick(&mut lobby);
    online.iter().for_each(|conn| drop(lobby.receive(*conn)));
    (lobby, online)
}

/// Waits until changes have been reported.
fn tick(lobby: &mut SimulatedLobby) {
    lobby.advance(Duration::from_secs(1));
}

fn invite(lobby: &mut SimulatedLobby, sender: ConnId, recipient: u32) {
    lobby.send(sender, &format!(r#"{{"command":"invite_to_party","recipient_id":{recipient}}}"#));
}

fn accept(lobby: &mut SimulatedLobby, player: ConnId, sender: u32) {
    lobby.send(player, &format!(r#"{{"command":"accept_party_invite","sender_id":{sender}}}"#));
}

fn kick(lobby: &mut SimulatedLobby, sender: ConnId, kicked: u32) {
    lobby.send(sender, &format!(r#"{{"command":"kick_player_from_party","kicked_player_id":{kicked}}}"#));
}

fn error(text: &str) -> String {
    format!(r#"{{"command":"notice","style":"error","text":"{text}"}}"#)
}

fn party(owner: u32, members: &[u32]) -> String {
    let members: Vec<String> =
        members.iter().map(|player| format!(r#"{{"player":{player},"factions":{ALL}}}"#)).collect();
    format!(r#"{{"command":"update_party","owner":{owner},"members":[{}]}}"#, members.join(","))
}

/// Ada and Bob in a party of Ada's.
fn party_of_two() -> (SimulatedLobby, ConnId, ConnId) {
    let (mut lobby, [ada, bob]) = lobby(["Ada", "Bob"]);
    invite(&mut lobby, ada, 2);
    accept(&mut lobby, bob, 1);
    tick(&mut lobby);
    assert_eq!(lobby.receive(ada), [party(1, &[1, 2])]);
    lobby.receive(bob);
    (lobby, ada, bob)
}

#[test]
fn an_invitation_is_used_up_by_accepting_and_by_a_kick() {
    let (mut lobby, ada, bob) = party_of_two();
    kick(&mut lobby, ada, 2);
    assert_eq!(lobby.receive(bob), [r#"{"command":"kicked_from_party"}"#]);
    accept(&mut lobby, bob, 1);
    assert_eq!(lobby.receive(bob), [error("You are not invited to that party (anymore)")]);
    // One that came while Bob was a member, too.
    invite(&mut lobby, ada, 2);
    accept(&mut lobby, bob, 1);
    invite(&mut lobby, ada, 2);
    kick(&mut lobby, ada, 2);
    lobby.receive(bob);
    accept(&mut lobby, bob, 1);
    assert_eq!(lobby.receive(bob), [error("You are not invited to that party (anymore)")]);
    lobby.check();
}

#[test]
fn an_owner_who_kicks_himself_disbands_the_party() {
    let (mut lobby, ada, bob) = party_of_two();
    kick(&mut lobby, ada, 1);
    assert_eq!(lobby.receive(ada), [party(1, &[])]);
    assert_eq!(lobby.receive(bob), [party(1, &[])]);
    // Both are alone and can invite again.
    invite(&mut lobby, bob, 1);
    accept(&mut lobby, ada, 2);
    tick(&mut lobby);
    assert_eq!(lobby.receive(bob), [party(2, &[2, 1])]);
    lobby.check();
}

#[test]
fn only_the_owner_of_a_party_lets_players_in() {
    let (mut lobby, [ada, bob, cid]) = lobby(["Ada", "Bob", "Cid"]);
    invite(&mut lobby, ada, 2);
    invite(&mut lobby, ada, 3);
    accept(&mut lobby, bob, 1);
    lobby.receive(cid);
    accept(&mut lobby, cid, 2);
    assert_eq!(lobby.receive(cid), [error("You are not invited to that party (anymore)")]);
    accept(&mut lobby, cid, 1);
    tick(&mut lobby);
    assert_eq!(lobby.receive(cid), [party(1, &[1, 2, 3])]);
    lobby.check();
}

#[test]
fn an_invitation_to_oneself_is_ignored_and_the_own_party_is_not_joined_again() {
    let (mut lobby, ada, bob) = party_of_two();
    invite(&mut lobby, ada, 1);
    accept(&mut lobby, ada, 1);
    invite(&mut lobby, ada, 2);
    assert_eq!(lobby.receive(bob), [r#"{"command":"party_invite","sender":1}"#]);
    accept(&mut lobby, bob, 1);
    tick(&mut lobby);
    assert_eq!(lobby.receive(ada), [""; 0]);
    assert_eq!(lobby.receive(bob), [""; 0]);
}

#[test]
fn a_player_who_leaves_a_party_of_one_for_another_is_not_sent_its_end() {
    let (mut lobby, [ada, bob]) = lobby(["Ada", "Bob"]);
    lobby.send(bob, r#"{"command":"set_party_factions","factions":["aeon"]}"#);
    tick(&mut lobby);
    lobby.receive(bob);
    invite(&mut lobby, ada, 2);
    accept(&mut lobby, bob, 1);
    assert_eq!(lobby.receive(bob), [r#"{"command":"party_invite","sender":1}"#]);
    tick(&mut lobby);
    let expected = format!(
        r#"{{"command":"update_party","owner":1,"members":[{{"player":1,"factions":{ALL}}},{{"player":2,"factions":["aeon"]}}]}}"#
    );
    assert_eq!(lobby.receive(bob), [expected]);
}

/// Clients fail on a message about a player whom they have not been sent.
#[test]
fn the_inviting_player_is_reported_before_the_invitation() {
    let store = FakeStore::with_accounts(["Bob", "Ada"]);
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let bob = lobby.log_in("Bob");
    tick(&mut lobby);
    lobby.receive(bob);
    let ada = lobby.log_in("Ada");
    invite(&mut lobby, ada, 1);
    assert_eq!(lobby.receive_commands(bob), ["player_info", "party_invite"]);
    accept(&mut lobby, bob, 2);
    tick(&mut lobby);
    assert_eq!(lobby.receive_commands(bob), ["player_info", "update_party"]);
}

#[test]
fn a_party_has_a_largest_size() {
    let logins: Vec<String> = (1..=17).map(|number| format!("p{number}")).collect();
    let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
    let mut lobby = SimulatedLobby::new(Settings::default(), store);
    let online: Vec<ConnId> = logins.iter().map(|login| lobby.log_in(login)).collect();
    for (number, guest) in (2..).zip(&online[1..]) {
        invite(&mut lobby, online[0], number);
        lobby.receive(*guest);
        accept(&mut lobby, *guest, 1);
        let expected = if number == 17 { vec![error("That party is full.")] } else { Vec::new() };
        assert_eq!(lobby.receive(*guest), expected, "{number}");
    }
    lobby.check();
}

#[test]
fn too_many_invitations_are_refused_and_nothing_is_lost() {
    let (mut lobby, [ada, bob]) = lobby(["Ada", "Bob"]);
    for _ in 0..30 {
        invite(&mut lobby, ada, 2);
    }
    assert_eq!(lobby.receive(ada), [""; 0]);
    assert_eq!(lobby.receive(bob).len(), 30);
    invite(&mut lobby, ada, 2);
    let refused = "You have invited too many players in a short time. Please try again in a minute.";
    assert_eq!(lobby.receive(ada), [error(refused)]);
    assert_eq!(lobby.receive(bob), [""; 0]);
    accept(&mut lobby, bob, 1);
    tick(&mut lobby);
    assert_eq!(lobby.receive(bob), [party(1, &[1, 2])]);
}

#[test]
fn commands_that_cannot_be_read_are_refused_and_the_connection_stays() {
    let (mut lobby, [ada, bob]) = lobby(["Ada", "Bob"]);
    for (command, members) in [
        ("invite_to_party", ""),
        ("invite_to_party", r#","recipient_id":null"#),
        ("invite_to_party", r#","recipient_id":[2]"#),
        ("invite_to_party", r#","recipient_id":2.5"#),
        ("accept_party_invite", r#","sender_id":"Bob""#),
        ("kick_player_from_party", r#","kicked_player_id":{}"#),
        ("set_party_factions", ""),
        ("set_party_factions", r#","factions":null"#),
        ("set_party_factions", r#","factions":"uef""#),
        ("set_party_factions", r#","factions":["uef","borg"]"#),
        ("set_party_factions", r#","factions":[0]"#),
    ] {
        lobby.send(ada, &format!(r#"{{"command":"{command}"{members}}}"#));
        let answers = lobby.receive(ada);
        let expected = format!(
            r#"{{"command":"notice","style":"error","text":"Your client has sent \"{command}\" in a form"#
        );
        assert!(answers.len() == 1 && answers[0].starts_with(&expected), "{members}: {answers:?}");
    }
    // A value of any length is not repeated in full.
    let long = "x".repeat(100_000);
    lobby.send(ada, &format!(r#"{{"command":"set_party_factions","factions":"{long}"}}"#));
    let refused = lobby.receive(ada);
    assert!(refused.len() == 1 && refused[0].len() < 1000, "{} bytes", refused[0].len());
    // Numbers that no player can have are players who are not there.
    for id in ["0", "-5", "3000000000", "1e300", r#""99999999999999999999""#, "2.0", r#""2""#] {
        lobby.send(ada, &format!(r#"{{"command":"invite_to_party","recipient_id":{id}}}"#));
    }
    assert_eq!(lobby.receive(ada), vec![error("The invited player doesn't exist"); 5]);
    assert_eq!(lobby.receive(bob), vec![r#"{"command":"party_invite","sender":1}"#; 2]);
    assert!(lobby.is_open(ada));
    lobby.check();
}

#[test]
fn factions_are_chosen_in_all_forms_and_reported_in_order() {
    let (mut lobby, [ada]) = lobby(["Ada"]);
    for (chosen, reported) in [
        (r#"["aeon","cybran","uef","seraphim"]"#, r#""uef","aeon","cybran","seraphim""#),
        (r#"["UEF"]"#, r#""uef""#),
        (r#"[3,2,3]"#, r#""aeon","cybran""#),
        (r#"[5.0,"Nomad"]"#, r#""nomad""#),
    ] {
        lobby.send(ada, &format!(r#"{{"command":"set_party_factions","factions":{chosen}}}"#));
        assert_eq!(lobby.receive(ada), [""; 0]);
        tick(&mut lobby);
        let expected = format!(
            r#"{{"command":"update_party","owner":1,"members":[{{"player":1,"factions":[{reported}]}}]}}"#
        );
        assert_eq!(lobby.receive(ada), [expected]);
    }
}

#[test]
fn a_busy_player_changes_no_party_whatever_else_is_wrong() {
    let (mut lobby, ada, bob) = party_of_two();
    lobby.send(ada, r#"{"command":"game_host","visibility":"public"}"#);
    lobby.receive(ada);
    for (command, wish) in [
        (r#"{"command":"invite_to_party","recipient_id":2}"#, "invite a player"),
        (r#"{"command":"invite_to_party"}"#, "invite a player"),
        (r#"{"command":"accept_party_invite","sender_id":2}"#, "join a party"),
        (r#"{"command":"kick_player_from_party","kicked_player_id":2}"#, "kick a player"),
    ] {
        lobby.send(ada, command);
        assert_eq!(lobby.receive(ada), [error(&format!("Can't {wish} while in state STARTING_GAME"))]);
    }
    // Leaving, and choosing factions, are allowed at any time.
    lobby.send(ada, r#"{"command":"set_party_factions","factions":[1,2,3,4]}"#);
    lobby.send(ada, r#"{"command":"leave_party"}"#);
    assert_eq!(lobby.receive(ada), [party(1, &[])]);
    assert_eq!(lobby.receive(bob), [party(1, &[])]);
    lobby.check();
}

/// The party belongs to the connection: a new login starts alone, and old invitations are void.
#[test]
fn a_login_elsewhere_ends_the_party_of_the_old_connection() {
    let (mut lobby, _, bob) = party_of_two();
    let ada = lobby.log_in("Ada");
    assert_eq!(lobby.receive(bob), [party(1, &[])]);
    accept(&mut lobby, bob, 1);
    assert_eq!(lobby.receive(bob), [error("You are not invited to that party (anymore)")]);
    tick(&mut lobby);
    lobby.send(ada, r#"{"command":"leave_party"}"#);
    assert!(lobby.receive(ada).contains(&error("You are not in a party.")));
    lobby.check();
}
