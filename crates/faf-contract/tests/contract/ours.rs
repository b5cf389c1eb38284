//! The messages of our own lobby keep to the contract, and come at the right time: it is sent all
//! that the clients of the golden sessions send.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_contract::{Checker, Conversation, Direction};
use faf_lobby_core::{ConnId, Settings};
use faf_protocol::Message;
use faf_testkit::golden;
use faf_testkit::lobby::SimulatedLobby;
use faf_testkit::store::FakeStore;

use crate::recorded;

struct Client {
    conn: ConnId,
    conversation: Conversation,
}

#[test]
fn our_lobby_keeps_to_the_contract() {
    let checker = Checker::new();
    let mut sessions: BTreeMap<String, Vec<(String, Message)>> = BTreeMap::new();
    let mut logins = BTreeSet::new();
    for exchange in recorded::all() {
        if exchange.direction == Direction::ToServer {
            logins.extend(login_of(&exchange.message));
            let (session, conn) = exchange.conn;
            sessions.entry(session).or_default().push((conn, exchange.message));
        }
    }
    let mut sent = BTreeSet::new();
    for (session, messages) in sessions {
        let store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        let mut lobby = SimulatedLobby::new(Settings::default(), store);
        let mut clients: BTreeMap<String, Client> = BTreeMap::new();
        // The game that was last launched; the sessions have other numbers.
        let mut last_game = 0;
        for (name, mut message) in messages {
            let client = clients
                .entry(name)
                .or_insert_with(|| Client { conn: lobby.connect(), conversation: Conversation::default() });
            if !lobby.is_open(client.conn) {
                continue;
            }
            if message.field::<u32>("uid").is_ok() {
                message.set("uid", &last_game).unwrap();
            }
            client.conversation.observe(Direction::ToServer, &message);
            match login_of(&message) {
                Some(login) => lobby.send_hello(client.conn, &login),
                None => lobby.send(client.conn, message.as_str()),
            }
            lobby.advance(Duration::from_millis(700));
            for client in clients.values_mut() {
                for text in lobby.receive(client.conn) {
                    let message: Message = text.parse().unwrap();
                    let violations = checker.check(Direction::ToClient, &message);
                    assert!(violations.is_empty(), "{session}: {violations:?} in {message}");
                    let late = client.conversation.observe(Direction::ToClient, &message);
                    assert_eq!(late, None, "{session}: {message}");
                    if message.command().as_deref() == Some("game_launch") {
                        last_game = message.field("uid").unwrap();
                    }
                    sent.insert(checker.key(Direction::ToClient, &message).unwrap().to_owned());
                }
            }
        }
    }
    if golden::is_own() {
        assert!(sent.len() >= 22, "{sent:?}");
    }
}

/// Returns the name with which a message logs in, if it can log in.
fn login_of(message: &Message) -> Option<String> {
    let is_login = message.command().as_deref() == Some("hello") && message.get("unique_id").is_some();
    message.field("login").ok().filter(|_| is_login)
}
